//! Rules that are broken: one diagnostic each, and all others run.

use crate::fixture::{Folder, LISTS, events, splunk_rule};

/// Files of a broken rule, and the diagnostic that `check` and `scan` must give of it.
struct Broken {
    files: &'static [(&'static str, &'static str)],
    code: &'static str,
    /// `path:line:column`, the line of the file, and the marks under it.
    place: &'static str,
    line: &'static str,
    marks: &'static str,
}

const COMPILED: &[Broken] = &[
    Broken {
        files: &[("bad.yml", "name: [open\nid: 3\n")],
        code: "yaml-syntax",
        place: "rules/bad.yml:2:3",
        line: "id: 3",
        marks: "  ^",
    },
    Broken {
        files: &[("bad.yml", "SPL:verb=list | where count > (3")],
        code: "spl-syntax",
        place: "rules/bad.yml:4:38",
        line: "search: 'verb=list | where count > (3'",
        marks: "                                     ^",
    },
    Broken {
        files: &[("bad.yml", "SPL:`no_such_macro(1)` | stats count")],
        code: "unknown-macro",
        place: "rules/bad.yml:4:10",
        line: "search: '`no_such_macro(1)` | stats count'",
        marks: "         ^^^^^^^^^^^^^^^^^^",
    },
    Broken {
        files: &[("bad.yml", "SPL:verb=list | lookup nowhere user OUTPUT x | stats count")],
        code: "missing-lookup",
        place: "rules/bad.yml:4:29",
        line: "search: 'verb=list | lookup nowhere user OUTPUT x | stats count'",
        marks: "                            ^^^^^^^",
    },
    Broken {
        files: &[("bad.yml", "PANTHER"), ("bad.py", "def rule(event):\n    return (event\n")],
        code: "python-syntax",
        place: "rules/bad.py:2:18",
        line: "    return (event",
        marks: "                 ^",
    },
];

fn folder(broken: &Broken) -> Folder {
    let folder = good();
    for (name, text) in broken.files {
        let path = format!("rules/{name}");
        match text.split_once(':') {
            Some(("SPL", search)) => folder.splunk(&path, search),
            _ if *text == "PANTHER" => folder.write(
                &path,
                "AnalysisType: rule\nRuleID: bad\nFilename: bad.py\nEnabled: true\nLogTypes: [Amazon.EKS.Audit]\nSeverity: High\n",
            ),
            _ => folder.write(&path, text),
        };
    }
    folder
}

/// Two rules that run, and ten events of a log type that both want.
fn good() -> Folder {
    let folder = Folder::new();
    folder.splunk("rules/search.yml", LISTS);
    folder.panther("rules/python", "def rule(event):\n    return event.get(\"verb\") == \"list\"\n");
    folder.write("audit.jsonl", events(0..10));
    folder
}

/// The diagnostics in a text: each begins with `error[` or the like.
fn heads(text: &str) -> Vec<&str> {
    let levels = ["error[", "warning[", "note["];
    text.lines().filter(|line| levels.iter().any(|level| line.starts_with(level))).collect()
}

fn assert_shows(text: &str, code: &str, place: &str, line: &str, marks: &str) {
    let heads = heads(text);
    assert_eq!(heads.len(), 1, "{text}");
    assert!(heads[0].starts_with(&format!("error[{code}]: ")), "{text}");
    assert!(text.lines().any(|shown| shown.trim_start() == format!("--> {place}")), "{place}: {text}");
    let mut lines = text.lines().skip_while(|shown| !shown.ends_with(&format!(" | {line}")));
    assert!(lines.next().is_some(), "{line}: {text}");
    assert!(lines.next().unwrap().ends_with(&format!(" | {marks}")), "{marks}: {text}");
}

