//! One pipeline as events come: its kept rows, its windows, its findings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use masthead_ir::finding::Finding;
use masthead_ir::time::{Micros, TimeRange, TimeSpec};
use masthead_query::{EventRow, Form, Grown, Incremental, Input, Resources, ResultRow, RunContext, WindowRows};

use super::chains::{Chains, Linked, Stretch};
use super::changes::{Pending, Raised};
use super::clock::Standing;
use super::{WindowChoice, keys};
use crate::exceptions::{self, Fields};
use crate::plan::PipelineRule;
use crate::sift::Values;
use crate::throttle::Throttle;
use crate::windows::{Window, Windows};
use crate::{evidence, finding};

/// A row that waits for the next tick.
struct Waiting {
    time: Option<Micros>,
    evidence: String,
    values: Values,
}

/// The live state of one pipeline.
pub(super) struct LivePipeline {
    /// Names its state; another text of the rule has another.
    pub(super) print: String,
    form: Form,
    choice: WindowChoice,
    span: Micros,
    /// Whether it correlates by itself, without a schedule: then `closed` is up to when it has looked.
    correlates: bool,
    /// The time of the oldest row that was not looked at.
    oldest: Option<Micros>,
    waiting: Vec<Vec<Waiting>>,
    /// Kept rows that are not in the grouping yet: it takes them when it is looked at.
    fresh: Vec<Input>,
    rows: Vec<WindowRows>,
    grouping: Option<Incremental>,
    /// Windows that hold a kept row and have not run.
    due: BTreeSet<Window>,
    /// Seconds whose windows are in `due`.
    noted: BTreeSet<i64>,
    /// The last window that has run.
    pub(super) closed: Option<Micros>,
    chains: Chains,
    throttle: Throttle,
    /// Whether rows came since the window was looked at as a whole.
    dirty: bool,
    /// The newest of the rows that came late with this tick.
    late: Option<Micros>,
    /// When the oldest row was received that was not looked at; what is looked at now.
    since: Option<Micros>,
    looked_at: Option<Micros>,
    looked: Option<Instant>,
    took: Duration,
    pub(super) figures: Figures,
}

/// What a pipeline or script did since the start.
#[derive(Debug, Clone, Default)]
pub(super) struct Figures {
    pub(super) candidates: u64,
    pub(super) matches: u64,
    pub(super) findings: u64,
    pub(super) throttled: u64,
    pub(super) late: u64,
    pub(super) evicted: u64,
    pub(super) spent: Duration,
    pub(super) problem: Option<String>,
    pub(super) last: Option<Micros>,
}

/// A window over everything in between is looked at again at most so often, and for at most a tenth of the time.
const PAUSE: Duration = Duration::from_millis(400);

/// So many small pieces become one.
const PIECES: usize = 48;

impl LivePipeline {
    pub(super) fn new(rule: &PipelineRule, choice: WindowChoice, default_span: Micros) -> LivePipeline {
        let form = if rule.silent { Form::Scheduled } else { rule.form };
        let span = rule.windows.as_ref().and_then(crate::windows::Windows::span);
        let span = span.or_else(|| rule.pipeline.correlation_span()).unwrap_or(default_span);
        // What has no schedule can only run as events come.
        let choice = if rule.windows.is_none() { WindowChoice::Live } else { choice };
        let grouping = (choice == WindowChoice::Live).then(|| Incremental::new(&rule.pipeline, span)).flatten();
        LivePipeline {
            print: keys::print(&rule.rule),
            form,
            choice,
            span,
            correlates: rule.windows.is_none() && rule.pipeline.correlates(),
            oldest: None,
            waiting: rule.sources.iter().map(|_| Vec::new()).collect(),
            fresh: Vec::new(),
            rows: rule.sources.iter().map(|source| WindowRows::new(&source.demand)).collect(),
            grouping,
            due: BTreeSet::new(),
            noted: BTreeSet::new(),
            closed: None,
            chains: Chains::default(),
            throttle: Throttle::new(rule.rule.finding.throttle.as_ref()),
            dirty: false,
            late: None,
            since: None,
            looked_at: None,
            looked: None,
            took: Duration::ZERO,
            figures: Figures::default(),
        }
    }

