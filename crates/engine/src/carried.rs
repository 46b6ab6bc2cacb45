//! The tests that rules carry.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use masthead_ir::diagnostic::Level;
use masthead_ir::rule::{Body, Compiled, Rule, RuleSet, RuleTest, Script, ScriptVerdict, Status, TestData, TestInput};
use masthead_script::{Call, Host, Program};
use serde_json::{Value as Json, json};

use crate::EngineError;
use crate::options::{OriginOverride, ScanOptions};
use crate::report::{Progress, TestResult, TestStatus};
use crate::scripts::{host, judge};

struct Silent;

impl Progress for Silent {
    fn bytes(&self, _read: u64, _total: u64) {}
}

/// Runs the tests that rules carry, in the order of rules and tests.
///
/// # Errors
/// When a result cannot be written.
pub fn run_tests(
    rules: &RuleSet,
    options: &ScanOptions,
    sink: &mut dyn FnMut(TestResult) -> std::io::Result<()>,
) -> Result<(), EngineError> {
    let mut hosts: Vec<Loaded> = Vec::new();
    for compiled in &rules.rules {
        let Some(rule) = &compiled.rule else {
            if compiled.status == Status::Invalid {
                sink(uncompiled(compiled)).map_err(EngineError::Output)?;
            }
            continue;
        };
        for test in &rule.tests {
            let outcome = match (&rule.body, &test.input) {
                (Body::Script(script, _), TestInput::Inline(event)) => {
                    script_test(&mut hosts, rules, options, script, test, event)
                }
                (_, TestInput::Data(data)) => data_test(rules, compiled, rule, options, test, data),
                (Body::Pipeline(_), TestInput::Inline(event)) => inline_test(rules, compiled, options, event),
            };
            sink(result(rule, test, outcome)).map_err(EngineError::Output)?;
        }
    }
    Ok(())
}

/// A rule that is invalid: what tests it has cannot pass.
fn uncompiled(compiled: &Compiled) -> TestResult {
    let fault = compiled.diagnostics.iter().find(|diagnostic| diagnostic.level == Level::Error);
    let detail = fault.map(|fault| match &fault.span {
        Some(span) => {
            let (line, column) = span.line_column();
            format!("{}:{line}:{column}: {}", span.path.display(), fault.message)
        }
        None => fault.message.clone(),
    });
    TestResult {
        rule_id: compiled.rule_id.clone(),
        path: compiled.path.clone(),
        test: "the rule compiles".to_owned(),
        expected: json!(null),
        actual: json!(null),
        status: TestStatus::Error,
        detail: detail.unwrap_or_else(|| "the rule is invalid".to_owned()),
    }
}

/// What came out of a test: whether the rule fired and what it said, or why it could not be run.
type Outcome = Result<(bool, Option<ScriptVerdict>), String>;

fn result(rule: &Rule, test: &RuleTest, outcome: Outcome) -> TestResult {
    let (mut expected, mut actual) = (json!({"match": test.expect_match}), json!({}));
    let (status, detail) = match outcome {
        Err(error) => (TestStatus::Error, error),
        Ok((matched, verdict)) => {
            actual["match"] = json!(matched);
            let verdict = verdict.unwrap_or_default();
            let mut faults = Vec::new();
            if matched != test.expect_match {
                faults.push(if matched {
                    "it matched, and must not".to_owned()
                } else {
                    "it did not match, and must".to_owned()
                });
            }
            for (name, wanted) in test.expect.iter().filter(|_| matched) {
                let said = match name.as_str() {
                    "title" => verdict.title.clone(),
                    "dedup" => verdict.dedup.clone(),
                    "severity" => verdict.severity.clone(),
                    _ => continue,
                };
                expected[name] = json!(wanted);
                actual[name] = json!(said);
                if said.as_deref().is_none_or(|said| !said.eq_ignore_ascii_case(wanted)) {
                    let said = said.map_or_else(|| "missing".to_owned(), |said| format!("`{said}`"));
                    faults.push(format!("{name} is {said}, not `{wanted}`"));
                }
            }
            let raised: Vec<String> = verdict
                .errors
                .iter()
                .map(|e| format!("`{}` raised {} (line {})", e.function, e.message, e.line))
                .collect();
            match (raised.is_empty(), faults.is_empty()) {
                (false, _) => (TestStatus::Error, raised.join("; ")),
                (true, false) => (TestStatus::Failed, faults.join("; ")),
                (true, true) => (TestStatus::Passed, String::new()),
            }
        }
    };
    TestResult {
        rule_id: rule.id.clone(),
        path: rule.path.clone(),
        test: test.name.clone(),
        expected,
        actual,
        status,
        detail,
    }
}