#[test]
fn check_names_each_once_and_passes_the_others() {
    for broken in COMPILED {
        let run = folder(broken).run(&["check", "rules"]);
        assert_shows(&run.out, broken.code, broken.place, broken.line, broken.marks);
        assert!(run.out.ends_with("3 rules: 2 run, 0 partial, 0 unsupported, 1 invalid\n"), "{}", run.out);
        assert_eq!((run.code, run.err.as_str()), (1, ""), "{}", broken.code);
    }
}

#[test]
fn check_gives_machines_the_same() {
    for broken in COMPILED {
        let run = folder(broken).run(&["check", "-f", "jsonl", "rules"]);
        let records = run.records();
        assert_eq!(records.len(), 3, "{}", run.out);
        for record in &records {
            let bad = record["path"] == "rules/bad.yml";
            assert_eq!(record["status"], if bad { "invalid" } else { "runs" }, "{record}");
            let diagnostics = record["diagnostics"].as_array().unwrap();
            assert_eq!(diagnostics.len(), usize::from(bad), "{record}");
            for told in diagnostics {
                assert_eq!((&told["code"], &told["severity"]), (&broken.code.into(), &"error".into()));
                let place = format!("{}:{}:{}", told["path"].as_str().unwrap(), told["line"], told["column"]);
                assert_eq!(place, broken.place);
            }
        }
        assert_eq!(run.code, 1);
    }
}

#[test]
fn scan_runs_the_others() {
    for broken in COMPILED {
        let folder = folder(broken);
        let args = ["scan", "-r", "rules", "-f", "jsonl", "--log-type", "Amazon.EKS.Audit", "audit.jsonl"];
        let run = folder.run(&args);
        assert_eq!(run.fired(), ["python", "search"], "{}", run.err);
        assert_shows(&run.err, broken.code, broken.place, broken.line, broken.marks);
        assert!(run.err.contains("\n2 rules loaded, 1 refused, 0 switched off\n"), "{}", run.err);
        assert_eq!(run.code, 0, "{}", run.err);
    }
}

#[test]
fn test_counts_each_as_a_test_that_could_not_be_run() {
    for broken in COMPILED {
        let run = folder(broken).run(&["test", "-f", "jsonl", "rules"]);
        let records = run.records();
        assert_eq!(records.len(), 1, "{}", run.out);
        assert_eq!((&records[0]["status"], &records[0]["path"]), (&"error".into(), &"rules/bad.yml".into()));
        assert!(records[0]["detail"].as_str().unwrap().starts_with(&format!("{}: ", broken.place)), "{}", run.out);
        assert_eq!(run.code, 1);
    }
}

#[test]
fn python_that_fails_while_it_runs_is_told_once_and_the_others_run() {
    let cases = [
        (
            "def rule(event):\n    verb = event.get(\"verb\")\n    return {\"a\": 1}[verb]\n",
            "script-exception",
            ("rules/bad.py:3:5", "    return {\"a\": 1}[verb]", "    ^^^^^^^^^^^^^^^^^^^^^"),
            "`rule` raised KeyError: 'list'; 10 times at this line",
        ),
        (
            "def rule(event):\n    while True:\n        pass\n",
            "script-killed",
            ("rules/bad.py:1:1", "def rule(event):", "^^^^^^^^^^^^^^^^"),
            "the rule was stopped at an event: it took longer than 800 ms",
        ),
        (
            "import re\n\ndef rule(event):\n    return re.match(\"(a+)+b\", \"a\" * 50)\n",
            "script-killed",
            ("rules/bad.py:3:1", "def rule(event):", "^^^^^^^^^^^^^^^^"),
            "the rule was stopped at an event: it took longer than 800 ms",
        ),
        (
            "def rule(event):\n    return len(\"x\" * (1 << 40)) > 0\n",
            "script-killed",
            ("rules/bad.py:1:1", "def rule(event):", "^^^^^^^^^^^^^^^^"),
            "the rule was stopped at an event: it used more memory than 1024 MiB",
        ),
        (
            "import sys\n\ndef rule(event):\n    print(\"this goes nowhere\")\n    sys.exit(3)\n",
            "script-exception",
            ("rules/bad.py:5:5", "    sys.exit(3)", "    ^^^^^^^^^^^"),
            "the rule raised SystemExit: 3; 10 times at this line",
        ),
        (
            "while True:\n    pass\n\ndef rule(event):\n    return True\n",
            "script-load",
            ("rules/bad.py:1:1", "while True:", "^"),
            "the rule cannot be loaded (took longer than 800 ms)",
        ),
        (
            "import no_such_module\n\ndef rule(event):\n    return True\n",
            "script-load",
            ("rules/bad.py:1:1", "import no_such_module", "^^^^^^^^^^^^^^^^^^^^^"),
            "ModuleNotFoundError: No module named 'no_such_module'",
        ),
    ];
    for (python, code, (place, line, marks), message) in cases {
        let folder = good();
        folder.panther("rules/bad", python);
        let args = ["scan", "-r", "rules", "-f", "jsonl", "--log-type", "Amazon.EKS.Audit", "audit.jsonl"];
        let run = folder.run(&args);
        assert_eq!(run.fired(), ["python", "search"], "{python}: {}", run.err);
        assert_shows(&run.err, code, place, line, marks);
        assert!(heads(&run.err)[0].contains(message), "{}", run.err);
        assert_eq!(run.code, 0, "{}", run.err);
    }
}

