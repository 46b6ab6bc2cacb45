//! The kinds of sink: what each makes of a group of findings, and how it hands it over.

pub(crate) mod email;
pub(crate) mod lines;
pub(crate) mod pagerduty;
pub(crate) mod slack;
pub(crate) mod splunk;
pub(crate) mod teams;
pub(crate) mod webhook;

use reqwest::{Client, Url};
use serde_json::Value as Json;

use crate::digest::Digest;
use crate::error::DeliveryError;
use crate::http;
use crate::links::Links;

/// One sink, ready.
pub(crate) enum Target {
    Lines(lines::Lines),
    Webhook(Box<webhook::Webhook>),
    Slack(Post),
    PagerDuty(Post, crate::secret::Resolved),
    Teams(Post),
    SplunkHec(Box<splunk::SplunkHec>),
    Email(Box<email::Email>),
}

impl Target {
    /// Hands one message over, once.
    pub(crate) async fn deliver(&self, digest: Digest<'_>, links: &Links) -> Result<(), DeliveryError> {
        match self {
            Target::Lines(lines) => lines.deliver(digest).await,
            Target::Webhook(webhook) => webhook.deliver(digest).await,
            Target::Slack(post) => post.send(&slack::payload(digest, links)).await,
            Target::PagerDuty(post, key) => post.send(&pagerduty::payload(digest, links, key.expose())).await,
            Target::Teams(post) => post.send(&teams::payload(digest, links)).await,
            Target::SplunkHec(splunk) => splunk.deliver(digest).await,
            Target::Email(email) => email.deliver(digest, links).await,
        }
    }

    /// Whether it takes many findings at once as well as one: then all that are due go together.
    pub(crate) fn is_batched(&self) -> bool {
        matches!(self, Target::Lines(_) | Target::SplunkHec(_))
    }
}

/// An address that takes JSON.
pub(crate) struct Post {
    pub(crate) client: Client,
    pub(crate) url: Url,
}

impl Post {
    async fn send(&self, payload: &Json) -> Result<(), DeliveryError> {
        http::send(self.client.post(self.url.clone()).json(payload)).await
    }
}
