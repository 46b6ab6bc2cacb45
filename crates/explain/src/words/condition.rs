//! Conditions as trees and as sentences.

use masthead_ir::eval::MAX_DEPTH;
use masthead_ir::{Expr, Value};
use serde::Serialize;

use super::leaf::leaf;
use super::predicate::{Predicate, predicates};
use super::wording::Wording;
use crate::simplify::simplify;

/// What a node of a condition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConditionKind {
    /// All children must hold.
    All,
    /// Any child must hold.
    Any,
    /// The only child must not hold.
    Not,
    /// A test.
    Test,
    /// Something that cannot be read off the rule.
    Unknown,
}

/// A condition in words, with its structure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Condition {
    /// What it is.
    pub kind: ConditionKind,
    /// The whole condition on one line.
    pub text: Wording,
    /// What a test asks, where it holds a field against literals.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub predicates: Vec<Predicate>,
    /// The parts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Condition>,
}

/// What a sentence says of the events that are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It must hold.
    Requires,
    /// It names what is let pass.
    Excludes,
    /// One of its alternatives must hold.
    OneOf,
}

/// One necessary part of a condition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sentence {
    /// The part on one line: what must hold.
    pub text: Wording,
    /// What it says.
    pub role: Role,
    /// The tests in it, without their structure.
    pub predicates: Vec<Predicate>,
    /// The part with its structure.
    pub condition: Condition,
}

/// The tree of an expression that has been simplified.
pub(crate) fn tree(expr: &Expr) -> Condition {
    node(expr, 0)
}

fn node(expr: &Expr, depth: usize) -> Condition {
    let kind = kind_of(expr);
    let parts: &[Expr] = match expr {
        _ if depth >= MAX_DEPTH => &[],
        Expr::And(parts) | Expr::Or(parts) => parts,
        Expr::Not(part) if kind == ConditionKind::Not => std::slice::from_ref(part),
        _ => &[],
    };
    let tests = match (kind, expr) {
        (ConditionKind::Test, Expr::Not(part)) => predicates(part, true),
        (ConditionKind::Test, expr) => predicates(expr, false),
        _ => Vec::new(),
    };
    let children = parts.iter().map(|part| node(part, depth + 1)).collect();
    Condition { kind, text: Wording::of(|limit| inline(expr, limit)), predicates: tests, children }
}

/// What the node of an expression is: what is negated and no junction is a test in its own words.
pub(crate) fn kind_of(expr: &Expr) -> ConditionKind {
    match expr {
        Expr::And(_) => ConditionKind::All,
        Expr::Or(_) => ConditionKind::Any,
        Expr::Not(part) => match kind_of(part) {
            ConditionKind::Test => ConditionKind::Test,
            ConditionKind::Unknown => ConditionKind::Unknown,
            _ => ConditionKind::Not,
        },
        Expr::Literal(Value::Absent) => ConditionKind::Unknown,
        _ => ConditionKind::Test,
    }
}

/// The expression on one line.
pub(crate) fn inline(expr: &Expr, limit: usize) -> String {
    bracketless(expr, limit, 0)
}

fn bracketless(expr: &Expr, limit: usize, depth: usize) -> String {
    if depth >= MAX_DEPTH {
        return "…".to_owned();
    }
    let part = |part: &Expr| match part {
        Expr::And(parts) | Expr::Or(parts) if parts.len() > 1 => {
            format!("({})", bracketless(part, limit, depth + 1))
        }
        other => bracketless(other, limit, depth + 1),
    };
    match expr {
        Expr::And(parts) if !parts.is_empty() => parts.iter().map(part).collect::<Vec<_>>().join(" and "),
        Expr::Or(parts) if !parts.is_empty() => parts.iter().map(part).collect::<Vec<_>>().join(" or "),
        Expr::And(_) => "always".to_owned(),
        Expr::Or(_) => "never".to_owned(),
        Expr::Not(inner) => match &**inner {
            junction @ (Expr::And(_) | Expr::Or(_) | Expr::Not(_)) => {
                format!("not ({})", bracketless(junction, limit, depth + 1))
            }
            other => leaf(other, true, limit),
        },
        other => leaf(other, false, limit),
    }
}

/// The necessary parts of an expression.
pub(crate) fn conjuncts(expr: &Expr) -> &[Expr] {
    match expr {
        Expr::And(parts) => parts,
        Expr::Literal(Value::Bool(true)) => &[],
        other => std::slice::from_ref(other),
    }
}

/// The necessary parts of a condition as sentences, those that cannot be read left out.
pub(crate) fn sentences(expr: &Expr) -> Vec<Sentence> {
    let simple = simplify(expr);
    let known = conjuncts(&simple).iter().filter(|part| kind_of(part) != ConditionKind::Unknown);
    known.map(sentence).collect()
}

fn sentence(expr: &Expr) -> Sentence {
    let condition = tree(expr);
    let role = match expr {
        Expr::Not(_) | Expr::Differs { .. } => Role::Excludes,
        Expr::Or(_) => Role::OneOf,
        _ => Role::Requires,
    };
    let mut found = Vec::new();
    let mut pending = vec![(&condition, false)];
    while let Some((at, negated)) = pending.pop() {
        let here = at.predicates.iter().cloned();
        found.extend(here.map(|predicate| Predicate { negated: predicate.negated != negated, ..predicate }));
        let negated = negated != (at.kind == ConditionKind::Not);
        pending.extend(at.children.iter().rev().map(|child| (child, negated)));
    }
    Sentence { text: condition.text.clone(), role, predicates: found, condition }
}
