//! Comparisons of two values of the program.

use masthead_ir::expr::Expr;
use masthead_ir::pattern::OrderOp;
use ruff_python_ast::CmpOp;

use super::constant::Const;
use super::evaluate::Val;
use super::logic::{Cond, no, yes};

/// Whether a comparison holds, and where it may raise.
pub(super) fn compare(op: CmpOp, left: &Val<'_>, right: &Val<'_>) -> (Cond, Expr) {
    match op {
        CmpOp::Eq => (equal(left, right), no()),
        CmpOp::NotEq => (equal(left, right).not(), no()),
        CmpOp::Is => (identical(left, right), no()),
        CmpOp::IsNot => (identical(left, right).not(), no()),
        CmpOp::In => contained(left, right),
        CmpOp::NotIn => {
            let (cond, raises) = contained(left, right);
            (cond.not(), raises)
        }
        CmpOp::Lt => ordered(left, OrderOp::Lt, right, OrderOp::Gt),
        CmpOp::LtE => ordered(left, OrderOp::Le, right, OrderOp::Ge),
        CmpOp::Gt => ordered(left, OrderOp::Gt, right, OrderOp::Lt),
        CmpOp::GtE => ordered(left, OrderOp::Ge, right, OrderOp::Le),
    }
}

fn equal(left: &Val<'_>, right: &Val<'_>) -> Cond {
    match (left, right) {
        (Val::Const(left), Val::Const(right)) => decided(left.equals(right)),
        (Val::Field(field), Val::Const(value)) | (Val::Const(value), Val::Field(field)) => field.equals(value),
        _ => Cond::unknown(),
    }
}

/// `is`, known only of the constants that exist once.
fn identical(left: &Val<'_>, right: &Val<'_>) -> Cond {
    match (left, right) {
        (Val::Const(left), Val::Const(right)) => match (left, right) {
            (Const::None, _) | (_, Const::None) => Cond::constant(left == right),
            (Const::Bool(_), _) | (_, Const::Bool(_)) => Cond::constant(left == right),
            _ => Cond::unknown(),
        },
        (Val::Field(field), Val::Const(value @ Const::None)) | (Val::Const(value @ Const::None), Val::Field(field)) => {
            field.equals(value)
        }
        // A number is equal to a truth value and not identical to it.
        (Val::Field(field), Val::Const(value @ Const::Bool(_)))
        | (Val::Const(value @ Const::Bool(_)), Val::Field(field)) => Cond::at_most(field.equals(value).may),
        _ => Cond::unknown(),
    }
}

fn contained(left: &Val<'_>, right: &Val<'_>) -> (Cond, Expr) {
    match (left, right) {
        (Val::Const(left), Val::Const(right)) => match left.is_in(right) {
            Some(found) => (Cond::constant(found), no()),
            None => (Cond::unknown(), yes()),
        },
        (Val::Field(field), Val::Const(container)) => match field.is_in(container) {
            Some(cond) => (cond, no()),
            None => (Cond::unknown(), yes()),
        },
        (Val::Const(value), Val::Field(field)) => field.contains(value),
        (_, Val::Const(container)) if container.members().is_some() => (Cond::unknown(), no()),
        _ => (Cond::unknown(), yes()),
    }
}

fn ordered(left: &Val<'_>, op: OrderOp, right: &Val<'_>, mirrored: OrderOp) -> (Cond, Expr) {
    match (left, right) {
        (Val::Field(field), Val::Const(value)) => field.ordered(op, value),
        (Val::Const(value), Val::Field(field)) => field.ordered(mirrored, value),
        _ => (Cond::unknown(), yes()),
    }
}

fn decided(holds: Option<bool>) -> Cond {
    holds.map_or_else(Cond::unknown, Cond::constant)
}

/// A constant that may not be known.
pub(super) fn none_if_unknown<'a>(value: Option<Const>) -> Val<'a> {
    value.map_or(Val::Unknown, Val::Const)
}
