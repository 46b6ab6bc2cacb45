//! What Python rules see of events and of the host. What findings they make is told by the engine's tests.

use serde_json::json;

use crate::fixture::{Folder, events};

/// How often a rule with this Python matches.
fn matches(python: &str, log: &str) -> u64 {
    let folder = Folder::new();
    folder.panther("rules/r", python).write("log.jsonl", log);
    let args =
        ["scan", "-r", "rules", "--log-type", "Amazon.EKS.Audit", "--summary", "none", "-f", "jsonl", "log.jsonl"];
    folder.run(&args).records().iter().filter_map(|record| record["count"].as_u64()).sum()
}

const LISTS: &str = "def rule(event):\n    return event.get('verb') == 'list'\n";

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
        let python = format!("def rule(event):\n    return {case}\n");
        assert_eq!(matches(&python, &events(0..1)), 1, "{case}");
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