#[test]
fn an_exception_beside_the_rule_costs_only_its_part_of_the_finding() {
    let folder = good();
    let python = "def rule(event):\n    return True\n\n\ndef title(event):\n    return event[\"nothing\"]\n";
    folder.panther("rules/bad", python);
    let args = ["scan", "-r", "rules", "-f", "jsonl", "--log-type", "Amazon.EKS.Audit", "audit.jsonl"];
    let run = folder.run(&args);
    assert_eq!(run.fired(), ["bad", "python", "search"], "{}", run.err);
    let heads = heads(&run.err);
    let expected = "warning[script-exception]: `title` raised KeyError: 'nothing'; 10 times at this line";
    assert_eq!(heads, [expected], "{}", run.err);
}

#[test]
fn the_json_summary_stands_alone_and_holds_what_was_refused() {
    let folder = good();
    folder.splunk("rules/bad.yml", "verb=list |");
    folder.panther("rules/raises", "def rule(event):\n    return event[\"nothing\"]\n");
    let args = ["scan", "-r", "rules", "-f", "jsonl", "--summary", "json", "--log-type", "Amazon.EKS.Audit"];
    let run = folder.run(&[&args[..], &["audit.jsonl"]].concat());
    let summary = run.summary();
    assert_eq!(summary["refused"][0]["rule_id"], "bad-id");
    assert_eq!(summary["refused"][0]["diagnostics"][0]["code"], "spl-syntax");
    let rules = summary["rules"].as_array().unwrap();
    let raises = rules.iter().find(|rule| rule["rule_id"] == "raises").unwrap();
    let told = &raises["diagnostics"][0];
    let expected = ("script-exception", "rules/raises.py", 2, 5);
    let path = told["path"].as_str().unwrap();
    let (line, column) = (told["line"].as_u64().unwrap(), told["column"].as_u64().unwrap());
    assert_eq!((told["code"].as_str().unwrap(), path, line, column), expected);
}

