//! The policy that conditions need.

use masthead_ir::expr::Expr;
use masthead_ir::pattern::{Differs, Pattern};
use masthead_policy::{SuggestedPolicy, Verdict, blind, suggest};
use masthead_schema::field;
use proptest::prelude::*;

use crate::{and, glob, has, is, not, one_of, or, test};

fn suggested(rules: &[(&str, Expr)]) -> SuggestedPolicy {
    let rules: Vec<(&str, &Expr)> = rules.iter().map(|(name, condition)| (*name, condition)).collect();
    suggest(&rules)
}

/// The text, once everything that can fire is seen to.
fn shown(rules: &[(&str, Expr)]) -> String {
    let suggestion = suggested(rules);
    let policy = suggestion.policy.as_ref().expect("it can be read");
    assert_eq!(policy.warnings, []);
    for (name, condition) in rules {
        if !suggestion.impossible.iter().any(|(rule, _)| rule == name) {
            assert_eq!(blind(policy, condition), Verdict::Sees, "{name}\n{}", suggestion.text);
        }
    }
    suggestion.text
}

fn named() -> Vec<(&'static str, Expr)> {
    vec![
        ("secrets-read", and([is("objectRef.resource", "secrets"), one_of("verb", &["get", "list"])])),
        (
            "privileged-pod",
            and([
                is("objectRef.resource", "pods"),
                one_of("verb", &["create", "update", "patch"]),
                is("requestObject.spec.containers.securityContext.privileged", "true"),
            ]),
        ),
        ("pod-created", and([is("objectRef.resource", "pods"), is("verb", "create")])),
        ("exec", and([is("objectRef.resource", "pods"), is("objectRef.subresource", "exec")])),
        ("exec-by-path", test("requestURI", glob("*/exec?command=*"))),
        ("token", and([is("objectRef.subresource", "token"), has("responseObject.status")])),
        (
            "admin-binding",
            and([
                one_of("objectRef.resource", &["clusterrolebindings", "rolebindings"]),
                is("verb", "create"),
                is("requestObject.roleRef.name", "cluster-admin"),
            ]),
        ),
        (
            "deployments",
            and([is("objectRef.resource", "deployments"), not(is("verb", "get")), not(is("verb", "list"))]),
        ),
        ("api-docs", test("requestURI", glob("/openapi*"))),
        ("impersonate", is("verb", "impersonate")),
    ]
}

#[test]
fn only_what_is_named_is_logged() {
    insta::assert_snapshot!(shown(&named()));
}

#[test]
fn rules_about_anything_take_noise_away_in_front() {
    let mut rules = named();
    rules.push(("forbidden", is("responseStatus.code", "403")));
    rules.push(("widgets", and([is("objectRef.resource", "widgets"), has("requestObject.spec")])));
    insta::assert_snapshot!(shown(&rules));
}

#[test]
fn bodies_of_anything_leave_credentials_out() {
    let rules = vec![
        ("host-path", and([one_of("verb", &["create", "patch"]), has("requestObject.spec.volumes.hostPath")])),
        ("secret-made", and([is("objectRef.resource", "secrets"), is("verb", "create")])),
        ("secret-type", and([is("objectRef.resource", "secrets"), is("verb", "patch"), has("requestObject.type")])),
    ];
    insta::assert_snapshot!(shown(&rules));
}

#[test]
fn users_that_are_named_stand_alone() {
    let rules = vec![
        ("anonymous", is("user.username", "system:anonymous")),
        ("masters", and([is("user.groups", "system:masters"), not(is("verb", "watch"))])),
    ];
    insta::assert_snapshot!(shown(&rules));
}

#[test]
fn rules_about_other_logs_need_nothing() {
    let falco = and([is("priority", "Critical"), is("output_fields.proc.name", "bash")]);
    let either = or([falco.clone(), is("objectRef.resource", "secrets")]);
    let rules = [("falco", falco), ("either", either), ("indexed", and([is("index", "k8s"), is("verb", "delete")]))];
    let suggestion = suggested(&rules);
    assert_eq!(suggestion.elsewhere, [("falco".to_owned(), "priority".to_owned())]);
    insta::assert_snapshot!(shown(&rules));
}

#[test]
fn a_stage_that_is_asked_for_is_kept() {
    let text = shown(&[("received", and([is("stage", "RequestReceived"), is("objectRef.resource", "pods")]))]);
    assert!(!text.contains("omitStages"), "{text}");
}

