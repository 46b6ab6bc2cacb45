//! The number of threads must not show.

use std::path::{Path, PathBuf};

use masthead_engine::{Progress, RuleOptions, ScanOptions, load_rules, scan};

struct Quiet;
impl Progress for Quiet {
    fn bytes(&self, _: u64, _: u64) {}
}

/// Many batches: events under ids of their own, doubles, reused ids, cut lines, and lines that are no JSON.
fn log(folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hand_count/log.jsonl"));
    let text = text.expect("readable");
    let key = "\"auditID\":\"";
    let mut out = String::new();
    for copy in 0..40 {
        for (index, line) in text.lines().enumerate() {
            let Some(at) = line.find(key).map(|at| at + key.len()) else { continue };
            let line = format!("{}{copy:08x}{}", &line[..at], &line[at + 8..]);
            out.push_str(&line);
            out.push('\n');
            match (copy * 97 + index) % 50 {
                0 => out.push_str(&format!("{line}\n")),
                1 => out.push_str(&format!("{}\n", line.replace("\"verb\":\"", "\"verb\":\"not"))),
                2 => out.push_str(&format!("{}[Truncated...]\n", &line[..line.len() / 2])),
                3 => out.push_str("no event\n{\"a\":\n"),
                _ => {}
            }
        }
    }
    let path = folder.join("log.jsonl");
    std::fs::write(&path, out).expect("written");
    path
}

#[test]
fn findings_and_counts_are_the_same_for_any_number_of_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = log(folder.path());
    assert!(std::fs::metadata(&log).expect("there").len() > 4 << 20, "the log must have several batches");
    let paths = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/splunk")];
    let rules = load_rules(&RuleOptions { paths, ..RuleOptions::default() }).expect("rules");
    let run = |threads: usize| {
        let mut lines = Vec::new();
        let options = ScanOptions { threads, ..ScanOptions::default() };
        let summary = scan(&rules, std::slice::from_ref(&log), &options, &Quiet, &mut |finding| {
            lines.push(serde_json::to_string(&finding).expect("JSON"));
            Ok(())
        });
        let summary = summary.expect("a scan");
        (lines, serde_json::to_value((&summary.events, &summary.bytes, &summary.losses, &summary.rules)).expect("JSON"))
    };
    let alone = run(1);
    assert!(!alone.0.is_empty() && alone.1[2].as_array().is_some_and(|losses| losses.len() >= 4), "{:?}", alone.1);
    for threads in [2, 3, 8] {
        assert_eq!(run(threads), alone, "{threads} threads");
    }
}
