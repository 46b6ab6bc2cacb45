//! What is said about faulty rules, and that no text does harm.

use crate::support::{compile, compile_files, rule_of, shown};
use std::collections::BTreeSet;
use std::path::Path;

use masthead_falco::CODES;
use proptest::prelude::*;

/// What is wrong with these items, and with conditions, each in a rule of its own.
fn faults_of(items: &str, conditions: &[&str]) -> String {
    let mut out = shown(&compile(items));
    for condition in conditions {
        let mut set = compile(&rule_of(items, condition));
        set.diagnostics.clear();
        out.push_str(&format!("\n# {condition}\n{}", shown(&set)));
    }
    out
}

#[test]
fn syntax() {
    insta::assert_snapshot!(faults_of(
        "",
        &[
            "ka.verb=",
            "ka.verb",
            "ka.verb is get",
            "ka.verb contain x",
            "(ka.verb=get",
            "ka.verb=get) and x",
            "ka.verb=get ka.verb=list",
            "ka.verb in (get list)",
            "ka.verb='get",
            "ka.verb='\\q'",
            "ka.verb > high",
            "verb = get",
            "ka.uri.param[] = x",
            "ka.uri.param[x = y",
            "b64(ka.verb) = x",
            "tolowr(ka.verb) = x",
            "ka.verb = val(ka.uri)",
            "and",
        ]
    ));
}

#[test]
fn names() {
    let items = "
- list: allowed_users
  items: [a]
- list: round_one
  items: [round_two]
- list: round_two
  items: [round_one]
- macro: kevt
  condition: ka.stage=x
- macro: wrong
  condition: ka.vreb=x
- macro: one
  condition: two
- macro: two
  condition: one
";
    insta::assert_snapshot!(faults_of(
        items,
        &[
            "kevnt and ka.verb=x",
            "something_else",
            "ka.user.nam = x and ka.verb = y and proc.name = z",
            "wrong or wrong",
            "one",
            "ka.verb in (round_one)",
            "ka.user.name in (allowed_user)",
            "ka.user.name in (\"allowed_user\")",
            "ka.verb[0] = x",
            "ka.uri.param = x",
            "ka.req.pod.containers.image[x] in (y)",
            "ka.req.pod.containers.image = nginx",
            "ka.verb bcontains 0f",
            "ka.verb regex '('",
            "ka.verb regex 'a)|(b'",
        ]
    ));
}

#[test]
fn items() {
    let rules = "
- rule: no condition
  desc: d
  output: o
  priority: WARNING
  source: k8s_audit
- rule: odd values
  desc: d
  condition: ka.verb=x
  output: [o]
  priority: WARN
  source: k8s_audit
  enabled: maybe
  prority: x
- rule: odd output
  desc: d
  condition: ka.verb=x
  output: by %ka.user.nam and %proc.name
  priority: WARNING
  source: k8s_audit
- rule: skipped
  desc: d
  condition: ka.new.field=x
  output: o
  priority: WARNING
  source: k8s_audit
  skip-if-unknown-filter: true
- rule: nothing there
  condition: and ka.verb=x
  append: true
- rule: skipped
  condition: and ka.verb=x
  output: o
  override: {condition: append, prority: replace, desc: append, tags: add}
- list: nothing there
  items: [x]
  append: true
- list: no items
- macro: unused
  condition: ka.verb=x and nowhere
- macro: m
  condition: ka.verb=x
  append: true
  override: {condition: append}
- other: x
- rule: system calls
  desc: d
  condition: evt.type=execve
  output: o
  priority: WARNING
";
    insta::assert_snapshot!(shown(&compile(rules)));
}

#[test]
fn exceptions() {
    let rules = [
        "{fields: ka.verb, values: [x]}",
        "{name: e, values: [x]}",
        "{name: e, comps: in, values: [x]}",
        "{name: e, fields: ka.verb, comps: =, values: [x]}",
        "{name: e, fields: [ka.verb, ka.uri], comps: [=], values: [[x, y]]}",
        "{name: e, fields: [ka.verb], comps: [startwith], values: [[x]]}",
        "{name: e, fields: [ka.verb, ka.uri], values: [[x]]}",
        "{name: e, fields: [ka.verb], values: [[[x]]]}",
        "{name: e, fields: ka.verb, values: [[x]]}",
        "{name: e, fields: ka.vreb, values: [x]}",
    ]
    .map(|exception| format!("{}  exceptions:\n    - {exception}\n", rule_of("", "ka.verb=x")));
    let all: Vec<String> = rules.iter().map(|rules| shown(&compile(rules))).collect();
    let again = compile_files(&[
        ("a.yaml", &format!("{}  exceptions: [{{name: e, fields: ka.verb}}]\n", rule_of("", "ka.verb=x"))),
        ("b.yaml", "- rule: r\n  append: true\n  exceptions: [{name: e, fields: ka.uri, values: [x]}]\n"),
    ]);
    insta::assert_snapshot!(format!("{}\n{}", all.join("\n"), shown(&again)));
}

#[test]
fn macros_that_grow_without_end_are_refused() {
    let mut items = String::from("- macro: m0\n  condition: ka.verb=x\n");
    for n in 1..40 {
        items.push_str(&format!("- macro: m{n}\n  condition: m{} or m{}\n", n - 1, n - 1));
    }
    let set = compile(&rule_of(&items, "m39"));
    assert_eq!(set.rules.first().unwrap().diagnostics.first().unwrap().code, "falco-too-large");
    let deep = format!("{}ka.verb=x{}", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(compile(&rule_of("", &deep)).rules.first().unwrap().diagnostics.first().unwrap().code, "falco-syntax");
    let chain = format!("{}ka.verb=x", "not ".repeat(5000));
    assert!(compile(&rule_of("", &chain)).rules.first().unwrap().rule.is_some());
}

/// The codes that the files below a folder name.
fn codes_below(folder: &Path, codes: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            codes_below(&path, codes);
        } else if !path.ends_with("lib.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let quoted = text.split('"').filter(|part| part.starts_with("falco-") && !part.contains(' '));
            codes.extend(quoted.map(str::to_owned));
        }
    }
}

#[test]
fn codes_are_sorted_and_those_that_are_used() {
    assert!(CODES.is_sorted_by(|a, b| a.0 < b.0));
    let mut used = BTreeSet::new();
    codes_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut used);
    assert_eq!(used, CODES.iter().map(|(code, _)| (*code).to_owned()).collect());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        let quoted = format!("- rule: r\n  condition: {text:?}\n  output: {text:?}\n  desc: d\n  priority: INFO\n  source: k8s_audit\n");
        shown(&compile(&quoted));
        shown(&compile(&text));
    }

    #[test]
    fn no_condition_panics(words in prop::collection::vec(prop::sample::select(vec![
        "ka.verb", "ka.user.groups", "ka.uri.param", "[x]", "[0]", "[", "=", "!=", "in", "intersects", "exists", "regex",
        "glob", "pmatch", "(", ")", ",", "and", "or", "not", "x", "'x y'", "\"", "5", "<", "tolower(", "é", "\\", "(?i", "[a-",
        "ka.req.pod.containers.image", "contains", "jevt.value", "[/a/0]",
    ]), 0..14), blanks in prop::bool::ANY) {
        let text = words.join(if blanks { " " } else { "" });
        let rule = format!("- rule: r\n  condition: {text:?}\n  output: \"%ka.verb{}\"\n  desc: d\n  priority: INFO\n  source: k8s_audit\n", text.replace(['\\', '"'], "%"));
        shown(&compile(&rule));
    }
}
