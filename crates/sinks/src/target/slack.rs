//! Messages for Slack: Block Kit by an incoming webhook.
//!
//! Slack refuses a message as a whole when one text is too long (a header 150 characters, a section 3000, a field 2000), so every
//! text is cut after it is escaped. `verbatim` keeps Slack from making links and mentions of what stands in an event.

use serde_json::{Value as Json, json};

use crate::card::Card;
use crate::digest::{Digest, severity_name};
use crate::links::{FollowUp, Links};
use crate::text::{line, slack};

const HEADER: usize = 150;
const SECTION: usize = 2900;
const FIELD: usize = 1900;

/// The message.
pub(crate) fn payload(digest: Digest<'_>, links: &Links) -> Json {
    let severity = severity_name(digest.worst().severity);
    let headline = format!("{severity}: {}", digest.headline());
    let mut blocks = vec![json!({
        "type": "header",
        "text": {"type": "plain_text", "text": slack(&format!("{} {headline}", mark(severity)), HEADER), "emoji": true},
    })];
    if digest.is_single() {
        blocks.extend(single(&Card::new(digest.worst(), links)));
    } else {
        blocks.extend(digest.shown().into_iter().map(|finding| one_of_many(&Card::new(finding, links))));
        if let Some(more) = digest.more_text() {
            blocks.push(context(&more));
        }
    }
    json!({"text": slack(&headline, 300), "blocks": blocks})
}

fn single(card: &Card) -> Vec<Json> {
    let mut blocks = Vec::new();
    if let Some(message) = &card.message {
        blocks.push(section(slack(message, SECTION)));
    }
    let fields: Vec<Json> = card
        .facts
        .iter()
        .map(|(name, value)| mrkdwn(format!("*{}*\n{}", slack(name, 50), slack(value, FIELD))))
        .collect();
    if !fields.is_empty() {
        blocks.push(json!({"type": "section", "fields": fields}));
    }
    if !card.entities.is_empty() {
        let entities: Vec<String> = card.entities.iter().map(|entity| format!("• {}", slack(entity, 250))).collect();
        blocks.push(section(format!("*Entities*\n{}", entities.join("\n"))));
    }
    // Each is a section of its own, because an address can be nearly as long as a section.
    blocks.extend(card.follow_ups.iter().map(|follow_up| section(follow(follow_up))));
    blocks.push(context(&format!("Finding {}", card.finding_id)));
    blocks
}

fn one_of_many(card: &Card) -> Json {
    let mut text = format!("*{}* {}", card.severity, slack(&card.title, 250));
    if let Some(message) = &card.message {
        text.push('\n');
        text.push_str(&slack(&line(message, 300), 400));
    }
    text.push('\n');
    text.push_str(&slack(&card.summary(), 800));
    for follow_up in &card.follow_ups {
        // A link that is cut is none, so what does not fit is left out.
        let link = follow(follow_up);
        if follow_up.url.is_some() && text.chars().count() + link.chars().count() < SECTION {
            text.push('\n');
            text.push_str(&link);
        }
    }
    section(text)
}

fn follow(follow_up: &FollowUp) -> String {
    let name = slack(&follow_up.name, 200);
    match (&follow_up.url, &follow_up.text) {
        (Some(url), _) => format!("<{}|{name}>", url.replace('&', "&amp;")),
        (None, Some(text)) => format!("{name}\n```{}```", slack(&text.replace("```", "'''"), 1500)),
        (None, None) => name,
    }
}

fn section(text: String) -> Json {
    json!({"type": "section", "text": mrkdwn(text)})
}

fn mrkdwn(text: String) -> Json {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}

fn context(text: &str) -> Json {
    json!({"type": "context", "elements": [{"type": "plain_text", "text": slack(text, 300)}]})
}

fn mark(severity: &str) -> &'static str {
    match severity {
        "CRITICAL" => "🔴",
        "HIGH" => "🟠",
        "MEDIUM" => "🟡",
        "LOW" => "🔵",
        _ => "⚪",
    }
}
