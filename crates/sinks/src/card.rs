//! A finding as people read it, before a chat's own marks: bounded, cleaned text.

use masthead_ir::finding::{Entity, Finding};
use masthead_ir::rule::EntityRole;

use crate::digest::severity_name;
use crate::links::{FollowUp, Links};
use crate::text;

/// How many entities are shown.
const ENTITIES: usize = 10;

/// What is told of one finding.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Card {
    pub(crate) severity: &'static str,
    pub(crate) title: String,
    /// The message, where it says more than the title.
    pub(crate) message: Option<String>,
    /// Names and values, in the order they are shown.
    pub(crate) facts: Vec<(&'static str, String)>,
    /// `user alice (risk 40)`.
    pub(crate) entities: Vec<String>,
    pub(crate) follow_ups: Vec<FollowUp>,
    pub(crate) finding_id: String,
}

impl Card {
    pub(crate) fn new(finding: &Finding, links: &Links) -> Card {
        let title = text::line(&finding.title, 200);
        let message = text::clean(finding.message.trim(), 1500);
        let message = (!message.is_empty() && message != title).then_some(message);
        let mut entities: Vec<String> = finding.entities.iter().take(ENTITIES).map(entity).collect();
        if finding.entities.len() > ENTITIES {
            entities.push(format!("and {} more", finding.entities.len() - ENTITIES));
        }
        let (mut follow_ups, more) = links.of(finding);
        if more > 0 {
            follow_ups.push(FollowUp { name: format!("and {more} more"), url: None, text: None });
        }
        Card {
            severity: severity_name(finding.severity),
            title,
            message,
            facts: facts(finding),
            entities,
            follow_ups,
            finding_id: text::line(&finding.finding_id, 100),
        }
    }

    /// `rule · cluster · events`, in one line.
    pub(crate) fn summary(&self) -> String {
        let parts: Vec<String> = self.facts.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        parts.join(" · ")
    }
}

fn facts(finding: &Finding) -> Vec<(&'static str, String)> {
    let rule = if finding.rule.name.trim().is_empty() { &finding.rule.id } else { &finding.rule.name };
    let attack = (!finding.attack.is_empty()).then(|| text::line(&finding.attack.join(", "), 200));
    let told = |value: &Option<String>| value.as_deref().map(|value| text::line(value, 100));
    let all = [
        ("Rule", Some(text::line(rule, 200))),
        ("Cluster", told(&finding.cluster)),
        ("Events", Some(finding.count.to_string())),
        ("First seen", told(&finding.first_seen)),
        ("Last seen", told(&finding.last_seen)),
        ("ATT&CK", attack),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn entity(entity: &Entity) -> String {
    let value = text::line(&entity.value, 150);
    let kind = text::line(&entity.entity_type, 50);
    match (entity.role, entity.risk_score) {
        (EntityRole::Risk, Some(score)) => format!("{kind} {value} (risk {score})"),
        (EntityRole::Risk, None) => format!("{kind} {value}"),
        (EntityRole::Threat, _) => format!("{kind} {value} (threat)"),
    }
}
