//! Searches over events, and the rows that they must give. Semantics are those of the Splunk Search Reference and Search Manual.

use std::io::Write;

use masthead_engine::{Progress, RuleOptions, ScanOptions, load_rules, scan};
use masthead_ir::finding::Finding;
use serde_json::Value;

#[path = "searches/cases.rs"]
mod cases;

struct Quiet;
impl Progress for Quiet {
    fn bytes(&self, _: u64, _: u64) {}
}

/// Runs a search over JSON lines. The rows come as JSON objects, in the search's order where it sorts, else in that of
/// the findings. What keeps the search from running comes as text.
fn rows(search: &str, events: &str, options: &[(&str, &str)]) -> Result<Vec<Value>, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::File::create(&path).and_then(|mut file| file.write_all(text.as_bytes())).expect("written");
        path
    };
    let search: String = search.lines().map(|line| format!("  {line}\n")).collect();
    let rule = format!("name: Case\nid: case\nversion: 1\ntype: Hunting\nsearch: |-\n{search}tags: {{}}\n");
    put("rules/detections/case.yml", &rule);
    put("rules/lookups/places.yml", "name: places\nfilename: places.csv\nmin_matches: 1\ndefault_match: nowhere\n");
    put("rules/lookups/places.csv", "site,town\na,Aachen\nb,Bern\n");
    let nets = "name: nets\nfilename: nets.csv\nmatch_type: CIDR(net)\nmax_matches: 1\n";
    put("rules/lookups/nets.yml", nets);
    put("rules/lookups/nets.csv", "net,zone\n10.0.0.0/8,inside\n192.0.2.0/24,test\n");
    let globs = "name: globs\nfilename: globs.csv\nmatch_type: WILDCARD(path)\ncase_sensitive_match: 'false'\nmin_matches: 1\ndefault_match: 'no'\n";
    put("rules/lookups/globs.yml", globs);
    put("rules/lookups/globs.csv", "path,hit\n*/etc/*,yes\n");
    let input = put("events.jsonl", events);
    let metrics = put("metrics.jsonl", cases::METRICS);
    let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let rules = RuleOptions { paths: vec![folder.path().join("rules")], options, ..RuleOptions::default() };
    let rules = load_rules(&rules).map_err(|error| error.to_string())?;
    let told: Vec<String> =
        rules.rules.iter().flat_map(|rule| &rule.diagnostics).map(|d| format!("{}: {}", d.code, d.message)).collect();
    if rules.rules.iter().all(|rule| rule.rule.is_none()) {
        return Err(told.join("; "));
    }
    let mut found = Vec::new();
    let mut sink = |finding: Finding| {
        found.push(serde_json::to_value(&finding).expect("JSON")["fields"].clone());
        Ok(())
    };
    let options = ScanOptions { metrics: Some(metrics), ..ScanOptions::default() };
    let summary = scan(&rules, &[input], &options, &Quiet, &mut sink).map_err(|error| error.to_string())?;
    let failed = summary.rules.iter().flat_map(|rule| &rule.problems).find(|problem| problem.contains("stage"));
    match failed {
        Some(problem) => Err(problem.clone()),
        None => Ok(found),
    }
}

/// Rows as text, in no order.
fn sorted(rows: &[Value]) -> Vec<String> {
    let mut lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    lines.sort();
    lines
}

/// What a search gives instead of what it should; none if it gives that.
fn difference(search: &str, events: &str, options: &[(&str, &str)], expect: &str) -> Option<String> {
    let expected: Value = serde_json::from_str(expect).unwrap_or_else(|error| panic!("{expect}: {error}"));
    let expected = sorted(&expected.as_array().cloned().unwrap_or_default());
    let got = rows(search, events, options).map(|rows| sorted(&rows));
    (got.as_ref() != Ok(&expected)).then(|| format!("{search}\n  gives {got:?}\n  not   {expected:?}"))
}

fn check(search: &str, events: &str, options: &[(&str, &str)], expect: &str) {
    assert_eq!(difference(search, events, options, expect), None);
}

fn check_all(cases: &[(&str, &str)]) {
    let wrong: Vec<String> =
        cases.iter().filter_map(|(search, expect)| difference(search, cases::EVENTS, &[], expect)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn filters() {
    check_all(cases::FILTERS);
}

#[test]
fn expressions() {
    let cases: Vec<(String, String)> = cases::EXPRESSIONS
        .iter()
        .map(|(expression, expect)| {
            let row = if *expect == "null" { "[{}]".to_owned() } else { format!("[{{\"r\":{expect}}}]") };
            (format!("id=1 | eval r={expression} | table r"), row)
        })
        .collect();
    let cases: Vec<(&str, &str)> = cases.iter().map(|(search, row)| (search.as_str(), row.as_str())).collect();
    check_all(&cases);
}

#[test]
fn aggregates() {
    check_all(cases::AGGREGATES);
}

#[test]
fn commands() {
    check_all(cases::COMMANDS);
}

#[test]
fn searches_in_brackets() {
    check_all(cases::NESTED);
}

#[test]
fn tables_and_metrics() {
    check_all(cases::TABLES);
}

#[test]
fn options_change_what_the_manual_leaves_open() {
    let search = "tags{}!=x | table id";
    check(search, cases::EVENTS, &[("splunk.mv-not-equal", "some")], r#"[{"id":"1"},{"id":"3"}]"#);
    check(search, cases::EVENTS, &[("splunk.mv-not-equal", "every")], r#"[{"id":"3"}]"#);
    let search = "id=3 | fillnull | stats count by id site gone | rename gone as g";
    check(search, cases::EVENTS, &[("splunk.fillnull", "strict")], "[]");
    let filled = r#"[{"id":"3","site":"0","g":"0","count":1}]"#;
    check(search, cases::EVENTS, &[("splunk.fillnull", "lenient")], filled);
    let search = "id=1 | iplocation ip | stats count by Country";
    check(search, cases::EVENTS, &[("splunk.iplocation-unknown", "empty")], r#"[{"Country":"","count":1}]"#);
    check(search, cases::EVENTS, &[("splunk.iplocation-unknown", "absent")], "[]");
}

#[test]
fn what_cannot_run_says_why() {
    for (search, reason) in cases::REFUSED {
        match rows(search, cases::EVENTS, &[]) {
            Ok(rows) => panic!("{search} ran: {rows:?}"),
            Err(problem) => assert!(problem.contains(reason), "{search}: {problem}"),
        }
    }
}
