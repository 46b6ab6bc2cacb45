//! One transaction of the engine.

use std::collections::BTreeSet;

use masthead_ir::finding::Finding;
use masthead_ir::rule::EntityRole;
use masthead_ir::time::Micros;
use sqlx::any::Any;
use sqlx::{Row as _, Transaction};

use crate::findings::{micros, severity_number, word};
use crate::risk::{EntityRisk, RiskPolicy};
use crate::{State, StateError};

/// What is written together.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// The last delivery whose events are in it.
    pub position: Option<u64>,
    /// Engine state by key; an old value is replaced.
    pub puts: Vec<(String, Vec<u8>)>,
    /// Engine state that goes. It goes before `puts` come.
    pub deletes: Vec<String>,
    /// Findings that got another id: old and new. They come before `findings`.
    pub renames: Vec<(String, String)>,
    /// Findings that are new or have changed.
    pub findings: Vec<FindingWrite>,
    /// How risk is summed up for [`Committed::risk`].
    pub risk: RiskPolicy,
}

/// A finding, and where it goes if it is new.
#[derive(Debug, Clone)]
pub struct FindingWrite {
    /// The finding.
    pub finding: Finding,
    /// Names of the sinks that it is to be sent to.
    pub sinks: Vec<String>,
}

/// What a commit did.
#[derive(Debug, Clone, Default)]
pub struct Committed {
    /// Ids of findings that are new.
    pub inserted: Vec<String>,
    /// Ids of findings that changed.
    pub updated: Vec<String>,
    /// The risk of the entities that got some, as of the newest event among these findings.
    pub risk: Vec<EntityRisk>,
}

type Tx<'t> = Transaction<'t, Any>;

impl State {
    /// Writes everything or nothing.
    ///
    /// # Errors
    /// When the database cannot be written; nothing is written then.
    pub async fn commit(&self, commit: Commit) -> Result<Committed, StateError> {
        self.try_commit(&commit).await.map_err(|error| self.failed(error))
    }

    async fn try_commit(&self, commit: &Commit) -> Result<Committed, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let tx = &mut transaction;
        let mut done = Committed::default();
        for (old, new) in &commit.renames {
            rename(tx, old, new).await?;
        }
        let mut touched = BTreeSet::new();
        let mut newest = None;
        for write in &commit.findings {
            let now = jiff::Timestamp::now().as_microsecond();
            match upsert(tx, &write.finding, now).await? {
                Upserted::New => {
                    done.inserted.push(write.finding.finding_id.clone());
                    send(tx, write, now).await?;
                }
                Upserted::Changed => done.updated.push(write.finding.finding_id.clone()),
                Upserted::Same => continue,
            }
            newest = newest.max(micros(write.finding.last_seen.as_deref()));
            add_risk(tx, &write.finding, now, &mut touched).await?;
        }
        self.write_engine(tx, commit).await?;
        for (kind, value) in touched {
            let as_of = newest.unwrap_or_else(|| jiff::Timestamp::now().as_microsecond());
            done.risk.extend(crate::risk::of_entity(tx, &kind, &value, as_of, commit.risk).await?);
        }
        transaction.commit().await?;
        Ok(done)
    }

    async fn write_engine(&self, tx: &mut Tx<'_>, commit: &Commit) -> Result<(), sqlx::Error> {
        for name in &commit.deletes {
            sqlx::query("DELETE FROM engine WHERE node = $1 AND name = $2")
                .bind(&self.node)
                .bind(name)
                .execute(&mut **tx)
                .await?;
        }
        for (name, value) in &commit.puts {
            sqlx::query(
                "INSERT INTO engine (node, name, value) VALUES ($1, $2, $3)
                 ON CONFLICT (node, name) DO UPDATE SET value = excluded.value",
            )
            .bind(&self.node)
            .bind(name)
            .bind(value.as_slice())
            .execute(&mut **tx)
            .await?;
        }
        if let Some(position) = commit.position.and_then(|position| i64::try_from(position).ok()) {
            sqlx::query(
                "INSERT INTO positions (node, position) VALUES ($1, $2)
                 ON CONFLICT (node) DO UPDATE SET position = excluded.position",
            )
            .bind(&self.node)
            .bind(position)
            .execute(&mut **tx)
            .await?;
        }
        Ok(())
    }
}

