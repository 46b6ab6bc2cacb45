//! What commands become.

use super::harness::{compiled, rendered};

#[test]
fn filters_of_events_go_into_the_source() {
    insta::assert_snapshot!(rendered(
        r#"FROM logs-* METADATA _id
        | EVAL Esql.minute = DATE_TRUNC(1 minute, @timestamp)
        | WHERE event.action IN ("get", "list") AND @timestamp > NOW() - 1 hour
            AND NOT user.name LIKE "system:*" AND source.ip IS NOT NULL AND Esql.minute > 0
        | WHERE kubernetes.audit.requestObject.spec.x == "y""#
    ));
}

#[test]
fn groups_keep_null() {
    insta::assert_snapshot!(rendered(
        r#"FROM logs-* | WHERE event.action == "get" AND user.name IS NOT NULL
        | STATS Esql.names = VALUES(kubernetes.audit.objectRef.name), Esql.unique = COUNT_DISTINCT(event.action),
            Esql.first = MIN(@timestamp), Esql.n = COUNT()
            BY user.name, kubernetes.audit.impersonatedUser.username, process.name, bucket = DATE_TRUNC(5 minutes, @timestamp)
        | WHERE Esql.first >= NOW() - 9 minutes AND Esql.n > 3
        | KEEP Esql.*, user.name, bucket"#
    ));
}

#[test]
fn aggregates_take_filters_and_stand_in_expressions() {
    insta::assert_snapshot!(rendered(
        r#"FROM logs-* | EVAL outcome = CASE(kubernetes.audit.responseStatus.code >= 400, "bad", "good")
        | STATS bad = SUM(CASE(outcome == "bad", 1, 0)), good = COUNT(*) WHERE outcome == "good",
            names = VALUES(user.name) WHERE outcome == "bad", longest = MAX(LENGTH(user.name)),
            some = COUNT(TO_LOWER(user.name)), share = ROUND(SUM(1) / COUNT(*), 2), who = CONCAT(event.action, "!"),
            MEDIAN(LENGTH(user.name)), p = PERCENTILE(LENGTH(user.name), 95)
            BY event.action
        | SORT bad DESC NULLS LAST, LENGTH(event.action)
        | LIMIT 5"#
    ));
}

#[test]
fn columns_are_renamed_dropped_and_expanded() {
    insta::assert_snapshot!(rendered(
        r#"FROM logs-* | RENAME user.name AS who, event.action AS `what is done` | MV_EXPAND source.ip
        | DROP kubernetes.audit.* | WHERE who != "x" | KEEP source.ip, w*, data_stream.namespace, @timestamp"#
    ));
}

#[test]
fn patterns_become_stages() {
    insta::assert_snapshot!(rendered(
        r#"FROM logs-* | GROK URL_DECODE(kubernetes.audit.requestURI) "%{DATA}/exec\\?%{DATA:a.b}&%{INT:n:int}"
        | DISSECT user.name "%{x}:%{+x}" APPEND_SEPARATOR="/" | KEEP *"#
    ));
}

/// Compiles the queries of a directory, which `ESQL_QUERIES` names.
#[test]
#[ignore = "needs a directory of queries"]
fn queries_of_a_directory_compile() {
    let directory = std::env::var("ESQL_QUERIES").unwrap();
    let mut count = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let query = std::fs::read_to_string(&path).unwrap();
        let problems = compiled(&query).err();
        assert_eq!(problems, None, "{}", path.display());
        count += 1;
    }
    assert!(count > 0);
}