/// A host with the programs of one library.
struct Loaded {
    library: usize,
    host: Host,
    /// Why a program, or all of them, cannot be run.
    faults: Vec<(String, String)>,
    broken: Option<String>,
}

fn script_test(
    hosts: &mut Vec<Loaded>,
    rules: &RuleSet,
    options: &ScanOptions,
    script: &Script,
    test: &RuleTest,
    event: &Json,
) -> Outcome {
    let library = Arc::as_ptr(&script.library) as usize;
    let at = hosts.iter().position(|loaded| loaded.library == library).unwrap_or_else(|| {
        hosts.push(load(rules, options, script));
        hosts.len() - 1
    });
    let loaded = &hosts[at];
    if let Some(broken) = &loaded.broken {
        return Err(broken.clone());
    }
    if let Some((_, fault)) = loaded.faults.iter().find(|(module, _)| *module == script.module) {
        return Err(fault.clone());
    }
    let mut config = script.config.clone();
    config["mocks"] = json!(test.mocks);
    let call = Call {
        module: script.module.clone(),
        event: event.to_string().into(),
        envelope: Arc::new(json!({})),
        config: Arc::new(config),
    };
    let verdict = judge(&loaded.host, call)?;
    Ok((verdict.matched, Some(verdict)))
}

fn load(rules: &RuleSet, options: &ScanOptions, script: &Script) -> Loaded {
    let mut host = host(options);
    let same = rules.rules.iter().filter_map(|compiled| match &compiled.rule.as_ref()?.body {
        Body::Script(other, _) if Arc::ptr_eq(&other.library, &script.library) => Some(other),
        _ => None,
    });
    let programs: Vec<Program> = same.map(|s| Program { module: s.module.clone(), source: s.source.clone() }).collect();
    let modules: Vec<String> = programs.iter().map(|program| program.module.clone()).collect();
    let (mut faults, mut broken) = (Vec::new(), None);
    match host.load(&script.library, programs) {
        Ok(loaded) => {
            for (module, loaded) in modules.into_iter().zip(loaded) {
                if let Err(error) = loaded {
                    faults.push((module, format!("{} (line {})", error.message, error.line)));
                }
            }
        }
        Err(error) => broken = Some(error.to_string()),
    }
    Loaded { library: Arc::as_ptr(&script.library) as usize, host, faults, broken }
}

/// A set with only one rule in it, switched on.
fn alone(rules: &RuleSet, compiled: &Compiled) -> RuleSet {
    RuleSet { rules: vec![compiled.clone()], tables: rules.tables.clone(), diagnostics: Vec::new() }
}

fn fires(rules: &RuleSet, options: &ScanOptions, inputs: &[PathBuf], origin: OriginOverride) -> Result<bool, String> {
    let options = ScanOptions { include_disabled: true, origin, ..options.clone() };
    let mut fired = false;
    crate::scan::scan(rules, inputs, &options, &Silent, &mut |_| {
        fired = true;
        Ok(())
    })
    .map_err(|error| error.to_string())?;
    Ok(fired)
}

fn data_test(
    rules: &RuleSet,
    compiled: &Compiled,
    rule: &Rule,
    options: &ScanOptions,
    _test: &RuleTest,
    data: &[TestData],
) -> Outcome {
    let only = alone(rules, compiled);
    let mut fired = false;
    for data in data {
        if data.location.contains("://") {
            return Err(format!("{} is not fetched; give a file beside the rule", data.location));
        }
        let path = rule.path.parent().unwrap_or(Path::new("")).join(&data.location);
        if !path.is_file() {
            return Err(format!("{} is not there", path.display()));
        }
        let origin = OriginOverride {
            source: data.source.clone(),
            sourcetype: data.sourcetype.clone(),
            ..OriginOverride::default()
        };
        fired |= fires(&only, options, &[path], origin)?;
    }
    Ok((fired, None))
}

fn inline_test(rules: &RuleSet, compiled: &Compiled, options: &ScanOptions, event: &Json) -> Outcome {
    let folder = std::env::temp_dir().join(format!("masthead-test-{}.jsonl", std::process::id()));
    let lines: String = match event {
        Json::Array(events) => events.iter().map(|event| format!("{event}\n")).collect(),
        one => one.to_string(),
    };
    std::fs::write(&folder, lines).map_err(|error| error.to_string())?;
    let fired = fires(&alone(rules, compiled), options, std::slice::from_ref(&folder), OriginOverride::default());
    let removed = std::fs::remove_file(&folder).map_err(|error| error.to_string());
    removed.and(fired.map(|fired| (fired, None)))
}
