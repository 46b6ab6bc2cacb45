//! What a source hands on, and to whom.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use masthead_event::{Batch, Ledger};
use serde::{Deserialize, Serialize};

/// The events of one delivery: one request, one read of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// The name of the source, as metrics and the loss ledger show it (`webhook`, `hec`, `file`).
    pub source: Arc<str>,
    /// When it was received, in microseconds since 1970.
    pub received: i64,
    /// The events.
    pub batch: Batch,
    /// What did not become an event.
    pub ledger: Ledger,
    /// Where the source stands once this is durable: a key and what the source wants to read under it after a restart.
    pub mark: Option<(String, Vec<u8>)>,
}

impl Delivery {
    /// Without events yet.
    pub fn new(source: &str) -> Delivery {
        Delivery {
            source: source.into(),
            received: jiff::Timestamp::now().as_microsecond(),
            batch: Batch::new(Path::new(source).into(), 0),
            ledger: Ledger::default(),
            mark: None,
        }
    }

    /// Whether there is nothing in it that must be kept or counted.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.ledger.reasons.is_empty() && self.mark.is_none()
    }
}

/// Why a delivery was not accepted. It is the sender's to send it again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The queue is full.
    #[error("the queue is full")]
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
    /// It cannot be written (a full disk, a folder that is not writable).
    #[error("cannot be written: {0}")]
    Unwritable(String),
    /// The service is stopping.
    #[error("the service is stopping")]
    Stopping,
}

/// Accepts deliveries.
pub trait Intake: Send + Sync + 'static {
    /// Accepts a delivery. It is durable when the future has given `Ok`: it will be evaluated, whatever happens then.
    ///
    /// # Errors
    /// When it was not accepted; nothing of it is kept then.
    fn submit(&self, delivery: Delivery) -> BoxFuture<'_, Result<(), Refused>>;

    /// Whether there is room for more, for those who ask after its health.
    fn has_room(&self) -> bool {
        true
    }

    /// What a source left with the last delivery that had a mark of this key.
    fn mark(&self, key: &str) -> Option<Vec<u8>>;
}