#[test]
fn no_conditions_need_nothing() {
    insta::assert_snapshot!(shown(&[]));
}

#[test]
fn names_of_rules_stay_in_their_comments() {
    let text = shown(&[("a\nrules: []\u{2028}x", is("objectRef.resource", "pods"))]);
    assert!(text.contains("# Needed by a rules: [] x."), "{text}");
}

fn values(name: &'static str) -> &'static [&'static str] {
    match name {
        "verb" => &["get", "list", "watch", "create", "patch", "delete", "deletecollection", "impersonate"],
        "objectRef.resource" => &["pods", "secrets", "leases", "events", "nodes", "roles", "widgets", "configmaps"],
        "objectRef.subresource" => &["exec", "token", "status", "log"],
        "objectRef.apiGroup" => &["apps", "rbac.authorization.k8s.io", "example.com"],
        "objectRef.namespace" => &["kube-system", "prod"],
        "user.username" => &["system:anonymous", "jane", "system:node:n1", "system:serviceaccount:a:b"],
        "user.groups" => &["system:masters", "system:nodes", "devs"],
        "requestURI" => &["/healthz", "/api/v1/secrets", "/version", "/openapi/v2", "/x"],
        "stage" => &["RequestReceived", "ResponseComplete", "ResponseStarted", "Panic"],
        "responseStatus.code" => &["401", "403", "200"],
        _ => &["x"],
    }
}

const FIELDS: &[&str] = &[
    "verb",
    "objectRef.resource",
    "objectRef.subresource",
    "objectRef.apiGroup",
    "objectRef.namespace",
    "objectRef.name",
    "user.username",
    "user.groups",
    "requestURI",
    "stage",
    "responseStatus.code",
    "requestObject.spec.hostPID",
    "responseObject.kind",
    "userAgent",
    "proc.name",
];

fn leaf() -> impl Strategy<Value = Expr> {
    (prop::sample::select(FIELDS), 0usize..8, 0u8..8).prop_map(|(name, at, how)| {
        let value = values(name)[at % values(name).len()];
        match how {
            0 => has(name),
            1 => test(name, glob(&format!("{}*", &value[..value.len() - 1]))),
            2 => test(name, Pattern::Regex(format!("^{value}"))),
            3 => Expr::Differs { field: field(name), pattern: crate::text(value), rule: Differs::EveryValue },
            4 => one_of(name, &[value, values(name)[(at + 1) % values(name).len()]]),
            _ => is(name, value),
        }
    })
}

fn condition() -> impl Strategy<Value = Expr> {
    leaf().prop_recursive(3, 14, 4, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(Expr::And),
            2 => prop::collection::vec(inner.clone(), 1..4).prop_map(Expr::Or),
            1 => inner.clone().prop_map(not),
            1 => (inner.clone(), inner).prop_map(|(one, other)| Expr::Xor(Box::new(one), Box::new(other))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn under_its_policy_every_rule_can_fire(conditions in prop::collection::vec(condition(), 0..6)) {
        let names: Vec<String> = (0..conditions.len()).map(|at| format!("rule-{at}")).collect();
        let rules: Vec<(&str, &Expr)> = names.iter().map(String::as_str).zip(&conditions).collect();
        let suggestion = suggest(&rules);
        let policy = suggestion.policy.as_ref().expect("it can be read");
        for (name, condition) in rules {
            let verdict = blind(policy, condition);
            if suggestion.impossible.iter().any(|(rule, _)| rule == name) {
                prop_assert!(matches!(verdict, Verdict::Blind(_)), "{}: {:?}\n{}", name, verdict, suggestion.text);
            } else if !suggestion.unknown.iter().any(|rule| rule == name) {
                prop_assert_eq!(verdict, Verdict::Sees, "{} {:?}\n{}", name, condition, suggestion.text);
            }
        }
    }

    #[test]
    fn more_rules_never_take_from_others(one in condition(), other in condition()) {
        let alone = suggest(&[("one", &one)]);
        let both = suggest(&[("one", &one), ("other", &other)]);
        prop_assert_eq!(alone.impossible.is_empty(), !both.impossible.iter().any(|(rule, _)| rule == "one"));
        prop_assert_eq!(suggest(&[("one", &one)]), alone);
    }
}
