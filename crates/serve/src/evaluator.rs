//! The thread that evaluates: deliveries out of the queue, through the rules, into the state.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use masthead_engine::{Changes, Live, LiveOptions, LiveReport, Raised};
use masthead_ir::finding::Finding;
use masthead_ir::rule::RuleSet;
use masthead_ir::time::Micros;
use masthead_sinks::{Courier, Sinks};
use masthead_spool::Spool;
use masthead_state::{Commit, FindingWrite, State, StateError};
use tokio::runtime::Handle;

use crate::metrics::Metrics;
use crate::risk::RiskRules;

/// How much is read from the queue at once.
const READ: usize = 8 << 20;
/// How long events wait at most before they are judged together.
const TICK: Duration = Duration::from_millis(100);
/// How long the queue is waited for.
const WAIT: Duration = Duration::from_millis(100);
/// After how long without a delivery event time goes on by itself.
const IDLE: Duration = Duration::from_secs(20);
/// How often the figures are shown anew.
const SHOW: Duration = Duration::from_millis(200);

/// What can be asked of the thread.
pub(crate) enum Order {
    /// Other rules from now on.
    Rules(Box<RuleSet>, Box<LiveOptions>, tokio::sync::oneshot::Sender<Result<(), String>>),
    /// Findings of the service itself (a silent source).
    Raise(Vec<Finding>),
    /// The end, after what has been read.
    Stop,
}

/// Where the thread's parts are.
pub(crate) struct Parts {
    pub(crate) spool: Arc<Spool>,
    pub(crate) state: State,
    pub(crate) sinks: Arc<Sinks>,
    pub(crate) courier: Arc<Courier>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) risk: RiskRules,
    pub(crate) runtime: Handle,
    pub(crate) report: Arc<std::sync::Mutex<LiveReport>>,
    /// Findings on their way to the standard output, where there is no sink.
    pub(crate) told: Option<std::sync::mpsc::Sender<Finding>>,
}

/// The thread's state.
pub(crate) struct Evaluator {
    parts: Parts,
    live: Live,
    /// The last delivery that was taken.
    position: u64,
    /// Deliveries that were taken and not written: the time of the first.
    taken: Option<Instant>,
    last_taken: Instant,
    last_newest: Option<Micros>,
    shown: Instant,
}

impl Evaluator {
    /// Continues where the state says that the last one ended.
    ///
    /// # Errors
    /// When the state cannot be read, or the rules cannot run together.
    pub(crate) fn new(parts: Parts, rules: &RuleSet, options: LiveOptions) -> Result<Evaluator, String> {
        let told = |error: StateError| error.to_string();
        let position = parts.runtime.block_on(parts.state.position()).map_err(told)?.unwrap_or(0);
        let state = parts.runtime.block_on(parts.state.engine_state()).map_err(told)?;
        let live = Live::new(rules, options, state).map_err(|error| error.to_string())?;
        // A queue that was made anew begins after what the state has seen, or its first batches would be passed over.
        parts.spool.continue_after(position);
        // What was evaluated before the last end, and not yet deleted.
        parts.spool.trim(position + 1).map_err(|error| error.to_string())?;
        let now = Instant::now();
        Ok(Evaluator { parts, live, position, taken: None, last_taken: now, last_newest: None, shown: now })
    }

    /// Runs until it is told to stop.
    pub(crate) fn run(mut self, orders: &Receiver<Order>) {
        loop {
            match orders.try_recv() {
                Ok(Order::Stop) | Err(TryRecvError::Disconnected) => break,
                Ok(Order::Rules(rules, options, done)) => {
                    let swapped = self.swap(&rules, *options);
                    let _nobody_waits = done.send(swapped);
                }
                Ok(Order::Raise(findings)) => self.raise(findings),
                Err(TryRecvError::Empty) => {}
            }
            self.turn();
        }
        self.write(true);
        self.show();
    }

    fn turn(&mut self) {
        let read = self.parts.spool.read(self.position + 1, READ);
        match read {
            Ok(batches) if batches.is_empty() => {
                self.write(false);
                self.parts.spool.wait(self.position, WAIT);
                self.idle();
            }
            Ok(batches) => {
                for (number, payload) in batches {
                    self.take(number, &payload);
                    if self.taken.is_some_and(|since| since.elapsed() >= TICK) {
                        self.write(false);
                    }
                }
            }
            Err(error) => {
                tracing::error!(%error, "the queue cannot be read");
                std::thread::sleep(Duration::from_secs(1));
            }
        }
        if self.shown.elapsed() >= SHOW {
            self.show();
        }
    }

    fn take(&mut self, number: u64, payload: &[u8]) {
        match crate::queue::decode(payload) {
            Ok(delivery) => {
                self.live.take(&delivery.source, &delivery.batch, delivery.received, &delivery.ledger);
                self.last_taken = Instant::now();
            }
            Err(error) => {
                self.parts.metrics.unreadable.inc();
                tracing::error!(number, %error, "an accepted delivery cannot be read any more and is left out");
            }
        }
        self.position = number;
        self.taken.get_or_insert_with(Instant::now);
    }

