//! Exceptions: matches that somebody knows about, with an owner, a reason and an end.
//!
//! An exception is of rules by name and of a condition in SPL's search syntax. The condition sees the fields of what matched:
//! of an event for rules that judge single events, of a result row for searches.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use masthead_ir::diagnostic::Diagnostic;
use masthead_ir::eval::glob::Glob;
use masthead_ir::eval::{Context, Program, Row};
use masthead_ir::pipeline::Source;
use masthead_ir::rule::Rule;
use masthead_ir::time::Micros;
use masthead_ir::{FieldPath, Value};
use masthead_query::ResultRow;
use masthead_rulefile::{Content, Corpus, Node, RuleFile};
use masthead_splunk::spl;
use serde::Serialize;

/// All exceptions.
#[derive(Debug, Default)]
pub struct Exceptions {
    all: Vec<Arc<Exception>>,
    /// What is wrong with files of exceptions, or with exceptions in them, which do not apply then.
    pub diagnostics: Vec<Diagnostic>,
}

/// One exception.
#[derive(Debug)]
pub(crate) struct Exception {
    name: String,
    path: PathBuf,
    rules: Vec<Glob>,
    patterns: Vec<String>,
    condition: String,
    program: Program,
    owner: String,
    reason: String,
    expires: Option<Micros>,
    suppressed: AtomicU64,
}

/// What an exception is, and what it did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExceptionReport {
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// Patterns of names and ids of rules.
    pub rules: Vec<String>,
    /// Its condition, as it was written.
    pub condition: String,
    /// Who answers for it.
    pub owner: String,
    /// Why it is there.
    pub reason: String,
    /// Events from this moment on it does not apply to, RFC 3339.
    pub expires: Option<String>,
    /// Whether that moment has passed.
    pub expired: bool,
    /// How many matches it suppressed since the start.
    pub suppressed: u64,
}

/// Codes of what can be wrong.
pub(crate) const CODES: &[(&str, &str)] = &[
    ("exception-invalid", "An exception lacks a key, or has a value that cannot be read; it does not apply."),
    ("exception-condition", "The condition of an exception is no search condition; it does not apply."),
    ("exception-expired", "The end of an exception has passed: it applies to older events only."),
];

impl Exceptions {
    /// Reads files and folders. What is wrong is in [`Exceptions::diagnostics`]; `now` tells which have expired.
    ///
    /// # Errors
    /// When a path cannot be read at all.
    pub fn read(paths: &[PathBuf], now: Micros) -> Result<Exceptions, crate::EngineError> {
        if paths.is_empty() {
            return Ok(Exceptions::default());
        }
        let unreadable = |(path, source)| crate::EngineError::Unreadable { path, source };
        let corpus = Corpus::read(paths).map_err(unreadable)?;
        let mut exceptions = Exceptions { all: Vec::new(), diagnostics: corpus.warnings.clone() };
        for file in &corpus.files {
            exceptions.read_file(file, now);
        }
        Ok(exceptions)
    }

    fn read_file(&mut self, file: &RuleFile, now: Micros) {
        let documents = match &file.content {
            Content::Yaml(documents) => documents,
            Content::Invalid(diagnostic) => return self.diagnostics.push(diagnostic.clone()),
            Content::Text(_) => return,
        };
        for document in documents {
            let own = document.get("exceptions").unwrap_or(document);
            let items = if own.items().is_empty() { std::slice::from_ref(own) } else { own.items() };
            for node in items {
                match read(node, file) {
                    Ok(exception) => {
                        if exception.expires.is_some_and(|expires| expires <= now) {
                            let message = format!("the exception `{}` has expired", exception.name);
                            let help = format!("remove it, or ask {} whether it is still needed", exception.owner);
                            let place = file.span(node.get("expires").unwrap_or(node));
                            self.diagnostics
                                .push(Diagnostic::warning("exception-expired", message).at(place).help(help));
                        }
                        self.all.push(Arc::new(exception));
                    }
                    Err(diagnostic) => self.diagnostics.push(*diagnostic),
                }
            }
        }
    }

