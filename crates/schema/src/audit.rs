//! The audit Event of `audit.k8s.io/v1`: its fields, what they can hold, and at which level and stage they are there.
//!
//! Source: Kubernetes, "Audit" API reference and "Auditing"; the order of the API server's handlers says which fields are
//! not there yet when a request has only been received.

/// The name under which [`crate::types`] knows the Event.
pub const EVENT: &str = "AuditEvent";

/// The types of the Event in the form of `types.txt`.
pub(crate) const TYPES: &str = "\
AuditEvent annotations:s{} apiVersion:s auditID:s authenticationMetadata:AuditAuthentication impersonatedUser:AuditUser \
kind:s level:s objectRef:AuditObject requestObject:* requestReceivedTimestamp:t requestURI:s responseObject:* \
responseStatus:Status sourceIPs:s[] stage:s stageTimestamp:t user:AuditUser userAgent:s verb:s
AuditAuthentication impersonationConstraint:s
AuditObject apiGroup:s apiVersion:s name:s namespace:s resource:s resourceVersion:s subresource:s uid:s
AuditUser extra:s[]{} groups:s[] uid:s username:s";

/// How much of a request is logged, the least first. `None` logs nothing, so that no event has it.
pub const LEVELS: &[&str] = &["Metadata", "Request", "RequestResponse"];

/// When an event was made, in the order of a request.
pub const STAGES: &[&str] = &["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"];

/// The verbs of requests for resources.
pub const VERBS: &[&str] = &["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

/// The verbs of requests for other paths: the methods of HTTP in lower case. The first three are verbs of no resource.
pub const PATH_VERBS: &[&str] = &["post", "put", "head", "options", "connect", "trace", "get", "patch", "delete"];

/// What the annotation `authorization.k8s.io/decision` says.
pub const DECISIONS: &[&str] = &["allow", "forbid"];

/// Subresources that hold a connection open. Clients ask for them with `get` (WebSocket) or `create` (SPDY).
pub const STREAMS: &[&str] = &["exec", "attach", "portforward"];

/// Annotations that are made while a request passes authorization and admission. Any other key is possible too.
pub const LATE_ANNOTATIONS: &[&str] = &[
    "authorization.k8s.io/",
    "authorization_k8s_io/",
    "imagepolicywebhook.image-policy.k8s.io/",
    "mutation.webhook.admission.k8s.io/",
    "patch.webhook.admission.k8s.io/",
    "pod-security.kubernetes.io/",
    "podsecuritypolicy.policy.k8s.io/",
    "validation.policy.admission.k8s.io/",
];

/// Subresources of resources that every cluster has.
pub const SUBRESOURCES: &[(&str, &[&str])] = &[
    (
        "pods",
        &[
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
        ],
    ),
    ("secrets", &[]),
    ("configmaps", &[]),
    ("serviceaccounts", &["token"]),
    ("namespaces", &["finalize", "status"]),
    ("nodes", &["proxy", "status"]),
    ("roles", &[]),
    ("rolebindings", &[]),
    ("clusterroles", &[]),
    ("clusterrolebindings", &[]),
    ("deployments", &["scale", "status"]),
    ("statefulsets", &["scale", "status"]),
    ("replicasets", &["scale", "status"]),
    ("daemonsets", &["status"]),
    ("jobs", &["status"]),
    ("cronjobs", &["status"]),
    ("certificatesigningrequests", &["approval", "status"]),
];

/// Verbs of RBAC rules that no request has.
pub const RBAC_ONLY: &[&str] = &["approve", "bind", "escalate", "impersonate", "sign", "use"];

/// The values that a field can have; none if it is free.
pub fn values_of(field: &str) -> Option<Vec<&'static str>> {
    Some(match field {
        "level" => LEVELS.to_vec(),
        "stage" => STAGES.to_vec(),
        // The API server gives a method that it does not know for a resource an empty verb, and `proxy` to an old path.
        "verb" => VERBS.iter().chain(PATH_VERBS).chain(&["proxy", ""]).copied().collect(),
        "annotations.authorization.k8s.io/decision" | "annotations.authorization_k8s_io/decision" => DECISIONS.to_vec(),
        "responseStatus.status" => vec!["Success", "Failure"],
        _ => return None,
    })
}

/// The lowest level at which a field is there.
pub fn level_of(field: &str) -> &'static str {
    match root(field) {
        "requestObject" => "Request",
        "responseObject" => "RequestResponse",
        _ => "Metadata",
    }
}

/// Whether events of this level have the field.
pub fn has_at_level(field: &str, level: &str) -> bool {
    let rank = |name: &str| LEVELS.iter().position(|known| known.eq_ignore_ascii_case(name));
    rank(level).is_none_or(|rank_of_level| Some(rank_of_level) >= rank(level_of(field)))
}

/// Whether events of this stage can have the field.
pub fn has_at_stage(field: &str, stage: &str) -> bool {
    let late = |key: &str| LATE_ANNOTATIONS.iter().any(|known| key.starts_with(known));
    match (stage.to_ascii_lowercase().as_str(), root(field)) {
        ("requestreceived", "responseStatus" | "requestObject" | "responseObject" | "impersonatedUser") => false,
        ("requestreceived", "annotations") => !field.strip_prefix("annotations.").is_some_and(late),
        ("responsestarted", "responseObject") => false,
        _ => true,
    }
}

/// The first key of a path.
pub fn root(field: &str) -> &str {
    field.split('.').next().unwrap_or_default().trim_end_matches("{}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Shape, resolve};

    #[test]
    fn the_event_has_its_fields() {
        for name in crate::field::SCALARS.iter().chain(crate::field::LISTS) {
            let places = resolve(EVENT, name, false).unwrap();
            assert_eq!(places[0].several, crate::field::LISTS.contains(name), "{name}");
        }
        let code = resolve(EVENT, "responseStatus.code", false).unwrap();
        assert_eq!(code[0].shape, Shape::Integer);
        assert!(resolve(EVENT, "objectRef.kind", false).is_err());
    }

    #[test]
    fn levels_and_stages_hold_fields_back() {
        for (field, level, expected) in [
            ("verb", "Metadata", true),
            ("requestObject.spec", "Metadata", false),
            ("requestObject{}.op", "metadata", false),
            ("requestObject.spec", "Request", true),
            ("responseObject.x", "Request", false),
            ("responseObject.x", "RequestResponse", true),
            ("responseObject.x", "unknown", true),
        ] {
            assert_eq!(has_at_level(field, level), expected, "{field} at {level}");
        }
        for (field, stage, expected) in [
            ("responseStatus.code", "RequestReceived", false),
            ("responseStatus.code", "ResponseStarted", true),
            ("responseObject.x", "ResponseStarted", false),
            ("annotations.authorization.k8s.io/decision", "RequestReceived", false),
            ("annotations.example.com/x", "RequestReceived", true),
            ("user.username", "RequestReceived", true),
        ] {
            assert_eq!(has_at_stage(field, stage), expected, "{field} at {stage}");
        }
    }
}
