//! The conditions inside a rule: what its events must pass.
//!
//! Of a pipeline these are the filters of its sources, with the filters that directly follow: behind anything else a name
//! may stand for something else. Of a script it is the guard; a script that wants other log types has none.

use masthead_ir::expr::Expr;
use masthead_ir::pipeline::{CorrelationKind, Pipeline, Source, Stage};
use masthead_ir::rule::{Body, Script};

use crate::blind::{Verdict, blind};
use crate::needs::LOG_TYPE;
use crate::policy::Policy;

/// Every condition of a rule on events, in order: that of its source, then those of what is joined to it.
pub fn conditions(body: &Body) -> Vec<Expr> {
    match body {
        Body::Script(script, _) if !wants_audit(script) => Vec::new(),
        Body::Script(script, _) => vec![script.guard.clone()],
        Body::Pipeline(pipeline) => {
            let mut found = Vec::new();
            collect(pipeline, &mut found);
            found
        }
    }
}

fn collect(pipeline: &Pipeline, found: &mut Vec<Expr>) {
    let base = base(pipeline);
    let steps = steps(pipeline, base.as_ref());
    if steps.is_empty() {
        found.extend(base);
    } else {
        found.extend(steps);
    }
    for stage in &pipeline.stages {
        if let Stage::Join { right, .. } | Stage::SemiJoin { right, .. } | Stage::Append(right) = stage {
            collect(right, found);
        }
    }
}

/// Whether a rule can fire under the policy: every event that it must have is seen, and one of those that it may have.
pub fn blind_body(policy: &Policy, body: &Body) -> Verdict {
    match body {
        Body::Script(script, _) if !wants_audit(script) => Verdict::Sees,
        Body::Script(script, _) => blind(policy, &script.guard),
        Body::Pipeline(pipeline) => of_pipeline(policy, pipeline),
    }
}

fn of_pipeline(policy: &Policy, pipeline: &Pipeline) -> Verdict {
    let base = base(pipeline);
    let steps = steps(pipeline, base.as_ref());
    let mut verdict = if steps.is_empty() {
        base.map_or(Verdict::Sees, |base| blind(policy, &base))
    } else {
        steps.iter().map(|step| blind(policy, step)).fold(Verdict::Sees, Verdict::and)
    };
    for stage in &pipeline.stages {
        verdict = match stage {
            Stage::Join { right, outer: false, .. } | Stage::SemiJoin { right, negated: false } => {
                verdict.and(of_pipeline(policy, right))
            }
            // Without its other side it still fires, on less or on more than it should.
            Stage::Join { right, .. } | Stage::SemiJoin { right, .. } => match of_pipeline(policy, right) {
                Verdict::Sees => verdict,
                Verdict::Partly(reasons) | Verdict::Blind(reasons) => verdict.and(Verdict::Partly(reasons)),
            },
            Stage::Append(right) => verdict.or(of_pipeline(policy, right)),
            _ => verdict,
        };
    }
    verdict
}

fn wants_audit(script: &Script) -> bool {
    script.log_types.is_empty() || script.log_types.iter().any(|log_type| log_type == LOG_TYPE)
}

/// What an event must pass to become a row; none if rows are no events.
fn base(pipeline: &Pipeline) -> Option<Expr> {
    let Source::Events { filter, .. } = &pipeline.source else { return None };
    let more = pipeline.stages.iter().map_while(|stage| match stage {
        Stage::Filter(filter) => Some(filter.clone()),
        _ => None,
    });
    let mut parts: Vec<Expr> = more.collect();
    if parts.is_empty() {
        return Some(filter.clone());
    }
    parts.insert(0, filter.clone());
    Some(Expr::And(parts))
}

/// The conditions of the steps of a sequence, each with that of the source.
fn steps(pipeline: &Pipeline, base: Option<&Expr>) -> Vec<Expr> {
    let Some(base) = base else { return Vec::new() };
    let plain = |stage: &&Stage| matches!(stage, Stage::Filter(_) | Stage::Keep { .. });
    let Some(Stage::Correlate(correlation)) = pipeline.stages.iter().find(|stage| !plain(stage)) else {
        return Vec::new();
    };
    let CorrelationKind::Steps { steps, .. } = &correlation.kind else { return Vec::new() };
    steps.iter().map(|step| Expr::And(vec![base.clone(), step.filter.clone()])).collect()
}
