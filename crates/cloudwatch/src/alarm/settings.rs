//! When an alarm is raised: its statistic, periods and threshold.

use masthead_ir::diagnostic::Diagnostic;
use masthead_ir::expr::{CompareOp, Expr, FieldPath};
use masthead_ir::pipeline::{AggregateFunc, MissingPeriod};

use crate::codes;
use crate::feed::{Metric, number_value};
use crate::report::Report;
use crate::template::{Properties, one_of};

/// How long an alarm may look back, in seconds: seven days.
const MAX_WINDOW: i64 = 604_800;

/// When an alarm is raised.
pub(super) struct Settings {
    pub(super) func: AggregateFunc,
    /// The statistic as the alarm writes it.
    statistic: String,
    /// The length of a period in seconds.
    pub(super) period: i64,
    /// How many periods are looked at.
    pub(super) of: u32,
    /// How many of them must breach.
    pub(super) breaches: u32,
    threshold: f64,
    op: CompareOp,
    pub(super) missing: MissingPeriod,
}

const STATISTICS: &[(&str, AggregateFunc)] = &[
    ("SampleCount", AggregateFunc::Count),
    ("Average", AggregateFunc::Avg),
    ("Sum", AggregateFunc::Sum),
    ("Minimum", AggregateFunc::Min),
    ("Maximum", AggregateFunc::Max),
];

/// Comparisons; those without an operator belong to anomaly detection.
const OPERATORS: &[(&str, Option<CompareOp>)] = &[
    ("GreaterThanOrEqualToThreshold", Some(CompareOp::Ge)),
    ("GreaterThanThreshold", Some(CompareOp::Gt)),
    ("LessThanThreshold", Some(CompareOp::Lt)),
    ("LessThanOrEqualToThreshold", Some(CompareOp::Le)),
    ("LessThanLowerOrGreaterThanUpperThreshold", None),
    ("LessThanLowerThreshold", None),
    ("GreaterThanUpperThreshold", None),
];

const MISSING: &[(&str, MissingPeriod)] = &[
    ("missing", MissingPeriod::Missing),
    ("notBreaching", MissingPeriod::NotBreaching),
    ("breaching", MissingPeriod::Breaching),
    ("ignore", MissingPeriod::Ignore),
];

impl Settings {
    /// What breaches, over a column.
    pub(super) fn condition(&self, column: &str) -> Expr {
        Expr::Compare {
            op: self.op,
            left: Box::new(Expr::Field(FieldPath::flat(column))),
            right: Box::new(Expr::Literal(number_value(self.threshold))),
        }
    }

    /// Whether a period whose data points all have this value breaches; none if their number would decide.
    pub(super) fn breached_by(&self, value: f64) -> Option<bool> {
        if self.func == AggregateFunc::Count {
            return None;
        }
        Some(match self.op {
            CompareOp::Eq => value == self.threshold,
            CompareOp::Ne => value != self.threshold,
            CompareOp::Lt => value < self.threshold,
            CompareOp::Le => value <= self.threshold,
            CompareOp::Gt => value > self.threshold,
            CompareOp::Ge => value >= self.threshold,
        })
    }

    /// The condition in words.
    pub(super) fn told(&self, metric: &Metric) -> String {
        let sign = match self.op {
            CompareOp::Eq => "=",
            CompareOp::Ne => "!=",
            CompareOp::Lt => "<",
            CompareOp::Le => "<=",
            CompareOp::Gt => ">",
            CompareOp::Ge => ">=",
        };
        let periods = match (self.breaches, self.of) {
            (1, 1) => format!("{} s", self.period),
            (breaches, of) => format!("{breaches} of {of} times {} s", self.period),
        };
        format!("{} of {metric} {sign} {} in {periods}", self.statistic, self.threshold)
    }
}

