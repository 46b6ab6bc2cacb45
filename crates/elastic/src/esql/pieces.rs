//! Short ways to write expressions of the pipeline.

use masthead_ir::expr::{ArithOp, CompareOp, Expr, FieldPath, Func};
use masthead_ir::{Value, pattern::Pattern};

pub(super) const NULL: Expr = Expr::Literal(Value::Absent);

pub(super) fn truth(truth: bool) -> Expr {
    Expr::Literal(Value::Bool(truth))
}

pub(super) fn text(text: impl AsRef<str>) -> Expr {
    Expr::Literal(Value::text(text))
}

pub(super) fn int(int: i64) -> Expr {
    Expr::Literal(Value::Int(int))
}

/// A number, whole if it is.
pub(super) fn number(number: f64) -> Expr {
    let whole = number.fract() == 0.0 && number.abs() < 9e15;
    Expr::Literal(if whole { Value::Int(number as i64) } else { Value::Float(number) })
}

pub(super) fn column(name: impl AsRef<str>) -> Expr {
    Expr::Field(FieldPath::flat(name))
}

pub(super) fn call(func: Func, args: impl IntoIterator<Item = Expr>) -> Expr {
    Expr::Call { func, args: args.into_iter().collect() }
}

pub(super) fn arith(op: ArithOp, left: Expr, right: Expr) -> Expr {
    Expr::Arith { op, left: Box::new(left), right: Box::new(right) }
}

pub(super) fn compare(op: CompareOp, left: Expr, right: Expr) -> Expr {
    Expr::Compare { op, left: Box::new(left), right: Box::new(right) }
}

pub(super) fn not(inner: Expr) -> Expr {
    Expr::Not(Box::new(inner))
}

pub(super) fn test(field: &FieldPath, pattern: Pattern) -> Expr {
    Expr::Test { field: field.clone(), pattern }
}

/// All of these, without what is always true.
pub(super) fn all(parts: impl IntoIterator<Item = Expr>) -> Expr {
    let mut kept = Vec::new();
    for part in parts {
        match part {
            Expr::Literal(Value::Bool(true)) => {}
            Expr::Literal(Value::Bool(false)) => return truth(false),
            Expr::And(inner) => kept.extend(inner),
            other => kept.push(other),
        }
    }
    match kept.len() {
        0 => truth(true),
        1 => kept.swap_remove(0),
        _ => Expr::And(kept),
    }
}

/// Any of these, without what is always false.
pub(super) fn any(parts: impl IntoIterator<Item = Expr>) -> Expr {
    let mut kept = Vec::new();
    for part in parts {
        match part {
            Expr::Literal(Value::Bool(false)) => {}
            Expr::Literal(Value::Bool(true)) => return truth(true),
            Expr::Or(inner) => kept.extend(inner),
            other => kept.push(other),
        }
    }
    match kept.len() {
        0 => truth(false),
        1 => kept.swap_remove(0),
        _ => Expr::Or(kept),
    }
}
