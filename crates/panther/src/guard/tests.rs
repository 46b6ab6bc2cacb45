//! Guards of small programs, and their soundness.

use serde_json::json;

use super::testing::{holds, show};
use super::*;
use crate::source::Source;

const HELPERS: &str = r#"
SYSTEM = ["system:", "eks:"]
LIMITS = {"low": 1}

def is_system(name):
    if not name:
        return False
    return name.startswith(tuple(SYSTEM))

def failed(status):
    if not status:
        return False
    code = status.get("code")
    if not isinstance(code, int):
        return False
    return code >= 400
"#;

fn model() -> Model {
    let path = |keys: &[&str]| Some(keys.iter().map(|key| Arc::from(*key)).collect());
    Model::from([
        ("verb".to_owned(), path(&["verb"])),
        ("resource".to_owned(), path(&["objectRef", "resource"])),
        ("username".to_owned(), path(&["user", "username"])),
        ("status".to_owned(), path(&["responseStatus"])),
        ("ips".to_owned(), path(&["sourceIPs"])),
        ("computed".to_owned(), None),
    ])
}

fn guard(program: &str) -> Expr {
    let helpers = Source::parse("helpers.py".into(), HELPERS.into()).unwrap();
    let rule = Source::parse("rule.py".into(), program.into()).unwrap();
    let modules = Modules::from([("helpers", Names::of(&helpers.module))]);
    let models = BTreeMap::from([("Amazon.EKS.Audit".to_owned(), model())]);
    extract(&rule.module, &modules, &["Amazon.EKS.Audit".to_owned()], &models)
}

/// The guard without its test of the log type.
fn shown(program: &str) -> String {
    let prefix =
        "not log_type = \"Amazon.EKS.Audit\" or (p_log_type present and not p_log_type = \"Amazon.EKS.Audit\")";
    let shown = show(&guard(program));
    match shown.strip_prefix(&format!("({prefix} or ")) {
        Some(rest) => rest.strip_suffix(')').unwrap().to_owned(),
        None if shown == format!("({prefix})") => "false".to_owned(),
        None => shown,
    }
}

/// Collects what differs, so that one run shows all.
fn compare(found: &str, expected: &str, case: &str, wrong: &mut String) {
    if found != expected {
        wrong.push_str(&format!("{case}\n    found:    {found}\n    expected: {expected}\n"));
    }
}

/// A rule of one statement.
fn body(statement: &str) -> String {
    format!("def rule(event):\n    {statement}\n")
}

