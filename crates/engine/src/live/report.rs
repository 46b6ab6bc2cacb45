//! What a stream's rules did, for metrics and for a person who asks.

use std::collections::BTreeMap;
use std::path::PathBuf;

use masthead_ir::time::Micros;
use serde::Serialize;

use super::Live;

/// What became of everything that came since the start.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LiveReport {
    /// The time of the newest event.
    pub newest: Option<Micros>,
    /// Everything before this moment is taken to be complete.
    pub watermark: Option<Micros>,
    /// By source.
    pub sources: BTreeMap<String, SourceFigures>,
    /// By rule, in the order of their paths.
    pub rules: Vec<RuleFigures>,
    /// Suppressed matches, by the name of the exception.
    pub suppressed: BTreeMap<String, u64>,
    /// Bytes of memory that kept rows and groups take.
    pub window_bytes: u64,
    /// How many events are remembered to know doubles.
    pub doubles: u64,
}

/// What came from a source.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SourceFigures {
    /// Deliveries.
    pub deliveries: u64,
    /// Events that were evaluated.
    pub events: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Events that came so late that some window may have missed them.
    pub late: u64,
    /// Events whose time was further ahead than clocks differ.
    pub ahead: u64,
    /// When the last delivery was received.
    pub last_received: Option<Micros>,
    /// The time of the newest event.
    pub last_event: Option<Micros>,
    /// What was not evaluated, or not whole, by reason.
    pub losses: BTreeMap<&'static str, u64>,
}

/// What a rule did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RuleFigures {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its dialect.
    pub dialect: &'static str,
    /// Its file.
    pub path: PathBuf,
    /// Events that passed its first filter or guard.
    pub candidates: u64,
    /// Matches (scripts), or rows that came out (pipelines).
    pub matches: u64,
    /// Findings, without those that went on.
    pub findings: u64,
    /// Findings held back by its own throttle.
    pub throttled: u64,
    /// Rows that came too late for a window of its schedule.
    pub late: u64,
    /// Groups, and findings that could have gone on, that were forgotten for want of memory: what they would have found
    /// is found when the schedule says.
    pub evicted: u64,
    /// Seconds spent on it.
    pub seconds: f64,
    /// The time of the last event behind a finding.
    pub last: Option<Micros>,
    /// What went wrong last.
    pub problem: Option<String>,
    /// Sizes of its state (`rows`, `groups`, `windows`).
    pub state: BTreeMap<&'static str, u64>,
    /// The metrics that its matches are data points of: what its tags name behind `metric:`.
    pub metrics: Vec<String>,
}

/// What a tag begins with that names a metric which the rule's matches are data points of.
const METRIC_TAG: &str = "metric:";

fn metrics(rule: &masthead_ir::rule::Rule) -> Vec<String> {
    rule.tags.iter().filter_map(|tag| tag.strip_prefix(METRIC_TAG)).map(str::to_owned).collect()
}

impl Live {
    /// What happened since the start.
    pub fn report(&self) -> LiveReport {
        let pipelines = self.plan.pipelines.iter().zip(&self.pipelines).map(|(rule, live)| {
            let figures = &live.figures;
            RuleFigures {
                id: rule.rule.id.clone(),
                name: rule.rule.name.clone(),
                dialect: rule.rule.dialect,
                path: rule.rule.path.clone(),
                candidates: figures.candidates,
                matches: figures.matches,
                findings: figures.findings,
                throttled: figures.throttled,
                late: figures.late,
                evicted: figures.evicted,
                seconds: figures.spent.as_secs_f64(),
                last: figures.last,
                problem: figures.problem.clone(),
                state: live.sizes(),
                metrics: metrics(&rule.rule),
            }
        });
        let scripts = self.plan.scripts.iter().zip(&self.scripts.running).zip(&self.script_figures);
        let scripts = scripts.map(|((rule, running), figures)| RuleFigures {
            id: rule.rule.id.clone(),
            name: rule.rule.name.clone(),
            dialect: rule.rule.dialect,
            path: rule.rule.path.clone(),
            candidates: running.candidates,
            matches: running.matches,
            findings: figures.findings,
            seconds: figures.spent.as_secs_f64(),
            last: figures.last,
            problem: running.problem.clone().or_else(|| running.faults.first()),
            state: BTreeMap::from([("groups", running.grouping.len() as u64)]),
            ..RuleFigures::default()
        });
        let mut rules: Vec<RuleFigures> = pipelines.chain(scripts).collect();
        rules.sort_by(|a, b| (&a.path, &a.id).cmp(&(&b.path, &b.id)));
        LiveReport {
            newest: self.clock.newest(),
            watermark: self.clock.watermark(self.options.lateness),
            sources: self.sources.iter().map(|(name, figures)| (name.to_string(), figures.clone())).collect(),
            rules,
            suppressed: (self.options.scan.exceptions.report(0).into_iter())
                .map(|exception| (exception.name, exception.suppressed))
                .collect(),
            window_bytes: self.pipelines.iter().map(|live| (live.row_memory() + live.group_memory()) as u64).sum(),
            doubles: self.doubles.len() as u64,
        }
    }
}
