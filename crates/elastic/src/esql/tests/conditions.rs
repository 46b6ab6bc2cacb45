//! What `WHERE` keeps.

use masthead_ir::Value;

use super::harness::{Fields, good, passes, row, run, s};

fn event() -> Fields {
    row(&[
        ("verb", s("get")),
        ("user.username", s("system:serviceaccount:dev:deployer")),
        ("sourceIPs{}", Value::list([s("10.1.2.3"), s("127.0.0.1")])),
        ("responseStatus.code", s("403")),
        ("objectRef.name", s("Web.v1")),
        ("~requestObject.spec.hostPID", s("true")),
        ("_time", Value::Int(999_700)),
    ])
}

/// Conditions that keep the event, in the source and, behind a stage that makes them columns, as expressions.
const KEPT: &[&str] = &[
    r#"event.dataset == "kubernetes.audit_logs" and event.action == "get""#,
    r#"event.action IN ("list", "get") AND NOT event.action IN ("create")"#,
    r#"event.action NOT IN ("create", "list")"#,
    r#"event.action != "list""#,
    r#""get" == event.action"#,
    r#"NOT (event.action == "list" OR user.name == "nobody")"#,
    r#"user.name LIKE "system:*:dep?oyer" and user.name like "system:*""#,
    r#"user.name LIKE ("nobody*", "system:*")"#,
    r#"user.name NOT LIKE "nobody*""#,
    r#"user.name RLIKE """system:(serviceaccount|node):.*""""#,
    r#"NOT user.name RLIKE "system""#,
    r#"STARTS_WITH(user.name, "system:") AND ENDS_WITH(user.name, "deployer") AND CONTAINS(user.name, ":dev:")"#,
    r#"to_string(source.ip) in ("127.0.0.1", "::1")"#,
    r#"CIDR_MATCH(source.ip, "192.168.0.0/16", "10.0.0.0/8")"#,
    r#"source.ip != "127.0.0.1""#,
    "kubernetes.audit.responseStatus.code >= 400 and kubernetes.audit.responseStatus.code < 500",
    "kubernetes.audit.responseStatus.code in (401, 403)",
    "500 > kubernetes.audit.responseStatus.code",
    "not kubernetes.audit.responseStatus.code > 403",
    r#"TO_LOWER(kubernetes.audit.objectRef.name) == "web.v1""#,
    r#"TO_UPPER(kubernetes.audit.objectRef.name) LIKE "WEB*""#,
    r#"TO_LOWER(kubernetes.audit.objectRef.name) RLIKE "w[a-f]b.*""#,
    r#"kubernetes.audit.objectRef.name =~ "WEB.V1""#,
    "kubernetes.audit.objectRef.namespace IS NULL and user.name IS NOT NULL",
    "kubernetes.audit.requestObject.spec.hostPID",
    "kubernetes.audit.requestObject.spec.hostPID == true",
    "process.name is null",
    r#"COALESCE(kubernetes.audit.objectRef.namespace, "none") == "none""#,
    "LENGTH(event.action) == 3",
    r#"MV_CONTAINS(source.ip, "10.1.2.3")"#,
    "@timestamp >= NOW() - 9 minutes",
    "@timestamp > NOW() - 1 day AND @timestamp <= NOW()",
    r#"@timestamp < "1970-02-01T00:00:00Z""#,
    r#"event.action == "get" // a comment
       /* and another */ and true"#,
    r#"MATCH(event.action, "get") and event.action:"get""#,
];

/// Conditions that do not: those that are false, and those of fields that are not there.
const NOT_KEPT: &[&str] = &[
    r#"event.dataset != "kubernetes.audit_logs""#,
    r#"event.action == "GET""#,
    r#"kubernetes.audit.objectRef.namespace == "a""#,
    r#"NOT kubernetes.audit.objectRef.namespace == "a""#,
    r#"kubernetes.audit.objectRef.namespace != "a""#,
    r#"NOT (kubernetes.audit.objectRef.namespace != "a")"#,
    r#"kubernetes.audit.objectRef.namespace NOT IN ("a", "b")"#,
    r#"NOT kubernetes.audit.objectRef.namespace LIKE "a*""#,
    r#"NOT STARTS_WITH(kubernetes.audit.objectRef.namespace, "a")"#,
    r#"NOT (kubernetes.audit.objectRef.namespace == "a" AND event.action == "get")"#,
    r#"NOT process.name == "a""#,
    r#"process.name == "a""#,
    r#"source.ip NOT IN ("127.0.0.1")"#,
    "user.name IS NULL",
    r#"user.name RLIKE "serviceaccount""#,
    "kubernetes.audit.responseStatus.code >= 404",
    "@timestamp >= NOW() - 1 minute",
    "LENGTH(kubernetes.audit.objectRef.namespace) != 3",
    "not true",
];

