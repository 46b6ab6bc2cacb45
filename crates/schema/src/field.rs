//! Names of fields as rule languages write them to paths.

use masthead_ir::FieldPath;

/// Fields of the audit Event itself that hold one value (Kubernetes, "Audit" API reference, `Event`).
pub const SCALARS: &[&str] = &[
    "apiVersion",
    "auditID",
    "impersonatedUser.uid",
    "impersonatedUser.username",
    "kind",
    "level",
    "objectRef.apiGroup",
    "objectRef.apiVersion",
    "objectRef.name",
    "objectRef.namespace",
    "objectRef.resource",
    "objectRef.resourceVersion",
    "objectRef.subresource",
    "objectRef.uid",
    "requestReceivedTimestamp",
    "requestURI",
    "responseStatus.code",
    "responseStatus.message",
    "responseStatus.reason",
    "responseStatus.status",
    "stage",
    "stageTimestamp",
    "user.uid",
    "user.username",
    "userAgent",
    "verb",
];

/// Fields of the audit Event itself that hold a list of texts.
pub const LISTS: &[&str] = &["impersonatedUser.groups", "sourceIPs", "user.groups"];

/// The path of a field that is written with dots and without marks for lists, as in Sigma, Elastic and CloudWatch:
/// `verb`, `user.groups`, `requestObject.spec.containers.image`. Fields of the audit Event itself become the flat names that
/// SPL uses, so that all languages share their tests; everything below goes through arrays ([`FieldPath::Dotted`]).
pub fn field(name: &str) -> FieldPath {
    if SCALARS.binary_search(&name).is_ok() {
        FieldPath::flat(name)
    } else if LISTS.binary_search(&name).is_ok() {
        FieldPath::flat(format!("{name}{{}}"))
    } else {
        FieldPath::dotted(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_event_are_shared_and_the_rest_goes_through_arrays() {
        for (name, path) in [
            ("verb", FieldPath::flat("verb")),
            ("user.groups", FieldPath::flat("user.groups{}")),
            ("requestObject.spec.containers.image", FieldPath::dotted("requestObject.spec.containers.image")),
            (
                "annotations.authorization.k8s.io/decision",
                FieldPath::dotted("annotations.authorization.k8s.io/decision"),
            ),
        ] {
            assert_eq!(field(name), path, "{name}");
        }
    }

    #[test]
    fn tables_are_sorted() {
        assert!(SCALARS.is_sorted() && LISTS.is_sorted());
    }
}
