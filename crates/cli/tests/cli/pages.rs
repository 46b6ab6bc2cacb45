//! What is told of rules: pages, traces, coverage, lists, policies, and what `check` says beside what compiles.

#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::fixture::Folder;

const RULE: &str = "\
title: Secret listed
id: 5a1f6a3e-0a5f-4c53-9a5c-0d2f6a6b7c01
logsource: {product: kubernetes, service: audit}
detection:
  selection:
    objectRef.resource: secrets
    verb: list
  filter_system:
    user.username|startswith: 'system:'
  condition: selection and not 1 of filter_*
level: medium
tags: [attack.t1552.007]
";

const BODY_RULE: &str = "\
title: Secret of a type
id: 5a1f6a3e-0a5f-4c53-9a5c-0d2f6a6b7c02
logsource: {product: kubernetes, service: audit}
detection:
  selection:
    objectRef.resource: secrets
    verb: [create, replace]
    requestObject.type: Opaque
  condition: selection
level: low
";

const EVENT: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a1","stage":"ResponseComplete","requestURI":"/api/v1/secrets","verb":"list","user":{"username":"system:admin"},"sourceIPs":["192.0.2.1"],"objectRef":{"resource":"secrets","apiVersion":"v1"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-11-20T10:00:00Z","stageTimestamp":"2026-11-20T10:00:00Z"}"#;

const POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: Metadata
";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("rules/listed.yml", RULE).write("rules/typed.yml", BODY_RULE);
    folder.write("log.jsonl", EVENT).write("policy.yaml", POLICY);
    folder
}

#[test]
fn a_rule_is_explained_by_name_file_and_id() {
    let folder = folder();
    for name in ["Secret listed", "listed", "5a1f6a3e-0a5f-4c53-9a5c-0d2f6a6b7c01"] {
        let run = folder.run(&["explain", name, "-r", "rules"]);
        assert_eq!(run.code, 0, "{}", run.err);
        assert!(run.out.contains("`verb` is `list`") && run.out.contains("begins with `system:`"), "{}", run.out);
    }
    let run = folder.run(&["explain", "rules/listed.yml", "-r", "rules", "-f", "json"]);
    let page: Json = serde_json::from_str(&run.out).unwrap();
    assert_eq!(page["rule"]["name"], "Secret listed");
    let run = folder.run(&["explain", "no such rule", "-r", "rules"]);
    assert_eq!((run.code, run.err.contains("masthead rules search")), (2, true), "{}", run.err);
}

