//! What every modifier does with values.

use crate::harness::{check, check_files, check_items, codes, compile_files, one, rule};

#[test]
fn parts_of_texts_match_wherever_the_modifier_says() {
    check_items(&[
        ("verb: get", &[(r#"{"verb":"get"}"#, true), (r#"{"verb":"GET"}"#, true), (r#"{"verb":"gets"}"#, false)]),
        ("verb|contains: et", &[(r#"{"verb":"bETa"}"#, true), (r#"{"verb":"bta"}"#, false)]),
        ("verb|startswith: ge", &[(r#"{"verb":"GEt"}"#, true), (r#"{"verb":"age"}"#, false)]),
        ("verb|endswith: et", &[(r#"{"verb":"geT"}"#, true), (r#"{"verb":"etc"}"#, false)]),
        ("verb|contains: 'a*b'", &[(r#"{"verb":"xaxxbx"}"#, true), (r#"{"verb":"xbxax"}"#, false)]),
        ("verb|contains: 'a?b'", &[(r#"{"verb":"xaxbx"}"#, true), (r#"{"verb":"xabx"}"#, false)]),
        (r"verb|contains: 'a\*b'", &[(r#"{"verb":"xa*bx"}"#, true), (r#"{"verb":"xaxbx"}"#, false)]),
        ("verb|contains: ''", &[(r#"{"verb":"x"}"#, true), ("{}", false)]),
        ("code|contains: 40", &[(r#"{"code":1403}"#, true), (r#"{"code":"140x"}"#, true), (r#"{"code":4}"#, false)]),
    ]);
}

#[test]
fn all_asks_for_every_value() {
    check_items(&[
        (
            "uri|contains|all: [exec, stdin]",
            &[(r#"{"uri":"exec?stdin=1"}"#, true), (r#"{"uri":"exec"}"#, false), ("{}", false)],
        ),
        ("uri|all: [exec]", &[(r#"{"uri":"exec"}"#, true), (r#"{"uri":"x"}"#, false)]),
        ("uri|contains|all: exec", &[(r#"{"uri":"an exec"}"#, true), (r#"{"uri":"x"}"#, false)]),
        (
            "user.groups|all: [a, b]",
            &[(r#"{"user":{"groups":["a","b"]}}"#, true), (r#"{"user":{"groups":["a"]}}"#, false)],
        ),
    ]);
}

#[test]
fn cased_values_keep_their_case() {
    check_items(&[
        ("verb|cased: Get", &[(r#"{"verb":"Get"}"#, true), (r#"{"verb":"get"}"#, false)]),
        ("verb|contains|cased: Et", &[(r#"{"verb":"gEts"}"#, true), (r#"{"verb":"gets"}"#, false)]),
        ("verb|cased|startswith: Ge", &[(r#"{"verb":"Gets"}"#, true), (r#"{"verb":"gets"}"#, false)]),
        ("verb|cased: 'G?t'", &[(r#"{"verb":"Get"}"#, true), (r#"{"verb":"get"}"#, false)]),
    ]);
}

#[test]
fn regular_expressions_match_anywhere_and_mind_case_unless_told() {
    check_items(&[
        ("verb|re: 'e.'", &[(r#"{"verb":"gets"}"#, true), (r#"{"verb":"GETS"}"#, false)]),
        ("verb|re: '^e.$'", &[(r#"{"verb":"et"}"#, true), (r#"{"verb":"gets"}"#, false)]),
        ("verb|re|i: 'GET'", &[(r#"{"verb":"gets"}"#, true)]),
        ("verb|re|ignorecase: 'GET'", &[(r#"{"verb":"gets"}"#, true)]),
        ("verb|re: '^b'", &[(r#"{"verb":"a\nb"}"#, false)]),
        ("verb|re|m: '^b'", &[(r#"{"verb":"a\nb"}"#, true)]),
        ("verb|re|multiline: '^b'", &[(r#"{"verb":"a\nb"}"#, true)]),
        ("verb|re: 'a.b'", &[(r#"{"verb":"a\nb"}"#, false)]),
        ("verb|re|s: 'a.b'", &[(r#"{"verb":"a\nb"}"#, true)]),
        ("verb|re|dotall: 'a.b'", &[(r#"{"verb":"a\nb"}"#, true)]),
        ("verb|re|i|s: 'A.B'", &[(r#"{"verb":"a\nb"}"#, true)]),
        (r"verb|re: 'a\.b\*'", &[(r#"{"verb":"a.b*"}"#, true), (r#"{"verb":"axb"}"#, false)]),
        (r"verb|re: '\\\\x'", &[(r#"{"verb":"a\\\\x"}"#, true), (r#"{"verb":"a\\x"}"#, false)]),
        ("verb|re: ['^a$', '^b$']", &[(r#"{"verb":"b"}"#, true), (r#"{"verb":"c"}"#, false)]),
        ("verb|re|all: ['a', 'b']", &[(r#"{"verb":"ba"}"#, true), (r#"{"verb":"b"}"#, false)]),
        ("code|re: '^40[13]$'", &[(r#"{"code":403}"#, true), (r#"{"code":404}"#, false)]),
        ("verb|re: '(a)x\\1'", &[(r#"{"verb":"axa"}"#, true), (r#"{"verb":"axb"}"#, false)]),
    ]);
}

#[test]
fn encoded_texts_are_found_at_every_offset() {
    check_items(&[
        ("v|base64: 'foobar'", &[(r#"{"v":"Zm9vYmFy"}"#, true), (r#"{"v":"foobar"}"#, false)]),
        // Without `contains` each of the three spellings is a value of its own.
        ("v|base64offset: 'foobar'", &[(r#"{"v":"Zm9vYmFy"}"#, true), (r#"{"v":"xZm9vYmFyx"}"#, false)]),
        (
            "v|base64offset|contains: 'foobar'",
            &[
                (r#"{"v":"Zm9vYmFy"}"#, true),
                (r#"{"v":"eGZvb2Jhcg=="}"#, true),
                (r#"{"v":"eHhmb29iYXI="}"#, true),
                (r#"{"v":"eHh4Zm9vYmFyeA=="}"#, true),
                (r#"{"v":"eHh4"}"#, false),
            ],
        ),
        ("v|wide|base64offset|contains: 'cmd'", &[(r#"{"v":"YwBtAGQA"}"#, true), (r#"{"v":"Y21k"}"#, false)]),
        ("v|utf16le|base64: 'cmd'", &[(r#"{"v":"YwBtAGQA"}"#, true)]),
        ("v|utf16be|base64: 'cmd'", &[(r#"{"v":"AGMAbQBk"}"#, true)]),
        ("v|utf16|base64: 'cmd'", &[(r#"{"v":"//5jAG0AZAA="}"#, true)]),
        ("v|utf16le|contains: 'cmd'", &[(r#"{"v":"xc\u0000m\u0000d\u0000"}"#, true), (r#"{"v":"cmd"}"#, false)]),
        (r"v|base64: 'a\*'", &[(r#"{"v":"YSo="}"#, true)]),
        ("v|base64: 12", &[(r#"{"v":"MTI="}"#, true)]),
    ]);
}

#[test]
fn text_with_wildcards_cannot_be_encoded() {
    for item in
        ["v|base64: 'a*'", "v|base64offset|contains: 'a?'", "v|wide|base64offset|contains: 'a*'", "v|wide: 'a*'"]
    {
        assert_eq!(codes(&compile_files(&[("r.yml", &one(item))])), ["sigma-value"], "{item}");
    }
}

#[test]
fn windash_knows_every_dash() {
    check_items(&[
        (
            "c|windash|contains|all: [' -s', ' -f']",
            &[
                (r#"{"c":"x -s /f"}"#, true),
                (r#"{"c":"x –s —f"}"#, true),
                (r#"{"c":"x ―S -f"}"#, true),
                (r#"{"c":"x -s f"}"#, false),
            ],
        ),
        ("c|windash|contains: ' /s'", &[(r#"{"c":"x -s"}"#, true)]),
        ("c|windash|contains: ' –s'", &[(r#"{"c":"x -s"}"#, true)]),
        ("c|contains|windash: '-a-b'", &[(r#"{"c":"x/a-b"}"#, true), (r#"{"c":"x/a/b"}"#, false)]),
        ("c|windash: 'x* -a'", &[(r#"{"c":"xyz /a"}"#, true), (r#"{"c":"yz /a"}"#, false)]),
        ("c|windash: 5", &[(r#"{"c":5}"#, true)]),
    ]);
}

#[test]
fn networks_hold_addresses_of_both_versions() {
    check_items(&[
        (
            "sourceIPs|cidr: 10.0.0.0/8",
            &[
                (r#"{"sourceIPs":["192.168.0.1","10.1.2.3"]}"#, true),
                (r#"{"sourceIPs":["192.168.0.1"]}"#, false),
                (r#"{"sourceIPs":["::ffff:10.0.0.1"]}"#, true),
                (r#"{"sourceIPs":["x"]}"#, false),
                ("{}", false),
            ],
        ),
        ("ip|cidr: ['10.0.0.0/8', 'fd00::/8']", &[(r#"{"ip":"fd12::1"}"#, true), (r#"{"ip":"fe80::1"}"#, false)]),
        ("ip|cidr: 10.0.0.1", &[(r#"{"ip":"10.0.0.1"}"#, true), (r#"{"ip":"10.0.0.2"}"#, false)]),
    ]);
}

#[test]
fn fields_exist_whatever_their_value() {
    check_items(&[
        (
            "a.b|exists: true",
            &[
                (r#"{"a":{"b":"x"}}"#, true),
                (r#"{"a":{"b":""}}"#, true),
                (r#"{"a":{"b":{"c":1}}}"#, true),
                (r#"{"a":{"b":null}}"#, true),
                (r#"{"a":[{"b":1}]}"#, true),
                (r#"{"a":{}}"#, false),
            ],
        ),
        ("a.b|exists: false", &[("{}", true), (r#"{"a":{"b":0}}"#, false), (r#"{"a":{"b":null}}"#, false)]),
        ("verb|exists: true", &[(r#"{"verb":"x"}"#, true), (r#"{"verb":null}"#, true), ("{}", false)]),
        ("user.groups|exists: false", &[(r#"{"user":{}}"#, true), (r#"{"user":{"groups":["a"]}}"#, false)]),
    ]);
}

#[test]
fn fields_are_compared_with_fields() {
    check_items(&[
        (
            "a|fieldref: b.c",
            &[
                (r#"{"a":"X","b":{"c":"x"}}"#, true),
                (r#"{"a":"x","b":{"c":"y"}}"#, false),
                (r#"{"a":"x"}"#, false),
                ("{}", false),
                (r#"{"a":["y","x"],"b":{"c":"x"}}"#, true),
            ],
        ),
        ("a|cased|fieldref: b", &[(r#"{"a":"X","b":"x"}"#, false), (r#"{"a":"x","b":"x"}"#, true)]),
        ("a|fieldref|neq: b", &[(r#"{"a":"X","b":"x"}"#, false), (r#"{"a":"y","b":"x"}"#, true)]),
        ("a|fieldref|startswith: b", &[(r#"{"a":"XYZ","b":"xy"}"#, true), (r#"{"a":"aXY","b":"xy"}"#, false)]),
        ("a|fieldref|endswith: b", &[(r#"{"a":"aXY","b":"xy"}"#, true), (r#"{"a":"XYZ","b":"xy"}"#, false)]),
        (
            "a|fieldref|contains: b",
            &[
                (r#"{"a":"aXYz","b":"xy"}"#, true),
                (r#"{"a":"aX","b":"xy"}"#, false),
                (r#"{"a":"axxb","b":"a%b"}"#, false),
                (r#"{"a":"axb","b":"a_b"}"#, false),
                (r#"{"a":"za_b%","b":"a_b%"}"#, true),
            ],
        ),
    ]);
}

#[test]
fn numbers_are_ordered_as_numbers() {
    let number = |code: &str| format!(r#"{{"responseStatus":{{"code":{code}}}}}"#);
    for (item, less, same, more) in [
        ("responseStatus.code|lt: 403", true, false, false),
        ("responseStatus.code|lte: 403", true, true, false),
        ("responseStatus.code|gt: 403", false, false, true),
        ("responseStatus.code|gte: '403'", false, true, true),
        ("responseStatus.code|neq: 403", true, false, true),
    ] {
        let events = [("99", less), ("403", same), ("403.0", same), ("\"1000\"", more), ("403.5", more)];
        let events: Vec<(String, bool)> = events.iter().map(|(code, holds)| (number(code), *holds)).collect();
        check(&one(item), &events.iter().map(|(event, holds)| (event.as_str(), *holds)).collect::<Vec<_>>());
    }
    check_items(&[
        ("code|gte: 5", &[(r#"{"code":"abc"}"#, false), ("{}", false), (r#"{"code":true}"#, false)]),
        ("code|lt: -1.5", &[(r#"{"code":-2}"#, true), (r#"{"code":"-"}"#, false), (r#"{"code":1}"#, false)]),
        ("code|gt: [5, 3]", &[(r#"{"code":4}"#, true), (r#"{"code":3}"#, false)]),
    ]);
}

#[test]
fn neq_holds_for_what_none_of_the_values_is() {
    check_items(&[
        (
            "verb|neq: [get, list]",
            &[(r#"{"verb":"GET"}"#, false), (r#"{"verb":"watch"}"#, true), ("{}", true), (r#"{"verb":"list"}"#, false)],
        ),
        ("verb|contains|neq: e", &[(r#"{"verb":"get"}"#, false), (r#"{"verb":"list"}"#, true)]),
        ("code|gt|neq: 5", &[(r#"{"code":6}"#, false), (r#"{"code":5}"#, true)]),
    ]);
}

#[test]
fn parts_of_times_are_read_in_utc() {
    let at = |time: &str| format!(r#"{{"stageTimestamp":{time}}}"#);
    let (micros, plain, epoch) =
        (at("\"2024-01-03T22:05:09.123456Z\""), at("\"2024-01-03T22:05:09Z\""), at("1704319509"));
    for (item, expected) in [
        ("stageTimestamp|minute: 5", true),
        ("stageTimestamp|minute: 6", false),
        ("stageTimestamp|hour: 22", true),
        ("stageTimestamp|hour|gte: 20", true),
        ("stageTimestamp|hour|lt: 6", false),
        ("stageTimestamp|hour: [1, 22]", true),
        ("stageTimestamp|day: 3", true),
        ("stageTimestamp|week: 1", true),
        ("stageTimestamp|month: 1", true),
        ("stageTimestamp|year: 2024", true),
        ("stageTimestamp|year|neq: 2024", false),
    ] {
        let events = [&micros, &plain, &epoch].map(|event| (event.as_str(), expected));
        check(&one(item), &events);
    }
    check(&one("stageTimestamp|hour: 22"), &[("{}", false), (r#"{"stageTimestamp":"soon"}"#, false)]);
}

#[test]
fn placeholders_are_filled_under_expand_alone() {
    let shared =
        "placeholders:\n  admins: [root, 'adm*']\n  hosts:\n    values: [a, b]\n  none: []\n  rx: ['b[0-9]']\n";
    let with = |item: &str, events: &[(&str, bool)]| {
        check_files(&[("rules/r.yml", &one(item)), ("placeholders/p.yml", shared)], events);
    };
    with("u|expand: '%admins%'", &[(r#"{"u":"root"}"#, true), (r#"{"u":"adm1"}"#, true), (r#"{"u":"x"}"#, false)]);
    with("u: '%admins%'", &[(r#"{"u":"root"}"#, false), (r#"{"u":"%admins%"}"#, true)]);
    with("u|expand: '%admins%@%hosts%'", &[(r#"{"u":"root@b"}"#, true), (r#"{"u":"admX@a"}"#, true)]);
    with("u|expand|contains: '-%hosts%'", &[(r#"{"u":"x-by"}"#, true), (r#"{"u":"xb"}"#, false)]);
    with("u|contains|expand: '-%hosts%'", &[(r#"{"u":"x-by"}"#, true), (r#"{"u":"xb"}"#, false)]);
    with(r"u|expand: '\%plain%hosts%'", &[(r#"{"u":"%plaina"}"#, true), (r#"{"u":"%plainc"}"#, false)]);
    with("u|re|expand: '^%rx%$'", &[(r#"{"u":"b7"}"#, true), (r#"{"u":"bx"}"#, false)]);
    with("u|expand: '%none%'", &[(r#"{"u":"%none%"}"#, false), ("{}", false)]);
    with("u|expand: 5", &[(r#"{"u":5}"#, true)]);
}

#[test]
fn modifiers_that_cannot_be_are_refused() {
    for (item, code) in [
        ("v|contain: x", "sigma-modifier"),
        ("v|i: x", "sigma-modifier"),
        ("v|re: '('", "sigma-regex"),
        ("v|cidr: 10.0.0.0/99", "sigma-value"),
        ("v|exists: yes", "sigma-value"),
        ("v|gt: x", "sigma-value"),
        ("v|hour: x", "sigma-value"),
        ("v|fieldref: 5", "sigma-value"),
        ("v|fieldref: 'a*'", "sigma-value"),
        ("v|utf16: x", "sigma-value"),
        ("v|base64: true", "sigma-value"),
        ("v|re: null", "sigma-value"),
        ("'|fieldref': a", "sigma-modifier"),
        ("'|cidr': 10.0.0.0/8", "sigma-value"),
        ("'|exists': true", "sigma-value"),
        ("v: {a: b}", "sigma-value"),
        ("v|expand: '%unknown%'", "sigma-placeholder"),
    ] {
        assert_eq!(codes(&compile_files(&[("r.yml", &one(item))])), [code], "{item}");
    }
    // What stands in a list beside others is held to the same.
    let text = rule("sel:\n  v:\n    - [a, b]\n    - c\ncondition: sel");
    assert_eq!(codes(&compile_files(&[("r.yml", &text)])), ["sigma-value"]);
}
