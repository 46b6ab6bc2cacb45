//! What scripts' matches become: findings, their times, their evidence. The test binary is its own worker for scripts, hence
//! the harness of its own.

#[path = "scripts/cases.rs"]
mod cases;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use masthead_engine::{OriginOverride, Progress, RuleOptions, ScanOptions, load_rules, scan};
use serde_json::{Value, json};

const WORKER: &str = "--script-worker";

struct Quiet;
impl Progress for Quiet {
    fn bytes(&self, _: u64, _: u64) {}
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(WORKER) {
        return masthead_engine::script_worker();
    }
    let trials = cases::CASES.iter().map(|&(name, case)| {
        Trial::test(name, move || {
            let case = case();
            check(&case.rules, &case.events, &case.findings, &case.problems)
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// A rule: its file's name, what its YAML has beside the keys that every rule must have, and its Python.
struct Rule {
    name: &'static str,
    yaml: &'static str,
    python: &'static str,
}

/// Rules over events, the findings in their order (of each only the keys that are written), and how each diagnostic begins.
struct Case {
    rules: Vec<Rule>,
    events: Vec<Value>,
    findings: Vec<Value>,
    problems: Vec<&'static str>,
}

fn check(rules: &[Rule], events: &[Value], findings: &[Value], problems: &[&str]) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    for Rule { name, yaml, python } in rules {
        let head = format!("AnalysisType: rule\nRuleID: {name}\nFilename: {name}.py\nLogTypes: [Amazon.EKS.Audit]\n");
        std::fs::write(folder.path().join(format!("{name}.yml")), head + yaml)?;
        std::fs::write(folder.path().join(format!("{name}.py")), python)?;
    }
    let log = folder.path().join("log.jsonl");
    std::fs::write(&log, events.iter().map(|event| format!("{event}\n")).collect::<String>())?;
    let (found, told) = run(folder.path(), &log)?;
    let same = found.len() == findings.len() && findings.iter().zip(&found).all(|(wanted, got)| holds(wanted, got));
    if !same {
        return Err(format!("found {}\ninstead of {}", json!(found), json!(findings)).into());
    }
    let begins =
        told.len() == problems.len() && problems.iter().zip(&told).all(|(start, told)| told.starts_with(start));
    if begins { Ok(()) } else { Err(format!("told {told:?} instead of {problems:?}").into()) }
}

fn run(rules: &Path, log: &Path) -> Result<(Vec<Value>, Vec<String>), Failed> {
    let rules = load_rules(&RuleOptions { paths: vec![rules.to_owned()], ..RuleOptions::default() })?;
    let options = ScanOptions {
        origin: OriginOverride { log_type: Some("Amazon.EKS.Audit".to_owned()), ..OriginOverride::default() },
        worker: (std::env::current_exe()?, vec![WORKER.into()]),
        ..ScanOptions::default()
    };
    let mut found = Vec::new();
    let summary = scan(&rules, &[log.to_owned()], &options, &Quiet, &mut |finding| {
        found.push(serde_json::to_value(finding).map_err(std::io::Error::other)?);
        Ok(())
    })?;
    let told = |rule: masthead_engine::RuleReport| {
        let diagnostics = rule.diagnostics.into_iter().map(|diagnostic| diagnostic.message);
        rule.problems.into_iter().chain(diagnostics).collect::<Vec<_>>()
    };
    Ok((found, summary.rules.into_iter().flat_map(told).collect()))
}

/// Whether a value has all that is written of it; lists must be alike.
fn holds(wanted: &Value, got: &Value) -> bool {
    match wanted {
        Value::Object(wanted) => wanted.iter().all(|(key, value)| match got.get(key) {
            Some(got) => holds(value, got),
            None => value.is_null(),
        }),
        _ => wanted == got,
    }
}
