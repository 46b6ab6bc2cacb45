//! HTTP endpoints of the protocols that clusters and collectors speak.

mod body;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;

use crate::decode::Told;
use crate::{Intake, Refused};

/// Limits.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// The longest body, after decompression.
    pub max_body: u64,
    /// How long a client may pause while it sends a body.
    pub body_timeout: Duration,
    /// How many bytes of bodies may be in memory at once.
    pub memory: u64,
    /// What events are that nobody says more of.
    pub told: Told,
}

impl Default for HttpOptions {
    /// Bodies up to 256 MiB, 20 seconds, 64 MiB in memory.
    fn default() -> HttpOptions {
        HttpOptions {
            max_body: 256 << 20,
            body_timeout: Duration::from_secs(20),
            memory: 64 << 20,
            told: Told::default(),
        }
    }
}

/// What somebody who posts is known as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// A name.
    pub name: Arc<str>,
    /// The cluster of the events.
    pub cluster: Option<Arc<str>>,
    /// Whether acknowledgements of the HTTP Event Collector are given.
    pub hec_ack: bool,
}

/// Says who may post.
pub trait Gatekeeper: Send + Sync + 'static {
    /// Whether anybody may (on loopback, or where something else takes care).
    fn open(&self) -> bool;
    /// Whom a secret belongs to.
    fn by_secret<'a>(&'a self, secret: &'a str) -> BoxFuture<'a, Option<Grant>>;
    /// Whom a client certificate with this common name belongs to.
    fn by_certificate(&self, subject: &str) -> Option<Grant>;
}

/// The common name of a client's certificate, as a request extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCert(pub String);

/// What the endpoints share.
pub(crate) struct Shared {
    pub(crate) intake: Arc<dyn Intake>,
    pub(crate) gate: Arc<dyn Gatekeeper>,
    pub(crate) options: HttpOptions,
    pub(crate) memory: tokio::sync::Semaphore,
}

/// All endpoints.
pub fn router(intake: Arc<dyn Intake>, gate: Arc<dyn Gatekeeper>, options: HttpOptions) -> Router {
    let memory = tokio::sync::Semaphore::new(usize::try_from(options.memory / body::UNIT).unwrap_or(1).max(1));
    let shared = Arc::new(Shared { intake, gate, options, memory });
    Router::new().merge(webhook::routes()).with_state(shared)
}

/// Who sends a request.
///
/// # Errors
/// With the answer, if nobody who may.
pub(crate) async fn admitted(
    shared: &Shared,
    headers: &HeaderMap,
    certificate: Option<Extension<ClientCert>>,
) -> Result<Grant, Fault> {
    if let Some(Extension(ClientCert(subject))) = certificate
        && let Some(grant) = shared.gate.by_certificate(&subject)
    {
        return Ok(grant);
    }
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let secret = given.and_then(|value| value.split_once(' ')).map(|(_, secret)| secret.trim());
    if let Some(secret) = secret
        && let Some(grant) = shared.gate.by_secret(secret).await
    {
        return Ok(grant);
    }
    if shared.gate.open() { Ok(Grant::default()) } else { Err(Fault::Unauthorized) }
}

/// Why a request is not accepted.
#[derive(Debug)]
pub(crate) enum Fault {
    Unauthorized,
    BadCluster,
    TooLong,
    Slow,
    Encoding,
    Broken(String),
    Refused(Refused),
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let later = |status, seconds: u64, text: String| {
            (status, [(header::RETRY_AFTER, seconds.max(1).to_string())], text).into_response()
        };
        let plain = |status, text: &str| (status, format!("{text}\n")).into_response();
        match self {
            Fault::Unauthorized => plain(StatusCode::UNAUTHORIZED, "a token or client certificate is needed"),
            Fault::BadCluster => plain(StatusCode::BAD_REQUEST, "a cluster's name has letters, digits and ._:/@- only"),
            Fault::TooLong => plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than the limit"),
            Fault::Slow => plain(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
            Fault::Encoding => plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "of encodings only gzip is known"),
            Fault::Broken(why) => plain(StatusCode::BAD_REQUEST, &why),
            Fault::Refused(Refused::Busy { retry_after }) => {
                later(StatusCode::TOO_MANY_REQUESTS, retry_after.as_secs(), "the queue is full\n".to_owned())
            }
            Fault::Refused(other) => later(StatusCode::SERVICE_UNAVAILABLE, 2, format!("{other}\n")),
        }
    }
}

/// A cluster's name from a path.
///
/// # Errors
/// When it is none.
pub(crate) fn cluster_named(name: &str) -> Result<Arc<str>, Fault> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._:/@-".contains(c);
    if name.is_empty() || name.len() > 253 || !name.chars().all(fits) {
        return Err(Fault::BadCluster);
    }
    Ok(name.into())
}
