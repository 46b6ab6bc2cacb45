//! Correlation rules, compiled and tested.

use std::path::PathBuf;

use masthead_ir::rule::{Body, CompileOptions, RuleSet, Status};
use masthead_rulefile::{Corpus, Dialect};

use super::run_tests;
use crate::Panther;

fn files(yaml: &str) -> Corpus {
    let rule = |id: &str| {
        format!("AnalysisType: rule\nRuleID: {id}\nFilename: {id}.py\nLogTypes: [Amazon.EKS.Audit]\nSeverity: Low\n")
    };
    let verb = |verb: &str| format!("def rule(event):\n    return event.get('verb') == '{verb}'\n");
    let all = [
        ("c.yml", yaml.to_owned()),
        ("Read.yml", rule("Read")),
        ("Read.py", verb("get")),
        ("Write.yml", rule("Write")),
        ("Write.py", verb("create")),
        ("Both.yml", rule("Both").replace("[Amazon.EKS.Audit]", "[Amazon.EKS.Audit, Other.Log]")),
        ("Both.py", verb("patch")),
        ("Odd.yml", rule("Odd")),
        ("Odd.py", "import random\n\ndef rule(event):\n    return random.random() > 0.5\n".to_owned()),
    ];
    Corpus::from_memory(all.into_iter().map(|(path, text)| (PathBuf::from(path), text)).collect())
}

fn compile(yaml: &str) -> RuleSet {
    let corpus = files(yaml);
    let claimed: Vec<_> = corpus.files.iter().filter(|file| Panther.claims(file)).cloned().collect();
    let mut set = Panther.compile(&corpus, &claimed, &CompileOptions::default());
    set.rules.retain(|compiled| compiled.rule_id == "C");
    set
}

const HEAD: &str = "AnalysisType: correlation_rule\nRuleID: C\nSeverity: High\nDetection:\n";

const GROUP: &str = "  - Group:
      - ID: r
        RuleID: Read
        MinMatchCount: 3
      - ID: w
        RuleID: Write
    MatchCriteria:
      who:
        - GroupID: r
          Match: user.username
        - GroupID: w
          Match: p_any_ip_addresses
    LookbackWindowMinutes: 90
    Schedule:
      RateMinutes: 30
";

const SEQUENCE: &str = "  - Sequence:
      - ID: r
        RuleID: Read
        MinMatchCount: 2
      - ID: w
        RuleID: Write
    Transitions:
      - ID: t
        From: r
        To: w
        WithinTimeFrameMinutes: 15
        Match:
          - On: user.username
          - From: objectRef.namespace
            To: objectRef.name
    LookbackWindowMinutes: 90
    Schedule:
      CronExpression: 0 4 * * *
";

#[test]
fn groups_and_sequences_over_events() {
    let twice = SEQUENCE.replace("        WithinTimeFrameMinutes: 15\n", "");
    let once = SEQUENCE.replace("        MinMatchCount: 2\n", "");
    for (name, detection) in [("group", GROUP), ("sequence", &twice), ("sequence_in_time", &once)] {
        let set = compile(&format!("{HEAD}{detection}"));
        let [compiled] = set.rules.as_slice() else { panic!("{set:?}") };
        assert_eq!((compiled.status, &compiled.diagnostics), (Status::Runs, &Vec::new()));
        let rule = compiled.rule.as_ref().unwrap();
        let Body::Pipeline(pipeline) = &rule.body else { panic!("{:?}", rule.body) };
        let stages: Vec<String> = pipeline.stages.iter().map(|stage| serde_json::to_string(stage).unwrap()).collect();
        insta::assert_snapshot!(name, format!("{:?}\n{}", rule.schedule, stages.join("\n")));
    }
}

#[test]
fn log_types_that_cannot_be_read_are_left_out() {
    let set = compile(&format!("{HEAD}{}", GROUP.replace("RuleID: Read", "RuleID: Both")));
    let compiled = set.rules.first().unwrap();
    assert_eq!(compiled.status, Status::Partial);
    let [diagnostic] = compiled.diagnostics.as_slice() else { panic!("{:?}", compiled.diagnostics) };
    assert!(diagnostic.code == "partial-correlation" && diagnostic.message.contains("Other.Log"), "{diagnostic:?}");
}