#[test]
fn expressions_become_tests() {
    let cases = [
        ("return event.get('verb') == 'create'", r#"verb = "create""#),
        ("return event.get('verb') != 'create'", r#"not verb = "create""#),
        ("return 'create' == event.deep_get('verb')", r#"verb = "create""#),
        ("return event.udm('resource') in ('pods', 'nodes')", r#"objectRef.resource [= "pods" | = "nodes"]"#),
        ("return event.udm('resource') not in {'pods'}", r#"not objectRef.resource = "pods""#),
        ("return event.get('verb') is None", "not verb present"),
        ("return event.get('verb') is not None", "verb present"),
        ("return not event.get('verb')", r#"not verb present or verb = """#),
        ("return event.get('verb', 'get') == 'get'", r#"verb = "get" or not verb present"#),
        ("return (event.get('verb') or 'get') == 'get'", r#"verb = "get" or verb = "" or not verb present"#),
        (
            "return event.deep_get('user', 'username', default='').startswith('system:')",
            r#"user.username ^= "system:""#,
        ),
        (
            "return event.deep_get('user', 'username', default='').endswith(('a', 'b'))",
            r#"user.username [$= "a" | $= "b"]"#,
        ),
        ("return (event.get('verb') or '').lower() == 'create'", r#"verb =~ "create""#),
        ("return 'exec' in (event.get('requestURI') or '')", r#"requestURI *= "exec""#),
        (
            "return 'system:masters' in event.deep_get('user', 'groups', default=[])",
            r#"user.groups = "system:masters""#,
        ),
        ("return event.deep_get('responseStatus', 'code', default=0) >= 400", "responseStatus.code Ge 400"),
        (
            "return 400 <= event.deep_get('responseStatus', 'code', default=0) < 500",
            "(responseStatus.code Ge 400 and (responseStatus.code Lt 500 or not responseStatus.code present))",
        ),
        ("return event.deep_get('responseStatus', 'code') == 403", "responseStatus.code [= 403 | = 403.0]"),
        (
            "return event.get('verb') == 'get' and event.get('stage') == 'Panic'",
            r#"(verb = "get" and stage = "Panic")"#,
        ),
        ("return event.get('verb') == 'get' or event.get('stage') == 'Panic'", r#"verb = "get" or stage = "Panic""#),
        ("return True if event.get('verb') == 'get' else False", r#"verb = "get""#),
        ("return any(event.get('verb') == verb for verb in ('get', 'list'))", r#"verb = "get" or verb = "list""#),
        ("return all([])", "true"),
        ("return bool(event.get('verb'))", r#"(verb present and not verb = "")"#),
        ("return False", "false"),
        ("pass", "false"),
    ];
    let mut wrong = String::new();
    for (statement, expected) in cases {
        compare(&shown(&body(statement)), expected, statement, &mut wrong);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn what_may_raise_or_act_is_not_excluded() {
    let cases = [
        // A missing user name has no `startswith`.
        (
            "return event.deep_get('user', 'username').startswith('system:')",
            r#"user.username ^= "system:" or not user.username present"#,
        ),
        ("return event['verb'] == 'create'", "true"),
        ("return event.get('verb') == 'create' and event['stage'] == 'x'", r#"verb = "create""#),
        ("return event['stage'] == 'x' and event.get('verb') == 'create'", "true"),
        ("return count(event) and False", "true"),
        // Nothing is known of the type: a number has no `startswith`.
        ("return event.deep_get('requestObject', 'kind', default='').startswith('P')", "true"),
        // A list of one passes the test of its member.
        ("return event.deep_get('requestObject', 'kind') != 'Pod'", "true"),
        ("return event.deep_get('requestObject', 'kind') == 'Pod'", r#"requestObject.kind = "Pod""#),
        // The platform adds these after the guard was asked.
        ("return event.get('p_log_type') == 'x'", "true"),
        ("return event.get('P_Any_ip_addresses') == 'x'", "true"),
        ("return event.udm('computed') == 'x'", "true"),
        ("return event.udm('unmapped') == 'x'", "true"),
        ("return 'x' in event.get('verb')", r#"verb *= "x" or not verb present"#),
        (
            "return event.deep_get('responseStatus', 'code') > 400",
            "responseStatus.code Gt 400 or not responseStatus.code present",
        ),
        ("return (verb := event.get('verb')) == 'x'", "true"),
        ("return any(event.get(key) == 'x' for key in event)", "true"),
    ];
    let mut wrong = String::new();
    for (statement, expected) in cases {
        compare(&shown(&body(statement)), expected, statement, &mut wrong);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn statements_are_followed() {
    let cases = [
        (
            "early return",
            "def rule(event):\n    verb = event.udm('verb')\n    if verb != 'create':\n        return False\n    return event.udm('resource') == 'pods'\n",
            r#"(verb = "create" and objectRef.resource = "pods")"#,
        ),
        (
            "chain",
            "def rule(event):\n    verb = event.get('verb')\n    if verb == 'get':\n        return False\n    elif verb == 'list':\n        return True\n    else:\n        return event.get('stage') == 'Panic'\n",
            r#"(not verb = "get" and verb = "list") or (not verb = "get" and not verb = "list" and stage = "Panic")"#,
        ),
        (
            "assignment in one branch",
            "def rule(event):\n    verb = 'x'\n    if event.get('stage') == 'Panic':\n        verb = event.get('verb')\n    return verb == 'x'\n",
            "true",
        ),
        (
            "name that may be unbound",
            "def rule(event):\n    if event.get('stage') == 'Panic':\n        verb = event.get('verb')\n    return verb == 'x' and False\n",
            "true",
        ),
        (
            "loop after a test",
            "def rule(event):\n    if event.get('verb') != 'create':\n        return False\n    for ip in event.get('sourceIPs'):\n        if ip == '::1':\n            return True\n    return False\n",
            r#"verb = "create""#,
        ),
        (
            "helpers",
            "from helpers import failed, is_system\ndef rule(event):\n    if failed(event.udm('status')) or is_system(event.udm('username')):\n        return False\n    return True\n",
            r#"((not responseStatus present or not responseStatus.code Ge 400) and (user.username = "" or not user.username [^= "system:" | ^= "eks:"]))"#,
        ),
        (
            "module of helpers",
            "import helpers as h\ndef rule(event):\n    return event.get('verb') in h.SYSTEM\n",
            r#"verb [= "system:" | = "eks:"]"#,
        ),
        (
            "constant of the module",
            "VERBS = {'get'} | {'list'}\ndef rule(event):\n    return event.get('verb') in VERBS\n",
            r#"verb [= "get" | = "list"]"#,
        ),
        (
            "changed constant",
            "VERBS = ['get']\nVERBS.append('list')\ndef rule(event):\n    return event.get('verb') in VERBS\n",
            "true",
        ),
        (
            "rebound global",
            "VERBS = ['get']\ndef title(event):\n    global VERBS\n    VERBS = []\ndef rule(event):\n    return event.get('verb') in VERBS\n",
            "true",
        ),
        ("own global", "SEEN = 0\ndef rule(event):\n    global SEEN\n    SEEN = 1\n    return False\n", "true"),
        (
            "hidden builtin",
            "def any(values):\n    return True\ndef rule(event):\n    return any(event.get('verb') == verb for verb in ('get',))\n",
            "true",
        ),
        (
            "function defined twice",
            "def f(e):\n    return False\ndef f(e):\n    return True\ndef rule(event):\n    return f(event)\n",
            "true",
        ),
        ("endless recursion", "def f(e):\n    return f(e)\ndef rule(event):\n    return f(event)\n", "true"),
        ("decorated rule", "@wrap\ndef rule(event):\n    return False\n", "true"),
        (
            "generator",
            "def f(e):\n    yield 1\ndef rule(event):\n    return f(event) and event.get('verb') == 'x'\n",
            "true",
        ),
        (
            "try",
            "def rule(event):\n    try:\n        return False\n    except ValueError:\n        return True\n",
            "true",
        ),
        ("no rule", "def title(event):\n    return 'x'\n", "true"),
    ];
    let mut wrong = String::new();
    for (name, program, expected) in cases {
        compare(&shown(program), expected, name, &mut wrong);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn events_of_other_log_types_pass() {
    let guard = guard(&body("return event.get('verb') == 'create'"));
    let cases = [
        (json!({"verb": "create"}), "Amazon.EKS.Audit", true),
        (json!({"Verb": "create"}), "Amazon.EKS.Audit", true),
        (json!({"verb": "get"}), "Amazon.EKS.Audit", false),
        (json!({}), "Amazon.EKS.Audit", false),
        (json!({"verb": "get"}), "GCP.AuditLog", true),
        (json!({"verb": "get", "p_log_type": "GCP.AuditLog"}), "Amazon.EKS.Audit", true),
        (json!({"verb": "get", "p_log_type": "Amazon.EKS.Audit"}), "Amazon.EKS.Audit", false),
    ];
    for (event, log_type, expected) in cases {
        assert_eq!(holds(&guard, &event, log_type), expected, "{event} as {log_type}");
    }
}

#[test]
fn no_event_that_matches_is_excluded() {
    // What the programs say of these events was found by running them.
    let cases = [
        ("return event.get('stage') is None", json!({"stage": null})),
        ("return event.get('stage', 'x') is None", json!({"stage": null})),
        ("return event.get('requestObject') != 'x'", json!({"requestObject": ["x"]})),
        ("return event.get('requestObject') not in ('x', 'y')", json!({"requestObject": ["x"]})),
        ("return event.get('requestObject', 'x') == []", json!({"requestObject": []})),
        ("return event.get('requestObject') == ['x']", json!({"requestObject": ["x"]})),
        ("return event.get('requestObject') == True", json!({"requestObject": 1})),
        ("return event.get('requestObject') == 1", json!({"requestObject": 1.0})),
        ("return event.get('requestObject') == 0", json!({"requestObject": false})),
        ("return not event.get('requestObject')", json!({"requestObject": {}})),
        ("return not event.get('requestObject')", json!({"requestObject": 0})),
        ("return not event.deep_get('requestObject', 'spec', 'x')", json!({"requestObject": {"spec": [{"x": 1}]}})),
        ("return (event.get('requestObject') or 'x') == 'x'", json!({"requestObject": {}})),
        ("return (event.get('verb') or 'x').startswith('x')", json!({"verb": ""})),
        ("return 'x' in (event.get('verb') or 'xyz')", json!({"verb": ""})),
        ("return (event.get('verb') or '').lower() == 'k'", json!({"verb": "\u{212a}"})),
        ("return 'secret' in event.get('requestObject', {})", json!({"requestObject": {"secret": 1}})),
        ("return 'x' not in (event.get('sourceIPs') or [])", json!({})),
        ("return event.deep_get('annotations', 'a.b/c') == 'd'", json!({"annotations": {"a.b/c": "d"}})),
        ("return event.get('VERB') == 'create'", json!({"verb": "create"})),
        (
            "return event.deep_get('user', 'extra', 'arn', default=[''])[0] == 'a'",
            json!({"user": {"extra": {"arn": ["a"]}}}),
        ),
        ("return (event.udm('status') or {}).get('code', 200) == 200", json!({"responseStatus": {}})),
        ("return event.udm('status').get('code') != 403", json!({"responseStatus": {"metadata": {}}})),
    ];
    for (statement, event) in cases {
        let guard = guard(&body(statement));
        assert!(holds(&guard, &event, "Amazon.EKS.Audit"), "{statement}: {} is false of {event}", show(&guard));
    }
}

#[test]
fn programs_of_any_size_end() {
    let many = "    if event.get('verb') != 'a' and event.get('stage') == 'b':\n        return False\n".repeat(2_000);
    let source = Source::parse("rule.py".into(), format!("def rule(event):\n{many}    return True\n").into()).unwrap();
    extract(&source.module, &Modules::new(), &["Amazon.EKS.Audit".to_owned()], &BTreeMap::new());

    let doubling: String = (1..30).map(|n| format!("def f{n}(e):\n    return f{0}(e) or f{0}(e)\n", n - 1)).collect();
    let program =
        format!("def f0(e):\n    return e.get('verb') == 'x'\n{doubling}def rule(event):\n    return f29(event)\n");
    assert_eq!(shown(&program), "true");

    for nested in ["(".repeat(5_000), "not ".repeat(5_000), "-".repeat(5_000), "x.".repeat(5_000), "[1+".repeat(5_000)]
    {
        let error = Source::parse("rule.py".into(), format!("x = {nested}").into()).unwrap_err();
        assert_eq!(error.code, "python-syntax", "{}", &nested[..8]);
    }
}
