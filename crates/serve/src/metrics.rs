//! Figures for Prometheus. Names and labels are a contract; docs/metrics.md lists them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use masthead_engine::LiveReport;
use masthead_ir::finding::Finding;
use masthead_ir::time::Micros;
use masthead_spool::Pending;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SourceLabel {
    source: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct LossLabel {
    source: String,
    reason: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RuleLabel {
    rule: String,
    dialect: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct MetricLabel {
    metric: String,
    filter: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SinkLabel {
    sink: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SinkResultLabel {
    sink: String,
    result: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SeverityLabel {
    severity: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ExceptionLabel {
    exception: String,
}

/// `event` or `window`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

/// From 10 ms to some minutes, close together where it matters.
fn latency() -> Histogram {
    let fine = (1..=40).map(|step| f64::from(step) * 0.05);
    Histogram::new([0.01, 0.025].into_iter().chain(fine).chain([3.0, 5.0, 10.0, 30.0, 60.0, 300.0]))
}

/// All figures of the service.
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    events: Family<SourceLabel, Counter>,
    bytes: Family<SourceLabel, Counter>,
    late: Family<SourceLabel, Counter>,
    ahead: Family<SourceLabel, Counter>,
    last_event: Family<SourceLabel, Gauge>,
    lost: Family<LossLabel, Counter>,
    candidates: Family<RuleLabel, Counter>,
    matches: Family<RuleLabel, Counter>,
    rule_findings: Family<RuleLabel, Counter>,
    rule_seconds: Family<RuleLabel, Counter<f64, std::sync::atomic::AtomicU64>>,
    rule_broken: Family<RuleLabel, Gauge>,
    data_points: Family<MetricLabel, Counter>,
    evicted: Family<RuleLabel, Counter>,
    suppressed: Family<ExceptionLabel, Counter>,
    findings: Family<SeverityLabel, Counter>,
    sink_results: Family<SinkResultLabel, Counter>,
    sink_waiting: Family<SinkLabel, Gauge>,
    queue_bytes: Gauge,
    queue_batches: Gauge,
    pub(crate) refused: Counter,
    window_bytes: Gauge,
    from_event: Histogram,
    from_receipt: Family<KindLabel, Histogram, fn() -> Histogram>,
    pub(crate) decided: Histogram,
    pub(crate) unreadable: Counter,
    pub(crate) state_errors: Counter,
    pub(crate) reloads: Counter,
    pub(crate) failed_reloads: Counter,
    /// Figures of an earlier set of rules: counters must not fall when rules are loaded anew.
    before: Mutex<BTreeMap<String, u64>>,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    /// Registers everything.
    pub(crate) fn new() -> Metrics {
        let metrics = Metrics {
            registry: Mutex::new(Registry::with_prefix("masthead")),
            events: Family::default(),
            bytes: Family::default(),
            late: Family::default(),
            ahead: Family::default(),
            last_event: Family::default(),
            lost: Family::default(),
            candidates: Family::default(),
            matches: Family::default(),
            rule_findings: Family::default(),
            rule_seconds: Family::default(),
            rule_broken: Family::default(),
            data_points: Family::default(),
            evicted: Family::default(),
            suppressed: Family::default(),
            findings: Family::default(),
            sink_results: Family::default(),
            sink_waiting: Family::default(),
            queue_bytes: Gauge::default(),
            queue_batches: Gauge::default(),
            refused: Counter::default(),
            window_bytes: Gauge::default(),
            from_event: Histogram::new(exponential_buckets(0.1, 2.0, 16)),
            from_receipt: Family::new_with_constructor(latency),
            decided: latency(),
            unreadable: Counter::default(),
            state_errors: Counter::default(),
            reloads: Counter::default(),
            failed_reloads: Counter::default(),
            before: Mutex::new(BTreeMap::new()),
        };
        metrics.register();
        metrics
    }

    fn register(&self) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let r = &mut *registry;
        r.register("events", "Events evaluated, by source", self.events.clone());
        r.register("event_bytes", "Bytes of events evaluated, by source", self.bytes.clone());
        r.register("late_events", "Events that came later than windows wait", self.late.clone());
        r.register("ahead_events", "Events whose time was ahead of their receipt", self.ahead.clone());
        r.register_with_unit(
            "last_event_timestamp",
            "Time of the newest event, by source",
            Unit::Seconds,
            self.last_event.clone(),
        );
        r.register("lost_records", "Records not evaluated, or not whole, by source and reason", self.lost.clone());
        r.register("rule_candidates", "Events that passed the first filter of a rule", self.candidates.clone());
        r.register("rule_matches", "Matches of a rule", self.matches.clone());
        r.register("rule_findings", "Findings of a rule", self.rule_findings.clone());
        r.register_with_unit("rule_time", "Time spent on a rule", Unit::Seconds, self.rule_seconds.clone());
        r.register("rule_broken", "1 for a rule that went wrong while it ran", self.rule_broken.clone());
        r.register("metric_data_points", "Data points that metric filters gave to a metric", self.data_points.clone());
        r.register("rule_evictions", "Groups of windows forgotten for want of memory", self.evicted.clone());
        r.register("suppressed_matches", "Matches that an exception suppressed", self.suppressed.clone());
        r.register("findings", "New findings, by severity", self.findings.clone());
        r.register("sink_deliveries", "Deliveries to sinks, by result", self.sink_results.clone());
        r.register("sink_waiting", "Findings that wait for a sink", self.sink_waiting.clone());
        r.register_with_unit("queue", "Accepted events that wait", Unit::Bytes, self.queue_bytes.clone());
        r.register("queue_batches", "Accepted batches that wait", self.queue_batches.clone());
        r.register("refused_deliveries", "Deliveries refused: queue full or not writable", self.refused.clone());
        r.register_with_unit("windows", "Memory of windows", Unit::Bytes, self.window_bytes.clone());
        r.register_with_unit(
            "latency_from_event",
            "From an event's time to its finding",
            Unit::Seconds,
            self.from_event.clone(),
        );
        r.register_with_unit(
            "latency_from_receipt",
            "From the receipt of an event to its finding",
            Unit::Seconds,
            self.from_receipt.clone(),
        );
        r.register_with_unit("decision", "Time that one judgement took", Unit::Seconds, self.decided.clone());
        r.register("unreadable_batches", "Accepted batches that could not be read again", self.unreadable.clone());
        r.register("state_errors", "Failed writes of findings", self.state_errors.clone());
        r.register("reloads", "Sets of rules that were loaded", self.reloads.clone());
        r.register("failed_reloads", "Sets of rules that were not loaded", self.failed_reloads.clone());
    }

    /// A new finding was written.
    pub(crate) fn found(&self, finding: &Finding, windowed: bool, received: Option<Micros>, now: Micros) {
        let severity = serde_json::to_value(finding.severity).ok();
        let severity = severity.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
        self.findings.get_or_create(&SeverityLabel { severity }).inc();
        let seconds = |since: Micros| (now - since).max(0) as f64 / 1e6;
        if let Some(received) = received {
            let kind = if windowed { "window" } else { "event" };
            self.from_receipt.get_or_create(&KindLabel { kind }).observe(seconds(received));
        }
        let time = finding.last_seen.as_deref().and_then(|text| text.parse::<jiff::Timestamp>().ok());
        if let Some(time) = time {
            self.from_event.observe(seconds(time.as_microsecond()));
        }
    }

    /// Takes in what the rules did.
    pub(crate) fn show(&self, report: &LiveReport, pending: &Pending) {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        // Figures of the engine begin anew with each set of rules; counters go on.
        let mut grown = |name: String, now: u64| {
            let last = before.insert(name, now).unwrap_or(0);
            if now >= last { now - last } else { now }
        };
        for (name, figures) in &report.sources {
            let label = SourceLabel { source: name.clone() };
            self.events.get_or_create(&label).inc_by(grown(format!("e {name}"), figures.events));
            self.bytes.get_or_create(&label).inc_by(grown(format!("b {name}"), figures.bytes));
            self.late.get_or_create(&label).inc_by(grown(format!("l {name}"), figures.late));
            self.ahead.get_or_create(&label).inc_by(grown(format!("a {name}"), figures.ahead));
            if let Some(last) = figures.last_event {
                self.last_event.get_or_create(&label).set(last / 1_000_000);
            }
            for (reason, count) in &figures.losses {
                let label = LossLabel { source: name.clone(), reason: (*reason).to_owned() };
                self.lost.get_or_create(&label).inc_by(grown(format!("r {name} {reason}"), *count));
            }
        }
        for rule in &report.rules {
            let label = RuleLabel { rule: rule.name.clone(), dialect: rule.dialect.to_owned() };
            let name = format!("{} {}", rule.dialect, rule.name);
            self.candidates.get_or_create(&label).inc_by(grown(format!("rc {name}"), rule.candidates));
            self.matches.get_or_create(&label).inc_by(grown(format!("rm {name}"), rule.matches));
            self.rule_findings.get_or_create(&label).inc_by(grown(format!("rf {name}"), rule.findings));
            let micros = grown(format!("rs {name}"), (rule.seconds * 1e6) as u64);
            self.rule_seconds.get_or_create(&label).inc_by(micros as f64 / 1e6);
            self.evicted.get_or_create(&label).inc_by(grown(format!("re {name}"), rule.evicted));
            self.rule_broken.get_or_create(&label).set(i64::from(rule.problem.is_some()));
            for metric in &rule.metrics {
                let label = MetricLabel { metric: metric.clone(), filter: rule.name.clone() };
                self.data_points.get_or_create(&label).inc_by(grown(format!("rd {name} {metric}"), rule.matches));
            }
        }
        for (exception, count) in &report.suppressed {
            let label = ExceptionLabel { exception: exception.clone() };
            self.suppressed.get_or_create(&label).inc_by(grown(format!("x {exception}"), *count));
        }
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.queue_bytes.set(gauge(pending.bytes));
        self.queue_batches.set(gauge(pending.batches));
        self.window_bytes.set(gauge(report.window_bytes));
    }

    /// Takes in what sinks did: sent, failed, given up, waiting.
    pub(crate) fn sinks(&self, counts: &BTreeMap<String, [u64; 3]>, waiting: &BTreeMap<String, u64>) {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        for (sink, results) in counts {
            for (result, count) in ["sent", "failed", "dead"].into_iter().zip(results) {
                let last = before.insert(format!("s {sink} {result}"), *count).unwrap_or(0);
                let label = SinkResultLabel { sink: sink.clone(), result: result.to_owned() };
                self.sink_results.get_or_create(&label).inc_by(count.saturating_sub(last));
            }
            let waiting = waiting.get(sink).copied().unwrap_or(0);
            let label = SinkLabel { sink: sink.clone() };
            self.sink_waiting.get_or_create(&label).set(i64::try_from(waiting).unwrap_or(i64::MAX));
        }
    }

    /// Makes one sample of each figure that has labels: without one it is not shown, and so not documented.
    pub(crate) fn sample(&self) {
        let text = String::new;
        let source = SourceLabel { source: text() };
        for family in [&self.events, &self.bytes, &self.late, &self.ahead] {
            drop(family.get_or_create(&source));
        }
        drop(self.last_event.get_or_create(&source));
        drop(self.lost.get_or_create(&LossLabel { source: text(), reason: text() }));
        let rule = RuleLabel { rule: text(), dialect: text() };
        for family in [&self.candidates, &self.matches, &self.rule_findings, &self.evicted] {
            drop(family.get_or_create(&rule));
        }
        drop(self.rule_seconds.get_or_create(&rule));
        drop(self.rule_broken.get_or_create(&rule));
        drop(self.data_points.get_or_create(&MetricLabel { metric: text(), filter: text() }));
        drop(self.suppressed.get_or_create(&ExceptionLabel { exception: text() }));
        drop(self.findings.get_or_create(&SeverityLabel { severity: text() }));
        drop(self.sink_results.get_or_create(&SinkResultLabel { sink: text(), result: text() }));
        drop(self.sink_waiting.get_or_create(&SinkLabel { sink: text() }));
        drop(self.from_receipt.get_or_create(&KindLabel { kind: "event" }));
    }

    /// Everything in the text format of OpenMetrics.
    pub(crate) fn text(&self) -> String {
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        match encode(&mut text, &registry) {
            Ok(()) => text,
            Err(_) => String::new(),
        }
    }
}