/// A finding under another id keeps what people did with it.
async fn rename(tx: &mut Tx<'_>, old: &str, new: &str) -> Result<(), sqlx::Error> {
    let taken: Option<(String,)> =
        sqlx::query_as("SELECT id FROM findings WHERE id = $1").bind(new).fetch_optional(&mut **tx).await?;
    let statements: &[&'static str] = if taken.is_some() {
        &[
            "DELETE FROM findings WHERE id = $2 AND $1 <> $2",
            "DELETE FROM entities WHERE finding_id = $2 AND $1 <> $2",
            "UPDATE history SET finding_id = $1 WHERE finding_id = $2",
            "DELETE FROM risk WHERE finding_id = $2 AND $1 <> $2",
            "DELETE FROM outbox WHERE finding_id = $2 AND $1 <> $2",
        ]
    } else {
        &[
            "UPDATE findings SET id = $1 WHERE id = $2",
            "UPDATE entities SET finding_id = $1 WHERE finding_id = $2",
            "UPDATE history SET finding_id = $1 WHERE finding_id = $2",
            "UPDATE risk SET finding_id = $1 WHERE finding_id = $2",
            "UPDATE outbox SET finding_id = $1 WHERE finding_id = $2",
        ]
    };
    for statement in statements {
        sqlx::query(*statement).bind(new).bind(old).execute(&mut **tx).await?;
    }
    Ok(())
}

enum Upserted {
    New,
    Changed,
    Same,
}

async fn upsert(tx: &mut Tx<'_>, finding: &Finding, now: Micros) -> Result<Upserted, sqlx::Error> {
    let body = serde_json::to_string(finding).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let known = sqlx::query("SELECT body FROM findings WHERE id = $1")
        .bind(&finding.finding_id)
        .fetch_optional(&mut **tx)
        .await?;
    if let Some(row) = &known
        && row.try_get::<String, _>(0)? == body
    {
        return Ok(Upserted::Same);
    }
    sqlx::query(
        "INSERT INTO findings (id, rule_id, rule_name, kind, severity, status, title, message, cluster,
            first_seen, last_seen, created, updated, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         ON CONFLICT (id) DO UPDATE SET severity = excluded.severity, kind = excluded.kind, title = excluded.title,
            message = excluded.message, cluster = excluded.cluster, first_seen = excluded.first_seen,
            last_seen = excluded.last_seen, updated = excluded.updated, body = excluded.body",
    )
    .bind(&finding.finding_id)
    .bind(&finding.rule.id)
    .bind(&finding.rule.name)
    .bind(word(&finding.kind))
    .bind(severity_number(finding.severity))
    .bind(&finding.status)
    .bind(&finding.title)
    .bind(&finding.message)
    .bind(finding.cluster.as_deref())
    .bind(micros(finding.first_seen.as_deref()))
    .bind(micros(finding.last_seen.as_deref()).unwrap_or(now))
    .bind(now)
    .bind(now)
    .bind(&body)
    .execute(&mut **tx)
    .await?;
    sqlx::query("DELETE FROM entities WHERE finding_id = $1").bind(&finding.finding_id).execute(&mut **tx).await?;
    for entity in &finding.entities {
        sqlx::query("INSERT INTO entities (finding_id, entity_type, value, role) VALUES ($1, $2, $3, $4)")
            .bind(&finding.finding_id)
            .bind(&entity.entity_type)
            .bind(&entity.value)
            .bind(word(&entity.role))
            .execute(&mut **tx)
            .await?;
    }
    Ok(if known.is_some() { Upserted::Changed } else { Upserted::New })
}

async fn send(tx: &mut Tx<'_>, write: &FindingWrite, now: Micros) -> Result<(), sqlx::Error> {
    let payload = serde_json::to_string(&write.finding).map_err(|error| sqlx::Error::Encode(error.into()))?;
    for sink in &write.sinks {
        sqlx::query(
            "INSERT INTO outbox (sink, finding_id, payload, queued, due, attempts, dead)
             VALUES ($1, $2, $3, $4, $4, 0, 0) ON CONFLICT (sink, finding_id) DO NOTHING",
        )
        .bind(sink)
        .bind(&write.finding.finding_id)
        .bind(&payload)
        .bind(now)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

async fn add_risk(
    tx: &mut Tx<'_>,
    finding: &Finding,
    now: Micros,
    touched: &mut BTreeSet<(String, String)>,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM risk WHERE finding_id = $1").bind(&finding.finding_id).execute(&mut **tx).await?;
    let at = micros(finding.last_seen.as_deref()).unwrap_or(now);
    for entity in finding.entities.iter().filter(|entity| entity.role == EntityRole::Risk) {
        let Some(score) = entity.risk_score.filter(|score| *score != 0) else { continue };
        sqlx::query(
            "INSERT INTO risk (finding_id, rule_id, entity_type, entity, score, at, techniques)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (finding_id, entity_type, entity) DO UPDATE SET score = risk.score + excluded.score",
        )
        .bind(&finding.finding_id)
        .bind(&finding.rule.id)
        .bind(&entity.entity_type)
        .bind(&entity.value)
        .bind(score)
        .bind(at)
        .bind(finding.attack.join(" "))
        .execute(&mut **tx)
        .await?;
        touched.insert((entity.entity_type.clone(), entity.value.clone()));
    }
    Ok(())
}
