//! What rules share: macros, lookups, and what is said when one is missing.

#![allow(clippy::unwrap_used, clippy::type_complexity, clippy::print_stderr)]

use std::path::PathBuf;
use std::sync::Arc;

use masthead_ir::rule::{Body, CompileOptions, Compiled, RuleSet, Status};
use masthead_ir::table::KeyMatch;
use masthead_rulefile::{Corpus, Dialect, RuleFile};
use masthead_splunk::{CODES, Splunk};

fn compile(files: &[(&str, &str)]) -> RuleSet {
    let files = files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect();
    let corpus = Corpus::from_memory(files);
    let claimed: Vec<Arc<RuleFile>> = corpus.files.iter().filter(|file| Splunk.claims(file)).cloned().collect();
    Splunk.compile(&corpus, &claimed, &CompileOptions::default())
}

/// A hunting rule of one search, in line 3.
fn hunting(search: &str) -> String {
    format!("name: N\ntype: Hunting\nsearch: {search}\nhow_to_implement: x\n")
}

/// Code, line and column of each diagnostic of a rule.
fn told(compiled: &Compiled) -> Vec<(&'static str, usize, usize)> {
    let place = |d: &masthead_ir::Diagnostic| {
        let (line, column) = d.span.as_ref().map_or((0, 0), masthead_ir::Span::line_column);
        (d.code, line, column)
    };
    compiled.diagnostics.iter().map(place).collect()
}

fn pipeline(compiled: &Compiled) -> String {
    let rule = compiled.rule.as_ref().unwrap_or_else(|| panic!("it does not run: {:?}", compiled.diagnostics));
    match &rule.body {
        Body::Pipeline(pipeline) => format!("{pipeline:?}"),
        Body::Script(..) => panic!("a search is no script"),
    }
}

#[test]
fn macros_stand_for_their_definition() {
    let defined = "name: kube_audit\ndefinition: index=audit\n";
    let own = "name: twice\narguments: [a, b]\ndefinition: verb=$a$ OR verb=$b$\n";
    let word = "name: word\ndefinition: null\n";
    // Each macro and the search that it stands for.
    let cases = [
        ("`kube_audit`", "index=audit"),
        ("`kube_container_falco`", "sourcetype=\"kube:container:falco\""),
        ("`kube_audit` `twice(get, list)`", "index=audit (verb=get OR verb=list)"),
        ("verb=get | `n_filter`", "verb=get | search *"),
        ("verb=`word`", "verb=null"),
        (
            "verb=get | stats count by _time | `security_content_ctime(_time)`",
            "verb=get | stats count by _time | convert timeformat=\"%Y-%m-%dT%H:%M:%S\" ctime(_time)",
        ),
    ];
    for (with, without) in cases {
        let rules = |search: &str| {
            let text = hunting(&format!("'{search}'"));
            let files = [
                ("detections/n.yml", text.as_str()),
                ("macros/kube_audit.yml", defined),
                ("macros/twice.yml", own),
                ("macros/word.yml", word),
            ];
            pipeline(&compile(&files).rules[0])
        };
        assert_eq!(rules(with), rules(without), "{with}");
    }
}

#[test]
fn an_unknown_macro_is_an_error_at_its_place() {
    let set = compile(&[("detections/n.yml", &hunting("'verb=get `kube_audti`'"))]);
    assert_eq!(set.rules[0].status, Status::Invalid);
    assert_eq!(told(&set.rules[0]), [("unknown-macro", 3, 19)]);
}

