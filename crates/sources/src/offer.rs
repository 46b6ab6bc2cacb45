//! Offering a delivery until it is accepted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::{Delivery, Intake, Refused};

/// However soon the intake says to try again, and however late.
const BUSY: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(30));

/// The wait after the first failure to write, and the longest.
const UNWRITABLE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// At most one warning in this time.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// What became of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Offered {
    /// It is durable.
    Accepted,
    /// It was not accepted before the service stops.
    Stopping,
}

/// A source that can wait: what it reads from keeps what is not yet accepted.
pub(crate) struct Offerer {
    name: Arc<str>,
    intake: Arc<dyn Intake>,
    stop: CancellationToken,
    warned: Option<Instant>,
}

impl Offerer {
    pub(crate) fn new(name: Arc<str>, intake: Arc<dyn Intake>, stop: CancellationToken) -> Offerer {
        Offerer { name, intake, stop, warned: None }
    }

    /// What was left under a key. A mark without content is one that was taken back.
    pub(crate) fn mark(&self, key: &str) -> Option<Vec<u8>> {
        self.intake.mark(key).filter(|value| !value.is_empty())
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Offers a delivery again and again until it is accepted, however long that takes.
    pub(crate) async fn offer(&mut self, delivery: Delivery) -> Offered {
        let mut unwritable = UNWRITABLE.0;
        loop {
            let wait = match self.intake.submit(delivery.clone()).await {
                Ok(()) => return Offered::Accepted,
                Err(Refused::Stopping) => return Offered::Stopping,
                Err(Refused::Busy { retry_after }) => retry_after.clamp(BUSY.0, BUSY.1),
                Err(Refused::Unwritable(why)) => {
                    self.warn(&why);
                    let wait = unwritable;
                    unwritable = (unwritable * 2).min(UNWRITABLE.1);
                    wait
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => return Offered::Stopping,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn warn(&mut self, why: &str) {
        if self.warned.is_none_or(|last| last.elapsed() >= WARN_EVERY) {
            self.warned = Some(Instant::now());
            tracing::warn!(
                source = &*self.name,
                "events cannot be stored and wait where they are, reading stands still until they can: {why}"
            );
        }
    }
}
