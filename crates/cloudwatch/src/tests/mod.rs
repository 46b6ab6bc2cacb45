//! Tests of the front-end: patterns over events, templates over rules, and what is said of faults.

mod faults;
mod patterns;
mod properties;
mod templates;

use std::fmt::Write as _;
use std::sync::Arc;

use masthead_ir::FieldPath;
use masthead_ir::eval::{Context, Program, Row};
use masthead_ir::expr::Expr;
use masthead_ir::rule::{CompileOptions, Compiled, RuleSet};
use masthead_ir::value::Value;
use masthead_rulefile::{Corpus, Dialect as _};
use serde_json::Value as Json;

use crate::CloudWatch;

/// An event, read as the engine reads it.
pub(crate) struct Event {
    raw: String,
    json: Json,
}

impl Event {
    pub(crate) fn new(raw: &str) -> Event {
        Event { raw: raw.to_owned(), json: serde_json::from_str(raw).unwrap_or(Json::Null) }
    }
}

impl Row for Event {
    fn get(&self, field: &FieldPath) -> Value {
        match field {
            FieldPath::Flat(name) if **name == *"_raw" => Value::text(&self.raw),
            FieldPath::Flat(name) => {
                let mut found = Vec::new();
                leaves(&self.json, String::new(), &mut |path, leaf| {
                    if path == &**name {
                        found.push(text_of(leaf));
                    }
                });
                Value::list(found)
            }
            FieldPath::Dotted(name) => {
                let mut found = Vec::new();
                leaves(&self.json, String::new(), &mut |path, leaf| {
                    if path.replace("{}", "") == **name && !leaf.is_null() {
                        found.push(text_of(leaf));
                    }
                });
                Value::list(found)
            }
            FieldPath::Keys(keys) => {
                let step = |json: &Json, key: &Arc<str>| {
                    let member = json.as_object()?.iter().find(|(name, _)| name.eq_ignore_ascii_case(key))?;
                    Some(member.1.clone())
                };
                let found = keys.iter().try_fold(self.json.clone(), |json, key| step(&json, key));
                match found {
                    None | Some(Json::Null) => Value::Absent,
                    Some(Json::Array(items)) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
                        Value::list(items.iter().map(text_of))
                    }
                    Some(json @ (Json::Array(_) | Json::Object(_))) => Value::Json(json.to_string().into()),
                    Some(leaf) => text_of(&leaf),
                }
            }
        }
    }
}

fn text_of(leaf: &Json) -> Value {
    match leaf {
        Json::String(text) => Value::text(text),
        other => Value::text(other.to_string()),
    }
}

fn leaves(json: &Json, path: String, each: &mut dyn FnMut(&str, &Json)) {
    match json {
        Json::Array(items) => items.iter().for_each(|item| leaves(item, format!("{path}{{}}"), each)),
        Json::Object(members) => members.iter().for_each(|(key, member)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            leaves(member, path, each);
        }),
        leaf => each(&path, leaf),
    }
}

/// The filter of a pattern that is sound.
pub(crate) fn filter(pattern: &str) -> Expr {
    let parsed = crate::syntax::parse(pattern).unwrap_or_else(|fault| panic!("{pattern}: {fault:?}"));
    crate::lower::filter(&parsed.pattern).unwrap_or_else(|fault| panic!("{pattern}: {fault:?}"))
}

pub(crate) fn passes(filter: &Expr, event: &str) -> bool {
    let program = Program::compile(filter).unwrap();
    program.truth(&Event::new(event), &Context::default()) == Some(true)
}

/// Whether a pattern matches an event or line.
#[track_caller]
pub(crate) fn check(pattern: &str, event: &str, matches: bool) {
    let filter = filter(pattern);
    assert_eq!(passes(&filter, event), matches, "{pattern}\n{event}\n{filter:?}");
}

/// Compiles templates.
pub(crate) fn compile(files: &[(&str, &str)]) -> RuleSet {
    let corpus = Corpus::from_memory(files.iter().map(|(path, text)| ((*path).into(), (*text).to_owned())).collect());
    let claimed: Vec<_> = corpus.files.iter().filter(|file| CloudWatch.claims(file)).cloned().collect();
    assert_eq!(claimed.len(), files.len());
    CloudWatch.compile(&corpus, &claimed, &CompileOptions::default())
}

/// The one rule of an id.
pub(crate) fn compiled<'s>(set: &'s RuleSet, id: &str) -> &'s Compiled {
    set.rules.iter().find(|rule| rule.rule_id == id).unwrap()
}

/// Status and diagnostics of all rules as text.
pub(crate) fn told(set: &RuleSet) -> String {
    let mut out = String::new();
    for rule in &set.rules {
        let _ = writeln!(out, "{}: {:?}", rule.rule_id, rule.status);
        for fault in &rule.diagnostics {
            let span = fault.span.as_ref().unwrap();
            let (line, column) = span.line_column();
            let shown = &span.text[span.shown()];
            let place = shown.lines().next().unwrap_or_default();
            let _ = writeln!(out, "  {:?} {} at {line}:{column} `{place}`", fault.level, fault.code);
            let _ = writeln!(out, "    {}", fault.message);
            let _ = writeln!(out, "    = {}", fault.help.as_deref().unwrap_or("-"));
        }
    }
    out
}
