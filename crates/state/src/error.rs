//! What can go wrong with the state.

use std::path::PathBuf;

use crate::Place;

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The address is of neither kind.
    #[error("the state's address must begin with `sqlite:` or `postgres://`")]
    Address,
    /// The folder or file cannot be made or written.
    #[error("{}: {source}", path.display())]
    Folder {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// No space is left.
    #[error("{place}: no space is left on the disk: make room, it goes on by itself")]
    NoSpace {
        /// Where.
        place: String,
    },
    /// The file is no database, or damaged.
    #[error("{place} is damaged or no database ({message}): restore it from a copy, or move it away to begin anew")]
    Damaged {
        /// Where.
        place: String,
        /// What the database says.
        message: String,
    },
    /// A newer version wrote it.
    #[error("{place} was written by a newer version (its schema is {found}, this version knows {known}): use that one")]
    Newer {
        /// Where.
        place: String,
        /// The schema's number.
        found: i64,
        /// The newest number that is known.
        known: i64,
    },
    /// Nobody answers, or nobody who knows us.
    #[error("{place} cannot be reached: {message}")]
    Unreachable {
        /// Where.
        place: String,
        /// Why.
        message: String,
    },
    /// Something else.
    #[error("{place}: {message}")]
    Failed {
        /// Where.
        place: String,
        /// What the database says.
        message: String,
    },
}

impl StateError {
    pub(crate) fn of(place: &Place, error: sqlx::Error) -> StateError {
        let place = place.to_string();
        match &error {
            sqlx::Error::Database(told) => {
                let message = told.message().to_owned();
                let code = told.code().unwrap_or_default().into_owned();
                // SQLite's result codes (13: full, 11: corrupt, 26: not a database), PostgreSQL's classes.
                match code.as_str() {
                    "13" | "53100" => StateError::NoSpace { place },
                    "11" | "26" | "XX001" | "XX002" => StateError::Damaged { place, message },
                    _ if code.starts_with("28") || code.starts_with("08") || code == "3D000" => {
                        StateError::Unreachable { place, message }
                    }
                    _ => StateError::Failed { place, message },
                }
            }
            sqlx::Error::Io(source) if source.kind() == std::io::ErrorKind::StorageFull => {
                StateError::NoSpace { place }
            }
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
                StateError::Unreachable { place, message: error.to_string() }
            }
            _ => StateError::Failed { place, message: error.to_string() },
        }
    }
}
