//! Where findings are sent: routes, messages, delivery.
//!
//! [`Sinks`] is built from [`SinksConfig`] and knows which sinks a finding goes to and how a group of findings is handed to one
//! of them, once. [`Courier`] takes findings from an [`Outbox`] and brings them to the sinks: it groups, keeps rate limits,
//! tries again, and sets aside what cannot be delivered. Every finding is delivered at least once; the receiver can tell
//! doubles by the key that each message carries.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod card;
mod config;
mod courier;
mod digest;
mod error;
mod http;
mod links;
pub mod ocsf;
mod outbox;
mod rotating;
mod route;
mod sample;
mod secret;
mod sinks;
mod target;
mod text;
mod tls;

pub use config::{
    EmailConfig, FileConfig, Format, GroupKey, PagerDutyConfig, RouteConfig, SinkConfig, SinksConfig, SlackConfig,
    SplunkHecConfig, StdoutConfig, TeamsConfig, WebhookConfig, WebhookMethod,
};
pub use courier::{Courier, CourierOptions, SinkCounts};
pub use error::{DeliveryError, SinkError};
pub use outbox::{Outbox, Outgoing};
pub use route::Grouping;
pub use sample::sample_finding;
pub use secret::{Secret, SecretError};
pub use sinks::Sinks;
