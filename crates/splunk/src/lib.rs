//! Front-end for Splunk ESCU detections: YAML and SPL to IR.
//!
//! The YAML of three generations of ESCU is read: that of releases up to 4 (`tags.observable`), of 5 (`rba`), and of 6
//! (`finding`, `intermediate_findings`), with the macros, lookups, deployments and schedules beside it.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod builtin_macros;
mod carried_tests;
mod codes;
mod content;
mod detection;
mod dialect;
mod entities;
mod fields;
mod lookups;
mod schedule;
pub mod spl;
mod tokens;

pub use codes::CODES;
pub use dialect::Splunk;
