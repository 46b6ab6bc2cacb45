//! Which events an alarm watches: those of the metric filters that feed its metric, in groups of its dimensions.

use masthead_ir::FieldPath;
use masthead_ir::diagnostic::Diagnostic;
use masthead_ir::expr::{CompareOp, Expr, Func};
use masthead_ir::pattern::{Case, Pattern};
use masthead_ir::value::Value;
use masthead_rulefile::Node;

use super::any;
use crate::codes;
use crate::feed::{Feed, Feeds, Metric};
use crate::lower::Reading;
use crate::report::Report;
use crate::template::{Properties, Template, one_of};

const DIMENSION: &[&str] = &["Name", "Value"];

/// The feeds of an alarm.
pub(super) struct Selected<'a> {
    pub(super) feeds: Vec<&'a Feed>,
    /// Dimensions that must have a value.
    wanted: Vec<(String, String)>,
    /// The place of what is said of all feeds.
    node: &'a Node,
}

/// A column that parts events into metrics of their own.
pub(super) struct Group {
    pub(super) column: String,
    /// What the column is set to; none if events have it.
    pub(super) expr: Option<Expr>,
}

/// A dimension of an alarm: its name, and its value if that is known.
struct Wanted {
    name: String,
    value: Option<String>,
}

/// The feeds of a metric that have the dimensions of the alarm.
pub(super) fn select<'a>(
    template: &Template<'a>,
    properties: &Properties<'_, 'a>,
    metric: &Metric,
    feeds: &'a Feeds,
    report: &mut Report<'_>,
) -> Option<Selected<'a>> {
    let node = properties.node("MetricName")?;
    let of_metric = feeds.of(metric);
    if of_metric.is_empty() {
        unknown(metric, feeds, node, report);
        return None;
    }
    let wanted = dimensions(template, properties, report);
    let has = |feed: &Feed, name: &str| feed.dimensions.iter().any(|(key, _)| key == name);
    for Wanted { name, .. } in &wanted {
        if !of_metric.iter().any(|feed| has(feed, name)) {
            let message = format!("no filter publishes {metric} with a dimension `{name}`");
            let keys: Vec<&str> =
                of_metric.iter().flat_map(|feed| feed.dimensions.iter().map(|(key, _)| key.as_str())).collect();
            let help = match keys.is_empty() {
                true => "the filters of this metric have no dimensions; remove those of the alarm".to_owned(),
                false => one_of(name, keys.into_iter()),
            };
            let place = properties.node("Dimensions").unwrap_or(node);
            report.blocked(Diagnostic::warning(codes::DIMENSIONS, message).help(help), place);
            return None;
        }
    }
    let fits = |feed: &&Feed| wanted.iter().all(|wanted| has(feed, &wanted.name));
    let feeds: Vec<&Feed> = of_metric.into_iter().filter(fits).collect();
    same_dimensions(&feeds, metric, node, report)?;
    open_dimensions(&feeds, &wanted, metric, node, report);
    let wanted = wanted.into_iter().filter_map(|wanted| Some((wanted.name, wanted.value?))).collect();
    Some(Selected { feeds, wanted, node })
}

fn unknown(metric: &Metric, feeds: &Feeds, node: &Node, report: &mut Report<'_>) {
    if let Some(id) = feeds.broken(metric) {
        let message = format!("the filter `{id}`, which feeds {metric}, cannot run");
        let fault = Diagnostic::warning(codes::UNKNOWN_METRIC, message);
        report.blocked(fault.help("see what is said of the filter"), node);
        return;
    }
    let fault = Diagnostic::warning(codes::UNKNOWN_METRIC, format!("no metric filter in these files feeds {metric}"));
    let fault = match feeds.nearest(metric) {
        Some(near) => fault.help(format!("did you mean {near}?")),
        None if metric.namespace.starts_with("AWS/") => {
            fault.help("metrics that AWS publishes itself are not here; only those of metric filters are")
        }
        None => fault.help("check the file with the metric filter together with this one"),
    };
    report.blocked(fault, node);
}

fn dimensions(template: &Template<'_>, properties: &Properties<'_, '_>, report: &mut Report<'_>) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for item in properties.items("Dimensions", report) {
        let own = Properties::new(template, Some(item), item, DIMENSION, report);
        let (name, value) = (own.required("Name", report), own.required("Value", report));
        let (Some(name), Some(value)) = (name, value) else { continue };
        wanted.push(Wanted { name: name.text, value: Some(value.text).filter(|_| value.known) });
    }
    wanted
}

