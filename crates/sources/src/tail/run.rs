//! Rounds over the files that are followed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::lines::Lines;
use crate::offer::{Offered, Offerer};
use crate::{Delivery, Intake};

use super::copies::Origin;
use super::discover::{Found, Pattern, discover};
use super::followed::{Beginning, Followed, Known, begin, open};
use super::position::{Checkpoint, FileId, Identity, Position, Stamp};
use super::read::{Look, look};
use super::report::{TailFile, TailReport};
use super::{Start, TailError, TailOptions};

/// So many bytes of one file are read before others have their turn, unless it was rotated away.
const TURN_BYTES: u64 = 64 << 20;

/// So many files are kept open while nothing is written to them.
const MOST_OPEN: usize = 256;

/// So many contents of truncated files are remembered, to know their copies.
const FORMER: usize = 64;

/// Looking for new files may take a tenth of the time. What takes less than this is not counted.
const LONG_SCAN: Duration = Duration::from_secs(1);

/// What to do after a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    /// There is more to read.
    More,
    /// Nothing to read for now.
    Idle,
    /// The intake or the service stops.
    Stopping,
}

/// How a turn of one file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Done,
    More,
    Stopping,
}

/// Follows files.
pub(super) struct Tailer {
    options: TailOptions,
    patterns: Arc<Vec<Pattern>>,
    lines: Arc<Mutex<Lines>>,
    intake: Arc<dyn Intake>,
    offerer: Offerer,
    report: Arc<TailReport>,
    /// In the order in which they are read.
    files: Vec<Followed>,
    former: VecDeque<Origin>,
    problems: BTreeMap<PathBuf, String>,
    /// The globs whose files were begun once, in this process or an earlier one.
    started: BTreeSet<String>,
    scanned: Option<Instant>,
    rescan: Duration,
}

impl Tailer {
    pub(super) fn new(
        options: TailOptions,
        intake: Arc<dyn Intake>,
        stop: CancellationToken,
        report: Arc<TailReport>,
    ) -> Result<Tailer, TailError> {
        if options.globs.is_empty() {
            return Err(TailError::NoGlobs);
        }
        let patterns = options.globs.iter().map(|glob| Pattern::new(glob)).collect::<Result<_, _>>()?;
        let offerer = Offerer::new(options.name.clone(), intake.clone(), stop);
        let started = offerer.mark(&started_key(&options.name));
        let started = started.and_then(|kept| serde_json::from_slice(&kept).ok()).unwrap_or_default();
        Ok(Tailer {
            patterns: Arc::new(patterns),
            lines: Arc::new(Mutex::new(Lines::new(options.name.clone(), options.envelope.clone(), options.text_lines))),
            rescan: options.rescan,
            options,
            intake,
            offerer,
            report,
            files: Vec::new(),
            former: VecDeque::new(),
            problems: BTreeMap::new(),
            started,
            scanned: None,
        })
    }

    /// Looks at all files once, and reads what is new.
    pub(super) async fn round(&mut self) -> Result<Round, TailError> {
        let displaced = self.survey().await?;
        if displaced || self.scanned.is_none_or(|last| last.elapsed() >= self.rescan) {
            self.scan().await?;
        }
        let mut order: Vec<usize> = (0..self.files.len()).collect();
        order.sort_by_key(|at| self.files.get(*at).is_some_and(|file| !file.rotated));
        let mut more = false;
        for at in order {
            match self.turn(at).await? {
                Turn::Done => {}
                Turn::More => more = true,
                Turn::Stopping => {
                    self.tell();
                    return Ok(Round::Stopping);
                }
            }
        }
        let kept = self.leave_finished().await? == Offered::Accepted && self.keep_started().await == Offered::Accepted;
        self.close_some();
        self.tell();
        Ok(match (kept && !self.offerer.is_stopping(), more) {
            (false, _) => Round::Stopping,
            (true, true) => Round::More,
            (true, false) => Round::Idle,
        })
    }

    /// Looks at how large the files are. Tells whether one is not where it was.
    async fn survey(&mut self) -> Result<bool, TailError> {
        let asked: Vec<_> = self
            .files
            .iter()
            .map(|file| (file.id, file.file.clone(), file.gone_since.is_none().then(|| file.path.clone())))
            .collect();
        let seen = blocking(move || asked.into_iter().map(look_at).collect::<Vec<_>>()).await?;
        let mut displaced = false;
        for (file, (stamp, gone)) in self.files.iter_mut().zip(seen) {
            displaced |= gone;
            if let Some(stamp) = stamp {
                file.seen(stamp);
            }
        }
        Ok(displaced)
    }

