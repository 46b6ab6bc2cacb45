//! One transaction of the engine.

use std::collections::{BTreeMap, BTreeSet};

use masthead_ir::finding::Finding;
use masthead_ir::rule::EntityRole;
use masthead_ir::time::Micros;
use sqlx::Transaction;
use sqlx::any::Any;

use crate::findings::{micros, severity_number, word};
use crate::many::{self, Bind, Insert};
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
        let mut transaction = self.begin().await?;
        let tx = &mut transaction;
        let mut done = Committed::default();
        for (old, new) in &commit.renames {
            rename(tx, old, new).await?;
        }
        let now = jiff::Timestamp::now().as_microsecond();
        // Of two writes under one id the last counts.
        let writes: BTreeMap<&str, &FindingWrite> =
            commit.findings.iter().map(|write| (write.finding.finding_id.as_str(), write)).collect();
        let (new, changed) = split(tx, &writes).await?;
        let ids = |rows: &[Prepared<'_>]| rows.iter().map(|row| row.write.finding.finding_id.clone()).collect();
        (done.inserted, done.updated) = (ids(&new), ids(&changed));
        for table in ["entities", "risk"] {
            let gone = done.updated.iter().map(|id| Bind::Text(id.clone())).collect();
            many::delete(tx, &format!("DELETE FROM {table} WHERE finding_id"), gone).await?;
        }
        let all: Vec<&Prepared<'_>> = new.iter().chain(&changed).collect();
        write_findings(tx, &all, now).await?;
        let touched = write_entities(tx, &all, now).await?;
        write_outbox(tx, &new, now).await?;
        self.write_engine(tx, commit).await?;
        let newest = all.iter().filter_map(|row| micros(row.write.finding.last_seen.as_deref())).max();
        for (kind, value) in touched {
            let as_of = newest.unwrap_or(now);
            done.risk.extend(crate::risk::of_entity(tx, &kind, &value, as_of, commit.risk).await?);
        }
        transaction.commit().await?;
        Ok(done)
    }

    async fn write_engine(&self, tx: &mut Tx<'_>, commit: &Commit) -> Result<(), sqlx::Error> {
        let node = || Bind::Text(self.node.clone());
        let gone = commit.deletes.iter().map(|name| Bind::Text(name.clone())).collect();
        many::delete_of(tx, "DELETE FROM engine WHERE node = $1 AND name", node(), gone).await?;
        let puts: BTreeMap<&String, &Vec<u8>> = commit.puts.iter().map(|(name, value)| (name, value)).collect();
        let rows =
            puts.into_iter().map(|(name, value)| vec![node(), Bind::Text(name.clone()), Bind::Bytes(value.clone())]);
        let statement = Insert {
            into: "engine (node, name, value)",
            conflict: "ON CONFLICT (node, name) DO UPDATE SET value = excluded.value",
        };
        many::insert(tx, &statement, rows.collect()).await?;
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

/// A finding and its JSON.
struct Prepared<'w> {
    write: &'w FindingWrite,
    body: String,
}

/// Those that are not known, and those that are not what is known.
async fn split<'w>(
    tx: &mut Tx<'_>,
    writes: &BTreeMap<&str, &'w FindingWrite>,
) -> Result<(Vec<Prepared<'w>>, Vec<Prepared<'w>>), sqlx::Error> {
    let ids = writes.keys().map(|id| Bind::Text((*id).to_owned())).collect();
    let known = many::select(tx, "SELECT id, body FROM findings WHERE id", ids).await?;
    let (mut new, mut changed) = (Vec::new(), Vec::new());
    for (id, write) in writes {
        let body = serde_json::to_string(&write.finding).map_err(|error| sqlx::Error::Encode(error.into()))?;
        match known.get(*id) {
            None => new.push(Prepared { write, body }),
            Some(old) if *old != body => changed.push(Prepared { write, body }),
            Some(_) => {}
        }
    }
    Ok((new, changed))
}

