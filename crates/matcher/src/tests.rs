use std::collections::BTreeMap;

use masthead_ir::eval::{self, Context, Row};
use masthead_ir::expr::{ArithOp, CompareOp, Func};
use masthead_ir::pattern::{Case, Differs, OrderOp, Pattern};
use masthead_ir::{Expr, FieldPath, Value};
use proptest::prelude::*;

use super::*;

/// An event made by hand.
#[derive(Debug, Clone, Default)]
struct Event {
    /// By the name of the field, as flat names and walks by keys show it.
    fields: BTreeMap<String, Vec<(SlotKind, String)>>,
    source: Option<String>,
    log_type: Option<String>,
    time: Option<String>,
    raw: Vec<u8>,
}

/// An event as one matcher asks for it.
struct Projected<'a> {
    event: &'a Event,
    fields: &'a [FieldPath],
}

impl SlotSource for Projected<'_> {
    fn values(&self, slot: usize, f: &mut dyn FnMut(SlotKind, &str)) {
        for (kind, text) in self.event.fields.get(&self.fields[slot].to_string()).into_iter().flatten() {
            f(*kind, text);
        }
    }

    fn envelope(&self, field: EnvelopeField) -> Option<&str> {
        match field {
            EnvelopeField::Source => self.event.source.as_deref(),
            EnvelopeField::LogType => self.event.log_type.as_deref(),
            EnvelopeField::Time => self.event.time.as_deref(),
            EnvelopeField::Sourcetype | EnvelopeField::Host | EnvelopeField::Index => None,
        }
    }

    fn raw(&self) -> &[u8] {
        &self.event.raw
    }
}

/// The event as the evaluator's contract describes rows, written without the matcher's own adapter.
impl Row for Event {
    fn get(&self, field: &FieldPath) -> Value {
        let text = |text: &Option<String>| text.as_ref().map_or(Value::Absent, Value::text);
        let values = self.fields.get(&field.to_string()).into_iter().flatten();
        match field {
            FieldPath::Flat(name) => match &**name {
                "source" => text(&self.source),
                "_time" => text(&self.time),
                "_raw" => Value::text(String::from_utf8_lossy(&self.raw)),
                _ => Value::list(values.map(|(_, text)| Value::text(text))),
            },
            FieldPath::Dotted(_) => {
                let values = values.filter(|(kind, _)| *kind != SlotKind::Null);
                Value::list(values.map(|(_, text)| Value::text(text)))
            }
            FieldPath::Keys(_) => Value::list(values.map(|(kind, text)| match kind {
                SlotKind::String => Value::text(text),
                SlotKind::Null => Value::Absent,
                SlotKind::Bool => Value::Bool(text == "true"),
                SlotKind::Json => Value::Json(text.as_str().into()),
                SlotKind::Number => match text.parse() {
                    Ok(int) => Value::Int(int),
                    Err(_) => Value::Float(text.parse().unwrap()),
                },
            })),
        }
    }
}

fn run(matcher: &Matcher, scratch: &mut Scratch, event: &Event) -> Vec<u32> {
    let row = Projected { event, fields: matcher.fields() };
    matcher.evaluate(scratch, &row).iter().map(|id| id.0).collect()
}

fn event(fields: &[(&str, &[&str])]) -> Event {
    let fields = fields.iter().map(|(name, values)| {
        ((*name).to_owned(), values.iter().map(|v| (SlotKind::String, (*v).to_owned())).collect())
    });
    Event { fields: fields.collect(), source: Some("kubernetes".into()), ..Event::default() }
}

fn test(field: &str, pattern: Pattern) -> Expr {
    Expr::Test { field: FieldPath::flat(field), pattern }
}

fn is(field: &str, text: &str) -> Expr {
    test(field, Pattern::Text { text: text.into(), case: Case::Folded, numeric: true })
}

fn not(expr: Expr) -> Expr {
    Expr::Not(Box::new(expr))
}