pub(super) fn read(properties: &Properties<'_, '_>, report: &mut Report<'_>) -> Option<Settings> {
    for name in ["ComparisonOperator", "EvaluationPeriods", "Period", "Threshold"] {
        properties.demand(name, report);
    }
    let statistic = statistic(properties, report);
    let op = operator(properties, report);
    let period = period(properties, report);
    let of = properties.count("EvaluationPeriods", MAX_WINDOW as u32 / 10, report);
    let breaches = properties.count("DatapointsToAlarm", of.unwrap_or(u32::MAX), report);
    let threshold = properties.number("Threshold", report);
    let missing = match properties.node("TreatMissingData") {
        Some(_) => properties.choice("TreatMissingData", MISSING, report),
        None => Some(MissingPeriod::Missing),
    };
    if let Some(node) = properties.node("EvaluateLowSampleCountPercentile").filter(|node| node.text() == Some("ignore"))
    {
        report.no_effect("percentiles of few samples are always evaluated", node);
    }
    let (func, statistic) = statistic?;
    let (period, of) = (period?, of?);
    if period.saturating_mul(i64::from(of)) > MAX_WINDOW {
        let message = format!("{of} periods of {period} seconds are more than seven days");
        let fault = Diagnostic::error(codes::ALARM_VALUE, message);
        report.say(fault.help("take fewer or shorter periods"), properties.node("EvaluationPeriods")?);
        return None;
    }
    let breaches = breaches.unwrap_or(of);
    Some(Settings { func, statistic, period, of, breaches, threshold: threshold?, op: op?, missing: missing? })
}

fn operator(properties: &Properties<'_, '_>, report: &mut Report<'_>) -> Option<CompareOp> {
    let op = properties.choice("ComparisonOperator", OPERATORS, report)?;
    if op.is_none() {
        let help = "compare with a fixed threshold, such as `GreaterThanThreshold`";
        report.unsupported("anomaly detection cannot run here", help, properties.node("ComparisonOperator")?);
    }
    op
}

fn period(properties: &Properties<'_, '_>, report: &mut Report<'_>) -> Option<i64> {
    let number = properties.number("Period", report)?;
    let period = number as i64;
    let sound = number.fract() == 0.0 && period > 0 && period <= MAX_WINDOW;
    if sound && (period % 60 == 0 || [10, 20, 30].contains(&period)) {
        return Some(period);
    }
    let fault = Diagnostic::error(codes::ALARM_VALUE, format!("a period cannot be {number} seconds long"));
    report.say(fault.help("take 10, 20, 30, or a multiple of 60"), properties.node("Period")?);
    None
}

fn statistic(properties: &Properties<'_, '_>, report: &mut Report<'_>) -> Option<(AggregateFunc, String)> {
    let Some(node) = properties.node("ExtendedStatistic") else {
        properties.demand("Statistic", report);
        let func = properties.choice("Statistic", STATISTICS, report)?;
        return Some((func, properties.known_text("Statistic", report)?));
    };
    if properties.node("Statistic").is_some() {
        let fault = Diagnostic::error(codes::PROPERTY_VALUE, "an alarm has one statistic, and this is the second");
        report.say(fault.help("remove `Statistic` or `ExtendedStatistic`"), node);
        return None;
    }
    let text = properties.known_text("ExtendedStatistic", report)?;
    let percent = text.strip_prefix('p').and_then(|percent| percent.parse::<f64>().ok());
    if let Some(percent) = percent.filter(|percent| (0.0..=100.0).contains(percent)) {
        return Some((AggregateFunc::Percentile(percent), text));
    }
    let others = ["tm", "tc", "ts", "wm", "IQM", "PR", "TM", "TC", "TS", "WM"];
    if others.iter().any(|other| text.starts_with(other)) {
        report.unsupported(format!("the statistic `{text}` cannot run here"), "take a percentile such as `p95`", node);
        return None;
    }
    let fault = Diagnostic::error(codes::PROPERTY_VALUE, format!("there is no statistic `{text}`"));
    let help = match STATISTICS.iter().any(|(name, _)| *name == text) {
        true => format!("write it as `Statistic: {text}`"),
        false => one_of(&text, ["p50", "p90", "p95", "p99", "p99.9"].into_iter()),
    };
    report.say(fault.help(help), node);
    None
}
