//! A scan: every event once, then what searches and scripts make of those that they want.

mod conclude;
mod read;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use masthead_event::doubles::DoubleFilter;
use masthead_event::{Envelope, Ledger, Reason};
use masthead_ir::finding::Finding;
use masthead_ir::rule::{RuleSet, Status};
use masthead_ir::time::Micros;
use masthead_query::{EventRow, FirstSeen, Form, GeoIp, InputBuilder, MetricsTable, Resources};

use self::conclude::Conclusion;
use crate::explain::Seen;
use crate::options::ScanOptions;
use crate::plan::Plan;
use crate::report::{FindingSink, Loss, Progress, RuleReport, ScanSummary};
use crate::scripts::Scripts;
use crate::sift::Values;
use crate::windows::Window;
use crate::{EngineError, evidence};

/// Runs rules over inputs (files, folders, `-`), and gives the findings in their final order.
///
/// # Errors
/// When nothing can be read, a database or metrics file cannot be opened, or a finding cannot be written.
pub fn scan(
    rules: &RuleSet,
    inputs: &[PathBuf],
    options: &ScanOptions,
    progress: &dyn Progress,
    sink: &mut FindingSink<'_>,
) -> Result<ScanSummary, EngineError> {
    let start = Instant::now();
    let plan = Plan::new(rules, options.include_disabled, options.windows)
        .map_err(EngineError::Nothing)?
        .except(&options.exceptions);
    let metrics = read_metrics(options)?;
    let geoip = match &options.geoip {
        Some(path) => {
            Some(Arc::new(GeoIp::open(path).map_err(|e| EngineError::Nothing(format!("{}: {e}", path.display())))?))
        }
        None => None,
    };
    let total = look_up(inputs)?;
    let mut scan = Scan::new(&plan, options);
    scan.read(inputs, total, progress)?;
    scan.scripts.finish();
    let resources = Resources::new(&rules.tables, geoip, metrics.clone());
    let last = scan.last_time.max(metrics.and_then(|m| m.last_time())).map_or(0, |time| time + 1);
    let now = options.now.unwrap_or(last);
    let Conclusion { findings, reports, notes } = scan.conclude(resources, now)?;
    let mut summary = scan.summary(rules, reports, notes);
    let mut counted = |finding: Finding| {
        *summary.findings.entry(finding.severity).or_default() += 1;
        sink(finding)
    };
    findings.give(&mut counted).map_err(EngineError::Output)?;
    summary.elapsed = start.elapsed();
    Ok(summary)
}

/// How many bytes there are to read. A path that is not there is told before hours are spent on the others.
pub(crate) fn look_up(inputs: &[PathBuf]) -> Result<u64, EngineError> {
    let (files, errors) = masthead_event::inputs::discover(inputs);
    if let Some(error) = errors.into_iter().find(|error| inputs.contains(&error.path)) {
        return Err(EngineError::Unreadable { path: error.path, source: error.source });
    }
    if files.is_empty() {
        return Err(EngineError::Nothing("there are no files to read".to_owned()));
    }
    Ok(files.iter().map(|file| file.size).sum())
}

fn read_metrics(options: &ScanOptions) -> Result<Option<Arc<MetricsTable>>, EngineError> {
    let Some(path) = &options.metrics else { return Ok(None) };
    let failed = |source| EngineError::Unreadable { path: path.clone(), source };
    let file = File::open(path).map_err(failed)?;
    Ok(Some(Arc::new(MetricsTable::read(BufReader::new(file)).map_err(failed)?)))
}

/// The kept rows of one event source, by window; none where a search sees the whole input.
type Kept = BTreeMap<Option<Window>, InputBuilder>;

struct Scan<'p> {
    plan: &'p Plan,
    options: &'p ScanOptions,
    /// For each slot of the plan's projection, whether some event had a value.
    seen_slots: Vec<bool>,
    doubles: DoubleFilter,
    ledger: Ledger,
    events: u64,
    bytes: u64,
    input_bytes: u64,
    last_time: Option<Micros>,
    seen: Seen,
    kept: HashMap<(usize, usize), Kept>,
    /// By pipeline that looks for new combinations: their first events, which are all that it needs.
    first_seen: HashMap<usize, FirstSeen>,
    /// How much memory the kept rows of one source may take.
    budget: usize,
    candidates: HashMap<usize, u64>,
    scripts: Scripts,
    faults: HashMap<usize, String>,
    envelope: Option<Arc<Envelope>>,
}

