//! What each command writes, in each form.

use std::fmt::Write as _;

use crate::fixture::{Folder, LISTS, Run, command, event, events, splunk_rule};

/// Rules of every fate, and events that some of them want.
fn mixed() -> Folder {
    let folder = Folder::new();
    folder.splunk("rules/lists.yml", LISTS);
    folder.splunk("rules/models.yml", "| tstats count from datamodel=Web by Web.src");
    folder.splunk("rules/syntax.yml", "verb=list | where count > (3");
    folder.splunk("rules/token.yml", "verb=list | stats count by sourceIPs{}");
    folder.write("rules/tabs.yml", "name: tabs\n\tid: 3\n");
    folder.panther("rules/python", "def rule(event):\n    return event.get(\"verb\") in (\"list\", \"watch\")\n\n\ndef title(event):\n    return f\"{event.deep_get('user', 'username')} reads\"\n");
    folder.panther("rules/raises", "def rule(event):\n    return event[\"nothing\"] == 1\n");
    folder.panther("rules/brackets", "def rule(event):\n    return [1, 2\n");
    let cut = event(8, "list");
    let bad = format!("no JSON\n{}[Truncated...]\n{}\n", &cut[..cut.len() - 40], event(1, "list"));
    folder.write("audit.jsonl", events(0..3) + &bad + &event(7, "watch"));
    folder
}

fn scan(format: &str, more: &[&str]) -> Run {
    let args = ["scan", "-r", "rules", "-f", format, "--log-type", "Amazon.EKS.Audit", "--cluster", "demo"];
    mixed().run(&[&args[..], more, &["audit.jsonl"]].concat())
}

/// Figures that differ from run to run, made alike.
fn without_time(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        match line.split_once(" in ").filter(|(before, _)| before.contains(" read, ")) {
            Some((before, _)) => writeln!(out, "{before} in [seconds] s ([speed] MB/s)").unwrap(),
            None => writeln!(out, "{line}").unwrap(),
        }
    }
    out
}

#[test]
fn findings() {
    insta::assert_snapshot!("findings_table", scan("table", &["--summary", "none"]).out);
    insta::assert_snapshot!("findings_jsonl", scan("jsonl", &["--summary", "none"]).out);
    let ocsf: String = scan("ocsf", &["--summary", "none"])
        .records()
        .iter()
        .map(|record| serde_json::to_string_pretty(record).unwrap() + "\n")
        .collect();
    insta::assert_snapshot!("findings_ocsf", ocsf.replace(env!("CARGO_PKG_VERSION"), "[version]"));
}

#[test]
fn summaries() {
    insta::assert_snapshot!("summary_text", without_time(&scan("jsonl", &[]).err));
    let mut summary = scan("jsonl", &["--summary", "json"]).summary();
    assert!(summary["seconds"].as_f64().unwrap() >= 0.0);
    summary["seconds"] = "[seconds]".into();
    insta::assert_snapshot!("summary_json", serde_json::to_string_pretty(&summary).unwrap());
}

#[test]
fn checks() {
    let check = |format: &str| mixed().run(&["check", "-f", format, "rules"]).out;
    insta::assert_snapshot!("check_text", check("text"));
    insta::assert_snapshot!("check_jsonl", check("jsonl"));
    let sarif: serde_json::Value = serde_json::from_str(&check("sarif")).unwrap();
    let sarif = serde_json::to_string_pretty(&sarif).unwrap();
    insta::assert_snapshot!("check_sarif", sarif.replace(env!("CARGO_PKG_VERSION"), "[version]"));
}

#[test]
fn tests() {
    let data = "    attack_data:\n    - {data: audit.jsonl, source: kubernetes, sourcetype: _json}\n";
    let missing = data.replace("audit", "missing");
    let rule = |name: &str, search: &str, data: &str| {
        format!("{}tests:\n  - name: true positive\n{data}", splunk_rule(name, search))
    };
    let folder = Folder::new();
    folder.write("audit.jsonl", events(0..3)).write("good.yml", rule("good", LISTS, data));
    folder.write("quiet.yml", rule("quiet", "verb=delete", data)).write("gone.yml", rule("gone", LISTS, &missing));
    folder.splunk("broken.yml", "verb=list |").splunk("untested.yml", LISTS);
    folder.write(
        "python.yml",
        "AnalysisType: rule\nRuleID: python\nFilename: python.py\nEnabled: true\nLogTypes: [Amazon.EKS.Audit]\nSeverity: High\nTests:\n\
         - {Name: lists, ExpectedResult: true, Log: {verb: list}}\n\
         - {Name: gets & <gets>, ExpectedResult: true, Log: {verb: get}}\n\
         - {Name: raises, ExpectedResult: false, Log: {}}\n",
    );
    folder.write("python.py", "def rule(event):\n    return event[\"verb\"] == \"list\"\n");
    let test = |format: &str| {
        let run = folder.run(&["test", "-f", format, "."]);
        format!("{}---\n{}", run.out, run.err)
    };
    insta::assert_snapshot!("test_text", test("text"));
    insta::assert_snapshot!("test_jsonl", test("jsonl"));
    insta::assert_snapshot!("test_junit", test("junit"));
}

#[test]
fn colours_only_where_somebody_sees_them() {
    let folder = mixed();
    for args in [&["check", "rules"][..], &["scan", "-r", "rules", "audit.jsonl"], &["test", "rules"]] {
        let run = |name: Option<(&str, &str)>| {
            let mut command = command(args);
            let output = command.envs(name).current_dir(folder.path()).output().unwrap();
            String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
        };
        assert!(!run(None).contains('\u{1b}'), "{args:?}");
        assert!(!run(Some(("NO_COLOR", "1"))).contains('\u{1b}'), "{args:?}");
        assert!(run(Some(("CLICOLOR_FORCE", "1"))).contains("\u{1b}["), "{args:?}");
    }
}

#[test]
fn events_cannot_steer_the_terminal() {
    let folder = Folder::new();
    folder.splunk("rules/lists.yml", LISTS);
    folder.write("audit.jsonl", event(1, "list").replace("eve", "e\\u001b[2Jv\\ne\\u202e"));
    let run = folder.run(&["scan", "-r", "rules", "audit.jsonl"]);
    assert!(run.out.contains("e\\u{1b}[2Jv e\\u{202e} did it"), "{}", run.out);
    assert!(!run.out.contains(['\u{1b}', '\u{202e}']), "{}", run.out);
    let exact = folder.run(&["scan", "-r", "rules", "-f", "jsonl", "audit.jsonl"]);
    assert_eq!(exact.records()[0]["fields"]["user"], "e\u{1b}[2Jv\ne\u{202e}");
}

#[test]
fn what_went_wrong_is_told_without_a_summary_too() {
    let err = scan("jsonl", &["--summary", "none"]).err;
    assert!(err.contains("error[spl-syntax]") && err.contains("error[script-exception]"), "{err}");
    assert!(!err.contains("events read"), "{err}");
}

#[test]
fn versions_and_completions() {
    let folder = Folder::new();
    let version = format!("masthead {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(folder.run(&["-V"]).out, version);
    assert_eq!(folder.run(&["--version"]).out, version);
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = folder.run(&["completions", shell]);
        for word in ["masthead", "scan", "check", "test", "fail-on", "include-disabled"] {
            assert!(script.out.contains(word), "{shell}: {word}");
        }
        assert!(!script.out.contains("script-worker"), "{shell}");
    }
}
