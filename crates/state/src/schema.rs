//! The tables, step by step: what one version has is what the steps before it made.

use sqlx::AssertSqlSafe;

use crate::{State, StateError};

/// Each step is run once, in order; what is in a released step is never changed. `{blob}` and `{serial}` stand for what the two
/// databases call differently.
const STEPS: &[&[&str]] = &[&[
    "CREATE TABLE findings (
        id TEXT PRIMARY KEY, rule_id TEXT NOT NULL, rule_name TEXT NOT NULL, kind TEXT NOT NULL,
        severity BIGINT NOT NULL, status TEXT NOT NULL, verdict TEXT, reason TEXT, assignee TEXT,
        title TEXT NOT NULL, message TEXT NOT NULL, cluster TEXT,
        first_seen BIGINT, last_seen BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL,
        body TEXT NOT NULL)",
    "CREATE INDEX findings_by_time ON findings (last_seen, id)",
    "CREATE INDEX findings_by_rule ON findings (rule_id)",
    "CREATE TABLE entities (
        finding_id TEXT NOT NULL, entity_type TEXT NOT NULL, value TEXT NOT NULL, role TEXT NOT NULL)",
    "CREATE INDEX entities_by_finding ON entities (finding_id)",
    "CREATE INDEX entities_by_value ON entities (value)",
    "CREATE TABLE history (
        id {serial}, finding_id TEXT NOT NULL, at BIGINT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL)",
    "CREATE INDEX history_by_finding ON history (finding_id)",
    "CREATE TABLE risk (
        finding_id TEXT NOT NULL, rule_id TEXT NOT NULL, entity_type TEXT NOT NULL, entity TEXT NOT NULL,
        score BIGINT NOT NULL, at BIGINT NOT NULL, techniques TEXT NOT NULL,
        PRIMARY KEY (finding_id, entity_type, entity))",
    "CREATE INDEX risk_by_entity ON risk (entity_type, entity, at)",
    "CREATE INDEX risk_by_time ON risk (at)",
    "CREATE TABLE outbox (
        id {serial}, sink TEXT NOT NULL, finding_id TEXT NOT NULL, payload TEXT NOT NULL, queued BIGINT NOT NULL,
        due BIGINT NOT NULL, attempts BIGINT NOT NULL, error TEXT, dead BIGINT NOT NULL,
        UNIQUE (sink, finding_id))",
    "CREATE INDEX outbox_by_sink ON outbox (sink, dead, id)",
    "CREATE TABLE engine (node TEXT NOT NULL, name TEXT NOT NULL, value {blob} NOT NULL, PRIMARY KEY (node, name))",
    "CREATE TABLE positions (node TEXT PRIMARY KEY, position BIGINT NOT NULL)",
    "CREATE TABLE tokens (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL, scopes TEXT NOT NULL,
        created BIGINT NOT NULL, expires BIGINT)",
]];

/// Brings the tables to the newest form.
pub(crate) async fn prepare(state: &State) -> Result<(), StateError> {
    let failed = |error| state.failed(error);
    sqlx::query("CREATE TABLE IF NOT EXISTS schema_steps (step BIGINT PRIMARY KEY)")
        .execute(&state.pool)
        .await
        .map_err(failed)?;
    let mut transaction = state.begin().await.map_err(failed)?;
    if !state.is_sqlite() {
        // Of several nodes that start at once one makes the tables.
        sqlx::query("LOCK TABLE schema_steps IN EXCLUSIVE MODE").execute(&mut *transaction).await.map_err(failed)?;
    }
    let (done,): (i64,) = sqlx::query_as("SELECT COALESCE(MAX(step), 0) FROM schema_steps")
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed)?;
    let known = STEPS.len() as i64;
    if done > known {
        return Err(StateError::Newer { place: state.place.to_string(), found: done, known });
    }
    let (blob, serial) = match state.is_sqlite() {
        true => ("BLOB", "INTEGER PRIMARY KEY AUTOINCREMENT"),
        false => ("BYTEA", "BIGSERIAL PRIMARY KEY"),
    };
    for (number, step) in (1..).zip(STEPS).skip(usize::try_from(done).unwrap_or(0)) {
        for statement in *step {
            let statement = statement.replace("{blob}", blob).replace("{serial}", serial);
            // The text is of this file alone.
            sqlx::query(AssertSqlSafe(statement)).execute(&mut *transaction).await.map_err(failed)?;
        }
        let number: i64 = number;
        sqlx::query("INSERT INTO schema_steps (step) VALUES ($1)")
            .bind(number)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}
