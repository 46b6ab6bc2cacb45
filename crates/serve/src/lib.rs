//! The running service: events in, findings out, and everything that is needed to operate it.
//!
//! [`run`] puts the parts together: sources accept into a durable queue (`queue`), one thread evaluates
//! (`evaluator`) and writes findings and its own state in one transaction, a courier brings findings to sinks, an HTTP
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

/// Name, type and meaning of every metric, in the order in which they are shown.
pub fn metric_names() -> Vec<(String, String, String)> {
    let metrics = metrics::Metrics::new();
    metrics.sample();
    let text = metrics.text();
    let mut types = std::collections::BTreeMap::new();
    let mut names = Vec::new();
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => drop(types.insert(name.to_owned(), kind.to_owned())),
            (Some("#"), Some("HELP"), Some(name), Some(help)) => names.push((name.to_owned(), help.to_owned())),
            _ => {}
        }
    }
    let told = |(name, help): (String, String)| {
        let kind = types.get(&name).cloned().unwrap_or_default();
        (name, kind, help)
    };
    names.into_iter().map(told).collect()
}

/// The description of the HTTP API, OpenAPI as JSON.
pub fn openapi() -> String {
    use utoipa::OpenApi as _;
    api::Description::openapi().to_pretty_json().unwrap_or_default()
}
