//! Reading inputs: on one thread, or with several that look at events while one takes what they found, in the order of
//! the input. Both ways do the same things in the same order, so that a scan's result does not depend on the number.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use masthead_event::decode::{Batch, Decoder, ReadError};
use masthead_event::doubles::{Identifier, Verdict};
use masthead_event::{EventRef, Ledger, Location, Reason};

use super::Scan;
use crate::EngineError;
use crate::plan::Plan;
use crate::report::Progress;
use crate::sift::{Sifted, Sifter, Want};

/// How many batches may wait for each thread: enough that none is idle, few enough for the memory.
const WAITING: usize = 2;

impl Scan<'_> {
    pub(super) fn read(&mut self, inputs: &[PathBuf], total: u64, progress: &dyn Progress) -> Result<(), EngineError> {
        let read = Arc::new(AtomicU64::new(0));
        let tell = || progress.bytes(read.load(Ordering::Relaxed), total);
        let decoder = crate::events::decoder(self.options, read.clone());
        let outcome = match self.options.threads {
            0 | 1 => self.read_alone(decoder, inputs, &tell),
            threads => self.read_together(decoder, inputs, threads, &tell),
        };
        outcome.map_err(|error| EngineError::Unreadable { path: error.path, source: error.source })?;
        tell();
        self.input_bytes = self.ledger.bytes_read;
        Ok(())
    }

    fn read_alone(&mut self, mut decoder: Decoder, inputs: &[PathBuf], tell: &dyn Fn()) -> Result<(), ReadError> {
        let mut sifter = Sifter::new(self.plan);
        let identifier = self.doubles.identifier();
        let (mut ledger, mut own) = (Ledger::default(), Ledger::default());
        for path in inputs {
            let _flow = decoder.read_path(path, &mut ledger, &mut |event, at| {
                let sifted = sifter.sift(self.plan, identifier, &event, &at, &mut own);
                if let Some(sifted) = sifted {
                    self.take(&event, &at, sifted, &mut own);
                }
                if self.events.is_multiple_of(4096) {
                    tell();
                }
                ControlFlow::Continue(())
            })?;
        }
        ledger.merge(own);
        self.ledger = ledger;
        self.saw(&sifter.seen);
        Ok(())
    }

    fn read_together(
        &mut self,
        decoder: Decoder,
        inputs: &[PathBuf],
        threads: usize,
        tell: &dyn Fn(),
    ) -> Result<(), ReadError> {
        let (work, todo) = sync_channel::<Numbered>(threads * WAITING);
        let (results, done) = sync_channel::<Looked>(threads * WAITING);
        let todo = Mutex::new(todo);
        let (plan, identifier) = (self.plan, self.doubles.identifier());
        let mut own = Ledger::default();
        thread::scope(|scope| {
            let reader = scope.spawn(move || decode(decoder, inputs, &work));
            let lookers: Vec<_> = (0..threads)
                .map(|_| {
                    let (todo, results) = (&todo, results.clone());
                    scope.spawn(move || look(plan, identifier, todo, &results))
                })
                .collect();
            drop(results);
            self.take_in_order(&done, &mut own, tell);
            let (mut ledger, outcome) = finished(reader.join());
            for looker in lookers {
                let (counted, seen) = finished(looker.join());
                ledger.merge(counted);
                self.saw(&seen);
            }
            ledger.merge(own);
            self.ledger = ledger;
            outcome
        })
    }

    fn take_in_order(&mut self, done: &Receiver<Looked>, ledger: &mut Ledger, tell: &dyn Fn()) {
        let mut waiting = BTreeMap::new();
        let mut next = 0;
        for looked in done {
            waiting.insert(looked.number, looked);
            while let Some(looked) = waiting.remove(&next) {
                next += 1;
                for ((event, at), sifted) in looked.batch.iter().zip(looked.sifted) {
                    if let Some(sifted) = sifted {
                        self.take(&event, &at, sifted, ledger);
                    }
                }
                tell();
            }
        }
    }

    /// Takes what was found in one event. Events come in the order of the input.
    fn take(&mut self, event: &EventRef<'_>, at: &Location<'_>, sifted: Sifted, ledger: &mut Ledger) {
        match sifted.identity.map(|identity| self.doubles.check(identity)) {
            Some(Verdict::Double) => return ledger.count(Reason::Double, at),
            Some(Verdict::Reused) => ledger.count(Reason::ReusedAuditId, at),
            Some(Verdict::New) | None => {}
        }
        let Sifted { time, audit_id, wants, salvaged, .. } = sifted;
        let event = EventRef { raw: salvaged.as_deref().unwrap_or(event.raw), ..*event };
        self.events += 1;
        self.bytes += event.raw.len() as u64;
        self.last_time = self.last_time.max(time);
        self.note_envelope(event.envelope);
        for want in wants {
            match want {
                Want::Script(script) => self.scripts.candidate(self.plan, script, &event, time, &audit_id),
                Want::Row { pipeline, source, values } => {
                    let cluster = &event.envelope.cluster;
                    let kept =
                        values.and_then(|values| self.keep((pipeline, source), &values, time, &audit_id, cluster));
                    if let Err(error) = kept {
                        self.faults.entry(pipeline).or_insert(error);
                    }
                }
            }
        }
    }

    fn saw(&mut self, seen: &[bool]) {
        self.seen_slots.resize(seen.len(), false);
        self.seen_slots.iter_mut().zip(seen).for_each(|(all, one)| *all |= *one);
    }
}

/// A batch, and its place in the order of the input.
struct Numbered {
    number: u64,
    batch: Batch,
}

/// A batch whose events have been looked at.
struct Looked {
    number: u64,
    batch: Batch,
    /// One for each event; none for what cannot be read.
    sifted: Vec<Option<Sifted>>,
}

fn decode(mut decoder: Decoder, inputs: &[PathBuf], work: &SyncSender<Numbered>) -> (Ledger, Result<(), ReadError>) {
    let mut ledger = Ledger::default();
    let mut number = 0;
    let mut hand_on = |batch: Batch| {
        let sent = work.send(Numbered { number, batch });
        number += 1;
        // No one listens any more: another thread has failed, and its panic is what will be told.
        if sent.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let read = |path: &PathBuf| {
        let path: &Path = path;
        decoder.read_batches(path, &mut ledger, &mut hand_on).map(|_| ())
    };
    let outcome = inputs.iter().try_for_each(read);
    (ledger, outcome)
}

fn look(
    plan: &Plan,
    identifier: Identifier,
    todo: &Mutex<Receiver<Numbered>>,
    results: &SyncSender<Looked>,
) -> (Ledger, Vec<bool>) {
    let mut ledger = Ledger::default();
    let mut sifter = Sifter::new(plan);
    loop {
        let next = todo.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Numbered { number, batch }) = next else { break };
        let sift = |(event, at): (EventRef<'_>, Location<'_>)| sifter.sift(plan, identifier, &event, &at, &mut ledger);
        let sifted = batch.iter().map(sift).collect();
        if results.send(Looked { number, batch, sifted }).is_err() {
            break;
        }
    }
    (ledger, sifter.seen)
}

/// What a thread gave; its panic goes on.
fn finished<T>(joined: thread::Result<T>) -> T {
    joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
