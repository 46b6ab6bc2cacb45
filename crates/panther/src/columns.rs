//! Guards over columns of rows instead of events.

use std::sync::Arc;

use masthead_ir::expr::{Expr, FieldPath};
use masthead_ir::pattern::{Case, Pattern};
use masthead_ir::value::Value;

/// A guard with its walks by keys replaced by columns; none if it has one without a column, or is no guard.
///
/// A column has no types: what the guard asks of text it asks of the column's text.
pub(crate) fn over_columns(guard: &Expr, column: &dyn Fn(&[Arc<str>]) -> Option<FieldPath>) -> Option<Expr> {
    let all = |parts: &[Expr]| parts.iter().map(|part| over_columns(part, column)).collect::<Option<Vec<_>>>();
    let field_of = |field: &FieldPath| match field {
        FieldPath::Keys(keys) => column(keys),
        other => Some(other.clone()),
    };
    Some(match guard {
        Expr::Literal(value) => Expr::Literal(value.clone()),
        Expr::And(parts) => Expr::And(all(parts)?),
        Expr::Or(parts) => Expr::Or(all(parts)?),
        Expr::Not(inner) => Expr::Not(Box::new(over_columns(inner, column)?)),
        Expr::Test { field, pattern } => Expr::Test { field: field_of(field)?, pattern: untyped(pattern) },
        _ => return None,
    })
}

/// A test of a typed value as one of its text.
fn untyped(pattern: &Pattern) -> Pattern {
    let equal = |text: String, numeric| Pattern::Text { text, case: Case::Sensitive, numeric };
    match pattern {
        Pattern::Same(Value::Text(text)) => equal(text.to_string(), false),
        Pattern::Same(Value::Int(number)) => equal(number.to_string(), true),
        Pattern::Same(Value::Float(number)) => equal(number.to_string(), true),
        Pattern::Same(Value::Bool(truth)) => equal(truth.to_string(), false),
        Pattern::AnyOf(patterns) => Pattern::AnyOf(patterns.iter().map(untyped).collect()),
        other => other.clone(),
    }
}
