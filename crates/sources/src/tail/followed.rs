//! One file that is followed.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::copies::{Copied, Origin, find_origin};
use super::position::{Checkpoint, FileId, Identity, Position, Stamp, read_head};
use super::read::last_line_start;
use super::report::TailFile;
use super::{Start, discover::Found};
use crate::lines::is_compressed;

/// A file, and how far it is read.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) id: FileId,
    pub(super) path: PathBuf,
    /// The open file; it is what is read, whatever becomes of the path.
    pub(super) file: Option<Arc<File>>,
    pub(super) position: Position,
    /// Whether it is known where to read. A file without a whole line has not begun.
    pub(super) begun: bool,
    /// Where to begin if nothing is kept of it.
    pub(super) start: Start,
    /// Up to where it was found to be a copy of a file whose content may be gone since.
    pub(super) copied: Option<Position>,
    pub(super) stamp: Stamp,
    /// How the file was when there was nothing more to take.
    pub(super) idle_at: Option<Stamp>,
    /// The bytes of a line without its end that wait.
    pub(super) rest: u64,
    /// Since when it has not changed.
    pub(super) quiet_since: Instant,
    pub(super) rotated: bool,
    /// Since when no glob names it.
    pub(super) gone_since: Option<Instant>,
    pub(super) last_read: Option<i64>,
    pub(super) error: Option<String>,
    pub(super) retry_at: Option<Instant>,
    /// Whether it is of a kind that is not followed.
    pub(super) ignored: bool,
}

impl Followed {
    pub(super) fn new(found: &Found, start: Start) -> Followed {
        Followed {
            id: found.id,
            path: found.paths.first().cloned().unwrap_or_default(),
            file: None,
            position: Position::start(),
            begun: false,
            start,
            copied: None,
            stamp: found.stamp,
            idle_at: None,
            rest: 0,
            quiet_since: Instant::now(),
            rotated: false,
            gone_since: None,
            last_read: None,
            error: None,
            retry_at: None,
            ignored: false,
        }
    }

    /// Takes in where the file lies now, if anywhere.
    pub(super) fn moved(&mut self, found: Option<&Found>) {
        match found {
            None => {
                self.rotated = true;
                self.gone_since.get_or_insert_with(Instant::now);
            }
            Some(found) => {
                self.gone_since = None;
                if let (false, Some(path)) = (found.paths.contains(&self.path), found.paths.first()) {
                    self.path = path.clone();
                    self.rotated = true;
                    self.error = None;
                    self.retry_at = None;
                }
            }
        }
    }

    /// Takes in how the file is now.
    pub(super) fn seen(&mut self, stamp: Stamp) {
        if self.stamp != stamp {
            self.stamp = stamp;
            self.quiet_since = Instant::now();
        }
    }

    /// Whether it must be looked into.
    pub(super) fn is_due(&self, settle: Duration) -> bool {
        !self.ignored
            && self.retry_at.is_none_or(|at| at <= Instant::now())
            && (self.idle_at != Some(self.stamp) || (self.rest > 0 && self.is_last(settle)))
    }

    /// Whether nothing more is expected to be written, so that a line without its end is a line.
    pub(super) fn is_last(&self, settle: Duration) -> bool {
        self.rotated && self.is_quiet(settle)
    }

    pub(super) fn is_quiet(&self, settle: Duration) -> bool {
        self.quiet_since.elapsed() >= settle
    }

    /// Whether no more can come of a file that no glob names.
    pub(super) fn is_finished(&self, settle: Duration) -> bool {
        let settled = self.gone_since.is_some_and(|since| since.elapsed() >= settle) && self.is_quiet(settle);
        let read = self.rest == 0 && self.idle_at == Some(self.stamp);
        self.gone_since.is_some()
            && (self.file.is_none() || (settled && (read || self.error.is_some() || self.ignored)))
    }

    /// Begins anew in a file that holds something else now.
    pub(super) fn start_again(&mut self) {
        self.position = Position::start();
        self.begun = false;
        self.copied = None;
        self.start = Start::Beginning;
        self.rotated = self.gone_since.is_some();
        self.idle_at = None;
        self.rest = 0;
    }

    /// The file's name, as checkpoints keep it.
    pub(super) fn file_name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub(super) fn report(&self) -> TailFile {
        TailFile {
            path: self.path.clone(),
            offset: self.position.offset,
            size: self.stamp.size,
            last_read: self.last_read,
            rotated: self.rotated,
            error: self.error.clone(),
        }
    }
}

/// Opens the file that had an identity when it was found.
pub(super) fn open(path: &Path, id: FileId) -> io::Result<File> {
    // Were it a pipe by now, opening it must not wait for a writer.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    match FileId::of(&file.metadata()?) == id {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::NotFound, "another file has taken its place")),
    }
}

/// Where to begin in a file.
#[derive(Debug)]
pub(super) enum Beginning {
    /// It has no whole line yet.
    Unknown,
    /// It may be a copy that is still being made; so far it is one up to the position.
    Copying(Option<Position>),
    /// At a position; `kept` if it is written down already.
    At { position: Position, rotated: bool, kept: bool },
    /// What was kept of it is not what it holds now.
    Changed(Position),
    /// It is compressed.
    Compressed,
}

/// What is known when a file is begun.
pub(super) struct Known<'k> {
    /// Reads what was kept under an identity.
    pub(super) checkpoint: &'k dyn Fn(&Identity) -> Option<Checkpoint>,
    /// What other files hold or held.
    pub(super) origins: &'k [Origin],
    /// Up to where the file was found to be a copy.
    pub(super) copied: Option<&'k Position>,
    /// Whether the file has not changed for a while.
    pub(super) quiet: bool,
    /// Whether a line without its end is a line.
    pub(super) last: bool,
    pub(super) start: Start,
    pub(super) file_name: &'k str,
}

/// Finds out where to begin in a file.
pub(super) fn begin(file: &File, id: FileId, known: &Known<'_>) -> io::Result<Beginning> {
    let head = read_head(file)?;
    if is_compressed(&head) {
        return Ok(Beginning::Compressed);
    }
    if head.is_empty() {
        return Ok(Beginning::Unknown);
    }
    let identity = Identity::of(&head, id);
    if let Some(checkpoint) = (known.checkpoint)(&identity) {
        return Ok(match checkpoint.position(file)? {
            Some(position) => {
                let rotated = checkpoint.rotated || checkpoint.name != known.file_name;
                Beginning::At { position, rotated, kept: true }
            }
            None => Beginning::Changed(Position::start()),
        });
    }
    if !identity.settled && !known.last {
        return Ok(Beginning::Unknown);
    }
    let at = |position, rotated| Beginning::At { position, rotated, kept: false };
    match find_origin(file, id, known.origins)? {
        Copied::No => {}
        Copied::UpTo(position) => return Ok(at(position, true)),
        Copied::Partly(whole) => {
            let same = match (whole, known.copied) {
                (None, Some(copied)) if copied.is_in(file, &[])? => Some(copied.clone()),
                (whole, _) => whole,
            };
            if !known.quiet {
                return Ok(Beginning::Copying(same));
            }
            return Ok(at(same.unwrap_or_else(Position::start), true));
        }
    }
    if known.start == Start::End {
        let (offset, skipping) = last_line_start(file)?;
        if let Some(position) = Position::at(file, offset, 1, skipping)? {
            return Ok(at(position, false));
        }
    }
    Ok(at(Position::start(), false))
}
