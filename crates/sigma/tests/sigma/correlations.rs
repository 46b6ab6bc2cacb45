//! What correlations become, and which of their rules still fire by themselves.

use std::fmt::Write as _;

use masthead_ir::pipeline::Stage;
use masthead_ir::rule::Status;

use crate::harness::{codes, compile_files, filter, find, meets, pipeline, told};

/// Two rules for Kubernetes, and one for another log source.
const RULES: &str = "\
title: Denied
id: 11111111-1111-4111-8111-111111111111
name: denied
logsource: {product: kubernetes, service: audit}
detection:
  sel: {responseStatus.code: 403}
  condition: sel
---
title: Exec
id: 22222222-2222-4222-8222-222222222222
name: exec
logsource: {product: kubernetes, service: audit}
detection:
  sel: {objectRef.subresource: exec}
  condition: sel
---
title: Logon
name: logon
logsource: {product: windows, service: security}
detection:
  sel: {EventID: 4624}
  condition: sel
";

/// The rules with a correlation `c` in a document behind them; its body is indented by two blanks.
fn with(body: &str) -> String {
    let body: String = body.lines().map(|line| format!("  {line}\n")).collect();
    format!("{RULES}---\ntitle: Correlated\nid: c\ncorrelation:\n{body}")
}

/// The stages of a correlation up to what is shown, or why there are none.
fn shape(body: &str) -> String {
    let set = compile_files(&[("r.yml", &with(body))]);
    let compiled = find(&set, "c");
    if compiled.rule.is_none() {
        return format!("{:?}\n{}", compiled.status, told(&compiled.diagnostics));
    }
    let mut lines = String::new();
    for stage in pipeline(compiled).stages {
        match stage {
            Stage::Keep { .. } | Stage::Rename(_) => {}
            Stage::Correlate(correlation) => {
                write!(lines, "by {:?} within {}\n{:?}", correlation.by, correlation.within, correlation.kind).unwrap();
            }
            other => writeln!(lines, "{other:?}").unwrap(),
        }
    }
    lines
}

/// Holds the shapes of correlations against a snapshot.
fn keep(name: &str, bodies: &[&str]) {
    let shapes: Vec<String> = bodies.iter().map(|body| format!("{body}\n=> {}\n", shape(body))).collect();
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!(name, shapes.join("\n"));
    });
}

#[test]
fn counts_and_values_become_thresholds() {
    keep(
        "thresholds",
        &[
            "type: event_count\nrules: denied\ngroup-by: [user.username]\ntimespan: 5m\ncondition: {gte: 10}",
            "type: event_count\nrules: [denied, exec]\ntimespan: 90s\ncondition: {gt: 1, lte: 200}",
            "type: value_count\nrules: [denied]\ngroup-by: user.username\ntimespan: 1h\ncondition: {field: objectRef.name, neq: 3}",
            "type: value_count\nrules: [denied]\ntimespan: 1h\ncondition: {field: [a, b], eq: 3}",
            "type: value_sum\nrules: [denied]\ntimespan: 1d\ncondition: {field: bytes, gt: 1.5}",
            "type: value_avg\nrules: [denied]\ntimespan: 1w\ncondition: {field: bytes, lt: 5}",
            "type: value_median\nrules: [denied]\ntimespan: 1M\ncondition: {field: bytes, lt: 5}",
            "type: value_percentile\nrules: [denied]\ntimespan: 1y\ncondition: {field: bytes, percentile: 95, gte: 5}",
        ],
    );
}

#[test]
fn several_rules_in_time_become_steps() {
    keep(
        "steps",
        &[
            "type: temporal\nrules: [denied, exec]\ngroup-by: [user.username, sourceIPs]\ntimespan: 5m",
            "type: temporal_ordered\nrules: [exec, denied]\ngroup-by: [user.username]\ntimespan: 5m",
            "type: temporal\nrules: [denied, exec]\ntimespan: 5m\ncondition: {gte: 2}",
            "type: temporal\nrules: [denied, exec]\ntimespan: 5m\ncondition: {gt: 1}",
            "type: temporal\nrules: [denied, exec]\ntimespan: 5m\ncondition: {gte: 1}",
            "type: temporal\nrules: [denied, exec]\ntimespan: 5m\ncondition: denied and not exec",
        ],
    );
}

#[test]
fn groups_are_read_as_the_rules_read_their_fields() {
    keep(
        "groups",
        &[
            "type: event_count\nrules: [denied]\ngroup-by: [user, sourceIP]\ntimespan: 5m\ncondition: {gte: 10}",
            "type: value_count\nrules: [denied]\ntimespan: 5m\ncondition: {field: namespace, gte: 10}",
            "type: temporal\nrules: [denied, logon]\ngroup-by: [user]\ntimespan: 5m",
        ],
    );
}

#[test]
fn aliases_take_the_field_of_each_rule() {
    let alias = "aliases:\n  who:\n    denied: user.username\n    logon: TargetUserName";
    let by_id = "aliases:\n  who:\n    denied: user";
    keep(
        "aliases",
        &[
            &format!("type: temporal\nrules: [denied, logon]\n{alias}\ngroup-by: [who, host]\ntimespan: 5m"),
            &format!(
                "type: event_count\nrules: [denied, logon]\n{alias}\ngroup-by: [who]\ntimespan: 5m\ncondition: {{gte: 3}}"
            ),
            &format!(
                "type: temporal\nrules: [11111111-1111-4111-8111-111111111111]\n{by_id}\ngroup-by: [who]\ntimespan: 5m"
            ),
            &format!("type: temporal\nrules: [denied, exec]\n{alias}\ngroup-by: [who]\ntimespan: 5m"),
        ],
    );
}

