//! Every test of a rule against literals, and how many other rules ask the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use masthead_ir::Expr;
use masthead_ir::pipeline::{CorrelationKind, Pipeline, Source, Stage};
use masthead_ir::rule::{Body, Rule};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;

use crate::simplify::simplify;
use crate::words::predicate::{Operator, Predicate, predicates};

/// A test of a field against literals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Indicator {
    /// The field, as people write it.
    pub field: String,
    /// How its values are held against `values`.
    pub operator: Operator,
    /// The literals.
    pub values: Vec<String>,
    /// Whether the test must fail.
    pub negated: bool,
    /// How many of the other loaded rules hold the same field by the same operator against one of the values.
    pub shared_with: usize,
}

/// A word or phrase that is looked for in the text of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Term {
    /// The text.
    pub text: String,
    /// How it is looked for.
    pub operator: Operator,
    /// Whether events that hold it are let pass.
    pub negated: bool,
}

/// What a set of rules tests: who asks what.
#[derive(Debug, Default)]
pub struct Usage {
    rules: FxHashMap<Asked, Vec<Name>>,
}

/// A field, an operator and a value.
type Asked = (String, Operator, String);
/// What tells rules apart: id and file.
type Name = (String, std::path::PathBuf);

impl Usage {
    /// Counts what rules test.
    pub fn of(rules: &[Arc<Rule>]) -> Usage {
        let mut usage = Usage::default();
        for rule in rules {
            let asked: FxHashSet<Asked> = tested(rule).into_iter().flat_map(asked).collect();
            for one in asked {
                usage.rules.entry(one).or_default().push((rule.id.clone(), rule.path.clone()));
            }
        }
        usage
    }

    fn others(&self, rule: &Rule, predicate: &Predicate) -> usize {
        let askers = asked(predicate.clone()).filter_map(|asked| self.rules.get(&asked)).flatten();
        let others: FxHashSet<&Name> = askers.filter(|name| name.0 != rule.id || name.1 != rule.path).collect();
        others.len()
    }
}

fn asked(predicate: Predicate) -> impl Iterator<Item = Asked> {
    let Predicate { field, operator, values, .. } = predicate;
    values.into_iter().map(move |value| (field.clone(), operator, value))
}

/// The tests of a rule, each once.
pub(super) fn indicators(rule: &Rule, usage: &Usage) -> Vec<Indicator> {
    let mut found: Vec<Indicator> = Vec::new();
    for predicate in tested(rule) {
        let shared_with = usage.others(rule, &predicate);
        let Predicate { field, operator, values, negated, .. } = predicate;
        let indicator = Indicator { field, operator, values, negated, shared_with };
        if !found.contains(&indicator) {
            found.push(indicator);
        }
    }
    found
}

/// What is looked for in the text of events, each once.
pub(super) fn terms(rule: &Rule) -> Vec<Term> {
    let mut found: Vec<Term> = Vec::new();
    for predicate in tested(rule).into_iter().filter(|predicate| predicate.field == "_raw") {
        for text in predicate.values {
            let term = Term { text, operator: predicate.operator, negated: predicate.negated };
            if !found.contains(&term) {
                found.push(term);
            }
        }
    }
    found
}

/// All tests with a literal, in the order in which they stand.
fn tested(rule: &Rule) -> Vec<Predicate> {
    let mut exprs = Vec::new();
    let mut made = BTreeSet::new();
    match &rule.body {
        Body::Script(script, _) => exprs.push(&script.guard),
        Body::Pipeline(pipeline) => {
            of_pipeline(pipeline, &mut exprs);
            made = super::fields::made(pipeline);
        }
    }
    let mut found = Vec::new();
    for expr in exprs {
        let simple = simplify(expr);
        let mut pending = vec![(&simple, false)];
        while let Some((expr, negated)) = pending.pop() {
            match expr {
                Expr::And(parts) | Expr::Or(parts) => pending.extend(parts.iter().rev().map(|part| (part, negated))),
                Expr::Not(part) => pending.push((part, !negated)),
                Expr::Xor(left, right) => pending.extend([(&**right, negated), (&**left, negated)]),
                leaf => found.extend(predicates(leaf, negated).into_iter().filter(|one| !one.values.is_empty())),
            }
        }
    }
    found.retain(|predicate| !made.contains(&predicate.field));
    found
}

fn of_pipeline<'r>(pipeline: &'r Pipeline, exprs: &mut Vec<&'r Expr>) {
    match &pipeline.source {
        Source::Events { filter, .. } => exprs.push(filter),
        Source::Metrics(metrics) => exprs.push(&metrics.filter),
        Source::Table { filter, .. } => exprs.extend(filter),
        Source::Once => {}
    }
    of_stages(&pipeline.stages, exprs);
}

fn of_stages<'r>(stages: &'r [Stage], exprs: &mut Vec<&'r Expr>) {
    for stage in stages {
        match stage {
            Stage::Filter(expr) => exprs.push(expr),
            Stage::Join { right, .. } | Stage::Append(right) | Stage::SemiJoin { right, .. } => {
                of_pipeline(right, exprs);
            }
            Stage::AppendPipe(inner) => of_stages(inner, exprs),
            Stage::Correlate(correlation) => match &correlation.kind {
                CorrelationKind::Steps { steps, until, .. } => {
                    exprs.extend(steps.iter().map(|step| &step.filter));
                    exprs.extend(until);
                }
                // Their conditions are about results, not about events.
                CorrelationKind::Threshold { .. } | CorrelationKind::Periods { .. } | CorrelationKind::New { .. } => {}
            },
            _ => {}
        }
    }
}