    /// Whether rows need not be kept: each stands for itself and is judged as it comes.
    fn passes(&self) -> bool {
        self.form == Form::Rows
    }

    /// Takes a row that passed the filter of a source.
    pub(super) fn take(
        &mut self,
        rule: &PipelineRule,
        source: usize,
        values: Values,
        time: Option<Micros>,
        evidence: String,
        (standing, received): (Option<Standing>, Micros),
    ) {
        self.since = Some(self.since.map_or(received, |since| since.min(received)));
        self.figures.candidates += 1;
        if !self.passes() {
            self.figures.late += u64::from(standing == Some(Standing::Late));
            if standing == Some(Standing::Ahead) {
                return;
            }
        }
        match (&rule.windows, time) {
            // As scheduled, a search does not see what lies between its windows.
            (Some(windows), Some(time))
                if self.passes() && self.choice == WindowChoice::AsScheduled && !windows.hold(time) =>
            {
                return;
            }
            (Some(windows), Some(time)) if !self.passes() => self.note(windows, time),
            _ => {}
        }
        self.oldest = [self.oldest, time].into_iter().flatten().min();
        // What is late may be older than all windows that are kept: it is looked at before it goes.
        self.late = self.late.max(time.filter(|_| standing == Some(Standing::Late)));
        if let Some(waiting) = self.waiting.get_mut(source) {
            waiting.push(Waiting { time, evidence, values });
        }
        self.dirty = true;
    }

    /// Puts down the windows that hold a moment, as far as they have not run.
    fn note(&mut self, windows: &Windows, time: Micros) {
        if self.noted.insert(time.div_euclid(1_000_000)) {
            let open = |window: &Window| self.closed.is_none_or(|closed| window.run_at > closed);
            self.due.extend(windows.holding(time).into_iter().filter(open));
        }
    }

    /// Whether something came that was not looked at.
    pub(super) fn unsettled(&self) -> bool {
        self.dirty && self.choice == WindowChoice::Live && !self.passes() && self.form != Form::Scheduled
    }

    /// Keeps what waits, and looks at what can be looked at now.
    pub(super) fn tick(
        &mut self,
        rule: &PipelineRule,
        resources: &mut Resources,
        newest: Micros,
        force: bool,
        pending: &mut Pending,
    ) {
        let start = Instant::now();
        if let Err(problem) = self.try_tick(rule, resources, newest, force, pending) {
            self.figures.problem = Some(problem);
        }
        self.figures.spent += start.elapsed();
    }

    fn try_tick(
        &mut self,
        rule: &PipelineRule,
        resources: &mut Resources,
        newest: Micros,
        force: bool,
        pending: &mut Pending,
    ) -> Result<(), String> {
        let now = newest.saturating_add(1);
        let inputs = self.keep_waiting(pending)?;
        if self.passes() {
            self.looked_at = self.since.take();
            for input in inputs.into_iter().flatten() {
                let rows = self.run(rule, vec![input], resources, now, None)?;
                self.raise_rows(rule, rows, pending);
            }
            return Ok(());
        }
        if self.choice != WindowChoice::Live {
            return Ok(());
        }
        if self.grouping.is_some() {
            self.fresh.extend(inputs.into_iter().flatten());
        }
        let late = self.late.take();
        let force = force || late.is_some();
        let rested = self.looked.is_none_or(|at| at.elapsed() >= PAUSE.max(self.took * 10));
        if !self.dirty || !(rested || force) || self.form == Form::Scheduled {
            return Ok(());
        }
        let start = Instant::now();
        for input in Input::together(std::mem::take(&mut self.fresh)) {
            if self.group(input, resources, now)? == Grown::Again {
                // Everything was added, this with it.
                break;
            }
        }
        self.dirty = false;
        self.looked_at = self.since.take();
        let rows = match &mut self.grouping {
            Some(grouping) => grouping.changed(resources, now).map_err(|error| error.to_string())?,
            None if self.correlates => self.correlate(rule, resources, now, pending)?,
            None => {
                let mut rows = Vec::new();
                for end in late.map(|late| late + 1).into_iter().chain([now]) {
                    let earliest = end.saturating_sub(self.span);
                    let inputs = self.inputs(earliest, end)?;
                    rows.extend(self.run(rule, inputs, resources, end, Some((earliest, end)))?);
                }
                rows
            }
        };
        self.figures.matches += rows.len() as u64;
        self.looked = Some(start);
        self.took = start.elapsed();
        for row in rows {
            let at = self.stretch(&row, now);
            self.link(rule, &row, at, pending);
        }
        Ok(())
    }