#[test]
fn lookups_of_both_generations_become_tables() {
    let first = "name: paths\nfilename: p.csv\ndefault_match: 'no'\nmatch_type: WILDCARD(path), CIDR(net)\nmin_matches: 1\ncase_sensitive_match: 'false'\n";
    let second = "name: paths\nlookup_type: csv\ndefault_match: 'no'\nmatch_type: [WILDCARD(path), CIDR(net)]\nmin_matches: 1\nmax_matches: 3\ncase_sensitive_match: false\n";
    let rule = hunting("verb=get | lookup paths path OUTPUT hit");
    for (yaml, csv, max_matches) in [(first, "lookups/p.csv", 1_000), (second, "lookups/paths.csv", 3)] {
        let set = compile(&[
            ("detections/n.yml", &rule),
            ("lookups/paths.yml", yaml),
            (csv, "path,net,hit\n*/etc/*,10.0.0.0/8,yes\n"),
        ]);
        assert_eq!(set.rules[0].status, Status::Runs, "{:?}", set.rules[0].diagnostics);
        let table = &set.tables["paths"];
        assert_eq!(table.columns, ["path", "net", "hit"]);
        assert_eq!(table.rows.len(), 1);
        assert_eq!(table.matching.get("path"), Some(&KeyMatch::Wildcard));
        assert_eq!(table.matching.get("net"), Some(&KeyMatch::Cidr));
        assert_eq!((table.case_sensitive, table.min_matches, table.max_matches), (false, 1, max_matches));
        assert_eq!(table.default.as_deref(), Some("no"));
    }
}

#[test]
fn faults_of_lookups_are_told_where_they_are_used() {
    let rule = hunting("verb=get | lookup paths path OUTPUT hit");
    let csv = "name: paths\nfilename: gone.csv\nfields_list: path, hit\n";
    let outside = "name: paths\nfilename: ../gone.csv\nfields_list: path, hit\n";
    let collection = "name: paths\ncollection: paths\nfields_list: path, hit\n";
    let model = "name: paths\nlookup_type: mlmodel\nfields_list: path, hit\n";
    let cases = [
        (None, "missing-lookup", Status::Invalid),
        (Some(csv), "missing-lookup-file", Status::Invalid),
        (Some(outside), "missing-lookup-file", Status::Invalid),
        (Some(collection), "empty-kvstore", Status::Partial),
        (Some(model), "unsupported-lookup", Status::Unsupported),
    ];
    for (lookup, code, status) in cases {
        let mut files = vec![("detections/n.yml", rule.as_str()), ("gone.csv", "path,hit\n")];
        files.extend(lookup.map(|text| ("lookups/paths.yml", text)));
        let set = compile(&files);
        assert_eq!(told(&set.rules[0]), [(code, 3, 27)], "{lookup:?}");
        assert_eq!(set.rules[0].status, status, "{lookup:?}");
    }
}

#[test]
fn faults_of_shared_files_are_told_once() {
    let rule = hunting("verb=get");
    let lookup = "name: paths\nfilename: p.csv\nmatch_type: GLOB(path)\n";
    let set = compile(&[
        ("a/detections/x/n.yml", &rule),
        ("a/detections/y/n.yml", &rule),
        ("a/lookups/paths.yml", lookup),
        ("a/lookups/p.csv", "path\n"),
        ("a/macros/m.yml", "name: m\ndefinition: [x]\n"),
    ]);
    let codes: Vec<_> = set.diagnostics.iter().map(|d| d.code).collect();
    assert_eq!(codes, ["unknown-match-type", "wrong-type"]);
}

#[test]
fn tokens_name_fields_of_the_result() {
    let text = "name: N\ntype: Anomaly\nsearch: verb=get | stats count by user src_ip\nrba:\n  message: by $usr$ from $src_ip$\n  risk_objects:\n  - {field: user, type: user, score: 9}\n  - {field: dest, type: system, score: 9}\n";
    let set = compile(&[("n.yml", text)]);
    assert_eq!(told(&set.rules[0]), [("unknown-token", 5, 15), ("unknown-token", 8, 13)]);
    assert_eq!(set.rules[0].diagnostics[0].help.as_deref(), Some("did you mean `user`?"));
    assert_eq!(set.rules[0].status, Status::Runs);
}

#[test]
fn an_investigation_waits_for_its_token() {
    let text = "name: N\ntype: Investigation\nsearch: verb=get src_ip=$src_ip$\nhow_to_implement: x\n";
    let set = compile(&[("n.yml", text)]);
    assert_eq!(told(&set.rules[0]), [("open-token", 3, 25)]);
    assert_eq!(set.rules[0].status, Status::Unsupported);
}

#[test]
fn every_code_is_listed_once_in_order() {
    let names: Vec<&str> = CODES.iter().map(|(code, _)| *code).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(names, sorted);
}
