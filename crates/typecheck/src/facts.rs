//! Tests that must all hold at once, and whether they can.

use masthead_ir::Expr;
use masthead_ir::expr::CompareOp;
use masthead_ir::pattern::{Case, OrderOp, Pattern};
use masthead_schema::audit;

use crate::env::{MAX_DEPTH, unwrap};
use crate::{field, literal};

/// A test of a field that must pass, or must not.
#[derive(Debug, Clone)]
pub(crate) struct Fact {
    pub(crate) name: String,
    pub(crate) pattern: Pattern,
    pub(crate) negated: bool,
}

/// Adds what an expression says that must hold.
pub(crate) fn collect(expr: &Expr, found: &mut Vec<Fact>) {
    gather(expr, false, 0, found);
}

fn gather(expr: &Expr, negated: bool, depth: usize, found: &mut Vec<Fact>) {
    if depth > MAX_DEPTH {
        return;
    }
    match (unwrap(expr), negated) {
        (Expr::And(parts), false) | (Expr::Or(parts), true) => {
            parts.iter().for_each(|part| gather(part, negated, depth + 1, found));
        }
        (Expr::Not(part), _) => gather(part, !negated, depth + 1, found),
        (Expr::Or(parts), false) => found.extend(any_of(parts)),
        (Expr::Differs { field, pattern, .. }, false) => {
            let name = field::plain(field);
            found.push(Fact { name: name.clone(), pattern: Pattern::Present, negated: false });
            found.push(Fact { name, pattern: pattern.clone(), negated: true });
        }
        (leaf, _) => {
            if let Some((name, pattern)) = test(leaf) {
                found.push(Fact { name, pattern, negated });
            }
        }
    }
}

/// Tests of one field of which one must pass, as one.
pub(crate) fn any_of(parts: &[Expr]) -> Option<Fact> {
    let tests: Vec<(String, Pattern)> = parts.iter().map(|part| test(unwrap(part))).collect::<Option<_>>()?;
    let name = tests.first()?.0.clone();
    let one = tests.iter().all(|(other, _)| *other == name);
    let pattern = Pattern::AnyOf(tests.into_iter().map(|(_, pattern)| pattern).collect());
    one.then_some(Fact { name, pattern, negated: false })
}

/// A leaf as a test of a field.
pub(crate) fn test(leaf: &Expr) -> Option<(String, Pattern)> {
    match leaf {
        Expr::Test { field, pattern } => Some((field::plain(field), pattern.clone())),
        Expr::Compare { op, left, right } => {
            let (Expr::Field(field), Expr::Literal(value)) = (&**left, &**right) else { return None };
            let text = literal::shown(value)?;
            let order = |op| Pattern::Order { op, literal: text.clone() };
            let pattern = match op {
                CompareOp::Eq => Pattern::Text { text, case: Case::Sensitive, numeric: true },
                CompareOp::Ne => return None,
                CompareOp::Lt => order(OrderOp::Lt),
                CompareOp::Le => order(OrderOp::Le),
                CompareOp::Gt => order(OrderOp::Gt),
                CompareOp::Ge => order(OrderOp::Ge),
            };
            Some((field::plain(field), pattern))
        }
        _ => None,
    }
}

/// How many named values are tried; longer lists are seldom a slip, and slow to compare.
const MAX_VALUES: usize = 200;

/// Whether no single value of a field can pass what the facts say of it.
pub(crate) fn conflict(facts: &[Fact], name: &str) -> bool {
    let of = |negated: bool| {
        let mut found: Vec<&Pattern> = Vec::new();
        for fact in facts.iter().filter(|fact| fact.negated == negated && fact.name == name) {
            if !found.contains(&&fact.pattern) {
                found.push(&fact.pattern);
            }
        }
        found
    };
    let (wanted, barred) = (of(false), of(true));
    if wanted.is_empty() || wanted.len() + barred.len() < 2 {
        return false;
    }
    if barred.contains(&&Pattern::Present) {
        return true;
    }
    let fits = |value: &str| {
        wanted.iter().all(|pattern| passes(pattern, value) != Some(false))
            && barred.iter().all(|pattern| literal::decide(pattern, value) != Some(true))
    };
    if let Some(values) = wanted.iter().find_map(|pattern| literal::choices(pattern)) {
        return values.len() <= MAX_VALUES && !values.iter().any(|value| fits(value));
    }
    match audit::values_of(name) {
        Some(values) => {
            // A test that none of the values passes is a fault of its own.
            let possible = |pattern: &&Pattern| values.iter().any(|v| literal::decide(pattern, v) != Some(false));
            wanted.iter().all(possible) && !values.iter().any(|value| fits(value))
        }
        None => ends_clash(&wanted) || empty_range(&wanted),
    }
}

/// As [`literal::decide`], but of two tests for equality the case of letters is no conflict.
fn passes(pattern: &Pattern, value: &str) -> Option<bool> {
    match literal::choices(pattern) {
        Some(choices) if choices.iter().any(|choice| choice.eq_ignore_ascii_case(value)) => Some(true),
        _ => literal::decide(pattern, value),
    }
}

fn ends_clash(wanted: &[&Pattern]) -> bool {
    let starts: Vec<String> = wanted.iter().filter_map(|pattern| start(pattern)).collect();
    let ends: Vec<String> = wanted.iter().filter_map(|pattern| end(pattern)).collect();
    let clash = |all: &[String], fits: fn(&str, &str) -> bool| {
        all.iter().any(|left| all.iter().any(|right| !fits(left, right) && !fits(right, left)))
    };
    clash(&starts, |left, right| left.starts_with(right)) || clash(&ends, |left, right| left.ends_with(right))
}

fn start(pattern: &Pattern) -> Option<String> {
    match pattern {
        Pattern::Prefix { text, .. } => Some(text.to_lowercase()),
        Pattern::Wildcard { glob, .. } => glob.split('*').next().map(str::to_lowercase),
        _ => None,
    }
}

fn end(pattern: &Pattern) -> Option<String> {
    match pattern {
        Pattern::Suffix { text, .. } => Some(text.to_lowercase()),
        Pattern::Wildcard { glob, .. } => glob.rsplit('*').next().map(str::to_lowercase),
        _ => None,
    }
}

fn empty_range(wanted: &[&Pattern]) -> bool {
    let (mut low, mut high) = ((f64::NEG_INFINITY, false), (f64::INFINITY, false));
    for pattern in wanted {
        let Pattern::Order { op, literal } = pattern else { continue };
        let Some(bound) = literal::number(literal) else { continue };
        let open = matches!(op, OrderOp::Lt | OrderOp::Gt);
        match op {
            OrderOp::Gt | OrderOp::Ge if bound > low.0 || (bound == low.0 && open) => low = (bound, open),
            OrderOp::Lt | OrderOp::Le if bound < high.0 || (bound == high.0 && open) => high = (bound, open),
            _ => {}
        }
    }
    low.0 > high.0 || (low.0 == high.0 && (low.1 || high.1))
}