    /// Looks at what came, with as much before it as it may belong to.
    fn correlate(
        &mut self,
        rule: &PipelineRule,
        resources: &mut Resources,
        now: Micros,
        pending: &mut Pending,
    ) -> Result<Vec<ResultRow>, String> {
        let oldest = self.oldest.take();
        let from = self.closed.map(|closed| oldest.map_or(closed, |oldest| oldest.min(closed)));
        let inputs = self.inputs(from.map_or(Micros::MIN, |from| from.saturating_sub(self.span)), now)?;
        let rows = self.run(rule, inputs, resources, now, from.map(|from| (from, now)))?;
        self.closed = self.closed.max(Some(now));
        pending.put_value(keys::closed(&self.print), &self.closed);
        Ok(rows)
    }

    /// The window that a row is about: that which ends with its last event. A row without a time is about the one that ended
    /// when it was looked at.
    fn stretch(&self, row: &ResultRow, end: Micros) -> Stretch {
        let until = row.last.map_or(end, |last| last + 1);
        match row.first {
            // What is found for one group is one finding if it overlaps in time.
            Some(from) if self.correlates => Stretch { from, until },
            _ => Stretch { from: until.saturating_sub(self.span), until },
        }
    }

    fn keep_waiting(&mut self, pending: &mut Pending) -> Result<Vec<Option<Input>>, String> {
        let mut inputs = Vec::new();
        let keeps = !self.passes();
        for (source, waiting) in self.waiting.iter_mut().enumerate() {
            let waiting = std::mem::take(waiting);
            let rows: Vec<EventRow<'_>> = waiting
                .iter()
                .map(|row| EventRow { time: row.time, audit_id: &row.evidence, values: &row.values })
                .collect();
            let Some(kept) = self.rows.get_mut(source) else { continue };
            let added = kept.add(&rows).map_err(|error| error.to_string())?;
            if let Some(added) = &added {
                if keeps {
                    pending.put(keys::piece(&self.print, source, added.number), added.bytes.clone());
                } else {
                    kept.expire(Micros::MAX);
                }
            }
            inputs.push(added.map(|added| added.input));
        }
        Ok(inputs)
    }

    /// Adds rows to the grouping. If they bring a column that none had before, all rows are added anew.
    fn group(&mut self, input: Input, resources: &Resources, now: Micros) -> Result<Grown, String> {
        let Some(grouping) = &mut self.grouping else { return Ok(Grown::Added) };
        let told = |error: masthead_query::QueryError| error.to_string();
        let grown = grouping.add(input, resources, now).map_err(told)?;
        if grown == Grown::Again {
            grouping.clear();
            let all = self.rows.first().map(|rows| rows.input(Micros::MIN, Micros::MAX)).transpose().map_err(told)?;
            if let Some(all) = all {
                grouping.add(all, resources, now).map_err(told)?;
            }
        }
        Ok(grown)
    }

    fn inputs(&self, earliest: Micros, latest: Micros) -> Result<Vec<Input>, String> {
        self.rows.iter().map(|rows| rows.input(earliest, latest).map_err(|error| error.to_string())).collect()
    }

    fn run(
        &mut self,
        rule: &PipelineRule,
        inputs: Vec<Input>,
        resources: &mut Resources,
        now: Micros,
        range: Option<(Micros, Micros)>,
    ) -> Result<Vec<ResultRow>, String> {
        let at = |moment: Option<Micros>| moment.map(TimeSpec::At);
        let (earliest, latest) = range.unzip();
        let context = RunContext { now, range: TimeRange { earliest: at(earliest), latest: at(latest) } };
        let mut rows = Vec::new();
        let output = masthead_query::run_each(&rule.pipeline, inputs, resources, &context, &mut |row| rows.push(row))
            .map_err(|error| error.to_string())?;
        for (name, table, append) in output.written {
            resources.write(&name, table, append);
        }
        Ok(rows)
    }

