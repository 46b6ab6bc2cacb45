//! The evaluator: the one place where expressions get their meaning.
//!
//! The matcher's shortcuts and the query engine's functions must agree with it; differential tests hold them to it.

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

/// The value of an expression.
pub fn evaluate(_expr: &Expr, _row: &dyn Row, _context: &Context) -> Value {
    Value::Absent
}

/// The truth of an expression: a number is true unless it is zero, text is unknown unless it reads `true` or `false`.
pub fn truth(_expr: &Expr, _row: &dyn Row, _context: &Context) -> Truth {
    None
}
