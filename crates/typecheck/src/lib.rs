//! Tells which detection rules can never fire, or not as meant.
//!
//! The conditions of a rule are read against the audit Event and the Kubernetes API types of `masthead-schema`. A test
//! that no event can pass is carried up through the logic around it: it may end an alternative, an exception or the whole
//! rule. What cannot be decided (functions, regular expressions, comparisons of fields) counts as possible, so that a rule
//! is only blamed for what is certain.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod env;
mod facts;
mod field;
mod literal;
mod place;
mod requests;
mod resource;
mod scope;
#[cfg(test)]
mod tests;
mod walk;

use masthead_ir::Level;
use masthead_ir::rule::Rule;

pub use place::place;

/// Code and meaning of every fault.
pub const CODES: &[(&str, &str)] = &[
    ("contradiction", "Tests of one field exclude each other."),
    (
        "create-without-patch",
        "The rule reads objects that are created, and misses those that server-side apply creates.",
    ),
    ("exec-create-only", "The rule wants streams into pods to be opened with `create`; most clients use `get`."),
    ("impossible-value", "A field is compared with a value that it never has."),
    ("level-excludes", "The rule demands an audit level at which what it reads is not logged, or leaves a level out."),
    ("stage-excludes", "The rule demands a stage at which what it reads is not there yet."),
    ("unauthenticated-user", "The rule wants a user name in events of code 401, which have none."),
    ("unknown-field", "The rule reads a field that no audit event has."),
    ("unknown-resource", "No resource has this name; another one is meant."),
    ("wrong-subresource", "The resource has no such subresource, or the subresource stands in the wrong field."),
];

/// Something that keeps a rule from firing as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which kind: one of [`CODES`].
    pub code: &'static str,
    /// A warning if the rule or a part of it never matches; a note if it misses something. Never an error.
    pub level: Level,
    /// What is wrong, in one sentence.
    pub message: String,
    /// A way out.
    pub help: Option<String>,
    /// The field or literal to look for in the rule's file; see [`place`].
    pub subject: String,
}

/// What is wrong with the conditions of a rule, in the order in which they read. Rules about other events than those of
/// Kubernetes audit logs have no faults.
pub fn check(rule: &Rule) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    for condition in scope::conditions(rule) {
        for fault in walk::check(&condition) {
            if !faults.iter().any(|known| (known.code, &known.subject) == (fault.code, &fault.subject)) {
                faults.push(fault);
            }
        }
    }
    faults
}
