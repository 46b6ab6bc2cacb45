//! Policies: what they log, which conditions are blind under them, and which policy conditions need.

#![allow(clippy::unwrap_used)]

mod blindness;
mod check;
mod estimates;
mod reading;
mod suggestions;

use masthead_ir::expr::Expr;
use masthead_ir::pattern::{Case, Pattern};
use masthead_policy::Policy;
use masthead_schema::field;

/// Secrets, config maps and tokens at Metadata, reads at Request, all else with both bodies.
pub(crate) const MIXED: &str = r#"apiVersion: audit.k8s.io/v1
kind: Policy
rules:
  - level: None
    nonResourceURLs: ["/healthz*", "/livez*", "/readyz*"]
    users: ["system:nobody"]
  - level: Metadata
    resources:
      - group: ""
        resources: ["secrets", "configmaps", "serviceaccounts/token"]
      - group: authentication.k8s.io
        resources: ["tokenreviews"]
  - level: Request
    verbs: ["get", "list", "watch"]
  - level: RequestResponse
"#;

pub(crate) fn policy(text: &str) -> Policy {
    Policy::parse("policy.yaml", text).unwrap_or_else(|found| panic!("{found:#?}"))
}

/// The rules of a policy behind its header.
pub(crate) fn rules(rules: &str) -> Policy {
    policy(&format!("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n{rules}"))
}

pub(crate) fn text(text: &str) -> Pattern {
    Pattern::Text { text: text.to_owned(), case: Case::Sensitive, numeric: false }
}

pub(crate) fn glob(glob: &str) -> Pattern {
    Pattern::Wildcard { glob: glob.to_owned(), case: Case::Folded }
}

pub(crate) fn test(name: &str, pattern: Pattern) -> Expr {
    Expr::Test { field: field(name), pattern }
}

pub(crate) fn is(name: &str, value: &str) -> Expr {
    test(name, text(value))
}

pub(crate) fn one_of(name: &str, values: &[&str]) -> Expr {
    test(name, Pattern::AnyOf(values.iter().map(|value| text(value)).collect()))
}

pub(crate) fn has(name: &str) -> Expr {
    test(name, Pattern::Present)
}

pub(crate) fn and<const N: usize>(parts: [Expr; N]) -> Expr {
    Expr::And(parts.into())
}

pub(crate) fn or<const N: usize>(parts: [Expr; N]) -> Expr {
    Expr::Or(parts.into())
}

pub(crate) fn not(part: Expr) -> Expr {
    Expr::Not(Box::new(part))
}
