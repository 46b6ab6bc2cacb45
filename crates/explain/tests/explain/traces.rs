//! Events held against rules.

use masthead_explain::{Origin, Outcome, TraceError, Usage, explain_with, trace};
use masthead_ir::eval::{self, Context, Row};
use masthead_ir::expr::CompareOp;
use masthead_ir::pattern::{Case, Differs, Pattern};
use masthead_ir::pipeline::Stage;
use masthead_ir::rule::{Body, CompileOptions, TestInput};
use masthead_ir::{Expr, FieldPath, Value};
use masthead_rulefile::{Corpus, Dialect};
use masthead_sigma::Sigma;
use proptest::prelude::*;

use crate::support::{compiled, is, not, piped, program, single, test};

const EVENT: &str = r#"{"verb":"get","objectRef":{"resource":"pods","subresource":"exec"},"user":{"username":"kim",
    "groups":["a","b"]},"responseStatus":{"code":403},"requestReceivedTimestamp":"2026-11-20T20:26:34.387783Z"}"#;

fn origin() -> Origin {
    Origin { source: Some("kubernetes".to_owned()), log_type: Some("Amazon.EKS.Audit".to_owned()), ..Origin::default() }
}

#[test]
fn the_part_that_fails_is_named() {
    let rules = compiled(&Sigma, "single.yml", include_str!("../rules/single.yml"));
    let found = trace(&rules[0], EVENT.as_bytes(), &origin()).unwrap();
    assert_eq!(found.passes, Outcome::False);
    assert_eq!(found.failing.len(), 1);
    insta::assert_snapshot!(found.text());
    let allowed = EVENT.replace("403", "101");
    let found = trace(&rules[0], allowed.as_bytes(), &origin()).unwrap();
    assert_eq!(found.passes, Outcome::True);
    assert_eq!(found.summary, "It passes the rule's filter: the rule fires.");
    insta::assert_snapshot!("a_passing_trace_as_markdown", found.markdown());
    insta::assert_snapshot!("a_passing_trace_as_json", serde_json::to_string_pretty(&found).unwrap());
}

#[test]
fn steps_of_correlations_are_asked_one_by_one() {
    let rules = compiled(&Sigma, "correlation.yml", include_str!("../rules/correlation.yml"));
    let rule = rules.iter().find(|rule| rule.name.starts_with("Bound")).unwrap();
    let event = br#"{"verb":"list","objectRef":{"resource":"secrets"},"user":{"username":"kim"}}"#;
    let found = trace(rule, event, &origin()).unwrap();
    assert_eq!(found.passes, Outcome::True);
    assert_eq!(found.steps.iter().map(|step| step.truth).collect::<Vec<_>>(), [Outcome::False, Outcome::True]);
    insta::assert_snapshot!(found.text());
}

#[test]
fn what_an_event_does_not_have_is_absent() {
    let rule = single(Expr::And(vec![test("verb", is("get")), test("userAgent", is("curl"))]));
    let found = trace(&rule, EVENT.as_bytes(), &origin()).unwrap();
    let seen = &found.root.as_ref().unwrap().children[1].seen[0];
    assert_eq!((seen.field.as_str(), seen.values.len()), ("userAgent", 0));
    assert!(found.text().contains("`userAgent` is `curl` — absent"), "{}", found.text());
    assert_eq!(found.failing[0].full(), "`userAgent` is `curl`");
}

#[test]
fn long_values_are_cut() {
    let event = format!("{{\"verb\":\"{}\"}}", "é".repeat(500));
    let found = trace(&single(test("verb", is("get"))), event.as_bytes(), &origin()).unwrap();
    assert_eq!(found.root.unwrap().seen[0].values[0].chars().count(), 201);
}

