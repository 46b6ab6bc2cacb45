//! Events of PagerDuty, Events API version 2.

use masthead_ir::finding::Finding;
use masthead_ir::rule::Severity;
use serde_json::{Value as Json, json};

use crate::card::Card;
use crate::digest::Digest;
use crate::links::Links;
use crate::text::line;

/// The address that PagerDuty gives everybody.
pub(crate) const URL: &str = "https://events.pagerduty.com/v2/enqueue";
/// PagerDuty takes 1024 characters.
const SUMMARY: usize = 1000;
/// Fields of a finding go along up to this size; an event may have 512 KB.
const FIELDS_BYTES: usize = 32 * 1024;
/// Of lists so many are told.
const LISTED: usize = 10;

/// The event. Its `dedup_key` makes the second of two equal events part of the first one's incident.
pub(crate) fn payload(digest: Digest<'_>, links: &Links, routing_key: &str) -> Json {
    let worst = digest.worst();
    let card = Card::new(worst, links);
    let mut payload = json!({
        "summary": line(&digest.headline(), SUMMARY),
        "source": line(worst.cluster.as_deref().unwrap_or("masthead"), 200),
        "severity": severity(worst.severity),
        "class": line(&worst.rule.id, 200),
        "custom_details": details(digest, &card),
    });
    if let Some(time) = worst.last_seen.as_deref().or(worst.first_seen.as_deref()) {
        payload["timestamp"] = json!(time);
    }
    if let Some(cluster) = &worst.cluster {
        payload["group"] = json!(line(cluster, 200));
    }
    let links = card
        .follow_ups
        .iter()
        .filter_map(|follow_up| Some(json!({"href": follow_up.url.as_ref()?, "text": follow_up.name})));
    json!({
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": line(&digest.key(), 255),
        "client": "masthead",
        "payload": payload,
        "links": links.collect::<Vec<_>>(),
    })
}

fn details(digest: Digest<'_>, card: &Card) -> Json {
    if !digest.is_single() {
        let shown: Vec<Json> = digest.shown().into_iter().map(short).collect();
        return json!({"count": digest.findings().len(), "findings": shown, "more": digest.more()});
    }
    let finding = digest.worst();
    let mut details = json!({
        "finding_id": card.finding_id,
        "rule": {"id": line(&finding.rule.id, 200), "name": line(&finding.rule.name, 200)},
        "severity": finding.severity,
        "message": card.message.as_ref().unwrap_or(&card.title),
        "count": finding.count,
        "first_seen": finding.first_seen,
        "last_seen": finding.last_seen,
        "entities": card.entities,
        "attack": first(&finding.attack),
        "audit_ids": first(&finding.audit_ids),
        "audit_id_count": finding.audit_id_count,
    });
    let searches: Vec<Json> = card
        .follow_ups
        .iter()
        .filter_map(|follow_up| Some(json!({"name": follow_up.name, "text": follow_up.text.as_ref()?})))
        .collect();
    if !searches.is_empty() {
        details["follow_up"] = Json::Array(searches);
    }
    let fields = Json::Object(finding.fields.clone());
    if fields.to_string().len() <= FIELDS_BYTES {
        details["fields"] = fields;
    }
    details
}

fn first(list: &[String]) -> Vec<String> {
    list.iter().take(LISTED).map(|text| line(text, 100)).collect()
}

fn short(finding: &Finding) -> Json {
    json!({
        "finding_id": line(&finding.finding_id, 100),
        "title": line(&finding.title, 200),
        "severity": finding.severity,
        "rule": line(&finding.rule.name, 200),
        "cluster": finding.cluster.as_deref().map(|cluster| line(cluster, 200)),
        "count": finding.count,
        "last_seen": finding.last_seen,
    })
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Informational => "info",
    }
}
