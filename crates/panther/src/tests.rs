//! Folders of content, compiled.

use std::collections::BTreeMap;
use std::path::PathBuf;

use masthead_ir::diagnostic::Level;
use masthead_ir::rule::{Body, CompileOptions, Compiled, Kind, RuleSet, Severity, Status, TestInput};
use masthead_rulefile::{Corpus, Dialect};
use serde_json::json;

use crate::{DIAGNOSTICS, Panther};

fn compile(files: &[(&str, &str)]) -> RuleSet {
    let files = files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect();
    let corpus = Corpus::from_memory(files);
    let claimed: Vec<_> = corpus.files.iter().filter(|file| Panther.claims(file)).cloned().collect();
    Panther.compile(&corpus, &claimed, &CompileOptions::default())
}

/// The diagnostics of a set as `code file:line:column`.
fn told(set: &RuleSet) -> Vec<String> {
    let of_rules = set.rules.iter().flat_map(|compiled| &compiled.diagnostics);
    let told = of_rules.chain(&set.diagnostics).map(|diagnostic| {
        let span = diagnostic.span.as_ref().unwrap();
        let (line, column) = span.line_column();
        assert!(DIAGNOSTICS.iter().any(|(code, _)| *code == diagnostic.code) || diagnostic.code.starts_with("yaml"));
        format!("{} {}:{line}:{column}", diagnostic.code, span.path.display())
    });
    told.collect()
}

fn find<'a>(set: &'a RuleSet, id: &str) -> &'a Compiled {
    set.rules.iter().find(|compiled| compiled.rule_id == id).unwrap()
}

const RULE: &str = r#"AnalysisType: rule
Filename: exec.py
RuleID: "K8s.Exec"
DisplayName: "Exec into a pod"
Enabled: true
LogTypes:
  - Amazon.EKS.Audit
Tags: [Kubernetes]
Reports:
  MITRE ATT&CK:
    - "TA0002:T1609" # Execution
    - TA0008:T1201.007
    - TA0001
Reference: https://example.com/exec
Severity: Info
CreateAlert: false
Description: >
  Somebody ran a command
  in a container.
DedupPeriodMinutes: 1440
Threshold: 3
SummaryAttributes:
  - user:username
Tests:
  - Name: exec
    ExpectedResult: true
    ExpectedTitle: exec!
    ExpectedSeverity: HIGH
    Mocks:
      - objectName: LIMIT
        returnValue: 5
    Log:
      verb: create
      setting: off
      objectRef: {"resource": "pods", "subresource": "exec"}
  - Name: no
    ExpectedResult: false
    Log: {}
"#;

const PROGRAM: &str = r#"from helpers import is_exec

def rule(event):
    return event.udm("verb") == "create" and is_exec(event)
"#;

const HELPER: &str = r#"
def is_exec(event):
    return event.deep_get("objectRef", "subresource") == "exec"
"#;

const MODEL: &str = r#"AnalysisType: datamodel
DataModelID: model
LogTypes: [Amazon.EKS.Audit, Other]
Filename: model.py
Enabled: true
Mappings:
  - Name: verb
    Path: $.verb
  - Name: actor
    Method: get_actor
"#;

fn content() -> Vec<(&'static str, &'static str)> {
    vec![
        ("content/rules/k8s/exec.yml", RULE),
        ("content/rules/k8s/exec.py", PROGRAM),
        ("content/global_helpers/helpers.yml", "AnalysisType: global\nFilename: helpers.py\nGlobalID: helpers\n"),
        ("content/global_helpers/helpers.py", HELPER),
        ("content/data_models/model.yml", MODEL),
        ("content/data_models/model.py", "def get_actor(event):\n    return event.get('actor')\n"),
    ]
}

