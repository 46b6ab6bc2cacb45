//! Events in pieces that can be handed to other threads.

use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::{Envelope, EventRef, Location};
use crate::ledger::Ledger;

use super::{Decoder, ReadError};

/// A batch is given on when it holds this many bytes: enough to make handing over cheap, little enough for a cache.
pub const BATCH_BYTES: usize = 512 * 1024;

/// Events of one input, with their bytes. Can be written and read again by serde, so that it can wait on a disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    path: Arc<Path>,
    first_ordinal: u64,
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
    envelopes: Vec<Arc<Envelope>>,
    events: Vec<Held>,
}

/// An event of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Held {
    raw: Range<usize>,
    /// The envelope's id of the event, in the same bytes.
    id: Option<Range<usize>>,
    envelope: usize,
    line: u64,
    record: u64,
    truncated: bool,
    text: bool,
}

impl Batch {
    /// An empty batch for events of the input `path`, the first of which has the number `first_ordinal`.
    pub fn new(path: Arc<Path>, first_ordinal: u64) -> Batch {
        Batch { path, first_ordinal, bytes: Vec::new(), envelopes: Vec::new(), events: Vec::new() }
    }

    fn roomy(path: Arc<Path>, first_ordinal: u64) -> Batch {
        let bytes = Vec::with_capacity(BATCH_BYTES + BATCH_BYTES / 8);
        Batch { bytes, events: Vec::with_capacity(512), ..Batch::new(path, first_ordinal) }
    }

    /// How many bytes its events have.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// The number of events.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The ordinal of the first event; those of the others follow.
    pub fn first_ordinal(&self) -> u64 {
        self.first_ordinal
    }

    /// The input.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An event and its place.
    pub fn get(&self, index: usize) -> Option<(EventRef<'_>, Location<'_>)> {
        let held = self.events.get(index)?;
        let id = held.id.clone().and_then(|range| self.bytes.get(range));
        let event = EventRef {
            raw: self.bytes.get(held.raw.clone())?,
            envelope: self.envelopes.get(held.envelope)?,
            envelope_id: id.and_then(|id| std::str::from_utf8(id).ok()),
            truncated: held.truncated,
            text: held.text,
            ordinal: self.first_ordinal + index as u64,
        };
        Some((event, Location { path: &self.path, line: held.line, record: held.record }))
    }

    /// The events in order, with their places.
    pub fn iter(&self) -> impl Iterator<Item = (EventRef<'_>, Location<'_>)> {
        (0..self.events.len()).filter_map(|index| self.get(index))
    }

    /// Adds an event. Its ordinal is not kept: those of a batch are numbered in order.
    pub fn push(&mut self, event: &EventRef<'_>, place: &Location<'_>) {
        // The events of one envelope follow one another, so that a look at the last one is enough.
        if self.envelopes.last().is_none_or(|last| !Arc::ptr_eq(last, event.envelope)) {
            self.envelopes.push(event.envelope.clone());
        }
        let raw = self.append(event.raw);
        let id = event.envelope_id.map(|id| self.append(id.as_bytes()));
        self.events.push(Held {
            raw,
            id,
            envelope: self.envelopes.len() - 1,
            line: place.line,
            record: place.record,
            truncated: event.truncated,
            text: event.text,
        });
    }

    fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }
}

impl Decoder {
    /// Reads a path like [`Decoder::read_path`], but gives on whole batches, which may go to other threads.
    ///
    /// # Errors
    ///
    /// As [`Decoder::read_path`]; the events before the error were given on.
    pub fn read_batches(
        &mut self,
        path: &Path,
        ledger: &mut Ledger,
        sink: &mut dyn FnMut(Batch) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ReadError> {
        let mut open: Option<Batch> = None;
        let result = self.read_path(path, ledger, &mut |event, place| {
            if let Some(full) = open
                .take_if(|batch| batch.bytes.len() >= BATCH_BYTES || batch.path.as_os_str() != place.path.as_os_str())
            {
                sink(full)?;
            }
            let batch = open.get_or_insert_with(|| Batch::roomy(Arc::from(place.path), event.ordinal));
            batch.push(&event, &place);
            ControlFlow::Continue(())
        });
        match (open, &result) {
            (Some(batch), Ok(ControlFlow::Continue(())) | Err(_)) => {
                let flow = sink(batch);
                result.map(|_| flow)
            }
            _ => result,
        }
    }
}
