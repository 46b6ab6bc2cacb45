//! HTTP requests to sinks.

use std::path::Path;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};

use crate::error::DeliveryError;
use crate::text;
use crate::tls::Authorities;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the other side may send us away at most.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// How much of an answer is read. What people see is cut further, after secrets are taken out of it: half a secret would not
/// be found.
const MAX_ANSWER: usize = 4096;

/// A client that follows no redirects.
pub(crate) fn client(authorities: &Authorities, ca_file: Option<&Path>, whole: Duration) -> Result<Client, String> {
    Client::builder()
        .tls_backend_preconfigured(authorities.client_config(ca_file)?)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT.min(whole))
        .timeout(whole)
        .user_agent(concat!("masthead/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| format!("no HTTP client: {}", chain(&error)))
}

/// An address of the web. The error does not hold it.
pub(crate) fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim()).map_err(|error| format!("this is no address: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("an address must begin with http:// or https://, not {}://", url.scheme()));
    }
    Ok(url)
}

/// Sends a request. Every status but 2xx is an error.
pub(crate) async fn send(request: RequestBuilder) -> Result<(), DeliveryError> {
    let response = request.send().await.map_err(unanswered)?;
    let status = response.status();
    let after = retry_after(response.headers(), jiff::Timestamp::now());
    let answer = answer(response).await;
    if status.is_success() { Ok(()) } else { Err(refused(status, after, &answer)) }
}

fn unanswered(error: reqwest::Error) -> DeliveryError {
    // The address may hold a token.
    let error = error.without_url();
    if error.is_builder() {
        return DeliveryError::permanent(format!("the request cannot be made: {}", chain(&error)));
    }
    DeliveryError::retry(format!("no answer: {}", chain(&error)))
}

/// The beginning of the answer. It is read on success too, so that the connection can be used again.
async fn answer(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk[..chunk.len().min(MAX_ANSWER - bytes.len())]);
        if bytes.len() == MAX_ANSWER {
            break;
        }
    }
    text::line(&String::from_utf8_lossy(&bytes), MAX_ANSWER)
}

fn refused(status: StatusCode, after: Option<Duration>, answer: &str) -> DeliveryError {
    let separator = if answer.is_empty() { "" } else { ": " };
    let message = format!("answered {status}{separator}{answer}");
    match status.as_u16() {
        408 | 425 | 429 | 500..=599 => DeliveryError::Retry { after, message },
        400 | 413 | 422 => DeliveryError::content(message),
        300..=399 => DeliveryError::permanent(format!(
            "answered {status}; redirects are not followed, so give the final address"
        )),
        _ => DeliveryError::permanent(message),
    }
}

/// Seconds or a date.
fn retry_after(headers: &HeaderMap, now: jiff::Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let then = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
            Duration::try_from(then.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

/// An error and what caused it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    for _ in 0..6 {
        let Some(inner) = source else { break };
        let told = inner.to_string();
        if !text.contains(&told) {
            text.push_str(": ");
            text.push_str(&told);
        }
        source = inner.source();
    }
    text::line(&text, MAX_ANSWER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16) -> DeliveryError {
        refused(StatusCode::from_u16(status).unwrap(), Some(Duration::from_secs(3)), "why")
    }

    #[test]
    fn the_status_decides() {
        for status in [408, 425, 429, 500, 502, 503, 504] {
            let DeliveryError::Retry { after, message } = refusal(status) else { panic!("{status} is for ever") };
            assert_eq!(after, Some(Duration::from_secs(3)));
            assert!(message.starts_with(&format!("answered {status}")) && message.ends_with(": why"), "{message}");
        }
        for (status, content) in
            [(400, true), (413, true), (422, true), (302, false), (401, false), (404, false), (410, false)]
        {
            let DeliveryError::Permanent { about_content, .. } = refusal(status) else { panic!("{status} is retried") };
            assert_eq!(about_content, content, "{status}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "1994-11-06T08:49:00Z".parse().unwrap();
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(37)));
        assert_eq!(read("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("99999999999"), Some(LONGEST_WAIT));
        assert_eq!(read("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn only_the_web() {
        assert!(url("https://example.org/x").is_ok());
        for wrong in ["ftp://example.org", "file:///etc/passwd", "example.org", "", "unix:/x"] {
            let error = url(wrong).unwrap_err();
            assert!(wrong.is_empty() || !error.contains("example.org"), "{error}");
        }
    }
}
