//! What rules find of recorded attacks: the built-in rules, and published ones, dialect by dialect.
//!
//! The recording and its labels are read from `../shared` beside the workspace, or `MASTHEAD_SHARED`; without them there is
//! nothing to test. Published rules that are not kept there are read from `MASTHEAD_PUBLISHED_ELASTIC` (a folder of Elastic's
//! rules) and `MASTHEAD_PUBLISHED_PANTHER` (of Panther's); without them what the page says of them stays. With `MASTHEAD_BLESS=1`
//! the pages are written anew.

#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use masthead_rulefile::Node;
use serde_json::Value as Json;

use crate::fixture::Folder;

/// A recorded attack.
struct Scenario {
    id: String,
    title: String,
    attack: BTreeSet<String>,
    audit_ids: BTreeSet<String>,
}

struct Recording {
    log: PathBuf,
    scenarios: Vec<Scenario>,
    /// Requests that belong to an attack, or follow from one.
    tainted: BTreeSet<String>,
    lines: i64,
}

/// A finding as the table needs it.
struct Found {
    rule: String,
    severity: String,
    attack: BTreeSet<String>,
    audit_ids: BTreeSet<String>,
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn shared() -> PathBuf {
    std::env::var_os("MASTHEAD_SHARED").map_or_else(|| workspace().join("../shared"), PathBuf::from)
}

fn texts(node: &Node, key: &str) -> BTreeSet<String> {
    node.get(key).map(Node::texts).unwrap_or_default().into_iter().map(str::to_owned).collect()
}

/// A technique without what tells its variants apart.
fn technique(id: &str) -> String {
    id.split('.').next().unwrap_or_default().to_owned()
}

fn recording() -> Option<Recording> {
    let data = shared().join("data");
    let labels = fs::read_to_string(data.join("labels.yaml")).ok()?;
    let (documents, _) = masthead_rulefile::parse::parse(&labels).unwrap();
    let root = documents.first().unwrap();
    let mut tainted = BTreeSet::new();
    let mut scenarios = Vec::new();
    for node in root.get("scenarios").unwrap().items() {
        for key in ["audit_ids", "related_audit_ids", "consequence_audit_ids"] {
            tainted.extend(texts(node, key));
        }
        let text = |key: &str| node.get(key).and_then(Node::text).unwrap_or_default().to_owned();
        let attack = texts(node, "attack").iter().map(|id| technique(id)).collect();
        scenarios.push(Scenario { id: text("id"), title: text("title"), attack, audit_ids: texts(node, "audit_ids") });
    }
    let lines = root.get("event_lines").and_then(Node::as_i64).unwrap();
    Some(Recording { log: data.join("audit.jsonl.gz"), scenarios, tainted, lines })
}

fn scan(log: &Path, arguments: &[&str]) -> Vec<Found> {
    let log = log.to_str().unwrap();
    let mut all = vec!["scan", "-f", "jsonl", "--summary", "none"];
    all.extend(arguments);
    all.push(log);
    let run = Folder::new().run(&all);
    assert_eq!(run.code, 0, "{}", run.err);
    let strings = |value: &Json| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let found = run.out.lines().map(|line| {
        let finding: Json = serde_json::from_str(line).unwrap();
        Found {
            rule: finding["rule"]["name"].as_str().unwrap().to_owned(),
            severity: finding["severity"].as_str().unwrap().to_owned(),
            attack: strings(&finding["attack"]).iter().map(|id| technique(id)).collect(),
            audit_ids: strings(&finding["audit_ids"]).into_iter().collect(),
        }
    });
    found.collect()
}

/// Rules that name a request of a scenario, with how many of its requests they name together. `fitting`: only rules that say
/// they find one of its techniques.
fn finders<'f>(scenario: &Scenario, found: &'f [Found], fitting: bool) -> (BTreeMap<&'f str, &'f str>, usize) {
    let mut rules = BTreeMap::new();
    let mut named = BTreeSet::new();
    for finding in found {
        let fits = !fitting || finding.attack.intersection(&scenario.attack).next().is_some();
        let both: Vec<&String> = finding.audit_ids.intersection(&scenario.audit_ids).collect();
        if fits && !both.is_empty() {
            rules.insert(finding.rule.as_str(), finding.severity.as_str());
            named.extend(both);
        }
    }
    (rules, named.len())
}

fn assert_page(path: &Path, expected: &str) {
    if std::env::var_os("MASTHEAD_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, expected).unwrap();
    }
    let there = fs::read_to_string(path).unwrap_or_default();
    assert!(there == expected, "{} is not what was measured; run this test with MASTHEAD_BLESS=1", path.display());
}

fn is_severe(severity: &str) -> bool {
    matches!(severity, "medium" | "high" | "critical")
}

