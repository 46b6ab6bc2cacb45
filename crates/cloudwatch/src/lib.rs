//! Front-end for CloudWatch metric filters and alarms: CloudFormation YAML and filter patterns to IR.
//!
//! A metric filter becomes a rule of signals, one for each event that it counts. An alarm becomes a rule of findings over
//! the events that the metric filters of its metric let through. What the words of both mean is told in
//! `docs/cloudwatch.md`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod alarm;
mod codes;
mod dialect;
mod feed;
mod filter;
mod lower;
mod report;
mod syntax;
mod template;
#[cfg(test)]
mod tests;

pub use codes::CODES;
pub use dialect::CloudWatch;