impl<'p> Scan<'p> {
    fn new(plan: &'p Plan, options: &'p ScanOptions) -> Scan<'p> {
        let mut seen = Seen::default();
        for name in ["source", "sourcetype", "host", "index"] {
            seen.envelope.entry(name).or_default();
        }
        let unscheduled = plan.pipelines.iter().enumerate().filter(|(_, own)| own.windows.is_none());
        let first_seen = unscheduled.filter_map(|(at, own)| Some((at, FirstSeen::of(&own.pipeline)?)));
        // Each source gets its share of the memory, and no less than what keeps files from being made for nothing.
        let sources: usize = plan.pipelines.iter().map(|own| own.sources.len()).sum();
        Scan {
            plan,
            options,
            seen_slots: Vec::new(),
            doubles: DoubleFilter::default(),
            ledger: Ledger::default(),
            events: 0,
            bytes: 0,
            input_bytes: 0,
            last_time: None,
            seen,
            kept: HashMap::new(),
            first_seen: first_seen.collect(),
            budget: (usize::try_from(options.buffer_mib << 20).unwrap_or(usize::MAX) / sources.max(1)).max(1 << 20),
            candidates: HashMap::new(),
            scripts: Scripts::new(plan, options),
            faults: HashMap::new(),
            envelope: None,
        }
    }

    fn note_envelope(&mut self, envelope: &Arc<Envelope>) {
        if self.envelope.as_ref().is_some_and(|last| Arc::ptr_eq(last, envelope)) {
            return;
        }
        self.envelope = Some(envelope.clone());
        let mut add = |name, value: &str| {
            if let Some(values) = self.seen.envelope.get_mut(name)
                && values.len() < 100
            {
                values.insert(value.to_owned());
            }
        };
        add("source", &envelope.source);
        add("sourcetype", &envelope.sourcetype);
        if let Some(host) = &envelope.host {
            add("host", host);
        }
        self.seen.log_types.extend(envelope.log_type.as_deref().map(str::to_owned));
    }

    fn keep(
        &mut self,
        (pipeline, source): (usize, usize),
        values: &Values,
        time: Option<Micros>,
        audit_id: &str,
        cluster: &Option<Arc<str>>,
    ) -> Result<(), String> {
        let Some(rule) = self.plan.pipelines.get(pipeline) else { return Ok(()) };
        let Some(wanted) = rule.sources.get(source) else { return Ok(()) };
        *self.candidates.entry(pipeline).or_default() += 1;
        let windows: Vec<Option<Window>> = match (&rule.windows, time) {
            // A row that stands for itself is found once, whatever windows hold it.
            (Some(windows), Some(time)) if rule.form == Form::Rows => {
                windows.holding(time).into_iter().take(1).map(Some).collect()
            }
            (Some(windows), Some(time)) => windows.holding(time).into_iter().map(Some).collect(),
            (Some(_), None) => Vec::new(),
            (None, _) => vec![None],
        };
        let mark = evidence::mark(cluster.as_deref(), audit_id);
        if let Some(first_seen) = self.first_seen.get_mut(&pipeline) {
            first_seen.add(values, time, &mark);
            return Ok(());
        }
        let budget = self.budget;
        let kept = self.kept.entry((pipeline, source)).or_default();
        for window in windows {
            let builder = kept.entry(window).or_insert_with(|| InputBuilder::new(&wanted.demand, budget));
            let row = EventRow { time, audit_id: &mark, values };
            builder.push(&row).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn summary(&self, rules: &RuleSet, reports: Vec<RuleReport>, notes: Vec<String>) -> ScanSummary {
        let taken = |status: Status| matches!(status, Status::Runs | Status::Partial);
        let usable = rules.rules.iter().filter(|rule| taken(rule.status)).count() as u64;
        let loaded = reports.len() as u64;
        ScanSummary {
            events: self.events,
            bytes: self.bytes,
            input_bytes: self.input_bytes,
            losses: losses(&self.ledger),
            rules_loaded: loaded,
            rules_refused: rules.rules.len() as u64 - usable,
            rules_off: usable - loaded.min(usable),
            rules: reports,
            notes,
            ..ScanSummary::default()
        }
    }
}

fn losses(ledger: &Ledger) -> Vec<Loss> {
    let place = |place: &masthead_event::Place| match place.record {
        0 => format!("{}:{}", place.path.display(), place.line),
        record => format!("{}:{}#{record}", place.path.display(), place.line),
    };
    let loss = |(reason, tally): (&Reason, &masthead_event::Tally)| Loss {
        reason: reason.as_str().to_owned(),
        meaning: meaning(*reason).to_owned(),
        count: tally.count,
        evaluated: matches!(reason, Reason::Truncated | Reason::ReusedAuditId | Reason::NotAudit),
        places: tally.first.iter().map(place).collect(),
    };
    ledger.reasons.iter().map(loss).collect()
}

fn meaning(reason: Reason) -> &'static str {
    match reason {
        Reason::NotJson => "no JSON",
        Reason::InvalidUtf8 => "not UTF-8",
        Reason::NulByte => "a NUL byte in it",
        Reason::TooDeep => "nested too deep",
        Reason::TooLong => "longer than the limit",
        Reason::Truncated => "cut on its way, and read as far as it goes",
        Reason::BadEnvelope => "an envelope that does not hold what it should",
        Reason::BadCompression => "damaged compressed data, read up to the damage",
        Reason::NotAudit => "a record of another log in the same group",
        Reason::Control => "a message that only tests the delivery",
        Reason::Double => "read before",
        Reason::ReusedAuditId => "another event under an audit id that was seen before",
        Reason::Unreadable => "a file that cannot be read",
    }
}
