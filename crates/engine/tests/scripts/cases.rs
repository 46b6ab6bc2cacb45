//! The cases.

use serde_json::{Value, json};

use super::{Case, Rule};

type Named = (&'static str, fn() -> Case);

pub(super) const CASES: &[Named] = &[
    ("a_rule_without_functions_has_the_words_of_its_file", words_of_the_file),
    ("functions_say_what_a_finding_says", functions),
    ("functions_that_fail_leave_the_words_of_the_file", failing_functions),
    ("functions_that_return_something_else_leave_the_words_of_the_file", wrong_results),
    ("a_rule_that_raises_is_no_match", raising),
    ("a_title_groups_where_nothing_else_does", titles_group),
    ("a_period_is_told_by_the_times_of_events", periods),
    ("a_threshold_is_reached_within_a_period", thresholds),
    ("what_makes_no_alert_is_a_signal_and_has_no_threshold", signals),
    ("the_first_event_tells_the_severity", severities),
    ("events_without_a_time_have_none", no_time),
    ("an_audit_id_counts_once", evidence),
    ("summaries_count_the_commonest_values", summaries),
    ("indicators_are_entities", indicators),
    ("a_context_is_json", contexts),
    ("what_runs_away_or_reaches_out_costs_only_itself", runaways),
    ("variables_stay_between_functions_of_one_event_only", variables),
];

/// An event of a minute and a user.
fn event(minute: u32, user: &str) -> Value {
    let (hour, minute) = (minute / 60, minute % 60);
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": format!("{hour:02}{minute:02}-{user}"),
        "stage": "ResponseComplete", "verb": "list", "user": {"username": user, "groups": ["a", "b"]},
        "sourceIPs": ["192.0.2.1"], "requestReceivedTimestamp": format!("2026-01-02T{hour:02}:{minute:02}:00.000000Z"),
    })
}

fn events(times: &[(u32, &str)]) -> Vec<Value> {
    times.iter().map(|(minute, user)| event(*minute, user)).collect()
}

fn rule(yaml: &'static str, python: &'static str) -> Vec<Rule> {
    vec![Rule { name: "r", yaml, python }]
}

const ALWAYS: &str = "def rule(event):\n    return True\n";
const BY_USER: &str =
    "def rule(event):\n    return True\ndef dedup(event):\n    return event.deep_get('user', 'username')\n";

fn words_of_the_file() -> Case {
    Case {
        rules: vec![
            Rule {
                name: "a",
                yaml: "DisplayName: A Name\nSeverity: Info\nDescription: d\nReference: https://example.com\nRunbook: Look.\n",
                python: ALWAYS,
            },
            Rule { name: "b", yaml: "Severity: Critical\n", python: ALWAYS },
        ],
        events: events(&[(0, "eve")]),
        findings: vec![
            json!({
                "kind": "finding", "severity": "informational", "title": "A Name", "count": 1, "audit_ids": ["0000-eve"],
                "rule": {"id": "a", "name": "A Name"}, "first_seen": "2026-01-02T00:00:00Z", "last_seen": "2026-01-02T00:00:00Z",
                "details": {"dedup": "A Name", "description": "d", "reference": "https://example.com", "runbook": "Look."},
            }),
            json!({"kind": "finding", "severity": "critical", "title": "b", "details": {"dedup": "b"}}),
        ],
        problems: vec![],
    }
}

fn functions() -> Case {
    let python = "
def rule(event): return event.get('verb') == 'list'
def title(event): return f\"{event.deep_get('user', 'username')} lists\"
def dedup(event): return 'one'
def severity(event): return 'high'
def description(event): return 'D'
def reference(event): return 'R'
def runbook(event): return 'B'
def destinations(event): return ['pager', 'mail']
def alert_context(event): return {'verb': event.get('verb'), 'user': event.get('user')}
";
    Case {
        rules: rule("Severity: Low\nDescription: d\n", python),
        events: events(&[(0, "eve"), (1, "mallory")]),
        findings: vec![json!({
            "severity": "high", "title": "eve lists", "count": 2, "audit_id_count": 2,
            "fields": {"verb": "list", "user": {"username": "eve", "groups": ["a", "b"]}},
            "details": {
                "dedup": "one", "description": "D", "reference": "R", "runbook": "B", "destinations": ["pager", "mail"],
            },
        })],
        problems: vec![],
    }
}

