//! What holds for every text.

use masthead_ir::eval::Program;
use masthead_ir::pipeline::Source;
use masthead_ir::rule::{Body, Status};
use proptest::prelude::*;
use serde_json::json;

use crate::harness::{compile_files, diagnostics, filter, find, meets, rule};

/// Characters that mean something somewhere: in YAML, in Sigma's texts, in conditions, in regular expressions.
const PIECES: &[&str] = &[
    "a",
    "sel",
    "filter_1",
    "_x",
    "them",
    "1",
    "2",
    "of",
    "all",
    "any",
    "and",
    "or",
    "not",
    "(",
    ")",
    "|",
    "*",
    "?",
    "\\",
    "%",
    "'",
    "\"",
    ":",
    ": ",
    "- ",
    "\n",
    "\n  ",
    "\n    ",
    "{",
    "}",
    "[",
    "]",
    ",",
    " ",
    "null",
    "true",
    "-",
    "/",
    "é",
    "日",
    "contains",
    "re",
    "i",
    "cidr",
    "expand",
    "base64offset",
    "wide",
    "windash",
    "exists",
    "fieldref",
    "gt",
    "hour",
    "10.0.0.0/8",
    "403",
    "condition",
    "detection",
    "timeframe",
    "5m",
    "count()",
    "by",
    ">",
    "correlation",
    "filter",
];

fn pieces(most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..most).prop_map(|pieces| pieces.concat())
}

/// Compiles a text; whatever runs can be evaluated, and whatever does not has a reason that lies inside of the file.
fn sound(text: &str) {
    let set = compile_files(&[("r.yml", text)]);
    for told in diagnostics(&set) {
        let span = told.span.as_ref().map(|span| span.shown());
        assert!(span.is_none_or(|span| span.start <= span.end && span.end <= text.len()), "{told:?}");
        assert!(!told.message.is_empty());
    }
    for compiled in &set.rules {
        let runs = matches!(compiled.status, Status::Runs | Status::Partial);
        assert_eq!(compiled.rule.is_some(), runs, "{compiled:?}");
        assert!(runs || !compiled.diagnostics.is_empty(), "it is refused without a reason: {compiled:?}");
        let Some(rule) = &compiled.rule else { continue };
        if let Body::Pipeline(pipeline) = &rule.body
            && let Source::Events { filter, .. } = &pipeline.source
        {
            Program::compile(filter).unwrap();
        }
    }
}

fn quoted(text: &str) -> String {
    json!(text).to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_compiler_stop(text in pieces(60)) {
        sound(&text);
        sound(&rule(&text));
    }

    #[test]
    fn no_condition_makes_the_compiler_stop(condition in pieces(20)) {
        sound(&rule(&format!("sel:\n  a: 1\nfilter_1:\n  b: 2\ncondition: {}", quoted(&condition))));
    }

    #[test]
    fn no_item_makes_the_compiler_stop(
        modifiers in prop::collection::vec(prop::sample::select(&["contains", "re", "i", "all", "expand", "windash",
            "base64", "base64offset", "wide", "utf16", "cidr", "exists", "fieldref", "gt", "hour", "cased", "neq",
            "startswith", "endswith"][..]), 0..4),
        value in pieces(8),
    ) {
        let key = ["a"].into_iter().chain(modifiers).collect::<Vec<_>>().join("|");
        sound(&rule(&format!("sel:\n  {key}: {}\ncondition: sel", quoted(&value))));
        sound(&rule(&format!("sel:\n  {key}: [{}, 5, null, true]\ncondition: not sel", quoted(&value))));
    }

    #[test]
    fn no_correlation_makes_the_compiler_stop(
        kind in prop::sample::select(&["event_count", "value_count", "temporal", "value_percentile", "x"][..]),
        parts in prop::collection::vec(pieces(4), 4),
    ) {
        let quoted: Vec<String> = parts.iter().map(|part| quoted(part)).collect();
        let [group, span, field, count] = quoted.as_slice() else { unreachable!() };
        let body = format!("type: {kind}\n  rules: [r]\n  group-by: [{group}]\n  timespan: {span}\n  condition: {{field: {field}, gte: {count}}}");
        sound(&format!("{}---\ntitle: c\ncorrelation:\n  {body}\n", rule("sel:\n  a: 1\ncondition: sel")));
    }

    #[test]
    fn a_plain_value_matches_itself_whatever_its_case_and_nothing_longer(value in "[^*?\\\\\\x00-\\x1f]{1,12}") {
        let set = compile_files(&[("r.yml", &rule(&format!("sel:\n  v: {}\ncondition: sel", quoted(&value))))]);
        let filter = filter(find(&set, "r"));
        let matches = |text: &str| meets(&filter, &json!({ "v": text }).to_string(), "");
        prop_assert!(matches(&value));
        prop_assert!(matches(&value.to_lowercase()));
        let longer = [format!("{value}x"), format!("x{value}")];
        prop_assert!(!longer.iter().any(|text| matches(text)));
    }

    #[test]
    fn a_part_is_found_by_contains(before in "[a-z]{0,4}", value in "[^*?\\\\\\x00-\\x1f]{1,8}", behind in "[a-z]{0,4}") {
        let set = compile_files(&[("r.yml", &rule(&format!("sel:\n  v|contains: {}\ncondition: sel", quoted(&value))))]);
        let event = json!({ "v": format!("{before}{value}{behind}") }).to_string();
        prop_assert!(meets(&filter(find(&set, "r")), &event, ""));
    }

    #[test]
    fn encoded_text_is_found_wherever_it_begins(before in "[a-z]{0,5}", value in "[a-zA-Z0-9 ]{4,12}", behind in "[a-z]{0,5}") {
        use base64::Engine as _;
        let item = format!("v|base64offset|contains|cased: {}", quoted(&value));
        let set = compile_files(&[("r.yml", &rule(&format!("sel:\n  {item}\ncondition: sel")))]);
        let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{before}{value}{behind}"));
        let event = json!({ "v": encoded }).to_string();
        prop_assert!(meets(&filter(find(&set, "r")), &event, ""));
    }

    #[test]
    fn order_and_double_negation_do_not_matter(
        (a, b, c) in (any::<bool>(), any::<bool>(), any::<bool>()),
        order in Just(vec!["a", "b", "c"]).prop_shuffle(),
        condition in prop::sample::select(&["a and not (b or c)", "1 of them", "2 of *", "all of them or a", "not a or b"][..]),
    ) {
        let event = json!({ "a": i32::from(a), "b": i32::from(b), "c": i32::from(c) }).to_string();
        let truth = |names: &[&str], condition: &str| {
            let lines: String = names.iter().map(|name| format!("{name}:\n  {name}: 1\n")).collect();
            let set = compile_files(&[("r.yml", &rule(&format!("{lines}condition: {condition}")))]);
            meets(&filter(find(&set, "r")), &event, "")
        };
        let usual = truth(&["a", "b", "c"], condition);
        prop_assert_eq!(truth(&order, condition), usual);
        prop_assert_eq!(truth(&order, &format!("not not ({condition})")), usual);
        prop_assert_eq!(truth(&order, &format!("not ({condition})")), !usual);
    }
}
