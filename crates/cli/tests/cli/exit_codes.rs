//! How each command ends.

use crate::fixture::{Folder, LISTS, events, splunk_rule};

fn folder() -> Folder {
    let folder = Folder::new();
    folder.splunk("rules/search.yml", LISTS).write("audit.jsonl", events(0..3));
    folder.write("quiet.jsonl", events(0..3).replace("\"list\"", "\"get\""));
    folder.write("nothing.jsonl", "").write("noise.bin", [0x7f, b'E', 0, 0xff, b'\n', b'x', b'\n']);
    folder.splunk("broken/broken.yml", "a=1 |").write("text/notes.md", "no rules");
    folder.splunk("elsewhere/elsewhere.yml", "| tstats count from datamodel=Web");
    folder.write("other/other.yml", "title: x\ndetection: {}\n");
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let off = format!("{}status: deprecated\n", splunk_rule("off", LISTS));
    folder.write("off/off.yml", off);
    let test = "  - name: t\n    attack_data:\n    - {data: ../audit.jsonl, source: kubernetes, sourcetype: _json}\n";
    folder.write("tested/good.yml", format!("{}tests:\n{test}", splunk_rule("good", LISTS)));
    folder.write("failing/fails.yml", format!("{}tests:\n{test}", splunk_rule("fails", "verb=delete")));
    folder
}

#[test]
fn scan() {
    let folder = folder();
    for (args, code, told) in [
        (&["-r", "rules", "audit.jsonl"][..], 0, "1 finding: 1 medium"),
        (&["-r", "rules", "quiet.jsonl"], 0, "0 findings"),
        (&["-r", "rules", "nothing.jsonl"], 0, "0 events read"),
        (&["-r", "rules", "--fail-on", "medium", "audit.jsonl"], 1, "1 finding"),
        (&["-r", "rules", "--fail-on", "low", "audit.jsonl"], 1, "1 finding"),
        (&["-r", "rules", "--fail-on", "high", "audit.jsonl"], 0, "1 finding"),
        (&["-r", "rules", "--fail-on", "low", "quiet.jsonl"], 0, "0 findings"),
        (&["-r", "off", "audit.jsonl"], 0, "1 switched off by their authors (--include-disabled runs them)"),
        (&["-r", "off", "--include-disabled", "audit.jsonl"], 0, "1 finding"),
        (&["-r", "rules", "-r", "broken", "audit.jsonl"], 0, "1 rule loaded, 1 refused"),
        (&["-r", "rules", "missing.jsonl"], 2, "error: cannot read missing.jsonl: No such file"),
        (&["-r", "rules", "audit.jsonl", "missing.jsonl"], 2, "error: cannot read missing.jsonl: No such file"),
        (&["-r", "rules", "empty"], 2, "error: there are no files to read"),
        (&["-r", "rules", "noise.bin"], 2, "error: nothing in the input is an event"),
        (&["-r", "rules", "noise.bin", "audit.jsonl"], 0, "1 finding"),
        (&["-r", "missing", "audit.jsonl"], 2, "error: cannot read missing: No such file"),
        (&["-r", "text", "audit.jsonl"], 2, "error: there are no rules there"),
        (&["-r", "broken", "audit.jsonl"], 2, "error: none of the rules can run"),
        (&["-r", "rules", "--only", "other*", "audit.jsonl"], 2, "error: there are no rules there"),
        (&["-r", "rules", "--only", "sea*", "audit.jsonl"], 0, "1 finding"),
        (&["-r", "rules", "--fail-on", "grave", "audit.jsonl"], 2, "error: invalid value 'grave'"),
        (&["-r", "rules", "--now", "noon", "audit.jsonl"], 2, "error: invalid value 'noon'"),
        (&["-r", "rules", "--option", "x", "audit.jsonl"], 2, "error: invalid value 'x'"),
        (&["-r", "rules", "--option", "x=y", "audit.jsonl"], 2, "error: there is no option `x`"),
        (&["-r", "rules", "--geoip", "missing.mmdb", "audit.jsonl"], 2, "missing.mmdb"),
        (&["-r", "rules", "--metrics", "missing.jsonl", "audit.jsonl"], 2, "error: cannot read missing.jsonl"),
        (&["-r", "rules", "-f", "xml", "audit.jsonl"], 2, "error: invalid value 'xml'"),
        (&["-r", "rules"], 2, "error: the following required arguments were not provided"),
        (&["--no-such-flag", "audit.jsonl"], 2, "error: unexpected argument '--no-such-flag'"),
    ] {
        let run = folder.run(&[&["scan"], args].concat());
        assert_eq!(run.code, code, "{args:?}: {}", run.err);
        assert!(run.err.contains(told), "{args:?}: {}", run.err);
        assert_eq!(run.out.is_empty(), !run.err.contains("1 finding"), "{args:?}: {}", run.out);
    }
}

