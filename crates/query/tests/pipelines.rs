//! Pipelines over small sets of events: what each stage gives, and that the evidence reaches the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use masthead_ir::expr::{CompareOp, Expr, FieldPath};
use masthead_ir::pattern::Pattern;
use masthead_ir::pipeline::{
    Aggregate, AggregateFunc, AggregateInput, Aggregation, LookupJoin, Pipeline, Pivot, SortKey, SortOrder, Source,
    Span, Stage, Template,
};
use masthead_ir::table::Table;
use masthead_ir::time::TimeRange;
use masthead_ir::{Value, eval};
use masthead_query::{EventRow, Input, InputBuilder, Output, Resources, RunContext, run, run_each, sources};
use serde_json::{Value as Json, json};

fn events(filter: Expr) -> Source {
    Source::Events { filter, range: None }
}

fn everything() -> Source {
    events(Expr::And(Vec::new()))
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn of(func: AggregateFunc, field: &str, name: &str) -> Aggregate {
    Aggregate { func, input: AggregateInput::Field(field.to_owned()), name: name.to_owned() }
}

fn count() -> Aggregate {
    Aggregate { func: AggregateFunc::Count, input: AggregateInput::Rows, name: "count".to_owned() }
}

fn stats(aggregates: Vec<Aggregate>, by: &[&str]) -> Stage {
    Stage::Aggregate(Aggregation { aggregates, by: strings(by), dedup_values: false })
}

fn bare_fill() -> Stage {
    Stage::Fill { fields: Vec::new(), value: "0".to_owned() }
}

fn field(name: &str) -> Expr {
    Expr::Field(FieldPath::flat(name))
}

fn table(names: &[&str]) -> Stage {
    Stage::Keep { fields: strings(names), ordered: true }
}

fn assign(name: &str, expr: Expr) -> Stage {
    Stage::Assign { field: name.to_owned(), expr }
}

fn call(func: masthead_ir::expr::Func, args: Vec<Expr>) -> Expr {
    Expr::Call { func, args }
}

/// The rows of an event source: the n-th event has the audit id `a<n>` and comes n seconds after 1,000.
fn input_of(pipeline: &Pipeline, events: &[Json], budget: usize) -> Vec<Input> {
    let mut inputs = Vec::new();
    for source in sources(pipeline) {
        let mut builder = InputBuilder::new(&source.demand, budget);
        for (index, event) in events.iter().enumerate() {
            let mut values: BTreeMap<String, Vec<Value>> = BTreeMap::new();
            let time = 1_000 + index as i64;
            values.insert("_time".to_owned(), vec![Value::Int(time)]);
            eval::json::flatten(&event.to_string(), &mut |name, text| {
                values.entry(name.to_owned()).or_default().push(Value::text(text));
            })
            .expect("events are JSON");
            let values: Vec<(Arc<str>, Value)> =
                values.into_iter().map(|(name, values)| (name.into(), Value::list(values))).collect();
            let audit_id = format!("a{index}");
            let row = EventRow { time: Some(time * 1_000_000), audit_id: &audit_id, values: &values };
            builder.push(&row).expect("it can be kept");
        }
        inputs.push(builder.finish().expect("it is complete"));
    }
    inputs
}

fn output(source: Source, stages: &[Stage], events: &[Json], budget: usize) -> Output {
    let pipeline = Pipeline { source, stages: stages.to_vec() };
    let rows = [["a", "x"], ["b", "y"]].map(|row| row.map(Arc::from).to_vec()).to_vec();
    let mut lookup = Table { name: "t".to_owned(), columns: strings(&["key", "out"]), rows, ..Table::default() };
    lookup.max_matches = 10;
    lookup.case_sensitive = true;
    let tables = BTreeMap::from([("t".to_owned(), Arc::new(lookup))]);
    let context = RunContext { now: 2_000_000_000, range: TimeRange { earliest: None, latest: None } };
    let inputs = input_of(&pipeline, events, budget);
    run(&pipeline, inputs, &Resources::new(&tables, None, None), &context).expect("it runs")
}

fn json_of(value: &Value) -> Json {
    match value {
        Value::Absent => Json::Null,
        Value::Text(text) | Value::Json(text) => json!(**text),
        Value::Int(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Bool(truth) => json!(truth),
        Value::List(members) => members.iter().map(json_of).collect(),
    }
}

fn rows_of(output: &Output) -> Vec<Json> {
    let row = |fields: &[(String, Value)]| fields.iter().map(|(name, value)| (name.clone(), json_of(value))).collect();
    output.rows.iter().map(|r| Json::Object(row(&r.fields))).collect()
}

fn check(stages: &[Stage], events: &[Json], expected: &[Json]) {
    // In memory and through a temporary file.
    for budget in [usize::MAX, 0] {
        assert_eq!(rows_of(&output(everything(), stages, events, budget)), expected, "{stages:?}");
    }
}

#[test]
fn bare_fill_fills_only_what_some_row_has() {
    let by = ["a", "b"];
    let stages = [bare_fill(), stats(vec![count()], &by)];
    check(
        &stages,
        &[json!({"a": "1"}), json!({"a": "1", "b": "2"}), json!({"b": "2"})],
        &[
            json!({"a": "0", "b": "2", "count": 1}),
            json!({"a": "1", "b": "0", "count": 1}),
            json!({"a": "1", "b": "2", "count": 1}),
        ],
    );
    // No row has `b`: it stays absent, and every row is dropped. The field is named.
    check(&stages, &[json!({"a": "1"})], &[]);
    assert_eq!(output(everything(), &stages, &[json!({"a": "1"})], 0).emptied_by.as_deref(), Some("b"));
}

#[test]
fn a_group_field_of_several_values_counts_once_for_each_and_aggregates_see_it_whole() {
    let event = json!({"ips": ["1", "2"], "groups": ["a", "b"]});
    let values = of(AggregateFunc::Values, "groups{}", "groups");
    check(
        &[stats(vec![count(), values], &["ips{}", "groups{}"])],
        &[event],
        &[
            json!({"ips{}": "1", "groups{}": "a", "count": 1, "groups": ["a", "b"]}),
            json!({"ips{}": "1", "groups{}": "b", "count": 1, "groups": ["a", "b"]}),
            json!({"ips{}": "2", "groups{}": "a", "count": 1, "groups": ["a", "b"]}),
            json!({"ips{}": "2", "groups{}": "b", "count": 1, "groups": ["a", "b"]}),
        ],
    );
}

#[test]
fn without_groups_one_row_comes_out_even_of_nothing() {
    check(&[stats(vec![count()], &[])], &[], &[json!({"count": 0})]);
    check(&[stats(vec![count()], &["a"])], &[], &[]);
}

#[test]
fn groups_come_in_the_order_of_their_fields_and_numbers_by_size() {
    let events = ["10", "9", "b", "a"].map(|code| json!({"code": code}));
    check(
        &[stats(vec![count()], &["code"])],
        &events,
        &["9", "10", "a", "b"].map(|code| json!({"code": code, "count": 1})),
    );
}

#[test]
fn evidence_reaches_the_end() {
    let events = [json!({"u": "x", "v": "1"}), json!({"u": "y", "v": "1"}), json!({"u": "x", "v": "2"})];
    let stages = [
        bare_fill(),
        stats(vec![count()], &["u", "v"]),
        Stage::Rename(vec![("u".to_owned(), "user".to_owned())]),
        Stage::Filter(Expr::Compare {
            op: CompareOp::Ge,
            left: Box::new(field("count")),
            right: Box::new(Expr::Literal(Value::Int(1))),
        }),
        stats(vec![of(AggregateFunc::Sum, "count", "total")], &["user"]),
        Stage::Sort {
            keys: vec![SortKey { field: "total".to_owned(), descending: true, order: SortOrder::Auto }],
            limit: 0,
        },
    ];
    let found = output(everything(), &stages, &events, usize::MAX);
    assert_eq!(rows_of(&found), [json!({"user": "x", "total": 2}), json!({"user": "y", "total": 1})]);
    let first = &found.rows[0];
    let mut ids = first.audit_ids.clone();
    ids.sort();
    assert_eq!(ids, ["a0", "a2"]);
    assert_eq!((first.count, first.audit_id_count), (2, 2));
    assert_eq!((first.first, first.last), (Some(1_000_000_000), Some(1_002_000_000)));
}

#[test]
fn rows_come_newest_first_where_it_shows() {
    let events = ["a", "b", "c"].map(|v| json!({"v": v}));
    check(&[table(&["v"]), Stage::Head { count: 2 }], &events, &[json!({"v": "c"}), json!({"v": "b"})]);
    let edges = vec![
        of(AggregateFunc::First, "v", "first"),
        of(AggregateFunc::Earliest, "v", "earliest"),
        of(AggregateFunc::List, "v", "list"),
    ];
    check(&[stats(edges, &[])], &events, &[json!({"first": "c", "earliest": "a", "list": ["c", "b", "a"]})]);
}

#[test]
fn names_are_changed_kept_and_dropped_by_pattern() {
    let event = json!({"object": {"name": "n", "kind": "k"}, "name": "old", "z": "1"});
    let rename = |pairs: &[(&str, &str)]| {
        Stage::Rename(pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect())
    };
    let no_time = Stage::Drop(strings(&["_time"]));
    check(
        &[rename(&[("object.*", "*")]), no_time.clone()],
        std::slice::from_ref(&event),
        &[json!({"kind": "k", "name": "n", "z": "1"})],
    );
    check(
        &[rename(&[("missing", "z")]), table(&["z", "name"])],
        std::slice::from_ref(&event),
        &[json!({"name": "old"})],
    );
    check(
        &[Stage::Drop(strings(&["object.*"])), no_time],
        std::slice::from_ref(&event),
        &[json!({"name": "old", "z": "1"})],
    );
    check(&[table(&["z", "object.*"])], &[event], &[json!({"z": "1", "object.kind": "k", "object.name": "n"})]);
}

#[test]
fn lookups_add_columns_and_respect_what_is_there() {
    let lookup = |overwrite| {
        Stage::Lookup(LookupJoin {
            table: "t".to_owned(),
            keys: vec![("key".to_owned(), "k".to_owned())],
            outputs: vec![("out".to_owned(), "o".to_owned())],
            overwrite,
        })
    };
    let events = [json!({"k": "a", "o": "own"}), json!({"k": "b"}), json!({"k": "c"})];
    let show = table(&["k", "o"]);
    check(
        &[lookup(true), show.clone()],
        &events,
        &[json!({"k": "c"}), json!({"k": "b", "o": "y"}), json!({"k": "a", "o": "x"})],
    );
    check(
        &[lookup(false), show],
        &events,
        &[json!({"k": "c"}), json!({"k": "b", "o": "y"}), json!({"k": "a", "o": "own"})],
    );
}

#[test]
fn joins_appends_and_semi_joins_use_a_second_search() {
    let right = |stages: Vec<Stage>| Box::new(Pipeline { source: everything(), stages });
    let events = [json!({"k": "a", "n": "1"}), json!({"k": "b", "n": "2"}), json!({"k": "a", "n": "3"})];
    let counts = right(vec![stats(vec![count()], &["k"])]);
    let join = Stage::Join { keys: strings(&["k"]), outer: false, max: 1, overwrite: true, right: counts };
    check(
        &[join, table(&["n", "count"])],
        &events,
        &[json!({"n": "3", "count": 2}), json!({"n": "2", "count": 1}), json!({"n": "1", "count": 2})],
    );
    let append = Stage::Append(right(vec![stats(vec![count()], &[])]));
    check(
        &[stats(vec![count()], &["k"]), append],
        &events,
        &[json!({"k": "a", "count": 2}), json!({"k": "b", "count": 1}), json!({"count": 3})],
    );
    let rare = right(vec![
        stats(vec![count()], &["k"]),
        Stage::Filter(Expr::Compare {
            op: CompareOp::Eq,
            left: Box::new(field("count")),
            right: Box::new(Expr::Literal(Value::Int(1))),
        }),
        table(&["k"]),
    ]);
    let semi = |negated| Stage::SemiJoin { right: rare.clone(), negated };
    check(&[semi(false), table(&["n"])], &events, &[json!({"n": "2"})]);
    check(&[semi(true), table(&["n"])], &events, &[json!({"n": "3"}), json!({"n": "1"})]);
}

#[test]
fn each_row_is_computed_from_itself() {
    use masthead_ir::expr::Func;
    let literal = |text: &str| Expr::Literal(Value::text(text));
    let split = call(Func::Split, vec![field("path"), literal("/")]);
    check(
        &[
            assign("parts", split),
            assign("n", call(Func::MvCount, vec![field("parts")])),
            Stage::Extract {
                field: "path".to_owned(),
                regex: r"^(?<head>[a-z]+)/(?<tail>.*)$".to_owned(),
                max_match: 1,
            },
            Stage::Rewrite { field: "path".to_owned(), sed: "s/b/B/".to_owned() },
            Stage::FormatTime { fields: strings(&["_time"]), format: "%Y-%m-%dT%H:%M:%S".to_owned() },
            table(&["parts", "n", "head", "tail", "path", "_time"]),
        ],
        &[json!({"path": "a/b"})],
        &[
            json!({"parts": ["a", "b"], "n": 2, "head": "a", "tail": "b", "path": "a/B", "_time": "1970-01-01T00:16:40"}),
        ],
    );
    let body = Template {
        assignments: vec![("twice_<<MATCHSTR>>".to_owned(), call(Func::Upper, vec![field("x_<<MATCHSTR>>")]))],
    };
    check(
        &[Stage::ForEach { fields: strings(&["x_*"]), body }, table(&["twice_*"])],
        &[json!({"x_a": "q", "x_b": "r"})],
        &[json!({"twice_a": "Q", "twice_b": "R"})],
    );
    let places = Stage::GeoIp { field: "path".to_owned(), prefix: String::new(), all: false };
    let found = output(everything(), &[places, table(&["City"])], &[json!({"path": "1.2.3.4"})], 0);
    assert_eq!(rows_of(&found), [json!({"City": ""})]);
    assert!(found.geoip_missing);
}

#[test]
fn rows_are_compared_with_their_neighbours() {
    let events = ["a", "b", "a", "a"].map(|v| json!({"v": v}));
    let dedup = |consecutive| Stage::Dedup {
        fields: strings(&["v"]),
        keep: 1,
        keep_empty: false,
        consecutive,
        sort: Vec::new(),
    };
    check(&[dedup(false), table(&["v"])], &events, &[json!({"v": "a"}), json!({"v": "b"})]);
    check(&[dedup(true), table(&["v"])], &events, &[json!({"v": "a"}), json!({"v": "b"}), json!({"v": "a"})]);
    let aggregation = Aggregation { aggregates: vec![count()], by: strings(&["v"]), dedup_values: false };
    check(
        &[table(&["v"]), Stage::Annotate(aggregation.clone()), Stage::Head { count: 1 }],
        &events,
        &[json!({"v": "a", "count": 3})],
    );
    let running = Stage::Running { aggregation, current: true, window: 0 };
    check(&[table(&["v"]), running, Stage::Tail { count: 1 }], &events, &[json!({"v": "a", "count": 3})]);
    let frequent = |rare| Stage::Frequent {
        fields: strings(&["v"]),
        by: Vec::new(),
        limit: 1,
        rare,
        count_field: Some("count".to_owned()),
        percent_field: Some("percent".to_owned()),
    };
    check(&[frequent(false)], &events, &[json!({"v": "a", "count": 3, "percent": 75})]);
    check(&[frequent(true)], &events, &[json!({"v": "b", "count": 1, "percent": 25})]);
}

#[test]
fn tables_of_two_fields_have_a_column_a_value() {
    let events = [json!({"u": "x", "v": "a"}), json!({"u": "x", "v": "b"}), json!({"u": "y", "v": "a"})];
    let pivot = Pivot {
        aggregates: vec![count()],
        over: Some("u".to_owned()),
        span: None,
        by: Some("v".to_owned()),
        limit: 10,
        use_other: true,
        use_null: true,
    };
    check(
        &[Stage::Pivot(pivot.clone())],
        &events,
        &[json!({"u": "x", "a": 1, "b": 1}), json!({"u": "y", "a": 1, "b": 0})],
    );
    let over_time = Pivot { over: Some("_time".to_owned()), span: Some(Span::Seconds(2.0)), by: None, ..pivot };
    check(
        &[Stage::Pivot(over_time)],
        &events,
        &[json!({"_time": 1000, "count": 2}), json!({"_time": 1002, "count": 1})],
    );
}

#[test]
fn text_is_parsed_into_fields_that_only_the_data_knows() {
    let event = json!({"log": "{\"user\":{\"name\":\"x\"},\"ips\":[\"1\",\"2\"]}"});
    let parse = |path: Option<&str>, output: Option<&str>| Stage::ParseJson {
        field: "log".to_owned(),
        path: path.map(str::to_owned),
        output: output.map(str::to_owned),
    };
    check(
        &[parse(None, None), table(&["user.name", "ips{}"])],
        std::slice::from_ref(&event),
        &[json!({"user.name": "x", "ips{}": ["1", "2"]})],
    );
    check(&[parse(Some("user.name"), Some("who")), table(&["who"])], &[event], &[json!({"who": "x"})]);
    let expand = Stage::Expand { field: "m{}".to_owned(), limit: 0 };
    check(&[expand, table(&["m{}"])], &[json!({"m": ["1", "2"]})], &[json!({"m{}": "1"}), json!({"m{}": "2"})]);
}

#[test]
fn a_faulty_expression_is_an_error_that_names_its_stage() {
    let pipeline = Pipeline {
        source: everything(),
        stages: vec![
            Stage::Head { count: 1 },
            Stage::Filter(Expr::Test { field: FieldPath::flat("a"), pattern: Pattern::Regex("(".to_owned()) }),
        ],
    };
    let context = RunContext { now: 0, range: TimeRange { earliest: None, latest: None } };
    let inputs = input_of(&pipeline, &[json!({"a": "1"})], usize::MAX);
    let error = run(&pipeline, inputs, &Resources::default(), &context).expect_err("the expression is faulty");
    assert!(error.to_string().starts_with("stage 2: "), "{error}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 24, ..Default::default() })]

    /// What aggregates give does not depend on the order in which events of different times arrive.
    #[test]
    fn aggregates_do_not_depend_on_arrival(order in proptest::strategy::Strategy::prop_shuffle(proptest::strategy::Just((0..6_usize).collect::<Vec<_>>()))) {
        let events: Vec<Json> = order.iter().map(|n| json!({"k": n % 2, "v": n})).collect();
        let mut sorted = events.clone();
        sorted.sort_by_key(|event| event["v"].as_u64());
        let aggregates = vec![count(), of(AggregateFunc::Values, "v", "v"), of(AggregateFunc::Stdev, "v", "s")];
        let stages = [stats(aggregates, &["k"])];
        let (left, right) = (output(everything(), &stages, &events, 0), output(everything(), &stages, &sorted, 0));
        proptest::prop_assert_eq!(rows_of(&left), rows_of(&right));
    }
}

/// Groups that do not fit into memory go to temporary files, and come back with the same results.
#[test]
fn groups_in_files_give_what_memory_gives() {
    let aggregate = |func, field: &str| Aggregate {
        func,
        input: AggregateInput::Field(field.to_owned()),
        name: format!("{func:?}").to_lowercase(),
    };
    let aggregates = [
        AggregateFunc::Count,
        AggregateFunc::DistinctCount,
        AggregateFunc::Sum,
        AggregateFunc::Avg,
        AggregateFunc::Min,
        AggregateFunc::Max,
        AggregateFunc::Stdev,
        AggregateFunc::Values,
        AggregateFunc::Earliest,
        AggregateFunc::Latest,
        AggregateFunc::Percentile(90.0),
    ]
    .map(|func| aggregate(func, "v"));
    let stage =
        Stage::Aggregate(Aggregation { aggregates: aggregates.to_vec(), by: strings(&["k"]), dedup_values: false });
    let pipeline =
        Pipeline { source: Source::Events { filter: Expr::And(Vec::new()), range: None }, stages: vec![stage] };
    // Every group is met three times, far apart, so that its parts lie in different files.
    let events: Vec<Json> = (0..18_000).map(|n| json!({"k": format!("group {}", n % 6_000), "v": n / 7})).collect();
    let context = RunContext { now: 2_000_000_000, range: TimeRange { earliest: None, latest: None } };
    let rows = |memory: usize| {
        let inputs = input_of(&pipeline, &events, usize::MAX);
        let resources = Resources::default().with_plan_memory(memory);
        let whole = run(&pipeline, inputs, &resources, &context).expect("it runs").rows;
        let mut each = Vec::new();
        let inputs = input_of(&pipeline, &events, usize::MAX);
        run_each(&pipeline, inputs, &resources, &context, &mut |row| each.push(row)).expect("it runs");
        each.sort_by_key(|row| format!("{:?}", row.fields.first()));
        let mut sorted = whole.clone();
        sorted.sort_by_key(|row| format!("{:?}", row.fields.first()));
        assert_eq!(each, sorted, "rows that stream are the same rows");
        whole
    };
    let whole = rows(1 << 30);
    assert_eq!(whole.len(), 6_000);
    assert!(whole.iter().all(|row| row.audit_ids.len() == 3));
    for memory in [1, 1 << 20, 8 << 20] {
        assert!(rows(memory) == whole, "with {memory} bytes");
    }
}
