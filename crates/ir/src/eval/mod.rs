//! The evaluator: the one place where expressions get their meaning.
//!
//! The matcher's shortcuts and the query engine's functions must agree with it; differential tests hold them to it.
//!
//! An expression is compiled once to a [`Program`] (patterns and constant regular expressions with it) and then run
//! over rows. [`evaluate`] and [`truth`] do both at once, for tests and for expressions that are used once.

mod call;
mod choice;
pub mod clock;
mod digest;
pub mod fold;
pub mod glob;
pub mod json;
mod logic;
mod multi;
pub mod number;
mod numeric;
mod operate;
mod pattern;
pub mod phrase;
mod printf;
mod program;
pub mod regex;
#[cfg(test)]
mod tests;
mod text;

pub use operate::{arithmetic, compare};
pub use pattern::{CompiledPattern, PatternError, in_network};
pub use program::{ExprError, MAX_DEPTH, Program};

use crate::expr::{Expr, FieldPath};
use crate::value::Value;

/// A row as expressions see it.
pub trait Row {
    /// The value of a field.
    fn get(&self, field: &FieldPath) -> Value;
}

/// What an evaluation needs beside the row.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context {
    /// The moment `now()` stands for, in microseconds since 1970.
    pub now: i64,
}

/// Truth in Kleene's logic: `None` is unknown.
pub type Truth = Option<bool>;

/// The value of an expression; absent if it cannot be compiled, which [`Program::compile`] tells apart.
pub fn evaluate(expr: &Expr, row: &dyn Row, context: &Context) -> Value {
    Program::compile(expr).map_or(Value::Absent, |program| program.value(row, context))
}

/// The truth of an expression, as [`Program::truth`]; unknown if it cannot be compiled.
pub fn truth(expr: &Expr, row: &dyn Row, context: &Context) -> Truth {
    Program::compile(expr).ok().and_then(|program| program.truth(row, context))
}

/// What a value means as a truth: a truth value itself, a number is true unless it is zero, text that reads `true` or
/// `false` (case does not count) is that; of a list as if its members were joined by "or". Everything else is unknown.
pub fn truth_of(value: &Value) -> Truth {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Int(int) => Some(*int != 0),
        Value::Float(float) => Some(*float != 0.0),
        Value::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
        Value::List(members) => logic::any(members.iter().map(truth_of)),
        Value::Absent | Value::Text(_) | Value::Json(_) => None,
    }
}
