//! An intake for tests: keeps what it accepts, and refuses when told.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use masthead_event::{Ledger, Reason};

use crate::{Delivery, Intake, Refused};

#[derive(Debug, Default)]
pub(crate) struct Collector {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    events: Vec<(u64, PathBuf, u64)>,
    ledger: Ledger,
    marks: HashMap<String, Vec<u8>>,
    deliveries: usize,
    busy: usize,
    unwritable: usize,
    refused: usize,
    /// Stops after so many more deliveries.
    stops_after: Option<usize>,
}

impl Collector {
    pub(crate) fn new() -> Arc<Collector> {
        Arc::new(Collector::default())
    }

    /// The numbers `n` of the accepted events, in order.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.state.lock().unwrap().events.iter().map(|(n, ..)| *n).collect()
    }

    pub(crate) fn sorted(&self) -> Vec<u64> {
        let mut numbers = self.numbers();
        numbers.sort_unstable();
        numbers
    }

    pub(crate) fn lines(&self) -> Vec<u64> {
        self.state.lock().unwrap().events.iter().map(|(.., line)| *line).collect()
    }

    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.state.lock().unwrap().events.iter().map(|(_, path, _)| path.clone()).collect()
    }

    pub(crate) fn lost(&self, reason: Reason) -> u64 {
        self.state.lock().unwrap().ledger.of(reason)
    }

    pub(crate) fn all_lost(&self) -> u64 {
        self.state.lock().unwrap().ledger.lost()
    }

    pub(crate) fn deliveries(&self) -> usize {
        self.state.lock().unwrap().deliveries
    }

    pub(crate) fn refused(&self) -> usize {
        self.state.lock().unwrap().refused
    }

    /// The keys of marks that were not taken back.
    pub(crate) fn marks(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.marks.iter().filter(|(_, value)| !value.is_empty()).map(|(key, _)| key.clone()).collect()
    }

    /// Is busy for the next `count` offers.
    pub(crate) fn refuse(&self, count: usize) {
        self.state.lock().unwrap().busy = count;
    }

    /// Cannot write at the next `count` offers.
    pub(crate) fn fail(&self, count: usize) {
        self.state.lock().unwrap().unwritable = count;
    }

    /// Stops after `count` more deliveries; with none, goes on.
    pub(crate) fn stop_after(&self, count: Option<usize>) {
        self.state.lock().unwrap().stops_after = count;
    }

    /// Waits until so many events are accepted.
    pub(crate) async fn wait_for(&self, count: usize) {
        for _ in 0..6000 {
            if self.state.lock().unwrap().events.len() >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} of {count} events after a minute", self.numbers().len());
    }

    fn take(&self, delivery: Delivery) -> Result<(), Refused> {
        let mut state = self.state.lock().unwrap();
        if state.stops_after == Some(0) {
            return Err(Refused::Stopping);
        }
        if state.busy > 0 {
            state.busy -= 1;
            state.refused += 1;
            return Err(Refused::Busy { retry_after: Duration::ZERO });
        }
        if state.unwritable > 0 {
            state.unwritable -= 1;
            state.refused += 1;
            return Err(Refused::Unwritable("the disk is full".to_owned()));
        }
        state.stops_after = state.stops_after.map(|left| left - 1);
        state.deliveries += 1;
        for (event, place) in delivery.batch.iter() {
            let value: serde_json::Value = serde_json::from_slice(event.raw).unwrap();
            state.events.push((value["n"].as_u64().unwrap(), place.path.to_path_buf(), place.line));
        }
        state.ledger.merge(delivery.ledger);
        if let Some((key, value)) = delivery.mark {
            state.marks.insert(key, value);
        }
        Ok(())
    }
}

impl Intake for Collector {
    fn submit(&self, delivery: Delivery) -> BoxFuture<'_, Result<(), Refused>> {
        Box::pin(async move { self.take(delivery) })
    }

    fn mark(&self, key: &str) -> Option<Vec<u8>> {
        self.state.lock().unwrap().marks.get(key).cloned()
    }
}
