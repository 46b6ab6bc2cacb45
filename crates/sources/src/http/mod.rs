//! HTTP endpoints of the protocols that clusters and collectors speak.

mod body;
mod hec;
mod others;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
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
    pub(crate) acks: hec::Acks,
}

impl Shared {
    /// What is known of events. Who is known for one cluster speaks for no other; else the path says which it is.
    pub(crate) fn told(&self, grant: &Grant, cluster: Option<Arc<str>>) -> Told {
        let default = &self.options.told;
        let cluster = grant.cluster.clone().or(cluster).or_else(|| default.cluster.clone());
        Told { cluster, ..default.clone() }
    }
}

/// All endpoints.
pub fn router(intake: Arc<dyn Intake>, gate: Arc<dyn Gatekeeper>, options: HttpOptions) -> Router {
    let memory = tokio::sync::Semaphore::new(usize::try_from(options.memory / body::UNIT).unwrap_or(1).max(1));
    let shared = Arc::new(Shared { intake, gate, options, memory, acks: hec::Acks::default() });
    Router::new().merge(webhook::routes()).merge(hec::routes()).merge(others::routes()).with_state(shared)
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
    if let Some(secret) = secret_of(headers)
        && let Some(grant) = shared.gate.by_secret(&secret).await
    {
        return Ok(grant);
    }
    if shared.gate.open() { Ok(Grant::default()) } else { Err(Fault::Unauthorized) }
}

/// The secret of an `Authorization` header: `Bearer S`, `Splunk S`, or the password of `Basic`.
pub(crate) fn secret_of(headers: &HeaderMap) -> Option<String> {
    let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = given.split_once(' ')?;
    let rest = rest.trim();
    let secret = match scheme.to_ascii_lowercase().as_str() {
        "bearer" | "splunk" => rest.to_owned(),
        "basic" => {
            let plain = base64::engine::general_purpose::STANDARD.decode(rest).ok()?;
            String::from_utf8(plain).ok()?.split_once(':')?.1.to_owned()
        }
        _ => return None,
    };
    (!secret.is_empty()).then_some(secret)
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

impl Fault {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Fault::Unauthorized => StatusCode::UNAUTHORIZED,
            Fault::BadCluster | Fault::Broken(_) => StatusCode::BAD_REQUEST,
            Fault::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Fault::Slow => StatusCode::REQUEST_TIMEOUT,
            Fault::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Fault::Refused(Refused::Busy { .. }) => StatusCode::TOO_MANY_REQUESTS,
            Fault::Refused(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(crate) fn text(&self) -> String {
        match self {
            Fault::Unauthorized => "a token or client certificate is needed".to_owned(),
            Fault::BadCluster => "a cluster's name has letters, digits and ._:/@- only".to_owned(),
            Fault::TooLong => "the body is longer than the limit".to_owned(),
            Fault::Slow => "the body did not come in time".to_owned(),
            Fault::Encoding => "of encodings only gzip is known".to_owned(),
            Fault::Broken(why) => why.clone(),
            Fault::Refused(refused) => refused.to_string(),
        }
    }

    /// After how many seconds it may be tried again.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        match self {
            Fault::Refused(Refused::Busy { retry_after }) => Some(retry_after.as_secs().max(1)),
            Fault::Refused(_) => Some(2),
            _ => None,
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = (self.status(), format!("{}\n", self.text())).into_response();
        if let Some(seconds) = self.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
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
