//! Findings on their way to sinks: written with the finding, gone when the sink has accepted it.

use std::collections::BTreeMap;

use masthead_ir::finding::Finding;
use masthead_ir::time::Micros;

use crate::{State, StateError};

/// A finding that waits for one sink.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// Its number: findings are sent in this order.
    pub id: i64,
    /// The finding.
    pub finding: Finding,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// When it was put here.
    pub queued: Micros,
}

impl State {
    /// Findings that wait for a sink and are due, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn outbox(&self, sink: &str, now: Micros, limit: u32) -> Result<Vec<Outgoing>, StateError> {
        let rows: Vec<(i64, String, i64, i64)> = sqlx::query_as(
            "SELECT id, payload, attempts, queued FROM outbox
             WHERE sink = $1 AND dead = 0 AND due <= $2 ORDER BY id LIMIT $3",
        )
        .bind(sink)
        .bind(now)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failed(error))?;
        let read = |(id, payload, attempts, queued): (i64, String, i64, i64)| {
            let finding = serde_json::from_str(&payload).map_err(|error| sqlx::Error::Decode(error.into()))?;
            Ok(Outgoing { id, finding, attempts: u32::try_from(attempts).unwrap_or(u32::MAX), queued })
        };
        rows.into_iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(|error| self.failed(error))
    }

    /// These were accepted.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn sent(&self, ids: &[i64]) -> Result<(), StateError> {
        let mut transaction = self.begin().await.map_err(|error| self.failed(error))?;
        for id in ids {
            sqlx::query("DELETE FROM outbox WHERE id = $1")
                .bind(*id)
                .execute(&mut *transaction)
                .await
                .map_err(|error| self.failed(error))?;
        }
        transaction.commit().await.map_err(|error| self.failed(error))
    }

    /// This one was tried in vain, and is due again at a moment.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn retry_later(&self, id: i64, at: Micros, error: &str) -> Result<(), StateError> {
        sqlx::query("UPDATE outbox SET attempts = attempts + 1, due = $1, error = $2 WHERE id = $3")
            .bind(at)
            .bind(error)
            .bind(id)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(|error| self.failed(error))
    }

    /// This one is given up. It stays, for whoever looks.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn dead(&self, id: i64, error: &str) -> Result<(), StateError> {
        sqlx::query("UPDATE outbox SET dead = 1, error = $1 WHERE id = $2")
            .bind(error)
            .bind(id)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(|error| self.failed(error))
    }

    /// How many findings wait, by sink.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn outbox_lengths(&self) -> Result<BTreeMap<String, u64>, StateError> {
        let rows: Vec<(String, i64)> = sqlx::query_as("SELECT sink, COUNT(*) FROM outbox WHERE dead = 0 GROUP BY sink")
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.failed(error))?;
        Ok(rows.into_iter().map(|(sink, count)| (sink, u64::try_from(count).unwrap_or(0))).collect())
    }
}