#[test]
fn faulty_correlations_say_what_is_wrong() {
    keep(
        "faults",
        &[
            "type: event_cuont\nrules: [denied]\ntimespan: 5m\ncondition: {gte: 1}",
            "type: something\nrules: [denied]\ntimespan: 5m\ncondition: {gte: 1}",
            "rules: [denied]\ntimespan: 5m\ncondition: {gte: 1}",
            "type: event_count\ntimespan: 5m\ncondition: {gte: 1}",
            "type: event_count\nrules: []\ntimespan: 5m\ncondition: {gte: 1}",
            "type: event_count\nrules: [deneid]\ntimespan: 5m\ncondition: {gte: 1}",
            "type: event_count\nrules: [something-else]\ntimespan: 5m\ncondition: {gte: 1}",
            "type: event_count\nrules: [denied]\ncondition: {gte: 1}",
            "type: event_count\nrules: [denied]\ntimespan: 5\ncondition: {gte: 1}",
            "type: event_count\nrules: [denied]\ntimespan: 5x\ncondition: {gte: 1}",
            "type: event_count\nrules: [denied]\ntimespan: -5m\ncondition: {gte: 1}",
            "type: event_count\nrules: [denied]\ntimespan: 99999999999999y\ncondition: {gte: 1}",
            "type: event_count\nrules: [denied]\ntimespan: 5m",
            "type: event_count\nrules: [denied]\ntimespan: 5m\ncondition: {field: a}",
            "type: event_count\nrules: [denied]\ntimespan: 5m\ncondition: {gte: many}",
            "type: event_count\nrules: [denied]\ntimespan: 5m\ncondition: {ge: 1}",
            "type: value_count\nrules: [denied]\ntimespan: 5m\ncondition: {gte: 1}",
            "type: value_sum\nrules: [denied]\ntimespan: 5m\ncondition: {field: [a, b], gte: 1}",
            "type: value_percentile\nrules: [denied]\ntimespan: 5m\ncondition: {field: a, lte: 1}",
            "type: value_percentile\nrules: [denied]\ntimespan: 5m\ncondition: {field: a, lte: 1, percentile: 101}",
        ],
    );
}

#[test]
fn a_correlation_sees_the_events_of_its_rules() {
    let body = "type: event_count\nrules:\n  - denied\n  - 22222222-2222-4222-8222-222222222222\ntimespan: 5m\ncondition: {gte: 1}";
    let set = compile_files(&[("r.yml", &with(body))]);
    let filter = filter(find(&set, "c"));
    assert!(meets(&filter, r#"{"responseStatus":{"code":403}}"#, ""));
    assert!(meets(&filter, r#"{"objectRef":{"subresource":"exec"}}"#, ""));
    assert!(!meets(&filter, r#"{"EventID":4624}"#, "windows.security"));
}

#[test]
fn rules_of_a_correlation_fire_alone_only_if_it_says_so() {
    let enabled = |text: &str| {
        let set = compile_files(&[("r.yml", text)]);
        set.rules.iter().map(|compiled| compiled.rule.as_ref().unwrap().enabled).collect::<Vec<_>>()
    };
    let body = "type: event_count\nrules: [denied]\ntimespan: 5m\ncondition: {gte: 1}";
    assert_eq!(enabled(&with(body)), [false, true, true, true]);
    assert_eq!(enabled(&with(&format!("{body}\ngenerate: true"))), [true; 4]);
    assert_eq!(enabled(&format!("{}generate: true\n", with(body))), [true; 4]);
    assert_eq!(enabled(&format!("{}generate: false\n", with(body))), [false, true, true, true]);
}

#[test]
fn rules_may_stand_in_other_files() {
    let body = "type: event_count\nrules: [denied]\ntimespan: 5m\ncondition: {gte: 1}";
    let alone = with(body).split("---\n").last().unwrap().to_owned();
    let set = compile_files(&[("a/correlation.yml", &alone), ("b/rules.yml", RULES)]);
    assert_eq!(find(&set, "c").status, Status::Runs);
    assert_eq!(codes(&compile_files(&[("a/correlation.yml", &alone)])), ["sigma-referred"]);
}

#[test]
fn correlations_over_correlations_and_broken_rules_do_not_run() {
    let first = "type: event_count\nrules: [denied]\ntimespan: 5m\ncondition: {gte: 1}";
    let second = "title: Second\nid: d\ncorrelation:\n  type: temporal\n  rules: [c, exec]\n  timespan: 1h\n";
    let set = compile_files(&[("r.yml", &format!("{}---\n{second}", with(first)))]);
    assert_eq!(find(&set, "c").status, Status::Runs);
    assert_eq!(find(&set, "d").status, Status::Unsupported);
    let broken = RULES.replace("condition: sel\n---\ntitle: Exec", "condition: nothing\n---\ntitle: Exec");
    let set = compile_files(&[("r.yml", &with(first).replace(RULES, &broken))]);
    assert_eq!(find(&set, "c").status, Status::Unsupported);
    assert_eq!(codes(&set), ["sigma-condition", "sigma-referred"]);
}
