//! What values and search identifiers mean without modifiers.

use crate::harness::{check, check_items, codes, compile_files, one, rule};

#[test]
fn wildcards_and_backslashes_are_as_specified() {
    check_items(&[
        ("v: 'a*c'", &[(r#"{"v":"ac"}"#, true), (r#"{"v":"aXXC"}"#, true), (r#"{"v":"acd"}"#, false)]),
        ("v: 'prog?.exe'", &[(r#"{"v":"progA.exe"}"#, true), (r#"{"v":"prog.exe"}"#, false)]),
        (r"v: 'a\*c'", &[(r#"{"v":"a*c"}"#, true), (r#"{"v":"abc"}"#, false)]),
        (r"v: 'a\?c'", &[(r#"{"v":"a?c"}"#, true), (r#"{"v":"abc"}"#, false)]),
        (r"v: 'a\b'", &[(r#"{"v":"a\\b"}"#, true), (r#"{"v":"ab"}"#, false)]),
        (r"v: 'a\\b'", &[(r#"{"v":"a\\b"}"#, true), (r#"{"v":"a\\\\b"}"#, false)]),
        (r"v: 'a\\*'", &[(r#"{"v":"a\\bc"}"#, true), (r#"{"v":"a*"}"#, false)]),
        (r"v: 'a\\\*'", &[(r#"{"v":"a\\*"}"#, true), (r#"{"v":"a\\b"}"#, false)]),
        (r"v: 'a\\\b'", &[(r#"{"v":"a\\\\b"}"#, true)]),
        (r"v: 'a\\\\b'", &[(r#"{"v":"a\\\\b"}"#, true)]),
        ("v: '*'", &[(r#"{"v":"x"}"#, true), (r#"{"v":""}"#, true), ("{}", false)]),
        ("v: '?*'", &[(r#"{"v":"x"}"#, true), (r#"{"v":""}"#, false)]),
        ("v: 'a*b*c?'", &[(r#"{"v":"aXbYcZ"}"#, true), (r#"{"v":"aXbYc"}"#, false)]),
        ("v: 'a*'", &[("{\"v\":\"a\\nb\"}", true)]),
        ("v: '%a%'", &[(r#"{"v":"%a%"}"#, true), (r#"{"v":"bab"}"#, false)]),
        ("v: 'a.c'", &[(r#"{"v":"a.c"}"#, true), (r#"{"v":"abc"}"#, false)]),
    ]);
}

#[test]
fn case_does_not_count_in_any_alphabet() {
    check_items(&[
        ("v: 'ÄÖÜ'", &[(r#"{"v":"äöü"}"#, true)]),
        ("v: 'ж?'", &[(r#"{"v":"ЖЯ"}"#, true), (r#"{"v":"ж"}"#, false)]),
        ("v|startswith: 'É'", &[(r#"{"v":"éa"}"#, true), (r#"{"v":"ea"}"#, false)]),
        ("v|contains: '日本'", &[(r#"{"v":"x日本y"}"#, true)]),
    ]);
}

#[test]
fn null_is_a_field_without_a_value_and_the_empty_text_is_one() {
    check_items(&[
        (
            "a.b: null",
            &[
                ("{}", true),
                (r#"{"a":{"b":null}}"#, true),
                (r#"{"a":{"b":""}}"#, false),
                (r#"{"a":{"b":0}}"#, false),
                (r#"{"a":{"b":{"c":1}}}"#, false),
                (r#"{"a":{"b":[1]}}"#, false),
            ],
        ),
        ("verb: null", &[(r#"{"verb":null}"#, true), ("{}", true), (r#"{"verb":"null"}"#, false)]),
        ("user.groups:", &[(r#"{"user":{}}"#, true), (r#"{"user":{"groups":["a"]}}"#, false)]),
        ("v: ''", &[(r#"{"v":""}"#, true), ("{}", false), (r#"{"v":null}"#, false), (r#"{"v":" "}"#, false)]),
        ("v|neq: null", &[(r#"{"v":1}"#, true), ("{}", false)]),
    ]);
    let text = rule("sel:\n  verb: get\nempty:\n  ns: null\ncondition: sel and not empty");
    check(&text, &[(r#"{"verb":"get","ns":"x"}"#, true), (r#"{"verb":"get"}"#, false)]);
}

#[test]
fn numbers_and_truth_values_match_however_they_are_written() {
    check_items(&[
        (
            "responseStatus.code: 403",
            &[
                (r#"{"responseStatus":{"code":403}}"#, true),
                (r#"{"responseStatus":{"code":"403"}}"#, true),
                (r#"{"responseStatus":{"code":403.0}}"#, true),
                (r#"{"responseStatus":{"code":4030}}"#, false),
            ],
        ),
        ("c: '403'", &[(r#"{"c":403}"#, true), (r#"{"c":"403"}"#, true), (r#"{"c":"403.0"}"#, false)]),
        ("c: '40*'", &[(r#"{"c":403}"#, true), (r#"{"c":503}"#, false)]),
        ("c: [401, 'x']", &[(r#"{"c":401}"#, true), (r#"{"c":"X"}"#, true), (r#"{"c":402}"#, false)]),
        ("c: -1.5", &[(r#"{"c":-1.5}"#, true), (r#"{"c":1.5}"#, false)]),
        ("c: 0x1F", &[(r#"{"c":"0x1f"}"#, true)]),
        ("c: 12345678901234567890", &[(r#"{"c":"12345678901234567890"}"#, true)]),
        ("c: true", &[(r#"{"c":true}"#, true), (r#"{"c":"True"}"#, true), (r#"{"c":1}"#, false)]),
        ("c: 'true'", &[(r#"{"c":true}"#, true)]),
        ("c: false", &[(r#"{"c":false}"#, true), ("{}", false)]),
    ]);
}

#[test]
fn fields_go_through_arrays_of_objects_and_any_value_counts() {
    let image = "requestObject.spec.containers.image|contains: evil";
    let caps = "requestObject.spec.containers.securityContext.capabilities.add: SYS_ADMIN";
    check_items(&[
        (
            image,
            &[
                (r#"{"requestObject":{"spec":{"containers":[{"image":"a"},{"image":"x/evil"}]}}}"#, true),
                (r#"{"requestObject":{"spec":{"containers":[{"image":"a"},{"name":"evil"}]}}}"#, false),
                (r#"{"requestObject":{"spec":{"containers":{"image":"evil"}}}}"#, true),
            ],
        ),
        (
            caps,
            &[(
                r#"{"requestObject":{"spec":{"containers":[{"securityContext":{"capabilities":{"add":["A","sys_admin"]}}}]}}}"#,
                true,
            )],
        ),
        ("user.groups: 'system:masters'", &[(r#"{"user":{"groups":["a","system:masters"]}}"#, true)]),
        (
            "annotations.authorization.k8s.io/decision: allow",
            &[(r#"{"annotations":{"authorization.k8s.io/decision":"allow"}}"#, true)],
        ),
    ]);
    let none = rule("sel:\n  verb: '*'\nf:\n  sourceIPs: 10.0.0.1\ncondition: sel and not f");
    check(
        &none,
        &[(r#"{"verb":"a","sourceIPs":["10.0.0.2","10.0.0.1"]}"#, false), (r#"{"verb":"a","sourceIPs":[]}"#, true)],
    );
}

#[test]
fn maps_ask_for_all_and_lists_for_any() {
    let map = rule("sel:\n  a: 1\n  b: [2, 3]\ncondition: sel");
    check(&map, &[(r#"{"a":1,"b":3}"#, true), (r#"{"a":1,"b":4}"#, false), (r#"{"b":2}"#, false)]);
    let list = rule("sel:\n  - a: 1\n    b: 2\n  - c: 3\ncondition: sel");
    check(&list, &[(r#"{"a":1,"b":2}"#, true), (r#"{"c":3}"#, true), (r#"{"a":1}"#, false)]);
    let mixed = rule("sel:\n  - a: 1\n  - needle\ncondition: sel");
    check(&mixed, &[(r#"{"a":1}"#, true), (r#"{"x":"a needle"}"#, true), (r#"{"a":2}"#, false)]);
    let nested = rule("sel:\n  - - a: 1\n    - b: 1\n  - c: 1\ncondition: sel");
    check(&nested, &[(r#"{"b":1}"#, true), (r#"{"c":1}"#, true), (r#"{"d":1}"#, false)]);
    let empty = rule("sel:\n  a: 1\nf:\n  b: []\ncondition: sel and not f");
    check(&empty, &[(r#"{"a":1,"b":2}"#, true), (r#"{"a":1}"#, true), (r#"{"b":1}"#, false)]);
}

#[test]
fn keywords_are_looked_for_in_the_whole_event() {
    let any = rule("sel:\n  - EVIL\n  - 'a*z'\n  - 4711\ncondition: sel");
    check(
        &any,
        &[
            (r#"{"x":{"y":"so evil!"}}"#, true),
            (r#"{"x":"a-z"}"#, true),
            (r#"{"x":47110}"#, true),
            (r#"{"evil":1}"#, true),
            (r#"{"x":"good"}"#, false),
        ],
    );
    let single = rule("sel: evil\ncondition: sel");
    check(&single, &[(r#"{"x":"EVIL"}"#, true), (r#"{"x":"good"}"#, false)]);
    let all = rule("sel:\n  '|all':\n    - one\n    - two\ncondition: sel");
    check(&all, &[(r#"{"a":"two","b":"one"}"#, true), (r#"{"a":"two"}"#, false)]);
    let regex = rule("sel:\n  '|re':\n    - 'e.il'\n    - '^x'\ncondition: sel");
    check(&regex, &[(r#"{"a":"evil"}"#, true), (r#"{"a":"EVIL"}"#, false)]);
    let cased = rule("sel:\n  '|cased': Evil\ncondition: sel");
    check(&cased, &[(r#"{"a":"Evil"}"#, true), (r#"{"a":"evil"}"#, false)]);
    let not = rule("sel:\n  - evil\ncondition: not sel");
    check(&not, &[(r#"{"a":"good"}"#, true), (r#"{"a":"evil"}"#, false)]);
}

#[test]
fn what_says_nothing_is_refused() {
    for (detection, code) in [
        ("sel: {}\ncondition: sel", "sigma-missing"),
        ("sel: []\ncondition: sel", "sigma-missing"),
        ("sel:\n  - a: 1\n  - {}\ncondition: sel", "sigma-missing"),
        ("sel:\ncondition: sel", "sigma-value"),
        ("sel:\n  - null\ncondition: sel", "sigma-value"),
    ] {
        assert_eq!(codes(&compile_files(&[("r.yml", &rule(detection))])), [code], "{detection}");
    }
    assert_eq!(codes(&compile_files(&[("r.yml", &one("v:\n    a: b"))])), ["sigma-value"]);
}

#[test]
fn a_missing_field_meets_negations_alone() {
    let not = rule("sel:\n  verb: get\nf:\n  a.b: x\n  c: y\ncondition: sel and not f");
    check(
        &not,
        &[
            (r#"{"verb":"get"}"#, true),
            (r#"{"verb":"get","a":{"b":"x"}}"#, true),
            (r#"{"verb":"get","a":{"b":"x"},"c":"y"}"#, false),
            ("{}", false),
        ],
    );
}
