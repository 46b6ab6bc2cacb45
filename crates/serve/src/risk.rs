//! Findings about entities whose risk has grown too high.

use std::collections::BTreeMap;

use jiff::Timestamp;
use masthead_ir::finding::{Entity, Finding, RuleRef};
use masthead_ir::rule::{EntityRole, Kind, Severity};
use masthead_state::{EntityRisk, RiskPolicy};
use serde_json::{Map, json};
use sha2::{Digest as _, Sha256};

use crate::config::RiskConfig;

/// When risk becomes a finding.
#[derive(Debug, Clone)]
pub(crate) struct RiskRules {
    config: RiskConfig,
}

/// The rules of the service itself.
const SCORE: (&str, &str) = ("masthead-risk-score", "Risk score of an entity over 24 hours");
const TACTICS: (&str, &str) = ("masthead-risk-tactics", "ATT&CK tactics of an entity over 7 days");

impl RiskRules {
    pub(crate) fn new(config: &RiskConfig) -> RiskRules {
        RiskRules { config: config.clone() }
    }

    pub(crate) fn policy(&self) -> RiskPolicy {
        self.config.half_life_hours.map_or(RiskPolicy::Plain, RiskPolicy::HalfLife)
    }

    /// The findings that this risk makes. One a day, rule and entity: the same again is an update.
    pub(crate) fn findings(&self, risk: &[EntityRisk]) -> Vec<Finding> {
        let mut found = BTreeMap::new();
        for entity in risk {
            let score = entity.score_24h.round() as i64;
            if self.config.threshold > 0 && score >= self.config.threshold {
                let severity = if score >= 2 * self.config.threshold { Severity::Critical } else { Severity::High };
                let message = format!(
                    "{} {} has a risk score of {score} over 24 hours, of {}",
                    entity.entity_type,
                    entity.value,
                    counted(entity.rules.len(), "rule")
                );
                let finding = finding(SCORE, entity, severity, message);
                found.insert(finding.finding_id.clone(), finding);
            }
            let tactics = entity.tactics.len() as u64;
            if self.config.tactics > 0 && tactics >= self.config.tactics && entity.rules.len() > 1 {
                let message = format!(
                    "{} {} was seen in {} over 7 days ({}), by {}",
                    entity.entity_type,
                    entity.value,
                    counted(entity.tactics.len(), "ATT&CK tactic"),
                    entity.tactics.join(", "),
                    counted(entity.rules.len(), "rule")
                );
                let finding = finding(TACTICS, entity, Severity::High, message);
                found.insert(finding.finding_id.clone(), finding);
            }
        }
        found.into_values().collect()
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn finding((id, name): (&str, &str), entity: &EntityRisk, severity: Severity, message: String) -> Finding {
    let last = Timestamp::from_microsecond(entity.last).ok();
    let day = last.map(|last| last.strftime("%Y-%m-%d").to_string()).unwrap_or_default();
    let mut fields = Map::new();
    fields.insert("score_24h".to_owned(), json!(entity.score_24h));
    fields.insert("score_7d".to_owned(), json!(entity.score_7d));
    fields.insert("tactics".to_owned(), json!(entity.tactics));
    fields.insert("rules".to_owned(), json!(entity.rules));
    fields.insert("findings".to_owned(), json!(entity.findings));
    Finding {
        finding_id: own_id(&[id, &entity.entity_type, &entity.value, &day]),
        kind: Kind::Finding,
        rule: own_rule(id, name),
        severity,
        status: "new".to_owned(),
        title: name.to_owned(),
        message,
        first_seen: last.map(|last| last.to_string()),
        last_seen: last.map(|last| last.to_string()),
        count: entity.findings.len() as u64,
        // Without a score: a risk finding must not raise the risk that made it.
        entities: vec![Entity {
            entity_type: entity.entity_type.clone(),
            value: entity.value.clone(),
            role: EntityRole::Risk,
            risk_score: None,
            message: None,
        }],
        attack: Vec::new(),
        audit_ids: Vec::new(),
        audit_id_count: 0,
        cluster: None,
        fields,
        details: Map::new(),
    }
}

/// The rule of a finding of the service itself.
pub(crate) fn own_rule(id: &str, name: &str) -> RuleRef {
    RuleRef { id: id.to_owned(), name: name.to_owned(), dialect: "masthead".to_owned(), path: String::new() }
}

/// A deterministic id in the form of a UUID.
pub(crate) fn own_id(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let hash: String = hasher.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let part = |range: std::ops::Range<usize>| hash.get(range).unwrap_or_default().to_owned();
    format!("{}-{}-8{}-a{}-{}", part(0..8), part(8..12), part(13..16), part(17..20), part(20..32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_and_tactics_make_findings_once_a_day() {
        let risk = |score: f64, tactics: &[&str], rules: &[&str]| EntityRisk {
            entity_type: "user".into(),
            value: "eve".into(),
            score_24h: score,
            score_7d: score,
            tactics: tactics.iter().map(|t| (*t).to_owned()).collect(),
            rules: rules.iter().map(|t| (*t).to_owned()).collect(),
            findings: vec!["f".into()],
            last: 1_795_132_800_000_000,
        };
        let rules = RiskRules::new(&RiskConfig::default());
        let told =
            |risk: EntityRisk| rules.findings(&[risk]).into_iter().map(|f| (f.rule.id, f.severity)).collect::<Vec<_>>();
        assert_eq!(told(risk(99.0, &["a", "b"], &["r"])), []);
        assert_eq!(told(risk(100.0, &[], &["r"])), [(SCORE.0.to_owned(), Severity::High)]);
        assert_eq!(told(risk(200.0, &[], &["r"])), [(SCORE.0.to_owned(), Severity::Critical)]);
        assert_eq!(told(risk(1.0, &["a", "b", "c"], &["r"])), []);
        assert_eq!(told(risk(1.0, &["a", "b", "c"], &["r", "s"])), [(TACTICS.0.to_owned(), Severity::High)]);
        let ids = |score| rules.findings(&[risk(score, &[], &[])]).pop().map(|f| f.finding_id);
        assert_eq!(ids(100.0), ids(150.0));
    }
}
