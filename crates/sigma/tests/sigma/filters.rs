//! Filters: what they add to which rules.

use crate::harness::{check_files, codes, compile_files, one};

const EVENT: &str = r#"{"verb":"get","user":{"username":"adm_x"}}"#;
const OTHER: &str = r#"{"verb":"get","user":{"username":"x"}}"#;

/// A filter for rules of Kubernetes, with the lines of its mapping.
fn filter(lines: &[&str]) -> String {
    let body: String = lines.iter().map(|line| format!("  {line}\n")).collect();
    format!("title: A filter\nlogsource:\n  product: kubernetes\n  service: audit\nfilter:\n{body}")
}

fn hides(text: &str, hidden: bool) {
    check_files(
        &[("r.yml", &format!("{}name: by_name\n", one("verb: get"))), ("f.yml", text)],
        &[(EVENT, !hidden), (OTHER, true)],
    );
}

#[test]
fn filters_name_rules_by_id_name_and_pattern_or_take_any() {
    for (rules, hidden) in [
        ("rules: [r]", true),
        ("rules: r", true),
        ("rules: [x, by_name]", true),
        ("rules: [by_*]", true),
        ("rules: any", true),
        ("rules: [any]", true),
        ("rules: ['*']", true),
        ("rules: [x]", false),
    ] {
        hides(&filter(&[rules, "sel:", "  user.username|startswith: adm_", "condition: not sel"]), hidden);
    }
    hides(&filter(&["sel:", "  user.username|startswith: adm_", "condition: not sel"]), true);
}

#[test]
fn a_filter_is_added_as_it_stands() {
    let text = filter(&["rules: any", "sel:", "  user.username: x", "condition: sel"]);
    check_files(&[("r.yml", &one("verb: get")), ("f.yml", &text)], &[(EVENT, false), (OTHER, true)]);
}

#[test]
fn a_filter_for_another_log_source_is_left_aside() {
    let lines = ["rules: any", "sel:", "  user.username: adm_x", "condition: not sel"];
    hides(&filter(&lines).replace("product: kubernetes", "product: windows"), false);
    hides(&filter(&lines).replace("  service: audit\n", ""), true);
    hides(&filter(&lines).replace("service: audit", "service: other"), false);
}

#[test]
fn filters_read_names_of_fields_as_rules_do() {
    hides(&filter(&["rules: any", "sel:", "  user: adm_x", "condition: not sel"]), true);
    let pipeline = "name: p\ntransformations:\n  - type: field_name_mapping\n    mapping: {who: user.username}\n";
    let text = filter(&["rules: any", "sel:", "  who: adm_x", "condition: not 1 of them"]);
    check_files(
        &[("r.yml", &one("verb: get")), ("f.yml", &text), ("p.yml", pipeline)],
        &[(EVENT, false), (OTHER, true)],
    );
}

#[test]
fn several_filters_hold_together() {
    let of = |user: &str| filter(&["rules: any", "sel:", &format!("  user.username: {user}"), "condition: not sel"]);
    let files = [("r.yml", &*one("verb: get")), ("f.yml", &*format!("{}---\n{}", of("a"), of("b")))];
    check_files(
        &files,
        &[
            (r#"{"verb":"get","user":{"username":"a"}}"#, false),
            (r#"{"verb":"get","user":{"username":"b"}}"#, false),
            (OTHER, true),
        ],
    );
}

#[test]
fn faulty_filters_are_told_and_left_out() {
    for (lines, code) in [
        (&["rules: any", "sel:", "  user.username: adm_x"][..], "sigma-missing"),
        (&["rules: any", "sel:", "  user.username: adm_x", "condition: selection"], "sigma-condition"),
        (&["rules: any", "sel:", "  user.username|nothing: adm_x", "condition: not sel"], "sigma-modifier"),
        (&["rules: any", "sel: {}", "condition: not sel"], "sigma-missing"),
    ] {
        let text = filter(lines);
        assert_eq!(codes(&compile_files(&[("r.yml", &one("verb: get")), ("f.yml", &text)])), [code], "{text}");
        hides(&text, false);
    }
}
