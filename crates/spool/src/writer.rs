//! The thread that writes: what comes while one `fsync` runs is written with the next.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

use fjall::PersistMode;

use crate::{LAST, Shared, SpoolError, Store};

/// How many bytes are written with one `fsync` at most.
const TOGETHER: usize = 32 << 20;

type Reply = Sender<Result<u64, SpoolError>>;

struct Request {
    payload: Vec<u8>,
    marks: Vec<(String, Vec<u8>)>,
    reply: Reply,
}

/// The thread and the way to it.
pub(crate) struct Writer {
    requests: Option<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

impl Writer {
    pub(crate) fn start(shared: Arc<Shared>) -> std::io::Result<Writer> {
        let (requests, inbox) = channel();
        let own = shared.clone();
        let thread = std::thread::Builder::new().name("spool".to_owned()).spawn(move || serve(&own, &inbox))?;
        Ok(Writer { requests: Some(requests), thread: Some(thread), shared })
    }

    pub(crate) fn append(&self, payload: Vec<u8>, marks: Vec<(String, Vec<u8>)>) -> Result<u64, SpoolError> {
        let waiting = self.shared.pending().bytes;
        let max = self.shared.options.max_bytes;
        if waiting > 0 && waiting.saturating_add(payload.len() as u64) > max {
            return Err(SpoolError::Full { bytes: waiting, max });
        }
        let (reply, answer) = channel();
        let requests = self.requests.as_ref().ok_or(SpoolError::Closed)?;
        requests.send(Request { payload, marks, reply }).map_err(|_| SpoolError::Closed)?;
        answer.recv().unwrap_or(Err(SpoolError::Closed))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

fn serve(shared: &Shared, inbox: &Receiver<Request>) {
    while let Ok(first) = inbox.recv() {
        let mut bytes = first.payload.len();
        let mut together = vec![first];
        while bytes < TOGETHER {
            let Ok(next) = inbox.try_recv() else { break };
            bytes += next.payload.len();
            together.push(next);
        }
        write(shared, together);
    }
}

fn write(shared: &Shared, requests: Vec<Request>) {
    let first = shared.pending().last + 1;
    let outcome = reopened(shared).and_then(|()| {
        let store = shared.store.read().unwrap_or_else(PoisonError::into_inner);
        let Some(store) = store.as_ref() else { return Err(SpoolError::Broken { folder: shared.folder.clone() }) };
        commit(store, &requests, first, shared.options.sync).map_err(|error| SpoolError::of(&shared.folder, error))
    });
    match outcome {
        Ok(()) => {
            let mut pending = shared.pending();
            if pending.first == 0 {
                pending.first = first;
            }
            for (number, request) in (first..).zip(&requests) {
                pending.batches += 1;
                pending.bytes += request.payload.len() as u64;
                pending.last = number;
            }
            drop(pending);
            shared.arrived.notify_all();
            for (number, request) in (first..).zip(requests) {
                let _gone = request.reply.send(Ok(number));
            }
        }
        Err(error) => {
            // After a failed write or `fsync` nobody knows what is on the disk: the store is opened anew, which looks.
            *shared.store.write().unwrap_or_else(PoisonError::into_inner) = None;
            let mut error = Some(error);
            for request in requests {
                let told = error.take().unwrap_or_else(|| SpoolError::Broken { folder: shared.folder.clone() });
                let _gone = request.reply.send(Err(told));
            }
        }
    }
}

fn commit(store: &Store, requests: &[Request], first: u64, sync: bool) -> fjall::Result<()> {
    let mut batch =
        store.database.batch().durability(Some(if sync { PersistMode::SyncAll } else { PersistMode::Buffer }));
    let mut number = first;
    for request in requests {
        batch.insert(&store.batches, number.to_be_bytes(), request.payload.as_slice());
        for (key, value) in &request.marks {
            batch.insert(&store.marks, key.as_str(), value.as_slice());
        }
        number += 1;
    }
    batch.insert(&store.marks, LAST, (number - 1).to_be_bytes());
    batch.commit()
}

/// Opens the store again after a failure.
fn reopened(shared: &Shared) -> Result<(), SpoolError> {
    let mut store = shared.store.write().unwrap_or_else(PoisonError::into_inner);
    if store.is_none() {
        let folder: &Path = &shared.folder;
        let opened = Store::open(folder)?;
        // What failed may be on the disk all the same. Its sender was told that it is not and sends it again, so that it is a double.
        let found = opened.survey(folder)?;
        let mut pending = shared.pending();
        pending.batches = found.batches;
        pending.bytes = found.bytes;
        pending.last = pending.last.max(found.last);
        if found.batches > 0 && pending.first == 0 {
            pending.first = found.last + 1 - found.batches;
        }
        *store = Some(opened);
    }
    Ok(())
}
