//! What Python rules make of events: each case is a rule, events, and the findings they must give. Semantics are those of
//! Panther's documentation, "Writing Python Detections" and "Detection Functions".

use serde_json::{Value as Json, json};

use crate::fixture::{Folder, event, events};

/// A rule: further lines of its YAML, and its Python.
struct Rule {
    yaml: &'static str,
    python: &'static str,
}

fn found(rule: &Rule, log: &str) -> Vec<Json> {
    let folder = Folder::new();
    let yaml = format!(
        "AnalysisType: rule\nRuleID: The.Rule\nDisplayName: The name\nFilename: r.py\nEnabled: true\n\
         LogTypes: [Amazon.EKS.Audit]\nSeverity: Medium\n{}",
        rule.yaml
    );
    folder.write("rules/r.yml", yaml).write("rules/r.py", rule.python).write("log.jsonl", log);
    let args =
        ["scan", "-r", "rules", "--log-type", "Amazon.EKS.Audit", "--summary", "none", "-f", "jsonl", "log.jsonl"];
    folder.run(&args).records()
}

/// The findings, of each what `parts` names (a key, or two keys with a dot between).
fn check(rule: &Rule, log: &str, parts: &[&str], expected: &[Json]) {
    let part = |record: &Json, name: &str| match name.split_once('.') {
        Some((outer, inner)) => record[outer][inner].clone(),
        None => record[name].clone(),
    };
    let got: Vec<Json> =
        found(rule, log).iter().map(|record| parts.iter().map(|name| part(record, name)).collect()).collect();
    assert_eq!(got, expected, "{}{}", rule.yaml, rule.python);
}

const LISTS: &str = "def rule(event):\n    return event.get('verb') == 'list'\n";

#[test]
fn matches_with_one_dedup_string_are_one_finding_within_the_period() {
    // Event n comes n seconds after 03:00.
    let log = events(0..3) + &events(1_300..1_302) + &event(3_000, "get");
    for (yaml, expected) in [
        ("", vec![json!([3, "The name"]), json!([2, "The name"])]),
        ("DedupPeriodMinutes: 15\n", vec![json!([3, "The name"]), json!([2, "The name"])]),
        ("DedupPeriodMinutes: 60\n", vec![json!([5, "The name"])]),
        ("Threshold: 3\nDedupPeriodMinutes: 15\n", vec![json!([3, "The name"])]),
        ("Threshold: 5\nDedupPeriodMinutes: 60\n", vec![json!([5, "The name"])]),
        ("Threshold: 6\nDedupPeriodMinutes: 60\n", vec![]),
    ] {
        // Without a period of its own a rule has an hour.
        let expected = if yaml.is_empty() { vec![json!([5, "The name"])] } else { expected };
        check(&Rule { yaml, python: LISTS }, &log, &["count", "title"], &expected);
    }
}

#[test]
fn functions_say_what_a_finding_is() {
    let log = events(0..4);
    let cases: &[(&str, &[&str], &[Json])] = &[
        // dedup() groups; without it the title does.
        (
            "def dedup(event):\n    return str(int(event.get('auditID')[-1]) % 2)\n",
            &["count", "details.dedup"],
            &[json!([2, "0"]), json!([2, "1"])],
        ),
        (
            "def title(event):\n    return 'by ' + event.deep_get('user', 'username')\n",
            &["count", "title", "details.dedup"],
            &[json!([4, "by eve", "by eve"])],
        ),
        ("def severity(event):\n    return 'CRITICAL'\n", &["severity"], &[json!(["critical"])]),
        ("def severity(event):\n    return 'DEFAULT'\n", &["severity"], &[json!(["medium"])]),
        ("def severity(event):\n    return 'dreadful'\n", &["severity"], &[json!(["medium"])]),
        ("def severity(event):\n    raise ValueError()\n", &["severity", "count"], &[json!(["medium", 4])]),
        ("def title(event):\n    raise KeyError('x')\n", &["title"], &[json!(["The name"])]),
        ("def title(event):\n    return 7\n", &["title"], &[json!(["The name"])]),
        ("def dedup(event):\n    return ''\n", &["details.dedup", "count"], &[json!(["The name", 4])]),
        ("def destinations(event):\n    return ['a', 'b']\n", &["details.destinations"], &[json!([["a", "b"]])]),
        ("def destinations(event):\n    return []\n", &["details.destinations"], &[json!([[]])]),
        ("def runbook(event):\n    return 'call them'\n", &["details.runbook"], &[json!(["call them"])]),
        (
            "def alert_context(event):\n    return {'who': event.deep_get('user', 'username'), 'n': 1}\n",
            &["fields"],
            &[json!([{"who": "eve", "n": 1}])],
        ),
        ("def alert_context(event):\n    return {'bad': object()}\n", &["fields", "count"], &[json!([{}, 4])]),
        ("def alert_context(event):\n    return [1]\n", &["fields", "count"], &[json!([{}, 4])]),
        ("def title(event):\n    return 'x' * 5000\n", &["details.destinations", "count"], &[json!([null, 4])]),
    ];
    for (functions, parts, expected) in cases {
        let python: &'static str = Box::leak(format!("{LISTS}{functions}").into_boxed_str());
        check(&Rule { yaml: "", python }, &log, parts, expected);
    }
}

