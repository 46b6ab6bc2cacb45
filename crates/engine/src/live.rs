//! Events as they come: every event once, findings as soon as there are any, windows that slide or run as scheduled.
//!
//! A [`Live`] is a state machine without clock, thread or disk of its own. Its caller gives it batches and ticks, and writes
//! the [`Changes`] of a tick in one transaction with the place up to which it has read. A process that is killed begins
//! with what was written, is given the batches after that place again, and comes to the same findings.

mod chains;
mod changes;
mod clock;
mod keys;
mod pipeline;
mod report;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use masthead_event::doubles::{DoubleFilter, Identity, Verdict};
use masthead_event::{Batch, EventRef, Ledger, Location, Reason};
use masthead_ir::rule::RuleSet;
use masthead_ir::table::Table;
use masthead_ir::time::Micros;
use masthead_query::{GeoIp, Resources};

pub use changes::{Changes, Raised};
pub use report::{LiveReport, RuleFigures, SourceFigures};

use self::changes::Pending;
use self::clock::{Clock, Standing};
use self::pipeline::{Figures, LivePipeline};
use crate::options::{ScanOptions, Windows as WindowMode};
use crate::plan::Plan;
use crate::scripts::Scripts;
use crate::sift::{Sifted, Sifter, Want};
use crate::trigger::Group;
use crate::{EngineError, evidence, finding};

/// How far the watermark goes on before what is over is forgotten.
const EXPIRY: Micros = 5_000_000;

/// When a scheduled search looks at its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum WindowChoice {
    /// As events come, over a window of the schedule's length that ends with them, and when the schedule says, too.
    #[default]
    Live,
    /// When the schedule says, over the window that it says.
    AsScheduled,
}

/// How events are run as they come.
#[derive(Debug, Clone)]
pub struct LiveOptions {
    /// What a scan may be told, too: limits, the geo-IP database, how a script worker is started.
    pub scan: ScanOptions,
    /// What scheduled searches do.
    pub windows: WindowChoice,
    /// What single rules do, by id or name.
    pub windows_of: BTreeMap<String, WindowChoice>,
    /// The window of a search without a schedule, in microseconds.
    pub default_window: Micros,
    /// How late an event may come and still be seen by its windows, in microseconds.
    pub lateness: Micros,
    /// How far the clocks of API servers may be ahead, in microseconds.
    pub ahead: Micros,
    /// How much memory windows may take, in bytes: beyond half of it rows go to temporary files, beyond the other half
    /// groups of live windows are given up and counted.
    pub window_memory: usize,
    /// How many events are remembered to know doubles.
    pub doubles: usize,
}

impl Default for LiveOptions {
    /// Live windows of an hour, 5 minutes of lateness, 5 minutes ahead, 128 MiB, 2 million doubles.
    fn default() -> LiveOptions {
        LiveOptions {
            scan: ScanOptions::default(),
            windows: WindowChoice::Live,
            windows_of: BTreeMap::new(),
            default_window: 3_600_000_000,
            lateness: 300_000_000,
            ahead: 300_000_000,
            window_memory: 128 << 20,
            doubles: 1 << 21,
        }
    }
}

/// Rules at work on a stream.
pub struct Live {
    plan: Plan,
    options: LiveOptions,
    sifter: Sifter,
    doubles: DoubleFilter,
    deliveries: DoubleFilter,
    /// Identities that were not written yet, and the numbers and sizes of those that were.
    fresh: Vec<Identity>,
    remembered: BTreeMap<u64, usize>,
    pipelines: Vec<LivePipeline>,
    scripts: Scripts,
    script_prints: Vec<String>,
    script_figures: Vec<Figures>,
    /// By script: dedup strings with the ids of their findings as they were written last.
    raised: Vec<HashMap<String, Vec<String>>>,
    tables: BTreeMap<String, Arc<Table>>,
    resources: Resources,
    clock: Clock,
    moved: bool,
    /// The watermark when what was over was forgotten last.
    expired: Option<Micros>,
    /// When the oldest delivery was received since the last tick.
    since: Option<Micros>,
    sources: BTreeMap<Arc<str>, SourceFigures>,
    pending: Pending,
}

