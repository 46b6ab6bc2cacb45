//! Events that are broken: counted by reason with the first places, and the rest goes on.

use std::io::Write as _;
use std::process::Stdio;

use crate::fixture::{Folder, LISTS, Run, event, events};

const SCAN: [&str; 8] = ["scan", "-r", "rules", "-f", "jsonl", "--summary", "json", "audit.jsonl"];

fn folder(log: impl AsRef<[u8]>) -> Folder {
    let folder = Folder::new();
    folder.splunk("rules/search.yml", LISTS).write("audit.jsonl", log);
    folder
}

/// Good events with something between them.
fn around(bad: &[u8]) -> Vec<u8> {
    [events(0..3).as_bytes(), bad, b"\n", events(3..6).as_bytes()].concat()
}

#[test]
fn each_is_counted_by_its_reason_and_the_rest_goes_on() {
    let deep_arrays = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_objects = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let nul = event(9, "list").replace("eve", "e\0ve");
    let mut broken_text = event(9, "list").into_bytes();
    let at = broken_text.windows(3).position(|part| part == b"eve").unwrap();
    broken_text[at] = 0xff;
    let twice = event(1, "list");
    for (bad, reason) in [
        (&b"this is no JSON"[..], "not-json"),
        (b"{\"verb\": \"list\",,}", "not-json"),
        (b"{\"verb\": list}", "not-json"),
        (b"\x1f\x8b\x00\x00 not the beginning of a file", "not-json"),
        (deep_arrays.as_bytes(), "too-deep"),
        (deep_objects.as_bytes(), "too-deep"),
        (nul.as_bytes(), "nul-byte"),
        (&broken_text, "invalid-utf8"),
        (twice.as_bytes(), "double"),
    ] {
        let run = folder(around(bad)).run(&SCAN);
        let shown = String::from_utf8_lossy(&bad[..bad.len().min(40)]).into_owned();
        let counted: Vec<_> = run.losses();
        let nul_bytes_too = counted.iter().all(|(name, ..)| name == reason || name == "nul-byte");
        assert!(!counted.is_empty() && nul_bytes_too, "{shown}: {counted:?}");
        let total: u64 = counted.iter().map(|(_, count, _)| count).sum();
        assert_eq!(total, 1, "{shown}: {counted:?}");
        assert_eq!(counted[0].2, ["audit.jsonl:4"], "{shown}");
        assert_eq!(run.records()[0]["count"], 6, "{shown}");
        assert_eq!(run.summary()["events"], 6, "{shown}");
        assert_eq!(run.code, 0, "{shown}");
    }
}

#[test]
fn a_cut_event_is_read_as_far_as_it_goes_and_marked() {
    let whole = event(9, "list");
    let cut = format!("{}[Truncated...]", &whole[..whole.len() - 60]);
    let run = folder(around(cut.as_bytes())).run(&SCAN);
    let expected = [("truncated".to_owned(), 1, vec!["audit.jsonl:4".to_owned()])];
    assert_eq!(run.losses(), expected);
    assert_eq!(run.records()[0]["count"], 7);
    assert!(run.records()[0]["audit_ids"].as_array().unwrap().iter().any(|id| whole.contains(id.as_str().unwrap())));
    assert_eq!(run.code, 0);
}

#[test]
fn an_id_used_again_for_another_event_does_not_hide_it() {
    let other = event(1, "list").replace("eve", "mallory");
    let run = folder(around(other.as_bytes())).run(&SCAN);
    assert_eq!(run.losses(), [("reused-audit-id".to_owned(), 1, vec!["audit.jsonl:4".to_owned()])]);
    let users: Vec<_> = run.records().iter().map(|record| record["fields"]["user"].clone()).collect();
    assert_eq!(users, ["eve", "mallory"]);
}

#[test]
fn the_first_five_places_are_told() {
    let bad = "x\n".repeat(9);
    let run = folder(around(bad.as_bytes())).run(&SCAN);
    let losses = run.losses();
    assert_eq!((losses[0].0.as_str(), losses[0].1), ("not-json", 9));
    assert_eq!(losses[0].2, [4, 5, 6, 7, 8].map(|line| format!("audit.jsonl:{line}")));
    let text = folder(around(bad.as_bytes())).run(&["scan", "-r", "rules", "-f", "jsonl", "audit.jsonl"]);
    let expected = "6 events read, 3.0 kB in ";
    assert!(text.err.starts_with(expected), "{}", text.err);
    let expected = "\n  9 skipped: no JSON (not-json), first at audit.jsonl:4, audit.jsonl:5, audit.jsonl:6, audit.jsonl:7, audit.jsonl:8\n";
    assert!(text.err.contains(expected), "{}", text.err);
}

#[test]
fn a_line_of_100_megabytes_is_counted_and_takes_little_memory() {
    let folder = folder("");
    let mut args = SCAN;
    args[7] = "-";
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_masthead"))
        .args(args)
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = child.stdin.take().unwrap();
    log.write_all(events(0..3).as_bytes()).unwrap();
    log.write_all(b"{\"auditID\":\"x\",\"verb\":\"list\",\"userAgent\":\"").unwrap();
    let block = vec![b'a'; 1 << 20];
    for _ in 0..100 {
        log.write_all(&block).unwrap();
    }
    log.write_all(b"\"}\n").unwrap();
    log.write_all(events(3..6).as_bytes()).unwrap();
    let peak = peak_kb(child.id());
    drop(log);
    let output = child.wait_with_output().unwrap();
    let run = Run {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    };
    assert_eq!(run.losses(), [("too-long".to_owned(), 1, vec!["-:4".to_owned()])]);
    assert_eq!(run.records()[0]["count"], 6);
    assert_eq!(run.code, 0);
    assert!(peak.is_none_or(|peak| peak < 300_000), "{peak:?} kB");
}

/// The most memory that a process took so far, in kB; none where the system does not tell.
fn peak_kb(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok())
}