#[test]
fn the_file_says_whether_it_is_an_alert_and_what_is_summed_up() {
    let log = events(0..2);
    check(&Rule { yaml: "CreateAlert: false\n", python: LISTS }, &log, &["kind"], &[json!(["signal"])]);
    check(&Rule { yaml: "CreateAlert: true\n", python: LISTS }, &log, &["kind"], &[json!(["finding"])]);
    let summed = json!({"user:username": {"eve": 2}, "p_any_ip_addresses": {"192.0.2.7": 2}});
    let yaml = "SummaryAttributes: [\"user:username\", p_any_ip_addresses, gone]\n";
    let mut expected = summed;
    expected["gone"] = json!({});
    check(&Rule { yaml, python: LISTS }, &log, &["details.summary", "audit_id_count"], &[json!([expected, 2])]);
    let entities = json!([
        {"type": "ip_address", "value": "192.0.2.7", "role": "threat", "risk_score": null},
        {"type": "user", "value": "eve", "role": "risk", "risk_score": null},
    ]);
    check(&Rule { yaml: "", python: LISTS }, &log, &["entities"], &[json!([entities])]);
}

#[test]
fn the_event_is_what_panther_gives() {
    let cases = [
        "event.get('p_log_type') == 'Amazon.EKS.Audit'",
        "event['p_event_time'] == '2026-01-02 03:00:00.000000000'",
        "event.get('p_any_usernames') == ['eve']",
        "event.deep_get('objectRef', 'resource') == 'pods'",
        "event.deep_get('objectRef', 'gone', default='d') == 'd'",
        "event.deep_walk('user', 'groups') == ['dev', 'system:authenticated']",
        "'verb' in event and 'gone' not in event",
        "event.get('p_source_label') is not None and event.get('p_row_id') is not None",
    ];
    for case in cases {
        let python: &'static str = Box::leak(format!("def rule(event):\n    return {case}\n").into_boxed_str());
        check(&Rule { yaml: "", python }, &events(0..1), &["count"], &[json!([1])]);
    }
}

#[test]
fn data_models_and_helpers_are_found() {
    let folder = Folder::new();
    let rule = "AnalysisType: rule\nRuleID: The.Rule\nFilename: r.py\nEnabled: true\nLogTypes: [Amazon.EKS.Audit]\nSeverity: Low\n\
                Tests:\n- Name: yes\n  ExpectedResult: true\n  Mocks:\n  - objectName: ask\n    returnValue: \"true\"\n  Log: {p_log_type: Amazon.EKS.Audit, verb: list, user: {username: eve}}\n\
                - Name: no\n  ExpectedResult: false\n  Mocks:\n  - objectName: ask\n    returnValue: \"\"\n  Log: {p_log_type: Amazon.EKS.Audit, verb: list, user: {username: eve}}\n";
    let python = "from our_helpers import ask\ndef rule(event):\n    return event.udm('actor') == 'eve' and event.udm('shout') == 'LIST' and bool(ask())\n";
    let model = "AnalysisType: datamodel\nDataModelID: M\nDisplayName: M\nEnabled: true\nFilename: m.py\nLogTypes: [Amazon.EKS.Audit]\n\
                 Mappings:\n- Name: actor\n  Path: user.username\n- Name: shout\n  Method: shout\n";
    folder
        .write("content/rules/r.yml", rule)
        .write("content/rules/r.py", python)
        .write("content/data_models/m.yml", model)
        .write("content/data_models/m.py", "def shout(event):\n    return event.get('verb').upper()\n")
        .write(
            "content/global_helpers/our_helpers.yml",
            "AnalysisType: global\nGlobalID: our_helpers\nFilename: our_helpers.py\n",
        )
        .write("content/global_helpers/our_helpers.py", "def ask():\n    return 'yes'\n")
        .write("log.jsonl", events(0..1));
    let run = folder.run(&["test", "content"]);
    assert_eq!(
        (run.code, run.out.lines().last()),
        (0, Some("2 tests: 2 passed, 0 failed, 0 could not be run")),
        "{run:?}"
    );
    let args = ["scan", "-r", "content/rules", "--log-type", "Amazon.EKS.Audit", "-f", "jsonl", "log.jsonl"];
    assert_eq!(folder.run(&args).records().len(), 1, "helpers and models stand above the folder that was named");
}

#[test]
fn the_host_is_out_of_reach_and_the_others_run() {
    let folder = Folder::new();
    folder.write("log.jsonl", events(0..2));
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "s").unwrap();
    let cases = [
        ("opens", format!("def rule(event):\n    return open({:?}).read() == 's'\n", secret.to_str().unwrap())),
        ("connects", "import socket\ndef rule(event):\n    return True\n".to_owned()),
        ("starts", "import subprocess\ndef rule(event):\n    return True\n".to_owned()),
        ("runs", "import os\ndef rule(event):\n    return os.system('true') == 0\n".to_owned()),
        ("reads", "from pathlib import Path\ndef rule(event):\n    return Path('/etc/passwd').exists()\n".to_owned()),
    ];
    for (name, python) in &cases {
        folder.panther(&format!("rules/{name}"), python);
    }
    folder.panther("rules/good", LISTS);
    let args =
        ["scan", "-r", "rules", "--log-type", "Amazon.EKS.Audit", "--summary", "json", "-f", "jsonl", "log.jsonl"];
    let run = folder.run(&args);
    assert_eq!(run.fired(), ["good"], "{run:?}");
    let summary = run.summary();
    for (name, _) in &cases[..4] {
        let rules = summary["rules"].as_array().unwrap();
        let rule = rules.iter().find(|rule| rule["rule_id"] == json!(name)).unwrap();
        assert_eq!(rule["diagnostics"].as_array().map(Vec::len), Some(1), "{rule}");
    }
}
