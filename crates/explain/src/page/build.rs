//! From a rule to its page.

use std::sync::Arc;

use masthead_ir::pipeline::{Pipeline, Source, Stage};
use masthead_ir::rule::{Body, Rule, Script as Program, Trigger};
use masthead_ir::{Expr, Value};

use super::indicators::{indicators, terms};
use super::{Exclusion, Page, Reading, Risk, RiskEntity, RuleHead, Schedule, Script, Test, Usage, fields, state};
use crate::simplify::simplify;
use crate::words::condition::{ConditionKind, conjuncts, kind_of, sentences, tree};
use crate::words::stage::{source, stages};
use crate::words::time;
use crate::words::wording::{columns, plain_column};

/// The page of a rule. `others` are the rules that are loaded with it: [`Indicator::shared_with`](super::Indicator) counts
/// among them; the rule itself may be one of them.
pub fn explain(rule: &Rule, others: &[Arc<Rule>]) -> Page {
    explain_with(rule, &Usage::of(others))
}

/// The same with what the loaded rules test counted beforehand: for pages of many rules.
pub fn explain_with(rule: &Rule, usage: &Usage) -> Page {
    let conditions = main_condition(rule).map(sentences).unwrap_or_default();
    let pipeline = match &rule.body {
        Body::Pipeline(pipeline) => Some(pipeline),
        Body::Script(..) => None,
    };
    Page {
        rule: head(rule),
        attack: rule.attack.clone(),
        tags: rule.tags.clone(),
        source: pipeline.map(|pipeline| source(&pipeline.source).text),
        exclusions: exclusions(rule),
        conditions,
        stages: pipeline.map(|pipeline| stages(&pipeline.stages)).unwrap_or_default(),
        indicators: indicators(rule, usage),
        terms: terms(rule),
        fields: fields::fields(rule),
        state: state::state(rule),
        schedule: rule.schedule.as_ref().map(|schedule| Schedule {
            text: format!("Runs {}, over the time {}.", time::cron(&schedule.cron), time::range(&schedule.range)),
            cron: schedule.cron.clone(),
        }),
        risk: risk(rule),
        guide: rule.guide.clone(),
        tests: tests(rule),
        drilldowns: drilldowns(rule),
        script: match &rule.body {
            Body::Script(program, trigger) => Some(script(program, trigger)),
            Body::Pipeline(_) => None,
        },
    }
}

/// What every event of the rule, or every row of its source, must meet.
fn main_condition(rule: &Rule) -> Option<&Expr> {
    match &rule.body {
        Body::Script(script, _) => Some(&script.guard),
        Body::Pipeline(pipeline) => match &pipeline.source {
            Source::Events { filter, .. } => Some(filter),
            Source::Metrics(metrics) => Some(&metrics.filter),
            Source::Table { filter, .. } => filter.as_ref(),
            Source::Once => None,
        },
    }
}

fn head(rule: &Rule) -> RuleHead {
    RuleHead {
        id: rule.id.clone(),
        name: rule.name.clone(),
        dialect: rule.dialect.to_owned(),
        path: rule.path.to_string_lossy().into_owned(),
        description: rule.description.clone(),
        enabled: rule.enabled,
        severity: rule.finding.severity,
        kind: rule.finding.kind,
    }
}

fn risk(rule: &Rule) -> Risk {
    let template = &rule.finding;
    let entities = template.entities.iter().map(|entity| RiskEntity {
        field: plain_column(&entity.field),
        entity_type: entity.entity_type.clone(),
        role: entity.role,
        score: entity.score,
        message: entity.message.clone(),
    });
    let throttle = template.throttle.as_ref().map(|(fields, seconds)| {
        let same =
            if fields.is_empty() { String::new() } else { format!(" for the same {}", columns(fields, usize::MAX)) };
        let length = time::duration(i64::try_from(*seconds).unwrap_or(i64::MAX / 1_000_000).saturating_mul(1_000_000));
        format!("After a finding it is quiet{same} for {length}.")
    });
    Risk { title: template.title.clone(), message: template.message.clone(), entities: entities.collect(), throttle }
}

fn tests(rule: &Rule) -> Vec<Test> {
    let test = |test: &masthead_ir::rule::RuleTest| Test {
        name: test.name.clone(),
        fires: test.expect_match,
        expect: test.expect.clone(),
    };
    rule.tests.iter().map(test).collect()
}

fn drilldowns(rule: &Rule) -> Vec<Reading> {
    let reading = |drilldown: &masthead_ir::rule::Drilldown| Reading {
        name: drilldown.name.clone(),
        search: drilldown.search.clone(),
        earliest: drilldown.earliest.clone(),
        latest: drilldown.latest.clone(),
    };
    rule.drilldowns.iter().map(reading).collect()
}

fn script(program: &Program, trigger: &Trigger) -> Script {
    let mut not_read = false;
    program.guard.visit(|expr| not_read = not_read || matches!(expr, Expr::Literal(Value::Absent)));
    Script {
        program: program.source_path.to_string_lossy().into_owned(),
        log_types: program.log_types.clone(),
        read_off: tree(&simplify(&program.guard)),
        not_read,
        threshold: trigger.threshold,
        dedup_period_minutes: trigger.period_minutes,
        summary: trigger.summary.clone(),
        alert: trigger.alert,
    }
}

/// The negated parts of the conditions of the source and of later filters, and what tables name.
fn exclusions(rule: &Rule) -> Vec<Exclusion> {
    let mut found = Vec::new();
    if let Some(condition) = main_condition(rule) {
        negated_parts(condition, &mut found);
    }
    if let Body::Pipeline(pipeline) = &rule.body {
        later_exclusions(pipeline, &mut found);
    }
    found
}

fn later_exclusions(pipeline: &Pipeline, found: &mut Vec<Exclusion>) {
    for stage in &pipeline.stages {
        match stage {
            Stage::Filter(expr) => negated_parts(expr, found),
            Stage::SemiJoin { right, negated: true } => {
                let lists = match &right.source {
                    Source::Table { name, .. } => vec![name.clone()],
                    _ => Vec::new(),
                };
                let what = if lists.is_empty() { "another search" } else { "a table" };
                let mut inner = Vec::new();
                if let Source::Events { filter, .. } = &right.source {
                    inner = sentences(filter).into_iter().flat_map(|sentence| sentence.predicates).collect();
                }
                found.push(Exclusion {
                    text: format!("what {what} names{}", named(&lists)).into(),
                    predicates: inner,
                    lists,
                });
            }
            _ => {}
        }
    }
}

fn named(lists: &[String]) -> String {
    if lists.is_empty() { String::new() } else { format!(": {}", columns(lists, usize::MAX)) }
}

fn negated_parts(expr: &Expr, found: &mut Vec<Exclusion>) {
    let simple = simplify(expr);
    for part in conjuncts(&simple) {
        match part {
            Expr::Not(inner) => exclude(inner, found),
            Expr::Differs { field, pattern, .. } => {
                exclude(&Expr::Test { field: field.clone(), pattern: pattern.clone() }, found);
            }
            _ => {}
        }
    }
}

fn exclude(expr: &Expr, found: &mut Vec<Exclusion>) {
    if kind_of(expr) == ConditionKind::Unknown {
        return;
    }
    let predicates = sentences(expr).into_iter().flat_map(|sentence| sentence.predicates).collect();
    let text = tree(expr).text;
    if !found.iter().any(|known| known.text == text) {
        found.push(Exclusion { text, predicates, lists: Vec::new() });
    }
}
