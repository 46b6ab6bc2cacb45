//! The detection that the built-in Panther rule decides anew: its published tests pass with our Python beside them.
//!
//! The published page is read from `../shared` beside the workspace, or `MASTHEAD_SHARED`; without it there is nothing to test.

#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::fixture::Folder;

fn page() -> Option<String> {
    let shared = std::env::var_os("MASTHEAD_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"));
    let folder = std::fs::read_dir(shared.join("seeds")).ok()?;
    let texts = folder.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok());
    texts.into_iter().find(|text| text.contains("\nAnalysisType: rule\nFilename: system_namespace_public_ip.py\n"))
}

/// The page shows the rule's YAML without its indentation; this gives it back.
fn indented(page: &str) -> String {
    let from = page.find("AnalysisType: rule").unwrap_or_default();
    let to = page.find("\nDetection logic\n").unwrap_or(page.len());
    let top = |line: &str| {
        let key = line.split(':').next().unwrap_or_default();
        let letters = key.bytes().all(|byte| byte.is_ascii_alphabetic());
        letters && key.starts_with(char::is_uppercase) && !matches!(key, "Log" | "ExpectedResult")
    };
    let (mut yaml, mut under, mut nested) = (String::new(), String::new(), false);
    for line in page[from..to].lines() {
        let depth = match under.as_str() {
            _ if top(line) && line.contains(':') => {
                under = line.split(':').next().unwrap_or_default().to_owned();
                nested = false;
                0
            }
            "Tests" if line.starts_with("- Name:") => 2,
            "Tests" if line.starts_with("ExpectedResult:") || line.starts_with("Log:") => 4,
            "Tests" => 6,
            "Reports" if nested => 4,
            "Reports" => {
                nested = true;
                2
            }
            _ => 2,
        };
        writeln!(yaml, "{}{line}", " ".repeat(depth)).unwrap();
    }
    yaml
}

#[test]
fn the_published_tests_pass_with_our_python() {
    let Some(page) = page() else {
        eprintln!("skipped: the published page is not there");
        return;
    };
    let python = include_str!("../../../../rules/panther/eks_system_user_public_ip.py");
    let folder = Folder::new();
    folder.write("rules/published.yml", indented(&page)).write("rules/system_namespace_public_ip.py", python);
    let run = folder.run(&["test", "rules"]);
    assert_eq!(
        (run.code, run.out.lines().last()),
        (0, Some("9 tests: 9 passed, 0 failed, 0 could not be run")),
        "{run:?}"
    );
}
