//! The host: keeps workers going and says what became of each call.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, mem};

use masthead_ir::rule::{ScriptError, ScriptLibrary, ScriptVerdict};
use serde_json::Value;
use thiserror::Error;

use crate::interpreter::MODULE_LEVEL;
use crate::process::{Death, WorkerCommand, WorkerProcess};
use crate::protocol::{CallRecord, Reply, Request};

/// Calls in one message at most.
const BATCH_CALLS: usize = 256;

/// Bytes of JSON in one message at which no further call is added to it.
const BATCH_BYTES: usize = 1 << 20;

/// The longest JSON text of an event, in bytes. As Python objects it takes some ten times as much, which must not
/// reach the memory limit and be blamed on the program; and in a message it may take six times as much.
const MAX_TEXT: usize = 8 << 20;

/// How often a worker may be started in a row without one answer.
const MAX_STARTS: usize = 3;

/// How a [`Host`] works.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// What to start as a worker.
    pub worker: WorkerCommand,
    /// How long one call, or the loading of one program, may take.
    pub call_timeout: Duration,
    /// How long the start of a worker and the loading of the library may take.
    pub load_timeout: Duration,
    /// Bytes of address space that a worker may use beyond what it starts with (on Linux; elsewhere without effect).
    pub memory_limit: u64,
    /// Worker processes at most. One is started when it is needed: [`Host::evaluate`] uses one for each thread in it.
    pub workers: usize,
    /// How often a program may have its worker killed before it is not called any more.
    pub strikes: u32,
}

impl HostOptions {
    /// The defaults: 800 ms a call, 5 s to load, 512 MiB, one worker, one strike.
    #[must_use]
    pub fn new(worker: WorkerCommand) -> Self {
        Self {
            worker,
            call_timeout: Duration::from_millis(800),
            load_timeout: Duration::from_secs(5),
            memory_limit: 512 << 20,
            workers: 1,
            strikes: 1,
        }
    }
}

/// A program that the library's entry point can be called with.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its name, unique in the host.
    pub module: String,
    /// Its text.
    pub source: Arc<str>,
}

/// One call of the library's entry point. Calls next to each other that share an `Arc` share its transport.
#[derive(Debug, Clone)]
pub struct Call {
    /// The program's name.
    pub module: String,
    /// The event as JSON text.
    pub event: Arc<str>,
    /// What the event came in.
    pub envelope: Arc<Value>,
    /// What the rule is configured with.
    pub config: Arc<Value>,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every outcome is a verdict")]
pub enum Outcome {
    /// The entry point's answer. Where it raised or returned no verdict, a verdict without a match with the error in it.
    Verdict(ScriptVerdict),
    /// The call had its worker killed or brought it down.
    Killed {
        /// How.
        reason: KillReason,
        /// A sentence without its subject, the program.
        message: String,
    },
    /// The program was not called, because an earlier call or its loading ended as [`Outcome::Killed`].
    Disabled {
        /// The message of that.
        message: String,
    },
}

/// How a program lost its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillReason {
    /// It took too long.
    Timeout,
    /// It used too much memory.
    Memory,
    /// The worker ended, for instance because the interpreter failed.
    Crashed,
}

/// Why no program can be run at all.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum HostError {
    /// The worker could not be started or did not answer as one.
    #[error("cannot start the script worker: {0}")]
    Start(String),
    /// The library's entry point could not be imported.
    #[error("cannot load the script library: {} (line {})", .0.message, .0.line)]
    Library(ScriptError),
    /// Workers end again and again without an answer.
    #[error("the script worker does not stay: {0}")]
    Lost(String),
}