    /// Runs the windows that are complete, up to `watermark`; those of all pipelines run in the order of their time.
    pub(super) fn next_due(&self, watermark: Micros) -> Option<Window> {
        self.due.first().copied().filter(|window| window.run_at.max(window.latest) <= watermark)
    }

    /// Runs the window that [`LivePipeline::next_due`] told.
    pub(super) fn close(
        &mut self,
        rule: &PipelineRule,
        window: Window,
        resources: &mut Resources,
        pending: &mut Pending,
    ) {
        let start = Instant::now();
        self.looked_at = None;
        self.due.remove(&window);
        self.closed = self.closed.max(Some(window.run_at));
        pending.put_value(keys::closed(&self.print), &window.run_at);
        let rows = self.inputs(window.earliest, window.latest).and_then(|inputs| {
            self.run(rule, inputs, resources, window.run_at, Some((window.earliest, window.latest)))
        });
        match rows {
            Ok(rows) => {
                self.figures.matches += rows.len() as u64;
                match self.choice {
                    WindowChoice::AsScheduled => self.raise_window(rule, rows, window, pending),
                    WindowChoice::Live => {
                        for row in rows {
                            self.link(rule, &row, self.stretch(&row, window.latest), pending);
                        }
                    }
                }
            }
            Err(problem) => self.figures.problem = Some(problem),
        }
        self.figures.spent += start.elapsed();
    }

    /// Findings of rows that stand for themselves: their time is their window.
    fn raise_rows(&mut self, rule: &PipelineRule, rows: Vec<ResultRow>, pending: &mut Pending) {
        self.figures.matches += rows.len() as u64;
        let mut twins = evidence::Twins::default();
        for row in rows {
            if exceptions::suppressed(&rule.exceptions, &Fields(&row), row.last) {
                continue;
            }
            let finding = evidence::finding(rule, &row, &evidence::own_window(&row), &mut twins);
            self.raise(rule, finding, row.last, pending);
        }
    }

    fn raise_window(&mut self, rule: &PipelineRule, rows: Vec<ResultRow>, window: Window, pending: &mut Pending) {
        let mut twins = evidence::Twins::default();
        for row in evidence::in_order(rows) {
            if exceptions::suppressed(&rule.exceptions, &Fields(&row), row.last) {
                continue;
            }
            let finding = evidence::finding(rule, &row, &window.run_at.to_string(), &mut twins);
            if self.throttle.holds_back(&row, window.run_at) {
                self.figures.throttled += 1;
            } else {
                self.raise(rule, finding, row.last, pending);
            }
        }
        self.keep_throttle(pending);
    }

    fn link(&mut self, rule: &PipelineRule, row: &ResultRow, at: Stretch, pending: &mut Pending) {
        if exceptions::suppressed(&rule.exceptions, &Fields(row), row.last) {
            return;
        }
        let key = finding::row_key(row, rule.key.as_deref());
        let fresh = !self.chains.goes_on(&key, at);
        if fresh && self.throttle.holds_back(row, at.until) {
            self.figures.throttled += 1;
            return;
        }
        let finding = evidence::finding(rule, row, "", &mut evidence::Twins::default());
        let (linked, chain, new) = match self.chains.link(&key, at, finding) {
            Linked::New(finding, chain) => (finding, chain, true),
            Linked::Grown(finding, chain) => (finding, chain, false),
            Linked::Same => return,
        };
        pending.put_value(keys::chain(&self.print, &linked.finding_id), chain);
        if new {
            self.keep_throttle(pending);
            self.raise(rule, linked, row.last, pending);
        } else if !rule.silent {
            pending.raise(self.raised(rule, linked));
        }
    }

    fn raise(&mut self, rule: &PipelineRule, finding: Finding, last: Option<Micros>, pending: &mut Pending) {
        if rule.silent {
            return;
        }
        self.figures.findings += 1;
        self.figures.last = self.figures.last.max(last);
        pending.raise(self.raised(rule, finding));
    }

    fn raised(&self, rule: &PipelineRule, finding: Finding) -> Raised {
        let rule = Arc::clone(&rule.rule);
        Raised { finding, rule, received: self.looked_at, windowed: !self.passes() }
    }

    fn keep_throttle(&self, pending: &mut Pending) {
        if let Some(state) = self.throttle.state() {
            pending.put_value(keys::throttle(&self.print), state);
        }
    }