#[test]
fn envelopes_texts_and_times_are_seen() {
    let time = Expr::Compare {
        op: CompareOp::Gt,
        left: Box::new(Expr::Field(FieldPath::flat("_time"))),
        right: Box::new(Expr::Literal(Value::Int(1_700_000_000))),
    };
    let phrase = Pattern::Phrase { text: "exec".to_owned(), case: Case::Folded, minor: true };
    let rule = single(Expr::And(vec![test("source", is("kubernetes")), test("_raw", phrase), time]));
    assert_eq!(trace(&rule, EVENT.as_bytes(), &origin()).unwrap().passes, Outcome::True);
    let found = trace(&rule, EVENT.as_bytes(), &Origin::default()).unwrap();
    assert_eq!(found.failing[0].full(), "`source` is `kubernetes`");
}

#[test]
fn what_is_unknown_is_told() {
    let unknown = Expr::Compare {
        op: CompareOp::Ne,
        left: Box::new(Expr::Field(FieldPath::flat("missing"))),
        right: Box::new(Expr::Literal(Value::Int(1))),
    };
    let found = trace(&single(unknown), EVENT.as_bytes(), &origin()).unwrap();
    assert_eq!(found.passes, Outcome::Unknown);
    assert!(found.summary.contains("first part that fails is: `missing` is not `1`"), "{}", found.summary);
}

#[test]
fn programs_are_asked_unless_what_was_read_off_fails() {
    let guard = Expr::And(vec![test("verb", is("get")), Expr::Literal(Value::Absent)]);
    let rule = program(guard, 2);
    let found = trace(&rule, EVENT.as_bytes(), &origin()).unwrap();
    assert_eq!(found.passes, Outcome::Unknown);
    assert!(found.summary.starts_with("The program would be asked"), "{}", found.summary);
    assert_eq!(found.notes.len(), 1);
    let found = trace(&rule, br#"{"verb":"list"}"#, &origin()).unwrap();
    assert_eq!(found.summary, "The program need not be asked, because this does not hold: `verb` is `get`.");
    let found = trace(&rule, EVENT.as_bytes(), &Origin::default()).unwrap();
    assert!(found.summary.ends_with("the log type is `Amazon.EKS.Audit`."), "{}", found.summary);
}

#[test]
fn filters_behind_assignments_are_held_against_the_event() {
    let stages = vec![
        Stage::Assign { field: "who".to_owned(), expr: Expr::Field(FieldPath::flat("user.username")) },
        Stage::Filter(test("who", is("lee"))),
        Stage::Reverse,
    ];
    let found = trace(&piped(test("verb", is("get")), stages), EVENT.as_bytes(), &origin()).unwrap();
    assert_eq!(found.passes, Outcome::False);
    assert_eq!(found.failing[0].full(), "`who` is `lee`");
    assert_eq!(found.steps[0].root.seen[0].values, ["kim"]);
}

#[test]
fn events_that_are_no_json_are_refused() {
    let error = trace(&single(test("verb", is("get"))), b"{\"verb\":", &origin()).unwrap_err();
    assert!(matches!(error, TraceError::Event(_)), "{error}");
}

#[test]
fn traces_agree_with_the_tests_of_the_pack() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../rules/sigma");
    let corpus = Corpus::read(&[folder.into()]).unwrap();
    let files: Vec<_> = corpus.files.iter().filter(|file| Sigma.claims(file)).cloned().collect();
    let rules = Sigma.compile(&corpus, &files, &CompileOptions::default()).rules;
    let rules: Vec<_> = rules.into_iter().filter_map(|rule| rule.rule).collect();
    let usage = Usage::of(&rules);
    let mut compared = 0;
    for rule in &rules {
        let page = explain_with(rule, &usage);
        assert!(!page.text().is_empty() && !page.markdown().is_empty() && !page.conditions.is_empty(), "{}", rule.name);
        let single = matches!(&rule.body, Body::Pipeline(pipeline)
            if !pipeline.stages.iter().any(|stage| matches!(stage, Stage::Correlate(_) | Stage::Filter(_))));
        for test in rule.tests.iter().filter(|_| single) {
            let TestInput::Inline(event) = &test.input else { continue };
            let events = event.as_array().map_or(std::slice::from_ref(event), Vec::as_slice);
            let passes = |event: &serde_json::Value| {
                trace(rule, event.to_string().as_bytes(), &origin()).unwrap().passes == Outcome::True
            };
            assert_eq!(events.iter().any(passes), test.expect_match, "{}: {}", rule.name, test.name);
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}

/// The fields of the events below.
const FIELDS: [&str; 3] = ["verb", "user.username", "user.groups{}"];

struct Made<'a>(&'a serde_json::Value);

impl Row for Made<'_> {
    fn get(&self, field: &FieldPath) -> Value {
        let FieldPath::Flat(name) = field else { return Value::Absent };
        let found = self.0.pointer(&format!("/{}", name.replace("{}", "").replace('.', "/")));
        match found {
            Some(serde_json::Value::Array(members)) => {
                Value::list(members.iter().map(|member| Value::text(member.as_str().unwrap_or_default())))
            }
            Some(serde_json::Value::String(text)) => Value::text(text),
            Some(serde_json::Value::Number(number)) => Value::text(number.to_string()),
            _ => Value::Absent,
        }
    }
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["get", "list", "kim", "7", "7.0", ""]).prop_map(str::to_owned)
}