#[test]
fn a_rule_with_its_helpers_and_data_model() {
    let set = compile(&content());
    assert_eq!(told(&set), Vec::<String>::new());
    let compiled = find(&set, "K8s.Exec");
    assert_eq!(compiled.status, Status::Runs);
    let rule = compiled.rule.as_ref().unwrap();
    assert_eq!(rule.name, "Exec into a pod");
    assert_eq!(rule.description, "Somebody ran a command in a container.");
    assert_eq!(rule.attack, ["T1609", "T1201.007"]);
    assert_eq!(rule.tags, ["Kubernetes", "https://example.com/exec"]);
    assert_eq!(rule.finding.kind, Kind::Signal);
    assert_eq!(rule.finding.severity, Severity::Informational);
    assert!(rule.enabled);
    let Body::Script(script, trigger) = &rule.body else { panic!("a pipeline") };
    assert_eq!((trigger.threshold, trigger.period_minutes, trigger.alert), (3, 1440, false));
    assert_eq!(trigger.summary, ["user:username"]);
    assert_eq!(script.log_types, ["Amazon.EKS.Audit"]);
    assert_eq!(
        crate::guard::testing::show(&script.guard),
        "(not log_type = \"Amazon.EKS.Audit\" or (p_log_type present and not p_log_type = \"Amazon.EKS.Audit\") \
         or (verb = \"create\" and objectRef.subresource = \"exec\"))"
    );
    assert_eq!(script.config["severity"], "informational");
    assert_eq!(
        script.config["data_models"],
        json!({"Amazon.EKS.Audit": {"module": "model", "mappings": [["verb", ["verb"], null], ["actor", null, "get_actor"]]}})
    );
    assert_eq!(&*script.library.modules["helpers"], HELPER);
    assert!(script.library.modules.contains_key(&script.library.entry.0));
}

#[test]
fn tests_of_a_rule() {
    let set = compile(&content());
    let rule = find(&set, "K8s.Exec").rule.clone().unwrap();
    let [exec, no] = rule.tests.as_slice() else { panic!("{:?}", rule.tests) };
    assert_eq!((exec.name.as_str(), exec.expect_match, exec.line), ("exec", true, 25));
    assert_eq!((no.name.as_str(), no.expect_match, no.line), ("no", false, 36));
    let expected = BTreeMap::from([("title", "exec!"), ("severity", "high")]);
    assert_eq!(exec.expect, expected.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect());
    assert_eq!(exec.mocks, [("LIMIT".to_owned(), json!(5))]);
    let log = json!({"verb": "create", "setting": "off", "objectRef": {"resource": "pods", "subresource": "exec"}});
    assert_eq!(exec.input, TestInput::Inline(log));
}

#[test]
fn defaults() {
    let yaml = "AnalysisType: rule\nFilename: r.py\nRuleID: R\nLogTypes: [A]\nSeverity: critical\n";
    let set = compile(&[("r.yml", yaml), ("r.py", "def rule(event):\n    return True\n")]);
    let rule = find(&set, "R").rule.clone().unwrap();
    let Body::Script(_, trigger) = &rule.body else { panic!("a pipeline") };
    assert_eq!((trigger.threshold, trigger.period_minutes, trigger.alert), (1, 60, true));
    assert_eq!(
        (rule.name.as_str(), rule.finding.kind, rule.finding.severity),
        ("R", Kind::Finding, Severity::Critical)
    );
    assert!(rule.enabled);
}

/// The rule with a line replaced or left out, and its Python.
fn with(line: &str, replacement: &str, program: &str) -> RuleSet {
    assert!(RULE.contains(line));
    let rule = RULE.replace(line, replacement);
    let mut files = content();
    files[0].1 = &rule;
    files[1].1 = program;
    compile(&files)
}

#[test]
fn faults_are_told_at_their_place() {
    let yml = "content/rules/k8s/exec.yml";
    let py = "content/rules/k8s/exec.py";
    let fine = PROGRAM;
    let cases = [
        (with("RuleID: \"K8s.Exec\"\n", "", fine), format!("missing-key {yml}:1:1")),
        (with("Severity: Info", "Severity: Awful", fine), format!("bad-value {yml}:15:11")),
        (with("Severity: Info\n", "", fine), format!("missing-key {yml}:1:1")),
        (with("Filename: exec.py", "Filename: gone.py", fine), format!("missing-file {yml}:2:11")),
        (with("Filename: exec.py", "Filename: ../../exec.py", fine), format!("bad-value {yml}:2:11")),
        (with("Filename: exec.py", "Filename: /etc/passwd", fine), format!("bad-value {yml}:2:11")),
        (with("Filename: exec.py\n", "", fine), format!("missing-key {yml}:1:1")),
        (with("Threshold: 3", "Threshold: -3", fine), format!("bad-value {yml}:21:12")),
        (with("Enabled: true", "Enabled: maybe", fine), format!("bad-value {yml}:5:10")),
        (with("LogTypes:\n  - Amazon.EKS.Audit\n", "", fine), format!("missing-key {yml}:1:1")),
        (with("    ExpectedResult: false\n", "", fine), format!("missing-key {yml}:36:5")),
        (with("x", "x", "def rule(event):\n    return (1 +\n"), format!("python-syntax {py}:2:16")),
        (with("x", "x", "def rule(event):\n    retrun True\n"), format!("python-syntax {py}:2:12")),
        (with("x", "x", "def title(event):\n    return ''\n"), format!("missing-function {py}:1:1")),
        (with("AnalysisType: rule", "AnalysisType: rul", fine), format!("analysis-type {yml}:1:15")),
    ];
    for (set, expected) in cases {
        assert_eq!(told(&set), std::slice::from_ref(&expected));
        let compiled = set.rules.first().unwrap();
        assert_eq!(compiled.status, Status::Invalid, "{expected}");
        assert!(compiled.rule.is_none(), "{expected}");
    }
}