/// Filters with different dimensions publish different metrics under one name.
fn same_dimensions(feeds: &[&Feed], metric: &Metric, node: &Node, report: &mut Report<'_>) -> Option<()> {
    let keys = |feed: &Feed| {
        let mut keys: Vec<String> = feed.dimensions.iter().map(|(key, _)| key.clone()).collect();
        keys.sort();
        keys
    };
    let Some((first, rest)) = feeds.split_first() else {
        let message = format!("no filter publishes {metric} with all dimensions of the alarm");
        let fault = Diagnostic::warning(codes::DIMENSIONS, message);
        report.blocked(fault.help("give one filter all of them"), node);
        return None;
    };
    let Some(other) = rest.iter().find(|feed| keys(feed) != keys(first)) else { return Some(()) };
    let message = format!("the filters `{}` and `{}` publish {metric} with different dimensions", first.id, other.id);
    let fault = Diagnostic::warning(codes::DIMENSIONS, message);
    report.blocked(fault.help("give them the same dimensions, or metrics of their own"), node);
    None
}

/// An alarm in CloudWatch watches one combination of dimensions; one that names none sees nothing of such a metric.
fn open_dimensions(feeds: &[&Feed], wanted: &[Wanted], metric: &Metric, node: &Node, report: &mut Report<'_>) {
    let keys = feeds.first().map(|feed| feed.dimensions.as_slice()).unwrap_or_default();
    let open = keys.iter().map(|(key, _)| key).find(|key| !wanted.iter().any(|wanted| wanted.name == **key));
    if let Some(key) = open {
        let message = format!("every value of the dimension `{key}` of {metric} is watched by itself");
        let note = Diagnostic::note(codes::DIMENSIONS, message);
        report.say(note.help("CloudWatch would see no data without a value in `Dimensions`"), node);
    }
}

impl Selected<'_> {
    /// The events of all feeds.
    pub(super) fn filter(&self) -> Expr {
        any(self.feeds.iter().map(|feed| self.filter_of(feed)).collect())
    }

    fn filter_of(&self, feed: &Feed) -> Expr {
        let mut all = vec![feed.filter.clone()];
        for (name, value) in &self.wanted {
            let reading = feed.dimensions.iter().find(|(key, _)| key == name).map(|(_, reading)| reading);
            all.extend(reading.map(|reading| equals(reading, value)));
        }
        if all.len() == 1 { all.swap_remove(0) } else { Expr::And(all) }
    }

    /// What an event adds to the metric. Where feeds add different values, that of the first whose filter it passes.
    pub(super) fn value(&self, report: &mut Report<'_>) -> Option<Expr> {
        let (first, rest) = self.feeds.split_first()?;
        if rest.iter().all(|feed| feed.value == first.value) {
            return Some(first.value.expr());
        }
        let mut args = Vec::new();
        for feed in &self.feeds {
            let filter = self.filter_of(feed);
            if filter.fields().iter().any(|field| matches!(field, FieldPath::Keys(_))) {
                let message = format!(
                    "filters with different values feed this metric, and that of `{}` cannot be told apart",
                    feed.id
                );
                report.unsupported(message, "give the filters one value, or metrics of their own", self.node);
                return None;
            }
            args.extend([filter, feed.value.expr()]);
        }
        Some(Expr::Call { func: Func::Case, args })
    }

    /// The columns that part events into metrics of their own.
    pub(super) fn groups(&self) -> Vec<Group> {
        let Some(first) = self.feeds.first() else { return Vec::new() };
        first.dimensions.iter().map(|(key, reading)| self.group(key, reading)).collect()
    }

    fn group(&self, key: &str, first: &Reading) -> Group {
        let readings: Vec<&Reading> = self
            .feeds
            .iter()
            .filter_map(|feed| feed.dimensions.iter().find(|(known, _)| known == key).map(|(_, reading)| reading))
            .collect();
        if let Reading::Field(field) = first
            && readings.iter().all(|reading| *reading == first)
            && let Some(column) = field.column()
        {
            return Group { column: column.into_owned(), expr: None };
        }
        let mut values: Vec<Expr> = Vec::new();
        for reading in readings {
            let value = reading.expr();
            if !values.contains(&value) {
                values.push(value);
            }
        }
        let expr = match values.len() {
            1 => values.swap_remove(0),
            _ => Expr::Call { func: Func::Coalesce, args: values },
        };
        Group { column: key.to_owned(), expr: Some(expr) }
    }
}

fn equals(reading: &Reading, value: &str) -> Expr {
    match reading {
        Reading::Field(field) => {
            let pattern = Pattern::Text { text: value.to_owned(), case: Case::Sensitive, numeric: false };
            Expr::Test { field: field.clone(), pattern }
        }
        Reading::Computed(expr) => Expr::Compare {
            op: CompareOp::Eq,
            left: Box::new(expr.clone()),
            right: Box::new(Expr::Literal(Value::text(value))),
        },
    }
}