    /// Those that are of a rule.
    pub(crate) fn of(&self, rule: &Rule) -> Vec<Arc<Exception>> {
        let stem = rule.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let of = |exception: &&Arc<Exception>| {
            exception
                .rules
                .iter()
                .any(|glob| [rule.id.as_str(), &rule.name, stem].iter().any(|name| glob.matches(name)))
        };
        self.all.iter().filter(of).cloned().collect()
    }

    /// What they are and did.
    pub fn report(&self, now: Micros) -> Vec<ExceptionReport> {
        let moment = |time: Micros| Timestamp::from_microsecond(time).map(|time| time.to_string()).unwrap_or_default();
        let told = |exception: &Arc<Exception>| ExceptionReport {
            name: exception.name.clone(),
            path: exception.path.clone(),
            rules: exception.patterns.clone(),
            condition: exception.condition.clone(),
            owner: exception.owner.clone(),
            reason: exception.reason.clone(),
            expires: exception.expires.map(moment),
            expired: exception.expires.is_some_and(|expires| expires <= now),
            suppressed: exception.suppressed.load(Ordering::Relaxed),
        };
        self.all.iter().map(told).collect()
    }
}

fn read(node: &Node, file: &RuleFile) -> Result<Exception, Box<Diagnostic>> {
    let invalid =
        |node: &Node, message: String| Box::new(Diagnostic::error("exception-invalid", message).at(file.span(node)));
    const KEYS: [&str; 6] = ["name", "rule", "condition", "owner", "reason", "expires"];
    if node.entries().is_empty() {
        return Err(invalid(node, "an exception is a mapping with the keys rule, condition, owner, reason".to_owned()));
    }
    for (key, _) in node.entries() {
        let name = key.text().unwrap_or_default();
        if !KEYS.contains(&name) {
            let nearest = masthead_rulefile::suggest(name, KEYS);
            let help = nearest.map_or_else(|| KEYS.join(", "), |nearest| format!("did you mean `{nearest}`?"));
            return Err(Box::new(
                Diagnostic::error("exception-invalid", format!("an exception has no key `{name}`"))
                    .at(file.span(key))
                    .help(help),
            ));
        }
    }
    let text = |key: &str| {
        let value = node.get(key).and_then(Node::text).map(str::trim).filter(|text| !text.is_empty());
        value.map(str::to_owned).ok_or_else(|| invalid(node, format!("the exception lacks `{key}`")))
    };
    let rules: Vec<String> = match node.get("rule") {
        Some(rule) if !rule.items().is_empty() => rule.texts().into_iter().map(str::to_owned).collect(),
        _ => vec![text("rule")?],
    };
    let condition = text("condition")?;
    let program = compile(&condition).map_err(|message| {
        let place = node.get("condition").unwrap_or(node);
        Box::new(Diagnostic::error("exception-condition", message).at(file.span(place)))
    })?;
    let expires = match node.get("expires").filter(|value| !value.is_null()) {
        Some(value) => {
            let told = value.text().unwrap_or_default();
            let help = "write a date (2026-12-31) or a moment (2026-12-31T12:00:00Z)";
            Some(moment(told).ok_or_else(|| {
                Box::new(
                    Diagnostic::error("exception-invalid", format!("`{told}` is no moment"))
                        .at(file.span(value))
                        .help(help),
                )
            })?)
        }
        None => None,
    };
    let name = node
        .get("name")
        .and_then(Node::text)
        .map_or_else(|| format!("{}: {condition}", rules.join(", ")), str::to_owned);
    Ok(Exception {
        name,
        path: file.path.clone(),
        rules: rules.iter().map(|rule| Glob::new(rule)).collect(),
        patterns: rules,
        condition,
        program,
        owner: text("owner")?,
        reason: text("reason")?,
        expires,
        suppressed: AtomicU64::new(0),
    })
}

fn compile(condition: &str) -> Result<Program, String> {
    let environment = spl::Environment {
        macros: Default::default(),
        tables: Default::default(),
        options: Default::default(),
        missing_macro: |_| None,
    };
    let compiled = spl::compile(condition, &environment);
    let Some(pipeline) = compiled.pipeline else {
        let problem = compiled.problems.into_iter().next().map(|problem| problem.message);
        return Err(problem.unwrap_or_else(|| "this is no search condition".to_owned()));
    };
    match pipeline.source {
        Source::Events { filter, range: None } if pipeline.stages.is_empty() => {
            Program::compile(&filter).map_err(|error| error.to_string())
        }
        _ => Err("a condition has no commands and no times, only what stands before the first pipe".to_owned()),
    }
}

