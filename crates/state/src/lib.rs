//! Findings, risk, what the engine must remember, what waits to be sent: in SQLite, or in PostgreSQL for several nodes.
//!
//! One code path over both. Everything that belongs together is written in one transaction ([`State::commit`]): findings, the
//! engine's state, and the place up to which events were read.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod commit;
mod error;
mod findings;
mod many;
mod outbox;
mod risk;
mod schema;
mod tactics;
mod tokens;

use std::path::{Path, PathBuf};
use std::time::Duration;

use masthead_ir::time::Micros;
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyPool, Connection as _};

pub use commit::{Commit, Committed, FindingWrite};
pub use error::StateError;
pub use findings::{FindingChange, FindingQuery, HistoryEntry, Page, StoredFinding};
pub use outbox::Outgoing;
pub use risk::{EntityRisk, RiskPolicy, RiskQuery};
pub use tactics::tactics_of;
pub use tokens::{NewToken, Scope, Token};

/// How long a statement waits for another process that writes.
const BUSY: Duration = Duration::from_secs(10);

/// A store of findings. Cheap to clone.
#[derive(Debug, Clone)]
pub struct State {
    pool: AnyPool,
    /// The name of this process' own engine state.
    node: String,
    place: Place,
}

/// Where it is, as errors show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    File(PathBuf),
    /// Without user and password.
    Server(String),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::File(path) => write!(f, "{}", path.display()),
            Place::Server(address) => f.write_str(address),
        }
    }
}

impl State {
    /// Opens `sqlite:PATH` (made if it is not there, readable for its owner alone) or `postgres://…`. Several processes with
    /// one database each have a `node` of their own.
    ///
    /// # Errors
    /// When it cannot be reached or written, is damaged, or was written by a newer version.
    pub async fn open(url: &str, node: &str) -> Result<State, StateError> {
        sqlx::any::install_default_drivers();
        let (place, url) = match url.strip_prefix("sqlite:") {
            Some(path) => {
                let path = Path::new(path.trim_start_matches("//"));
                prepare(path)?;
                (Place::File(path.to_owned()), format!("sqlite:{}?mode=rwc", path.display()))
            }
            None if url.starts_with("postgres:") || url.starts_with("postgresql:") => {
                let address = url.rsplit('@').next().unwrap_or_default();
                let address = address.split('?').next().unwrap_or_default();
                (Place::Server(format!("postgres://{}", address.trim_start_matches("postgres://"))), url.to_owned())
            }
            None => return Err(StateError::Address),
        };
        let embedded = matches!(place, Place::File(_));
        let options = AnyPoolOptions::new()
            .max_connections(if embedded { 4 } else { 8 })
            .acquire_timeout(BUSY)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if embedded {
                        for pragma in [
                            "PRAGMA busy_timeout = 10000",
                            "PRAGMA journal_mode = WAL",
                            "PRAGMA synchronous = FULL",
                            // Of rows that come in no order, many lie on pages that were just in use.
                            "PRAGMA cache_size = -16384",
                            "PRAGMA wal_autocheckpoint = 4000",
                        ] {
                            sqlx::query(pragma).execute(&mut *connection).await?;
                        }
                    }
                    Ok(())
                })
            });
        if embedded {
            // A pool tries again and again to open a file that is damaged; this says at once what is wrong with it.
            let failed = |error| StateError::of(&place, error);
            let mut first = sqlx::AnyConnection::connect(&url).await.map_err(failed)?;
            sqlx::query("PRAGMA journal_mode = WAL").execute(&mut first).await.map_err(failed)?;
            first.close().await.map_err(failed)?;
        }
        let pool = options.connect(&url).await.map_err(|error| StateError::of(&place, error))?;
        let state = State { pool, node: node.to_owned(), place };
        schema::prepare(&state).await?;
        Ok(state)
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self.place, Place::File(_))
    }

    /// A transaction that writes. SQLite has one writer at a time: it must be taken at once, since a transaction that reads
    /// first and writes then fails, however long it would wait, if another has written in between.
    pub(crate) async fn begin(&self) -> Result<sqlx::Transaction<'static, sqlx::Any>, sqlx::Error> {
        if self.is_sqlite() { self.pool.begin_with("BEGIN IMMEDIATE").await } else { self.pool.begin().await }
    }

    pub(crate) fn failed(&self, error: sqlx::Error) -> StateError {
        StateError::of(&self.place, error)
    }

    /// The last delivery whose events are in the state.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn position(&self) -> Result<Option<u64>, StateError> {
        let row: Option<(i64,)> = sqlx::query_as("SELECT position FROM positions WHERE node = $1")
            .bind(&self.node)
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.failed(error))?;
        Ok(row.and_then(|(position,)| u64::try_from(position).ok()))
    }

    /// What the engine of this node remembered, by key.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn engine_state(&self) -> Result<Vec<(String, Vec<u8>)>, StateError> {
        let mut rows: Vec<(String, Vec<u8>)> = sqlx::query_as("SELECT name, value FROM engine WHERE node = $1")
            .bind(&self.node)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.failed(error))?;
        // By bytes, whatever the database takes for an order.
        rows.sort();
        Ok(rows)
    }

    /// Deletes findings whose last event is before one moment, and risk before another. Tells how many findings went.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn expire(&self, findings_before: Micros, risk_before: Micros) -> Result<u64, StateError> {
        let mut transaction = self.begin().await.map_err(|error| self.failed(error))?;
        let mut gone = 0;
        for (statement, moment) in [
            ("DELETE FROM risk WHERE at < $1", risk_before),
            (
                "DELETE FROM entities WHERE finding_id IN (SELECT id FROM findings WHERE last_seen < $1)",
                findings_before,
            ),
            ("DELETE FROM history WHERE finding_id IN (SELECT id FROM findings WHERE last_seen < $1)", findings_before),
            ("DELETE FROM findings WHERE last_seen < $1", findings_before),
        ] {
            let done = sqlx::query(statement).bind(moment).execute(&mut *transaction).await;
            gone = done.map_err(|error| self.failed(error))?.rows_affected();
        }
        transaction.commit().await.map_err(|error| self.failed(error))?;
        Ok(gone)
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Makes the folder and the file, for their owner alone.
fn prepare(path: &Path) -> Result<(), StateError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let failed = |source: std::io::Error| StateError::Folder { path: path.to_owned(), source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(failed)?;
    Ok(())
}