#[test]
fn an_event_is_held_against_a_rule_part_by_part() {
    let folder = folder();
    let run = folder.run(&["explain", "listed", "-r", "rules", "--event", "log.jsonl"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("It does not pass") && run.out.contains("system:admin"), "{}", run.out);
}

#[test]
fn check_says_what_a_policy_hides_and_what_a_log_lacks() {
    let folder = folder();
    let run = folder.run(&["check", "rules", "-f", "jsonl", "--policy", "policy.yaml", "--against", "log.jsonl"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let codes = |rule: &str| -> Vec<String> {
        let records = run.out.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
        let own = records.filter(|record| record["path"].as_str().unwrap().ends_with(rule));
        own.flat_map(|record| {
            let all = record["diagnostics"].as_array().unwrap().clone();
            all.into_iter().map(|diagnostic| diagnostic["code"].as_str().unwrap().to_owned())
        })
        .collect()
    };
    let typed = codes("typed.yml");
    for code in ["impossible-value", "policy-blind", "never-seen-field"] {
        assert!(typed.iter().any(|own| own == code), "{code}: {typed:?}");
    }
    assert!(!codes("listed.yml").iter().any(|code| code.starts_with("policy")), "{}", run.out);
    let run = folder.write("bad.yaml", "kind: Policy\n").run(&["check", "rules", "--policy", "bad.yaml"]);
    assert_eq!(run.code, 2, "{}", run.err);
}

#[test]
fn the_policy_that_is_suggested_blinds_no_rule() {
    let folder = folder();
    let run = folder.run(&["policy", "suggest", "-r", "rules", "--log", "log.jsonl"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.err.contains("of 1 line of the log it would keep 1"), "{}", run.err);
    let run =
        folder.write("suggested.yaml", &run.out).run(&["check", "rules", "-f", "jsonl", "--policy", "suggested.yaml"]);
    assert!(!run.out.contains("policy-blind") && !run.out.contains("policy-partly-blind"), "{}", run.out);
}

#[test]
fn coverage_lists_searches_and_overlaps_are_told() {
    let folder = folder();
    let run = folder.run(&["coverage", "-r", "rules"]);
    assert!(run.code == 0 && run.out.contains("T1552.007"), "{run:?}");
    let run = folder.run(&["coverage", "-r", "rules", "-f", "navigator"]);
    let layer: Json = serde_json::from_str(&run.out).unwrap();
    assert_eq!(layer["domain"], "enterprise-attack");
    let run = folder.run(&["rules", "list", "-r", "rules", "-f", "jsonl"]);
    assert_eq!(run.out.lines().count(), 2, "{run:?}");
    let run = folder.run(&["rules", "search", "opaque", "-r", "rules"]);
    assert!(run.out.contains("Secret of a type") && !run.out.contains("Secret listed"), "{run:?}");
    folder.write("rules/again.yml", RULE.replace("7c01", "7c03").replace("Secret listed", "Secrets listed again"));
    let run = folder.run(&["rules", "overlap", "-r", "rules"]);
    assert!(run.out.contains("Secrets listed again"), "{run:?}");
    let run = folder.run(&["docs", "rules", "-r", "rules"]);
    assert!(run.out.contains("Secret listed") && run.out.contains("attack.mitre.org"), "{run:?}");
}

/// A folder beside the workspace, or in `MASTHEAD_SHARED`.
fn shared(folder: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("MASTHEAD_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"));
    Some(shared.join(folder)).filter(|path| path.is_dir())
}

#[test]
fn every_published_rule_that_is_kept_runs() {
    for (folder, number) in [("rules/sigma", 16), ("rules/falco", 48)] {
        let Some(rules) = shared(folder) else {
            eprintln!("skipped: {folder} is not there");
            continue;
        };
        let run = Folder::new().run(&["check", "-f", "jsonl", rules.to_str().unwrap()]);
        let runs = run.out.lines().filter(|line| line.contains("\"status\":\"runs\"")).count();
        assert_eq!((run.code, runs, run.out.lines().count()), (0, number, number), "{folder}");
    }
}

#[test]
fn the_policy_of_the_recording_blinds_the_rules_that_read_bodies_of_secrets_and_configuration() {
    let Some(data) = shared("data") else {
        eprintln!("skipped: the recording is not there");
        return;
    };
    let labels = std::fs::read_to_string(data.join("labels.yaml")).unwrap();
    let (documents, _) = masthead_rulefile::parse::parse(&labels).unwrap();
    let policy = documents[0].get("audit_policy").and_then(masthead_rulefile::Node::text).unwrap().to_owned();
    let folder = Folder::new();
    folder.write("policy.yaml", policy);
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let falco = shared("rules/falco").unwrap();
    let paths = [pack.to_str().unwrap(), falco.to_str().unwrap()];
    let run = folder.run(&["check", "-f", "jsonl", "--policy", "policy.yaml", paths[0], paths[1]]);
    let mut blind: Vec<String> = run
        .out
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap())
        .flat_map(|record| record["diagnostics"].as_array().unwrap().clone())
        .filter(|diagnostic| {
            diagnostic["code"] == "policy-blind" && diagnostic["help"].to_string().contains("policy rule")
        })
        .map(|diagnostic| diagnostic["message"].as_str().unwrap().split('`').nth(1).unwrap().to_owned())
        .collect();
    blind.sort();
    let expected = ["Create/Modify Configmap With Private Credentials", "Secret for a long-lived token requested"];
    assert_eq!(blind, expected);
}
