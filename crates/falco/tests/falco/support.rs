//! What the tests share: rules files in memory, and events as rows.

use std::sync::Arc;

use masthead_falco::Falco;
use masthead_ir::eval::{Context, Program, Row};
use masthead_ir::pipeline::{Pipeline, Source, Stage};
use masthead_ir::rule::{Body, CompileOptions, Compiled, Rule, RuleSet, Status};
use masthead_ir::{Diagnostic, FieldPath, Value};
use masthead_rulefile::{Corpus, Dialect};
use serde_json::Value as Json;

/// Compiles files given by name and text.
pub(crate) fn compile_files(files: &[(&str, &str)]) -> RuleSet {
    let corpus = Corpus::from_memory(files.iter().map(|(name, text)| ((*name).into(), (*text).to_owned())).collect());
    let claimed: Vec<_> = corpus.files.iter().filter(|file| Falco.claims(file)).cloned().collect();
    Falco.compile(&corpus, &claimed, &CompileOptions::default())
}

/// Compiles one file.
pub(crate) fn compile(rules: &str) -> RuleSet {
    compile_files(&[("rules.yaml", rules)])
}

/// An event as the engine shows it to conditions and stages.
pub(crate) struct Event {
    text: String,
    json: Json,
    flat: Vec<(String, String)>,
}

impl Event {
    pub(crate) fn new(text: &str) -> Event {
        let json = serde_json::from_str(text).unwrap();
        let mut flat = Vec::new();
        masthead_ir::eval::json::flatten(text, &mut |name, value| flat.push((name.to_owned(), value.to_owned())))
            .unwrap();
        Event { text: text.to_owned(), json, flat }
    }

    fn named(&self, wanted: impl Fn(&str) -> bool) -> Value {
        Value::list(self.flat.iter().filter(|(name, _)| wanted(name)).map(|(_, value)| Value::text(value)))
    }
}

fn walk<'j>(mut json: &'j Json, keys: &[Arc<str>]) -> Option<&'j Json> {
    for key in keys {
        json = json.as_object()?.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)?;
    }
    Some(json)
}

fn typed(json: &Json) -> Value {
    match json {
        Json::Null => Value::Absent,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => number.as_i64().map_or_else(|| Value::text(number.to_string()), Value::Int),
        Json::String(text) => Value::text(text),
        Json::Array(items) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
            Value::list(items.iter().map(typed))
        }
        other => Value::Json(other.to_string().into()),
    }
}

impl Row for Event {
    fn get(&self, field: &FieldPath) -> Value {
        match field {
            FieldPath::Flat(name) if **name == *"_raw" => Value::text(&self.text),
            FieldPath::Flat(name) => self.named(|known| *known == **name),
            FieldPath::Dotted(name) => self.named(|known| known.replace("{}", "") == **name),
            FieldPath::Keys(keys) => walk(&self.json, keys).map_or(Value::Absent, typed),
        }
    }
}

/// The pipeline of a rule.
pub(crate) fn pipeline(rule: &Rule) -> &Pipeline {
    match &rule.body {
        Body::Pipeline(pipeline) => pipeline,
        Body::Script(..) => panic!("{} is a script", rule.id),
    }
}

/// Whether a rule fires for an event.
pub(crate) fn fires(rule: &Rule, event: &Event) -> bool {
    let Source::Events { filter, .. } = &pipeline(rule).source else { panic!("{} reads no events", rule.id) };
    let truth = Program::compile(filter).unwrap().truth(event, &Context::default());
    truth.unwrap_or_else(|| panic!("{} does not know whether it fires", rule.id))
}

/// The columns that a rule's output makes of an event.
pub(crate) fn columns(rule: &Rule, event: &Event) -> Vec<(String, Value)> {
    let stages = pipeline(rule).stages.iter();
    let assigned = stages.filter_map(|stage| match stage {
        Stage::Assign { field, expr } => {
            Some((field.clone(), Program::compile(expr).unwrap().value(event, &Context::default())))
        }
        _ => None,
    });
    assigned.collect()
}

/// Compiles rules that have no faults.
pub(crate) fn sound(files: &[(&str, &str)]) -> Vec<Arc<Rule>> {
    let set = compile_files(files);
    assert_eq!(shown(&set), "", "{files:?}");
    set.rules.into_iter().map(|compiled| compiled.rule.unwrap()).collect()
}

/// The names of the rules that fire for an event.
pub(crate) fn check(rules: &str, event: &str, expect: &[&str]) {
    let event = Event::new(event);
    let fired: Vec<String> = sound(&[("rules.yaml", rules)])
        .iter()
        .filter(|rule| fires(rule, &event))
        .map(|rule| rule.name.clone())
        .collect();
    assert_eq!(fired, expect, "{rules}");
}

/// A rules file with one rule `r` of this condition, behind other items.
pub(crate) fn rule_of(items: &str, condition: &str) -> String {
    let condition = condition.replace('\n', "\n    ");
    format!(
        "{items}\n- rule: r\n  desc: d\n  condition: >\n    {condition}\n  output: o\n  priority: WARNING\n  source: k8s_audit\n"
    )
}

/// Whether a condition holds for an event.
pub(crate) fn holds(condition: &str, event: &str) -> bool {
    let rules = sound(&[("rules.yaml", &rule_of("", condition))]);
    fires(rules.first().unwrap(), &Event::new(event))
}

fn line(fault: &Diagnostic) -> String {
    let place = fault.span.as_ref().map_or("?".to_owned(), |span| {
        let (line, column) = span.line_column();
        let text = &span.text[span.shown()];
        format!("{}:{line}:{column} `{}`", span.path.display(), text.lines().next().unwrap_or_default())
    });
    let help = fault.help.as_ref().map_or(String::new(), |help| format!("\n    {help}"));
    format!("  {:?} {} {place}\n    {}{help}\n", fault.level, fault.code, fault.message)
}

/// All diagnostics of a set.
pub(crate) fn shown(set: &RuleSet) -> String {
    let mut out = String::new();
    if !set.diagnostics.is_empty() {
        out.push_str("shared\n");
        set.diagnostics.iter().for_each(|fault| out.push_str(&line(fault)));
    }
    for Compiled { rule_id, status, diagnostics, rule, .. } in &set.rules {
        assert_eq!(rule.is_some(), matches!(status, Status::Runs | Status::Partial), "{rule_id}");
        if *status != Status::Runs || !diagnostics.is_empty() {
            out.push_str(&format!("{rule_id}: {status:?}\n"));
            diagnostics.iter().for_each(|fault| out.push_str(&line(fault)));
        }
    }
    out
}
