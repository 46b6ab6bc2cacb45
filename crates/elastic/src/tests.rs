//! Conditions of every language over events.

use masthead_ir::eval::{self, Context, Row};
use masthead_ir::{Expr, FieldPath, Value};
use serde_json::{Value as Json, json};

use crate::eql::{self, Eql};
use crate::{kql, lucene};

/// An event as conditions see it.
struct Event(Json);

impl Row for Event {
    fn get(&self, field: &FieldPath) -> Value {
        let mut found = Vec::new();
        match field {
            FieldPath::Flat(name) if &**name == "_raw" => return Value::text(self.0.to_string()),
            FieldPath::Flat(name) => walk(&self.0, &name.replace("{}", ""), &mut found),
            FieldPath::Dotted(name) => walk(&self.0, name, &mut found),
            FieldPath::Keys(_) => {}
        }
        Value::list(found)
    }
}

fn walk(at: &Json, name: &str, found: &mut Vec<Value>) {
    match at {
        Json::Array(items) => items.iter().for_each(|item| walk(item, name, found)),
        Json::Object(members) => {
            for (key, value) in members {
                match name.strip_prefix(key.as_str()) {
                    Some("") => leaf(value, found),
                    Some(rest) if rest.starts_with('.') => walk(value, &rest[1..], found),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

fn leaf(value: &Json, found: &mut Vec<Value>) {
    match value {
        Json::Array(items) => items.iter().for_each(|item| leaf(item, found)),
        Json::String(text) => found.push(Value::text(text)),
        Json::Null | Json::Object(_) => {}
        other => found.push(Value::text(other.to_string())),
    }
}

fn event() -> Event {
    Event(json!({
        "auditID": "a1", "verb": "create", "stage": "ResponseComplete", "level": "RequestResponse",
        "requestURI": "/api/v1/namespaces/web/pods",
        "user": {"username": "system:serviceaccount:web:deployer", "groups": ["system:authenticated", "system:serviceaccounts"]},
        "sourceIPs": ["10.1.2.3"], "userAgent": "kubectl/v1.36",
        "objectRef": {"resource": "pods", "namespace": "web", "name": "p-1"},
        "responseStatus": {"code": 201},
        "annotations": {"authorization.k8s.io/decision": "allow"},
        "requestObject": {"spec": {"hostIPC": true, "containers": [
            {"image": "nginx:1", "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}, {"image": "busybox"}]}},
    }))
}

fn holds(expr: &Expr) -> Option<bool> {
    eval::truth(expr, &event(), &Context::default())
}

#[test]
fn kql_conditions_hold_as_documented() {
    for (query, expected) in [
        ("data_stream.dataset:\"kubernetes.audit_logs\" and kubernetes.audit.verb:create", true),
        ("data_stream.dataset:other", false),
        ("kubernetes.audit.verb:CREATE", false),
        ("event.action:(get or list)", false),
        ("event.action:(get or create) and user.name:system\\:serviceaccount\\:*", true),
        ("user.name:(* and not system\\:serviceaccount\\:web\\:*)", false),
        ("not user.name:*", false),
        ("kubernetes.audit.impersonatedUser.username:*", false),
        ("kubernetes.audit.user.groups:\"system:serviceaccounts\"", true),
        ("not kubernetes.audit.user.groups:\"system:masters\"", true),
        ("kubernetes.audit.requestObject.spec.hostIPC:true", true),
        (
            "kubernetes.audit.requestObject.spec.containers.securityContext.capabilities.add:(\"BPF\" or \"SYS_ADMIN\")",
            true,
        ),
        ("kubernetes.audit.requestObject.spec.containers.image:(busy* and nginx\\:1)", true),
        ("kubernetes.audit.annotations.authorization_k8s_io/decision:\"allow\"", true),
        ("event.outcome:success", true),
        ("kubernetes.audit.responseStatus.code >= 200 and kubernetes.audit.responseStatus.code < 300", true),
        ("source.ip:(* and not (\"::1\" or \"127.0.0.1\"))", true),
        ("process.name:*", false),
        ("not process.name:*", true),
        ("busybox", true),
        ("", true),
        ("kubernetes.audit.verb: get or kubernetes.audit.verb: create and not kubernetes.audit.stage: Panic", true),
    ] {
        let expr = kql::compile(query).unwrap_or_else(|problem| panic!("{query}: {problem:?}"));
        assert_eq!(holds(&expr), Some(expected), "{query}");
    }
}

#[test]
fn lucene_conditions_hold_as_documented() {
    for (query, expected) in [
        ("event.action:create", true),
        ("event.action:create AND kubernetes.audit.objectRef.resource:secrets", false),
        ("event.action:get kubernetes.audit.objectRef.resource:pods", true),
        ("event.action:create NOT kubernetes.audit.objectRef.resource:pods", false),
        ("+event.action:create -user.name:alice", true),
        ("kubernetes.audit.objectRef.resource:(pods OR secrets) AND _exists_:source.ip", true),
        ("user.name:system\\:serviceaccount\\:*", true),
        ("user.name:/system:.*deployer/", true),
        ("user.name:/deployer/", false),
        ("kubernetes.audit.responseStatus.code:[200 TO 299]", true),
        ("kubernetes.audit.responseStatus.code:{201 TO *]", false),
        ("kubernetes.audit.responseStatus.code:>200", true),
        ("kubernetes.audit.annotations.authorization_k8s_io/decision:allow", true),
        ("user_agent.original:kube?tl*", true),
    ] {
        let expr = lucene::compile(query).unwrap_or_else(|problem| panic!("{query}: {problem:?}"));
        assert_eq!(holds(&expr), Some(expected), "{query}");
    }
}

#[test]
fn eql_conditions_hold_as_documented() {
    for (query, expected) in [
        ("any where kubernetes.audit.verb == \"create\"", true),
        ("any where kubernetes.audit.verb == \"CREATE\"", false),
        ("any where kubernetes.audit.verb : \"CREA*\"", true),
        ("any where kubernetes.audit.verb in (\"get\", \"create\")", true),
        ("any where kubernetes.audit.verb not in (\"get\", \"create\")", false),
        ("any where kubernetes.audit.verb in~ (\"CREATE\")", true),
        ("any where kubernetes.audit.objectRef.name like (\"q-*\", \"p-?\")", true),
        ("any where kubernetes.audit.objectRef.name like~ \"P-*\"", true),
        ("any where kubernetes.audit.objectRef.name regex \"p-[0-9]+\"", true),
        ("any where `kubernetes.audit.annotations.authorization_k8s_io/decision` == \"allow\"", true),
        ("any where kubernetes.audit.annotations.authorization_k8s_io/decision == \"allow\"", true),
        ("any where kubernetes.audit.impersonatedUser.username == null", true),
        ("any where ?kubernetes.audit.impersonatedUser.username != null", false),
        ("any where kubernetes.audit.impersonatedUser.username != \"x\"", true),
        ("any where not kubernetes.audit.user.groups == \"system:masters\"", true),
        ("any where kubernetes.audit.responseStatus.code >= 200 and 300 > kubernetes.audit.responseStatus.code", true),
        ("any where startsWith(user.name, \"system:\") and endsWith~(user.name, \"DEPLOYER\")", true),
        ("any where stringContains(user.name, \"nobody\")", false),
        ("any where cidrMatch(source.ip, \"10.0.0.0/8\", \"192.168.0.0/16\")", true),
        ("any where length(kubernetes.audit.verb) == 6", true),
        ("any where length(process.name) > 0", false),
        (
            "any where concat(kubernetes.audit.verb, \"-\", kubernetes.audit.objectRef.resource) == \"create-pods\"",
            true,
        ),
        ("any where substring(kubernetes.audit.verb, 0, 3) == \"cre\"", true),
        ("process where true", false),
        ("any where /* why */ true // end", true),
    ] {
        let Eql::Event(expr) = eql::compile(query).unwrap_or_else(|problem| panic!("{query}: {problem:?}")) else {
            panic!("{query}: one event")
        };
        assert_eq!(holds(&expr), Some(expected), "{query}");
    }
}

#[test]
fn eql_sequences_have_steps_spans_and_ends() {
    let query = "sequence by user.name with maxspan=5m [any where kubernetes.audit.verb == \"get\"] by source.ip with runs=2 \
                 [any where kubernetes.audit.verb == \"create\"] by source.ip until [any where kubernetes.audit.verb == \"delete\"]";
    let Eql::Sequence(sequence) = eql::compile(query).unwrap() else { panic!("a sequence") };
    assert_eq!((sequence.steps.len(), sequence.maxspan, sequence.ordered), (3, Some(300_000_000), true));
    assert_eq!(sequence.steps[2].1, ["user.name", "source.ip"]);
    assert!(sequence.until.is_some());
}

#[test]
fn faults_have_a_place_and_a_way_out() {
    for (query, at, message) in [
        ("any where a ==", 14, "a field or value is missing here"),
        ("any whre a", 4, "`where` is missing here"),
        ("any where a in (\"x\"", 19, "`)` is missing here"),
        ("any where startsWit(a, \"x\")", 10, "the function `startsWit` cannot be run here"),
        ("sequence [any where true]", 25, "a sequence has at least two events"),
        ("any where a == \"x", 15, "this text is not closed"),
    ] {
        let problem = eql::compile(query).unwrap_err();
        assert_eq!((problem.range.start, problem.message.as_str()), (at, message), "{query}");
    }
    for (query, at) in [("a:(b or", 7), ("a:\"b", 2), ("a:b)", 3), ("a:", 2)] {
        assert_eq!(kql::compile(query).unwrap_err().range.start, at, "{query}");
    }
    assert!(lucene::compile("a:b~2").unwrap_err().unsupported);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in "[a-z:*()\"\\\\ <>=~|/.\\[\\]{}`?!+-]{0,40}") {
        let _ = (kql::compile(&text), lucene::compile(&text), eql::compile(&format!("any where {text}")), eql::compile(&text));
    }
}
