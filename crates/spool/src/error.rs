//! What can go wrong with a queue.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Why a batch was not accepted, or a queue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// As much waits as may.
    #[error("the queue is full: {bytes} bytes wait to be evaluated, and {max} may")]
    Full {
        /// What waits.
        bytes: u64,
        /// What may.
        max: u64,
    },
    /// The disk is full.
    #[error("no space is left on the disk of {}: make room, it goes on by itself", folder.display())]
    NoSpace {
        /// The queue's folder.
        folder: PathBuf,
    },
    /// The folder cannot be written.
    #[error("{} cannot be written: {source}", folder.display())]
    Unwritable {
        /// The queue's folder.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process uses it.
    #[error("{} is in use by another process: stop it, or give each its own data folder", folder.display())]
    Locked {
        /// The queue's folder.
        folder: PathBuf,
    },
    /// What lies there is no queue, or damaged.
    #[error(
        "{} holds no queue that can be read ({message}): move the folder away to begin with an empty one",
        folder.display()
    )]
    Damaged {
        /// The queue's folder.
        folder: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// Something failed before, and the store could not be opened again yet.
    #[error("{} could not be written before and cannot be used until it can: it is tried again", folder.display())]
    Broken {
        /// The queue's folder.
        folder: PathBuf,
    },
    /// The queue is being closed.
    #[error("the queue is closed")]
    Closed,
}

impl SpoolError {
    pub(crate) fn of(folder: &Path, error: fjall::Error) -> SpoolError {
        let folder = folder.to_owned();
        match error {
            fjall::Error::Locked => SpoolError::Locked { folder },
            fjall::Error::Poisoned => SpoolError::Broken { folder },
            fjall::Error::Io(source) | fjall::Error::Storage(fjall::LsmError::Io(source)) => {
                SpoolError::of_io(folder, source)
            }
            other => SpoolError::Damaged { folder, message: other.to_string() },
        }
    }

    fn of_io(folder: PathBuf, source: io::Error) -> SpoolError {
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                SpoolError::NoSpace { folder }
            }
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof => {
                SpoolError::Damaged { folder, message: source.to_string() }
            }
            _ => SpoolError::Unwritable { folder, source },
        }
    }
}
