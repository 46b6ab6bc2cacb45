//! Conditions and stages, and the words for them.

use masthead_explain::explain;
use masthead_ir::expr::{ArithOp, CompareOp, Func};
use masthead_ir::pattern::{Case, Differs, OrderOp, Pattern};
use masthead_ir::pipeline::{
    Aggregate, AggregateFunc, AggregateInput, Aggregation, Correlation, CorrelationKind, LookupJoin, MissingPeriod,
    MultiSplit, Pipeline, Pivot, SortKey, SortOrder, Source, Span, Stage, Template,
};
use masthead_ir::{Expr, FieldPath, Value};

use crate::support::{is, not, piped, single, test};

fn words(expr: Expr) -> Vec<String> {
    explain(&single(expr), &[]).conditions.iter().map(|sentence| sentence.text.full().to_owned()).collect()
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn field(name: &str) -> Box<Expr> {
    Box::new(Expr::Field(FieldPath::flat(name)))
}

fn literal(value: Value) -> Box<Expr> {
    Box::new(Expr::Literal(value))
}

#[test]
fn tests_in_words() {
    let sensitive = Case::Sensitive;
    let cases = [
        (is("get"), "`f` is `get`", "`f` is not `get`"),
        (Pattern::AnyOf(vec![is("a"), is("b")]), "`f` is `a` or `b`", "`f` is neither `a` nor `b`"),
        (
            Pattern::AnyOf(vec![is("a"), is("b"), is("c")]),
            "`f` is one of `a`, `b` or `c`",
            "`f` is none of `a`, `b` or `c`",
        ),
        (Pattern::Present, "`f` is there", "`f` is absent"),
        (
            Pattern::Prefix { text: text("system:"), case: sensitive },
            "`f` begins with `system:` (letter case counts)",
            "`f` does not begin with `system:` (letter case counts)",
        ),
        (Pattern::Suffix { text: text("/9"), case: sensitive }, "`f` ends with `/9`", "`f` does not end with `/9`"),
        (
            Pattern::Contains { text: text("x`y"), case: Case::Folded },
            "`f` holds `` x`y ``",
            "`f` does not hold `` x`y ``",
        ),
        (Pattern::Wildcard { glob: text("a*"), case: Case::Folded }, "`f` is like `a*`", "`f` is not like `a*`"),
        (
            Pattern::Cidr { net: "10.0.0.0/8".parse().unwrap(), literal: text("10.0.0.0/8") },
            "`f` is in the network `10.0.0.0/8`",
            "`f` is not in the network `10.0.0.0/8`",
        ),
        (
            Pattern::Regex(text("^a")),
            "`f` matches the regular expression `^a`",
            "`f` does not match the regular expression `^a`",
        ),
        (
            Pattern::Order { op: OrderOp::Ge, literal: text("400") },
            "`f` is at least `400`",
            "`f` is not at least `400`",
        ),
        (Pattern::Same(Value::Int(3)), "`f` is exactly `3`", "`f` is not exactly `3`"),
        (is(""), "`f` is the empty text", "`f` is not the empty text"),
        (is("a\nb"), "`f` is `a\\nb`", "`f` is not `a\\nb`"),
        (
            Pattern::AnyOf(vec![is("a"), Pattern::Suffix { text: text("b"), case: Case::Folded }]),
            "`f` is `a` or ends with `b`",
            "`f` is not `a` and does not end with `b`",
        ),
    ];
    for (pattern, positive, negative) in cases {
        assert_eq!(words(test("f", pattern.clone())), [positive]);
        assert_eq!(words(not(test("f", pattern))), [negative]);
    }
}

#[test]
fn other_conditions_in_words() {
    let compare = |op, left, right| Expr::Compare { op, left, right };
    let call = |func, args| Expr::Call { func, args };
    let differs = |rule| Expr::Differs { field: FieldPath::flat("f"), pattern: is("a"), rule };
    let phrase = Pattern::Phrase { text: text("no entry"), case: Case::Folded, minor: true };
    let sum = Box::new(Expr::Arith { op: ArithOp::Add, left: field("f"), right: literal(Value::Int(1)) });
    let cases = [
        (test("_raw", phrase), "the event's text holds the words `no entry`"),
        (test("user.groups{}", is("a")), "`user.groups` is `a`"),
        (differs(Differs::EveryValue), "`f` is there and is not `a`"),
        (not(differs(Differs::EveryValue)), "`f` is absent or is `a`"),
        (differs(Differs::SomeValue), "some value of `f` is not `a`"),
        (compare(CompareOp::Ge, field("n"), literal(Value::Int(5))), "`n` is at least `5`"),
        (not(compare(CompareOp::Lt, field("n"), field("m"))), "`n` is not less than `m`"),
        (compare(CompareOp::Gt, sum, literal(Value::Int(5))), "`f + 1` is more than `5`"),
        (call(Func::Like, vec![*field("f"), *literal(Value::text("a%"))]), "`f` is like `a%`"),
        (not(call(Func::IsNull, vec![*field("f")])), "`f` is there"),
        (call(Func::In, vec![*field("f"), *literal(Value::Int(1)), *literal(Value::Int(2))]), "`f` is `1` or `2`"),
        (
            call(Func::If, vec![test("f", is("a")), *literal(Value::Bool(true)), *field("g")]),
            "`if(\"f\" is \"a\", true, g)` is true",
        ),
        (
            Expr::Or(vec![test("f", is("a")), Expr::And(vec![test("g", is("b")), test("h", is("c"))])]),
            "`f` is `a` or (`g` is `b` and `h` is `c`)",
        ),
        (not(Expr::And(vec![test("f", is("a")), test("g", is("b"))])), "not (`f` is `a` and `g` is `b`)"),
        (Expr::Xor(field("f"), field("g")), "exactly one of these holds: `f` is true; `g` is true"),
        (Expr::Or(Vec::new()), "never"),
        // What a front-end wrote apart is read together.
        (Expr::Or(vec![test("f", is("a")), Expr::Or(vec![test("f", is("b"))])]), "`f` is `a` or `b`"),
    ];
    for (expr, expected) in cases {
        assert_eq!(words(expr), [expected]);
    }
    assert_eq!(words(Expr::And(vec![test("f", is("a")), test("g", is("b"))])), ["`f` is `a`", "`g` is `b`"]);
}

#[test]
fn long_lists_are_cut_for_people_only() {
    let many = (0..20).map(|number| is(&number.to_string())).collect();
    let page = explain(&single(test("f", Pattern::AnyOf(many))), &[]);
    assert!(page.text().contains("`11` and 8 more"), "{}", page.text());
    assert!(page.markdown().contains("`11` and 8 more"));
    assert!(!serde_json::to_string(&page).unwrap().contains("more"));
}

fn count(by: &[&str]) -> Aggregation {
    let aggregate = |func, input, name: &str| Aggregate { func, input, name: name.to_owned() };
    Aggregation {
        aggregates: vec![
            aggregate(AggregateFunc::Count, AggregateInput::Rows, "count"),
            aggregate(AggregateFunc::DistinctCount, AggregateInput::Field(text("x")), "dc"),
            aggregate(AggregateFunc::Values, AggregateInput::Field(text("verb")), "verb"),
            aggregate(AggregateFunc::Percentile(95.0), AggregateInput::Field(text("ms")), "slow"),
        ],
        by: by.iter().map(|name| (*name).to_owned()).collect(),
        dedup_values: false,
    }
}

fn correlate(kind: CorrelationKind) -> Stage {
    Stage::Correlate(Correlation { kind, by: vec![text("user.username")], within: 3_600_000_000 })
}

/// One of every kind of stage.
fn stages() -> Vec<Stage> {
    let table = |name: &str| Pipeline { source: Source::Table { name: text(name), filter: None }, stages: Vec::new() };
    let key = SortKey { field: text("count"), descending: true, order: SortOrder::Auto };
    let condition = Expr::Compare { op: CompareOp::Gt, left: field("count"), right: literal(Value::Int(5)) };
    let lookup = LookupJoin {
        table: text("owners"),
        keys: vec![(text("address"), text("sourceIPs{}"))],
        outputs: vec![(text("owner"), text("who"))],
        overwrite: true,
    };
    let pivot = Pivot {
        aggregates: count(&[]).aggregates[..1].to_vec(),
        over: Some(text("_time")),
        span: Some(Span::Seconds(300.0)),
        by: Some(text("verb")),
        limit: 10,
        use_other: true,
        use_null: false,
    };
    let periods = CorrelationKind::Periods {
        aggregate: count(&[]).aggregates[0].clone(),
        condition: condition.clone(),
        breaches: 2,
        of: 3,
        missing: MissingPeriod::Ignore,
    };
    vec![
        Stage::Filter(condition.clone()),
        Stage::Assign { field: text("a"), expr: Expr::Call { func: Func::Lower, args: vec![*field("b")] } },
        Stage::Fill { fields: Vec::new(), value: text("none") },
        Stage::Aggregate(count(&["user.username"])),
        Stage::Annotate(count(&["~requestObject.kind"])),
        Stage::Running { aggregation: count(&[]), current: false, window: 5 },
        Stage::Pivot(pivot),
        Stage::Rename(vec![(text("sourceIPs{}"), text("src")), (text("~a.b"), text("a.b"))]),
        Stage::Keep { fields: vec![text("verb"), text("~a.b")], ordered: true },
        Stage::Keep { fields: vec![text("v*")], ordered: false },
        Stage::Drop(vec![text("x"), text("y")]),
        Stage::Sort { keys: vec![key.clone()], limit: 3 },
        Stage::Head { count: 1 },
        Stage::Tail { count: 2 },
        Stage::Reverse,
        Stage::Dedup { fields: vec![text("x")], keep: 1, keep_empty: true, consecutive: true, sort: vec![key] },
        Stage::Frequent {
            fields: vec![text("x")],
            by: vec![text("y")],
            limit: 3,
            rare: true,
            count_field: None,
            percent_field: None,
        },
        Stage::Extract { field: text("uri"), regex: text("(?<ns>[a-z]+)"), max_match: 1 },
        Stage::Rewrite { field: text("x"), sed: text("s/a/b/") },
        Stage::Bin { field: text("_time"), span: Span::Seconds(86_400.0), target: text("day") },
        Stage::Expand { field: text("x"), limit: 0 },
        Stage::MakeMulti { field: text("x"), split: MultiSplit::Delimiter(text(",")), allow_empty: false },
        Stage::JoinMulti { field: text("x"), delimiter: text(" "), combine: true },
        Stage::FormatTime { fields: vec![text("first")], format: text("%F") },
        Stage::GeoIp { field: text("src"), prefix: String::new(), all: false },
        Stage::Lookup(lookup),
        Stage::ParseJson { field: text("_raw"), path: Some(text("a.b")), output: None },
        Stage::ParsePairs { field: text("_raw") },
        Stage::ForEach { fields: vec![text("n_*")], body: Template { assignments: vec![(text("t"), *field("x"))] } },
        Stage::Join { keys: Vec::new(), outer: true, max: 1, overwrite: true, right: Box::new(table("known")) },
        Stage::Append(Box::new(table("known"))),
        Stage::AppendPipe(vec![Stage::Reverse]),
        Stage::SemiJoin { right: Box::new(table("allowed")), negated: true },
        correlate(CorrelationKind::New { fields: vec![text("userAgent")] }),
        correlate(CorrelationKind::Threshold { aggregates: count(&[]).aggregates[..2].to_vec(), condition }),
        correlate(periods),
        Stage::WriteTable { name: text("known"), append: true },
    ]
}

#[test]
fn every_stage_has_a_sentence() {
    let page = explain(&piped(test("verb", is("get")), stages()), &[]);
    assert!(page.stages.iter().all(|stage| stage.text.full().len() > 5 && stage.text.full().ends_with('.')));
    insta::assert_snapshot!(page.text());
    assert_eq!(page.state.tables_written, ["known"]);
    assert_eq!(page.exclusions.last().unwrap().lists, ["allowed"]);
}