fn failing_functions() -> Case {
    let python = "
def rule(event): return True
def title(event): return event['nothing']
def dedup(event): return event['nothing']
def severity(event): return event['nothing']
def description(event): return event['nothing']
def destinations(event): return event['nothing']
def alert_context(event): return {'set': {1, 2}}
";
    Case {
        rules: rule("DisplayName: A Name\nSeverity: Low\nDescription: d\n", python),
        events: events(&[(0, "eve")]),
        findings: vec![json!({
            "severity": "low", "title": "A Name", "fields": {},
            "details": {"dedup": "A Name", "description": "d", "destinations": null},
        })],
        problems: vec![
            "`title` raised KeyError: 'nothing'",
            "`dedup` raised KeyError: 'nothing'",
            "`severity` raised KeyError: 'nothing'",
            "`description` raised KeyError: 'nothing'",
            "`destinations` raised KeyError: 'nothing'",
        ],
    }
}

fn wrong_results() -> Case {
    let python = "
def rule(event): return True
def title(event): return None
def dedup(event): return 5
def severity(event): return 'AWFUL'
def alert_context(event): return ['a list']
";
    Case {
        rules: rule("Severity: Low\n", python),
        events: events(&[(0, "eve")]),
        findings: vec![json!({"severity": "low", "title": "r", "details": {"dedup": "r"}, "fields": {}})],
        problems: vec![
            "`title` raised TypeError: the function returned NoneType, expected str",
            "`dedup` raised TypeError: the function returned int, expected str",
            "`severity` raised ValueError: the function returned 'AWFUL'",
            "`alert_context` raised TypeError: the function returned list, expected a mapping",
        ],
    }
}

fn raising() -> Case {
    let python = "def rule(event):\n    return {'eve': True}[event.deep_get('user', 'username')]\n";
    Case {
        rules: rule("Severity: Low\n", python),
        events: events(&[(0, "mallory"), (1, "eve"), (2, "mallory")]),
        findings: vec![json!({"count": 1, "audit_ids": ["0001-eve"]})],
        problems: vec!["`rule` raised KeyError: 'mallory'; 2 times at this line"],
    }
}

fn titles_group() -> Case {
    let python = "def rule(event): return True\ndef title(event): return event.deep_get('user', 'username')\n";
    Case {
        rules: rule("Severity: Low\n", python),
        events: events(&[(0, "eve"), (1, "mallory"), (2, "eve")]),
        findings: vec![
            json!({"title": "eve", "count": 2, "details": {"dedup": "eve"}}),
            json!({"title": "mallory", "count": 1, "details": {"dedup": "mallory"}}),
        ],
        problems: vec![],
    }
}

fn periods() -> Case {
    // The second rule's period is an hour, as nobody said otherwise. Events come late and in any order.
    Case {
        rules: vec![
            Rule { name: "a", yaml: "Severity: Low\nDedupPeriodMinutes: 15\n", python: BY_USER },
            Rule { name: "b", yaml: "Severity: Low\n", python: BY_USER },
        ],
        events: events(&[(0, "eve"), (14, "eve"), (15, "eve"), (59, "eve"), (60, "eve"), (7, "eve")]),
        findings: vec![
            json!({"rule": {"id": "a"}, "first_seen": "2026-01-02T00:00:00Z", "last_seen": "2026-01-02T00:14:00Z", "count": 3}),
            json!({"rule": {"id": "b"}, "first_seen": "2026-01-02T00:00:00Z", "last_seen": "2026-01-02T00:59:00Z", "count": 5}),
            json!({"rule": {"id": "a"}, "first_seen": "2026-01-02T00:15:00Z", "count": 1}),
            json!({"rule": {"id": "a"}, "first_seen": "2026-01-02T00:59:00Z", "last_seen": "2026-01-02T01:00:00Z", "count": 2}),
            json!({"rule": {"id": "b"}, "first_seen": "2026-01-02T01:00:00Z", "count": 1}),
        ],
        problems: vec![],
    }
}

