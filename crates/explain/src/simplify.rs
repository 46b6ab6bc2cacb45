//! The same expression with less structure: what front-ends nest for their own reasons, people need not read.
//!
//! The truth stays the same for every row. Junctions in junctions of the same kind become one, a junction of one part
//! becomes the part, "none of" becomes several negations, and several tests of one field joined by "or" become one test of several patterns.

use masthead_ir::eval::MAX_DEPTH;
use masthead_ir::pattern::Pattern;
use masthead_ir::{Expr, Value};

/// The expression with less structure. What is nested deeper than expressions may be stays as it is.
pub(crate) fn simplify(expr: &Expr) -> Expr {
    at_depth(expr, 0)
}

fn at_depth(expr: &Expr, depth: usize) -> Expr {
    if depth >= MAX_DEPTH {
        return expr.clone();
    }
    match expr {
        Expr::And(parts) => {
            let mut flat = Vec::new();
            for part in parts {
                match at_depth(part, depth + 1) {
                    Expr::And(inner) => flat.extend(inner),
                    Expr::Literal(Value::Bool(true)) => {}
                    other => flat.push(other),
                }
            }
            single_or(flat, Expr::And, true)
        }
        Expr::Or(parts) => {
            let mut flat = Vec::new();
            for part in parts {
                match at_depth(part, depth + 1) {
                    Expr::Or(inner) => inner.into_iter().for_each(|part| join(&mut flat, part)),
                    Expr::Literal(Value::Bool(false)) => {}
                    other => join(&mut flat, other),
                }
            }
            single_or(flat, Expr::Or, false)
        }
        Expr::Not(part) => match at_depth(part, depth + 1) {
            Expr::Not(inner) => *inner,
            Expr::Literal(Value::Bool(truth)) => Expr::Literal(Value::Bool(!truth)),
            // None of several: each of them is a part of its own that can fail.
            Expr::Or(parts) => {
                let parts = parts.into_iter().map(|part| at_depth(&Expr::Not(Box::new(part)), depth + 1));
                at_depth(&Expr::And(parts.collect()), depth + 1)
            }
            other => Expr::Not(Box::new(other)),
        },
        other => other.clone(),
    }
}

/// The only part, the junction of several, or what a junction of none is.
fn single_or(mut parts: Vec<Expr>, junction: fn(Vec<Expr>) -> Expr, of_none: bool) -> Expr {
    match parts.len() {
        0 => Expr::Literal(Value::Bool(of_none)),
        1 => parts.swap_remove(0),
        _ => junction(parts),
    }
}

/// Adds a part to an "or": to the test of the same field that is there already, or as a new part.
fn join(parts: &mut Vec<Expr>, part: Expr) {
    let Expr::Test { field, pattern } = part else {
        parts.push(part);
        return;
    };
    let same = |expr: &&mut Expr| matches!(expr, Expr::Test { field: other, .. } if *other == field);
    match parts.iter_mut().find(same) {
        Some(Expr::Test { pattern: known, .. }) => {
            let mut patterns = into_patterns(std::mem::replace(known, Pattern::Present));
            patterns.extend(into_patterns(pattern));
            *known = Pattern::AnyOf(patterns);
        }
        _ => parts.push(Expr::Test { field, pattern }),
    }
}

fn into_patterns(pattern: Pattern) -> Vec<Pattern> {
    match pattern {
        Pattern::AnyOf(patterns) => patterns,
        other => vec![other],
    }
}
