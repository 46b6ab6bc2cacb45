//! Reading policies.

use masthead_ir::Diagnostic;
use masthead_policy::{CODES, Policy};
use proptest::prelude::*;

use crate::MIXED;

fn shown(found: &[Diagnostic]) -> String {
    let line = |found: &Diagnostic| {
        let (line, column) = found.span.as_ref().unwrap().line_column();
        let help = found.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{line}:{column} {:?} {}: {}{help}", found.level, found.code, found.message)
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn faults(text: &str) -> String {
    shown(&Policy::parse("policy.yaml", text).unwrap_err())
}

#[test]
fn a_policy_is_read_with_its_lines() {
    let policy = Policy::parse("policy.yaml", MIXED).unwrap();
    assert_eq!(policy.rules.iter().map(|rule| rule.line).collect::<Vec<_>>(), [4, 7, 13, 15]);
    assert_eq!(policy.rules[1].resources[0].resources, ["secrets", "configmaps", "serviceaccounts/token"]);
    assert!(policy.warnings.is_empty());
}

#[test]
fn what_the_api_server_refuses_is_an_error_with_a_place() {
    insta::assert_snapshot!(faults(
        r#"apiVersion: audit.k8s.io/v1beta1
kind: Policies
omitStage: [RequestReceived]
omitStages: [Received, requestreceived]
omitManagedFields: "yes"
rules:
  - level: metadata
  - levels: Metadata
  - level: RequestRespons
    verb: [get]
  - level: Metadata
    verbs: get
    users: [1]
    nonResourceURLs: ["healthz", "/a*b", "*", "/c*"]
    namespaces: [a]
    resources:
      - group: apps/v1
        resource: [deployments]
      - group: "*"
        resourceNames: [x]
      - pods
  - 7
"#
    ));
}

#[test]
fn what_is_odd_is_a_warning() {
    let policy = Policy::parse(
        "policy.yaml",
        r#"apiVersion: audit.k8s.io/v1
kind: Policy
metadata: {name: ours}
rules:
  - level: Metadata
    verbs: [creat, impersonate, "*", post]
    users: ["system:*"]
    resources: [{group: "", resources: [deployments, pods]}, {group: example.com, resources: [pods]}]
"#,
    );
    insta::assert_snapshot!(shown(&policy.unwrap().warnings));
}

#[test]
fn there_is_no_policy_without_rules() {
    let header = "apiVersion: audit.k8s.io/v1\nkind: Policy\n";
    let texts =
        ["", "[]", "a: [", header, &format!("{header}rules: []\n"), &format!("{header}rules: 1\nkind: Policy\n")];
    let all: Vec<String> = texts.iter().map(|text| faults(text)).collect();
    insta::assert_snapshot!(all.join("\n---\n"));
}

#[test]
fn codes_are_sorted() {
    assert!(CODES.is_sorted());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_never_panics(text in any::<String>()) {
        let _ = Policy::parse("policy.yaml", &text);
    }

    #[test]
    fn reading_what_is_nearly_a_policy_never_panics(
        cut in 0..MIXED.len(),
        with in "[-a-z*\"'{}\\[\\]:é \n#&|>]{0,6}",
        skip in 0usize..12,
    ) {
        let rest = MIXED.get(cut + skip..).unwrap_or_default();
        let _ = Policy::parse("policy.yaml", &format!("{}{with}{rest}", &MIXED[..cut]));
    }
}