#[test]
fn the_source_keeps_what_is_true() {
    for condition in KEPT {
        assert!(run(&format!("FROM logs-* | WHERE {condition}"), &event()).is_some(), "{condition}");
    }
    for condition in NOT_KEPT {
        assert!(run(&format!("FROM logs-* | WHERE {condition}"), &event()).is_none(), "{condition}");
    }
}

/// Computed columns of the same values keep the conditions out of the source.
#[test]
fn stages_keep_the_same() {
    let prefix = "FROM logs-* | EVAL event.action = event.action, user.name = user.name, source.ip = source.ip, \
        kubernetes.audit.responseStatus.code = kubernetes.audit.responseStatus.code, \
        kubernetes.audit.objectRef.name = kubernetes.audit.objectRef.name, \
        kubernetes.audit.objectRef.namespace = kubernetes.audit.objectRef.namespace, \
        kubernetes.audit.requestObject.spec.hostPID = kubernetes.audit.requestObject.spec.hostPID";
    for condition in KEPT {
        assert!(run(&format!("{prefix} | WHERE {condition}"), &event()).is_some(), "{condition}");
    }
    for condition in NOT_KEPT {
        assert!(run(&format!("{prefix} | WHERE {condition}"), &event()).is_none(), "{condition}");
    }
}

#[test]
fn kql_is_compiled_where_it_stands() {
    let query = r#"from logs-* | where event.action == "get" and (KQL(""" user.name:* """) or event.action == "x")"#;
    assert!(passes(query, &event()));
    let query = r#"from logs-* | where not kql("kubernetes.audit.objectRef.namespace: *")"#;
    assert!(passes(query, &event()));
}

