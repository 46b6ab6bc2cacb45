//! Audit events as the attacks make them, with what matters for finding them.

use serde_json::{Value as Json, json};

/// What an event is about.
struct Request<'r> {
    verb: &'r str,
    uri: &'r str,
    resource: &'r str,
    subresource: Option<&'r str>,
    group: &'r str,
    namespace: Option<&'r str>,
    name: Option<&'r str>,
    code: u16,
    body: Option<Json>,
}

impl Default for Request<'_> {
    fn default() -> Self {
        Request {
            verb: "create",
            uri: "",
            resource: "",
            subresource: None,
            group: "",
            namespace: None,
            name: None,
            code: 201,
            body: None,
        }
    }
}

/// An event of a person with the rights of an administrator, who uses the tool from outside.
fn event(request: Request<'_>) -> Json {
    let mut object = json!({"resource": request.resource, "apiVersion": "v1"});
    let optional = [
        ("subresource", request.subresource),
        ("namespace", request.namespace),
        ("name", request.name),
        ("apiGroup", Some(request.group).filter(|group| !group.is_empty())),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            object[key] = json!(value);
        }
    }
    let mut event = json!({
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Request",
        "auditID": "3f0a4c1e-6f0b-4d7c-9d1a-0b6f2f3f9a11",
        "stage": if request.code == 101 { "ResponseStarted" } else { "ResponseComplete" },
        "requestURI": request.uri,
        "verb": request.verb,
        "user": {"username": "jo", "groups": ["platform", "system:authenticated"]},
        "sourceIPs": ["198.51.100.23"],
        "userAgent": "stratus-red-team_5b8a2f8e-8a58-4c3b-9f0e-0c2c9f2f7a10",
        "objectRef": object,
        "responseStatus": {"metadata": {}, "code": request.code},
        "requestReceivedTimestamp": "2026-01-01T12:00:00.000000Z",
        "stageTimestamp": "2026-01-01T12:00:00.004000Z",
        "annotations": {
            "authorization.k8s.io/decision": "allow",
            "authorization.k8s.io/reason":
                "RBAC: allowed by ClusterRoleBinding \"platform\" of ClusterRole \"cluster-admin\" to Group \"platform\"",
        },
    });
    if let Some(body) = request.body {
        event["requestObject"] = body;
    }
    event
}

pub(super) fn dump_secrets() -> Vec<Json> {
    let uri = "/api/v1/secrets?limit=1000";
    vec![event(Request { verb: "list", uri, resource: "secrets", code: 200, ..Request::default() })]
}

pub(super) fn steal_token() -> Vec<Json> {
    let uri = "/api/v1/namespaces/stratus/pods/stratus-pod/exec?command=cat\
        &command=%2Fvar%2Frun%2Fsecrets%2Fkubernetes.io%2Fserviceaccount%2Ftoken&stderr=true&stdout=true";
    // SPDY asks with POST, WebSocket with GET.
    let of = |verb| {
        event(Request {
            verb,
            uri,
            resource: "pods",
            subresource: Some("exec"),
            namespace: Some("stratus"),
            name: Some("stratus-pod"),
            code: 101,
            ..Request::default()
        })
    };
    vec![of("create"), of("get")]
}

pub(super) fn create_admin_role() -> Vec<Json> {
    let group = "rbac.authorization.k8s.io";
    let name = Some("stratus-admin");
    let role = json!({
        "kind": "ClusterRole", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "stratus-admin"},
        "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    });
    let binding = json!({
        "kind": "ClusterRoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "stratus-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "stratus-admin", "namespace": "kube-system"}],
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "stratus-admin"},
    });
    let account = json!({
        "kind": "ServiceAccount", "apiVersion": "v1",
        "metadata": {"name": "stratus-admin", "namespace": "kube-system"},
    });
    let of =
        |uri, resource, body| event(Request { uri, resource, group, name, body: Some(body), ..Request::default() });
    vec![
        of("/apis/rbac.authorization.k8s.io/v1/clusterroles", "clusterroles", role),
        of("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", "clusterrolebindings", binding),
        event(Request {
            uri: "/api/v1/namespaces/kube-system/serviceaccounts",
            resource: "serviceaccounts",
            namespace: Some("kube-system"),
            name,
            body: Some(account),
            ..Request::default()
        }),
    ]
}

