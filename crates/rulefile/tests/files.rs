//! Rule files as their front-ends see them.

use std::path::{Path, PathBuf};

use masthead_rulefile::{Content, Corpus, Node, parse::parse, suggest};

fn document(text: &str) -> Node {
    let (mut documents, _) = parse(text).expect("it is YAML");
    documents.swap_remove(0)
}

#[test]
fn words_that_older_yaml_takes_for_truth_values_stay_words() {
    let node = document("a: off\nb: yes\nc: true\nd: 1.10\ne: 0x10\nf: ~\ng: '1'\nh: 2023-12-20\n");
    for (key, expected) in [
        ("a", serde_json::json!("off")),
        ("b", serde_json::json!("yes")),
        ("c", serde_json::json!(true)),
        ("d", serde_json::json!(1.1)),
        ("e", serde_json::json!(16)),
        ("f", serde_json::Value::Null),
        ("g", serde_json::json!("1")),
        ("h", serde_json::json!("2023-12-20")),
    ] {
        assert_eq!(node.get(key).expect("it is there").to_json(), expected, "{key}");
    }
    assert_eq!(node.get("d").and_then(Node::text), Some("1.10"));
}

#[test]
fn a_place_in_a_value_is_found_in_the_file_however_it_is_written() {
    for text in [
        "search: find the needle here\n",
        "search: 'find it''s the needle here'\n",
        "search: \"find \\\"a\\\" the needle here\"\n",
        "# ünïcode\nsearch: |-\n  find\n    the needle\n  here\n",
        "search: >\n  find\n  the needle\n\n  here\n",
        "search: find\n  the\n  needle here\n",
        "a:\n  b:\n    search: |\n      find \\n the needle\n",
    ] {
        let node = document(text);
        let mut value = &node;
        while let Some((_, inner)) = value.entries().first() {
            value = inner;
        }
        let content = value.as_str().expect("it is text");
        let at = content.find("needle").expect("it is there");
        assert_eq!(value.offset_of(text, at), text.find("needle").expect("it is there"), "{text}");
    }
}

#[test]
fn flow_collections_may_span_lines_and_end_with_a_comma() {
    let node = document("Log:\n  {\n    \"a\": [\"x\", \"y\"],\n    \"b\":\n      { \"c\": 403 },\n  }\n");
    assert_eq!(node.to_json(), serde_json::json!({"Log": {"a": ["x", "y"], "b": {"c": 403}}}));
}

/// Seen in published rules: brackets in the column of the key, which PyYAML reads.
#[test]
fn closing_brackets_may_stand_left_of_what_they_close() {
    let text = "Tests:\n  - Log: {\n      \"a\": [\n      1\n    ],\n      \"é\": {\"b\": 2\n    }\n    }\n    Name: n\nLast: x\n";
    let node = document(text);
    let expected = serde_json::json!({"Tests": [{"Log": {"a": [1], "é": {"b": 2}}, "Name": "n"}], "Last": "x"});
    assert_eq!(node.to_json(), expected);
    let last = node.get("Last").expect("it is there");
    assert_eq!(&text[last.span.clone()], "x", "places stay");
    assert!(parse("a: {\n  b: 1\nc: 2\n").is_err());
}

/// Seen in published rules: quoted text that goes on at the margin, which PyYAML reads.
#[test]
fn quoted_text_may_go_on_at_the_margin() {
    let text = "search: 'it''s `x`\n| stats count\n| where \"a\"'\nname: \"a \\\" b\nc\"\nlast: y\n";
    let node = document(text);
    let expected =
        serde_json::json!({"search": "it's `x` | stats count | where \"a\"", "name": "a \" b c", "last": "y"});
    assert_eq!(node.to_json(), expected);
    assert_eq!(&text[node.get("last").expect("it is there").span.clone()], "y", "places stay");
    assert!(parse("a: 'b\nc").is_err());
}

#[test]
fn what_would_exhaust_memory_or_stack_is_an_error() {
    let deep = "[".repeat(10_000);
    assert!(parse(&deep).is_err());
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let inner = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{inner}]\n"));
    }
    assert!(parse(&bomb).expect_err("it grows to 10^9").message.contains("values"));
}

#[test]
fn a_key_given_twice_is_told_and_the_last_counts() {
    let (documents, duplicates) = parse("a: 1\nb: 2\na: 3\n").expect("it is YAML");
    assert_eq!(documents[0].get("a").and_then(Node::as_i64), Some(3));
    assert_eq!(duplicates.len(), 1);
    assert_eq!(duplicates[0].span, 10..11);
}

#[test]
fn a_faulty_file_is_told_with_its_place_and_the_others_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
        std::fs::write(&path, bytes).expect("a file");
    };
    write("rules/good.yml", b"name: x\n");
    write("rules/bad.yml", b"name: [x\nsearch: }\n");
    write("rules/latin.yml", b"name: \xe9\n");
    write("rules/.hidden/x.yml", b"name: x\n");
    write("rules/notes.txt", b"no rule\n");
    write("macros/m.yml", b"name: m\n");
    let corpus = Corpus::read(&[folder.path().join("rules")]).expect("it can be read");
    let told: Vec<_> = corpus
        .files
        .iter()
        .map(|file| {
            let code = match &file.content {
                Content::Invalid(diagnostic) => Some(diagnostic.code),
                _ => None,
            };
            (file.stem().to_owned(), code)
        })
        .collect();
    let expected = [("bad", Some("yaml-syntax")), ("good", None), ("latin", Some("unreadable-file"))];
    assert_eq!(told, expected.map(|(stem, code)| (stem.to_owned(), code)));
    let context = corpus.context(&corpus.files[1].path, &["macros", "lookups"]);
    assert_eq!(context.iter().map(|file| file.stem()).collect::<Vec<_>>(), ["m"]);
    assert!(Corpus::read(&[PathBuf::from("no/such/folder")]).is_err());
}

#[test]
fn files_in_memory_find_their_context_too() {
    let files = [("p:/rules/a.yml", "name: a"), ("p:/rules/a.py", "x = 1"), ("p:/macros/m.yml", "name: m")];
    let corpus = Corpus::from_memory(files.map(|(path, text)| (path.into(), text.to_owned())).to_vec());
    let context = corpus.context(Path::new("p:/rules/a.yml"), &["macros"]);
    assert_eq!(context.len(), 1);
    let rule = corpus.files.iter().find(|file| file.path.ends_with("a.yml")).expect("it is there");
    assert_eq!(&*corpus.sibling(rule, "a.py").expect("it is there").text, "x = 1");
    assert!(corpus.sibling(rule, "b.py").is_none());
}

#[test]
fn the_nearest_name_is_suggested_if_it_is_near() {
    assert_eq!(suggest("kube_adit", ["kube_audit", "other"]), Some("kube_audit"));
    assert_eq!(suggest("zzz", ["kube_audit"]), None);
}
