//! A durable queue of accepted batches of events.
//!
//! What [`Spool::append`] has accepted is on the disk. Callers that append at the same time share one `fsync`. Batches are read
//! in the order of their numbers, and deleted once they were evaluated. Beside them lie marks, written together with a
//! batch: places up to which a source has read.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod error;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use fjall::{Database, Keyspace, KeyspaceCreateOptions};

pub use error::SpoolError;
use writer::Writer;

/// How a spool is opened.
#[derive(Debug, Clone)]
pub struct SpoolOptions {
    /// How many bytes may wait; beyond, [`SpoolError::Full`].
    pub max_bytes: u64,
    /// Whether `fsync` is waited for. Without it a loss of power loses what was acknowledged last.
    pub sync: bool,
}

impl Default for SpoolOptions {
    /// 4 GiB, with `fsync`.
    fn default() -> SpoolOptions {
        SpoolOptions { max_bytes: 4 << 30, sync: true }
    }
}

/// What was found when a spool was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Batches that wait.
    pub batches: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The number of the last batch ever accepted.
    pub last: u64,
}

/// What waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pending {
    /// Batches.
    pub batches: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The number of the first; 0 if nothing waits.
    pub first: u64,
    /// The number of the last batch ever accepted.
    pub last: u64,
}

/// The keyspaces of the store.
pub(crate) struct Store {
    pub(crate) database: Database,
    pub(crate) batches: Keyspace,
    pub(crate) marks: Keyspace,
}

/// The key under which the last number is kept when all batches are gone.
pub(crate) const LAST: &str = "\u{0}last";

impl Store {
    pub(crate) fn open(folder: &Path) -> Result<Store, SpoolError> {
        let told = |error| SpoolError::of(folder, error);
        // One worker flushes and compacts; batches are deleted soon, so that there is little to do.
        let database = Database::builder(folder)
            .worker_threads(1)
            .cache_size(8 << 20)
            .max_journaling_size(128 << 20)
            .manual_journal_persist(true)
            .open()
            .map_err(told)?;
        let separated = || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(16 << 20)
                .with_kv_separation(Some(fjall::KvSeparationOptions::default()))
        };
        let batches = database.keyspace("batches", separated).map_err(told)?;
        let marks = database.keyspace("marks", KeyspaceCreateOptions::default).map_err(told)?;
        Ok(Store { database, batches, marks })
    }

    fn survey(&self, folder: &Path) -> Result<Recovery, SpoolError> {
        let told = |error| SpoolError::of(folder, error);
        let mut found = Recovery::default();
        if let Some(last) = self.marks.get(LAST).map_err(told)? {
            found.last = number_of(&last).unwrap_or(0);
        }
        for guard in self.batches.iter() {
            let (key, value) = guard.into_inner().map_err(told)?;
            found.batches += 1;
            found.bytes += value.len() as u64;
            found.last = found.last.max(number_of(&key).unwrap_or(0));
        }
        Ok(found)
    }
}

pub(crate) fn number_of(key: &[u8]) -> Option<u64> {
    key.try_into().ok().map(u64::from_be_bytes)
}

/// What readers, the writer and those who wait share.
pub(crate) struct Shared {
    pub(crate) folder: PathBuf,
    pub(crate) options: SpoolOptions,
    /// None after a failure to write, until the store was opened again.
    pub(crate) store: RwLock<Option<Store>>,
    pub(crate) pending: Mutex<Pending>,
    pub(crate) arrived: Condvar,
}

impl Shared {
    pub(crate) fn pending(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, work: impl FnOnce(&Store) -> fjall::Result<T>) -> Result<T, SpoolError> {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        let Some(store) = store.as_ref() else { return Err(SpoolError::Broken { folder: self.folder.clone() }) };
        work(store).map_err(|error| SpoolError::of(&self.folder, error))
    }
}

/// A durable queue.
pub struct Spool {
    shared: Arc<Shared>,
    writer: Writer,
}