/// The end of a day, or a moment.
fn moment(text: &str) -> Option<Micros> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_microsecond());
    }
    let day: jiff::civil::Date = text.parse().ok()?;
    let end = day.tomorrow().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(end.timestamp().as_microsecond())
}

/// Whether one of these suppresses a match at this moment; it is counted.
pub(crate) fn suppressed(exceptions: &[Arc<Exception>], row: &dyn Row, time: Option<Micros>) -> bool {
    let context = Context { now: time.unwrap_or(0) };
    let holds = |exception: &&Arc<Exception>| {
        let applies = exception.expires.is_none_or(|expires| time.is_none_or(|time| time < expires));
        applies && exception.program.truth(row, &context) == Some(true)
    };
    let Some(exception) = exceptions.iter().find(holds) else { return false };
    exception.suppressed.fetch_add(1, Ordering::Relaxed);
    true
}

/// The fields of a result row.
pub(crate) struct Fields<'r>(pub(crate) &'r ResultRow);

impl Row for Fields<'_> {
    fn get(&self, field: &FieldPath) -> Value {
        let found = self.0.fields.iter().find(|(known, _)| field.is_column(known));
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }
}

/// The fields of an event.
pub(crate) struct Event(Vec<(String, Vec<Value>)>);

impl Event {
    pub(crate) fn read(raw: &str) -> Event {
        let mut fields: Vec<(String, Vec<Value>)> = Vec::new();
        // What cannot be read has no fields; whoever reads events counts it.
        let _unreadable = masthead_event::flatten::flatten(raw.as_bytes(), &mut |name, value| match fields
            .iter_mut()
            .find(|(known, _)| known == name)
        {
            Some((_, values)) => values.push(Value::text(value.text)),
            None => fields.push((name.to_owned(), vec![Value::text(value.text)])),
        });
        Event(fields)
    }
}

impl Row for Event {
    fn get(&self, field: &FieldPath) -> Value {
        let FieldPath::Flat(name) = field else { return Value::Absent };
        let found = self.0.iter().find(|(known, _)| known.as_str() == &**name);
        found.map(|(_, values)| Value::list(values.iter().cloned())).unwrap_or_default()
    }
}

/// What is different from what a rule's file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleOverride {
    /// Whether it runs.
    pub enabled: Option<bool>,
    /// Its severity.
    pub severity: Option<masthead_ir::rule::Severity>,
    /// Its schedule: five fields of cron.
    pub cron: Option<String>,
    /// How many matches a finding takes.
    pub threshold: Option<u64>,
}

/// Changes the rules that are named by id or name. Gives what names no rule, or asks of a rule what it has not.
pub fn apply_overrides(
    rules: &mut masthead_ir::rule::RuleSet,
    overrides: &std::collections::BTreeMap<String, RuleOverride>,
) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, change) in overrides {
        let mut found = false;
        for compiled in &mut rules.rules {
            let Some(rule) = compiled.rule.as_mut().filter(|rule| rule.id == *name || rule.name == *name) else {
                continue;
            };
            found = true;
            faults.extend(change_rule(Arc::make_mut(rule), change).map(|fault| format!("`{name}` {fault}")));
        }
        if !found {
            faults.push(format!("`{name}` names no rule"));
        }
    }
    faults
}

fn change_rule(rule: &mut Rule, change: &RuleOverride) -> Option<&'static str> {
    rule.enabled = change.enabled.unwrap_or(rule.enabled);
    rule.finding.severity = change.severity.unwrap_or(rule.finding.severity);
    let mut fault = None;
    if let Some(cron) = &change.cron {
        match &mut rule.schedule {
            Some(schedule) => schedule.cron.clone_from(cron),
            None => fault = Some("has no schedule that could be changed"),
        }
    }
    if let Some(threshold) = change.threshold {
        match &mut rule.body {
            masthead_ir::rule::Body::Script(_, trigger) => trigger.threshold = threshold,
            masthead_ir::rule::Body::Pipeline(_) => fault = Some("is a search, whose threshold stands in its text"),
        }
    }
    fault
}
