//! What a rule tests, whatever its language: its conditions, the fields and values in them, the audit level they need.

use masthead_ir::expr::DOTTED_COLUMN;
use masthead_ir::pattern::Pattern;
use masthead_ir::pipeline::{CorrelationKind, Pipeline, Source, Stage};
use masthead_ir::rule::{Body, Rule};
use masthead_ir::{Expr, FieldPath, Value};

/// The conditions on events: what decides before rows are counted, renamed or computed.
pub(crate) fn on_events(rule: &Rule) -> Vec<&Expr> {
    match &rule.body {
        Body::Script(script, _) => vec![&script.guard],
        Body::Pipeline(pipeline) => {
            let mut found: Vec<&Expr> = source(pipeline).into_iter().collect();
            found.extend(leading(pipeline));
            found.extend(steps(pipeline));
            found
        }
    }
}

/// The condition of the source.
pub(crate) fn source(pipeline: &Pipeline) -> Option<&Expr> {
    match &pipeline.source {
        Source::Events { filter, .. } => Some(filter),
        Source::Metrics(metrics) => Some(&metrics.filter),
        Source::Table { filter, .. } => filter.as_ref(),
        Source::Once => None,
    }
}

/// The filters that rows pass first, while they are still as events gave them.
pub(crate) fn leading(pipeline: &Pipeline) -> impl Iterator<Item = &Expr> {
    pipeline.stages.iter().map_while(|stage| match stage {
        Stage::Filter(filter) => Some(filter),
        _ => None,
    })
}

/// The conditions of the steps of correlations.
fn steps(pipeline: &Pipeline) -> impl Iterator<Item = &Expr> {
    let kinds = pipeline.stages.iter().filter_map(|stage| match stage {
        Stage::Correlate(correlation) => Some(&correlation.kind),
        _ => None,
    });
    kinds.flat_map(|kind| match kind {
        CorrelationKind::Steps { steps, until, .. } => {
            steps.iter().map(|step| &step.filter).chain(until.as_ref()).collect::<Vec<&Expr>>()
        }
        _ => Vec::new(),
    })
}

/// The name of a field without the marks of lists and columns, so that names of all languages are one.
pub(crate) fn plain(field: &FieldPath) -> String {
    let name = field.to_string().replace("{}", "");
    name.strip_prefix(DOTTED_COLUMN).map(str::to_owned).unwrap_or(name)
}

/// The fields that conditions on events test, in the order of their first use.
pub(crate) fn fields(rule: &Rule) -> Vec<String> {
    let mut names = Vec::new();
    for name in on_events(rule).into_iter().flat_map(Expr::fields).map(|field| plain(&field)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The texts that conditions on events compare with.
pub(crate) fn values(rule: &Rule) -> Vec<String> {
    let mut found = Vec::new();
    for condition in on_events(rule) {
        condition.visit(|expr| match expr {
            Expr::Test { pattern, .. } | Expr::Differs { pattern, .. } => literals(pattern, &mut found),
            Expr::Literal(Value::Text(text)) => found.push(text.to_string()),
            _ => {}
        });
    }
    found
}

/// The literals of a pattern.
pub(crate) fn literals(pattern: &Pattern, found: &mut Vec<String>) {
    match pattern {
        Pattern::Present => {}
        Pattern::Text { text, .. }
        | Pattern::Prefix { text, .. }
        | Pattern::Suffix { text, .. }
        | Pattern::Contains { text, .. }
        | Pattern::Phrase { text, .. } => found.push(text.clone()),
        Pattern::Wildcard { glob, .. } => found.push(glob.clone()),
        Pattern::Cidr { literal, .. } | Pattern::Order { literal, .. } => found.push(literal.clone()),
        Pattern::Regex(regex) => found.push(regex.clone()),
        Pattern::Same(value) => found.extend(masthead_ir::eval::number::text(value).map(|text| text.into_owned())),
        Pattern::AnyOf(patterns) => patterns.iter().for_each(|pattern| literals(pattern, found)),
    }
}

/// The audit level that a rule needs to see what it reads: what its author says, else what the names of its fields say
/// (Kubernetes, "Auditing": `requestObject` is logged from level Request on, `responseObject` at RequestResponse).
pub(crate) fn audit_level(rule: &Rule) -> String {
    if let Some(level) = &rule.guide.audit_level {
        return level.clone();
    }
    let names = fields(rule);
    let program = match &rule.body {
        Body::Script(script, _) => &*script.source,
        Body::Pipeline(_) => "",
    };
    let reads = |body: &str| program.contains(body) || names.iter().any(|name| name.starts_with(body));
    let level = match () {
        () if reads("responseObject") => "RequestResponse",
        () if reads("requestObject") => "Request",
        () => "Metadata",
    };
    level.to_owned()
}
