//! Expressions as short program text, for computed values that no sentence would make clearer.

use std::fmt::Write as _;

use masthead_ir::expr::{ArithOp, CompareOp};
use masthead_ir::{Expr, Value};

use super::leaf::leaf;
use super::predicate::value_text;
use super::wording::{SHOWN_VALUES, plain};

/// How deep calls are written out.
const DEEPEST: usize = 24;

/// The expression as program text on one line.
pub(crate) fn code(expr: &Expr) -> String {
    let mut out = String::new();
    write(expr, 0, &mut out);
    out
}

fn write(expr: &Expr, depth: usize, out: &mut String) {
    if depth > DEEPEST {
        out.push('…');
        return;
    }
    match expr {
        Expr::Literal(Value::Text(text)) => {
            let _ = write!(out, "{text:?}");
        }
        Expr::Literal(value) => out.push_str(&value_text(value)),
        Expr::Field(field) => out.push_str(&plain(field)),
        Expr::Test { .. } | Expr::Differs { .. } => out.push_str(&leaf(expr, false, SHOWN_VALUES).replace('`', "\"")),
        Expr::And(parts) => list(parts, " and ", depth, out),
        Expr::Or(parts) => list(parts, " or ", depth, out),
        Expr::Not(part) => {
            out.push_str("not ");
            bracketed(part, depth, out);
        }
        Expr::Xor(left, right) => pair(left, " xor ", right, depth, out),
        Expr::Compare { op, left, right } => pair(left, compare_sign(*op), right, depth, out),
        Expr::Arith { op, left, right } => pair(left, arith_sign(*op), right, depth, out),
        Expr::Call { func, args } => {
            let _ = write!(out, "{}(", format!("{func:?}").to_lowercase());
            list_plain(args, ", ", depth, out);
            out.push(')');
        }
    }
}

fn pair(left: &Expr, sign: &str, right: &Expr, depth: usize, out: &mut String) {
    bracketed(left, depth, out);
    out.push_str(sign);
    bracketed(right, depth, out);
}

/// An operand, in brackets where it has operators of its own.
fn bracketed(expr: &Expr, depth: usize, out: &mut String) {
    let bare = matches!(expr, Expr::Literal(_) | Expr::Field(_) | Expr::Call { .. });
    if !bare {
        out.push('(');
    }
    write(expr, depth + 1, out);
    if !bare {
        out.push(')');
    }
}

fn list(parts: &[Expr], between: &str, depth: usize, out: &mut String) {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            out.push_str(between);
        }
        bracketed(part, depth, out);
    }
}

fn list_plain(parts: &[Expr], between: &str, depth: usize, out: &mut String) {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            out.push_str(between);
        }
        write(part, depth + 1, out);
    }
}

fn compare_sign(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Eq => " = ",
        CompareOp::Ne => " != ",
        CompareOp::Lt => " < ",
        CompareOp::Le => " <= ",
        CompareOp::Gt => " > ",
        CompareOp::Ge => " >= ",
    }
}

fn arith_sign(op: ArithOp) -> &'static str {
    match op {
        ArithOp::Add => " + ",
        ArithOp::Sub => " - ",
        ArithOp::Mul => " * ",
        ArithOp::Div => " / ",
        ArithOp::Rem => " % ",
        ArithOp::Concat => " . ",
    }
}
