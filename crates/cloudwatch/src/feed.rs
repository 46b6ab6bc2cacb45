//! Which metric filters feed which metrics.

use masthead_ir::expr::Expr;
use masthead_ir::value::Value;
use masthead_rulefile::suggest;

use crate::lower::Reading;

/// What a metric filter publishes to one metric.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    pub(crate) metric: Metric,
    /// The logical id of the filter.
    pub(crate) id: String,
    pub(crate) unit: Option<String>,
    /// What CloudWatch reports for a minute in which events came and none matched.
    pub(crate) default: Option<f64>,
    pub(crate) value: MetricValue,
    /// Keys and where their values come from.
    pub(crate) dimensions: Vec<(String, Reading)>,
    pub(crate) filter: Expr,
}

/// The name of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metric {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// What a match adds to a metric.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum MetricValue {
    /// Always the same.
    Constant(f64),
    /// A value of the event.
    Of(Reading),
}

impl MetricValue {
    pub(crate) fn expr(&self) -> Expr {
        match self {
            MetricValue::Constant(number) => Expr::Literal(number_value(*number)),
            MetricValue::Of(reading) => reading.expr(),
        }
    }
}

/// A number as a value: whole where it is.
pub(crate) fn number_value(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < 9e15 { Value::Int(number as i64) } else { Value::Float(number) }
}

/// All feeds of the files.
#[derive(Debug, Default)]
pub(crate) struct Feeds {
    pub(crate) working: Vec<Feed>,
    /// Metrics whose filter cannot run, with its logical id.
    pub(crate) broken: Vec<(Metric, String)>,
}

impl Feeds {
    /// The feeds of a metric.
    pub(crate) fn of(&self, metric: &Metric) -> Vec<&Feed> {
        self.working.iter().filter(|feed| feed.metric == *metric).collect()
    }

    /// The filter that would feed a metric if it could run.
    pub(crate) fn broken(&self, metric: &Metric) -> Option<&str> {
        self.broken.iter().find(|(known, _)| known == metric).map(|(_, id)| id.as_str())
    }

    /// The metric that was probably meant.
    pub(crate) fn nearest(&self, metric: &Metric) -> Option<&Metric> {
        let known = || self.working.iter().map(|feed| &feed.metric).chain(self.broken.iter().map(|(known, _)| known));
        if let Some(elsewhere) = known().find(|other| other.name == metric.name) {
            return Some(elsewhere);
        }
        let name = suggest(&metric.name, known().map(|other| other.name.as_str()))?;
        let same = known().find(|other| other.name == name && other.namespace == metric.namespace);
        same.or_else(|| known().find(|other| other.name == name))
    }
}

impl std::fmt::Display for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
