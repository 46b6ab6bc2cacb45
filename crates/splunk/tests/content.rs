//! Documents of the three generations, and what is said of faulty ones.

#![allow(clippy::unwrap_used, clippy::type_complexity, clippy::print_stderr)]

use std::path::PathBuf;
use std::sync::Arc;

use masthead_ir::Diagnostic;
use masthead_ir::rule::{CompileOptions, EntityRole, Kind, Rule, RuleSet, Severity, Status, TestInput};
use masthead_ir::time::parse_spec;
use masthead_rulefile::{Corpus, Dialect, RuleFile};
use masthead_splunk::Splunk;

const G1: &str = "\
name: Secrets Read
id: 11111111-0000-0000-0000-000000000001
version: 1
date: '2024-01-01'
author: A
status: production
type: Anomaly
description: Somebody reads secrets.
data_source: []
search: '`kube_audit` objectRef.resource=secrets | stats count by user src_ip | `secrets_read_filter`'
how_to_implement: Send the log.
known_false_positives: unknown
references:
- https://example.org/a
drilldown_searches:
- name: Results for $user$
  search: '%original_detection_search% | search user=$user$'
  earliest_offset: $info_min_time$
  latest_offset: $info_max_time$
tags:
  analytic_story: [Story A]
  confidence: 70
  impact: 70
  message: Secrets read from $src_ip$
  mitre_attack_id: [T1552.007]
  observable:
  - {name: user, type: User, role: [Victim]}
  - {name: src_ip, type: IP Address, role: [Attacker]}
  - {name: count, type: Other, role: [Other]}
  throttling: {fields: [user], period: 2h}
  security_domain: network
tests:
- name: Positive
  attack_data:
  - {data: data/a.json, source: kubernetes, sourcetype: _json}
- name: Negative
  expect: none
  attack_data:
  - {data: data/b.json}
";

const G2: &str = "\
name: Secrets Read
id: 22222222-0000-0000-0000-000000000002
status: experimental
type: TTP
description: Somebody reads secrets.
search: '`kube_audit` objectRef.resource=secrets | stats count by user src_ip'
how_to_implement: Send the log.
rba:
  message: Secrets read by $user$
  risk_objects:
  - {field: user, type: user, score: 64}
  threat_objects:
  - {field: src_ip, type: ip_address}
deployment:
  scheduling: {cron_schedule: '*/5 * * * *', earliest_time: -10m@m, latest_time: now}
tags:
  mitre_attack_id: [T1552]
";

const G3: &str = "\
name: Secrets Read
id: 33333333-0000-0000-0000-000000000003
status: production
type: TTP
description: Somebody reads secrets.
search: '`kube_audit` objectRef.resource=secrets | stats count by user src_ip'
finding:
  title: Secrets of the cluster read by $user$
  entity: {field: user, type: user, score: 30}
intermediate_findings:
  entities:
  - {field: src_ip, type: system, score: 90, message: Reads from $src_ip$}
threat_objects:
- {field: src_ip, type: ip_address}
analytic_story: [Story A]
mitre_attack_id: [T1552]
schedule: Often
";

fn compile(files: &[(&str, &str)]) -> RuleSet {
    let files = files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect();
    let corpus = Corpus::from_memory(files);
    let claimed: Vec<Arc<RuleFile>> = corpus.files.iter().filter(|file| Splunk.claims(file)).cloned().collect();
    Splunk.compile(&corpus, &claimed, &CompileOptions::default())
}

fn rule(files: &[(&str, &str)]) -> Arc<Rule> {
    let set = compile(files);
    let compiled = set.rules.first().expect("a rule");
    compiled.rule.clone().unwrap_or_else(|| panic!("it does not run: {:?}", compiled.diagnostics))
}

/// Code, line and column of each diagnostic.
fn told(diagnostics: &[Diagnostic]) -> Vec<(&'static str, usize, usize)> {
    let place = |d: &Diagnostic| {
        let (line, column) = d.span.as_ref().map_or((0, 0), masthead_ir::Span::line_column);
        (d.code, line, column)
    };
    diagnostics.iter().map(place).collect()
}

fn entities(rule: &Rule) -> Vec<(&str, &str, EntityRole, Option<i64>, Option<&str>)> {
    rule.finding
        .entities
        .iter()
        .map(|e| (e.field.as_str(), e.entity_type.as_str(), e.role, e.score, e.message.as_deref()))
        .collect()
}