fn event() -> impl Strategy<Value = serde_json::Value> {
    (word(), prop::option::of(word()), prop::collection::vec(word(), 0..3)).prop_map(|(verb, user, groups)| {
        let mut event = serde_json::json!({ "verb": verb, "user": { "groups": groups } });
        if let Some(user) = user {
            event["user"]["username"] = user.into();
        }
        event
    })
}

fn expr() -> impl Strategy<Value = Expr> {
    let name = || prop::sample::select(FIELDS.to_vec());
    let pattern = prop_oneof![
        word().prop_map(|text| Pattern::Text { text, case: Case::Folded, numeric: true }),
        word().prop_map(|text| Pattern::Prefix { text, case: Case::Sensitive }),
        Just(Pattern::Present),
    ];
    let leaf = prop_oneof![
        4 => (name(), pattern.clone()).prop_map(|(name, pattern)| test(name, pattern)),
        1 => (name(), pattern, any::<bool>()).prop_map(|(name, pattern, every)| Expr::Differs {
            field: FieldPath::flat(name),
            pattern,
            rule: if every { Differs::EveryValue } else { Differs::SomeValue },
        }),
        1 => (name(), word()).prop_map(|(name, word)| Expr::Compare {
            op: CompareOp::Le,
            left: Box::new(Expr::Field(FieldPath::flat(name))),
            right: Box::new(Expr::Literal(Value::text(word))),
        }),
        1 => Just(Expr::Literal(Value::Absent)),
        1 => any::<bool>().prop_map(|truth| Expr::Literal(Value::Bool(truth))),
        1 => name().prop_map(|name| Expr::Field(FieldPath::flat(name))),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Expr::And),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Expr::Or),
            inner.clone().prop_map(not),
            (inner.clone(), inner).prop_map(|(left, right)| Expr::Xor(Box::new(left), Box::new(right))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_trace_says_what_the_evaluator_says(expr in expr(), event in event()) {
        let truth = eval::truth(&expr, &Made(&event), &Context::default());
        let found = trace(&single(expr), event.to_string().as_bytes(), &origin()).unwrap();
        prop_assert_eq!(found.passes, truth.into());
        prop_assert_eq!(found.root.as_ref().unwrap().truth, truth.into());
        prop_assert_eq!(found.failing.is_empty(), truth == Some(true));
        found.text();
        found.markdown();
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), text in "[{}\\[\\]\":,a-z0-9\\\\u ]{0,40}") {
        let rule = single(Expr::And(FIELDS.map(|name| test(name, is("get"))).to_vec()));
        let _ = trace(&rule, &bytes, &origin());
        let _ = trace(&rule, text.as_bytes(), &origin());
    }

    #[test]
    fn every_condition_has_a_page(expr in expr()) {
        let page = masthead_explain::explain(&single(expr), &[]);
        page.text();
        page.markdown();
    }
}