fn thresholds() -> Case {
    let times = [(0, "eve"), (20, "eve"), (59, "mallory"), (60, "eve"), (61, "eve"), (119, "eve"), (120, "mallory")];
    Case {
        rules: rule("Severity: Low\nThreshold: 3\n", BY_USER),
        events: events(&times),
        findings: vec![json!({
            "first_seen": "2026-01-02T01:00:00Z", "count": 3, "audit_ids": ["0100-eve", "0101-eve", "0159-eve"],
        })],
        problems: vec![],
    }
}

fn signals() -> Case {
    Case {
        rules: rule("Severity: Low\nCreateAlert: false\nThreshold: 3\n", BY_USER),
        events: events(&[(0, "eve"), (1, "eve"), (2, "mallory")]),
        findings: vec![json!({"kind": "signal", "count": 2}), json!({"kind": "signal", "count": 1})],
        problems: vec![],
    }
}

fn severities() -> Case {
    let python = "
LEVELS = {'eve': 'CRITICAL', 'mallory': 'INFO', 'trent': 'DEFAULT'}
def rule(event): return True
def severity(event): return LEVELS[event.deep_get('user', 'username')]
";
    Case {
        rules: rule("Severity: Medium\n", python),
        events: events(&[(1, "mallory"), (0, "eve"), (70, "mallory"), (71, "eve"), (140, "trent"), (141, "eve")]),
        findings: vec![
            json!({"severity": "critical", "count": 2}),
            json!({"severity": "informational", "count": 2}),
            json!({"severity": "medium", "count": 2}),
        ],
        problems: vec![],
    }
}

fn no_time() -> Case {
    let mut events = events(&[(0, "eve"), (1, "eve"), (2, "eve")]);
    for event in &mut events[..2] {
        event["requestReceivedTimestamp"] = Value::Null;
    }
    Case {
        rules: rule("Severity: Low\n", BY_USER),
        events,
        findings: vec![
            json!({"first_seen": null, "last_seen": null, "count": 2}),
            json!({"first_seen": "2026-01-02T00:02:00Z", "count": 1}),
        ],
        problems: vec![],
    }
}

fn evidence() -> Case {
    let started = |minute| {
        let mut event = event(minute, "eve");
        event["stage"] = json!("ResponseStarted");
        event
    };
    Case {
        rules: rule("Severity: Low\n", BY_USER),
        events: vec![started(0), event(0, "eve"), event(1, "eve"), event(1, "eve")],
        findings: vec![json!({"count": 3, "audit_ids": ["0000-eve", "0001-eve"], "audit_id_count": 2})],
        problems: vec![],
    }
}

fn summaries() -> Case {
    let yaml = "Severity: Low\nSummaryAttributes: ['user:username', user.groups, p_any_ip_addresses, verb, nothing]\n";
    Case {
        rules: rule(yaml, ALWAYS),
        events: events(&[(0, "eve"), (1, "mallory"), (2, "mallory")]),
        findings: vec![json!({"details": {"summary": {
            "user:username": {"mallory": 2, "eve": 1},
            "user.groups": {"a": 3, "b": 3},
            "p_any_ip_addresses": {"192.0.2.1": 3},
            "verb": {"list": 3},
            "nothing": {},
        }}})],
        problems: vec![],
    }
}

fn indicators() -> Case {
    let entity =
        |kind: &str, value: &str, role: &str| json!({"type": kind, "value": value, "role": role, "risk_score": null});
    let mut second = event(1, "mallory");
    second["p_any_domain_names"] = json!(["example.com"]);
    second["impersonatedUser"] = json!({"username": "root"});
    Case {
        rules: rule("Severity: Low\n", ALWAYS),
        events: vec![event(0, "eve"), second],
        findings: vec![json!({"entities": [
            entity("domain", "example.com", "threat"),
            entity("ip_address", "192.0.2.1", "threat"),
            entity("user", "eve", "risk"),
            entity("user", "mallory", "risk"),
            entity("user", "root", "risk"),
        ]})],
        problems: vec![],
    }
}

