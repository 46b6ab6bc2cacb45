//! Comparisons and arithmetic.

use std::cmp::Ordering;

use super::number::{self, Number};
use super::{Truth, logic};
use crate::expr::{ArithOp, CompareOp};
use crate::value::Value;

/// Compares two values: by number if both read as numbers, else as text by bytes. Unknown if a side is absent. Of lists
/// true if any pair of members compares true.
pub fn compare(op: CompareOp, left: &Value, right: &Value) -> Truth {
    if left.is_absent() || right.is_absent() {
        return None;
    }
    logic::any(left.members().iter().flat_map(|l| right.members().iter().map(move |r| compare_single(op, l, r))))
}

fn compare_single(op: CompareOp, left: &Value, right: &Value) -> Truth {
    let ordering = order(left, right)?;
    Some(match op {
        CompareOp::Eq => ordering.is_eq(),
        CompareOp::Ne => ordering.is_ne(),
        CompareOp::Lt => ordering.is_lt(),
        CompareOp::Le => ordering.is_le(),
        CompareOp::Gt => ordering.is_gt(),
        CompareOp::Ge => ordering.is_ge(),
    })
}

/// The order of two single values: by number if both read as numbers, else by the bytes of their texts.
pub(crate) fn order(left: &Value, right: &Value) -> Option<Ordering> {
    if let (Some(left), Some(right)) = (Number::of(left), Number::of(right)) {
        return Some(left.compare(right));
    }
    Some(number::text(left)?.as_bytes().cmp(number::text(right)?.as_bytes()))
}

/// Arithmetic; null if a side is absent or a list, or does not read as a number where a number is needed.
pub fn arithmetic(op: ArithOp, left: &Value, right: &Value) -> Value {
    if op == ArithOp::Concat {
        return match (number::text(left), number::text(right)) {
            (Some(left), Some(right)) => Value::Text(format!("{left}{right}").into()),
            _ => Value::Absent,
        };
    }
    match (Number::of(left), Number::of(right)) {
        (Some(left), Some(right)) => numbers(op, left, right),
        _ => match (op, left, right) {
            (ArithOp::Add, Value::Text(left), Value::Text(right)) => Value::Text(format!("{left}{right}").into()),
            _ => Value::Absent,
        },
    }
}

fn numbers(op: ArithOp, left: Number, right: Number) -> Value {
    if let (Number::Int(a), Number::Int(b)) = (left, right) {
        let exact = match op {
            ArithOp::Add => a.checked_add(b),
            ArithOp::Sub => a.checked_sub(b),
            ArithOp::Mul => a.checked_mul(b),
            ArithOp::Div if b != 0 && a.checked_rem(b) == Some(0) => a.checked_div(b),
            ArithOp::Rem => a.checked_rem(b),
            ArithOp::Div | ArithOp::Concat => None,
        };
        if let Some(exact) = exact {
            return Value::Int(exact);
        }
    }
    let (a, b) = (left.as_f64(), right.as_f64());
    // A division by zero is infinite or NaN, which `float` makes null.
    match op {
        ArithOp::Add => number::float(a + b),
        ArithOp::Sub => number::float(a - b),
        ArithOp::Mul => number::float(a * b),
        ArithOp::Div => number::float(a / b),
        ArithOp::Rem => number::float(a % b),
        ArithOp::Concat => Value::Absent,
    }
}
