//! What is known of the types of fields, by log type.
//!
//! A list of one member cannot be told from that member by a test of a field, and a number has no `startswith`: without
//! types hardly any condition of a program would be known exactly. The API server writes audit events from a Go type
//! (`k8s.io/apiserver/pkg/apis/audit/v1`, `Event`), so these types hold for every event that it wrote.

use std::sync::Arc;

/// What stands under a path, if anything does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text.
    Text,
    /// A number.
    Number,
    /// A list of texts that is left out rather than empty.
    Texts,
    /// An object that is left out rather than empty.
    Object,
    /// Nothing is known.
    Any,
}

const TEXT: &[&[&str]] = &[
    &["kind"],
    &["apiVersion"],
    &["level"],
    &["auditID"],
    &["stage"],
    &["requestURI"],
    &["verb"],
    &["userAgent"],
    &["requestReceivedTimestamp"],
    &["stageTimestamp"],
    &["user", "username"],
    &["user", "uid"],
    &["impersonatedUser", "username"],
    &["impersonatedUser", "uid"],
    &["objectRef", "resource"],
    &["objectRef", "namespace"],
    &["objectRef", "name"],
    &["objectRef", "uid"],
    &["objectRef", "apiGroup"],
    &["objectRef", "apiVersion"],
    &["objectRef", "resourceVersion"],
    &["objectRef", "subresource"],
    &["responseStatus", "status"],
    &["responseStatus", "message"],
    &["responseStatus", "reason"],
    &["annotations", "*"],
];

const TEXTS: &[&[&str]] = &[
    &["sourceIPs"],
    &["user", "groups"],
    &["impersonatedUser", "groups"],
    &["user", "extra", "*"],
    &["impersonatedUser", "extra", "*"],
];

const OBJECT: &[&[&str]] = &[
    &["user"],
    &["user", "extra"],
    &["impersonatedUser"],
    &["impersonatedUser", "extra"],
    &["objectRef"],
    &["responseStatus"],
    &["annotations"],
];

/// The kind of what stands under a path in records of a log type.
pub(super) fn kind(log_type: &str, keys: &[Arc<str>]) -> Kind {
    if log_type != "Amazon.EKS.Audit" {
        return Kind::Any;
    }
    let listed = |paths: &[&[&str]]| {
        paths.iter().any(|path| {
            path.len() == keys.len()
                && path.iter().zip(keys).all(|(step, key)| *step == "*" || step.eq_ignore_ascii_case(key))
        })
    };
    if listed(TEXT) {
        Kind::Text
    } else if listed(TEXTS) {
        Kind::Texts
    } else if listed(OBJECT) {
        Kind::Object
    } else if listed(&[&["responseStatus", "code"]]) {
        Kind::Number
    } else {
        Kind::Any
    }
}
