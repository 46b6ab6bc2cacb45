//! What items of several files make together, and what findings say.

use crate::support::{Event, columns, compile, compile_files, fires, rule_of, shown, sound};
use masthead_ir::rule::{Severity, Status};
use masthead_ir::{Level, Value};

const EVENT: &str = r#"{"auditID":"a","verb":"create","user":{"username":"alice","groups":["dev","ops"]},
    "requestURI":"/x?command=ls","requestObject":{"spec":{"containers":[{"image":"nginx:1"},{"image":"redis"}]}}}"#;

/// Whether the rule `r` of a base file and a later one fires.
fn fires_with(base: &str, later: &str) -> bool {
    let rules = sound(&[("a.yaml", base), ("b.yaml", later)]);
    assert_eq!(rules.len(), 1);
    fires(rules.first().unwrap(), &Event::new(EVENT))
}

#[test]
fn later_definitions_replace_and_append() {
    let base = rule_of("- list: l\n  items: [get]\n- macro: m\n  condition: ka.verb in (l)\n", "m");
    for (later, expected) in [
        ("- required_engine_version: 15", false),
        ("- list: l\n  items: [create]", true),
        ("- list: l\n  items: [create]\n  append: true", true),
        ("- list: l\n  items: [create]\n  override: {items: append}", true),
        ("- list: l\n  items: [list]\n  override: {items: replace}", false),
        ("- macro: m\n  condition: ka.verb=create", true),
        ("- macro: m\n  condition: or ka.verb=create\n  append: true", true),
        ("- macro: m\n  condition: or ka.verb=create\n  override: {condition: append}", true),
        ("- rule: r\n  condition: or ka.verb=create\n  append: true", true),
        ("- rule: r\n  condition: ka.verb=create\n  override: {condition: replace}", true),
    ] {
        assert_eq!(fires_with(&base, later), expected, "{later}");
    }
}

#[test]
fn rules_can_be_changed_key_by_key() {
    let base = format!("{}  tags: [k8s]\n", rule_of("", "ka.verb=create"));
    let later = "
- rule: r
  output: more %ka.verb
  desc: and more
  tags: [T1610, k8s]
  priority: critical
  enabled: false
  override: {output: append, desc: append, tags: append, priority: replace, enabled: replace}
";
    let rules = sound(&[("a.yaml", base.as_str()), ("b.yaml", later)]);
    let rule = rules.first().unwrap();
    assert_eq!((rule.finding.message.as_str(), rule.description.as_str()), ("o more $ka.verb$", "d and more"));
    assert_eq!((rule.tags.join(","), rule.attack.join(",")), ("k8s,T1610".to_owned(), "T1610".to_owned()));
    assert_eq!((rule.finding.severity, rule.enabled), (Severity::Critical, false));
    let rules = sound(&[("a.yaml", base.as_str()), ("b.yaml", "- rule: r\n  enabled: false")]);
    assert!(!rules.first().unwrap().enabled);
}

#[test]
fn exceptions_keep_a_rule_from_firing() {
    let base = rule_of("- list: users\n  items: [alice]\n", "ka.verb=create");
    for (exceptions, expected) in [
        ("{name: e, fields: ka.user.name, values: [bob]}", true),
        ("{name: e, fields: ka.user.name, values: [bob, alice]}", false),
        ("{name: e, fields: ka.user.name, comps: in, values: [users]}", false),
        ("{name: e, fields: ka.user.groups, comps: intersects, values: [ops]}", false),
        ("{name: e, fields: ka.user.groups, values: [ops]}", true),
        ("{name: e, fields: [ka.user.name, ka.verb], values: [[alice, get]]}", true),
        ("{name: e, fields: [ka.user.name, ka.verb], values: [[bob, get], [alice, create]]}", false),
        ("{name: e, fields: [ka.user.name, ka.uri], comps: [=, startswith], values: [[alice, /x]]}", false),
        ("{name: e, fields: [ka.user.name, ka.verb], comps: [in, in], values: [[users, [get, create]]]}", false),
        ("{name: e, fields: [ka.user.name, ka.verb], comps: [in, in], values: [[\"(alice, x)\", create]]}", false),
        ("{name: e, fields: [ka.user.name]}", true),
    ] {
        let rules = format!("{base}  exceptions:\n    - {exceptions}\n");
        assert_eq!(fires_with(&rules, "- list: x\n  items: []"), expected, "{exceptions}");
    }
}

