//! Risk of entities: what findings add up to.

use std::collections::BTreeSet;

use masthead_ir::time::Micros;
use serde::{Deserialize, Serialize};
use sqlx::any::Any;
use sqlx::{AssertSqlSafe, Transaction};

use crate::findings::{LONGEST_PAGE, Page};
use crate::tactics::tactics_of;
use crate::{State, StateError};

const HOUR: Micros = 3_600_000_000;
const DAY: Micros = 24 * HOUR;

/// How many risk events of one entity are looked at: the newest.
const LOOKED_AT: i64 = 10_000;

/// How many findings are named.
const NAMED: usize = 100;

/// How a score is summed up.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub enum RiskPolicy {
    /// Every event counts in full.
    #[default]
    Plain,
    /// An event counts half after so many hours.
    HalfLife(u32),
}

impl RiskPolicy {
    fn weight(self, age: Micros) -> f64 {
        match self {
            RiskPolicy::HalfLife(hours) if hours > 0 => {
                0.5_f64.powf(age.max(0) as f64 / (f64::from(hours) * HOUR as f64))
            }
            _ => 1.0,
        }
    }
}

/// The risk of one entity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntityRisk {
    /// Its type (`user`, `system`).
    pub entity_type: String,
    /// Its value.
    pub value: String,
    /// The score of the last 24 hours.
    pub score_24h: f64,
    /// The score of the last 7 days.
    pub score_7d: f64,
    /// ATT&CK tactics of the last 7 days.
    pub tactics: Vec<String>,
    /// Ids of rules of the last 7 days.
    pub rules: Vec<String>,
    /// Ids of findings of the last 7 days, the newest first, at most 100.
    pub findings: Vec<String>,
    /// The time of the newest event.
    pub last: Micros,
}

/// Which entities.
#[derive(Debug, Clone, Copy, Default)]
pub struct RiskQuery {
    /// The moment that the 24 hours and 7 days end with; none: now.
    pub as_of: Option<Micros>,
    /// How the score is summed up.
    pub policy: RiskPolicy,
    /// How many; 100 if not told, at most 1,000.
    pub limit: Option<u32>,
    /// How many are left out, for the next page.
    pub offset: u32,
}

impl State {
    /// Entities with risk in the last 7 days, the highest score first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn risk(&self, query: &RiskQuery) -> Result<Page<EntityRisk>, StateError> {
        let as_of = query.as_of.unwrap_or_else(|| jiff::Timestamp::now().as_microsecond());
        let limit = query.limit.unwrap_or(100).clamp(1, LONGEST_PAGE);
        let text = format!(
            "SELECT entity_type, entity, CAST(SUM(score) AS BIGINT) AS total FROM risk
             WHERE at > $1 AND at <= $2 GROUP BY entity_type, entity ORDER BY total DESC, entity_type, entity
             LIMIT {} OFFSET {}",
            limit + 1,
            query.offset
        );
        let rows: Vec<(String, String, i64)> = sqlx::query_as(AssertSqlSafe(text))
            .bind(as_of.saturating_sub(7 * DAY))
            .bind(as_of)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.failed(error))?;
        let more = rows.len() > limit as usize;
        let mut transaction = self.begin().await.map_err(|error| self.failed(error))?;
        let mut items = Vec::new();
        for (kind, value, _) in rows.iter().take(limit as usize) {
            let risk = of_entity(&mut transaction, kind, value, as_of, query.policy).await;
            items.extend(risk.map_err(|error| self.failed(error))?);
        }
        items.sort_by(|a, b| b.score_24h.total_cmp(&a.score_24h).then(b.score_7d.total_cmp(&a.score_7d)));
        Ok(Page { items, next: more.then(|| (query.offset + limit).to_string()) })
    }

    /// The risk of one entity; none if it has none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn entity_risk(
        &self,
        entity_type: &str,
        value: &str,
        as_of: Micros,
        policy: RiskPolicy,
    ) -> Result<Option<EntityRisk>, StateError> {
        let mut transaction = self.begin().await.map_err(|error| self.failed(error))?;
        of_entity(&mut transaction, entity_type, value, as_of, policy).await.map_err(|error| self.failed(error))
    }
}

pub(crate) async fn of_entity(
    tx: &mut Transaction<'_, Any>,
    entity_type: &str,
    value: &str,
    as_of: Micros,
    policy: RiskPolicy,
) -> Result<Option<EntityRisk>, sqlx::Error> {
    let rows: Vec<(String, String, i64, i64, String)> = sqlx::query_as(
        "SELECT finding_id, rule_id, score, at, techniques FROM risk
         WHERE entity_type = $1 AND entity = $2 AND at > $3 AND at <= $4 ORDER BY at DESC, finding_id LIMIT $5",
    )
    .bind(entity_type)
    .bind(value)
    .bind(as_of.saturating_sub(7 * DAY))
    .bind(as_of)
    .bind(LOOKED_AT)
    .fetch_all(&mut **tx)
    .await?;
    let Some((.., last, _)) = rows.first() else { return Ok(None) };
    let mut found = EntityRisk {
        entity_type: entity_type.to_owned(),
        value: value.to_owned(),
        score_24h: 0.0,
        score_7d: 0.0,
        tactics: Vec::new(),
        rules: Vec::new(),
        findings: rows.iter().take(NAMED).map(|(id, ..)| id.clone()).collect(),
        last: *last,
    };
    let (mut tactics, mut rules) = (BTreeSet::new(), BTreeSet::new());
    for (_, rule, score, at, techniques) in &rows {
        let age = as_of - at;
        let score = *score as f64 * policy.weight(age);
        found.score_7d += score;
        if age < DAY {
            found.score_24h += score;
        }
        rules.insert(rule.clone());
        tactics.extend(techniques.split_whitespace().flat_map(tactics_of).map(|tactic| (*tactic).to_owned()));
    }
    found.tactics = tactics.into_iter().collect();
    found.rules = rules.into_iter().collect();
    Ok(Some(found))
}