#[test]
fn check() {
    let folder = folder();
    for (paths, code, told) in [
        (&["rules"][..], 0, "1 rule: 1 run, 0 partial, 0 unsupported, 0 invalid\n"),
        (&["rules", "broken"], 1, "2 rules: 1 run, 0 partial, 0 unsupported, 1 invalid\n"),
        (&["elsewhere"], 1, "1 rule: 0 run, 0 partial, 1 unsupported, 0 invalid\n"),
        (&["other/other.yml"], 1, "error[no-rule]: this is no rule of a language that can be read here\n"),
        (&["other"], 2, "error: there are no rules there\n"),
        (&["text"], 2, "error: there are no rules there\n"),
        (&["empty"], 2, "error: there are no rules there\n"),
        (&["missing"], 2, "error: cannot read missing: No such file or directory (os error 2)\n"),
        (&[], 2, "error: the following required arguments were not provided"),
    ] {
        let run = folder.run(&[&["check"], paths].concat());
        assert_eq!(run.code, code, "{paths:?}: {}", run.err);
        let (told_on, other) = if code == 2 { (&run.err, &run.out) } else { (&run.out, &run.err) };
        assert!(told_on.contains(told), "{paths:?}: {told_on}");
        assert_eq!(other, "", "{paths:?}");
    }
}

#[test]
fn test() {
    let folder = folder();
    for (paths, code, told) in [
        (&["tested"][..], 0, "1 test: 1 passed, 0 failed, 0 could not be run\n"),
        (&["tested", "failing"], 1, "2 tests: 1 passed, 1 failed, 0 could not be run\n"),
        (&["tested", "broken"], 1, "2 tests: 1 passed, 0 failed, 1 could not be run\n"),
        (&["rules"], 0, "0 tests: 0 passed, 0 failed, 0 could not be run\n"),
        (&["elsewhere"], 0, "0 tests: 0 passed, 0 failed, 0 could not be run\n"),
        (&["text"], 2, "error: there are no rules there\n"),
        (&["missing"], 2, "error: cannot read missing: No such file or directory (os error 2)\n"),
        (&[], 2, "error: the following required arguments were not provided"),
    ] {
        let run = folder.run(&[&["test"], paths].concat());
        assert_eq!(run.code, code, "{paths:?}: {}{}", run.out, run.err);
        let told_on = if code == 2 { &run.err } else { &run.out };
        assert!(told_on.contains(told), "{paths:?}: {told_on}");
    }
}

#[test]
fn the_rest() {
    let folder = Folder::new();
    for (args, code) in [
        (&[][..], 2),
        (&["no-such-command"], 2),
        (&["--help"], 0),
        (&["-V"], 0),
        (&["scan", "--help"], 0),
        (&["completions", "tcsh"], 2),
        (&["completions", "bash"], 0),
    ] {
        assert_eq!(folder.run(args).code, code, "{args:?}");
    }
}

/// A reader that goes away early ends the writer without a word.
#[cfg(unix)]
#[test]
fn a_reader_may_go_away() {
    use std::io::Read as _;
    use std::process::{Command, Stdio};

    let folder = Folder::new();
    folder.splunk("rules/search.yml", "verb=list").write("audit.jsonl", events(0..3000));
    for args in [&["scan", "-r", "rules", "-f", "jsonl", "audit.jsonl"][..], &["completions", "zsh"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_masthead"))
            .args(args)
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0; 1];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), err.contains("panicked")), (Some(0), false), "{args:?}: {err}");
    }
}
