//! The running service: events in, findings out, and everything that is needed to operate it.
//!
//! [`run`] puts the parts together: sources accept into a durable queue ([`queue`]), one thread evaluates
//! ([`evaluator`]) and writes findings and its own state in one transaction, a courier brings findings to sinks, an HTTP
//! server takes events and answers people.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod api;
mod client;
pub mod config;
mod evaluator;
mod gate;
mod kube;
mod logs;
mod metrics;
mod outbox;
mod queue;
mod risk;
mod rules;
mod run;
mod server;
mod service;
mod silence;

pub use client::ask;
pub use config::{Config, ConfigError};
pub use kube::webhook_config;
pub use logs::start as start_logs;
pub use rules::{Worker, check};
pub use run::{Printer, RunError, RunOptions, run};

/// The description of the HTTP API, OpenAPI as JSON.
pub fn openapi() -> String {
    use utoipa::OpenApi as _;
    api::Description::openapi().to_pretty_json().unwrap_or_default()
}
