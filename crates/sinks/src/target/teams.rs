//! Messages for Microsoft Teams: an Adaptive Card by a workflow's webhook.
//!
//! A message may have 28 KB. Texts of events are `TextRun`s where they can be, because those know no marks.

use serde_json::{Value as Json, json};

use crate::card::Card;
use crate::digest::{Digest, severity_name};
use crate::links::{FollowUp, Links};
use crate::text::{line, unlinked};

/// Buttons that a card shows at most.
const ACTIONS: usize = 5;
/// The addresses of a card together: they are the only long texts that are not cut.
const ACTIONS_BYTES: usize = 8000;

/// The message.
pub(crate) fn payload(digest: Digest<'_>, links: &Links) -> Json {
    let severity = severity_name(digest.worst().severity);
    let mut body = vec![runs(vec![
        json!({"type": "TextRun", "text": format!("{severity}: "), "weight": "Bolder", "size": "Large", "color": color(severity)}),
        json!({"type": "TextRun", "text": digest.headline(), "weight": "Bolder", "size": "Large"}),
    ])];
    let mut actions = Vec::new();
    if digest.is_single() {
        let card = Card::new(digest.worst(), links);
        body.extend(single(&card));
        actions = buttons(&card.follow_ups);
    } else {
        for finding in digest.shown() {
            body.push(one_of_many(&Card::new(finding, links)));
        }
        if let Some(more) = digest.more_text() {
            body.push(text(&more, true));
        }
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": {"width": "Full"},
                "body": body,
                "actions": actions,
            },
        }],
    })
}

fn single(card: &Card) -> Vec<Json> {
    let mut body = Vec::new();
    if let Some(message) = &card.message {
        body.push(text(message, false));
    }
    let mut facts: Vec<Json> =
        card.facts.iter().map(|(name, value)| json!({"title": name, "value": unlinked(value)})).collect();
    facts.extend(card.entities.iter().map(|entity| json!({"title": "Entity", "value": unlinked(entity)})));
    body.push(json!({"type": "FactSet", "facts": facts}));
    for follow_up in card.follow_ups.iter().filter(|follow_up| follow_up.url.is_none()) {
        let told = follow_up.text.as_deref().map(|text| format!(": {text}")).unwrap_or_default();
        body.push(text(&format!("{}{told}", follow_up.name), true));
    }
    body.push(text(&format!("Finding {}", card.finding_id), true));
    body
}

fn one_of_many(card: &Card) -> Json {
    let mut inlines = vec![
        json!({"type": "TextRun", "text": format!("{} ", card.severity), "weight": "Bolder", "color": color(card.severity)}),
        json!({"type": "TextRun", "text": card.title, "weight": "Bolder"}),
    ];
    if let Some(message) = &card.message {
        inlines.push(json!({"type": "TextRun", "text": format!("\n{}", line(message, 300))}));
    }
    let summary = line(&card.summary(), 500);
    inlines.push(json!({"type": "TextRun", "text": format!("\n{summary}"), "isSubtle": true}));
    runs(inlines)
}

fn buttons(follow_ups: &[FollowUp]) -> Vec<Json> {
    let mut room = ACTIONS_BYTES;
    let mut actions = Vec::new();
    for follow_up in follow_ups {
        let Some(url) = follow_up.url.as_deref().filter(|url| url.len() <= room) else { continue };
        room -= url.len();
        actions.push(json!({"type": "Action.OpenUrl", "title": follow_up.name, "url": url}));
    }
    actions.truncate(ACTIONS);
    actions
}

fn text(text: &str, subtle: bool) -> Json {
    runs(vec![json!({"type": "TextRun", "text": text, "isSubtle": subtle})])
}

fn runs(inlines: Vec<Json>) -> Json {
    json!({"type": "RichTextBlock", "inlines": inlines})
}

fn color(severity: &str) -> &'static str {
    match severity {
        "CRITICAL" | "HIGH" => "Attention",
        "MEDIUM" => "Warning",
        _ => "Accent",
    }
}