fn matcher(conditions: &[(ConditionKind, &[&str], Expr)]) -> Matcher {
    let mut builder = MatcherBuilder::new();
    for (at, (kind, log_types, expr)) in conditions.iter().enumerate() {
        let log_types: Vec<String> = log_types.iter().map(|&t| t.to_owned()).collect();
        assert_eq!(builder.add(*kind, &log_types, expr).unwrap().index(), at);
    }
    builder.build().unwrap()
}

use ConditionKind::{Filter, Guard};

#[test]
fn conditions_of_published_rules() {
    let matcher = matcher(&[
        (
            Filter,
            &[],
            Expr::And(vec![
                is("source", "kubernetes"),
                is("objectRef.resource", "secrets"),
                is("verb", "get"),
                not(is("user.username", "admin")),
            ]),
        ),
        (
            Filter,
            &[],
            Expr::And(vec![
                is("source", "Kubernetes"),
                Expr::Or(vec![is("verb", "create"), is("verb", "update")]),
                test("annotation", Pattern::Wildcard { glob: "*\"privileged\":true*".into(), case: Case::Folded }),
            ]),
        ),
        (Filter, &[], test("_raw", Pattern::Phrase { text: "a shell was".into(), case: Case::Folded, minor: true })),
        (Filter, &[], Expr::And(vec![])),
        (Filter, &[], Expr::Or(vec![])),
    ]);
    let mut scratch = Scratch::default();
    let get = event(&[("verb", &["GET"]), ("objectRef.resource", &["secrets"]), ("user.username", &["eve"])]);
    let pod = event(&[("verb", &["update"]), ("annotation", &["{\"Privileged\":true}"])]);
    let shell = Event { raw: b"Notice A shell was spawned \xff".to_vec(), ..Event::default() };
    for (event, expect) in
        [(&get, &[0, 3][..]), (&pod, &[1, 3]), (&shell, &[2, 3]), (&get, &[0, 3]), (&Event::default(), &[3])]
    {
        assert_eq!(run(&matcher, &mut scratch, event), expect);
    }
    let other_source = Event { source: Some("eks".into()), ..get.clone() };
    assert_eq!(run(&matcher, &mut scratch, &other_source), [3]);
}

#[test]
fn fields_of_the_envelope_are_not_projected() {
    let matcher = matcher(&[(
        Filter,
        &[],
        Expr::And(vec![
            is("source", "a"),
            is("sourcetype", "a"),
            is("host", "a"),
            is("index", "a"),
            is("_raw", "a"),
            is("_time", "1"),
            is("verb", "get"),
            Expr::Test { field: FieldPath::keys(["source"]), pattern: Pattern::Present },
            Expr::Call { func: Func::IsNull, args: vec![Expr::Field(FieldPath::flat("other"))] },
            is("verb", "get"),
        ]),
    )]);
    assert_eq!(matcher.fields(), [FieldPath::flat("verb"), FieldPath::keys(["source"]), FieldPath::flat("other")]);
}

#[test]
fn log_types_are_required_of_the_envelope() {
    let matcher = matcher(&[
        (Guard, &["Amazon.EKS.Audit", "GCP.AuditLog"], Expr::Literal(Value::Absent)),
        (Guard, &[], Expr::Literal(Value::Absent)),
        (Filter, &[], Expr::Literal(Value::Absent)),
    ]);
    let mut scratch = Scratch::default();
    for (log_type, expect) in [
        (Some("Amazon.EKS.Audit"), &[0, 1][..]),
        (Some("GCP.AuditLog"), &[0, 1]),
        (Some("amazon.eks.audit"), &[1]),
        (None, &[1]),
    ] {
        let event = Event { log_type: log_type.map(str::to_owned), ..Event::default() };
        assert_eq!(run(&matcher, &mut scratch, &event), expect, "{log_type:?}");
    }
}

