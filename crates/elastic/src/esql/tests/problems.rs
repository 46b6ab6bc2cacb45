//! What is said of queries that cannot be compiled.

use proptest::prelude::*;

use super::harness::compiled;

fn problems(query: &str) -> Vec<(String, &'static str, String, bool)> {
    let problems = compiled(query).err().unwrap_or_default();
    problems
        .into_iter()
        .map(|p| (query.get(p.range).unwrap_or("?").to_owned(), p.code, p.message, p.unsupported))
        .collect()
}

#[test]
fn problems_have_a_place_and_a_reason() {
    for (query, place, code, message) in [
        ("WHERE a == 1", "WHERE", "esql-syntax", "a query begins with `FROM`"),
        ("FROM a | WHERE user.name ==", "", "esql-syntax", "expected an expression, found the end of the query"),
        ("FROM a | WHERE user.name = \"x\"", "=", "esql-syntax", "`=` is no comparison"),
        (r#"FROM a | WHERE user.name RLIKE "\d""#, r"\d", "esql-syntax", r"`\d` is no escape sequence of a string"),
        ("FROM a | WHERE user.name == \"x", "\"x", "esql-syntax", "the string has no end"),
        ("FROM a | KEEP", "", "esql-syntax", "expected the name of a column, found the end of the query"),
        ("FROM a | LIMIT x", "x", "esql-syntax", "expected a whole number, found `x`"),
        ("FROM a | FETCH 1", "FETCH", "esql-unknown-command", "ES|QL has no command `fetch`"),
        ("FROM a | EVAL x = NOSUCH(1)", "NOSUCH", "esql-unknown-function", "ES|QL has no function `nosuch`"),
        ("FROM a | EVAL x = LENGTH()", "LENGTH()", "esql-arguments", "`length` takes 1 argument, not 0"),
        ("FROM a | WHERE COUNT(*) > 1", "COUNT(*)", "esql-arguments", "`count` aggregates, which only `STATS` does"),
        (
            "FROM a | STATS x = user.name",
            "user.name",
            "esql-arguments",
            "`user.name` stands in no aggregate and is no group",
        ),
        ("FROM a | STATS n = COUNT(*) | WHERE m > 1", "m", "esql-unknown-column", "there is no column `m` any more"),
        (
            "FROM a | DROP user.name | EVAL x = user.name",
            "user.name",
            "esql-unknown-column",
            "there is no column `user.name` any more",
        ),
        ("FROM a | GROK user.name \"%{NOPE:x}\"", "\"%{NOPE:x}\"", "esql-pattern", "there is no pattern `NOPE`"),
        ("FROM a | WHERE kql(\"x\")", "\"x\"", "esql-kql", "the KQL text: there is no colon"),
        ("FROM a | WHERE @timestamp > \"soon\"", "\"soon\"", "esql-arguments", "`soon` is no moment"),
        (
            "FROM a | WHERE CIDR_MATCH(source.ip, CONCAT(\"a\", \"b\"), \"10/8\")",
            "\"10/8\"",
            "esql-arguments",
            "`10/8` is no network",
        ),
    ] {
        let expected = (place.to_owned(), code, message.to_owned(), false);
        assert_eq!(problems(query), [expected], "{query}");
    }
}

#[test]
fn a_regular_expression_that_is_none_is_named() {
    let [(place, code, _, false)] = &problems("FROM a | WHERE user.name RLIKE \"(a\"")[..] else { panic!() };
    assert_eq!((place.as_str(), *code), ("\"(a\"", "esql-pattern"));
}

#[test]
fn what_is_right_but_not_compiled_is_unsupported() {
    for (query, place) in [
        ("FROM a | ENRICH policy ON user.name", "ENRICH"),
        ("FROM a | LOOKUP JOIN x ON user.name", "LOOKUP"),
        ("FROM a | INLINESTATS COUNT(*)", "INLINESTATS"),
        ("ROW a = 1", "ROW"),
        ("FROM a | EVAL x = DATE_FORMAT(\"yyyy\", @timestamp)", "DATE_FORMAT"),
        ("FROM a | EVAL x = MV_MEDIAN(source.ip)", "MV_MEDIAN"),
        ("FROM a | STATS x = TOP(user.name, 3, \"asc\")", "TOP(user.name, 3, \"asc\")"),
        ("FROM a | WHERE QSTR(\"a:b\")", "QSTR"),
        ("FROM a | KEEP user.keys", "user.keys"),
        ("FROM a | EVAL x = user.name::geo_point", "user.name::geo_point"),
        ("FROM a | EVAL x = DATE_TRUNC(2 months, @timestamp)", "DATE_TRUNC(2 months, @timestamp)"),
    ] {
        let found = problems(query);
        assert!(matches!(found.as_slice(), [(at, "esql-unsupported", _, true)] if at == place), "{query}: {found:?}");
    }
}

#[test]
fn every_faulty_command_is_named() {
    let found = problems("FROM a | WHERE | EVAL x = | KEEP user.name");
    assert_eq!(found.len(), 2, "{found:?}");
    let found = problems("FROM a | WHERE NOSUCH(1) | WHERE NEITHER(1) | EVAL x = NOR(1)");
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn depth_has_a_limit() {
    for query in [
        format!("FROM a | WHERE {}1", "(".repeat(100_000)),
        format!("FROM a | WHERE {} true", "NOT ".repeat(100_000)),
        format!("FROM a | EVAL x = {}1", "-".repeat(100_000)),
        format!("FROM a | EVAL x = 1{}", "+1".repeat(100_000)),
        format!("FROM a | EVAL x = 1{}", "::int".repeat(100_000)),
        format!("FROM a | WHERE a{}", " is null".repeat(100_000)),
    ] {
        let found = problems(&query);
        assert!(found.iter().all(|(_, code, ..)| *code == "esql-syntax") && !found.is_empty());
    }
    let long = format!("FROM a | WHERE {}", vec!["user.name == \"x\""; 2_000].join(" OR "));
    assert!(problems(&long).is_empty());
    let joined = format!("FROM a | EVAL x = CONCAT({})", vec!["user.name"; 400].join(", "));
    assert_eq!(problems(&joined)[0].1, "esql-arguments");
}

/// Pieces that queries are made of.
const PIECES: &[&str] = &[
    "FROM",
    "WHERE",
    "EVAL",
    "STATS",
    "KEEP",
    "DROP",
    "RENAME",
    "SORT",
    "LIMIT",
    "GROK",
    "DISSECT",
    "MV_EXPAND",
    "BY",
    "AND",
    "OR",
    "NOT",
    "IN",
    "LIKE",
    "RLIKE",
    "IS",
    "NULL",
    "AS",
    "DESC",
    "|",
    "|",
    ",",
    "(",
    ")",
    "=",
    "==",
    "+",
    "-",
    "*",
    "::",
    ".",
    "user.name",
    "a",
    "`b c`",
    "\"%{WORD:x}\"",
    "\"a*\"",
    "\"\"\"x\"\"\"",
    "1",
    "2.5",
    "3 days",
    "COUNT(*)",
    "MAX(",
    "CASE(",
    "@timestamp",
    "NOW()",
    "[",
    "]",
    "//",
    "/*",
    "\"",
    "é",
];

fn piece() -> impl Strategy<Value = String> {
    let words = prop::sample::select(PIECES);
    prop_oneof![8 => words.prop_map(str::to_owned), 1 => "\\PC{0,6}"]
}

proptest! {
    #[test]
    fn nothing_panics(pieces in prop::collection::vec(piece(), 0..30)) {
        let query = format!("FROM a | {}", pieces.join(" "));
        for problem in compiled(&query).err().unwrap_or_default() {
            prop_assert!(query.get(problem.range).is_some());
        }
    }

    #[test]
    fn no_text_panics(query in "\\PC{0,80}") {
        let _ = compiled(&query);
    }
}
