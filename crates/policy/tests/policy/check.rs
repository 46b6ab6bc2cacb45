//! What a policy says of a request.

use masthead_policy::{Level, Policy, Request, Resource, Stage};
use serde_json::json;

use crate::{MIXED, policy, rules};

/// `user[,group…] verb target`, where a target is a path, or `group:namespace/resource[/sub] [name]`.
fn request(line: &str) -> Request {
    let parts: Vec<&str> = line.split(' ').collect();
    let mut who = parts[0].split(',');
    let user = who.next().filter(|user| *user != "-").map(str::to_owned);
    let groups = who.map(str::to_owned).collect();
    let (resource, path) = match parts[2].split_once(':') {
        None => (None, parts[2].to_owned()),
        Some((group, rest)) => {
            let names: Vec<&str> = rest.split('/').collect();
            let part = |at: usize| names.get(at).copied().unwrap_or_default().to_owned();
            let name = parts.get(3).copied().unwrap_or_default().to_owned();
            let resource =
                Resource { group: group.to_owned(), namespace: part(0), resource: part(1), subresource: part(2), name };
            (Some(resource), String::new())
        }
    };
    Request { user, groups, verb: parts[1].to_owned(), resource, path }
}

fn check(policy: &Policy, table: &[(&str, Level, Option<usize>)]) {
    for (line, level, rule) in table {
        let decision = policy.level(&request(line));
        assert_eq!((decision.level, decision.rule), (*level, *rule), "{line}");
    }
}

/// The shapes that the Kubernetes documentation explains.
const TASK: &str = r#"
  - level: RequestResponse
    resources: [{group: "", resources: [pods]}]
  - level: Metadata
    resources: [{group: "", resources: [pods/log, pods/status]}]
  - level: None
    resources: [{group: "", resources: [configmaps], resourceNames: [leader]}]
  - level: None
    users: ["system:kube-proxy"]
    verbs: [watch]
    resources: [{group: "", resources: [endpoints, services]}]
  - level: None
    userGroups: ["system:authenticated"]
    nonResourceURLs: ["/api*", "/version"]
  - level: Request
    resources: [{group: "", resources: [configmaps]}]
    namespaces: [kube-system]
  - level: Metadata
    resources: [{group: "", resources: [secrets, configmaps]}]
  - level: Request
    resources: [{group: ""}, {group: extensions}]
"#;

#[test]
fn the_first_rule_that_matches_decides() {
    use Level::{Metadata, None as Nothing, Request as Body, RequestResponse as Both};
    let table = [
        ("jane create :a/pods x", Both, Some(0)),
        // What is under a resource is no part of it.
        ("jane get :a/pods/log x", Metadata, Some(1)),
        ("jane create :a/pods/exec x", Body, Some(7)),
        ("jane update :a/configmaps leader", Nothing, Some(2)),
        ("jane update :a/configmaps other", Metadata, Some(6)),
        ("jane update :kube-system/configmaps other", Body, Some(5)),
        ("jane list :/configmaps", Metadata, Some(6)),
        ("system:kube-proxy watch :a/services", Nothing, Some(3)),
        ("system:kube-proxy list :a/services", Body, Some(7)),
        ("jane,system:authenticated get /apis/apps", Nothing, Some(4)),
        ("jane,system:authenticated get /version", Nothing, Some(4)),
        ("jane,system:authenticated get /version/x", Nothing, None),
        ("jane get /version", Nothing, None),
        ("jane create apps:a/deployments x", Nothing, None),
        ("jane create extensions:a/ingresses x", Body, Some(7)),
    ];
    check(&rules(TASK), &table);
}

