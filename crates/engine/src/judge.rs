//! What is said of rules beside what their front-ends found: under an audit policy, and of real logs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use masthead_ir::diagnostic::{Diagnostic, Span};
use masthead_ir::pattern::{OrderOp, Pattern};
use masthead_ir::rule::{Body, RuleSet};
use masthead_policy::{Policy, Verdict};

use crate::against::Seen;

/// Codes of what is said.
pub(crate) const CODES: &[(&str, &str)] = &[
    ("never-seen-field", "No event of the logs has a field that the rule reads."),
    ("never-seen-value", "No event of the logs has a value that the rule asks for."),
    ("policy-blind", "Under the audit policy the rule can never fire."),
    ("policy-partly-blind", "Under the audit policy the rule does not see all that it asks for."),
    ("seen-events", "How many events of the logs meet the rule's condition."),
];

/// How many fields or values of a rule are named.
const NAMED: usize = 8;

/// Adds to every rule what an audit policy hides from it.
pub fn judge_policy(rules: &mut RuleSet, policy: &Policy) {
    for compiled in &mut rules.rules {
        let Some(rule) = &compiled.rule else { continue };
        let (diagnostic, reasons) = match masthead_policy::blind_body(policy, &rule.body) {
            Verdict::Sees => continue,
            Verdict::Partly(reasons) => {
                let message = format!("`{}`: under the audit policy it does not see everything", rule.name);
                (Diagnostic::note("policy-partly-blind", message), reasons)
            }
            Verdict::Blind(reasons) => {
                let message = format!("`{}`: under the audit policy it can never fire", rule.name);
                (Diagnostic::warning("policy-blind", message), reasons)
            }
        };
        let help = (!reasons.is_empty()).then(|| reasons.join("; "));
        compiled.diagnostics.push(Diagnostic { help, ..diagnostic }.at(start(&compiled.path)));
    }
}

/// Adds to every rule what logs did not have of it.
pub fn judge_seen(rules: &mut RuleSet, seen: &[Seen]) {
    for compiled in &mut rules.rules {
        let Some(rule) = &compiled.rule else { continue };
        let own = seen.iter().find(|seen| Arc::ptr_eq(&seen.rule, rule));
        let diagnostics = own.into_iter().flat_map(told);
        compiled.diagnostics.extend(diagnostics.map(|diagnostic| diagnostic.at(start(&compiled.path))));
    }
}

/// Adds to every rule what keeps it from firing as meant: fields, values, stages and levels that do not go together with
/// what the API server logs.
pub fn judge_types(rules: &mut RuleSet) {
    let mut texts: HashMap<PathBuf, Arc<str>> = HashMap::new();
    let builtin: HashMap<PathBuf, String> = crate::builtin::files().into_iter().collect();
    for compiled in &mut rules.rules {
        let Some(rule) = &compiled.rule else { continue };
        let path = match &rule.body {
            Body::Script(script, _) => &script.source_path,
            Body::Pipeline(_) => &compiled.path,
        };
        for fault in masthead_typecheck::check(rule) {
            // A file that can no longer be read has no places.
            let text = texts.entry(path.clone()).or_insert_with(|| match builtin.get(path) {
                Some(text) => Arc::from(text.as_str()),
                None => std::fs::read_to_string(path).map_or_else(|_| Arc::from(""), Arc::from),
            });
            let place = masthead_typecheck::place(&fault, text);
            let span = Span { path: path.clone(), text: text.clone(), start: place.start, end: place.end };
            let diagnostic = Diagnostic {
                code: fault.code,
                level: fault.level,
                message: fault.message,
                span: Some(span),
                help: fault.help,
            };
            compiled.diagnostics.push(diagnostic);
        }
    }
}

/// The beginning of a file, whose text is not shown.
fn start(path: &Path) -> Span {
    Span { path: path.to_owned(), text: Arc::from(""), start: 0, end: 0 }
}

fn told(seen: &Seen) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let rule = &seen.rule.name;
    if !seen.absent_fields.is_empty() {
        let fields = seen.absent_fields.iter().map(|field| format!("`{field}`"));
        diagnostics
            .push(Diagnostic::note("never-seen-field", format!("`{rule}`: no event has {}", listed(fields.collect()))));
    }
    if !seen.unmet.is_empty() {
        let values = seen.unmet.iter().map(|(field, pattern)| format!("`{field}` {}", words(pattern)));
        diagnostics
            .push(Diagnostic::note("never-seen-value", format!("`{rule}`: in no event {}", listed(values.collect()))));
    }
    if seen.events > 0 {
        diagnostics.push(Diagnostic::note(
            "seen-events",
            format!("`{rule}`: events that meet its condition: {}", seen.events),
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
