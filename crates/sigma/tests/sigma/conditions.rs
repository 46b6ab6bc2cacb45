//! How conditions join search identifiers, and the aggregations of older rules.

use crate::harness::{check, codes, compile_files, find, meets, pipeline, rule, told};

/// A rule with search identifiers that each look for a field of their own name with the value 1.
fn named(names: &[&str], condition: &str) -> String {
    let lines: String = names.iter().map(|name| format!("{name}:\n  {name}: 1\n")).collect();
    rule(&format!("{lines}condition: {condition}"))
}

/// Holds a condition over `a`, `b` and `c` against all events with some of the fields; `expected` are those that match.
fn holds(condition: &str, expected: &[&str]) {
    let set = compile_files(&[("r.yml", &named(&["a", "b", "c"], condition))]);
    let compiled = find(&set, "r");
    let filter = crate::harness::filter(compiled);
    for fields in ["", "a", "b", "c", "ab", "ac", "bc", "abc"] {
        let event: Vec<String> = fields.chars().map(|name| format!("\"{name}\":1")).collect();
        let event = format!("{{{}}}", event.join(","));
        assert_eq!(meets(&filter, &event, ""), expected.contains(&fields), "{condition}: {event}");
    }
}

#[test]
fn not_binds_closest_then_and_then_or() {
    holds("a or b and c", &["a", "ab", "ac", "bc", "abc"]);
    holds("(a or b) and c", &["ac", "bc", "abc"]);
    holds("not a and b", &["b", "bc"]);
    holds("not (a and b)", &["", "a", "b", "c", "ac", "bc"]);
    holds("not not a", &["a", "ab", "ac", "abc"]);
    holds("a AND NOT b Or c", &["a", "c", "ac", "bc", "abc"]);
    holds("((a))", &["a", "ab", "ac", "abc"]);
    holds("(a)and(b)", &["ab", "abc"]);
    holds("'a\n    and b'", &["ab", "abc"]);
}

#[test]
fn several_of_a_pattern_are_joined() {
    holds("1 of them", &["a", "b", "c", "ab", "ac", "bc", "abc"]);
    holds("any of them", &["a", "b", "c", "ab", "ac", "bc", "abc"]);
    holds("all of them", &["abc"]);
    holds("2 of them", &["ab", "ac", "bc", "abc"]);
    holds("ALL OF THEM", &["abc"]);
    holds("not 1 of them", &[""]);
    holds("a and not 1 of b*", &["a", "ac"]);
    holds("all of *", &["abc"]);
    let names = ["sel_a", "sel_b", "filter_x", "filter_main_y"];
    check(
        &named(&names, "all of sel_* and not 1 of filter_*"),
        &[
            (r#"{"sel_a":1,"sel_b":1}"#, true),
            (r#"{"sel_a":1,"sel_b":1,"filter_main_y":1}"#, false),
            (r#"{"sel_a":1}"#, false),
        ],
    );
    check(&named(&names, "1 of *_x"), &[(r#"{"filter_x":1}"#, true), (r#"{"sel_a":1}"#, false)]);
}

#[test]
fn what_begins_with_an_underscore_is_not_one_of_them() {
    let names = ["a", "_b"];
    check(&named(&names, "1 of them"), &[(r#"{"a":1}"#, true), (r#"{"_b":1}"#, false)]);
    check(&named(&names, "all of *"), &[(r#"{"a":1}"#, true), (r#"{"_b":1}"#, false)]);
    check(&named(&names, "1 of _*"), &[(r#"{"_b":1}"#, true), (r#"{"a":1}"#, false)]);
    check(&named(&names, "a and _b"), &[(r#"{"a":1,"_b":1}"#, true), (r#"{"a":1}"#, false)]);
}

#[test]
fn of_several_conditions_any_will_do() {
    let text = rule("a:\n  a: 1\nb:\n  b: 1\nc:\n  c: 1\ncondition:\n  - a and b\n  - c");
    check(&text, &[(r#"{"a":1,"b":1}"#, true), (r#"{"c":1}"#, true), (r#"{"a":1}"#, false)]);
}

#[test]
fn names_that_hold_words_of_conditions_stay_names() {
    let names = ["not_a", "or-b", "1of", "Android"];
    check(
        &named(&names, "not_a and or-b and 1of and Android"),
        &[(r#"{"not_a":1,"or-b":1,"1of":1,"Android":1}"#, true), (r#"{"not_a":1}"#, false)],
    );
}

#[test]
fn faulty_conditions_are_refused() {
    for condition in [
        "a and",
        "a b",
        "(a",
        "a)",
        "and a",
        "1 of",
        "1 of x*",
        "unknown",
        "not",
        "()",
        "''",
        "[a, x]",
        &"(".repeat(200),
        &format!("{}a", "not ".repeat(200)),
    ] {
        let set = compile_files(&[("r.yml", &named(&["a", "b"], condition))]);
        assert_eq!(codes(&set), ["sigma-condition"], "{condition}");
    }
}

#[test]
fn aggregations_of_older_rules_become_correlations() {
    let shape = |condition: &str| {
        let set = compile_files(&[("r.yml", &named(&["a"], condition))]);
        let rule = pipeline(find(&set, "r"));
        format!("{:?}", rule.stages[0])
    };
    let mut lines = Vec::new();
    for condition in [
        "a | count() > 5",
        "a | count() by user >= 5",
        "a | count(objectRef.name) by user.username, sourceIPs < 3",
        "a | count(x) by y,z>10",
        "a | count()>5",
        "a | sum(x) == 5",
        "a | AVG(x) BY y <= 1.5",
        "a | min(x) = 0",
        "a | max(x) > 9",
    ] {
        lines.push(format!("{condition}\n    {}", shape(condition)));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn aggregations_look_as_long_as_their_time_frame() {
    for (frame, micros) in
        [("timeframe: 5m\n", 300_000_000_i64), ("timeframe: 1d\n", 86_400_000_000), ("", 86_400_000_000)]
    {
        let text = rule(&format!("a:\n  a: 1\n{frame}condition: a | count() > 5"));
        let set = compile_files(&[("r.yml", &text)]);
        let span = pipeline(find(&set, "r")).correlation_span().map(|span| span / 2);
        assert_eq!(span, Some(micros), "{frame}");
    }
}

#[test]
fn aggregations_that_cannot_be_run_say_so() {
    let mut lines = Vec::new();
    for condition in
        ["a | near b", "a | count() by x", "a | count() > many", "a | median(x) > 1", "a | sum() > 1", "a |"]
    {
        let set = compile_files(&[("r.yml", &named(&["a"], condition))]);
        assert_eq!(codes(&set), ["sigma-aggregation"], "{condition}");
        lines.push(told(&find(&set, "r").diagnostics));
    }
    insta::assert_snapshot!(lines.join("\n"));
}