#[test]
fn exceptions_grow() {
    let base = format!(
        "{}  exceptions:\n    - name: e\n      fields: [ka.user.name]\n      values: [[bob]]\n",
        rule_of("", "ka.verb=create")
    );
    for (later, expected) in [
        ("- rule: r\n  append: true\n  exceptions: [{name: e, values: [[alice]]}]", false),
        ("- rule: r\n  exceptions: [{name: e, values: [[alice]]}]\n  override: {exceptions: append}", false),
        ("- rule: r\n  append: true\n  exceptions: [{name: f, fields: ka.verb, values: [create]}]", false),
        (
            "- rule: r\n  exceptions: [{name: f, fields: ka.verb, values: [get]}]\n  override: {exceptions: replace}",
            true,
        ),
        // What was appended to the condition does not reach into the exceptions.
        ("- rule: r\n  append: true\n  condition: or ka.user.name=alice", true),
    ] {
        assert_eq!(fires_with(&base, later), expected, "{later}");
    }
}

#[test]
fn priorities_are_severities() {
    for (priority, severity) in [
        ("EMERGENCY", Severity::Critical),
        ("Alert", Severity::Critical),
        ("ERROR", Severity::High),
        ("NOTICE", Severity::Low),
        ("INFO", Severity::Informational),
        ("informational", Severity::Informational),
        ("DEBUG", Severity::Informational),
    ] {
        let rules = rule_of("", "ka.verb=x").replace("WARNING", priority);
        assert_eq!(sound(&[("a.yaml", &rules)]).first().unwrap().finding.severity, severity, "{priority}");
    }
}

#[test]
fn outputs_fill_columns_as_falco_names_them() {
    let output = "\"* by %ka.user.name. at 5% on %ka.target.name, %ka.uri.param[command] %ka.req.pod.containers.image \
                  %jevt.value[/requestObject/spec/containers/1/image] %ka.user.name\"";
    let rules = rule_of("", "ka.verb=create").replace("output: o", &format!("output: {output}"));
    let rules = sound(&[("a.yaml", &rules)]);
    let rule = rules.first().unwrap();
    assert_eq!(
        rule.finding.message,
        " by $ka.user.name$. at 5% on $ka.target.name$, $ka.uri.param[command]$ $ka.req.pod.containers.image$ \
         $jevt.value[/requestObject/spec/containers/1/image]$ $ka.user.name$"
    );
    assert_eq!((rule.id.as_str(), rule.finding.title.as_str()), ("r", "r"));
    let found = columns(rule, &Event::new(EVENT));
    let expected = [
        ("ka.user.name", Value::text("alice")),
        ("ka.target.name", Value::text("<NA>")),
        ("ka.uri.param[command]", Value::text("ls")),
        ("ka.req.pod.containers.image", Value::list([Value::text("nginx:1"), Value::text("redis")])),
        ("jevt.value[/requestObject/spec/containers/1/image]", Value::text("redis")),
    ];
    assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value)));
}

#[test]
fn files_are_claimed_by_their_items() {
    for (text, expected) in [
        ("- rule: x", 1),
        ("- macro: x\n  condition: ka.verb=get", 0),
        ("rule: x", 0),
        ("title: x\n---\n- rule: y", 1),
        ("- other: x", 0),
    ] {
        assert_eq!(compile(text).rules.len(), expected, "{text}");
    }
}

#[test]
fn rules_of_other_sources_are_told() {
    let syscalls = rule_of("", "evt.type=execve").replace("  source: k8s_audit\n", "");
    let other = rule_of("", "ct.name=x").replace("k8s_audit", "aws_cloudtrail");
    for rules in [syscalls, other] {
        let set = compile(&rules);
        let compiled = set.rules.first().unwrap();
        assert_eq!((compiled.status, compiled.diagnostics.len()), (Status::Unsupported, 1), "{}", shown(&set));
    }
}

#[test]
fn a_rule_may_ask_to_be_skipped_for_unknown_fields() {
    let rules = format!("{}  skip-if-unknown-filter: true\n", rule_of("", "ka.verb=x and ka.new.field=y"));
    let set = compile(&rules);
    let compiled = set.rules.first().unwrap();
    let levels: Vec<Level> = compiled.diagnostics.iter().map(|fault| fault.level).collect();
    assert_eq!((compiled.status, levels), (Status::Unsupported, vec![Level::Warning]), "{}", shown(&set));
    let faulty = rules.replace("ka.verb=x", "ka.verb=");
    assert_eq!(compile(&faulty).rules.first().unwrap().status, Status::Invalid);
}

#[test]
fn the_published_rules_run() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/rules/falco");
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let files: Vec<(String, String)> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let set = compile_files(&files);
    assert!(set.rules.len() > 40, "{}", set.rules.len());
    assert_eq!(shown(&set), "");
    assert!(set.rules.iter().all(|compiled| compiled.status == Status::Runs));
}