#[test]
fn the_built_in_rules_find_every_recorded_attack_and_leave_the_rest_alone() {
    let Some(recording) = recording() else {
        eprintln!("skipped: the recording is not there");
        return;
    };
    let found = scan(&recording.log, &[]);
    let mut page = String::from(
        "# What the built-in rules find\n\nMeasured by a test over a recording of a real API server with 51 labelled attacks.\n\
         A rule counts if it names a request of the attack and says that it finds one of the attack's techniques.\n\n\
         | scenario | requests named | rules |\n|---|---|---|\n",
    );
    let mut missed = Vec::new();
    for scenario in &recording.scenarios {
        let (rules, named) = finders(scenario, &found, true);
        if rules.is_empty() {
            missed.push(scenario.id.as_str());
        }
        let rules: Vec<String> = rules.iter().map(|(rule, severity)| format!("{rule} ({severity})")).collect();
        let (id, title, of) = (&scenario.id, &scenario.title, scenario.audit_ids.len());
        writeln!(page, "| {id}: {} | {named} of {of} | {} |", title.replace('|', "\\|"), rules.join(", ")).unwrap();
    }
    let benign: Vec<&Found> =
        found.iter().filter(|finding| finding.audit_ids.is_disjoint(&recording.tainted)).collect();
    let count = |severe: bool| benign.iter().filter(|finding| is_severe(&finding.severity) == severe).count();
    let rate = |count: usize| count as f64 * 1e4 / recording.lines as f64;
    write!(
        page,
        "\nBenign findings in {} events: {} of severity medium or higher ({:.2} in 10,000), {} below ({:.2} in 10,000).\n",
        recording.lines,
        count(true),
        rate(count(true)),
        count(false),
        rate(count(false)),
    )
    .unwrap();
    let mut by_rule: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    benign.iter().for_each(|finding| *by_rule.entry((&finding.rule, &finding.severity)).or_default() += 1);
    page.push_str("\n| rule | severity | benign findings |\n|---|---|---|\n");
    for ((rule, severity), count) in by_rule {
        writeln!(page, "| {rule} | {severity} | {count} |").unwrap();
    }
    assert_eq!(missed, [""; 0], "attacks that no fitting rule finds");
    assert!(rate(count(true)) <= 1.0, "{} benign findings of severity medium or higher", count(true));
    assert_page(&workspace().join("tests/scenarios.md"), &page);
}

/// Published rules: the heading, where they are, and what their scan needs.
fn published() -> Vec<(&'static str, Option<PathBuf>, Vec<&'static str>)> {
    let rules = shared().join("rules");
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    vec![
        ("Splunk ESCU", Some(rules.join("escu")), vec![]),
        ("Sigma", Some(rules.join("sigma")), vec![]),
        ("Falco", Some(rules.join("falco")), vec![]),
        ("Elastic", variable("MASTHEAD_PUBLISHED_ELASTIC"), vec![]),
        ("Panther", variable("MASTHEAD_PUBLISHED_PANTHER"), vec!["--log-type", "Amazon.EKS.Audit"]),
    ]
}

/// The part of a page under a heading of the second level, with the heading.
fn section<'p>(page: &'p str, heading: &str) -> Option<&'p str> {
    let from = page.find(&format!("\n## {heading}\n"))? + 1;
    let length = page[from + 3..].find("\n## ").map_or(page.len() - from, |at| at + 4);
    page.get(from..from + length)
}

#[test]
fn the_page_on_published_rules_says_which_attacks_they_find() {
    let Some(recording) = recording() else {
        eprintln!("skipped: the recording is not there");
        return;
    };
    let path = workspace().join("docs/published-rules.md");
    let before = fs::read_to_string(&path).unwrap_or_default();
    let mut page = String::from(
        "<!-- Measured by the test `scenarios`; MASTHEAD_BLESS=1 writes it anew. -->\n\n# What published rules find\n\n\
         The recording with 51 labelled attacks that the built-in rules are measured by (tests/scenarios.md), scanned with the rules\n\
         of each project as they are published. A rule counts if one of its findings names a request of the attack, whatever it is\n\
         meant for. Findings that name none of the attackers' requests are counted as benign.\n",
    );
    for (name, folder, arguments) in published() {
        let Some(folder) = folder.filter(|folder| folder.is_dir()) else {
            page.push('\n');
            page.push_str(section(&before, name).unwrap_or_else(|| panic!("there are no rules of {name}")).trim_end());
            page.push('\n');
            continue;
        };
        let mut all = vec!["-r", folder.to_str().unwrap()];
        all.extend(arguments);
        let found = scan(&recording.log, &all);
        write!(page, "\n## {name}\n\n").unwrap();
        let mut table = String::from("| scenario | rules |\n|---|---|\n");
        let mut seen = 0;
        for scenario in &recording.scenarios {
            let (rules, _) = finders(scenario, &found, false);
            seen += usize::from(!rules.is_empty());
            let rules: Vec<&str> = rules.keys().copied().collect();
            let rules = if rules.is_empty() { "–".to_owned() } else { rules.join(", ") };
            writeln!(table, "| {} | {rules} |", scenario.id).unwrap();
        }
        let benign: Vec<&Found> =
            found.iter().filter(|finding| finding.audit_ids.is_disjoint(&recording.tainted)).collect();
        let severe = benign.iter().filter(|finding| is_severe(&finding.severity)).count();
        writeln!(
            page,
            "{seen} of {} attacks are seen. Benign findings: {} of severity medium or higher, {} in all, of {} events.\n",
            recording.scenarios.len(),
            severe,
            benign.len(),
            recording.lines
        )
        .unwrap();
        page.push_str(&table);
    }
    assert_page(&path, &page);
}
