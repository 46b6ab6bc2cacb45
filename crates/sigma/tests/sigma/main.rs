//! Rules, correlations, filters and processing pipelines as a user writes them, held against events and snapshots.

#![allow(clippy::unwrap_used, clippy::type_complexity, reason = "a test may stop where it stands")]

mod conditions;
mod correlations;
mod diagnostics;
mod documents;
mod filters;
mod harness;
mod modifiers;
mod pipelines;
mod properties;
mod values;
