//! Tests at the front-end's boundary: rules files in, conditions run over events.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod conditions;
mod faults;
mod items;
mod support;