fn contexts() -> Case {
    let python = "
import datetime
CONTEXTS = {
    'fine': {'a': [1, 2.5, None, True, 'é'], 'b': (1, 2), 3: 'three'},
    'bytes': {'a': b'x'},
    'date': {'a': datetime.datetime(2026, 1, 2)},
    'endless': {'a': float('inf')},
}
def rule(event): return True
def title(event): return event.deep_get('user', 'username')
def alert_context(event): return CONTEXTS[event.deep_get('user', 'username')]
";
    Case {
        rules: rule("Severity: Low\n", python),
        events: events(&[(0, "fine"), (1, "bytes"), (2, "date"), (3, "endless")]),
        findings: vec![
            json!({"title": "fine", "fields": {"a": [1, 2.5, null, true, "é"], "b": [1, 2], "3": "three"}}),
            json!({"title": "bytes", "fields": {}}),
            json!({"title": "date", "fields": {}}),
            json!({"title": "endless", "fields": {"a": "inf"}}),
        ],
        problems: vec!["`alert_context` raised TypeError: Object of type bytes is not JSON serializable"],
    }
}

fn variables() -> Case {
    let python = "
def rule(event):
    global USER
    USER = event.deep_get('user', 'username')
    return True
def title(event): return USER
";
    Case {
        rules: rule("Severity: Low\n", python),
        events: events(&[(0, "eve"), (1, "mallory")]),
        findings: vec![json!({"title": "eve"}), json!({"title": "mallory"})],
        problems: vec![],
    }
}

/// One rule of each kind, all in one scan; those in between and after see every event.
fn runaways() -> Case {
    let rules = [
        ("a_good", ALWAYS),
        ("b_loops", "def rule(event):\n    while True:\n        pass\n"),
        ("c_backtracks", "import re\ndef rule(event):\n    return re.match('(a+)+b', 'a' * 50)\n"),
        ("d_eats", "def rule(event):\n    return len('x' * (1 << 40)) > 0\n"),
        ("e_native", "def rule(event):\n    return sum(range(10 ** 12)) > 0\n"),
        ("f_good", ALWAYS),
        ("g_recurses", "def rule(event):\n    return rule(event)\n"),
        ("h_opens", "def rule(event):\n    return open('/etc/passwd').read() != ''\n"),
        ("i_connects", "import socket\ndef rule(event):\n    return True\n"),
        ("j_starts", "import subprocess\ndef rule(event):\n    return True\n"),
        ("k_runs", "import os\ndef rule(event):\n    return os.system('true') == 0\n"),
        ("l_leaves", "def rule(event):\n    raise SystemExit\n"),
        ("m_good", ALWAYS),
    ];
    let good = |name: &str| json!({"rule": {"id": name}, "count": 3});
    Case {
        rules: rules.map(|(name, python)| Rule { name, yaml: "Severity: Low\n", python }).into(),
        events: events(&[(0, "eve"), (1, "mallory"), (2, "trent")]),
        findings: vec![good("a_good"), good("f_good"), good("m_good")],
        problems: vec![
            "the rule was stopped at an event: it took longer than 800 ms",
            "the rule was stopped at an event: it took longer than 800 ms",
            "the rule was stopped at an event: it used more memory than 1024 MiB",
            "the rule was stopped at an event: it took longer than 800 ms",
            "`rule` raised RecursionError",
            "`rule` raised PermissionError: open() is not available to scripts; 3 times at this line",
            "the rule cannot be loaded (ModuleNotFoundError: No module named 'socket')",
            "the rule cannot be loaded (ModuleNotFoundError: No module named 'subprocess')",
            "`rule` raised AttributeError: module 'os' has no attribute 'system'; 3 times at this line",
            "the rule raised SystemExit",
        ],
    }
}
