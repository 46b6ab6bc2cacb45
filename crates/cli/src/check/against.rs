//! What `check --against` says: fields and values of rules that no event of a log has.

use std::path::PathBuf;

use masthead_engine::{EngineError, ScanOptions, Seen};
use masthead_ir::diagnostic::Diagnostic;
use masthead_ir::pattern::{OrderOp, Pattern};
use masthead_ir::rule::RuleSet;

use crate::output::{counted, tell};
use crate::policy::start;
use crate::scan::Bar;

/// How many fields or values of a rule are named.
const NAMED: usize = 8;

/// Adds to every rule what logs did not have of it.
pub(crate) fn check(logs: &[PathBuf], rules: &mut RuleSet) -> Result<(), EngineError> {
    let bar = Bar::new();
    let (events, seen) = masthead_engine::against(rules, logs, &ScanOptions::default(), &bar)?;
    bar.finish();
    if events == 0 {
        return Err(EngineError::Nothing("nothing in the logs is an event".to_owned()));
    }
    tell(&format!("held against {}", counted(events, "event")));
    for compiled in &mut rules.rules {
        let Some(rule) = &compiled.rule else { continue };
        let own = seen.iter().find(|seen| std::sync::Arc::ptr_eq(&seen.rule, rule));
        let diagnostics = own.into_iter().flat_map(told);
        compiled.diagnostics.extend(diagnostics.map(|diagnostic| diagnostic.at(start(&compiled.path))));
    }
    Ok(())
}

fn told(seen: &Seen) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let rule = &seen.rule.name;
    if !seen.absent_fields.is_empty() {
        let fields = seen.absent_fields.iter().map(|field| format!("`{field}`"));
        diagnostics.push(Diagnostic::note("never-seen-field", format!("`{rule}`: no event has {}", listed(fields.collect()))));
    }
    if !seen.unmet.is_empty() {
        let values = seen.unmet.iter().map(|(field, pattern)| format!("`{field}` {}", words(pattern)));
        diagnostics.push(Diagnostic::note("never-seen-value", format!("`{rule}`: in no event {}", listed(values.collect()))));
    }
    if seen.events > 0 {
        diagnostics.push(Diagnostic::note(
            "seen",
            format!("`{rule}`: {} its condition", counted(seen.events, "event") + if seen.events == 1 { " meets" } else { " meet" }),
        ));
    }
    diagnostics
}

fn listed(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
}

fn words(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Present => "is there".to_owned(),
        Pattern::Text { text, .. } => format!("is `{text}`"),
        Pattern::Same(value) => format!("is {value:?}"),
        Pattern::Wildcard { glob, .. } => format!("is like `{glob}`"),
        Pattern::Prefix { text, .. } => format!("begins with `{text}`"),
        Pattern::Suffix { text, .. } => format!("ends with `{text}`"),
        Pattern::Contains { text, .. } | Pattern::Phrase { text, .. } => format!("holds `{text}`"),
        Pattern::Cidr { literal, .. } => format!("is in {literal}"),
        Pattern::Regex(expression) => format!("matches `{expression}`"),
        Pattern::Order { op, literal } => {
            let sign = match op {
                OrderOp::Lt => "<",
                OrderOp::Le => "<=",
                OrderOp::Gt => ">",
                OrderOp::Ge => ">=",
            };
            format!("{sign} {literal}")
        }
        Pattern::AnyOf(patterns) => patterns.iter().map(words).collect::<Vec<_>>().join(" or "),
    }
}