impl HostError {
    pub(crate) fn lost(error: io::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

/// Runs the programs of one library in worker processes.
///
/// A program that takes too long, uses too much memory or brings the interpreter down loses its worker: the call
/// is reported as [`Outcome::Killed`], another worker is started, and all other calls are made.
#[derive(Debug)]
pub struct Host {
    options: HostOptions,
    library: Arc<ScriptLibrary>,
    programs: Vec<Program>,
    /// By module: how often it was killed, and how it was last.
    kills: Mutex<HashMap<String, (u32, Death)>>,
    slots: Vec<Mutex<Option<WorkerProcess>>>,
    next_slot: AtomicUsize,
}

impl Host {
    /// A host without programs. It starts no process.
    #[must_use]
    pub fn start(options: HostOptions) -> Self {
        let slots = (0..options.workers.max(1)).map(|_| Mutex::new(None)).collect();
        Self {
            options,
            library: Arc::default(),
            programs: Vec::new(),
            kills: Mutex::default(),
            slots,
            next_slot: AtomicUsize::new(0),
        }
    }

    /// Replaces the library and the programs, and says of each program whether it could be loaded. No process is started
    /// for none.
    ///
    /// # Errors
    /// The worker cannot be started, or the library cannot be loaded in it.
    pub fn load(
        &mut self,
        library: &Arc<ScriptLibrary>,
        programs: Vec<Program>,
    ) -> Result<Vec<Result<(), ScriptError>>, HostError> {
        for slot in &mut self.slots {
            *slot.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        }
        lock(&self.kills).clear();
        self.library = Arc::clone(library);
        self.programs = programs;
        if self.programs.is_empty() {
            return Ok(Vec::new());
        }
        let mut failures = HashMap::new();
        let worker = self.start_worker(&mut failures)?;
        *lock(&self.slots[0]) = Some(worker);
        let programs = mem::take(&mut self.programs);
        let results = programs.iter().map(|program| failures.remove(&program.module).map_or(Ok(()), Err)).collect();
        self.programs = programs;
        Ok(results)
    }

    /// Makes the calls and gives what became of each, in their order. Several threads can be in it; each uses a worker
    /// of its own as long as there are enough.
    ///
    /// # Errors
    /// No worker can be started any more. A single program does not cause it.
    pub fn evaluate(&self, calls: &[Call]) -> Result<Vec<Outcome>, HostError> {
        let mut run = Run { host: self, calls, outcomes: vec![None; calls.len()], retried: HashSet::new() };
        let pending = (0..calls.len()).filter(|&index| !run.refuse(index)).collect::<VecDeque<_>>();
        if !pending.is_empty() {
            run.all(&mut self.slot(), pending)?;
        }
        let unanswered = || Outcome::Verdict(failed(ScriptError::default()));
        Ok(run.outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(unanswered)).collect())
    }

    /// A worker's place: a free one, or else whichever comes free.
    fn slot(&self) -> MutexGuard<'_, Option<WorkerProcess>> {
        if let Some(free) = self.slots.iter().find_map(|slot| slot.try_lock().ok()) {
            return free;
        }
        let turn = self.next_slot.fetch_add(1, Ordering::Relaxed) % self.slots.len();
        lock(&self.slots[turn])
    }

    /// Starts a worker with all programs but the disabled ones. Programs that cannot be loaded are put into `failures`; one
    /// that takes the worker down with it is disabled and a worker started without it.
    fn start_worker(&self, failures: &mut HashMap<String, ScriptError>) -> Result<WorkerProcess, HostError> {
        loop {
            let programs = self.enabled();
            let mut worker =
                WorkerProcess::start(&self.options.worker, self.options.memory_limit, self.options.load_timeout)?;
            worker.send(&self.load_request(&programs)).map_err(HostError::lost)?;
            match worker.receive(self.options.load_timeout) {
                Ok(Reply::Library(None)) => {}
                Ok(Reply::Library(Some(error))) => return Err(HostError::Library(error)),
                Ok(_) => return Err(HostError::Start("the worker's answer is out of turn".to_owned())),
                Err(death) => {
                    return Err(HostError::Library(ScriptError { message: death.message, ..Default::default() }));
                }
            }
            match self.await_programs(&mut worker, &programs, failures) {
                Ok(()) => return Ok(worker),
                Err((module, death)) => {
                    let message = death.message.clone();
                    let error = ScriptError { function: MODULE_LEVEL.to_owned(), message, line: 0 };
                    failures.insert(module.clone(), error);
                    lock(&self.kills).insert(module, (u32::MAX, death));
                }
            }
        }
    }

    fn load_request(&self, programs: &[&Program]) -> Request {
        Request::Load {
            modules: self.library.modules.iter().map(|(name, text)| (name.clone(), Arc::clone(text))).collect(),
            entry: self.library.entry.clone(),
            programs: programs.iter().map(|program| (program.module.clone(), Arc::clone(&program.source))).collect(),
        }
    }

    fn await_programs(
        &self,
        worker: &mut WorkerProcess,
        programs: &[&Program],
        failures: &mut HashMap<String, ScriptError>,
    ) -> Result<(), (String, Death)> {
        for program in programs {
            match worker.receive(self.options.call_timeout) {
                Ok(Reply::Program(Some(error))) => {
                    failures.insert(program.module.clone(), error);
                }
                Ok(_) => {}
                Err(death) => return Err((program.module.clone(), death)),
            }
        }
        Ok(())
    }

    fn enabled(&self) -> Vec<&Program> {
        self.programs.iter().filter(|program| self.disabled(&program.module).is_none()).collect()
    }

    /// Why a program is not called any more.
    fn disabled(&self, module: &str) -> Option<String> {
        let kills = lock(&self.kills);
        kills.get(module).filter(|(count, _)| *count >= self.options.strikes).map(|(_, death)| death.message.clone())
    }

    fn strike(&self, module: &str, death: Death) {
        let mut kills = lock(&self.kills);
        let entry = kills.entry(module.to_owned()).or_insert_with(|| (0, death.clone()));
        *entry = (entry.0.saturating_add(1), death);
    }
}

/// One [`Host::evaluate`].
struct Run<'a> {
    host: &'a Host,
    calls: &'a [Call],
    outcomes: Vec<Option<Outcome>>,
    /// Calls that brought a worker down once already.
    retried: HashSet<usize>,
}