    /// Finds out what the globs name now.
    async fn scan(&mut self) -> Result<(), TailError> {
        let patterns = self.patterns.clone();
        let begun = Instant::now();
        let discovery = blocking(move || discover(&patterns)).await?;
        let took = begun.elapsed();
        self.scanned = Some(Instant::now());
        self.rescan = if took < LONG_SCAN { self.options.rescan } else { self.options.rescan.max(took * 10) };
        for file in &mut self.files {
            file.moved(discovery.get(file.id));
        }
        for (path, why) in &discovery.problems {
            if !self.problems.contains_key(path) {
                tracing::warn!(source = &*self.options.name, path = %path.display(), "cannot be followed: {why}");
            }
        }
        let known: BTreeSet<FileId> = self.files.iter().map(|file| file.id).collect();
        let mut fresh: Vec<Found> = discovery.files.into_iter().filter(|found| !known.contains(&found.id)).collect();
        self.problems = discovery.problems;
        // The oldest first: of rotated files, the current one comes last.
        fresh.sort_by_key(|found| found.modified);
        for found in fresh {
            let started = found.globs.iter().filter_map(|glob| self.patterns.get(*glob));
            let later = started.map(|pattern| &pattern.text).any(|text| self.started.contains(text));
            let start = if later { Start::Beginning } else { self.options.start };
            self.files.push(Followed::new(&found, start));
        }
        Ok(())
    }

    /// Reads what is new in one file.
    async fn turn(&mut self, at: usize) -> Result<Turn, TailError> {
        let settle = self.options.settle;
        let Some(file) = self.files.get_mut(at).filter(|file| file.is_due(settle)) else { return Ok(Turn::Done) };
        let mut left = if file.rotated { u64::MAX } else { TURN_BYTES };
        loop {
            if self.offerer.is_stopping() {
                return Ok(Turn::Stopping);
            }
            let Some(open) = self.opened(at).await? else { return Ok(Turn::Done) };
            let Some(file) = self.files.get(at) else { return Ok(Turn::Done) };
            if !file.begun {
                match self.begin(at, open).await? {
                    Turn::More => continue,
                    turn => return Ok(turn),
                }
            }
            let from = file.position.offset;
            if let Some(turn) = self.read(at, open).await? {
                return Ok(turn);
            }
            left = left.saturating_sub(self.files.get(at).map_or(0, |file| file.position.offset - from));
            if left == 0 {
                return Ok(Turn::More);
            }
        }
    }

    /// Reads the next lines of a file and offers them. Gives how the turn ends, if it does.
    async fn read(&mut self, at: usize, open: Arc<File>) -> Result<Option<Turn>, TailError> {
        let Some(file) = self.files.get(at) else { return Ok(Some(Turn::Done)) };
        let (path, position, last) = (file.path.clone(), file.position.clone(), file.is_last(self.options.settle));
        let (lines, limit) = (self.lines.clone(), self.options.max_batch_bytes);
        let looked = blocking(move || {
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            look(&open, &path, &position, limit, last, &mut lines)
        })
        .await?;
        let Some(file) = self.files.get_mut(at) else { return Ok(Some(Turn::Done)) };
        match looked {
            Err(error) => {
                self.failed(at, &error);
                Ok(Some(Turn::Done))
            }
            Ok(Look::Nothing { stamp, rest }) => {
                file.seen(stamp);
                (file.idle_at, file.rest, file.error) = (Some(stamp), rest, None);
                Ok(Some(Turn::Done))
            }
            Ok(Look::Passed(next)) => {
                file.position = next;
                Ok(None)
            }
            Ok(Look::Lines { delivery, next, stamp }) => {
                file.seen(stamp);
                let offered = self.accept(at, *delivery, next).await;
                Ok((offered == Offered::Stopping).then_some(Turn::Stopping))
            }
            Ok(Look::Replaced) => self.replaced(at).await.map(Some),
        }
    }

    /// Offers what was read of a file, with where that ends.
    async fn accept(&mut self, at: usize, mut delivery: Delivery, next: Position) -> Offered {
        let Some(file) = self.files.get(at) else { return Offered::Accepted };
        let checkpoint = next.checkpoint(&file.file_name(), file.rotated);
        delivery.mark = Some((self.key(&next.identity(file.id)), checkpoint.to_bytes()));
        let received = delivery.received;
        let offered = self.offerer.offer(delivery).await;
        if let (Offered::Accepted, Some(file)) = (offered, self.files.get_mut(at)) {
            file.position = next;
            (file.last_read, file.rest, file.error) = (Some(received), 0, None);
        }
        offered
    }