    /// When nothing comes, event time goes on with the clock, so that windows end.
    fn idle(&mut self) {
        let Some(newest) = self.live.newest() else { return };
        if self.last_newest != Some(newest) {
            self.last_newest = Some(newest);
            self.last_taken = self.last_taken.max(Instant::now() - Duration::from_millis(1));
        }
        let quiet = self.last_taken.elapsed();
        if quiet >= IDLE {
            let passed = Micros::try_from(quiet.as_micros()).unwrap_or(0);
            self.live.idle_for(passed);
        }
    }

    fn write(&mut self, force: bool) {
        if self.taken.is_none() && !force && !self.live.unsettled() {
            return;
        }
        let start = Instant::now();
        let changes = self.live.tick(force);
        self.parts.metrics.decided.observe(start.elapsed().as_secs_f64());
        let read = self.taken.take().is_some();
        if changes.is_empty() && !read {
            return;
        }
        self.commit(changes);
        if let Err(error) = self.parts.spool.trim(self.position + 1) {
            tracing::warn!(%error, "evaluated deliveries cannot be deleted from the queue");
        }
    }

    /// Writes changes together with the place up to which events were read. While that is not possible nothing more is
    /// read, so that the queue fills and senders are told to wait.
    fn commit(&mut self, changes: Changes) {
        let Changes { findings, renames, puts, deletes } = changes;
        let measured: HashMap<String, (bool, Option<Micros>)> = findings
            .iter()
            .map(|raised| (raised.finding.finding_id.clone(), (raised.windowed, raised.received)))
            .collect();
        let findings: Vec<FindingWrite> = findings.into_iter().map(|raised| self.routed(raised)).collect();
        let commit =
            Commit { position: Some(self.position), puts, deletes, renames, findings, risk: self.parts.risk.policy() };
        let inserted = self.commit_all(&commit);
        let now = Timestamp::now().as_microsecond();
        let by_id: HashMap<&str, &FindingWrite> =
            commit.findings.iter().map(|write| (write.finding.finding_id.as_str(), write)).collect();
        for id in &inserted {
            let Some(write) = by_id.get(id.as_str()) else { continue };
            let (windowed, received) = measured.get(id).copied().unwrap_or_default();
            self.parts.metrics.found(&write.finding, windowed, received, now);
            if let Some(told) = &self.parts.told {
                let _nobody_reads = told.send(write.finding.clone());
            }
        }
        if !inserted.is_empty() {
            self.parts.courier.nudge();
        }
    }

    fn commit_all(&mut self, commit: &Commit) -> Vec<String> {
        let mut wait = Duration::from_millis(100);
        loop {
            match self.parts.runtime.block_on(self.parts.state.commit(commit.clone())) {
                Ok(committed) => {
                    let mut inserted = committed.inserted;
                    let risky: Vec<FindingWrite> = self
                        .parts
                        .risk
                        .findings(&committed.risk)
                        .into_iter()
                        .map(|finding| self.own(finding))
                        .collect();
                    if !risky.is_empty() {
                        let risk = self.parts.risk.policy();
                        let more = Commit { position: None, findings: risky, risk, ..Commit::default() };
                        inserted.extend(self.commit_all(&more));
                    }
                    return inserted;
                }
                Err(error) => {
                    self.parts.metrics.state_errors.inc();
                    tracing::error!(%error, "findings cannot be written; no event is evaluated until they can");
                    std::thread::sleep(wait);
                    wait = (wait * 2).min(Duration::from_secs(10));
                }
            }
        }
    }

    fn routed(&self, raised: Raised) -> FindingWrite {
        let sinks = self.parts.sinks.route(&raised.finding, &raised.rule.tags);
        FindingWrite { finding: raised.finding, sinks }
    }

    fn own(&self, finding: Finding) -> FindingWrite {
        let sinks = self.parts.sinks.route(&finding, &[]);
        FindingWrite { finding, sinks }
    }

    fn raise(&mut self, findings: Vec<Finding>) {
        let findings: Vec<FindingWrite> = findings.into_iter().map(|finding| self.own(finding)).collect();
        let commit = Commit { position: None, findings, risk: self.parts.risk.policy(), ..Commit::default() };
        let inserted = self.commit_all(&commit);
        for write in commit.findings.into_iter().filter(|write| inserted.contains(&write.finding.finding_id)) {
            if let Some(told) = &self.parts.told {
                let _nobody_reads = told.send(write.finding);
            }
        }
        self.parts.courier.nudge();
    }

    /// Other rules: what they need of the state is read from where it was written.
    fn swap(&mut self, rules: &RuleSet, options: LiveOptions) -> Result<(), String> {
        self.write(true);
        let state = self.parts.runtime.block_on(self.parts.state.engine_state()).map_err(|error| error.to_string())?;
        let mut live = Live::new(rules, options, state).map_err(|error| error.to_string())?;
        live.succeed(&self.live);
        self.live = live;
        Ok(())
    }

    fn show(&mut self) {
        self.shown = Instant::now();
        let report = self.live.report();
        self.parts.metrics.show(&report, &self.parts.spool.pending());
        *self.parts.report.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = report;
    }
}
