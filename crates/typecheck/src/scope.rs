//! Which conditions of a rule are about audit events of Kubernetes.

use masthead_ir::Expr;
use masthead_ir::expr::FieldPath;
use masthead_ir::pattern::Pattern;
use masthead_ir::pipeline::{Correlation, CorrelationKind, Pipeline, Source, Stage};
use masthead_ir::rule::{Body, Rule};
use masthead_schema::{audit, types};

use crate::field;

/// Fields that say where an event comes from.
const ORIGINS: &[&str] = &["log_type", "p_log_type", "source", "sourcetype"];

/// Parts of the names of origins that can carry Kubernetes audit events.
const HINTS: &[&str] = &["kube", "k8s", "eks", "aks", "gke", "audit", "_json"];

/// What the fields of records begin with that clouds wrap around events, or make of them.
const OTHER_SHAPES: &[&str] = &[
    "protoPayload",
    "properties.",
    "records",
    "Records",
    "eventName",
    "eventSource",
    "resource.labels",
    "resource.type",
    "logName",
    "data.protoPayload",
];

/// What an event must pass, all of it. Borrowed, since deep expressions are costly to copy.
pub(crate) type Condition<'r> = Vec<&'r Expr>;

/// The conditions of a rule; none if it is about other events.
pub(crate) fn conditions(rule: &Rule) -> Vec<Condition<'_>> {
    let found = match &rule.body {
        Body::Pipeline(pipeline) => of_pipeline(pipeline),
        Body::Script(script, _) if script.log_types.iter().all(|name| is_hint(name)) => vec![vec![&script.guard]],
        Body::Script(..) => Vec::new(),
    };
    let strict = rule.dialect != "sigma";
    found.into_iter().filter(|condition| is_audit(condition, strict)).collect()
}

fn of_pipeline(pipeline: &Pipeline) -> Vec<Condition<'_>> {
    let mut found = Vec::new();
    let mut rest = pipeline.stages.as_slice();
    if let Source::Events { filter, .. } = &pipeline.source {
        let mut behind = Vec::new();
        while let [Stage::Filter(filter), more @ ..] = rest {
            behind.push(filter);
            rest = more;
        }
        match rest {
            // The source of steps lets pass what any step wants, so that the steps say all.
            [Stage::Correlate(Correlation { kind: CorrelationKind::Steps { steps, .. }, .. }), ..] => {
                found.extend(
                    steps.iter().map(|step| [&step.filter].into_iter().chain(behind.iter().copied()).collect()),
                );
            }
            _ => found.push([filter].into_iter().chain(behind).collect()),
        }
    }
    for stage in rest {
        if let Stage::Join { right, .. } | Stage::Append(right) | Stage::SemiJoin { right, .. } = stage {
            found.extend(of_pipeline(right));
        }
    }
    found
}

fn is_hint(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    HINTS.iter().any(|hint| name.contains(hint))
}

/// Whether a condition is about audit events as the API server writes them. A condition that says nothing of where events
/// come from is, with `strict` only if it reads a field that they have.
fn is_audit(condition: &[&Expr], strict: bool) -> bool {
    let (mut origins, mut foreign, mut own) = (Vec::new(), false, false);
    for part in condition {
        part.visit(|part| {
            if let Expr::Test { field, .. } | Expr::Differs { field, .. } | Expr::Field(field) = part {
                let name = field::plain(field);
                foreign |= OTHER_SHAPES.iter().any(|start| name.starts_with(start));
                own |= types::resolve(audit::EVENT, &name, matches!(field, FieldPath::Keys(_))).is_ok();
            }
            if let Expr::Test { field, pattern } = part
                && ORIGINS.contains(&&*field::plain(field))
            {
                texts(pattern, &mut origins);
            }
        });
    }
    let here = origins.is_empty() || origins.iter().any(|text| *text == "*" || is_hint(text));
    here && !foreign && (own || !strict)
}

fn texts<'p>(pattern: &'p Pattern, found: &mut Vec<&'p str>) {
    match pattern {
        Pattern::Text { text, .. }
        | Pattern::Wildcard { glob: text, .. }
        | Pattern::Prefix { text, .. }
        | Pattern::Suffix { text, .. }
        | Pattern::Contains { text, .. }
        | Pattern::Regex(text) => found.push(text),
        Pattern::Same(masthead_ir::Value::Text(text)) => found.push(text),
        Pattern::AnyOf(parts) => parts.iter().for_each(|part| texts(part, found)),
        _ => {}
    }
}