    /// The open file, or none if it cannot be opened now.
    async fn opened(&mut self, at: usize) -> Result<Option<Arc<File>>, TailError> {
        let Some(file) = self.files.get(at) else { return Ok(None) };
        if file.file.is_some() {
            return Ok(file.file.clone());
        }
        let (path, id) = (file.path.clone(), file.id);
        match blocking(move || open(&path, id)).await? {
            Ok(open) => {
                let open = Arc::new(open);
                if let Some(file) = self.files.get_mut(at) {
                    file.file = Some(open.clone());
                    (file.error, file.retry_at) = (None, None);
                }
                Ok(Some(open))
            }
            Err(error) => {
                self.failed(at, &error);
                Ok(None)
            }
        }
    }

    /// Finds out where to begin in a file. `More` if it has begun.
    async fn begin(&mut self, at: usize, open: Arc<File>) -> Result<Turn, TailError> {
        let settle = self.options.settle;
        let origins = self.origins();
        let (intake, name) = (self.intake.clone(), self.options.name.clone());
        let Some(file) = self.files.get(at) else { return Ok(Turn::Done) };
        let (id, start, last, quiet) = (file.id, file.start, file.is_last(settle), file.is_quiet(settle));
        let (file_name, stamp, copied) = (file.file_name(), file.stamp, file.copied.clone());
        let beginning = blocking(move || {
            let checkpoint = |identity: &Identity| {
                let kept = intake.mark(&key(&name, identity)).filter(|kept| !kept.is_empty())?;
                Checkpoint::from_bytes(&kept)
            };
            let copied = copied.as_ref();
            let file_name = &file_name;
            let known = Known { checkpoint: &checkpoint, origins: &origins, copied, quiet, last, start, file_name };
            begin(&open, id, &known)
        })
        .await?;
        let Some(file) = self.files.get_mut(at) else { return Ok(Turn::Done) };
        match beginning {
            Err(error) => self.failed(at, &error),
            Ok(Beginning::Unknown) => {
                // Had it a whole line, it would have begun: all that will ever be in it comes later.
                file.start = Start::Beginning;
                (file.idle_at, file.rest, file.error) = (Some(stamp), stamp.size, None);
            }
            Ok(Beginning::Copying(copied)) => {
                file.copied = copied;
                file.retry_at = Some(Instant::now() + settle / 4);
            }
            Ok(Beginning::Compressed) => {
                file.ignored = true;
                file.error = Some("compressed files are not followed".to_owned());
                file.file = None;
            }
            Ok(Beginning::Changed(position)) => {
                (file.begun, file.position) = (true, position);
                self.report.count_restart();
                return Ok(Turn::More);
            }
            Ok(Beginning::At { position, rotated, kept }) => {
                file.begun = true;
                file.rotated |= rotated;
                file.position = position.clone();
                if !kept && position.offset > 0 {
                    let nothing = self.lines.lock().unwrap_or_else(PoisonError::into_inner).nothing();
                    if self.accept(at, nothing, position).await == Offered::Stopping {
                        return Ok(Turn::Stopping);
                    }
                }
                return Ok(Turn::More);
            }
        }
        Ok(Turn::Done)
    }

    /// Contents of which new files may be copies.
    fn origins(&self) -> Vec<Origin> {
        let present = self.files.iter().filter(|file| file.begun && file.position.offset > 0);
        let present =
            present.map(|file| Origin { id: file.id, position: file.position.clone(), file: file.file.clone() });
        self.former.iter().cloned().chain(present).collect()
    }

    /// Begins again in a file that does not hold what was read of it.
    async fn replaced(&mut self, at: usize) -> Result<Turn, TailError> {
        let Some(file) = self.files.get_mut(at) else { return Ok(Turn::Done) };
        let (id, former) = (file.id, file.position.clone());
        file.start_again();
        if former.offset == 0 {
            // It is being overwritten this moment.
            return Ok(Turn::Done);
        }
        self.report.count_restart();
        tracing::info!(source = &*self.options.name, path = %file.path.display(), read = former.offset,
            "was truncated or overwritten; it is read from its start");
        let taken_back = self.key(&former.identity(id));
        if self.former.len() >= FORMER {
            self.former.pop_front();
        }
        self.former.push_back(Origin { id, position: former, file: None });
        Ok(match self.take_back(taken_back).await {
            Offered::Accepted => Turn::More,
            Offered::Stopping => Turn::Stopping,
        })
    }