#[test]
fn what_cannot_run_here_is_told() {
    let cases = [
        ("AnalysisType: policy\nPolicyID: X\n", 1, 1),
        ("AnalysisType: lookup_table\nLookupName: X\n", 1, 1),
        ("AnalysisType: rule\nRuleID: X\nDetection:\n  - Key: verb\n", 3, 1),
        ("RuleID: X\nAnalysisType: rule\nBaseDetection: Y\n", 3, 1),
    ];
    for (yaml, line, column) in cases {
        let set = compile(&[("x.yml", yaml)]);
        assert_eq!(told(&set), [format!("unsupported-type x.yml:{line}:{column}")]);
        assert_eq!(find(&set, "X").status, Status::Unsupported);
    }
    let quiet = compile(&[("p.yml", "AnalysisType: pack\nPackID: P\n"), ("x.py", "x = (")]);
    assert!(quiet.rules.is_empty() && quiet.diagnostics.is_empty());
}

#[test]
fn inline_filters_make_a_rule_partial() {
    let empty = with("CreateAlert: false", "CreateAlert: false\nInlineFilters:\n  - All: []", PROGRAM);
    assert_eq!((told(&empty), find(&empty, "K8s.Exec").status), (Vec::new(), Status::Runs));
    let filter = "CreateAlert: false\nInlineFilters:\n  - KeyPath: verb\n    Condition: Equals\n    Value: get";
    let set = with("CreateAlert: false", filter, PROGRAM);
    assert_eq!(told(&set), ["inline-filters content/rules/k8s/exec.yml:18:3"]);
    assert_eq!(find(&set, "K8s.Exec").status, Status::Partial);
    assert!(find(&set, "K8s.Exec").rule.is_some());
}

#[test]
fn packages_that_do_not_exist_here_make_a_rule_partial() {
    let cases = [
        ("import pycountry\n", &["absent-package content/rules/k8s/exec.py:1:1"][..]),
        ("import json, policyuniverse.policy as p\n", &["absent-package content/rules/k8s/exec.py:1:1"]),
        ("import re\nfrom policyuniverse.policy import Policy\n", &["absent-package content/rules/k8s/exec.py:2:1"]),
        ("from dateutil import parser\nfrom helpers import is_exec\nfrom . import requests\n", &[]),
    ];
    for (imports, expected) in cases {
        let set = with("x", "x", &format!("{imports}def rule(event):\n    return True\n"));
        assert_eq!(told(&set), expected, "{imports}");
        let status = if expected.is_empty() { Status::Runs } else { Status::Partial };
        assert_eq!((find(&set, "K8s.Exec").status, find(&set, "K8s.Exec").rule.is_some()), (status, true), "{imports}");
    }
}

#[test]
fn a_second_rule_of_an_id_is_refused() {
    let mut files = content();
    files.push(("content/rules/z/again.yml", RULE));
    files.push(("content/rules/z/exec.py", PROGRAM));
    let set = compile(&files);
    assert_eq!(told(&set), ["duplicate-rule-id content/rules/z/again.yml:3:9"]);
    assert_eq!(set.rules.iter().map(|rule| rule.status).collect::<Vec<_>>(), [Status::Runs, Status::Invalid]);
}

#[test]
fn faults_of_shared_files_leave_the_rules_alone() {
    let mut files = content();
    files[3].1 = "def is_exec(event:\n";
    let model = MODEL.replace("$.verb", "$.verb[0]").replace("get_actor", "get_nobody");
    files[4].1 = &model;
    files.push(("content/global_helpers/unittest.yml", "AnalysisType: global\nFilename: unittest.py\n"));
    files.push(("content/global_helpers/unittest.py", "x = 1\n"));
    let set = compile(&files);
    assert_eq!(
        told(&set),
        [
            "python-syntax content/global_helpers/helpers.py:1:19",
            "duplicate-module content/global_helpers/unittest.yml:2:1",
            "data-model-path content/data_models/model.yml:8:11",
            "missing-function content/data_models/model.yml:10:13",
        ]
    );
    assert_eq!(find(&set, "K8s.Exec").status, Status::Runs);
    assert!(set.diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error));
}