/// Answers for one event, and notes which slots were asked for.
struct Watched<'a>(Projected<'a>, std::cell::RefCell<Vec<usize>>);

impl SlotSource for Watched<'_> {
    fn values(&self, slot: usize, f: &mut dyn FnMut(SlotKind, &str)) {
        self.1.borrow_mut().push(slot);
        self.0.values(slot, f);
    }

    fn envelope(&self, field: EnvelopeField) -> Option<&str> {
        self.0.envelope(field)
    }

    fn raw(&self) -> &[u8] {
        panic!("no condition asks for the raw event")
    }
}

#[test]
fn other_sources_switch_fields_off() {
    let matcher = matcher(&[
        (Filter, &[], Expr::And(vec![is("source", "kubernetes"), is("verb", "get")])),
        (Filter, &[], Expr::And(vec![is("source", "eks"), is("user", "x")])),
        (Filter, &[], Expr::Or(vec![is("source", "eks"), is("agent", "x")])),
    ]);
    let mut scratch = Scratch::default();
    for (source, slots, matched) in [("kubernetes", &[0, 2][..], &[0][..]), ("eks", &[1], &[2]), ("other", &[2], &[])] {
        let event = Event { source: Some(source.into()), ..event(&[("verb", &["get"])]) };
        for _ in 0..2 {
            let row = Watched(Projected { event: &event, fields: matcher.fields() }, Default::default());
            let found: Vec<u32> = matcher.evaluate(&mut scratch, &row).iter().map(|id| id.0).collect();
            assert_eq!(found, matched);
            assert_eq!(row.1.into_inner(), slots, "{source}");
        }
    }
}

#[test]
fn conditions_are_visited_only_when_woken() {
    let mut conditions: Vec<(ConditionKind, &[&str], Expr)> = Vec::new();
    for n in 0..100 {
        // The shorter text looks more common, and is not: it is the other that all conditions share.
        conditions.push((Filter, &[], Expr::And(vec![is("verb", "deletecollection"), is("name", &format!("n{n}"))])));
    }
    let matcher = matcher(&conditions);
    let mut scratch = Scratch::default();
    assert_eq!(run(&matcher, &mut scratch, &event(&[("verb", &["deletecollection"]), ("name", &["n7"])])), [7]);
    assert_eq!(scratch.visits, 1);
    assert_eq!(
        run(&matcher, &mut scratch, &event(&[("verb", &["deletecollection"]), ("name", &["none of them"])])),
        [] as [u32; 0]
    );
    assert_eq!(scratch.visits, 1);
}

#[test]
fn no_predicate_is_evaluated_twice() {
    let regex = || test("agent", Pattern::Regex("^kube".into()));
    let glob = || test("agent", Pattern::Wildcard { glob: "*ctl*".into(), case: Case::Folded });
    let conditions: Vec<(ConditionKind, &[&str], Expr)> = (0..50)
        .map(|n| {
            let expr = match n % 4 {
                0 => Expr::And(vec![regex(), glob()]),
                1 => Expr::Or(vec![not(regex()), glob()]),
                2 => not(glob()),
                _ => test("agent", Pattern::AnyOf(vec![Pattern::Regex("^kube".into()), Pattern::Present])),
            };
            (Filter, &[][..], expr)
        })
        .collect();
    let matcher = matcher(&conditions);
    assert_eq!(matcher.pattern_count(), 3);
    let mut scratch = Scratch::default();
    let two_values = event(&[("agent", &["kubectl", "curl"])]);
    run(&matcher, &mut scratch, &two_values);
    // Each pattern at most once a value.
    assert_eq!(scratch.tried().iter().max(), Some(&2));
    run(&matcher, &mut scratch, &two_values);
    assert_eq!(scratch.tried().iter().max(), Some(&2), "a value that comes again is remembered");
    // Longer values are not remembered.
    let long = "x".repeat(1_000);
    let long_value = event(&[("agent", &[long.as_str()])]);
    run(&matcher, &mut scratch, &long_value);
    run(&matcher, &mut scratch, &long_value);
    assert_eq!(scratch.tried().iter().max(), Some(&4));
}