#[test]
fn functions_give_values() {
    let cases: &[(&str, Value)] = &[
        (r#"REPLACE("a+b", "\\+", " ")"#, s("a b")),
        (r#"REPLACE("ab", "(a)(b)", "$2$1\\$")"#, s("ba$")),
        (r#"URL_DECODE("a%20b+c")"#, s("a b c")),
        (r#"CONCAT(event.action, "-", "x")"#, s("get-x")),
        (r#"SUBSTRING("abcdef", 2, 3)"#, s("bcd")),
        (r#"CONCAT(LEFT("abc", 2), RIGHT("abc", 1))"#, s("abc")),
        (r#"MV_CONCAT(SPLIT("a,b,a", ","), "-")"#, s("a-b-a")),
        (r#"MV_COUNT(MV_DEDUPE(SPLIT("a,b,a", ",")))"#, Value::Int(2)),
        (r#"MV_LAST(SPLIT("a,b", ","))"#, s("b")),
        (r#"MV_FIRST(SPLIT("a,b", ","))"#, s("a")),
        (r#"MV_SLICE(SPLIT("a,b,c", ","), 1, 2)"#, Value::list([s("b"), s("c")])),
        (r#"CASE(event.action == "list", "l", event.action == "get", "g")"#, s("g")),
        (r#"CASE(event.action == "list", "l", "other")"#, s("other")),
        (r#"CASE(event.action == "list", "l")"#, Value::Absent),
        ("GREATEST(1, 3, 2) + LEAST(4, 5)", Value::Int(7)),
        ("ROUND(2.55, 1)", Value::Float(2.6)),
        ("ABS(-2) + FLOOR(2.5) - CEIL(0.5)", Value::Int(3)),
        (r#""12"::int + TO_LONG("30")"#, Value::Int(42)),
        (r#"TO_STRING(event.action == "get")"#, s("true")),
        ("TO_STRING(@timestamp)", s("1970-01-12T13:41:40.000Z")),
        ("DATE_TRUNC(1 hour, @timestamp)", Value::Int(997_200)),
        (r#"DATE_DIFF("minute", @timestamp, NOW())"#, Value::Int(5)),
        (r#"DATE_EXTRACT("hour_of_day", @timestamp)"#, Value::Int(13)),
        (r#"DATE_TRUNC(1 month, @timestamp) - "1970-01-01"::datetime"#, Value::Int(0)),
        (r#"HASH("md5", "a")"#, s("0cc175b9c0f1b6a831c399e269772661")),
        ("[1, 2]", Value::list([Value::Int(1), Value::Int(2)])),
        ("2 * (3 + 4) % 5 - -1", Value::Int(5)),
        ("kubernetes.audit.objectRef.namespace", Value::Absent),
    ];
    for (expression, expected) in cases {
        // What is computed of times is written out at the end, which is not of interest here.
        let row = run(&format!("FROM logs-* | EVAL x = {expression} | KEEP x"), &event()).unwrap();
        let value = row.0.get("x").cloned().unwrap_or_default();
        assert_eq!(value, *expected, "{expression}");
    }
}

#[test]
fn grok_and_dissect_make_columns() {
    let query = r#"FROM logs-* | GROK user.name "%{WORD:kind}:%{WORD}:%{DATA:Esql.ns}:%{GREEDYDATA:Esql.name}"
        | DISSECT user.name "%{a}:%{?b}:%{c}" | WHERE Esql.ns == "dev" | KEEP kind, Esql.*, a, c"#;
    let expected = row(&[
        ("kind", s("system")),
        ("Esql.ns", s("dev")),
        ("Esql.name", s("deployer")),
        ("a", s("system")),
        ("c", s("dev:deployer")),
    ]);
    assert_eq!(run(query, &event()), Some(expected));
}

#[test]
fn what_grok_does_not_match_is_null() {
    let query = r#"FROM logs-* | EVAL a = "x" | GROK event.action "%{INT:a:int}" | WHERE a IS NULL | KEEP a"#;
    assert_eq!(run(query, &event()), Some(row(&[])));
}

#[test]
fn a_command_line_is_found_in_a_request() {
    let query = r#"FROM logs-kubernetes.audit_logs-* METADATA _id, _version
        | WHERE kubernetes.audit.requestURI LIKE "*command=*"
        | EVAL uri = URL_DECODE(kubernetes.audit.requestURI)
        | GROK uri "%{DATA}/exec\\?%{DATA:raw}&(?:container|stdout)=%{GREEDYDATA}"
        | EVAL line = REPLACE(raw, "command=", "")
        | EVAL Esql.line = REPLACE(REPLACE(line, "&", " "), "\\+", " ")
        | WHERE Esql.line RLIKE """.*(id_rsa|/etc/passwd).*""" AND NOT Esql.line RLIKE """.*hosts.*"""
        | EVAL Esql.kind = CASE(Esql.line RLIKE """.*/etc/.*""", "users", "keys")"#;
    let uri = "/api/v1/namespaces/a/pods/b/exec?command=cat&command=%2Fetc%2Fpasswd&container=c&stdout=true";
    let found = run(query, &row(&[("requestURI", s(uri))])).unwrap();
    assert_eq!(found.0["Esql.line"], s("cat /etc/passwd"));
    assert_eq!(found.0["Esql.kind"], s("users"));
    assert!(run(query, &row(&[("requestURI", s("/exec?command=ls&container=c"))])).is_none());
}

#[test]
fn columns_are_known() {
    let columns = |query: &str| good(query).columns;
    assert_eq!(columns("FROM a | STATS n = COUNT(*) BY user.name, x = event.action"), ["n", "user.name", "x"]);
    assert_eq!(columns("FROM a | STATS COUNT(*)"), ["COUNT()"]);
    assert_eq!(columns("FROM a | KEEP user.name, _id, event.action"), ["user.name", "event.action"]);
    let all = columns("FROM a | WHERE kubernetes.audit.requestObject.spec.x == 1 | EVAL y = 2 | KEEP *");
    assert_eq!(all[..2], ["verb", "user.username"]);
    assert_eq!(all[all.len() - 2..], ["requestObject.spec.x", "y"]);
    let kept =
        columns("FROM a | STATS Esql.a = COUNT(*), Esql.b = MAX(@timestamp) BY user.name | KEEP user.name, Esql.*");
    assert_eq!(kept, ["user.name", "Esql.a", "Esql.b"]);
}
