//! Names of the Elastic Common Schema and of the Kubernetes integration, and where an audit event has what they mean.
//!
//! Facts: the field list of the integration `kubernetes.audit_logs`; its ingest pipeline puts `_` for `.` in the keys of
//! annotations, and copies who, where from and what to the common fields.

use masthead_ir::Value;
use masthead_ir::expr::{Expr, FieldPath};
use masthead_ir::pattern::Pattern;

use crate::esql::Resolved;

/// The log source that the rules for Kubernetes read.
pub(crate) const DATASET: &str = "kubernetes.audit_logs";

/// What a name means.
pub(crate) fn resolve(name: &str) -> Resolved {
    let path = |name: &str| Resolved::Path(masthead_schema::field(name));
    let constant = |value: &str| Resolved::Constant(value.to_owned());
    if let Some(rest) = name.strip_prefix("kubernetes.audit.") {
        return match rest.strip_prefix("annotations.") {
            Some(key) => path(&format!("annotations.{}", key.replace('_', "."))),
            None => path(rest),
        };
    }
    match name {
        "@timestamp" | "event.created" | "event.ingested" => Resolved::Path(FieldPath::flat("_time")),
        "user.name" | "related.user" | "client.user.name" => path("user.username"),
        "user.id" => path("user.uid"),
        "user.roles" | "group.name" => path("user.groups"),
        "user.effective.name" => path("impersonatedUser.username"),
        "source.ip" | "source.address" | "client.ip" | "related.ip" => path("sourceIPs"),
        "user_agent.original" => path("userAgent"),
        "event.action" => path("verb"),
        "event.id" => path("auditID"),
        "event.outcome" => path("annotations.authorization.k8s.io/decision"),
        "url.original" | "url.path" => path("requestURI"),
        "http.response.status_code" => path("responseStatus.code"),
        "orchestrator.namespace" => path("objectRef.namespace"),
        "orchestrator.resource.name" => path("objectRef.name"),
        "orchestrator.resource.type" => path("objectRef.resource"),
        "orchestrator.api_version" => path("objectRef.apiVersion"),
        "message" | "event.original" => Resolved::Path(FieldPath::flat("_raw")),
        "event.dataset" | "data_stream.dataset" => constant(DATASET),
        "event.module" => constant("kubernetes"),
        "event.kind" => constant("event"),
        "data_stream.type" => constant("logs"),
        "data_stream.namespace" => constant("default"),
        "orchestrator.type" => constant("kubernetes"),
        _ => Resolved::Absent,
    }
}

/// The test that a field has a value that passes a pattern. `event.outcome` says `success` and `failure` for what the
/// authorizer calls `allow` and `forbid`.
pub(crate) fn test(name: &str, pattern: Pattern) -> Expr {
    match resolve(name) {
        Resolved::Path(field) => {
            Expr::Test { pattern: if name == "event.outcome" { outcome(pattern) } else { pattern }, field }
        }
        Resolved::Constant(value) => {
            let holds =
                masthead_ir::eval::CompiledPattern::new(&pattern).is_ok_and(|pattern| pattern.matches_str(&value));
            Expr::Literal(Value::Bool(holds))
        }
        Resolved::Absent => Expr::Literal(Value::Bool(false)),
    }
}

fn outcome(pattern: Pattern) -> Pattern {
    match pattern {
        Pattern::Text { text, case, numeric } => {
            let text = match text.as_str() {
                "success" => "allow".to_owned(),
                "failure" => "forbid".to_owned(),
                _ => text,
            };
            Pattern::Text { text, case, numeric }
        }
        other => other,
    }
}

/// A field as an expression that gives its value.
pub(crate) fn value(name: &str) -> Expr {
    match resolve(name) {
        Resolved::Path(field) => Expr::Field(field),
        Resolved::Constant(value) => Expr::Literal(Value::text(value)),
        Resolved::Absent => Expr::Literal(Value::Absent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_both_schemas_lead_to_the_event() {
        for (name, path) in [
            ("user.name", FieldPath::flat("user.username")),
            ("kubernetes.audit.user.username", FieldPath::flat("user.username")),
            ("source.ip", FieldPath::flat("sourceIPs{}")),
            (
                "kubernetes.audit.annotations.authorization_k8s_io/decision",
                FieldPath::dotted("annotations.authorization.k8s.io/decision"),
            ),
            ("kubernetes.audit.requestObject.spec.hostIPC", FieldPath::dotted("requestObject.spec.hostIPC")),
        ] {
            assert_eq!(resolve(name), Resolved::Path(path), "{name}");
        }
        assert_eq!(resolve("process.name"), Resolved::Absent);
    }
}