impl Spool {
    /// Opens a queue in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made or written, another process has it, or what lies there cannot be read.
    pub fn open(folder: &Path, options: SpoolOptions) -> Result<(Spool, Recovery), SpoolError> {
        let unwritable = |source| SpoolError::Unwritable { folder: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(unwritable)?;
        let store = Store::open(folder)?;
        let found = store.survey(folder)?;
        let first = if found.batches > 0 { found.last + 1 - found.batches } else { 0 };
        let pending = Pending { batches: found.batches, bytes: found.bytes, first, last: found.last };
        let shared = Arc::new(Shared {
            folder: folder.to_owned(),
            options,
            store: RwLock::new(Some(store)),
            pending: Mutex::new(pending),
            arrived: Condvar::new(),
        });
        let writer = Writer::start(shared.clone()).map_err(unwritable)?;
        Ok((Spool { shared, writer }, found))
    }

    /// Accepts a batch with marks, and gives its number: from 1, rising, never given twice. It is on the disk when this
    /// returns.
    ///
    /// # Errors
    /// When too much waits already, or it cannot be written; nothing of it is there then.
    pub fn append(&self, payload: Vec<u8>, marks: Vec<(String, Vec<u8>)>) -> Result<u64, SpoolError> {
        self.writer.append(payload, marks)
    }

    /// Batches from a number on, in order: at least one if there is one, and then as many as `max_bytes` hold.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn read(&self, from: u64, max_bytes: usize) -> Result<Vec<(u64, Vec<u8>)>, SpoolError> {
        self.shared.with(|store| {
            let mut found = Vec::new();
            let mut bytes = 0;
            for guard in store.batches.range(from.to_be_bytes()..) {
                let (key, value) = guard.into_inner()?;
                if !found.is_empty() && bytes + value.len() > max_bytes {
                    break;
                }
                bytes += value.len();
                found.push((number_of(&key).unwrap_or(0), value.to_vec()));
            }
            Ok(found)
        })
    }

    /// Deletes the batches before a number. They may come back if the machine loses power at once.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn trim(&self, before: u64) -> Result<(), SpoolError> {
        let first = self.shared.pending().first;
        if first == 0 || before <= first {
            return Ok(());
        }
        let (count, bytes) = self.shared.with(|store| {
            let mut batch = store.database.batch();
            let (mut count, mut bytes) = (0_u64, 0_u64);
            for guard in store.batches.range(first.to_be_bytes()..before.to_be_bytes()) {
                let (key, value) = guard.into_inner()?;
                bytes += value.len() as u64;
                count += 1;
                batch.remove(&store.batches, key);
            }
            batch.commit()?;
            Ok((count, bytes))
        })?;
        let mut pending = self.shared.pending();
        pending.batches = pending.batches.saturating_sub(count);
        pending.bytes = pending.bytes.saturating_sub(bytes);
        pending.first = if pending.batches == 0 { 0 } else { before };
        Ok(())
    }

    /// Gives numbers after this one only, whatever was accepted so far.
    pub fn continue_after(&self, number: u64) {
        let mut pending = self.shared.pending();
        pending.last = pending.last.max(number);
    }

    /// The value of a mark.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn mark(&self, key: &str) -> Result<Option<Vec<u8>>, SpoolError> {
        self.shared.with(|store| Ok(store.marks.get(key)?.map(|value| value.to_vec())))
    }

    /// What waits.
    pub fn pending(&self) -> Pending {
        *self.shared.pending()
    }

    /// Waits until there is a batch after a number, or the time is up. Tells whether there is one.
    pub fn wait(&self, after: u64, timeout: Duration) -> bool {
        let end = Instant::now() + timeout;
        let mut pending = self.shared.pending();
        while pending.last <= after {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let (guard, _) = self.shared.arrived.wait_timeout(pending, left).unwrap_or_else(PoisonError::into_inner);
            pending = guard;
        }
        true
    }
}