impl Live {
    /// Rules, and the state that was written before, in the order of its keys. State of rules that are no longer there
    /// is deleted with the next changes.
    ///
    /// # Errors
    /// When the rules cannot be run together, or a database cannot be opened.
    pub fn new(
        rules: &RuleSet,
        options: LiveOptions,
        state: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Result<Live, EngineError> {
        let plan = Plan::new(rules, options.scan.include_disabled, WindowMode::AsScheduled)
            .map_err(EngineError::Nothing)?
            .except(&options.scan.exceptions);
        let failed = |path: &std::path::Path, error: &dyn std::fmt::Display| {
            EngineError::Nothing(format!("{}: {error}", path.display()))
        };
        let geoip = match &options.scan.geoip {
            Some(path) => Some(Arc::new(GeoIp::open(path).map_err(|error| failed(path, &error))?)),
            None => None,
        };
        let choice = |rule: &masthead_ir::rule::Rule| {
            let named = [&rule.id, &rule.name].into_iter().find_map(|name| options.windows_of.get(name));
            named.copied().unwrap_or(options.windows)
        };
        let pipelines =
            plan.pipelines.iter().map(|p| LivePipeline::new(p, choice(&p.rule), options.default_window)).collect();
        let scripts = Scripts::new(&plan, &options.scan);
        let mut live = Live {
            sifter: Sifter::new(&plan),
            doubles: DoubleFilter::new(options.doubles),
            deliveries: DoubleFilter::new(options.doubles / 4),
            fresh: Vec::new(),
            remembered: BTreeMap::new(),
            pipelines,
            script_prints: plan.scripts.iter().map(|script| keys::print(&script.rule)).collect(),
            script_figures: plan.scripts.iter().map(|_| Figures::default()).collect(),
            raised: plan.scripts.iter().map(|_| HashMap::new()).collect(),
            scripts,
            tables: rules.tables.clone(),
            resources: Resources::new(&rules.tables, geoip, None),
            clock: Clock::default(),
            moved: false,
            expired: None,
            since: None,
            sources: BTreeMap::new(),
            pending: Pending::default(),
            plan,
            options,
        };
        live.restore(state);
        Ok(live)
    }

    fn restore(&mut self, state: impl IntoIterator<Item = (String, Vec<u8>)>) {
        let mut by_print: HashMap<String, (bool, usize)> = HashMap::new();
        by_print.extend(self.pipelines.iter().enumerate().map(|(at, p)| (p.print.clone(), (true, at))));
        by_print.extend(self.script_prints.iter().enumerate().map(|(at, print)| (print.clone(), (false, at))));
        let mut seeded = false;
        for (key, bytes) in state {
            let kept = match keys::read(&key) {
                Some(keys::Key::Seed) => changes::value(&bytes).map(|seed| {
                    self.doubles = DoubleFilter::seeded(self.options.doubles, seed);
                    self.deliveries = DoubleFilter::seeded(self.options.doubles / 4, seed);
                    seeded = true;
                }),
                Some(keys::Key::Clock) => changes::value(&bytes).map(|clock| self.clock = clock),
                Some(keys::Key::Doubles(number)) => {
                    self.remember(number, &bytes);
                    Some(())
                }
                Some(keys::Key::Table(name)) => changes::value::<Written>(&bytes).map(|w| self.restore_table(name, w)),
                Some(keys::Key::Rule(print, part)) => match by_print.get(print) {
                    Some((true, at)) => self.restore_pipeline(*at, part, &bytes).then_some(()),
                    Some((false, at)) => self.restore_script(*at, part, &bytes).then_some(()),
                    None => None,
                },
                None => None,
            };
            if kept.is_none() {
                self.pending.delete(key);
            }
        }
        if !seeded {
            self.pending.put_value(keys::SEED.to_owned(), &self.doubles.identifier().seed());
            self.deliveries = DoubleFilter::seeded(self.options.doubles / 4, self.doubles.identifier().seed());
        }
        for (at, running) in self.scripts.running.iter().enumerate() {
            for dedup in running.grouping.dedups() {
                let ids = self.script_ids(at, dedup);
                self.raised[at].insert(dedup.to_owned(), ids);
            }
        }
    }

    fn remember(&mut self, number: u64, bytes: &[u8]) {
        let (identities, _) = bytes.as_chunks::<16>();
        for bytes in identities {
            self.doubles.check(Identity::from_bytes(*bytes));
        }
        self.remembered.insert(number, identities.len());
    }

    fn restore_pipeline(&mut self, at: usize, part: keys::Part<'_>, bytes: &[u8]) -> bool {
        match (self.plan.pipelines.get(at), self.pipelines.get_mut(at)) {
            (Some(rule), Some(live)) => live.restore(rule, part, bytes),
            _ => false,
        }
    }

    fn restore_script(&mut self, at: usize, part: keys::Part<'_>, bytes: &[u8]) -> bool {
        let keys::Part::Pane(pane) = part else { return false };
        let Ok(pane) = pane.map(str::parse).transpose() else { return false };
        let (Some(running), Some(group)) = (self.scripts.running.get_mut(at), changes::value::<Group>(bytes)) else {
            return false;
        };
        running.grouping.restore(pane, group);
        true
    }

    fn restore_table(&mut self, name: &str, written: Written) {
        let mut table = self.tables.get(name).map(|table| Table::clone(table)).unwrap_or_default();
        table.name = name.to_owned();
        table.columns = written.columns;
        table.rows = written.rows;
        self.resources.write(name, table, false);
    }

    /// Takes the events of a delivery that was received at `received` (microseconds since 1970) from a source.
    pub fn take(&mut self, source: &Arc<str>, batch: &Batch, received: Micros, lost: &Ledger) {
        let mut ledger = Ledger::default();
        self.since = Some(self.since.map_or(received, |since| since.min(received)));
        let mut newest = None;
        for (event, at) in batch.iter() {
            let identifier = self.doubles.identifier();
            let Some(sifted) = self.sifter.sift(&self.plan, identifier, &event, &at, &mut ledger) else { continue };
            newest = newest.max(sifted.time);
            self.take_event(source, &event, &at, sifted, received, &mut ledger);
        }
        let figures = self.sources.entry(source.clone()).or_default();
        figures.deliveries += 1;
        figures.last_received = figures.last_received.max(Some(received));
        figures.last_event = figures.last_event.max(newest);
        for ledger in [&ledger, lost] {
            for (reason, tally) in &ledger.reasons {
                *figures.losses.entry(reason.as_str()).or_default() += tally.count;
            }
        }
    }

    fn take_event(
        &mut self,
        source: &Arc<str>,
        event: &EventRef<'_>,
        at: &Location<'_>,
        sifted: Sifted,
        received: Micros,
        ledger: &mut Ledger,
    ) {
        let delivered =
            event.envelope_id.map(|id| self.doubles.identifier().identity(id, &event.envelope.sourcetype, &[]));
        if delivered.is_some_and(|identity| self.deliveries.check(identity) == Verdict::Double) {
            return ledger.count(Reason::Double, at);
        }
        match sifted.identity.map(|identity| (identity, self.doubles.check(identity))) {
            Some((_, Verdict::Double)) => return ledger.count(Reason::Double, at),
            Some((identity, verdict)) => {
                self.fresh.push(identity);
                if verdict == Verdict::Reused {
                    ledger.count(Reason::ReusedAuditId, at);
                }
            }
            None => {}
        }
        let (lateness, ahead) = (self.options.lateness, self.options.ahead);
        let standing = sifted.time.map(|time| self.clock.see(time, received, lateness, ahead));
        self.moved = true;
        let figures = self.sources.entry(source.clone()).or_default();
        figures.events += 1;
        figures.bytes += event.raw.len() as u64;
        figures.late += u64::from(standing == Some(Standing::Late));
        figures.ahead += u64::from(standing == Some(Standing::Ahead));
        let Sifted { time, audit_id, wants, salvaged, .. } = sifted;
        let event = EventRef { raw: salvaged.as_deref().unwrap_or(event.raw), ..*event };
        for want in wants {
            match want {
                Want::Script(script) => {
                    self.scripts.candidate(&self.plan, script, &event, time, &audit_id);
                }
                Want::Row { pipeline, source, values } => {
                    let (Some(rule), Some(live)) =
                        (self.plan.pipelines.get(pipeline), self.pipelines.get_mut(pipeline))
                    else {
                        continue;
                    };
                    match values {
                        Ok(values) => {
                            let mark = evidence::mark(event.envelope.cluster.as_deref(), &audit_id);
                            live.take(rule, source, values, time, mark, (standing, received));
                        }
                        Err(problem) => live.figures.problem = Some(problem),
                    }
                }
            }
        }
    }

    /// The time of the newest event.
    pub fn newest(&self) -> Option<Micros> {
        self.clock.newest()
    }

    /// Says that everything before this moment has come: an idle stream must not keep windows open for ever.
    pub fn advance(&mut self, moment: Micros) {
        self.clock.tell(moment);
        self.moved = true;
    }

    /// Says that nothing has come for so long (microseconds) after the newest event: time goes on all the same, and windows
    /// that waited for late events end.
    pub fn idle_for(&mut self, passed: Micros) {
        if let Some(newest) = self.clock.newest() {
            self.advance(newest.saturating_add(passed).saturating_sub(self.options.lateness));
        }
    }

    /// Takes over what another set of rules had seen of the sources.
    pub fn succeed(&mut self, other: &Live) {
        self.sources.clone_from(&other.sources);
    }

    /// Judges what has come, and gives what must be written. `force` looks at every window that changed; otherwise those that
    /// are costly to look at may wait for a later tick.
    pub fn tick(&mut self, force: bool) -> Changes {
        self.tick_scripts();
        self.since = None;
        let newest = self.clock.newest().unwrap_or(0);
        for &at in &self.plan.order {
            if let (Some(rule), Some(live)) = (self.plan.pipelines.get(at), self.pipelines.get_mut(at)) {
                live.tick(rule, &mut self.resources, newest, force, &mut self.pending);
            }
        }
        if self.moved {
            self.close_windows();
            self.expire(force);
            self.pending.put_value(keys::CLOCK.to_owned(), &self.clock);
            self.moved = false;
        }
        self.write_identities();
        self.write_tables();
        self.pending.take()
    }

    /// Whether rows wait for a window to be looked at again.
    pub fn unsettled(&self) -> bool {
        self.pipelines.iter().any(|live| live.unsettled())
    }

    fn tick_scripts(&mut self) {
        let start = std::time::Instant::now();
        self.scripts.finish();
        let running = self.scripts.running.len().max(1) as u32;
        for at in 0..self.scripts.running.len() {
            let touched = self.scripts.running[at].grouping.take_touched();
            self.script_figures[at].spent += start.elapsed() / running;
            let dedups: BTreeSet<String> = touched.iter().map(|(dedup, _)| dedup.clone()).collect();
            for (dedup, pane) in &touched {
                if let Some(group) = self.scripts.running[at].grouping.pane(dedup, *pane) {
                    self.pending.put_value(keys::pane(&self.script_prints[at], dedup, *pane), group);
                }
            }
            for dedup in dedups {
                self.raise_script(at, dedup);
            }
        }
    }

    fn script_ids(&self, at: usize, dedup: &str) -> Vec<String> {
        let (Some(rule), Some(running)) = (self.plan.scripts.get(at), self.scripts.running.get(at)) else {
            return Vec::new();
        };
        let groups = running.grouping.groups(dedup);
        groups.iter().map(|group| finding::group_id(&rule.rule, group)).collect()
    }

    /// Raises the findings of one dedup string. A late match may move the border between two groups, and so their ids: then
    /// the finding is given its new id rather than raised a second time.
    fn raise_script(&mut self, at: usize, dedup: String) {
        let Some(rule) = self.plan.scripts.get(at) else { return };
        let groups = self.scripts.running[at].grouping.groups(&dedup);
        let findings: Vec<_> =
            groups.iter().map(|group| finding::from_group(&rule.rule, group, rule.trigger.alert)).collect();
        let ids: Vec<String> = findings.iter().map(|finding| finding.finding_id.clone()).collect();
        let before = self.raised[at].insert(dedup, ids.clone()).unwrap_or_default();
        let gone = before.iter().filter(|id| !ids.contains(id));
        let come: Vec<&String> = ids.iter().filter(|id| !before.contains(id)).collect();
        let mut renamed = 0;
        for (old, new) in gone.zip(&come) {
            self.pending.rename(old.clone(), (*new).clone());
            renamed += 1;
        }
        let figures = &mut self.script_figures[at];
        figures.findings += (come.len() - renamed) as u64;
        figures.last = groups.iter().filter_map(|group| group.last).max().max(figures.last);
        for finding in findings {
            let (rule, received) = (rule.rule.clone(), self.since);
            self.pending.raise(Raised { finding, rule, received, windowed: false });
        }
    }

    /// Runs windows that are complete, in the order of their time: what one writes to a table, a later one reads.
    fn close_windows(&mut self) {
        let Some(watermark) = self.clock.watermark(self.options.lateness) else { return };
        loop {
            let due = |at: &usize| Some((self.pipelines.get(*at)?.next_due(watermark)?, *at));
            // Of windows that run at one moment, those that write tables come first.
            let next = self.plan.order.iter().filter_map(due).min_by_key(|(window, _)| window.run_at);
            let Some((window, at)) = next else { return };
            if let (Some(rule), Some(live)) = (self.plan.pipelines.get(at), self.pipelines.get_mut(at)) {
                live.close(rule, window, &mut self.resources, &mut self.pending);
            }
        }
    }

    /// Forgets what is over: it takes a look at everything that is kept, so that it is not done each time.
    fn expire(&mut self, force: bool) {
        let Some(watermark) = self.clock.watermark(self.options.lateness) else { return };
        if !force && self.expired.is_some_and(|last| watermark.saturating_sub(last) < EXPIRY) {
            return;
        }
        self.expired = Some(watermark);
        for live in &mut self.pipelines {
            live.expire(watermark, &mut self.pending);
        }
        for (at, running) in self.scripts.running.iter_mut().enumerate() {
            for (dedup, pane) in running.grouping.expire(watermark) {
                self.pending.delete(keys::pane(&self.script_prints[at], &dedup, pane));
                if running.grouping.groups(&dedup).is_empty() {
                    self.raised[at].remove(&dedup);
                }
            }
        }
        let half = self.options.window_memory / 2;
        let rows: usize = self.pipelines.iter().map(LivePipeline::row_memory).sum();
        if rows > half {
            let share = half / 2 / self.pipelines.len().max(1);
            self.pipelines.iter_mut().for_each(|live| live.spill(share));
        }
        let groups: usize = self.pipelines.iter().map(LivePipeline::group_memory).sum();
        if groups > half {
            // Well below, so that it need not be done again at once.
            let share = half as f64 * 0.7 / groups as f64;
            self.pipelines.iter_mut().for_each(|live| live.shrink(share, &mut self.pending));
        }
    }

    fn write_identities(&mut self) {
        if self.fresh.is_empty() {
            return;
        }
        let number = self.remembered.last_key_value().map_or(0, |(last, _)| last + 1);
        let bytes: Vec<u8> = self.fresh.iter().flat_map(|identity| identity.to_bytes()).collect();
        self.remembered.insert(number, self.fresh.len());
        self.fresh.clear();
        self.pending.put(keys::doubles(number), bytes);
        let mut total: usize = self.remembered.values().sum();
        while total > self.options.doubles {
            let Some((oldest, count)) = self.remembered.pop_first() else { break };
            total -= count;
            self.pending.delete(keys::doubles(oldest));
        }
    }

    fn write_tables(&mut self) {
        for name in self.resources.take_written() {
            if let Some(table) = self.resources.table(&name) {
                let written = Written { columns: table.columns.clone(), rows: table.rows.clone() };
                self.pending.put_value(keys::table(&name), &written);
            }
        }
    }
}

/// A lookup table as a rule left it.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Written {
    columns: Vec<String>,
    rows: Vec<Vec<Arc<str>>>,
}
