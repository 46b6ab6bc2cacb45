//! Findings: the contract's record.

use serde::{Deserialize, Serialize};

use crate::rule::{EntityRole, Kind, Severity};

/// What a rule found. Serialises to the JSON of the command-line contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Deterministic: the same rule, key and window give the same id (UUID version 5).
    pub finding_id: String,
    /// The kind.
    pub kind: Kind,
    /// The rule.
    pub rule: RuleRef,
    /// The severity.
    pub severity: Severity,
    /// `new` until somebody says otherwise.
    pub status: String,
    /// The title, tokens filled.
    pub title: String,
    /// The message, tokens filled.
    pub message: String,
    /// Time of the first event behind it, RFC 3339 UTC; none if no event has a time.
    pub first_seen: Option<String>,
    /// Time of the last event behind it.
    pub last_seen: Option<String>,
    /// How many events are behind it.
    pub count: u64,
    /// Entities, with the risk each gets.
    pub entities: Vec<Entity>,
    /// ATT&CK technique ids.
    pub attack: Vec<String>,
    /// Audit ids of the events behind it, at most [`MAX_EVIDENCE`].
    pub audit_ids: Vec<String>,
    /// How many different audit ids there are.
    pub audit_id_count: u64,
    /// The cluster, where the envelope told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The result row, or the alert context.
    pub fields: serde_json::Map<String, serde_json::Value>,
    /// What else a rule said (reference, runbook, destinations, drilldowns).
    #[serde(skip_serializing_if = "serde_json::Map::is_empty", default)]
    pub details: serde_json::Map<String, serde_json::Value>,
}

impl Finding {
    /// What a person reads first: the message, or the title where there is none.
    pub fn message_or_title(&self) -> &str {
        if self.message.trim().is_empty() { &self.title } else { &self.message }
    }
}

/// How many audit ids a finding carries.
pub const MAX_EVIDENCE: usize = 100;

/// The rule of a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleRef {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its dialect.
    pub dialect: String,
    /// Its file.
    pub path: String,
}

/// An entity of a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    /// `user`, `system`, `other`, or an indicator type.
    #[serde(rename = "type")]
    pub entity_type: String,
    /// Its value.
    pub value: String,
    /// At risk, or a threat.
    pub role: EntityRole,
    /// The risk added.
    pub risk_score: Option<i64>,
    /// The message of its risk event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
