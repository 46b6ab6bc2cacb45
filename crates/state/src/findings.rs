//! Findings as people see and change them.

use masthead_ir::finding::Finding;
use masthead_ir::rule::{Kind, Severity};
use masthead_ir::time::Micros;
use serde::{Deserialize, Serialize};
use sqlx::any::{Any, AnyRow};
use sqlx::{AssertSqlSafe, Row as _, Transaction};

use crate::{State, StateError};

/// How many entries a page has at most.
pub(crate) const LONGEST_PAGE: u32 = 1_000;

/// Which findings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FindingQuery {
    /// `new`, `acknowledged`, `closed`.
    pub status: Option<String>,
    /// At least this severe.
    pub severity: Option<Severity>,
    /// The kind.
    pub kind: Option<Kind>,
    /// The id or name of the rule.
    pub rule: Option<String>,
    /// The cluster.
    pub cluster: Option<String>,
    /// The value of an entity.
    pub entity: Option<String>,
    /// Last event not before this moment (microseconds since 1970).
    pub since: Option<Micros>,
    /// Last event before this moment.
    pub until: Option<Micros>,
    /// Words in title or message.
    pub text: Option<String>,
    /// Where the page before ended ([`Page::next`]).
    pub cursor: Option<String>,
    /// How many; 100 if not told, at most 1,000.
    pub limit: Option<u32>,
}

/// A part of a list.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// The cursor of the next part; none: this is the last.
    pub next: Option<String>,
}

/// A finding, and what people did with it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredFinding {
    /// The finding. Its status is that of now.
    #[serde(flatten)]
    pub finding: Finding,
    /// What it was closed as (`true_positive`, `false_positive`, `benign`).
    pub verdict: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Who works on it.
    pub assignee: Option<String>,
    /// When it was written first.
    pub created: Micros,
    /// When it was written or changed last.
    pub updated: Micros,
    /// What happened to it; only where one finding is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<HistoryEntry>,
}

/// Something that happened to a finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryEntry {
    /// When.
    pub at: Micros,
    /// Who did it.
    pub who: String,
    /// What.
    pub what: String,
}

/// What a person does with a finding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FindingChange {
    /// `new`, `acknowledged` or `closed`.
    pub status: Option<String>,
    /// With `closed`: `true_positive`, `false_positive`, `benign`.
    pub verdict: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Who works on it; empty: nobody.
    pub assignee: Option<String>,
    /// A note.
    pub note: Option<String>,
}

impl FindingChange {
    /// What is wrong with it; none if nothing is.
    pub fn fault(&self) -> Option<String> {
        let one_of = |what: &str, value: &Option<String>, known: &[&str]| {
            let value = value.as_deref().filter(|value| !known.contains(value))?;
            Some(format!("`{value}` is no {what}, only one of: {}", known.join(", ")))
        };
        let long = [&self.reason, &self.assignee, &self.note].into_iter().flatten().any(|text| text.len() > 10_000);
        one_of("status", &self.status, &["new", "acknowledged", "closed"])
            .or_else(|| one_of("verdict", &self.verdict, &["true_positive", "false_positive", "benign"]))
            .or_else(|| {
                let closes = self.status.as_deref() == Some("closed");
                (self.verdict.is_some() && !closes).then(|| "a verdict belongs to the status `closed`".to_owned())
            })
            .or_else(|| long.then(|| "a text is longer than 10,000 bytes".to_owned()))
    }

    fn told(&self) -> Vec<String> {
        let mut told = Vec::new();
        if let Some(status) = &self.status {
            let verdict = self.verdict.as_ref().map(|verdict| format!(" as {verdict}")).unwrap_or_default();
            let reason = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            told.push(format!("status {status}{verdict}{reason}"));
        }
        match self.assignee.as_deref() {
            Some("") => told.push("assigned to nobody".to_owned()),
            Some(assignee) => told.push(format!("assigned to {assignee}")),
            None => {}
        }
        told.extend(self.note.as_ref().map(|note| format!("note: {note}")));
        told
    }
}

const COLUMNS: &str = "body, status, verdict, reason, assignee, created, updated, last_seen, id";

impl State {
    /// Findings, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn findings(&self, query: &FindingQuery) -> Result<Page<StoredFinding>, StateError> {
        let limit = query.limit.unwrap_or(100).clamp(1, LONGEST_PAGE);
        let (condition, binds) = conditions(query);
        let text = format!(
            "SELECT {COLUMNS} FROM findings WHERE {condition} ORDER BY last_seen DESC, id DESC LIMIT {}",
            limit + 1
        );
        // Conditions are texts of this file; what a caller gave is bound.
        let mut statement = sqlx::query(AssertSqlSafe(text));
        for bind in &binds {
            statement = match bind {
                Bind::Text(text) => statement.bind(text.as_str()),
                Bind::Number(number) => statement.bind(*number),
            };
        }
        let rows = statement.fetch_all(&self.pool).await.map_err(|error| self.failed(error))?;
        let more = rows.len() > limit as usize;
        let kept = &rows[..rows.len().min(limit as usize)];
        let cursor = |row: &AnyRow| -> Result<String, sqlx::Error> {
            Ok(format!("{}.{}", row.try_get::<i64, _>("last_seen")?, row.try_get::<String, _>("id")?))
        };
        let next = kept.last().filter(|_| more).map(cursor).transpose().map_err(|error| self.failed(error))?;
        let items = kept.iter().map(stored).collect::<Result<_, _>>().map_err(|error| self.failed(error))?;
        Ok(Page { items, next })
    }

    /// One finding with its history.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn finding(&self, id: &str) -> Result<Option<StoredFinding>, StateError> {
        let row =
            sqlx::query("SELECT body, status, verdict, reason, assignee, created, updated FROM findings WHERE id = $1")
                .bind(id)
                .fetch_optional(&self.pool)
                .await
                .map_err(|error| self.failed(error))?;
        let Some(row) = row else { return Ok(None) };
        let mut found = stored(&row).map_err(|error| self.failed(error))?;
        let history: Vec<(i64, String, String)> =
            sqlx::query_as("SELECT at, who, what FROM history WHERE finding_id = $1 ORDER BY id LIMIT 1000")
                .bind(id)
                .fetch_all(&self.pool)
                .await
                .map_err(|error| self.failed(error))?;
        found.history = history.into_iter().map(|(at, who, what)| HistoryEntry { at, who, what }).collect();
        Ok(Some(found))
    }

    /// Changes a finding; none if there is no such finding.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn change(
        &self,
        id: &str,
        change: &FindingChange,
        by: &str,
    ) -> Result<Option<StoredFinding>, StateError> {
        let mut transaction = self.begin().await.map_err(|error| self.failed(error))?;
        let done = apply(&mut transaction, id, change, by).await.map_err(|error| self.failed(error))?;
        transaction.commit().await.map_err(|error| self.failed(error))?;
        if done { self.finding(id).await } else { Ok(None) }
    }
}