async fn write_findings(tx: &mut Tx<'_>, all: &[&Prepared<'_>], now: Micros) -> Result<(), sqlx::Error> {
    let row = |row: &&Prepared<'_>| {
        let finding = &row.write.finding;
        let text = |text: &str| Bind::Text(text.to_owned());
        vec![
            text(&finding.finding_id),
            text(&finding.rule.id),
            text(&finding.rule.name),
            Bind::Text(word(&finding.kind)),
            Bind::Number(severity_number(finding.severity)),
            text(&finding.status),
            text(&finding.title),
            text(&finding.message),
            Bind::MaybeText(finding.cluster.clone()),
            Bind::MaybeNumber(micros(finding.first_seen.as_deref())),
            Bind::Number(micros(finding.last_seen.as_deref()).unwrap_or(now)),
            Bind::Number(now),
            Bind::Number(now),
            text(&row.body),
        ]
    };
    let statement = Insert {
        into: "findings (id, rule_id, rule_name, kind, severity, status, title, message, cluster,
            first_seen, last_seen, created, updated, body)",
        conflict: "ON CONFLICT (id) DO UPDATE SET severity = excluded.severity, kind = excluded.kind,
            title = excluded.title, message = excluded.message, cluster = excluded.cluster,
            first_seen = excluded.first_seen, last_seen = excluded.last_seen, updated = excluded.updated,
            body = excluded.body",
    };
    many::insert(tx, &statement, all.iter().map(row).collect()).await
}

/// Entities and their risk; gives the entities that got some.
async fn write_entities(
    tx: &mut Tx<'_>,
    all: &[&Prepared<'_>],
    now: Micros,
) -> Result<BTreeSet<(String, String)>, sqlx::Error> {
    let mut entities = Vec::new();
    // An entity that a finding names twice gets the risk of both.
    let mut scores: BTreeMap<(&str, &str, &str), i64> = BTreeMap::new();
    let mut findings: BTreeMap<&str, &Finding> = BTreeMap::new();
    for finding in all.iter().map(|row| &row.write.finding) {
        findings.insert(&finding.finding_id, finding);
        for entity in &finding.entities {
            let text = |text: &str| Bind::Text(text.to_owned());
            let role = Bind::Text(word(&entity.role));
            entities.push(vec![text(&finding.finding_id), text(&entity.entity_type), text(&entity.value), role]);
            let Some(score) = entity.risk_score.filter(|score| *score != 0 && entity.role == EntityRole::Risk) else {
                continue;
            };
            *scores.entry((&finding.finding_id, &entity.entity_type, &entity.value)).or_default() += score;
        }
    }
    let mut touched = BTreeSet::new();
    let mut risk = Vec::new();
    for ((id, kind, value), score) in scores {
        let Some(finding) = findings.get(id) else { continue };
        touched.insert((kind.to_owned(), value.to_owned()));
        risk.push(vec![
            Bind::Text(id.to_owned()),
            Bind::Text(finding.rule.id.clone()),
            Bind::Text(kind.to_owned()),
            Bind::Text(value.to_owned()),
            Bind::Number(score),
            Bind::Number(micros(finding.last_seen.as_deref()).unwrap_or(now)),
            Bind::Text(finding.attack.join(" ")),
        ]);
    }
    let into = "entities (finding_id, entity_type, value, role)";
    many::insert(tx, &Insert { into, conflict: "" }, entities).await?;
    let into = "risk (finding_id, rule_id, entity_type, entity, score, at, techniques)";
    many::insert(tx, &Insert { into, conflict: "" }, risk).await?;
    Ok(touched)
}

async fn write_outbox(tx: &mut Tx<'_>, new: &[Prepared<'_>], now: Micros) -> Result<(), sqlx::Error> {
    let mut rows = Vec::new();
    for row in new {
        for sink in &row.write.sinks {
            rows.push(vec![
                Bind::Text(sink.clone()),
                Bind::Text(row.write.finding.finding_id.clone()),
                Bind::Text(row.body.clone()),
                Bind::Number(now),
                Bind::Number(now),
                Bind::Number(0),
                Bind::Number(0),
            ]);
        }
    }
    let statement = Insert {
        into: "outbox (sink, finding_id, payload, queued, due, attempts, dead)",
        conflict: "ON CONFLICT (sink, finding_id) DO NOTHING",
    };
    many::insert(tx, &statement, rows).await
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
