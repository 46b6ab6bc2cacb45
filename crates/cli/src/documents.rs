//! The pages of `docs/` that are made from the code, and what keeps them true. With `MASTHEAD_BLESS=1` in the
//! environment the tests write the pages anew.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _};
use masthead_ir::finding::{Entity, Finding, RuleRef};
use masthead_ir::rule::{EntityRole, Kind, Severity};
use serde_json::{Map, Value as Json};

const BLESS: &str = "MASTHEAD_BLESS";

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn assert_page(name: &str, expected: &str) {
    let path = workspace().join("docs").join(name);
    if std::env::var_os(BLESS).is_some() {
        fs::write(&path, expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/{name} is not what the code makes of it; run this test with {BLESS}=1");
}

/// A page says that nobody need edit it.
fn head(title: &str, about: &str) -> String {
    format!(
        "<!-- Made from the code; `{BLESS}=1 cargo test --workspace documents` writes it anew. -->\n\n# {title}\n\n{about}\n"
    )
}

#[test]
fn the_command_line() {
    let about = "What `masthead help` tells, command by command. Exit statuses, names of options, and keys of JSON do not change\n\
                 their meaning; new ones may come.";
    let mut page = head("The command line", about);
    let mut root = crate::args::Args::command().term_width(100);
    root.build();
    section(&mut page, &mut root);
    assert_page("cli.md", &page);
}

fn section(page: &mut String, command: &mut Command) {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    write!(page, "\n## {name}\n\n```text\n{}\n```\n", lines.join("\n")).unwrap();
    for inner in command.get_subcommands_mut().filter(|inner| inner.get_name() != "help") {
        section(page, inner);
    }
}

#[test]
fn the_configuration() {
    let about = "Every key of the file that `masthead run -c FILE` reads, with its default: what `masthead config print-default` prints.";
    let page = head("Configuration", about);
    assert_page("configuration.md", &format!("{page}\n```toml\n{}```\n", masthead_serve::config::DEFAULT));
}

#[test]
fn the_metrics() {
    let about = "What `/metrics` shows, in the OpenMetrics text format. Names and labels do not change their meaning.";
    let mut page = head("Metrics", about);
    page.push_str("\n| name | type | meaning |\n|---|---|---|\n");
    for (name, kind, meaning) in masthead_serve::metric_names() {
        writeln!(page, "| `{name}` | {kind} | {meaning} |").unwrap();
    }
    assert_page("metrics.md", &page);
}

#[test]
fn the_api() {
    assert_page("openapi.json", &(masthead_serve::openapi() + "\n"));
}

#[test]
fn the_diagnostics() {
    let about = "What `check` and `scan` may say of a rule. The codes do not change their meaning.";
    let mut page = head("Diagnostics", about);
    let mut dialect = Some("none yet");
    for code in masthead_engine::codes() {
        if code.dialect != dialect {
            dialect = code.dialect;
            let title = dialect.map_or_else(|| "Any rule".to_owned(), |name| format!("Rules of {}", sentence(name)));
            write!(page, "\n## {}\n\n| code | meaning |\n|---|---|\n", title.trim_end_matches('.')).unwrap();
        }
        writeln!(page, "| `{}` | {} |", code.name, sentence(code.meaning)).unwrap();
    }
    assert_page("diagnostics.md", &page);
}

#[test]
fn the_options() {
    let about = "Where a rule language's manual is silent, `--option NAME=VALUE` decides.";
    let mut page = head("Options of rule languages", about);
    page.push_str("\n| option | values | default | what it decides |\n|---|---|---|---|\n");
    for option in masthead_engine::dialect_options() {
        let values: Vec<String> = option.values.split(", ").map(|value| format!("`{value}`")).collect();
        let (name, default, meaning) = (option.name, option.default, sentence(option.meaning));
        writeln!(page, "| `{name}` | {} | `{default}` | {meaning} |", values.join(", ")).unwrap();
        assert!(option.values.split(", ").any(|value| value == default), "{name}");
    }
    assert_page("options.md", &page);
}

/// The built-in rules.
fn builtin() -> Vec<std::sync::Arc<masthead_ir::rule::Rule>> {
    let set = masthead_engine::load_rules(&masthead_engine::RuleOptions::default()).unwrap();
    set.rules.into_iter().filter_map(|compiled| compiled.rule).collect()
}

#[test]
fn the_catalogue_of_built_in_rules() {
    assert_page("catalogue.md", &masthead_catalog::catalogue(&builtin()));
}

#[test]
fn what_the_built_in_rules_cover() {
    let about = "What `masthead coverage` tells of the built-in rules.";
    let coverage = masthead_catalog::Coverage::of(&builtin()).markdown();
    let page = head("Coverage of the built-in rules", about);
    assert_page("coverage.md", &format!("{page}\n{}\n", coverage.trim_end()));
}

/// A text as a sentence of its own, which a cell of a table can hold.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{first}{}{end}", chars.as_str()).replace('|', "\\|")
}

#[test]
fn every_code_that_the_sources_give_is_listed_and_the_other_way_round() {
    let mut given = BTreeSet::new();
    let mut text = String::new();
    for file in sources() {
        let source = fs::read_to_string(&file).unwrap();
        let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for opening in ["Diagnostic::error(", "Diagnostic::warning(", "Diagnostic::note(", "code: "] {
            given.extend(source.split(opening).skip(1).filter_map(quoted).map(str::to_owned));
        }
        text.push_str(source);
    }
    let listed: BTreeSet<String> = masthead_engine::codes().iter().map(|code| code.name.to_owned()).collect();
    assert_eq!(given.difference(&listed).collect::<Vec<_>>(), [""; 0], "these are given and not listed");
    // A code that is a constant stands in the sources once; the compiler tells if nobody uses it.
    let constant = |code: &str| text.contains(&format!("str = \"{code}\";"));
    let named_once = |code: &&String| text.matches(&format!("\"{code}\"")).count() < 2 && !constant(code);
    assert_eq!(listed.iter().filter(named_once).collect::<Vec<_>>(), [""; 0], "these are listed and never given");
}

/// The text in quotation marks that comes first, if nothing but white space comes before it.
fn quoted(text: &str) -> Option<&str> {
    text.trim_start().strip_prefix('"')?.split('"').next().filter(|code| !code.is_empty())
}

/// The source files of the library crates, but for those that hold only tests.
fn sources() -> Vec<PathBuf> {
    let mut folders = vec![workspace().join("crates")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !["cli", "tests", "target"].contains(&name.as_str()) {
                folders.push(path);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                files.push(path);
            }
        }
    }
    files
}