async fn apply(tx: &mut Transaction<'_, Any>, id: &str, change: &FindingChange, by: &str) -> Result<bool, sqlx::Error> {
    let now = jiff::Timestamp::now().as_microsecond();
    let found =
        sqlx::query("UPDATE findings SET updated = $1 WHERE id = $2").bind(now).bind(id).execute(&mut **tx).await?;
    if found.rows_affected() == 0 {
        return Ok(false);
    }
    if let Some(status) = &change.status {
        sqlx::query("UPDATE findings SET status = $1, verdict = $2, reason = $3 WHERE id = $4")
            .bind(status)
            .bind(change.verdict.as_deref())
            .bind(change.reason.as_deref())
            .bind(id)
            .execute(&mut **tx)
            .await?;
    }
    if let Some(assignee) = &change.assignee {
        sqlx::query("UPDATE findings SET assignee = $1 WHERE id = $2")
            .bind(Some(assignee.as_str()).filter(|name| !name.is_empty()))
            .bind(id)
            .execute(&mut **tx)
            .await?;
    }
    for what in change.told() {
        sqlx::query("INSERT INTO history (finding_id, at, who, what) VALUES ($1, $2, $3, $4)")
            .bind(id)
            .bind(now)
            .bind(by)
            .bind(what)
            .execute(&mut **tx)
            .await?;
    }
    Ok(true)
}

enum Bind {
    Text(String),
    Number(i64),
}

fn conditions(query: &FindingQuery) -> (String, Vec<Bind>) {
    let mut parts = vec!["1 = 1".to_owned()];
    let mut binds = Vec::new();
    // `?` stands for the number of the bind, which is given as often as it is used.
    let mut add = |text: &str, bind: Bind| {
        binds.push(bind);
        parts.push(text.replace('?', &format!("${}", binds.len())));
    };
    let text = |value: &Option<String>| value.clone().map(Bind::Text);
    if let Some(bind) = text(&query.status) {
        add("status = ?", bind);
    }
    if let Some(severity) = query.severity {
        add("severity >= ?", Bind::Number(severity_number(severity)));
    }
    if let Some(kind) = &query.kind {
        add("kind = ?", Bind::Text(word(kind)));
    }
    if let Some(bind) = text(&query.rule) {
        add("(rule_id = ? OR rule_name = ?)", bind);
    }
    if let Some(bind) = text(&query.cluster) {
        add("cluster = ?", bind);
    }
    if let Some(bind) = text(&query.entity) {
        add("id IN (SELECT finding_id FROM entities WHERE value = ?)", bind);
    }
    if let Some(since) = query.since {
        add("last_seen >= ?", Bind::Number(since));
    }
    if let Some(until) = query.until {
        add("last_seen < ?", Bind::Number(until));
    }
    for word in query.text.iter().flat_map(|text| text.split_whitespace()).take(10) {
        let pattern = word.to_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_");
        add("(LOWER(title) LIKE ? ESCAPE '!' OR LOWER(message) LIKE ? ESCAPE '!')", Bind::Text(format!("%{pattern}%")));
    }
    if let Some((time, id)) = query.cursor.as_deref().and_then(|cursor| cursor.split_once('.')) {
        let time = time.parse().unwrap_or(Micros::MAX);
        binds.push(Bind::Number(time));
        binds.push(Bind::Text(id.to_owned()));
        let (time, id) = (binds.len() - 1, binds.len());
        parts.push(format!("(last_seen < ${time} OR (last_seen = ${time} AND id < ${id}))"));
    }
    (parts.join(" AND "), binds)
}

fn stored(row: &AnyRow) -> Result<StoredFinding, sqlx::Error> {
    let body: String = row.try_get("body")?;
    let mut finding: Finding = serde_json::from_str(&body).map_err(|error| sqlx::Error::Decode(error.into()))?;
    finding.status = row.try_get("status")?;
    Ok(StoredFinding {
        finding,
        verdict: row.try_get("verdict")?,
        reason: row.try_get("reason")?,
        assignee: row.try_get("assignee")?,
        created: row.try_get("created")?,
        updated: row.try_get("updated")?,
        history: Vec::new(),
    })
}

/// The name of a value as JSON has it.
pub(crate) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::new(),
    }
}

pub(crate) fn severity_number(severity: Severity) -> i64 {
    match severity {
        Severity::Informational => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    }
}

/// RFC 3339 as microseconds.
pub(crate) fn micros(text: Option<&str>) -> Option<Micros> {
    text?.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond)
}