pub(super) fn create_certificate() -> Vec<Json> {
    let group = "certificates.k8s.io";
    let name = Some("stratus-red-team-csr");
    let spec = json!({
        "request": "LS0tLS1CRUdJTg==", "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"],
        "username": "jo", "groups": ["platform", "system:authenticated"],
    });
    let request = json!({
        "kind": "CertificateSigningRequest", "apiVersion": "certificates.k8s.io/v1",
        "metadata": {"name": "stratus-red-team-csr"}, "spec": spec, "status": {},
    });
    let mut approval = request.clone();
    approval["status"] = json!({"conditions": [{"type": "Approved", "status": "True"}]});
    let uri = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    let approve = format!("{uri}/stratus-red-team-csr/approval");
    let resource = "certificatesigningrequests";
    vec![
        event(Request { uri, resource, group, name, body: Some(request), ..Request::default() }),
        event(Request {
            verb: "update",
            uri: &approve,
            resource,
            subresource: Some("approval"),
            group,
            name,
            code: 200,
            body: Some(approval),
            ..Request::default()
        }),
    ]
}

pub(super) fn create_token() -> Vec<Json> {
    let body = json!({
        "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
        "spec": {"audiences": null, "expirationSeconds": 31_536_000, "boundObjectRef": null},
    });
    vec![event(Request {
        uri: "/api/v1/namespaces/kube-system/serviceaccounts/clusterrole-aggregation-controller/token",
        resource: "serviceaccounts",
        subresource: Some("token"),
        namespace: Some("kube-system"),
        name: Some("clusterrole-aggregation-controller"),
        body: Some(body),
        ..Request::default()
    })]
}

/// A new pod.
fn pod(spec: Json) -> Vec<Json> {
    let body = json!({
        "kind": "Pod", "apiVersion": "v1", "metadata": {"name": "stratus-pod", "namespace": "stratus"}, "spec": spec,
    });
    vec![event(Request {
        uri: "/api/v1/namespaces/stratus/pods",
        resource: "pods",
        namespace: Some("stratus"),
        name: Some("stratus-pod"),
        body: Some(body),
        ..Request::default()
    })]
}

pub(super) fn host_path() -> Vec<Json> {
    pod(json!({
        "containers": [{
            "name": "main", "image": "busybox:stable", "command": ["sh", "-c", "while true; do sleep 3600; done"],
            "volumeMounts": [{"name": "root", "mountPath": "/host-root"}],
        }],
        "volumes": [{"name": "root", "hostPath": {"path": "/", "type": "Directory"}}],
    }))
}

pub(super) fn privileged_pod() -> Vec<Json> {
    pod(json!({
        "containers": [{
            "name": "main", "image": "busybox:stable", "command": ["sh", "-c", "while true; do sleep 3600; done"],
            "securityContext": {"privileged": true},
        }],
    }))
}

pub(super) fn nodes_proxy() -> Vec<Json> {
    vec![event(Request {
        verb: "get",
        uri: "/api/v1/nodes/ip-10-0-1-10.ec2.internal/proxy/runningpods/",
        resource: "nodes",
        subresource: Some("proxy"),
        name: Some("ip-10-0-1-10.ec2.internal"),
        code: 200,
        ..Request::default()
    })]
}

pub(super) fn backdoor_aws_auth() -> Vec<Json> {
    let roles = "- groups:\n  - system:masters\n  rolearn: arn:aws:iam::123456789012:role/stratus-eks-role\n  username: backdoor\n";
    let body = json!({
        "kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "aws-auth", "namespace": "kube-system"},
        "data": {"mapRoles": roles},
    });
    vec![event(Request {
        verb: "update",
        uri: "/api/v1/namespaces/kube-system/configmaps/aws-auth",
        resource: "configmaps",
        namespace: Some("kube-system"),
        name: Some("aws-auth"),
        code: 200,
        body: Some(body),
        ..Request::default()
    })]
}
