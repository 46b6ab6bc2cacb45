//! One rule: its YAML and its Python to a rule of the intermediate representation.

use std::collections::BTreeMap;
use std::sync::Arc;

use masthead_ir::diagnostic::{Diagnostic, Level};
use masthead_ir::rule::{
    Body, Compiled, FindingTemplate, Guide, Kind, Rule, RuleTest, Script, Severity, Status, TestInput, Trigger,
};
use masthead_rulefile::{Corpus, Node, RuleFile};
use serde_json::{Map, Value as Json, json};

use crate::guard::{self, Modules};
use crate::keys::{Keys, line_of};
use crate::prelude::absent_package;
use crate::python_file::read;
use crate::shared::Shared;
use crate::source::Source;
use crate::{DIALECT, unsupported};

/// How long matches belong together unless the rule says, in minutes (Panther's documentation, "Deduplication").
const DEDUP_MINUTES: u64 = 60;
/// How many matches it takes unless the rule says.
const THRESHOLD: u64 = 1;
/// The key of `Reports` that holds ATT&CK techniques, as `TA0001:T1190`.
const ATTACK: &str = "MITRE ATT&CK";

/// Compiles a file whose `AnalysisType` is `rule`.
pub(crate) fn compile(
    file: &RuleFile,
    root: &Node,
    corpus: &Corpus,
    shared: &Shared,
    modules: &Modules<'_>,
    number: usize,
) -> Compiled {
    if let Some(key) = ["Detection", "BaseDetection"].into_iter().find(|key| root.get(key).is_some()) {
        let what =
            if key == "Detection" { "simple detections (`Detection`)" } else { "derived detections (`BaseDetection`)" };
        return unsupported(file, root, key, what);
    }
    let mut keys = Keys::new(file, root);
    let rule = read_rule(&mut keys, corpus, shared, modules, number);
    let diagnostics = keys.diagnostics;
    let worst = diagnostics.iter().map(|diagnostic| diagnostic.level).max();
    let status = match (&rule, worst) {
        (None, _) | (_, Some(Level::Error)) => Status::Invalid,
        (_, Some(Level::Warning)) => Status::Partial,
        _ => Status::Runs,
    };
    Compiled {
        path: file.path.clone(),
        rule_id: crate::rule_id(file, root),
        dialect: DIALECT,
        status,
        diagnostics,
        rule: rule.filter(|_| status != Status::Invalid).map(Arc::new),
    }
}

fn read_rule(
    keys: &mut Keys<'_>,
    corpus: &Corpus,
    shared: &Shared,
    modules: &Modules<'_>,
    number: usize,
) -> Option<Rule> {
    let id = keys.required_text("RuleID");
    let name = keys.text("DisplayName").filter(|name| !name.is_empty());
    let severity = read_severity(keys);
    let log_types = read_log_types(keys);
    let description = keys.text("Description").unwrap_or_default().to_owned();
    let source = read(keys, corpus);
    if let Some(source) = &source
        && !source.binds("rule")
    {
        let message = "the Python file has no function `rule`";
        let diagnostic = Diagnostic::error("missing-function", message).at(source.start());
        keys.diagnostics.push(diagnostic.help("define `def rule(event):` and return whether the event is a match"));
    }
    for (module, place) in source.iter().flat_map(Source::imports) {
        if let Some(package) = absent_package(module) {
            let message = format!("the package `{package}` is not available here");
            let diagnostic = Diagnostic::warning("absent-package", message).at(place);
            keys.diagnostics.push(diagnostic.help("the rule raises where it uses it, and the event is then no match"));
        }
    }
    if let Some(filters) = keys.get("InlineFilters")
        && filters.items().iter().any(filters_something)
    {
        let message = "the rule's inline filters have no effect here: it may match more than it should";
        keys.diagnostics.push(Diagnostic::warning("inline-filters", message).at(keys.file.span(filters)));
    }
    let alert = keys.truth("CreateAlert", true);
    let trigger = Trigger {
        threshold: keys.count("Threshold", THRESHOLD),
        period_minutes: keys.count("DedupPeriodMinutes", DEDUP_MINUTES),
        summary: keys.texts("SummaryAttributes"),
        alert,
    };
    let enabled = keys.truth("Enabled", true);
    let tests = read_tests(keys);
    let mut tags = keys.texts("Tags");
    let attack = read_attack(keys);
    let reference = keys.text("Reference");
    let runbook = keys.text("Runbook").map(str::to_owned);
    tags.extend(reference.map(str::to_owned));
    let config = json!({
        "rule_id": id,
        "display_name": name,
        "severity": severity,
        "description": description,
        "reference": reference,
        "runbook": runbook,
        "destinations": keys.get("OutputIds").map(Node::to_json),
        "log_types": log_types,
        "summary": trigger.summary,
        "data_models": described(shared, &log_types),
    });
    let (id, source, severity) = (id?, source?, severity?);
    let script = script(source, config, log_types, shared, modules, number);
    Some(Rule {
        id: id.to_owned(),
        name: name.unwrap_or(id).to_owned(),
        dialect: DIALECT,
        path: keys.file.path.clone(),
        description: description.clone(),
        enabled,
        attack,
        tags,
        finding: FindingTemplate {
            kind: if alert { Kind::Finding } else { Kind::Signal },
            severity,
            title: name.unwrap_or(id).to_owned(),
            message: description,
            entities: Vec::new(),
            throttle: None,
        },
        schedule: None,
        body: Body::Script(script, trigger),
        tests,
        drilldowns: Vec::new(),
        guide: Guide {
            references: reference.map(str::to_owned).into_iter().collect(),
            next_steps: runbook.into_iter().collect(),
            ..Guide::default()
        },
    })
}

