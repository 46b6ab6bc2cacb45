//! What the conditions around a test say of the request: the few fields that decide what an event can hold.

use masthead_ir::expr::{CompareOp, Func};
use masthead_ir::{Expr, Value};

use crate::{field, literal};

/// The fields that are kept.
const WATCHED: [&str; 7] = [
    "objectRef.apiGroup",
    "objectRef.resource",
    "objectRef.subresource",
    "verb",
    "stage",
    "level",
    "responseStatus.code",
];

/// How deep logic is followed; what is deeper counts as unknown, so that no rule can exhaust the stack.
pub(crate) const MAX_DEPTH: usize = 150;

/// The values to which the conditions around a test hold the watched fields.
#[derive(Debug, Clone, Default)]
pub(crate) struct Env {
    values: [Option<Vec<String>>; WATCHED.len()],
}

impl Env {
    /// The values that a watched field can have here; none if it is free.
    pub(crate) fn get(&self, name: &str) -> Option<&[String]> {
        let at = WATCHED.iter().position(|watched| *watched == name)?;
        self.values[at].as_deref()
    }

    /// Whether a field can have this value here.
    pub(crate) fn may_be(&self, name: &str, value: &str) -> bool {
        self.get(name).is_none_or(|values| values.iter().any(|known| known.eq_ignore_ascii_case(value)))
    }

    /// Whether a field is held to these values.
    pub(crate) fn only(&self, name: &str, allowed: &[&str]) -> bool {
        let inside = |value: &String| allowed.iter().any(|known| known.eq_ignore_ascii_case(value));
        self.get(name).is_some_and(|values| !values.is_empty() && values.iter().all(inside))
    }

    /// The same with what an expression that holds here says.
    pub(crate) fn and(&self, expr: &Expr) -> Env {
        let mut env = self.clone();
        for (name, values) in WATCHED.iter().zip(&mut env.values) {
            *values = meet(values.take(), choices(expr, name, 0));
        }
        env
    }
}

fn meet(left: Option<Vec<String>>, right: Option<Vec<String>>) -> Option<Vec<String>> {
    match (left, right) {
        (Some(mut left), Some(right)) => {
            left.retain(|value| right.iter().any(|other| other.eq_ignore_ascii_case(value)));
            Some(left)
        }
        (left, right) => left.or(right),
    }
}

/// The expression behind a wrapper that turns unknown to false.
pub(crate) fn unwrap(expr: &Expr) -> &Expr {
    if let Expr::Call { func: Func::Coalesce, args } = expr
        && let [inner, Expr::Literal(Value::Bool(false))] = args.as_slice()
    {
        return inner;
    }
    expr
}

/// The values that a field must have for an expression to be true; none if it does not name them.
pub(crate) fn choices(expr: &Expr, name: &str, depth: usize) -> Option<Vec<String>> {
    if depth > MAX_DEPTH {
        return None;
    }
    match unwrap(expr) {
        Expr::Test { field, pattern } if field::plain(field) == name => literal::choices(pattern),
        Expr::Compare { op: CompareOp::Eq, left, right } => match (&**left, &**right) {
            (Expr::Field(field), Expr::Literal(value)) | (Expr::Literal(value), Expr::Field(field))
                if field::plain(field) == name =>
            {
                literal::shown(value).map(|text| vec![text])
            }
            _ => None,
        },
        Expr::And(parts) => parts.iter().fold(None, |all, part| meet(all, choices(part, name, depth + 1))),
        Expr::Or(parts) => {
            let parts = parts.iter().map(|part| choices(part, name, depth + 1));
            let mut values: Vec<String> = parts.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect();
            values.sort_unstable();
            values.dedup();
            Some(values)
        }
        _ => None,
    }
}
