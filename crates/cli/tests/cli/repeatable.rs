//! The same input gives the same bytes.

use std::path::Path;

use crate::fixture::{Folder, workspace};

/// Logs with the built-in rules: searches, a script, a hunt.
fn scan(format: &str, more: &[&str], inputs: &[&Path]) -> String {
    let inputs: Vec<&str> = inputs.iter().map(|path| path.to_str().unwrap()).collect();
    let run = Folder::new().run(&[&["scan", "-f", format, "--summary", "none"], more, &inputs].concat());
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(!run.out.is_empty());
    run.out
}

#[test]
fn two_scans_are_alike_to_the_byte() {
    let examples = workspace().join("examples");
    for format in ["table", "jsonl", "ocsf"] {
        let first = scan(format, &[], &[&examples]);
        for _ in 0..3 {
            assert_eq!(scan(format, &[], &[&examples]), first, "{format}");
        }
        for threads in ["1", "2", "5"] {
            assert_eq!(scan(format, &["--threads", threads], &[&examples]), first, "{format}, {threads} threads");
        }
    }
}

#[test]
fn a_folder_is_its_files() {
    let examples = workspace().join("examples");
    let (raw, envelope) = (examples.join("audit.jsonl"), examples.join("eks-cloudwatch.json"));
    let whole = scan("jsonl", &[], &[&examples]);
    assert_eq!(scan("jsonl", &[], &[&raw, &envelope]), whole);
    assert_eq!(scan("jsonl", &[], &[&envelope, &raw]), whole);
}
