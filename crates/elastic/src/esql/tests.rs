//! Tests of whole queries.

mod conditions;
mod harness;
mod pipelines;
mod problems;
