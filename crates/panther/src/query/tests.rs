//! Queries over small events.

use masthead_ir::eval::{Context, Program, Row, json};
use masthead_ir::expr::{Expr, FieldPath};
use masthead_ir::pipeline::{Pipeline, Source, Stage};
use masthead_ir::value::Value;
use serde_json::Value as Json;

use super::{Fault, Translated, translate};

/// An event, and columns that were assigned.
#[derive(Clone)]
struct Event {
    json: Json,
    assigned: Vec<(String, Value)>,
}

impl Event {
    fn of(text: &str) -> Event {
        Event { json: serde_json::from_str(text).unwrap(), assigned: Vec::new() }
    }
}

impl Row for Event {
    fn get(&self, field: &FieldPath) -> Value {
        match field {
            FieldPath::Flat(name) => {
                if let Some((_, value)) = self.assigned.iter().rev().find(|(assigned, _)| *assigned == **name) {
                    return value.clone();
                }
                if &**name == "_raw" {
                    return Value::text(self.json.to_string());
                }
                let mut found = Vec::new();
                json::flatten(&self.json.to_string(), &mut |path, value| {
                    if *path == **name {
                        found.push(Value::text(value));
                    }
                })
                .unwrap();
                Value::list(found)
            }
            FieldPath::Dotted(_) => Value::Absent,
            FieldPath::Keys(keys) => {
                let mut at = Some(&self.json);
                for key in keys.iter() {
                    let object = at.and_then(Json::as_object);
                    at = object
                        .and_then(|object| object.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)))
                        .map(|(_, value)| value);
                }
                match at {
                    None | Some(Json::Null) => Value::Absent,
                    Some(Json::String(text)) => Value::text(text),
                    Some(other) => Value::Json(other.to_string().into()),
                }
            }
        }
    }
}

fn truth(expr: &Expr, row: &Event) -> bool {
    Program::compile(expr).unwrap().truth(row, &Context::default()) == Some(true)
}

fn value(expr: &Expr, row: &Event) -> Value {
    Program::compile(expr).unwrap().value(row, &Context::default())
}