    /// Forgets what no window will see any more.
    pub(super) fn expire(&mut self, watermark: Micros, pending: &mut Pending) {
        let oldest_due = self.due.first().map_or(Micros::MAX, |window| window.earliest);
        let before = watermark.saturating_sub(self.span).saturating_sub(self.span / 30).min(oldest_due);
        for (source, rows) in self.rows.iter_mut().enumerate() {
            for number in rows.expire(before) {
                pending.delete(keys::piece(&self.print, source, number));
            }
            if let Ok(Some((gone, merged))) = rows.compact(PIECES) {
                gone.into_iter().for_each(|number| pending.delete(keys::piece(&self.print, source, number)));
                pending.put(keys::piece(&self.print, source, merged.number), merged.bytes);
            }
        }
        if let Some(grouping) = &mut self.grouping {
            grouping.expire(before);
        }
        self.noted = self.noted.split_off(&before.div_euclid(1_000_000));
        for id in self.chains.expire(watermark.saturating_sub(self.span.saturating_mul(2))) {
            pending.delete(keys::chain(&self.print, &id));
        }
        self.throttle.expire(watermark);
    }

    /// Bytes of memory of kept rows.
    pub(super) fn row_memory(&self) -> usize {
        self.rows.iter().map(WindowRows::memory).sum()
    }

    /// Bytes of memory of groups, and of findings that may go on.
    pub(super) fn group_memory(&self) -> usize {
        self.grouping.as_ref().map_or(0, Incremental::size) + self.chains.size()
    }

    /// Forgets groups and findings that may go on until they take at most a share of what they take now. What its
    /// schedule looks at lies in rows, which are all kept: it is found when the schedule says, then.
    pub(super) fn shrink(&mut self, share: f64, pending: &mut Pending) {
        let target = |size: usize| (size as f64 * share) as usize;
        if let Some(grouping) = &mut self.grouping {
            self.figures.evicted += grouping.shrink(target(grouping.size()));
        }
        for id in self.chains.shrink(target(self.chains.size())) {
            self.figures.evicted += 1;
            pending.delete(keys::chain(&self.print, &id));
        }
    }

    /// Moves the oldest kept rows to temporary files.
    pub(super) fn spill(&mut self, budget: usize) {
        let share = budget / self.rows.len().max(1);
        for rows in &mut self.rows {
            if let Err(error) = rows.spill(share) {
                self.figures.problem = Some(format!("its window cannot be moved to a temporary file: {error}"));
            }
        }
    }

    /// Puts back one entry of state. Gives false if it is none of this pipeline's form.
    pub(super) fn restore(&mut self, rule: &PipelineRule, part: keys::Part<'_>, bytes: &[u8]) -> bool {
        match part {
            keys::Part::Piece { source, number } => self.restore_piece(rule, source, number, bytes),
            keys::Part::Chain => super::changes::value(bytes).map(|chain| self.chains.restore(chain)).is_some(),
            keys::Part::Throttle => super::changes::value(bytes).map(|state| self.throttle.restore(state)).is_some(),
            keys::Part::Closed => {
                self.closed = self.closed.max(super::changes::value(bytes));
                true
            }
            keys::Part::Pane(_) => false,
        }
    }

    fn restore_piece(&mut self, rule: &PipelineRule, source: usize, number: u64, bytes: &[u8]) -> bool {
        let Some(rows) = self.rows.get_mut(source) else { return false };
        let Ok(input) = rows.restore(number, bytes) else { return false };
        if let Some(windows) = &rule.windows {
            input.times().into_iter().for_each(|time| self.note(windows, time));
        }
        // It may have been written before it was looked at. What was found then is known, and not raised again.
        self.dirty = true;
        if self.grouping.is_some() {
            self.fresh.push(input);
        }
        true
    }

    /// Sizes for a report.
    pub(super) fn sizes(&self) -> BTreeMap<&'static str, u64> {
        BTreeMap::from([
            ("rows", self.rows.iter().map(WindowRows::len).sum()),
            ("groups", self.grouping.as_ref().map_or(0, |grouping| grouping.groups() as u64)),
            ("windows", self.due.len() as u64),
        ])
    }
}
