//! What is known of the files that are followed.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Serialize, Serializer};

/// Tells how far files are followed. Written by [`tail`](super::tail), read by whoever shows it.
#[derive(Debug, Default)]
pub struct TailReport {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<TailFile>,
    restarts: u64,
}

/// A file, or a path at which one was looked for in vain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TailFile {
    /// Where it lies, or where it lay when it was last seen.
    #[serde(serialize_with = "readable")]
    pub path: PathBuf,
    /// How many of its bytes are accepted or passed over.
    pub offset: u64,
    /// How many bytes it had at the last look.
    pub size: u64,
    /// When something of it was last accepted, in microseconds since 1970.
    pub last_read: Option<i64>,
    /// Whether it was rotated away: it has got another name, or none.
    pub rotated: bool,
    /// Why it is not read at the moment.
    pub error: Option<String>,
}

impl TailReport {
    /// The files as they were at the last look.
    pub fn snapshot(&self) -> Vec<TailFile> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).files.clone()
    }

    /// How often a file was found truncated or overwritten, and was read from its start again.
    pub fn restarts(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).restarts
    }

    pub(super) fn set(&self, files: Vec<TailFile>) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).files = files;
    }

    pub(super) fn count_restart(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).restarts += 1;
    }
}

/// Paths that are not UTF-8 are written as well as they can be: a report must not fail on a file's name.
fn readable<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}
