//! What brings findings from the outbox to the sinks.

mod backoff;
mod dead;
mod gather;
mod lane;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::outbox::Outbox;
use crate::sinks::Sinks;
use dead::DeadLetters;
use lane::Lane;

/// How findings are brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CourierOptions {
    /// How often the outbox is asked when nobody says that there is something new.
    pub poll: Duration,
    /// How many findings of a sink are taken at once; also the most that stand in one message.
    pub batch: u32,
    /// A finding is given up when it was tried so often …
    pub max_attempts: u32,
    /// … and has been in the outbox for so long. Both must hold: neither a short outage of many tries nor a long one of few must
    /// lose findings.
    pub max_age: Duration,
    /// The wait after the first failure; it doubles with each, and up to its own length is added at random.
    pub first_retry: Duration,
    /// The longest wait between tries.
    pub longest_retry: Duration,
    /// Where findings that are given up are written to, one JSON object a line: `{"time", "sink", "attempts", "error", "finding"}`.
    pub dead_letters: Option<PathBuf>,
    /// The size at which that file is renamed to `….1`, which is overwritten: so large at most are both.
    pub dead_letter_bytes: u64,
    /// How long [`Courier::stop`] waits for deliveries that are under way.
    pub stop_wait: Duration,
}

impl Default for CourierOptions {
    fn default() -> CourierOptions {
        CourierOptions {
            poll: Duration::from_secs(2),
            batch: 200,
            max_attempts: 20,
            max_age: Duration::from_secs(24 * 3600),
            first_retry: Duration::from_secs(5),
            longest_retry: Duration::from_secs(15 * 60),
            dead_letters: None,
            dead_letter_bytes: 50 * 1024 * 1024,
            stop_wait: Duration::from_secs(10),
        }
    }
}

/// What became of the findings of one sink since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SinkCounts {
    /// Findings that the other side has accepted.
    pub sent: u64,
    /// Messages that the other side has accepted.
    pub messages: u64,
    /// Tries that failed.
    pub failed: u64,
    /// Findings that were given up.
    pub dead: u64,
    /// The error of the last try; none when it was accepted.
    pub last_error: Option<String>,
}

/// Brings findings from an outbox to the sinks: one task a sink, so that none holds up another.
pub struct Courier {
    lanes: BTreeMap<String, Arc<Shared>>,
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
    stop_wait: Duration,
}

/// What a lane shares with the courier.
#[derive(Debug, Default)]
struct Shared {
    nudge: Notify,
    counts: Mutex<SinkCounts>,
}

impl Shared {
    fn counts(&self) -> MutexGuard<'_, SinkCounts> {
        // Counts are never left half done, so those of a task that panicked are good.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Courier {
    /// Starts the tasks. It must be called in a Tokio runtime. When the courier is dropped they end at once; [`Courier::stop`]
    /// ends them in good order.
    pub fn start(sinks: Arc<Sinks>, outbox: Arc<dyn Outbox>, options: CourierOptions) -> Courier {
        let (stop, stopped) = watch::channel(false);
        let dead = options.dead_letters.as_deref().map(|path| DeadLetters::new(path, options.dead_letter_bytes));
        let mut courier = Courier { lanes: BTreeMap::new(), tasks: JoinSet::new(), stop, stop_wait: options.stop_wait };
        for name in sinks.names() {
            let shared = Arc::new(Shared::default());
            let lane = Lane::new(
                &name,
                Arc::clone(&sinks),
                Arc::clone(&outbox),
                options.clone(),
                Arc::clone(&shared),
                stopped.clone(),
                dead.clone(),
            );
            courier.lanes.insert(name, shared);
            courier.tasks.spawn(lane.run());
        }
        courier
    }

    /// Says that something new is in the outbox.
    pub fn nudge(&self) {
        for lane in self.lanes.values() {
            lane.nudge.notify_one();
        }
    }

    /// Stops: deliveries under way may end, within the time of the options.
    pub async fn stop(mut self) {
        // It fails only when no task is left to hear it.
        let _ = self.stop.send(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(self.stop_wait, ended).await.is_err() {
            tracing::warn!(
                tasks = self.tasks.len(),
                "deliveries were broken off; they are made again after the next start"
            );
            self.tasks.shutdown().await;
        }
    }

    /// The figures, by sink.
    pub fn counts(&self) -> BTreeMap<String, SinkCounts> {
        self.lanes.iter().map(|(name, lane)| (name.clone(), lane.counts().clone())).collect()
    }
}