    /// Takes back a mark whose content is gone.
    async fn take_back(&mut self, key: String) -> Offered {
        if self.offerer.mark(&key).is_none() {
            return Offered::Accepted;
        }
        let mut delivery = self.lines.lock().unwrap_or_else(PoisonError::into_inner).nothing();
        delivery.mark = Some((key, Vec::new()));
        self.offerer.offer(delivery).await
    }

    fn failed(&mut self, at: usize, error: &std::io::Error) {
        let Some(file) = self.files.get_mut(at) else { return };
        if file.error.is_none() {
            tracing::warn!(source = &*self.options.name, path = %file.path.display(), "cannot be read: {error}");
        }
        file.error = Some(error.to_string());
        file.retry_at = Some(Instant::now() + self.options.rescan);
    }

    /// Leaves files of which nothing more will come.
    async fn leave_finished(&mut self) -> Result<Offered, TailError> {
        let settle = self.options.settle;
        let finished = |file: &Followed| file.is_finished(settle);
        while let Some(at) = self.files.iter().position(finished) {
            let Some(file) = self.files.get(at) else { break };
            // Where it was moved to another place, it may come back.
            let deleted = match file.file.clone() {
                Some(open) if file.begun => {
                    blocking(move || open.metadata().is_ok_and(|metadata| metadata.nlink() == 0)).await?
                }
                _ => false,
            };
            let taken_back = self.key(&file.position.identity(file.id));
            if deleted && self.take_back(taken_back).await == Offered::Stopping {
                return Ok(Offered::Stopping);
            }
            self.files.remove(at);
        }
        Ok(Offered::Accepted)
    }

    /// Writes down that the globs were used.
    async fn keep_started(&mut self) -> Offered {
        let globs: BTreeSet<String> = self.options.globs.iter().cloned().collect();
        if globs.is_subset(&self.started) {
            return Offered::Accepted;
        }
        let mut delivery = self.lines.lock().unwrap_or_else(PoisonError::into_inner).nothing();
        // A list of text can always be written.
        delivery.mark = Some((started_key(&self.options.name), serde_json::to_vec(&globs).unwrap_or_default()));
        let offered = self.offerer.offer(delivery).await;
        if offered == Offered::Accepted {
            self.started = globs;
            // What could not be begun by now is only read later, and so from its beginning.
            for file in self.files.iter_mut().filter(|file| !file.begun) {
                file.start = Start::Beginning;
            }
        }
        offered
    }

    /// Closes files that have been quiet longest if there are too many open.
    fn close_some(&mut self) {
        let open = self.files.iter().filter(|file| file.file.is_some()).count();
        let mut idle: Vec<&mut Followed> = self
            .files
            .iter_mut()
            .filter(|file| file.file.is_some() && file.gone_since.is_none() && file.idle_at == Some(file.stamp))
            .collect();
        idle.sort_by_key(|file| file.quiet_since);
        for file in idle.into_iter().take(open.saturating_sub(MOST_OPEN)) {
            file.file = None;
        }
    }

    fn tell(&self) {
        let problems = self.problems.iter().map(|(path, why)| TailFile {
            path: path.clone(),
            offset: 0,
            size: 0,
            last_read: None,
            rotated: false,
            error: Some(why.clone()),
        });
        self.report.set(self.files.iter().map(Followed::report).chain(problems).collect());
    }

    fn key(&self, identity: &Identity) -> String {
        key(&self.options.name, identity)
    }
}

fn key(name: &str, identity: &Identity) -> String {
    format!("tail/{name}/{}", identity.name)
}

fn started_key(name: &str) -> String {
    format!("tail/{name}")
}

/// How a file is, and whether its path leads elsewhere.
fn look_at((id, open, path): (FileId, Option<Arc<File>>, Option<PathBuf>)) -> (Option<Stamp>, bool) {
    let there = path.as_ref().map(|path| std::fs::metadata(path).ok().filter(|found| FileId::of(found) == id));
    let displaced = there.as_ref().is_some_and(Option::is_none);
    let metadata = match open {
        Some(open) => open.metadata().ok(),
        None => there.flatten(),
    };
    (metadata.map(|metadata| Stamp::of(&metadata)), displaced)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, TailError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| TailError::Reader(error.to_string()))
}
