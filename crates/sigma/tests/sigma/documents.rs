//! What a rule says of itself, and where its events come from.

use masthead_ir::rule::{EntityRole, Severity, Status, TestInput};

use crate::harness::{compile_files, filter, find, meets, one};

#[test]
fn what_a_rule_says_of_itself_is_kept() {
    let text = format!(
        "{}description: ' What it finds. '\nlevel: high\nstatus: stable\ntags: [attack.t1609, attack.execution, attack.T1610.001]\nreferences: [https://a.example]\nfalsepositives: [Admins]\nnext_steps: [Ask.]\naudit_level: Metadata\nmessage: '$user.username$ did'\nrisk:\n  score: 40\n  entities:\n    - {{field: user.username, type: user}}\n    - {{field: sourceIPs, type: ip_address, role: threat}}\ntests:\n  - {{match: true, event: {{verb: get}}}}\n  - {{name: many, match: false, events: [{{verb: list}}]}}\n",
        one("verb: get")
    );
    let set = compile_files(&[("r.yml", &text)]);
    let compiled = find(&set, "r");
    assert_eq!(compiled.status, Status::Runs);
    let rule = compiled.rule.as_ref().unwrap();
    assert_eq!((rule.name.as_str(), rule.description.as_str(), rule.enabled), ("A rule", "What it finds.", true));
    assert_eq!(rule.attack, ["T1609", "T1610.001"]);
    assert_eq!(rule.finding.severity, Severity::High);
    assert_eq!(rule.finding.message, "$user.username$ did");
    assert_eq!(rule.guide.next_steps, ["Ask."]);
    assert_eq!(rule.guide.audit_level.as_deref(), Some("Metadata"));
    let entities: Vec<_> = rule.finding.entities.iter().map(|e| (e.field.as_str(), e.role, e.score)).collect();
    assert_eq!(entities, [("user.username", EntityRole::Risk, Some(40)), ("sourceIPs{}", EntityRole::Threat, None)]);
    let tests: Vec<_> = rule.tests.iter().map(|test| (test.name.as_str(), test.expect_match)).collect();
    assert_eq!(tests, [("test 1", true), ("many", false)]);
    assert!(matches!(&rule.tests[1].input, TestInput::Inline(events) if events.is_array()));
}

#[test]
fn levels_and_states_are_those_of_sigma() {
    for (line, severity, enabled) in [
        ("level: informational", Severity::Informational, true),
        ("level: LOW", Severity::Low, true),
        ("level: critical", Severity::Critical, true),
        ("level:", Severity::Medium, true),
        ("status: deprecated", Severity::Medium, false),
        ("status: unsupported", Severity::Medium, false),
        ("status: experimental", Severity::Medium, true),
    ] {
        let set = compile_files(&[("r.yml", &format!("{}{line}\n", one("verb: get")))]);
        let rule = find(&set, "r").rule.clone().unwrap();
        assert_eq!((rule.finding.severity, rule.enabled), (severity, enabled), "{line}");
    }
}

#[test]
fn rules_without_ids_are_named_after_names_and_files() {
    let bare = one("verb: get").replace("id: r\n", "");
    let text = format!("{bare}---\n{bare}---\n{bare}name: third\n");
    let set = compile_files(&[("rules/file.yml", &text)]);
    let ids: Vec<&str> = set.rules.iter().map(|rule| rule.rule_id.as_str()).collect();
    assert_eq!(ids, ["file", "file-2", "third"]);
}

#[test]
fn log_sources_are_routed_to_log_types() {
    for (log_source, log_type) in [
        ("product: kubernetes\n  service: audit", None),
        ("product: Kubernetes", None),
        ("product: kubernetes\n  category: application\n  service: audit", None),
        ("category: kubernetes\n  service: audit", None),
        ("product: kubernetes\n  service: scheduler", Some("kubernetes.scheduler")),
        ("product: windows\n  category: process_creation", Some("windows.process_creation")),
        ("product: aws\n  service: cloudtrail", Some("aws.cloudtrail")),
        ("category: webserver", Some("webserver")),
        ("definition: anything", None),
    ] {
        let text = one("verb: get").replace("product: kubernetes\n  service: audit", log_source);
        let set = compile_files(&[("r.yml", &text)]);
        let filter = filter(find(&set, "r"));
        let event = r#"{"verb":"get"}"#;
        assert_eq!(meets(&filter, event, "kubernetes.audit"), log_type.is_none(), "{log_source}");
        if let Some(log_type) = log_type {
            assert!(meets(&filter, event, log_type), "{log_source}");
            assert!(meets(&filter, event, &log_type.to_uppercase()), "{log_source}");
        }
    }
}