#[test]
fn residual_expressions_are_asked_once_an_event() {
    let residual = || Expr::Compare {
        op: CompareOp::Gt,
        left: Box::new(Expr::Call { func: Func::Len, args: vec![Expr::Field(FieldPath::flat("name"))] }),
        right: Box::new(Expr::Literal(Value::Int(3))),
    };
    let matcher = matcher(&[
        (Filter, &[], Expr::And(vec![residual(), is("verb", "get")])),
        (Filter, &[], residual()),
        (Guard, &[], residual()),
    ]);
    assert_eq!(matcher.residuals.len(), 1);
    let mut scratch = Scratch::default();
    assert_eq!(run(&matcher, &mut scratch, &event(&[("verb", &["get"]), ("name", &["long"])])), [0, 1, 2]);
    assert_eq!(run(&matcher, &mut scratch, &event(&[("verb", &["get"]), ("name", &["abc"])])), [] as [u32; 0]);
    // Unknown passes a guard only.
    assert_eq!(run(&matcher, &mut scratch, &event(&[("verb", &["get"])])), [2]);
}

#[test]
fn values_of_one_text_and_different_types_are_remembered_apart() {
    let key = || FieldPath::keys(["k"]);
    let same = |value| Expr::Test { field: key(), pattern: Pattern::Same(value) };
    let matcher = matcher(&[
        (Filter, &[], same(Value::text("1"))),
        (Filter, &[], same(Value::Int(1))),
        (Filter, &[], same(Value::text("true"))),
        (Filter, &[], same(Value::Bool(true))),
        (Filter, &[], same(Value::Json("{}".into()))),
        (
            Filter,
            &[],
            Expr::Test {
                field: key(),
                pattern: Pattern::Text { text: "1".into(), case: Case::Sensitive, numeric: false },
            },
        ),
    ]);
    let mut scratch = Scratch::default();
    for _ in 0..2 {
        for (kind, text, expect) in [
            (SlotKind::String, "1", &[0, 5][..]),
            (SlotKind::Number, "1", &[1, 5]),
            (SlotKind::Number, "1.0", &[1, 5]),
            (SlotKind::String, "1.0", &[]),
            (SlotKind::String, "true", &[2]),
            (SlotKind::Bool, "true", &[3]),
            (SlotKind::String, "{}", &[]),
            (SlotKind::Json, "{}", &[4]),
            (SlotKind::Null, "null", &[]),
        ] {
            let fields = [("k".to_owned(), vec![(kind, text.to_owned())])].into();
            assert_eq!(run(&matcher, &mut scratch, &Event { fields, ..Event::default() }), expect, "{kind:?} {text}");
        }
    }
}

#[test]
fn threads_share_a_matcher_and_take_their_scratch_along() {
    fn shared<T: Send + Sync>(value: T) -> T {
        value
    }
    let matcher = shared(matcher(&[(Filter, &[], is("verb", "get"))]));
    let mut scratch = shared(Scratch::default());
    let found = std::thread::scope(|scope| {
        scope.spawn(|| run(&matcher, &mut scratch, &event(&[("verb", &["get"])]))).join().unwrap()
    });
    assert_eq!(found, [0]);
}

#[test]
fn a_scratch_follows_its_matcher() {
    let one = matcher(&[(Filter, &[], is("verb", "get"))]);
    let two = matcher(&[(Filter, &[], is("user", "eve")), (Filter, &[], is("verb", "list"))]);
    let mut scratch = Scratch::default();
    let event = event(&[("verb", &["get"]), ("user", &["eve"])]);
    for _ in 0..2 {
        assert_eq!(run(&one, &mut scratch, &event), [0]);
        assert_eq!(run(&two, &mut scratch, &event), [0]);
    }
}