/// The rows that come of one event up to the first stage that looks at several rows.
fn rows(pipeline: &Pipeline, event: &str) -> Vec<Event> {
    let Source::Events { filter, .. } = &pipeline.source else { panic!("{:?}", pipeline.source) };
    let mut rows = vec![Event::of(event)];
    rows.retain(|row| truth(filter, row));
    for stage in &pipeline.stages {
        match stage {
            Stage::Filter(expr) => rows.retain(|row| truth(expr, row)),
            Stage::Assign { field, expr } => {
                for row in &mut rows {
                    let result = value(expr, row);
                    row.assigned.push((field.clone(), result));
                }
            }
            Stage::Expand { field, .. } => {
                let each = |row: Event| {
                    let list = row.get(&FieldPath::flat(field));
                    let members: Vec<Value> = list.members().to_vec();
                    let with = move |member| {
                        let mut row = row.clone();
                        row.assigned.push((field.clone(), member));
                        row
                    };
                    members.into_iter().map(with).collect::<Vec<_>>()
                };
                rows = rows.into_iter().flat_map(each).collect();
            }
            Stage::Head { .. } | Stage::Keep { .. } | Stage::Rename(_) | Stage::Sort { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    rows
}

/// Whether a condition, put behind `WHERE`, keeps an event.
fn check(condition: &str, event: &str, matches: bool) {
    let sql = format!("SELECT * FROM panther_logs.public.amazon_eks_audit WHERE {condition}");
    let translated = translate(&sql).unwrap_or_else(|fault| panic!("{condition}: {fault:?}"));
    assert_eq!(!rows(&translated.pipeline, event).is_empty(), matches, "{condition} over {event}");
}

const POD: &str = r#"{
    "kind": "Event", "verb": "create", "stage": "ResponseComplete", "requestURI": "/api/v1/pods?limit=5_0",
    "user": {"username": "Jane", "groups": ["devs", "system:authenticated"]},
    "sourceIPs": ["10.0.0.1", "192.168.7.9"],
    "objectRef": {"resource": "pods", "namespace": "web"},
    "responseStatus": {"code": 201},
    "requestObject": {"spec": {
        "hostNetwork": true,
        "containers": [
            {"image": "nginx:1", "securityContext": {"capabilities": {"add": ["NET_ADMIN", "KILL"]}}},
            {"image": "busybox", "ports": [{"port": 80}]}
        ],
        "securityContext": {"runAsNonRoot": false}
    }}
}"#;

#[test]
fn conditions() {
    for (condition, matches) in [
        ("verb = 'create'", true),
        ("verb = 'CREATE'", false),
        ("VERB = 'create'", true),
        ("'create' = verb", true),
        ("verb <> 'create'", false),
        ("verb != 'get'", true),
        ("NOT verb = 'get'", true),
        ("NOT (verb = 'get' OR stage = 'Panic')", true),
        ("NOT (verb = 'create' AND stage = 'Panic')", true),
        ("verb IN ('get', 'create')", true),
        ("verb NOT IN ('get', 'create')", false),
        ("verb NOT IN ('get', NULL)", false),
        ("verb = NULL", false),
        ("NOT (verb = NULL)", false),
        ("userAgent = 'x'", false),
        ("userAgent != 'x'", false),
        ("NOT userAgent = 'x'", false),
        ("userAgent NOT ILIKE '%x%'", false),
        ("userAgent IS NULL", true),
        ("userAgent IS NOT NULL", false),
        ("verb IS NOT NULL", true),
        ("objectRef IS NOT NULL", true),
        ("objectRef:subresource IS NULL", true),
        ("requestObject:spec:securityContext IS NOT NULL", true),
        ("requestObject:spec:nothing IS NOT NULL", false),
        ("objectRef:resource = 'pods' AND user:username = 'Jane'", true),
        ("OBJECTREF:resource = 'pods'", true),
        ("objectRef:Resource = 'pods'", false),
        ("objectRef['resource'] = 'pods'", true),
        ("object_ref:resource = 'pods'", true),
        ("objectRef:resource::string = 'pods'", true),
        ("GET_PATH(objectRef, 'resource') = 'pods'", true),
        ("LOWER(user:username) = 'jane'", true),
        ("LOWER(user:username) = 'Jane'", false),
        ("UPPER(user:username) IN ('JANE', 'joe')", true),
        ("LOWER(user:username) LIKE 'jan%'", true),
        ("user:username LIKE 'jan%'", false),
        ("user:username ILIKE 'jan%'", true),
        ("user:username ILIKE ANY ('x%', '%ANE')", true),
        ("user:username NOT ILIKE ANY ('x%', '%ANE')", false),
        ("user:username LIKE 'J_ne'", true),
        ("user:username LIKE 'J_e'", false),
        ("requestURI LIKE '%limit=5^_0' ESCAPE '^'", true),
        ("requestURI LIKE '%limit=5^_1' ESCAPE '^'", false),
        ("requestURI LIKE '/api/%/pods%'", true),
        ("requestURI LIKE '%'", true),
        ("user:username RLIKE 'J.*'", true),
        ("user:username RLIKE 'J'", false),
        ("user:username REGEXP 'J[a-n]+e'", true),
        ("REGEXP_LIKE(user:username, 'j.*', 'i')", true),
        ("CONTAINS(requestURI, 'limit')", true),
        ("STARTSWITH(requestURI, '/api') AND NOT ENDSWITH(requestURI, 'x')", true),
        ("responseStatus:code = 201", true),
        ("responseStatus:code >= 200 AND responseStatus:code < 300", true),
        ("300 > responseStatus:code", true),
        ("responseStatus:code BETWEEN 200 AND 299", true),
        ("responseStatus:code NOT BETWEEN 200 AND 299", false),
        ("requestObject:spec:hostNetwork = True", true),
        ("requestObject:spec:hostNetwork", true),
        ("requestObject:spec:hostPID", false),
        ("NOT requestObject:spec:hostPID", false),
        ("requestObject:spec:hostNetwork::boolean", true),
        ("requestObject:spec:securityContext:runAsNonRoot = 'false'", true),
        ("requestObject:spec:containers[0]:image = 'nginx:1'", true),
        ("requestObject:spec:containers[0]:image = 'busybox'", false),
        ("requestObject:spec:containers[1]:image LIKE 'busy%'", true),
        ("requestObject:spec:containers[1].image NOT LIKE 'nginx%'", true),
        ("requestObject:spec:containers[0]:securityContext IS NOT NULL", true),
        ("requestObject:spec:containers[1]:securityContext IS NOT NULL", false),
        ("sourceIPs[0] = '10.0.0.1'", true),
        ("sourceIPs[1] = '10.0.0.1'", false),
        ("sourceIPs[2] IS NULL", true),
        ("ARRAY_CONTAINS('devs'::variant, user:groups)", true),
        ("NOT ARRAY_CONTAINS('devs'::variant, user:groups)", false),
        ("NOT ARRAY_CONTAINS('ops', user:groups)", true),
        ("ARRAY_CONTAINS('KILL', requestObject:spec:containers[0]:securityContext:capabilities:add)", true),
        ("ARRAY_CONTAINS('KILL', requestObject:spec:containers[1]:securityContext:capabilities:add)", false),
        (
            "ARRAY_INTERSECTION(requestObject:spec:containers[0]:securityContext:capabilities:add, \
             ARRAY_CONSTRUCT('BPF', 'NET_ADMIN')) != []",
            true,
        ),
        ("ARRAYS_OVERLAP(user:groups, ARRAY_CONSTRUCT('ops', 'devs'))", true),
        ("ARRAY_SIZE(user:groups) = 2", true),
        ("ARRAY_SIZE(sourceIPs) > 2", false),
        ("ARRAY_TO_STRING(ARRAY_SLICE(user:groups, 0, 1), ',') = 'devs'", true),
        ("p_any_ip_addresses = '192.168.7.9'", true),
        ("p_any_usernames = 'Jane'", true),
        ("ARRAY_CONTAINS('10.0.0.1'::variant, p_any_ip_addresses)", true),
        ("COALESCE(impersonatedUser:username, user:username) = 'Jane'", true),
        ("IFF(verb = 'create', 'a', 'b') = 'a'", true),
        ("CASE WHEN verb = 'get' THEN 'r' WHEN verb = 'create' THEN 'w' ELSE 'o' END = 'w'", true),
        ("CASE verb WHEN 'get' THEN 1 ELSE 2 END = 2", true),
        ("SPLIT_PART(requestURI, '/', 2) = 'api'", true),
        ("SPLIT(requestURI, '/')[2] = 'v1'", true),
        ("REPLACE(user:username, 'J', 'K') = 'Kane'", true),
        ("CONCAT(verb, ':', stage) = 'create:ResponseComplete'", true),
        ("verb || '-' || stage LIKE 'create-%'", true),
        ("LENGTH(verb) = 6", true),
        ("user:username = objectRef:namespace", false),
        ("user:username != objectRef:namespace", true),
        ("verb = 'create' AND p_occurs_since('30 minutes')", true),
        ("verb = 'create' AND p_occurs_since(1 d, , p_event_time)", true),
        ("verb = 'create' AND p_occurs_between('2024-01-01', current_timestamp)", true),
        ("verb = TIMESTAMP '2024-01-01'", false),
        ("p_event_time > DATEADD('day', -1, CURRENT_TIMESTAMP()) AND verb = 'create'", true),
        ("(verb = 'create' AND (p_occurs_since('1 d')))", true),
        ("true", true),
        ("verb = 'get' OR false", false),
        ("(verb = 'create') IS TRUE", true),
        ("(userAgent = 'x') IS NOT TRUE", true),
    ] {
        check(condition, POD, matches);
    }
}

#[test]
fn names_of_the_select_list_stand_in_conditions() {
    let sql = "SELECT user:username AS who, LOWER(who) AS small FROM amazon_eks_audit a WHERE small = 'jane' AND a.verb = 'create'";
    let translated = translate(sql).unwrap();
    assert_eq!(rows(&translated.pipeline, POD).len(), 1);
}

#[test]
fn flattened_arrays_give_a_row_an_element() {
    let from = "FROM panther_logs.public.amazon_eks_audit, LATERAL FLATTEN(input => requestObject:spec:containers)";
    for (sql, expected) in [
        (format!("SELECT * {from} c WHERE c.value:image LIKE '%'"), 2),
        (format!("SELECT * {from} c WHERE c.value:image = 'busybox' AND verb = 'create'"), 1),
        (format!("SELECT * {from} WHERE value:image = 'busybox' OR verb = 'get'"), 1),
        (format!("SELECT * {from} c WHERE c.value:image = 'other'"), 0),
        (format!("SELECT * {from} c WHERE ARRAY_CONTAINS('KILL', c.value:securityContext:capabilities:add)"), 1),
        ("SELECT * FROM amazon_eks_audit, LATERAL FLATTEN(sourceIPs) ip WHERE ip.value LIKE '10.%'".to_owned(), 1),
        ("SELECT * FROM amazon_eks_audit, LATERAL FLATTEN(responseObject:items)".to_owned(), 0),
    ] {
        let translated = translate(&sql).unwrap_or_else(|fault| panic!("{sql}: {fault:?}"));
        assert_eq!(rows(&translated.pipeline, POD).len(), expected, "{sql}");
    }
}

#[test]
fn what_flattened_elements_ask_of_the_event_goes_to_the_matcher() {
    let sql = "SELECT * FROM amazon_eks_audit, LATERAL FLATTEN(input => requestObject:spec:containers) c \
               WHERE c.value:image = 'x' AND verb = 'create'";
    let pipeline = translate(sql).unwrap().pipeline;
    let Source::Events { filter, .. } = &pipeline.source else { panic!("{pipeline:?}") };
    assert_eq!(
        crate::guard::testing::show(filter),
        r#"(requestObject.spec.containers{}.image = "x" and verb = "create")"#
    );
}

/// A line for the filter, each stage, and the window.
fn shown(translated: &Translated) -> String {
    let Source::Events { filter, .. } = &translated.pipeline.source else { panic!("{translated:?}") };
    let stages = translated.pipeline.stages.iter().map(|stage| serde_json::to_string(stage).unwrap());
    let range = format!("{:?}", translated.range);
    std::iter::once(crate::guard::testing::show(filter)).chain(stages).chain([range]).collect::<Vec<_>>().join("\n")
}

#[test]
fn pipelines() {
    let from = "FROM panther_logs.public.amazon_eks_audit";
    let queries = [
        ("all_columns", format!("SELECT *, IFF(sourceIPs[0] IS NOT NULL, sourceIPs[0], 'none') AS first {from} WHERE verb = 'list' AND p_occurs_since('2 hours') LIMIT 7")),
        ("columns", format!("SELECT user:username AS who, verb, LOWER(verb) AS verb FROM ({}) ORDER BY 1 DESC", format_args!("SELECT * {from} WHERE verb = 'get'"))),
        ("groups", format!("SELECT user:username AS who, userAgent, COUNT(*) AS n, ARRAY_SIZE(ARRAY_UNIQUE_AGG(objectRef:name)) AS names, MIN(p_event_time) AS since {from} WHERE objectRef:resource = 'secrets' GROUP BY who, userAgent HAVING names >= 3 AND COUNT_IF(verb = 'get') > 1 ORDER BY n DESC LIMIT 5")),
        ("named_query", format!("WITH gets AS (SELECT user:username AS who, verb {from} WHERE verb = 'get') SELECT who, COUNT(DISTINCT verb) FROM gets WHERE who != 'kubelet' GROUP BY 1")),
        ("union", format!("SELECT verb {from} WHERE verb = 'get' UNION ALL SELECT stage {from} WHERE verb = 'list'")),
        ("lookup", format!("SELECT verb {from} WHERE user:username NOT IN (SELECT user:username AS who {from} WHERE verb = 'get' AND p_occurs_since(1 h))")),
        ("slices", format!("SELECT TIME_SLICE(p_event_time, 5, 'minute') AS slot, COUNT(*) AS n {from} GROUP BY slot HAVING n > 2")),
        ("other_log", "SELECT protopayload:methodName AS method FROM panther_logs.public.gcp_auditlog WHERE protoPayload:serviceName = 'k8s.io'".to_owned()),
    ];
    for (name, sql) in queries {
        let translated = translate(&sql).unwrap_or_else(|fault| panic!("{sql}: {fault:?}"));
        insta::assert_snapshot!(name, shown(&translated));
    }
}

/// The text that a fault is about.
fn told(sql: &str) -> String {
    let Err(Fault { message, place, .. }) = translate(sql) else { panic!("{sql} is translated") };
    let place = place.map_or("", |place| &sql[place]);
    format!("{message} [{place}]")
}

#[test]
fn faults() {
    let from = "FROM panther_logs.public.amazon_eks_audit";
    let queries = [
        String::new(),
        "SELECT".to_owned(),
        format!("SELECT * {from} WHERE verb = 'x' INNER JOIN other"),
        "DROP TABLE x".to_owned(),
        "SELECT 1; SELECT 2".to_owned(),
        "SELECT 1".to_owned(),
        "SELECT * FROM panther_lookups.public.exits".to_owned(),
        format!("SELECT * {from} a JOIN (SELECT * {from}) b ON a.verb = b.verb"),
        format!("SELECT * {from} WHERE odd_function(verb) = 'x'"),
        format!("SELECT * {from} WHERE verb = 'x' OR p_occurs_since('1 day')"),
        format!("SELECT * {from} WHERE p_occurs_since('soon')"),
        format!("SELECT * {from} WHERE verb LIKE stage"),
        format!("SELECT * {from} WHERE verb RLIKE '('"),
        format!("SELECT * {from} WHERE verb = 'x' OR verb IN (SELECT verb {from})"),
        format!("SELECT * {from} WHERE verb IN (SELECT verb, stage {from})"),
        format!("{{% macro m() %}} SELECT * {from}"),
        format!("SELECT verb, COUNT(*) {from} GROUP BY stage"),
        format!("SELECT *, COUNT(*) {from} GROUP BY stage"),
        format!("SELECT * {from} WHERE COUNT(*) > 1"),
        format!("SELECT ROW_NUMBER() OVER (PARTITION BY verb ORDER BY stage) {from}"),
        format!("SELECT * {from} QUALIFY 1 = 1"),
        format!("SELECT * {from} WHERE {}verb = 'x'{}", "(".repeat(200), ")".repeat(200)),
        format!("SELECT * {from} WHERE verb = {} 'x'", "'a' || ".repeat(3_000)),
    ];
    insta::assert_snapshot!(queries.map(|sql| told(&sql)).join("\n"));
}

#[test]
fn long_chains_are_read() {
    let condition = vec!["verb = 'x'"; 240].join(" OR ");
    check(&condition, POD, false);
}

proptest::proptest! {
    #[test]
    fn whatever_is_written_is_a_query_or_a_fault(words in proptest::collection::vec(proptest::sample::select(WORDS), 0..24)) {
        let from = "FROM amazon_eks_audit";
        let text = words.join(" ");
        let _ = translate(&format!("SELECT * {from} WHERE {text}"));
        let _ = translate(&format!("SELECT {text} {from}"));
        let _ = translate(&text);
    }
}

/// What queries are made of.
const WORDS: &[&str] = &[
    "verb",
    "user:username",
    "sourceIPs[0]",
    "'x'",
    "'%é'",
    "1",
    "-1",
    "NULL",
    "=",
    "!=",
    "<",
    "AND",
    "OR",
    "NOT",
    "(",
    ")",
    "IN ('a', 'b')",
    "LIKE",
    "ILIKE ANY ('a%')",
    "IS NULL",
    "BETWEEN 1 AND 2",
    ",",
    "COUNT(*)",
    "ARRAY_AGG(verb)",
    "AS x",
    "x",
    "GROUP BY verb",
    "HAVING",
    "ORDER BY 1",
    "LIMIT 3",
    "p_occurs_since('1 d')",
    "p_event_time",
    "LOWER(verb)",
    "+",
    "||",
    "CASE WHEN",
    "THEN",
    "ELSE",
    "END",
    "::string",
    ":a",
    "[1]",
    "*",
    "SELECT",
    "FROM amazon_eks_audit",
    "WHERE",
    "UNION ALL",
    "WITH x AS (",
    "DATE_TRUNC('day', p_event_time)",
    "IFF(",
    ", LATERAL FLATTEN(input => user:groups) f",
];
