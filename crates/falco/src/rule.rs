//! Rules as the rest runs them.

use std::collections::BTreeSet;
use std::sync::Arc;

use masthead_ir::eval::Program;
use masthead_ir::pipeline::Stage;
use masthead_ir::rule::{Body, Compiled, FindingTemplate, Kind, Rule, Severity, Status};
use masthead_ir::{Diagnostic, Expr, Level};
use masthead_rulefile::suggest;
use masthead_schema::rows;

use crate::condition::Lowering;
use crate::content::{Library, RuleItem};
use crate::dialect::NAME;
use crate::output::Output;

/// The source of events that can be read here.
const SOURCE: &str = "k8s_audit";
/// The source of rules that name none.
const DEFAULT_SOURCE: &str = "syscall";

/// Priorities, and how bad they are.
const PRIORITIES: [(&str, Severity); 9] = [
    ("emergency", Severity::Critical),
    ("alert", Severity::Critical),
    ("critical", Severity::Critical),
    ("error", Severity::High),
    ("warning", Severity::Medium),
    ("notice", Severity::Low),
    ("informational", Severity::Informational),
    ("info", Severity::Informational),
    ("debug", Severity::Informational),
];

/// Compiles a rule; the macros that it uses are added to `used`.
pub(crate) fn compile(rule: &RuleItem, library: &Library, used: &mut BTreeSet<String>) -> Compiled {
    let mut diagnostics = rule.faults.clone();
    let outcome = |status, diagnostics, compiled| Compiled {
        path: rule.file.path.clone(),
        rule_id: rule.name.clone(),
        dialect: NAME,
        status,
        diagnostics,
        rule: compiled,
    };
    if let Some(fault) = other_source(rule) {
        diagnostics.push(fault);
        return outcome(Status::Unsupported, diagnostics, None);
    }
    let severity = severity(rule, &mut diagnostics);
    let filter = filter(rule, library, used, &mut diagnostics);
    let output = Output::read(&rule.output);
    diagnostics.extend(output.faults.iter().cloned());
    let mut errors = diagnostics.iter().filter(|fault| fault.level == Level::Error).peekable();
    let faulty = errors.peek().is_some();
    let unknown_fields_only = errors.all(|fault| fault.code == "falco-field");
    match (filter, severity) {
        (Some(filter), Some(severity)) if !faulty => {
            let status = if output.faults.is_empty() { Status::Runs } else { Status::Partial };
            let compiled = assembled(rule, filter, severity, &output);
            outcome(status, diagnostics, Some(Arc::new(compiled)))
        }
        _ if rule.skip_if_unknown && unknown_fields_only => {
            for fault in &mut diagnostics {
                fault.level = Level::Warning;
            }
            outcome(Status::Unsupported, diagnostics, None)
        }
        _ => outcome(Status::Invalid, diagnostics, None),
    }
}

/// What to say of a rule over events that are no audit events.
fn other_source(rule: &RuleItem) -> Option<Diagnostic> {
    let (message, span) = match &rule.source {
        Some((source, _)) if source == SOURCE => return None,
        Some((source, span)) => {
            (format!("the rule `{}` is about events of the source `{source}`", rule.name), span.clone())
        }
        None => {
            let message = format!(
                "the rule `{}` names no source, so it is about events of the source `{DEFAULT_SOURCE}`",
                rule.name
            );
            (message, rule.span.clone())
        }
    };
    let help = format!("only rules with `source: {SOURCE}` can run over audit logs");
    Some(Diagnostic::warning("falco-source", message).at(span).help(help))
}

fn severity(rule: &RuleItem, diagnostics: &mut Vec<Diagnostic>) -> Option<Severity> {
    let (written, span) = rule.priority.as_ref()?;
    let lower = written.trim().to_ascii_lowercase();
    let known = PRIORITIES.iter().find(|(name, _)| *name == lower);
    if known.is_none() {
        let names = || PRIORITIES.iter().map(|(name, _)| *name);
        let help = match suggest(&lower, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("use one of: {}", names().collect::<Vec<_>>().join(", ")),
        };
        let message = format!("the rule `{}` has the priority `{written}`, which Falco does not know", rule.name);
        diagnostics.push(Diagnostic::error("falco-priority", message).at(span.clone()).help(help));
    }
    known.map(|(_, severity)| *severity)
}

/// What an event must pass.
fn filter(
    rule: &RuleItem,
    library: &Library,
    used: &mut BTreeSet<String>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Expr> {
    if rule.condition.text.is_empty() && diagnostics.iter().any(|fault| fault.level == Level::Error) {
        return None;
    }
    let mut lowering = Lowering::new(library);
    let mut parts = vec![lowering.text(&rule.condition)];
    for exception in &rule.exceptions {
        match exception.condition() {
            Ok(None) => {}
            Ok(Some(condition)) => {
                let excepted = lowering.condition(&condition, &|_| Some(exception.span.clone()));
                parts.push(excepted.map(|excepted| Expr::Not(Box::new(excepted))));
            }
            Err(fault) => {
                lowering.diagnostics.push(*fault);
                parts.push(None);
            }
        }
    }
    used.append(&mut lowering.used);
    diagnostics.append(&mut lowering.diagnostics);
    let mut parts = parts.into_iter().collect::<Option<Vec<Expr>>>()?;
    let filter = if parts.len() == 1 { parts.swap_remove(0) } else { Expr::And(parts) };
    if let Err(error) = Program::compile(&filter) {
        let mut fault = Diagnostic::error("falco-condition", format!("the condition cannot be run: {error}"));
        fault.span = rule.condition.span(0..rule.condition.text.len());
        diagnostics.push(fault);
        return None;
    }
    Some(filter)
}

fn assembled(rule: &RuleItem, filter: Expr, severity: Severity, output: &Output) -> Rule {
    let mut pipeline = rows::single(filter, output.paths());
    let stages: Vec<Stage> = output.stages();
    pipeline.stages.splice(0..0, stages);
    Rule {
        id: rule.name.clone(),
        name: rule.name.clone(),
        dialect: NAME,
        path: rule.file.path.clone(),
        description: rule.description.clone(),
        enabled: rule.enabled,
        attack: rule.tags.iter().filter_map(|tag| technique(tag)).collect(),
        tags: rule.tags.clone(),
        finding: FindingTemplate {
            kind: Kind::Finding,
            severity,
            title: rule.name.clone(),
            message: output.message.clone(),
            entities: rows::entities(None),
            throttle: None,
        },
        schedule: None,
        body: Body::Pipeline(pipeline),
        tests: Vec::new(),
        drilldowns: Vec::new(),
        guide: masthead_ir::rule::Guide::default(),
    }
}

/// The ATT&CK technique that a tag names: `T1610`, `t1552.007`.
fn technique(tag: &str) -> Option<String> {
    let digits = tag.strip_prefix(['T', 't'])?;
    let (technique, sub) = digits.split_once('.').unwrap_or((digits, "000"));
    let are_digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    (are_digits(technique, 4) && are_digits(sub, 3)).then(|| tag.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::technique;

    #[test]
    fn tags_may_be_techniques() {
        for (tag, expected) in [
            ("T1610", Some("T1610")),
            ("t1552.007", Some("T1552.007")),
            ("mitre_execution", None),
            ("T161", None),
            ("T1610.1", None),
            ("k8s", None),
        ] {
            assert_eq!(technique(tag).as_deref(), expected, "{tag}");
        }
    }
}