#[test]
fn many_envelopes_are_kept_apart() {
    let matcher = matcher(&[(Filter, &[], Expr::And(vec![is("source", "s7"), is("verb", "get")]))]);
    let mut scratch = Scratch::default();
    for n in 0..5_000 {
        let source = format!("s{}", n % 2_500);
        let event = Event { source: Some(source.clone()), ..event(&[("verb", &["get"])]) };
        assert_eq!(run(&matcher, &mut scratch, &event).len(), usize::from(source == "s7"));
    }
}

#[test]
fn a_faulty_condition_is_refused() {
    let mut builder = MatcherBuilder::new();
    assert!(builder.add(Filter, &[], &test("x", Pattern::Regex("(".into()))).is_err());
    assert_eq!(builder.add(Filter, &[], &is("x", "y")).unwrap(), ConditionId(0));
    assert_eq!(run(&builder.build().unwrap(), &mut Scratch::default(), &event(&[("x", &["y"])])), [0]);
}

// Few and short texts, so that tests and values meet often.
fn small_text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[aAbB]{0,3}",
        2 => "[-+]?[01]{1,2}(\\.0)?",
        1 => Just("K".to_owned()),
        1 => Just("10.0.0.1".to_owned()),
        1 => Just("true".to_owned()),
        1 => "[ab]{300}",
        1 => "[ab /]{0,8}",
    ]
}

fn case() -> impl Strategy<Value = Case> {
    prop_oneof![Just(Case::Sensitive), Just(Case::Folded)]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        small_text().prop_map(Value::text),
        (-2i64..2).prop_map(Value::Int),
        (-2i32..2).prop_map(|n| Value::Float(f64::from(n) / 2.0)),
        any::<bool>().prop_map(Value::Bool),
    ]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let leaf = prop_oneof![
        1 => Just(Pattern::Present),
        4 => (small_text(), case(), any::<bool>()).prop_map(|(text, case, numeric)| Pattern::Text { text, case, numeric }),
        2 => value().prop_map(Pattern::Same),
        3 => ("[aAbB*]{0,4}", case()).prop_map(|(glob, case)| Pattern::Wildcard { glob, case }),
        1 => ("[aAbB]{0,2}", case()).prop_map(|(text, case)| Pattern::Prefix { text, case }),
        1 => ("[aAbB]{0,2}", case()).prop_map(|(text, case)| Pattern::Suffix { text, case }),
        1 => ("[aAbBkK]{0,2}", case()).prop_map(|(text, case)| Pattern::Contains { text, case }),
        1 => Just(Pattern::Cidr { net: "10.0.0.0/8".parse().unwrap(), literal: "10.0.0.0/8".into() }),
        1 => prop_oneof![Just("^a"), Just("(?i)b$"), Just("a(?!b)")].prop_map(|r| Pattern::Regex(r.into())),
        1 => small_text().prop_map(|literal| Pattern::Order { op: OrderOp::Ge, literal }),
        1 => ("[ab *]{0,4}", case(), any::<bool>()).prop_map(|(text, case, minor)| Pattern::Phrase { text, case, minor }),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| prop::collection::vec(inner, 0..3).prop_map(Pattern::AnyOf))
}

fn field() -> impl Strategy<Value = FieldPath> {
    prop_oneof![
        6 => prop_oneof![Just("x"), Just("y"), Just("z{}")].prop_map(FieldPath::flat),
        3 => prop_oneof![Just("k"), Just("l")].prop_map(|key| FieldPath::keys([key])),
        2 => prop_oneof![Just("source"), Just("_raw"), Just("_time"), Just("host")].prop_map(FieldPath::flat),
    ]
}