#[test]
fn first_generation() {
    let rule = rule(&[("detections/cloud/secrets_read.yml", G1)]);
    assert_eq!((rule.id.as_str(), rule.name.as_str()), ("11111111-0000-0000-0000-000000000001", "Secrets Read"));
    assert_eq!((rule.finding.kind, rule.finding.severity), (Kind::IntermediateFinding, Severity::Medium));
    assert_eq!(rule.finding.title, "Secrets Read");
    assert_eq!(rule.finding.message, "Secrets read from $src_ip$");
    assert_eq!(
        entities(&rule),
        [
            ("user", "user", EntityRole::Risk, Some(49), None),
            ("src_ip", "ip_address", EntityRole::Threat, None, None),
            ("count", "other", EntityRole::Risk, Some(49), None),
        ]
    );
    assert_eq!(rule.finding.throttle, Some((vec!["user".to_owned()], 7_200)));
    assert_eq!(rule.attack, ["T1552.007"]);
    assert_eq!(rule.tags, ["Story A", "https://example.org/a"]);
    assert!(rule.enabled);
    let schedule = rule.schedule.as_ref().unwrap();
    assert_eq!(schedule.cron, "0 * * * *");
    assert_eq!(schedule.range.earliest, parse_spec("-70m@m").ok());
    assert_eq!(schedule.range.latest, parse_spec("-10m@m").ok());
    let tests: Vec<_> = rule.tests.iter().map(|test| (test.name.as_str(), test.expect_match, test.line)).collect();
    assert_eq!(tests, [("Positive", true, 33), ("Negative", false, 36)]);
    let TestInput::Data(data) = &rule.tests[0].input else { panic!("recorded events") };
    assert_eq!((data[0].location.as_str(), data[0].source.as_deref()), ("data/a.json", Some("kubernetes")));
    assert!(rule.drilldowns[0].search.starts_with("`kube_audit`"), "{}", rule.drilldowns[0].search);
}

#[test]
fn second_generation() {
    let rule = rule(&[("detections/secrets_read.yml", G2)]);
    assert_eq!((rule.finding.kind, rule.finding.severity), (Kind::Finding, Severity::High));
    assert_eq!(rule.finding.message, "Secrets read by $user$");
    assert_eq!(
        entities(&rule),
        [("user", "user", EntityRole::Risk, Some(64), None), ("src_ip", "ip_address", EntityRole::Threat, None, None)]
    );
    let schedule = rule.schedule.as_ref().unwrap();
    assert_eq!(schedule.cron, "*/5 * * * *");
    assert_eq!(schedule.range.latest, parse_spec("now").ok());
    assert!(rule.enabled, "an experimental rule is on");
}

#[test]
fn third_generation() {
    let schedule = "name: Often\ncron_schedule: '*/10 * * * *'\nearliest_time: -20m@m\nlatest_time: -10m@m\n";
    let rule = rule(&[("detections/secrets_read.yml", G3), ("schedules/often.yml", schedule)]);
    assert_eq!(rule.finding.title, "Secrets of the cluster read by $user$");
    assert_eq!((rule.finding.kind, rule.finding.severity), (Kind::Finding, Severity::Critical));
    assert_eq!(
        entities(&rule),
        [
            ("user", "user", EntityRole::Risk, Some(30), None),
            ("src_ip", "system", EntityRole::Risk, Some(90), Some("Reads from $src_ip$")),
            ("src_ip", "ip_address", EntityRole::Threat, None, None),
        ]
    );
    assert_eq!(rule.attack, ["T1552"]);
    assert_eq!(rule.schedule.as_ref().unwrap().cron, "*/10 * * * *");
}

#[test]
fn types_decide_kind_severity_and_whether_it_is_on() {
    let cases = [
        ("TTP", "production", "d", Kind::Finding, Severity::High, true),
        ("Correlation", "production", "d", Kind::Finding, Severity::High, true),
        ("Anomaly", "experimental", "d", Kind::IntermediateFinding, Severity::Informational, true),
        ("Hunting", "deprecated", "d", Kind::Hunt, Severity::Informational, false),
        ("Hunting", "production", "deprecated", Kind::Hunt, Severity::Informational, false),
        ("Baseline", "production", "d", Kind::Hunt, Severity::Informational, false),
        ("Investigation", "production", "d", Kind::Hunt, Severity::Informational, false),
    ];
    for (kind, status, folder, expected, severity, enabled) in cases {
        let text = format!(
            "name: N\ntype: {kind}\nstatus: {status}\nsearch: verb=get\nhow_to_implement: x\ntags: {{security_domain: network}}\n"
        );
        let rule = rule(&[(&format!("{folder}/n.yml"), &text)]);
        let found = (rule.finding.kind, rule.finding.severity, rule.enabled);
        assert_eq!(found, (expected, severity, enabled), "{kind} {status} {folder}");
        assert_eq!(rule.id, "n", "without an id the file's stem");
    }
}