#[test]
fn what_cannot_run_is_told() {
    let absent = GROUP.replace("MinMatchCount: 3", "Absence: true");
    let odd = GROUP.replace("RuleID: Read", "RuleID: Odd");
    let gone = GROUP.replace("RuleID: Read", "RuleID: Gone");
    let context = GROUP.replace("user.username", "p_alert_context.user");
    let unknown = GROUP.replace("GroupID: w", "GroupID: x");
    let zero = GROUP.replace("LookbackWindowMinutes: 90", "LookbackWindowMinutes: 0");
    let both = format!("{GROUP}    Sequence: []\n");
    let timed = SEQUENCE.to_owned();
    let told = [timed, absent, odd, gone, context, unknown, zero, both].map(|detection| {
        let set = compile(&format!("{HEAD}{detection}"));
        let compiled = set.rules.first().unwrap();
        assert!(compiled.rule.is_none());
        let said: Vec<String> = compiled
            .diagnostics
            .iter()
            .map(|diagnostic| format!("{} {}", diagnostic.code, diagnostic.message))
            .collect();
        format!("{:?} {}", compiled.status, said.join("; "))
    });
    insta::assert_snapshot!(told.join("\n"));
}

/// Whether a detection matches what rules found.
fn check(detection: &str, outputs: &str, expected: bool) {
    let tests = format!("Tests:\n  - Name: t\n    ExpectedResult: {expected}\n    RuleOutputs: {outputs}\n");
    let corpus = files(&format!("{HEAD}{detection}{tests}"));
    let root = corpus.files.iter().find(|file| file.stem() == "c").unwrap().mapping().unwrap();
    let outcomes = run_tests(root);
    assert_eq!(outcomes.len(), 1);
    assert!(outcomes[0].passed(), "{outputs}: {outcomes:?}");
}

/// What two rules found, for one user and address.
fn found(reads: &str, writes: &str) -> String {
    format!(
        "[{{ID: r, Matches: {{user.username: {{jane: {reads}}}}}}}, \
          {{ID: w, Matches: {{p_any_ip_addresses: {{jane: {writes}}}}}}}]"
    )
}

#[test]
fn groups() {
    for (reads, writes, expected) in [
        ("[0, 1, 2]", "[3]", true),
        ("[4, 5, 6]", "[3]", true),
        ("[0, 1]", "[3]", false),
        ("[0, 1, 2]", "[]", false),
        ("[0, 1, 2]", "[90]", true),
        ("[0, 1, 2]", "[91]", false),
        ("[0, 1, 2, 3]", "[91]", true),
        ("['2024-01-01T00:00:00Z', '2024-01-01T00:00:01Z', '2024-01-01T01:00:00Z']", "['2024-01-01T01:29:00Z']", true),
        ("['2024-01-01T00:00:00Z', '2024-01-01T00:00:01Z', '2024-01-01T01:00:00Z']", "['2024-01-01T01:31:00Z']", false),
    ] {
        check(GROUP, &found(reads, writes), expected);
    }
    check(
        GROUP,
        "[{ID: r, Matches: {user.username: {jane: [0, 1, 2]}}}, {ID: w, Matches: {p_any_ip_addresses: {joe: [3]}}}]",
        false,
    );
    let absent = GROUP.replace("MinMatchCount: 3", "Absence: true");
    for (reads, writes, expected) in [
        ("[]", "[3]", true),
        ("[1]", "[3]", false),
        ("[5]", "[3]", false),
        ("[200]", "[3]", true),
        ("[5]", "[]", false),
    ] {
        check(&absent, &found(reads, writes), expected);
    }
    let free = GROUP.replace("MatchCriteria:", "Note:");
    check(&free, "[{ID: r, Matches: {x: {a: [0, 1], b: [2]}}}, {ID: w, Matches: {y: {c: [5]}}}]", true);
}

#[test]
fn sequences() {
    let plain = SEQUENCE.replace("          - From: objectRef.namespace\n            To: objectRef.name\n", "");
    for (reads, writes, expected) in [
        ("[0, 1]", "[3]", true),
        ("[0]", "[3]", false),
        ("[4, 5]", "[3]", false),
        ("[0, 1]", "[17]", false),
        ("[0, 1, 60]", "[70]", true),
        ("[0, 89]", "[91]", false),
        ("[0, 1]", "[1, 2]", true),
    ] {
        let outputs = found(reads, writes).replace("p_any_ip_addresses", "user.username");
        check(&plain, &outputs, expected);
    }
    let two = "[{ID: r, Matches: {user.username: {jane: [0, 1]}, objectRef.namespace: {web: [0, 1]}}}, \
                {ID: w, Matches: {user.username: {jane: [2]}, objectRef.name: {NAME: [2]}}}]";
    check(SEQUENCE, &two.replace("NAME", "web"), true);
    check(SEQUENCE, &two.replace("NAME", "other"), false);
    let absent = plain.replace("RuleID: Write", "RuleID: Write\n        Absence: true");
    check(&absent, "[{ID: r, Matches: {user.username: {jane: [0, 1]}}}]", true);
    check(&absent, &found("[0, 1]", "[3]").replace("p_any_ip_addresses", "user.username"), false);
}
