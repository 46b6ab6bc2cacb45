//! What the compiler says: every code, its words, and the place that it points at.

use std::collections::BTreeSet;

use masthead_rulefile::Dialect as _;
use masthead_sigma::{CODES, Sigma};

use crate::harness::{compile_files, diagnostics, one, rule, told};

/// Files that bring out the code that they are named after.
fn cases() -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let single = |text: String| vec![("rules/r.yml", text)];
    let plain = || one("verb: get");
    let with_pipeline = |step: &str| {
        let text = format!("name: p\ntransformations:\n  - {step}\n");
        vec![("pipelines/p.yml", text), ("rules/r.yml", one("verb: get"))]
    };
    let correlation =
        "title: C\nid: c\ncorrelation:\n  type: event_count\n  rules: [r]\n  timespan: soon\n  condition: {gte: 5}\n";
    vec![
        ("sigma-aggregation", single(rule("sel:\n  verb: get\ncondition: sel | near other"))),
        ("sigma-alias", single(one("hostPath: /"))),
        ("sigma-alias", single(one("user: x"))),
        ("sigma-collection", single(format!("action: global\ntitle: G\nid: g\n---\n{}", plain()))),
        ("sigma-condition", single(rule("selection:\n  verb: get\ncondition: selektion"))),
        ("sigma-condition", single(rule("sel:\n  verb: get\ncondition: 1 of filter_*"))),
        ("sigma-condition", single(rule("sel:\n  verb: get\ncondition: sel and"))),
        ("sigma-condition", single(rule("sel:\n  verb: get\ncondition: 'sel sel'"))),
        ("sigma-correlation", single(format!("{}---\n{correlation}", plain()))),
        ("sigma-duplicate-id", vec![("rules/a.yml", plain()), ("rules/b.yml", plain())]),
        ("sigma-level", single(format!("{}level: severe\n", plain()))),
        ("sigma-log-source", single(plain().replace("product: kubernetes", "product: linux"))),
        ("sigma-missing", single(plain().replace("title: A rule\n", ""))),
        ("sigma-missing", single(rule("sel:\n  verb: get"))),
        ("sigma-missing", single(rule("sel: {}\ncondition: sel"))),
        ("sigma-missing", single(format!("{}risk:\n  entities:\n    - type: user\n", plain()))),
        ("sigma-modifier", single(one("verb|contain: x"))),
        ("sigma-modifier", single(one("verb|s: x"))),
        ("sigma-pipeline", with_pipeline("type: hashes_fields")),
        ("sigma-placeholder", single(one("verb|expand: '%verbs%'"))),
        ("sigma-referred", single(format!("{}---\n{}", plain(), correlation.replace("[r]", "[rr]")))),
        ("sigma-refused", with_pipeline("type: rule_failure\n    message: not for clusters")),
        ("sigma-regex", single(one("verb|re: '(get'"))),
        ("sigma-test", single(format!("{}tests:\n  - name: t\n    event: {{verb: get}}\n", plain()))),
        ("sigma-value", single(one("sourceIPs|cidr: 10.0.0.0/64"))),
        ("sigma-value", single(one("verb|exists: 1"))),
    ]
}

fn of_case(files: &[(&'static str, String)]) -> (BTreeSet<&'static str>, String) {
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let set = compile_files(&files);
    (diagnostics(&set).map(|diagnostic| diagnostic.code).collect(), told(diagnostics(&set)))
}

#[test]
fn every_code_is_told_as_it_always_was() {
    let mut lines = Vec::new();
    for (code, files) in cases() {
        let (codes, told) = of_case(&files);
        assert!(codes.contains(code), "{code}: {told}");
        lines.push(told);
    }
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!("codes", lines.join("\n"));
    });
}

#[test]
fn the_table_of_codes_names_all_that_are_told_and_no_other() {
    let told: BTreeSet<&str> = cases().iter().flat_map(|(_, files)| of_case(files).0).collect();
    let listed: BTreeSet<&str> = CODES.iter().map(|(code, _)| *code).collect();
    assert_eq!(told, listed);
    assert!(CODES.is_sorted() && CODES.len() == listed.len());
}

#[test]
fn the_source_knows_no_code_that_the_table_does_not_name() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let listed: BTreeSet<String> = CODES.iter().map(|(code, _)| (*code).to_owned()).collect();
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let quoted = text.split('"').filter(|part| part.starts_with("sigma-") && !part.contains(' '));
        found.extend(quoted.map(str::to_owned));
    }
    assert_eq!(found, listed);
}

#[test]
fn files_of_other_kinds_are_left_to_others() {
    for (text, claimed) in [
        (one("verb: get"), true),
        ("placeholders: {a: [b]}\n".to_owned(), true),
        ("name: x\ntransformations:\n  - type: set_state\n".to_owned(), true),
        ("rule: x\ncondition: evt.type = open\n".to_owned(), false),
        ("detection: {sel: {a: b}, condition: sel}\n".to_owned(), false),
        ("name: x\ntype: mapping\n".to_owned(), false),
        (String::new(), false),
        ("- a\n- b\n".to_owned(), false),
        (format!("a: b\n---\n{}", one("verb: get")), true),
    ] {
        let corpus = masthead_rulefile::Corpus::from_memory(vec![("r.yml".into(), text.clone())]);
        assert_eq!(Sigma.claims(&corpus.files[0]), claimed, "{text}");
    }
}
