//! Twelve published searches over real events give the rows that a hand count with jq gives.
//!
//! The searches are read from `../shared` beside the workspace, or `MASTHEAD_SHARED`; without them there is nothing to compare.

#![allow(clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use masthead_engine::{Progress, RuleOptions, ScanOptions, load_rules, scan};
use masthead_ir::finding::Finding;
use serde_json::{Map, Value};

struct Quiet;
impl Progress for Quiet {
    fn bytes(&self, _: u64, _: u64) {}
}

type Rows = BTreeMap<String, Vec<Map<String, Value>>>;

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hand_count")
}

fn published() -> Option<PathBuf> {
    let shared = std::env::var_os("MASTHEAD_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"));
    let rules = shared.join("rules/escu");
    if !rules.exists() {
        eprintln!("skipped: no {}", rules.display());
        return None;
    }
    Some(rules)
}

fn expected(log: &str) -> Rows {
    let text = std::fs::read_to_string(here().join(format!("{log}.expected.json"))).expect("readable");
    serde_json::from_str(&text).expect("JSON")
}

fn found(rules: PathBuf, log: &str) -> Vec<Finding> {
    let rules = load_rules(&RuleOptions { paths: vec![rules], ..RuleOptions::default() }).expect("rules");
    let mut findings = Vec::new();
    let mut sink = |finding: Finding| {
        findings.push(finding);
        Ok(())
    };
    let input = here().join(format!("{log}.jsonl"));
    scan(&rules, &[input], &ScanOptions::default(), &Quiet, &mut sink).expect("a scan");
    findings
}

/// A row as one text: the fields that the count has, numbers as text.
fn line(row: &Map<String, Value>, names: &Map<String, Value>) -> String {
    let value = |name: &String| match row.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "—".to_owned(),
    };
    names.keys().map(|name| format!("{name}={}", value(name))).collect::<Vec<_>>().join(" ")
}

fn check(log: &str, at_least: &[(&str, usize)]) {
    let Some(rules) = published() else { return };
    let counted = expected(log);
    for (rule, rows) in at_least {
        assert!(counted[*rule].len() >= *rows, "the count of {rule} in {log} has too few rows to tell anything");
    }
    let findings = found(rules, log);
    for (rule, rows) in &counted {
        let names = rows.first().cloned().unwrap_or_default();
        let mut wanted: Vec<String> = rows.iter().map(|row| line(row, &names)).collect();
        let of_rule = findings.iter().filter(|finding| finding.rule.name == *rule);
        let mut got: Vec<String> = of_rule
            .map(|finding| match serde_json::to_value(finding) {
                Ok(value) => line(value["fields"].as_object().expect("fields"), &names),
                Err(error) => error.to_string(),
            })
            .collect();
        wanted.sort();
        got.sort();
        assert_eq!(got, wanted, "{rule} in {log}");
    }
}

#[test]
fn a_real_log_gives_what_was_counted_by_hand() {
    check(
        "log",
        &[
            ("Kubernetes Node Port Creation", 1),
            ("Kubernetes Access Scanning", 1),
            ("Kubernetes DaemonSet Deployed", 7),
            ("Kubernetes Cron Job Creation", 3),
            ("Kubernetes Pod Created in Default Namespace", 10),
            ("Kubernetes Abuse of Secret by Unusual Location", 14),
            ("Kubernetes Abuse of Secret by Unusual User Agent", 14),
            ("Kubernetes Abuse of Secret by Unusual User Group", 14),
            ("Kubernetes Abuse of Secret by Unusual User Name", 14),
        ],
    );
}

#[test]
fn a_changed_log_gives_what_was_counted_by_hand() {
    check(
        "changed",
        &[
            ("Kubernetes Create or Update Privileged Pod", 4),
            ("Kubernetes Unauthorized Access", 4),
            ("Kubernetes AWS detect suspicious kubectl calls", 16),
        ],
    );
}

/// The expected rows are what jq gives, where there is a jq to ask.
#[test]
fn the_count_is_what_jq_gives() {
    for log in ["log", "changed"] {
        let program = here().join("hand_count.jq");
        let run =
            Command::new("jq").args(["-n", "-S", "-f"]).arg(program).arg(here().join(format!("{log}.jsonl"))).output();
        let Ok(run) = run else {
            eprintln!("skipped: there is no jq");
            return;
        };
        let rows: Rows = serde_json::from_slice(&run.stdout).expect("JSON from jq");
        assert_eq!(rows, expected(log), "{log}");
    }
}
