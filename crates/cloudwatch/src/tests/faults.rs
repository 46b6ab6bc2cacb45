//! What is said of what is wrong.

use super::{compile, told};

fn pattern(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    let template = format!(
        "Resources:\n  F:\n    Type: AWS::Logs::MetricFilter\n    Properties:\n      LogGroupName: g\n      \
         FilterPattern: '{quoted}'\n      MetricTransformations:\n        - {{MetricNamespace: N, MetricName: M, \
         MetricValue: '1'}}\n"
    );
    format!("{text}\n{}", told(&compile(&[("t.yml", &template)])))
}

#[test]
fn faults_of_conditions_on_json() {
    let told: Vec<String> = [
        r#"{ $.verb == "create" }"#,
        r#"{ $.verb <> "create" }"#,
        r#"{ $.verb =~ "create" }"#,
        r#"{ $.verb LIKE "create" }"#,
        r#"{ $.verb EXISTS }"#,
        r#"{ $.verb EXIST }"#,
        r#"{ $.verb NOT NULL }"#,
        r#"{ $.verb IS NUL }"#,
        r#"{ $.verb IS NOT NULL }"#,
        r#"{ $.verb IS create }"#,
        r#"{ verb = "create" }"#,
        r#"{ !($.verb = "create") }"#,
        r#"{ $.verb = "create" & $.a = 1 }"#,
        r#"{ $.verb = "create" or $.a = 1 }"#,
        r#"{ $.verb = "create" $.a = 1 }"#,
        r#"{ ($.verb = "create" }"#,
        r#"{ $.verb = "create" "#,
        r#"{ $.verb = "create }"#,
        r#"{ $.verb = } "#,
        r#"{ $.verb > "b" }"#,
        r#"{ $.code > %4% }"#,
        r#"{ $.verb = %a }"#,
        r#"{ $.verb = %[% }"#,
        r#"{ $.verb = %a(b)% }"#,
        r#"{ $.verb = "a*b" }"#,
        r#"{ $.a[x] = 1 }"#,
        r#"{ $.a[1 = 1 }"#,
        r#"{ $[0] = 1 }"#,
        r#"{ $. = 1 }"#,
        r#"{ $ = 1 }"#,
        r#"{ $.a['b] = 1 }"#,
        r#"{ $.a["{x}"][0] = 1 }"#,
        "{}",
        r#"{ $.a = 1 } x"#,
    ]
    .map(pattern)
    .into();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn faults_of_terms_and_fields() {
    let told: Vec<String> = [
        "?a ?b c",
        "a:b",
        "?",
        r#""open"#,
        "%open",
        "%%",
        "[a, ..., b, ...]",
        "[a = 1, b == 2]",
        "[status, code = 4* && cod = 5]",
        "[a b]",
        "[a",
        "[a = 1] b",
        "[a > x]",
    ]
    .map(pattern)
    .into();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn faults_of_metric_filters() {
    insta::assert_snapshot!(told(&compile(&[("t.yml", include_str!("../../tests/data/faulty-filters.yml"))])));
}

#[test]
fn faults_of_alarms() {
    insta::assert_snapshot!(told(&compile(&[("t.yml", include_str!("../../tests/data/faulty-alarms.yml"))])));
}

#[test]
fn codes_are_sorted_and_in_kebab_case() {
    assert!(crate::CODES.is_sorted_by_key(|(code, _)| code));
    let kebab = |code: &str| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    assert!(crate::CODES.iter().all(|(code, _)| code.starts_with("cloudwatch-") && kebab(code)));
}
