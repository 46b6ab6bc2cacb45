//! The intermediate representation that every rule dialect compiles to, and the one evaluator of its expressions.
//!
//! Nothing behind this crate knows a dialect: what a dialect means (case folding, wildcards, several values, null,
//! coercion) is spelled out in the nodes.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod diagnostic;
pub mod eval;
pub mod expr;
pub mod finding;
pub mod pattern;
pub mod pipeline;
pub mod rule;
pub mod table;
pub mod time;
pub mod value;

pub use diagnostic::{Diagnostic, Level, Span};
pub use expr::{Expr, FieldPath};
pub use value::Value;