impl Run<'_> {
    /// Answers a call that is not to be made.
    fn refuse(&mut self, index: usize) -> bool {
        let call = &self.calls[index];
        if let Some(message) = self.host.disabled(&call.module) {
            self.outcomes[index] = Some(Outcome::Disabled { message });
        } else if call.event.len() > MAX_TEXT {
            let message = format!("the event is longer than {} MiB", MAX_TEXT >> 20);
            self.outcomes[index] = Some(Outcome::Verdict(failed(ScriptError { message, ..Default::default() })));
        }
        self.outcomes[index].is_some()
    }

    fn all(&mut self, slot: &mut Option<WorkerProcess>, mut pending: VecDeque<usize>) -> Result<(), HostError> {
        let mut starts = 0;
        let mut calls = BATCH_CALLS;
        loop {
            pending.retain(|&index| !self.refuse(index));
            if pending.is_empty() {
                return Ok(());
            }
            let mut worker = match slot.take() {
                Some(worker) => worker,
                None if starts == MAX_STARTS => {
                    return Err(HostError::Lost(format!("started {MAX_STARTS} times without an answer")));
                }
                None => {
                    starts += 1;
                    self.host.start_worker(&mut HashMap::new())?
                }
            };
            let (request, count) = self.batch(&pending, calls);
            match worker.send(&request) {
                Ok(()) => calls = BATCH_CALLS,
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    // Nothing was sent. Alone, the calls that are short enough get through.
                    if count == 1 {
                        self.fail_first(&mut pending, error.to_string());
                    }
                    calls = 1;
                    *slot = Some(worker);
                    continue;
                }
                // It ended between two calls, so that none of them is to blame.
                Err(_) => continue,
            }
            match self.answers(&mut worker, &mut pending, count) {
                Ok(()) => {
                    starts = 0;
                    *slot = Some(worker);
                }
                Err((index, death)) => {
                    starts = 0;
                    self.blame(index, death, &mut pending);
                }
            }
        }
    }

    fn fail_first(&mut self, pending: &mut VecDeque<usize>, message: String) {
        if let Some(index) = pending.pop_front() {
            self.outcomes[index] = Some(Outcome::Verdict(failed(ScriptError { message, ..Default::default() })));
        }
    }

    /// The first of the pending calls, `most` at most, as one message, and how many they are.
    fn batch(&self, pending: &VecDeque<usize>, most: usize) -> (Request, usize) {
        let mut texts = Texts::default();
        let mut records = Vec::new();
        for &index in pending.iter().take(most) {
            if texts.bytes > BATCH_BYTES {
                break;
            }
            let call = &self.calls[index];
            records.push(CallRecord {
                module: call.module.clone(),
                event: texts.add(Arc::as_ptr(&call.event).addr(), || Arc::clone(&call.event)),
                envelope: texts.add(Arc::as_ptr(&call.envelope).addr(), || call.envelope.to_string().into()),
                config: texts.add(Arc::as_ptr(&call.config).addr(), || call.config.to_string().into()),
            });
        }
        let count = records.len();
        (Request::Evaluate { texts: texts.texts, calls: records }, count)
    }

    /// Takes the answers to the first `count` pending calls; the error names the one that was not answered.
    fn answers(
        &mut self,
        worker: &mut WorkerProcess,
        pending: &mut VecDeque<usize>,
        count: usize,
    ) -> Result<(), (usize, Death)> {
        for _ in 0..count {
            let Some(&index) = pending.front() else { return Ok(()) };
            let verdict = match worker.receive(self.host.options.call_timeout) {
                Ok(Reply::Verdict(verdict)) => *verdict,
                Ok(Reply::Failed(error)) => failed(error),
                Ok(_) => failed(ScriptError {
                    message: "the worker's answer is out of turn".to_owned(),
                    ..Default::default()
                }),
                Err(death) => return Err((index, death)),
            };
            self.outcomes[index] = Some(Outcome::Verdict(verdict));
            pending.pop_front();
        }
        Ok(())
    }

    /// Holds a call responsible for the death of its worker. What other calls left in memory may have contributed unless it
    /// took too long: then it is made once more, first in a new worker.
    fn blame(&mut self, index: usize, death: Death, pending: &mut VecDeque<usize>) {
        if death.reason != KillReason::Timeout && self.retried.insert(index) {
            return;
        }
        pending.pop_front();
        self.outcomes[index] = Some(Outcome::Killed { reason: death.reason, message: death.message.clone() });
        self.host.strike(&self.calls[index].module, death);
    }
}

/// The JSON texts of a message, each once.
#[derive(Default)]
struct Texts {
    texts: Vec<Arc<str>>,
    places: HashMap<usize, usize>,
    bytes: usize,
}

impl Texts {
    /// The place of the text that belongs to an address.
    fn add(&mut self, address: usize, text: impl FnOnce() -> Arc<str>) -> usize {
        *self.places.entry(address).or_insert_with(|| {
            let text = text();
            self.bytes += text.len();
            self.texts.push(text);
            self.texts.len() - 1
        })
    }
}

/// The verdict of a call that came to none.
fn failed(error: ScriptError) -> ScriptVerdict {
    ScriptVerdict { errors: vec![error], ..Default::default() }
}

/// A poisoned lock is taken all the same: what it guards is valid between any two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
