//! Events of a Splunk HTTP Event Collector.

use masthead_ir::finding::Finding;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Url};
use serde_json::{Value as Json, json};

use crate::digest::Digest;
use crate::error::DeliveryError;
use crate::http;

const PATH: &str = "/services/collector/event";
/// Collectors take about 1 MB unless they are told otherwise; what is larger goes in parts.
const MAX_BODY: usize = 512 * 1024;

/// A collector, ready.
pub(crate) struct SplunkHec {
    pub(crate) client: Client,
    pub(crate) url: Url,
    /// `Splunk TOKEN`.
    pub(crate) authorization: HeaderValue,
    pub(crate) index: Option<String>,
    pub(crate) source: String,
    pub(crate) sourcetype: String,
}

/// The collector's address, with its path where none is given.
pub(crate) fn url(text: &str) -> Result<Url, String> {
    let mut url = http::url(text)?;
    if url.path() == "/" {
        url.set_path(PATH);
    }
    Ok(url)
}

impl SplunkHec {
    /// When a part is refused, the parts before it come again with the next try: at least once, not exactly once.
    pub(crate) async fn deliver(&self, digest: Digest<'_>) -> Result<(), DeliveryError> {
        let mut body = String::new();
        for finding in digest.findings() {
            let event = self.event(finding).to_string();
            if !body.is_empty() && body.len() + event.len() > MAX_BODY {
                self.send(std::mem::take(&mut body)).await?;
            }
            body.push_str(&event);
            body.push('\n');
        }
        self.send(body).await
    }

    async fn send(&self, body: String) -> Result<(), DeliveryError> {
        let request = self.client.post(self.url.clone()).header(AUTHORIZATION, self.authorization.clone());
        http::send(request.header(CONTENT_TYPE, "application/json").body(body)).await
    }

    fn event(&self, finding: &Finding) -> Json {
        let mut event = json!({"source": self.source, "sourcetype": self.sourcetype, "event": finding});
        let time = finding.last_seen.as_deref().or(finding.first_seen.as_deref());
        // Without a time Splunk takes its own.
        if let Some(time) = time.and_then(|time| time.parse::<jiff::Timestamp>().ok()) {
            event["time"] = json!(time.as_millisecond() as f64 / 1000.0);
        }
        for (name, value) in [("index", &self.index), ("host", &finding.cluster)] {
            if let Some(value) = value {
                event[name] = json!(value);
            }
        }
        event
    }
}