#[test]
fn files_of_other_dialects_are_left_alone() {
    let cases = [
        ("name: a\ndefinition: verb=get\n", true),
        ("name: a\nfilename: a.csv\n", true),
        ("name: a\ncollection: a\nfields_list: x, y\n", true),
        ("name: a\nlookup_type: csv\n", true),
        ("name: a\nsource: kubernetes\nsourcetype: _json\n", true),
        ("name: a\nnarrative: long\n", true),
        ("name: a\ntype: TTP\nscheduling: {cron_schedule: '0 * * * *'}\n", true),
        ("name: a\ntype: TTP\nrba: {}\n", true),
        ("name: a\nsearch: x\nhow_to_implement: y\n", true),
        ("AnalysisType: rule\nRuleID: a\nname: b\ndefinition: c\n", false),
        ("title: a\nlogsource: {product: kubernetes}\ndetection: {condition: x}\n", false),
        ("name: a\nsearch: x\n", false),
        ("apiVersion: v1\nkind: Pod\n", false),
        ("- a\n", false),
    ];
    for (text, expected) in cases {
        let corpus = Corpus::from_memory(vec![(PathBuf::from("a.yml"), text.to_owned())]);
        assert_eq!(Splunk.claims(&corpus.files[0]), expected, "{text}");
    }
}

#[test]
fn faults_are_told_with_their_place() {
    let cases: [(&str, &[(&str, usize, usize)]); 9] = [
        ("name: N\ntype: TTP\nhow_to_implement: x\n", &[("missing-field", 1, 1)]),
        ("name: N\ntype: TPP\nsearch: a=b\nhow_to_implement: x\n", &[("unknown-type", 2, 7)]),
        ("name: N\nsearch: a=b\nhow_to_implement: x\n", &[("missing-field", 1, 1)]),
        ("name: [a]\ntype: TTP\nsearch: a=b\n", &[("wrong-type", 1, 7)]),
        ("name: [a]\ntype: TTP\nsearch: a=b\nrba: text\n", &[("wrong-type", 1, 7), ("wrong-type", 4, 6)]),
        (
            "name: N\ntype: TTP\nsearch: a=b\nrba:\n  message: m\n  risk_objects:\n  - type: user\n  - {field: f, score: high}\n",
            &[("missing-field", 7, 5), ("wrong-type", 8, 23)],
        ),
        (
            "name: N\ntype: TTP\nsearch: a=b\ncustom_schedule: {cron_schedule: hourly, earliest_time: soon}\n",
            &[("bad-schedule", 4, 34), ("bad-time", 4, 57)],
        ),
        (
            "name: N\ntype: TTP\nsearch: a=b\ntags: {throttling: {fields: [a], period: long}}\n",
            &[("bad-throttling", 4, 42)],
        ),
        (
            "name: N\ntype: TTP\nsearch: a=b\nhow_to_implement: x\ntests:\n- name: t\n  expect: never\n  attack_data:\n  - {data: d}\n- name: u\n",
            &[("wrong-type", 7, 11), ("empty-test", 10, 3)],
        ),
    ];
    for (text, expected) in cases {
        let set = compile(&[("n.yml", text)]);
        let found: Vec<_> = set.rules.iter().flat_map(|compiled| told(&compiled.diagnostics)).collect();
        assert_eq!(found, expected, "{text}");
        for compiled in &set.rules {
            assert_eq!(compiled.status, Status::Invalid, "{text}");
        }
    }
}

#[test]
fn timing_comes_from_the_rule_its_schedule_its_type_or_the_default() {
    let by_type = "name: d\nscheduling: {cron_schedule: '1 * * * *', earliest_time: -2h}\ntags: {type: Anomaly}\n";
    let by_name = "name: Often\ncron_schedule: '2 * * * *'\n";
    let own = "custom_schedule: {cron_schedule: '3 * * * *'}";
    let cases = [
        ("Anomaly", "", "1 * * * *", "-2h"),
        ("Anomaly", "schedule: Often", "2 * * * *", "-70m@m"),
        ("Anomaly", own, "3 * * * *", "-70m@m"),
        ("Hunting", "", "0 * * * *", "-70m@m"),
        ("Baseline", "", "10 0 * * *", "-1450m@m"),
    ];
    for (kind, key, cron, earliest) in cases {
        let text = format!("name: N\ntype: {kind}\nsearch: verb=get\nhow_to_implement: x\n{key}\n");
        let rule =
            rule(&[("detections/n.yml", &text), ("deployments/d.yml", by_type), ("schedules/often.yml", by_name)]);
        let schedule = rule.schedule.as_ref().unwrap();
        assert_eq!(schedule.cron, cron, "{kind} {key}");
        assert_eq!(schedule.range.earliest, parse_spec(earliest).ok(), "{kind} {key}");
    }
    let text = "name: N\ntype: TTP\nsearch: verb=get\nhow_to_implement: x\nschedule: Oftn\n";
    let set = compile(&[("detections/n.yml", text), ("schedules/often.yml", by_name)]);
    assert_eq!(told(&set.rules[0].diagnostics), [("unknown-schedule", 5, 11)]);
    assert_eq!(set.rules[0].diagnostics[0].help.as_deref(), Some("did you mean `Often`?"));
}
