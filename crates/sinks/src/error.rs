//! What can go wrong.

use std::time::Duration;

use thiserror::Error;

use crate::secret::SecretError;

/// A fault of the configuration. Never holds a secret.
#[derive(Debug, Error)]
pub enum SinkError {
    /// A sink is set up wrongly.
    #[error("sink `{sink}`: {message}")]
    Sink {
        /// The sink's name.
        sink: String,
        /// What is wrong, and what would be right.
        message: String,
    },
    /// A secret of a sink cannot be had.
    #[error("sink `{sink}`, {key}: {source}")]
    Secret {
        /// The sink's name.
        sink: String,
        /// The key in the configuration.
        key: String,
        /// Why.
        source: SecretError,
    },
    /// A template does not compile, or gives no valid message for a made-up finding.
    #[error("sink `{sink}`, template{}: {message}", line.map(|line| format!(" line {line}")).unwrap_or_default())]
    Template {
        /// The sink's name.
        sink: String,
        /// The line in the template, from 1, where it is known.
        line: Option<usize>,
        /// What is wrong.
        message: String,
    },
    /// A route is set up wrongly.
    #[error("route {number}: {message}")]
    Route {
        /// Which one, from 1.
        number: usize,
        /// What is wrong, and what would be right.
        message: String,
    },
    /// A setting of all sinks is wrong.
    #[error("{key}: {message}")]
    Setting {
        /// The key in the configuration.
        key: &'static str,
        /// What is wrong.
        message: String,
    },
}

/// Why a delivery failed. The messages hold no secret and no address beyond the host.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DeliveryError {
    /// It may work later: the network, a timeout, HTTP 408, 425, 429 and 5xx, SMTP 4yz.
    #[error("{message}")]
    Retry {
        /// How long the other side asked to be left alone.
        after: Option<Duration>,
        /// What happened.
        message: String,
    },
    /// It will not work as it is.
    #[error("{message}")]
    Permanent {
        /// What happened.
        message: String,
        /// Whether the other side objected to what was sent (HTTP 400, 413, 422), so that a part of it may pass.
        about_content: bool,
    },
}

impl DeliveryError {
    pub(crate) fn retry(message: impl Into<String>) -> DeliveryError {
        DeliveryError::Retry { after: None, message: message.into() }
    }

    pub(crate) fn permanent(message: impl Into<String>) -> DeliveryError {
        DeliveryError::Permanent { message: message.into(), about_content: false }
    }

    pub(crate) fn content(message: impl Into<String>) -> DeliveryError {
        DeliveryError::Permanent { message: message.into(), about_content: true }
    }

    /// What happened.
    pub fn message(&self) -> &str {
        match self {
            DeliveryError::Retry { message, .. } | DeliveryError::Permanent { message, .. } => message,
        }
    }

    pub(crate) fn map_message(self, change: impl FnOnce(String) -> String) -> DeliveryError {
        match self {
            DeliveryError::Retry { after, message } => DeliveryError::Retry { after, message: change(message) },
            DeliveryError::Permanent { message, about_content } => {
                DeliveryError::Permanent { message: change(message), about_content }
            }
        }
    }
}
