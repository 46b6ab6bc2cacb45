//! Verbs and resources of the API server: what requests can be about.
//!
//! Source: Kubernetes API reference, and "API Concepts" for the verbs. Aggregated and custom APIs can have more.

/// The verbs of requests for resources.
pub const VERBS: &[&str] = &["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

/// The verbs of requests for other paths: the methods of HTTP in lower case.
pub const HTTP_VERBS: &[&str] = &["get", "head", "post", "put", "patch", "delete", "options", "connect", "trace"];

/// Verbs whose requests have a body.
pub(crate) const WRITES: &[&str] = &["create", "update", "patch", "delete", "deletecollection"];

/// Subresources that hold a connection open. Clients ask for them with `get` (WebSocket) or `create` (SPDY).
pub(crate) const STREAMS: &[&str] = &["exec", "attach", "portforward"];

/// A resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its API group; empty for the core group.
    pub group: &'static str,
    /// Its name.
    pub resource: &'static str,
    /// Whether it lives in namespaces.
    pub namespaced: bool,
    /// What is under it.
    pub subresources: &'static [&'static str],
}

const fn namespaced(group: &'static str, resource: &'static str, subresources: &'static [&'static str]) -> Known {
    Known { group, resource, namespaced: true, subresources }
}

const fn cluster(group: &'static str, resource: &'static str, subresources: &'static [&'static str]) -> Known {
    Known { group, resource, namespaced: false, subresources }
}

const STATUS: &[&str] = &["status"];
const SCALE: &[&str] = &["scale", "status"];
const POD: &[&str] = &[
    "attach",
    "binding",
    "ephemeralcontainers",
    "eviction",
    "exec",
    "log",
    "portforward",
    "proxy",
    "resize",
    "status",
];

/// The resources of a common cluster.
pub const RESOURCES: &[Known] = &[
    namespaced("", "pods", POD),
    namespaced("", "secrets", &[]),
    namespaced("", "configmaps", &[]),
    namespaced("", "serviceaccounts", &["token"]),
    namespaced("", "services", &["proxy", "status"]),
    cluster("", "namespaces", &["finalize", "status"]),
    cluster("", "nodes", &["proxy", "status"]),
    namespaced("", "endpoints", &[]),
    namespaced("", "events", &[]),
    namespaced("", "bindings", &[]),
    cluster("", "componentstatuses", &[]),
    namespaced("", "limitranges", &[]),
    namespaced("", "persistentvolumeclaims", STATUS),
    cluster("", "persistentvolumes", STATUS),
    namespaced("", "podtemplates", &[]),
    namespaced("", "replicationcontrollers", SCALE),
    namespaced("", "resourcequotas", STATUS),
    namespaced("apps", "deployments", SCALE),
    namespaced("apps", "daemonsets", STATUS),
    namespaced("apps", "statefulsets", SCALE),
    namespaced("apps", "replicasets", SCALE),
    namespaced("apps", "controllerrevisions", &[]),
    namespaced("batch", "jobs", STATUS),
    namespaced("batch", "cronjobs", STATUS),
    namespaced("rbac.authorization.k8s.io", "roles", &[]),
    namespaced("rbac.authorization.k8s.io", "rolebindings", &[]),
    cluster("rbac.authorization.k8s.io", "clusterroles", &[]),
    cluster("rbac.authorization.k8s.io", "clusterrolebindings", &[]),
    cluster("admissionregistration.k8s.io", "validatingwebhookconfigurations", &[]),
    cluster("admissionregistration.k8s.io", "mutatingwebhookconfigurations", &[]),
    cluster("admissionregistration.k8s.io", "validatingadmissionpolicies", STATUS),
    cluster("admissionregistration.k8s.io", "validatingadmissionpolicybindings", &[]),
    cluster("admissionregistration.k8s.io", "mutatingadmissionpolicies", &[]),
    cluster("admissionregistration.k8s.io", "mutatingadmissionpolicybindings", &[]),
    cluster("apiextensions.k8s.io", "customresourcedefinitions", STATUS),
    cluster("apiregistration.k8s.io", "apiservices", STATUS),
    cluster("authentication.k8s.io", "tokenreviews", &[]),
    cluster("authentication.k8s.io", "selfsubjectreviews", &[]),
    cluster("authorization.k8s.io", "subjectaccessreviews", &[]),
    cluster("authorization.k8s.io", "selfsubjectaccessreviews", &[]),
    cluster("authorization.k8s.io", "selfsubjectrulesreviews", &[]),
    namespaced("authorization.k8s.io", "localsubjectaccessreviews", &[]),
    namespaced("autoscaling", "horizontalpodautoscalers", STATUS),
    cluster("certificates.k8s.io", "certificatesigningrequests", &["approval", "status"]),
    cluster("certificates.k8s.io", "clustertrustbundles", &[]),
    namespaced("coordination.k8s.io", "leases", &[]),
    namespaced("discovery.k8s.io", "endpointslices", &[]),
    namespaced("events.k8s.io", "events", &[]),
    cluster("flowcontrol.apiserver.k8s.io", "flowschemas", STATUS),
    cluster("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", STATUS),
    cluster("metrics.k8s.io", "nodes", &[]),
    namespaced("metrics.k8s.io", "pods", &[]),
    namespaced("networking.k8s.io", "networkpolicies", &[]),
    namespaced("networking.k8s.io", "ingresses", STATUS),
    cluster("networking.k8s.io", "ingressclasses", &[]),
    cluster("networking.k8s.io", "ipaddresses", &[]),
    cluster("networking.k8s.io", "servicecidrs", STATUS),
    cluster("node.k8s.io", "runtimeclasses", &[]),
    namespaced("policy", "poddisruptionbudgets", STATUS),
    cluster("policy", "podsecuritypolicies", &[]),
    cluster("resource.k8s.io", "deviceclasses", &[]),
    namespaced("resource.k8s.io", "resourceclaims", STATUS),
    namespaced("resource.k8s.io", "resourceclaimtemplates", &[]),
    cluster("resource.k8s.io", "resourceslices", &[]),
    cluster("scheduling.k8s.io", "priorityclasses", &[]),
    cluster("storage.k8s.io", "storageclasses", &[]),
    cluster("storage.k8s.io", "volumeattachments", STATUS),
    cluster("storage.k8s.io", "csidrivers", &[]),
    cluster("storage.k8s.io", "csinodes", &[]),
    namespaced("storage.k8s.io", "csistoragecapacities", &[]),
];