#[test]
fn a_search_nested_without_end_is_an_error_and_no_crash() {
    for (nested, about, right) in [
        (format!("a=1 {}", "(".repeat(100_000)), "parentheses of a search", false),
        (format!("a=1 | where {}", "(".repeat(100_000)), "parentheses of an expression", false),
        (format!("a=1 | where {}b", "NOT ".repeat(60_000)), "NOT of an expression", false),
        (format!("a=1 | eval x={}1", "-".repeat(100_000)), "signs", false),
        (format!("a=1 {}", "[search b=1 ".repeat(20_000)), "searches in brackets", false),
        (format!("a=1 | eval x={}1{}", "abs(".repeat(50_000), ")".repeat(50_000)), "calls", false),
        // These are long, not deep.
        (format!("a=1 {}b=2", "NOT ".repeat(60_000)), "NOT of a search", true),
        (format!("a=1 {}", "OR a=1 ".repeat(30_000)), "a long row of OR", true),
    ] {
        let folder = good();
        folder.write("rules/bad.yml", splunk_rule("bad", &nested));
        let run = folder.run(&["check", "rules"]);
        assert_eq!(run.code, i32::from(!right), "{about}: {}", run.err);
        assert_eq!(heads(&run.out).len(), usize::from(!right), "{about}");
        assert!(run.out.len() < 10_000, "{about}: a diagnostic of {} bytes", run.out.len());
        let run = folder.run(&["scan", "-r", "rules", "-f", "jsonl", "--log-type", "Amazon.EKS.Audit", "audit.jsonl"]);
        assert_eq!(run.code, 0, "{about}: {}", run.err);
        assert_eq!(run.fired(), ["python", "search"], "{about}");
    }
}

#[test]
fn files_that_would_take_too_much_are_refused_by_name() {
    let bomb: String = (1..=9)
        .map(|level| format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", ")))
        .collect();
    let python = |body: &str| format!("def rule(event):\n    return {body}\n");
    for (file, text, code) in [
        ("rules/bad.yml", format!("a0: &a0 x\n{bomb}"), "yaml-syntax"),
        ("rules/bad.yml", format!("a: {}", "[".repeat(100_000)), "yaml-syntax"),
        ("rules/bad.yml", "- ".repeat(100_000), "yaml-syntax"),
        ("rules/bad.yml", "#".repeat(9 << 20), "unreadable-file"),
        ("rules/bad.py", python(&"(".repeat(100_000)), "python-syntax"),
        ("rules/bad.py", python(&format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000))), "python-syntax"),
        ("rules/bad.py", python(&format!("{}1", "-".repeat(100_000))), "python-syntax"),
        ("rules/bad.py", python(&format!("{}1", "not ".repeat(100_000))), "python-syntax"),
        ("rules/bad.py", python(&format!("event{}", ".a".repeat(50_000))), "python-syntax"),
        ("rules/bad.py", python(&format!("1{}", " + 1".repeat(50_000))), "python-syntax"),
        ("rules/bad.py", format!("{}    pass\n", nested_blocks(500)), "python-syntax"),
    ] {
        let folder = good();
        if file.ends_with(".py") {
            folder.panther("rules/bad", "");
        }
        folder.write(file, &text);
        let about = &text[..text.len().min(60)];
        let run = folder.run(&["check", "rules"]);
        assert_eq!((run.code, heads(&run.out).len()), (1, 1), "{about}: {}{}", run.out, run.err);
        assert!(run.out.contains(&format!("error[{code}]")), "{about}: {}", run.out);
        assert!(run.out.len() < 10_000, "{about}: a diagnostic of {} bytes", run.out.len());
        let run = folder.run(&["scan", "-r", "rules", "-f", "jsonl", "--log-type", "Amazon.EKS.Audit", "audit.jsonl"]);
        assert_eq!(
            (run.code, run.fired()),
            (0, vec!["python".to_owned(), "search".to_owned()]),
            "{about}: {}",
            run.err
        );
    }
}

fn nested_blocks(depth: usize) -> String {
    let blocks = (1..depth).map(|level| format!("{}if event:\n", "    ".repeat(level)));
    std::iter::once("def rule(event):\n".to_owned()).chain(blocks).collect::<String>() + &"    ".repeat(depth - 1)
}

#[test]
fn a_file_that_is_not_text_is_refused_by_name() {
    let folder = good();
    folder.write("rules/bad.yml", b"name: caf\xe9\nid: 3\n");
    let run = folder.run(&["check", "rules"]);
    assert_shows(&run.out, "unreadable-file", "rules/bad.yml:1:10", "name: caf\u{fffd}", "         ^");
}