fn condition() -> impl Strategy<Value = Expr> {
    let rule = prop_oneof![Just(Differs::SomeValue), Just(Differs::EveryValue)];
    let leaf = prop_oneof![
        8 => (field(), pattern()).prop_map(|(field, pattern)| Expr::Test { field, pattern }),
        2 => (field(), pattern(), rule).prop_map(|(field, pattern, rule)| Expr::Differs { field, pattern, rule }),
        1 => prop_oneof![Just(Value::Absent), any::<bool>().prop_map(Value::Bool)].prop_map(Expr::Literal),
        1 => field().prop_map(Expr::Field),
        1 => (field(), field()).prop_map(|(a, b)| Expr::Compare {
            op: CompareOp::Le,
            left: Box::new(Expr::Field(a)),
            right: Box::new(Expr::Arith {
                op: ArithOp::Concat,
                left: Box::new(Expr::Field(b)),
                right: Box::new(Expr::Literal(Value::text("a"))),
            }),
        }),
        1 => field().prop_map(|f| Expr::Call { func: Func::IsNull, args: vec![Expr::Field(f)] }),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 0..4).prop_map(Expr::And),
            3 => prop::collection::vec(inner.clone(), 0..4).prop_map(Expr::Or),
            2 => inner.clone().prop_map(not),
            1 => (inner.clone(), inner).prop_map(|(a, b)| Expr::Xor(Box::new(a), Box::new(b))),
        ]
    })
}

fn slot_value() -> impl Strategy<Value = (SlotKind, String)> {
    prop_oneof![
        6 => small_text().prop_map(|text| (SlotKind::String, text)),
        2 => "-?[01]{1,2}(\\.[05])?(e1)?".prop_map(|text| (SlotKind::Number, text)),
        1 => any::<bool>().prop_map(|truth| (SlotKind::Bool, truth.to_string())),
        1 => Just((SlotKind::Null, "null".to_owned())),
        1 => "\\{[ab]\\}".prop_map(|text| (SlotKind::Json, text)),
    ]
}

fn random_event() -> impl Strategy<Value = Event> {
    let fields = prop::collection::btree_map(
        prop_oneof![Just("x"), Just("y"), Just("z{}"), Just("k"), Just("l")].prop_map(str::to_owned),
        prop::collection::vec(slot_value(), 0..4),
        0..6,
    );
    let raw =
        prop::collection::vec(prop_oneof![4 => Just(b'a'), 4 => Just(b'b'), 2 => Just(b' '), 1 => any::<u8>()], 0..8);
    let source = prop_oneof![Just(None), Just(Some("a".to_owned())), Just(Some("B".to_owned()))];
    let log_type = prop_oneof![Just(None), Just(Some("T".to_owned()))];
    let time = prop_oneof![Just(None), Just(Some("1".to_owned())), Just(Some("10.5".to_owned()))];
    (fields, raw, source, log_type, time).prop_map(|(fields, raw, source, log_type, time)| Event {
        fields,
        source,
        log_type,
        time,
        raw,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_matcher_agrees_with_the_evaluator(
        conditions in prop::collection::vec((prop_oneof![Just(Filter), Just(Guard)], any::<bool>(), condition()), 1..12),
        events in prop::collection::vec(random_event(), 1..12),
    ) {
        let mut builder = MatcherBuilder::new();
        for (kind, any_log_type, expr) in &conditions {
            let log_types = if *any_log_type { vec![] } else { vec!["T".to_owned()] };
            builder.add(*kind, &log_types, expr).unwrap();
        }
        let matcher = builder.build().unwrap();
        let mut scratch = Scratch::default();
        // Twice, so that remembered values and envelopes are asked too.
        for event in events.iter().chain(&events) {
            let expect: Vec<u32> = conditions
                .iter()
                .enumerate()
                .filter(|(_, (kind, any_log_type, expr))| {
                    (*any_log_type || event.log_type.is_some())
                        && kind.passes(eval::truth(expr, event, &Context::default()))
                })
                .map(|(at, _)| u32::try_from(at).unwrap())
                .collect();
            prop_assert_eq!(run(&matcher, &mut scratch, event), expect, "{:?}", event);
        }
    }
}