#[test]
fn every_field_of_a_finding_is_told() {
    let page = fs::read_to_string(workspace().join("docs/findings.md")).unwrap();
    let finding = Finding {
        finding_id: String::new(),
        kind: Kind::Finding,
        rule: RuleRef { id: String::new(), name: String::new(), dialect: String::new(), path: String::new() },
        severity: Severity::Low,
        status: String::new(),
        title: String::new(),
        message: String::new(),
        first_seen: Some(String::new()),
        last_seen: Some(String::new()),
        count: 0,
        entities: vec![Entity {
            entity_type: String::new(),
            value: String::new(),
            role: EntityRole::Risk,
            risk_score: Some(0),
            message: Some(String::new()),
        }],
        attack: Vec::new(),
        audit_ids: Vec::new(),
        audit_id_count: 0,
        cluster: Some(String::new()),
        fields: Map::new(),
        details: Map::from_iter([(String::new(), Json::Null)]),
    };
    let Json::Object(record) = serde_json::to_value(finding).unwrap() else { panic!("a finding is an object") };
    let mut names = Vec::new();
    for (name, value) in &record {
        names.push(name.clone());
        let inner = if let Some(items) = value.as_array() { items.first() } else { Some(value) };
        if let Some(inner) = inner.and_then(Json::as_object).filter(|_| name != "details") {
            names.extend(inner.keys().map(|key| format!("{name}.{key}")));
        }
    }
    let missing: Vec<&String> = names.iter().filter(|name| !page.contains(&format!("| `{name}` |"))).collect();
    assert_eq!(missing, [""; 0]);
    let told = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let invented: Vec<&str> = told.filter(|told| !names.iter().any(|name| name == told)).collect();
    assert_eq!(invented, [""; 0]);
    let values = [
        serde_json::to_string(&[Kind::Finding, Kind::IntermediateFinding, Kind::Signal, Kind::Hunt]).unwrap(),
        serde_json::to_string(&[EntityRole::Risk, EntityRole::Threat]).unwrap(),
    ];
    for value in values.iter().flat_map(|list| list.split('"')).filter(|value| value.len() > 1) {
        assert!(page.contains(&format!("`{value}`")), "{value}");
    }
    assert!(page.contains(&format!("{} of them", masthead_ir::finding::MAX_EVIDENCE)));
}
