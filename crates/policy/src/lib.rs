//! Kubernetes audit policies (`audit.k8s.io/v1`, `Policy`).
//!
//! A rule can only fire on what the API server logs. Here a policy is read ([`Policy::parse`]) and asked what it logs of
//! a request ([`Policy::level`]); the conditions of rules are turned into what they need of a log ([`needs()`]); the two
//! are compared ([`blind()`]), and a policy is made under which given rules can fire ([`suggest()`]). [`Estimate`] says how
//! much a policy would log, by an existing log.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod blind;
mod body;
mod candidates;
mod demands;
mod estimate;
pub mod known;
pub mod level;
pub mod needs;
mod parse;
mod plan;
pub mod policy;
mod reasons;
mod render;
pub mod request;
mod suggest;
mod targets;

pub use blind::{Verdict, blind};
pub use body::{blind_body, conditions};
pub use estimate::{Estimate, Forecast, Sample};
pub use level::{Level, Stage};
pub use needs::{Needs, needs};
pub use policy::{Decision, GroupResources, Policy, PolicyRule};
pub use request::{Request, Resource};
pub use suggest::{SuggestedPolicy, suggest};

/// Code and meaning of every diagnostic about a policy.
pub const CODES: &[(&str, &str)] = &[
    ("policy-empty", "An audit policy has no rules; the API server refuses it."),
    ("policy-group", "What stands for an API group is none; the API server refuses it."),
    ("policy-key", "An audit policy has a key that is unknown; the API server refuses it."),
    ("policy-kind", "The file is no audit policy of version audit.k8s.io/v1."),
    ("policy-level", "A rule of an audit policy has no level, or one that is unknown."),
    ("policy-mixed-rule", "A rule of an audit policy is about resources and about other paths at once."),
    ("policy-path", "A path of an audit policy does not begin with a slash, or has a star before its end."),
    ("policy-resource-group", "An audit policy names a resource under an API group that does not have it."),
    ("policy-resource-names", "An audit policy names objects without their resources."),
    ("policy-stage", "An audit policy leaves out a stage that does not exist."),
    ("policy-star", "A list of an audit policy has a star where only plain names count."),
    ("policy-syntax", "A value of an audit policy is of the wrong kind."),
    ("policy-verb", "An audit policy names a verb that no request has."),
    ("yaml-duplicate-key", "A mapping gives a key twice."),
    ("yaml-syntax", "The file is no YAML."),
];
