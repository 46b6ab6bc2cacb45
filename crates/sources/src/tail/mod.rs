//! Follows files of lines, as API servers and collectors write them.
//!
//! A file is told from others by its device and inode and by what it holds, not by its name. One that is renamed is read to
//! its end under its new name, or, if no glob names it any more, through the file that is open, before its successor goes on.
//! One that is truncated or overwritten is read from its start again.
//!
//! How far a file is accepted is written down in the same [`Delivery`](crate::Delivery) as its events, under the key
//! `tail/<name>/<identity>`. So no event is lost, and none is given twice, whenever the process ends. The exceptions: lines
//! written between the last look and a truncation are lost unless a copy of the file is found by a glob; what is written to a
//! copy before its original is truncated may be given twice; a file that is deleted or compressed while nothing runs is gone.
//! A mark with an empty value takes back an earlier one: its file is gone, and the intake may forget the key.
//!
//! One line is one record (or an envelope of several); objects over many lines are not put together. A line without its end
//! waits, except in a file that was rotated away and has not changed for [`TailOptions::settle`]. Line numbers
//! in places count from the beginning of the file, or, where reading began at the end or in a copy, from where it began.
//!
//! Compressed files are not followed; the report names them.

mod copies;
mod discover;
mod followed;
mod position;
mod read;
mod report;
mod run;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use masthead_event::Envelope;
use tokio_util::sync::CancellationToken;

use crate::Intake;

pub use report::{TailFile, TailReport};

/// Where to begin in files of which nothing is known when their glob is used for the first time. Files that appear later
/// are always read from the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// At the beginning.
    #[default]
    Beginning,
    /// At the line that is the last one at that time if it has no end yet, else at the next one.
    End,
}

/// What is followed, and how.
#[derive(Debug, Clone)]
pub struct TailOptions {
    /// The name of this tail: of its deliveries and in the keys of its marks. Two tails of one intake need two names.
    pub name: Arc<str>,
    /// The files: paths with `*`, `?`, `[…]`, `{…,…}`, and `**` for folders of any depth. Links are followed.
    pub globs: Vec<String>,
    /// Where to begin when a glob is used for the first time.
    pub start: Start,
    /// What events that come in no envelope are given: source, sourcetype, log type, cluster, host.
    pub envelope: Arc<Envelope>,
    /// Gives lines that are no JSON as events instead of counting them.
    pub text_lines: bool,
    /// How long to wait between looks for new lines.
    pub poll: Duration,
    /// How long to wait between looks for new files. A file that is seen to have been rotated makes one at once.
    pub rescan: Duration,
    /// How long a rotated file must not have changed before nothing more is expected of it.
    pub settle: Duration,
    /// How many bytes are read at once, and about the most that one delivery holds. A longer line is still taken whole, up
    /// to 16 MiB.
    pub max_batch_bytes: usize,
}

impl TailOptions {
    /// Follows `globs` from their beginning: raw audit events, a look each 250 ms, for new files each 2 s, 10 s until a
    /// rotated file is left, 1 MiB at once.
    pub fn new(name: &str, globs: impl IntoIterator<Item = impl Into<String>>) -> TailOptions {
        TailOptions {
            name: name.into(),
            globs: globs.into_iter().map(Into::into).collect(),
            start: Start::Beginning,
            envelope: Arc::new(Envelope::raw()),
            text_lines: false,
            poll: Duration::from_millis(250),
            rescan: Duration::from_secs(2),
            settle: Duration::from_secs(10),
            max_batch_bytes: 1 << 20,
        }
    }
}

/// Why files cannot be followed at all. What is wrong with one file is told by [`TailReport`].
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// There is nothing to follow.
    #[error("no files are named: give at least one path or glob")]
    NoGlobs,
    /// A glob cannot be read.
    #[error("the glob `{glob}` cannot be used: {reason}")]
    Glob {
        /// The glob.
        glob: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The thread that reads has failed.
    #[error("the reading thread has failed: {0}")]
    Reader(String),
}

/// Follows files until `stop` is cancelled or the intake stops. Where the intake refuses, what is not yet accepted stays in
/// the files and is offered again.
///
/// # Errors
///
/// When the globs cannot be used; no file is read then.
pub async fn tail(
    options: TailOptions,
    intake: Arc<dyn Intake>,
    stop: CancellationToken,
    report: Arc<TailReport>,
) -> Result<(), TailError> {
    let poll = options.poll;
    let mut tailer = run::Tailer::new(options, intake, stop.clone(), report)?;
    loop {
        match tailer.round().await? {
            run::Round::Stopping => return Ok(()),
            run::Round::More => {}
            run::Round::Idle => tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(poll) => {}
            },
        }
    }
}
