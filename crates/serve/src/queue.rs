//! Deliveries on their way to the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use masthead_sources::{Delivery, Intake, Refused};
use masthead_spool::{Spool, SpoolError};
use tokio::sync::Semaphore;

/// How many deliveries may be on their way to the disk at once: each waits for the same `fsync` as the others.
const WRITERS: usize = 32;

/// When a sender that was refused should come again.
const RETRY: Duration = Duration::from_secs(1);

/// Accepts deliveries into the spool.
pub(crate) struct Queue {
    spool: Arc<Spool>,
    max_bytes: u64,
    writers: Semaphore,
    stopping: AtomicBool,
    /// Deliveries that were refused, because the queue was full or could not be written.
    pub(crate) refused: AtomicU64,
    /// Deliveries that were accepted.
    pub(crate) accepted: AtomicU64,
}

impl Queue {
    /// In front of a spool.
    pub(crate) fn new(spool: Arc<Spool>, max_bytes: u64) -> Queue {
        Queue {
            spool,
            max_bytes,
            writers: Semaphore::new(WRITERS),
            stopping: AtomicBool::new(false),
            refused: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
        }
    }

    /// Accepts nothing more.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    async fn write(&self, delivery: Delivery) -> Result<(), Refused> {
        if delivery.is_empty() {
            return Ok(());
        }
        if self.stopping.load(Ordering::Relaxed) {
            return Err(Refused::Stopping);
        }
        let _permit = self.writers.acquire().await.map_err(|_| Refused::Stopping)?;
        let spool = self.spool.clone();
        let written = tokio::task::spawn_blocking(move || {
            let marks = delivery.mark.clone().into_iter().collect();
            let payload = encode(&delivery).map_err(Refused::Unwritable)?;
            spool.append(payload, marks).map_err(refused)
        });
        match written.await {
            Ok(result) => result.map(|_| ()),
            Err(error) => Err(Refused::Unwritable(error.to_string())),
        }
    }
}

impl Intake for Queue {
    fn submit(&self, delivery: Delivery) -> BoxFuture<'_, Result<(), Refused>> {
        async move {
            let result = self.write(delivery).await;
            let counter = if result.is_ok() { &self.accepted } else { &self.refused };
            counter.fetch_add(1, Ordering::Relaxed);
            result
        }
        .boxed()
    }

    fn has_room(&self) -> bool {
        self.spool.pending().bytes < self.max_bytes && !self.stopping.load(Ordering::Relaxed)
    }

    fn mark(&self, key: &str) -> Option<Vec<u8>> {
        self.spool.mark(key).unwrap_or_else(|error| {
            tracing::warn!(%error, key, "the place that a source had reached cannot be read");
            None
        })
    }
}

fn refused(error: SpoolError) -> Refused {
    match error {
        SpoolError::Full { .. } => Refused::Busy { retry_after: RETRY },
        other => Refused::Unwritable(other.to_string()),
    }
}

/// A delivery as it lies on the disk: compressed, since audit events are mostly repetition.
pub(crate) fn encode(delivery: &Delivery) -> Result<Vec<u8>, String> {
    let plain = rmp_serde::to_vec(delivery).map_err(|error| error.to_string())?;
    zstd::bulk::compress(&plain, 1).map_err(|error| error.to_string())
}

/// The longest delivery that is read back: more than any source accepts.
const LONGEST: usize = 2 << 30;

/// A delivery from the disk.
///
/// # Errors
/// When it is none.
pub(crate) fn decode(payload: &[u8]) -> Result<Delivery, String> {
    let length = zstd::bulk::Decompressor::upper_bound(payload).unwrap_or(LONGEST).min(LONGEST);
    let plain = zstd::bulk::decompress(payload, length).map_err(|error| error.to_string())?;
    rmp_serde::from_slice(&plain).map_err(|error| error.to_string())
}