/// Paths that are no resources.
pub(crate) const PATHS: &[&str] = &[
    "/api",
    "/apis",
    "/version",
    "/healthz",
    "/livez",
    "/readyz",
    "/openapi/v2",
    "/openapi/v3",
    "/metrics",
    "/logs",
    "/debug/pprof",
    "/swagger.json",
    "/.well-known/openid-configuration",
    "/openid/v1/jwks",
];

/// Groups whose resources share their name with one of another group and are seldom meant.
const ASIDE: &[&str] = &["metrics.k8s.io", "events.k8s.io"];

/// The groups that have a resource of this name.
pub(crate) fn groups_of(resource: &str) -> impl Iterator<Item = &'static str> {
    RESOURCES.iter().filter(move |known| known.resource == resource).map(|known| known.group)
}

/// The group that a rule means that names this resource and no group.
pub fn group_of(resource: &str) -> Option<&'static str> {
    groups_of(resource).find(|group| !ASIDE.contains(group))
}

/// Whether this is a group of Kubernetes itself.
pub(crate) fn is_group(group: &str) -> bool {
    RESOURCES.iter().any(|known| known.group == group)
}

/// Whether the resource lives in namespaces; none if it is not known.
pub(crate) fn is_namespaced(group: &str, resource: &str) -> Option<bool> {
    RESOURCES.iter().find(|known| known.group == group && known.resource == resource).map(|known| known.namespaced)
}

/// Whether an API group could have this name; the empty text is the core group (API server, `NameIsDNSSubdomain`).
pub(crate) fn is_group_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let label = |label: &str| {
        label.bytes().all(|byte| plain(byte) || byte == b'-')
            && label.bytes().next().is_some_and(plain)
            && label.bytes().last().is_some_and(plain)
    };
    name.is_empty() || name.split('.').all(label)
}