/// Whether an inline filter holds a condition; the editor leaves empty ones behind (`All: []`).
fn filters_something(filter: &Node) -> bool {
    let empty =
        |node: &Node| node.is_null() || (node.items().is_empty() && node.text().is_none() && node.entries().is_empty());
    match filter.entries() {
        [(_, conditions)] => !empty(conditions),
        _ => !empty(filter),
    }
}

fn script(
    source: Source,
    config: Json,
    log_types: Vec<String>,
    shared: &Shared,
    modules: &Modules<'_>,
    number: usize,
) -> Script {
    let stem: String = crate::python_file::module_name(&source)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    Script {
        guard: guard::extract(&source.module, modules, &log_types, &shared.models),
        log_types,
        module: format!("masthead_rule_{number}_{stem}"),
        source: source.text,
        source_path: source.path,
        library: shared.library.clone(),
        config,
    }
}

/// The data models of a rule's log types.
fn described(shared: &Shared, log_types: &[String]) -> Json {
    let models = log_types
        .iter()
        .filter_map(|log_type| shared.described.get(log_type).map(|model| (log_type.clone(), model.clone())));
    Json::Object(models.collect::<Map<_, _>>())
}

fn read_log_types(keys: &mut Keys<'_>) -> Vec<String> {
    let log_types = keys.texts("LogTypes");
    if log_types.is_empty() && keys.get("LogTypes").is_none() {
        let place = keys.place("AnalysisType");
        keys.diagnostics.push(Diagnostic::error("missing-key", "the key `LogTypes` is missing").at(place));
    }
    log_types
}

pub(crate) fn read_severity(keys: &mut Keys<'_>) -> Option<Severity> {
    let text = keys.required_text("Severity")?;
    let severity = severity_of(text);
    if severity.is_none()
        && let Some(node) = keys.get("Severity")
    {
        let message = format!("`{text}` is no severity; these are Info, Low, Medium, High and Critical");
        keys.fault("bad-value", node, message);
    }
    severity
}

fn severity_of(text: &str) -> Option<Severity> {
    Some(match text.to_ascii_lowercase().as_str() {
        "info" | "informational" => Severity::Informational,
        "low" => Severity::Low,
        "medium" => Severity::Medium,
        "high" => Severity::High,
        "critical" => Severity::Critical,
        _ => return None,
    })
}

/// Technique ids as the rule writes them, without the tactic before the colon.
pub(crate) fn read_attack(keys: &Keys<'_>) -> Vec<String> {
    let Some(listed) = keys.get("Reports").and_then(|reports| reports.get(ATTACK)) else { return Vec::new() };
    let mut techniques: Vec<String> = Vec::new();
    for entry in listed.texts() {
        let technique = entry.rsplit(':').next().unwrap_or(entry).trim();
        if technique.starts_with('T') && !technique.starts_with("TA") && !techniques.iter().any(|t| t == technique) {
            techniques.push(technique.to_owned());
        }
    }
    techniques
}

fn read_tests(keys: &mut Keys<'_>) -> Vec<RuleTest> {
    let Some(tests) = keys.get("Tests") else { return Vec::new() };
    tests.items().iter().enumerate().filter_map(|(at, test)| read_test(keys, test, at + 1)).collect()
}

fn read_test(keys: &mut Keys<'_>, test: &Node, number: usize) -> Option<RuleTest> {
    let name = test.get("Name").and_then(Node::text).map_or_else(|| format!("test {number}"), str::to_owned);
    let (Some(log), Some(expected)) = (test.get("Log"), test.get("ExpectedResult")) else {
        keys.fault("missing-key", test, format!("the test `{name}` lacks `Log` or `ExpectedResult`"));
        return None;
    };
    let Some(expect_match) = expected.as_bool() else {
        keys.fault("bad-value", expected, format!("`ExpectedResult` must be a truth value, not {}", expected.kind()));
        return None;
    };
    let mut mocks = Vec::new();
    for mock in test.get("Mocks").map_or(&[][..], Node::items) {
        match mock.get("objectName").and_then(Node::text) {
            Some(object) => {
                mocks.push((object.to_owned(), mock.get("returnValue").map_or(Json::Null, Node::to_json)));
            }
            None => keys.fault("missing-key", mock, format!("a mock of the test `{name}` lacks its `objectName`")),
        }
    }
    let mut expect = BTreeMap::new();
    for (key, output) in [("ExpectedTitle", "title"), ("ExpectedDedup", "dedup"), ("ExpectedSeverity", "severity")] {
        let Some(text) = test.get(key).and_then(Node::text) else { continue };
        let known = if output == "severity" { severity_of(text) } else { None };
        let text = match known.map(serde_json::to_value) {
            Some(Ok(Json::String(severity))) => severity,
            _ => text.to_owned(),
        };
        expect.insert(output.to_owned(), text);
    }
    let line = line_of(&keys.file.text, test.span.start);
    Some(RuleTest { name, input: TestInput::Inline(log.to_json()), expect_match, expect, mocks, line })
}