#[test]
fn resources_have_four_forms() {
    let policy = rules(
        r#"
  - {level: Request, resources: [{group: "", resources: ["pods/*"]}]}
  - {level: Metadata, resources: [{group: apps, resources: ["*/scale"]}]}
  - {level: RequestResponse, resources: [{group: batch, resources: ["*"]}]}
  - {level: Metadata, namespaces: [""]}
  - {level: Request, nonResourceURLs: ["*"]}
"#,
    );
    use Level::{Metadata, None as Nothing, Request as Body, RequestResponse as Both};
    let table = [
        ("jane get :a/pods", Body, Some(0)),
        ("jane get :a/pods/log x", Body, Some(0)),
        ("jane update apps:a/deployments/scale x", Metadata, Some(1)),
        ("jane update apps:a/deployments x", Nothing, None),
        ("jane create batch:a/jobs", Both, Some(2)),
        ("jane update batch:a/jobs/status x", Both, Some(2)),
        // What is in no namespace; a path is no resource.
        ("jane get :/nodes x", Metadata, Some(3)),
        ("jane list :/secrets", Metadata, Some(3)),
        ("jane get /metrics", Body, Some(4)),
    ];
    check(&policy, &table);
}

#[test]
fn users_are_named_plainly() {
    let policy =
        rules("  - {level: None, users: ['system:*']}\n  - {level: None, userGroups: [a, b]}\n  - {level: Metadata}\n");
    let table = [
        ("system:node:x get :a/pods", Level::Metadata, Some(2)),
        ("jane,c,b get :a/pods", Level::None, Some(1)),
        ("- get :a/pods", Level::Metadata, Some(2)),
    ];
    check(&policy, &table);
    assert_eq!(policy.warnings.len(), 1);
}

#[test]
fn stages_and_managed_fields_come_from_policy_and_rule() {
    let policy = policy(
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nomitManagedFields: true\nrules:\n\
         - {level: Metadata, verbs: [watch], omitStages: [ResponseStarted, RequestReceived], omitManagedFields: false}\n\
         - {level: Request, verbs: [get]}\n",
    );
    let watch = policy.level(&request("jane watch :a/pods"));
    assert_eq!(watch.omit_stages, [Stage::RequestReceived, Stage::ResponseStarted]);
    assert!(!watch.omit_managed_fields && watch.logs(Stage::ResponseComplete));
    let get = policy.level(&request("jane get :a/pods"));
    assert!(get.omit_managed_fields && get.logs(Stage::ResponseStarted) && !get.logs(Stage::RequestReceived));
    assert!(!policy.level(&request("jane list :a/pods")).logs(Stage::ResponseComplete));
}

#[test]
fn levels_say_which_fields_they_keep() {
    for (field, level) in [
        ("requestObject.spec.containers{}.image", Level::Request),
        ("responseObject", Level::RequestResponse),
        ("responseStatus.code", Level::Metadata),
        ("annotations.authorization.k8s.io/decision", Level::Metadata),
        ("requestObjects", Level::Metadata),
    ] {
        assert_eq!(Level::of_field(field), level, "{field}");
        assert!(level.keeps(field) && Level::RequestResponse.keeps(field) && !Level::None.keeps(field));
    }
}

#[test]
fn an_event_tells_its_request() {
    let event = json!({
        "verb": "create",
        "user": {"username": "jane", "groups": ["dev"]},
        "impersonatedUser": {"username": "admin"},
        "objectRef": {"resource": "pods", "namespace": "a", "name": "x", "subresource": "exec", "apiVersion": "v1"},
        "requestURI": "/api/v1/namespaces/a/pods/x/exec?command=sh",
    });
    let expected =
        Request { path: "/api/v1/namespaces/a/pods/x/exec".into(), ..request("jane,dev create :a/pods/exec x") };
    assert_eq!(Request::from_audit(&event), Some(expected));
    let unknown = json!({"verb": "get", "user": {}, "requestURI": "/version?timeout=5s"});
    assert_eq!(Request::from_audit(&unknown), Some(request("- get /version")));
    assert_eq!(Request::from_audit(&json!({"kind": "Event"})), None);
    assert_eq!(policy(MIXED).level(&Request::from_audit(&event).unwrap()).level, Level::RequestResponse);
}
