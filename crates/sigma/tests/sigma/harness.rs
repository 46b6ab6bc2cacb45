//! Compiles rules from texts and puts events through their conditions.

use std::path::PathBuf;

use masthead_ir::eval::{Context, Program, Row};
use masthead_ir::pipeline::{Pipeline, Source};
use masthead_ir::rule::{Body, CompileOptions, Compiled, RuleSet};
use masthead_ir::{Diagnostic, Expr, FieldPath, Level, Value};
use masthead_rulefile::{Corpus, Dialect as _};
use masthead_sigma::Sigma;
use serde_json::Value as Json;

/// Compiles files, each with its path.
pub(crate) fn compile_files(files: &[(&str, &str)]) -> RuleSet {
    let files = files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect();
    let corpus = Corpus::from_memory(files);
    Sigma.compile(&corpus, &corpus.files, &CompileOptions::default())
}

/// A rule for Kubernetes around the text of its detection, which is indented by two blanks.
pub(crate) fn rule(detection: &str) -> String {
    let body: String = detection.lines().map(|line| format!("  {line}\n")).collect();
    format!("title: A rule\nid: r\nlogsource:\n  product: kubernetes\n  service: audit\ndetection:\n{body}")
}

/// A rule with one search identifier that holds one line.
pub(crate) fn one(item: &str) -> String {
    rule(&format!("sel:\n  {item}\ncondition: sel"))
}

/// The pipeline of what must run.
pub(crate) fn pipeline(compiled: &Compiled) -> Pipeline {
    let rule = compiled.rule.as_ref().unwrap_or_else(|| panic!("it does not run: {}", told(&compiled.diagnostics)));
    match &rule.body {
        Body::Pipeline(pipeline) => pipeline.clone(),
        Body::Script(..) => panic!("Sigma has no scripts"),
    }
}

/// What an event must meet.
pub(crate) fn filter(compiled: &Compiled) -> Expr {
    match pipeline(compiled).source {
        Source::Events { filter, .. } => filter,
        other => panic!("{other:?}"),
    }
}

/// The rule `r` of some files, or their only one.
pub(crate) fn find<'s>(set: &'s RuleSet, id: &str) -> &'s Compiled {
    set.rules.iter().find(|rule| rule.rule_id == id).unwrap_or_else(|| panic!("no rule {id} in {:?}", set.rules))
}

/// Whether an event meets an expression.
pub(crate) fn meets(filter: &Expr, event: &str, log_type: &str) -> bool {
    let program = Program::compile(filter).unwrap();
    let row = Event { json: serde_json::from_str(event).unwrap(), raw: event, log_type };
    program.truth(&row, &Context::default()) == Some(true)
}

/// Holds events against a rule. Every event comes with whether it must match.
pub(crate) fn check(rule_yaml: &str, events: &[(&str, bool)]) {
    check_files(&[("rules/r.yml", rule_yaml)], events);
}

/// The same for the rule `r` of several files.
pub(crate) fn check_files(files: &[(&str, &str)], events: &[(&str, bool)]) {
    let set = compile_files(files);
    let filter = filter(find(&set, "r"));
    let wrong = |(event, expected): &&(&str, bool)| meets(&filter, event, "kubernetes.audit") != *expected;
    let wrong: Vec<_> = events.iter().filter(wrong).collect();
    assert!(wrong.is_empty(), "expected {wrong:?} of\n{}\n{filter:?}", files[0].1);
}

/// Holds events against a table of items: `field|modifier: value`.
pub(crate) fn check_items(table: &[(&str, &[(&str, bool)])]) {
    for (item, events) in table {
        check(&one(item), events);
    }
}

/// Codes of the errors and warnings of a set, with those of shared files.
pub(crate) fn codes(set: &RuleSet) -> Vec<&'static str> {
    diagnostics(set).filter(|diagnostic| diagnostic.level != Level::Note).map(|diagnostic| diagnostic.code).collect()
}

/// Every diagnostic of a set.
pub(crate) fn diagnostics(set: &RuleSet) -> impl Iterator<Item = &Diagnostic> {
    set.diagnostics.iter().chain(set.rules.iter().flat_map(|rule| &rule.diagnostics))
}

/// Diagnostics as lines of text: place, code, message and help.
pub(crate) fn told<'d>(diagnostics: impl IntoIterator<Item = &'d Diagnostic>) -> String {
    let line = |diagnostic: &Diagnostic| {
        let place = diagnostic.span.as_ref().map_or("-".to_owned(), |span| {
            let (line, column) = span.line_column();
            format!("{}:{line}:{column}", span.path.display())
        });
        let help = diagnostic.help.as_ref().map_or(String::new(), |help| format!("\n    help: {help}"));
        format!("{place} {:?} {}: {}{help}", diagnostic.level, diagnostic.code, diagnostic.message)
    };
    diagnostics.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

/// An event as a row.
struct Event<'e> {
    json: Json,
    raw: &'e str,
    log_type: &'e str,
}

impl Row for Event<'_> {
    fn get(&self, field: &FieldPath) -> Value {
        let mut found = Vec::new();
        match field {
            FieldPath::Flat(name) if &**name == "_raw" => return Value::text(self.raw),
            FieldPath::Flat(name) if &**name == "log_type" => return Value::text(self.log_type),
            FieldPath::Flat(name) => walk(&self.json, name, true, &mut found),
            FieldPath::Dotted(name) => walk(&self.json, name, false, &mut found),
            FieldPath::Keys(keys) => return by_keys(&self.json, keys),
        }
        Value::list(found)
    }
}

/// The values under a name, for every way to part the name at its dots. A flat name marks arrays by `{}`, and JSON null is
/// a text there; any other name goes through arrays, and JSON null is nothing.
fn walk(json: &Json, name: &str, flat: bool, found: &mut Vec<Value>) {
    match json {
        Json::Array(items) => {
            let Some(name) = (if flat { name.strip_prefix("{}") } else { Some(name) }) else { return };
            items.iter().for_each(|item| walk(item, name, flat, found));
        }
        Json::Object(entries) => {
            let name = name.strip_prefix('.').unwrap_or(name);
            for (key, value) in entries {
                let rest = name.strip_prefix(key.as_str());
                if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with(['.', '{'])) {
                    walk(value, rest, flat, found);
                }
            }
        }
        _ if !name.is_empty() => {}
        Json::Null if flat => found.push(Value::text("null")),
        Json::Null => {}
        Json::String(text) => found.push(Value::text(text)),
        other => found.push(Value::text(other.to_string())),
    }
}

fn by_keys(json: &Json, keys: &[std::sync::Arc<str>]) -> Value {
    let mut at = json;
    for key in keys {
        let Some(entries) = at.as_object() else { return Value::Absent };
        let Some((_, value)) = entries.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)) else {
            return Value::Absent;
        };
        at = value;
    }
    let scalar = |json: &Json| match json {
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => Value::Float(number.as_f64().unwrap_or_default()),
        Json::String(text) => Value::text(text),
        _ => Value::Absent,
    };
    match at {
        Json::Array(items) if !items.iter().any(|item| item.is_object() || item.is_array()) => {
            Value::list(items.iter().map(scalar))
        }
        Json::Array(_) | Json::Object(_) => Value::Json(at.to_string().into()),
        other => scalar(other),
    }
}
