//! Metric filters: each becomes a rule of signals, and feeds a metric.

use std::sync::Arc;

use masthead_ir::diagnostic::Diagnostic;
use masthead_ir::eval::Program;
use masthead_ir::expr::Expr;
use masthead_ir::rule::{Body, Compiled, FindingTemplate, Kind, Rule, Severity};
use masthead_rulefile::Node;
use masthead_schema::rows;

use crate::codes;
use crate::dialect::NAME;
use crate::feed::{Feed, Feeds, Metric, MetricValue};
use crate::lower::{self, Reading};
use crate::report::Report;
use crate::syntax::{self, Fault, FilterPattern};
use crate::template::{Properties, Resource, Template};

const PROPERTIES: &[&str] = &[
    "ApplyOnTransformedLogs",
    "EmitSystemFieldDimensions",
    "FieldSelectionCriteria",
    "FilterName",
    "FilterPattern",
    "LogGroupName",
    "MetricTransformations",
];
const TRANSFORMATION: &[&str] = &["DefaultValue", "Dimensions", "MetricName", "MetricNamespace", "MetricValue", "Unit"];
const DIMENSION: &[&str] = &["Key", "Value"];

/// What the events of a filter are.
struct Matches {
    pattern: FilterPattern,
    filter: Expr,
}

/// Compiles a metric filter, and adds what it publishes to the feeds.
pub(crate) fn compile(template: &Template<'_>, resource: &Resource<'_>, feeds: &mut Feeds) -> Compiled {
    let mut report = Report::new(template.file);
    let properties = resource.properties(template, PROPERTIES, &mut report);
    let name = properties.text("FilterName", &mut report).filter(|name| name.known);
    without_effect(&properties, &mut report);
    let matches = pattern(&properties, &mut report);
    let (metrics, found) = transformations(template, &properties, matches.as_ref(), resource.id, &mut report);
    let marks = resource.marks(&mut report);
    let runs = report.can_run();
    let rule = matches.filter(|_| runs).map(|matches| {
        let name = name.map_or_else(|| resource.id.to_owned(), |name| name.text);
        let published: Vec<String> = metrics.iter().map(Metric::to_string).collect();
        let more = found.iter().flat_map(fields);
        Arc::new(Rule {
            id: resource.id.to_owned(),
            description: format!("Events that CloudWatch counts in {}.", published.join(" and ")),
            dialect: NAME,
            path: template.file.path.clone(),
            enabled: true,
            attack: marks.attack,
            tags: marks.tags.into_iter().chain(published.iter().map(|metric| format!("metric:{metric}"))).collect(),
            finding: FindingTemplate {
                kind: Kind::Signal,
                severity: marks.severity.unwrap_or(Severity::Informational),
                title: name.clone(),
                message: format!("An event for {}", published.join(" and ")),
                entities: rows::entities(None),
                throttle: None,
            },
            name,
            schedule: None,
            body: Body::Pipeline(rows::single(matches.filter, more)),
            tests: Vec::new(),
            drilldowns: Vec::new(),
            guide: masthead_ir::rule::Guide::default(),
        })
    });
    if runs {
        feeds.working.extend(found);
    } else {
        feeds.broken.extend(metrics.into_iter().map(|metric| (metric, resource.id.to_owned())));
    }
    let (status, diagnostics) = report.into_parts();
    let path = template.file.path.clone();
    Compiled { path, rule_id: resource.id.to_owned(), dialect: NAME, status, diagnostics, rule }
}

/// Says which properties change what CloudWatch counts, and nothing here.
fn without_effect(properties: &Properties<'_, '_>, report: &mut Report<'_>) {
    if let Some(node) = properties.node("ApplyOnTransformedLogs").filter(|node| node.text() == Some("true")) {
        report.no_effect("log events are not transformed here, so the pattern sees them as they came", node);
    }
    for name in ["EmitSystemFieldDimensions", "FieldSelectionCriteria"] {
        if let Some(node) = properties.node(name) {
            report.no_effect(format!("`{name}` has no effect here: there are no fields of the log group"), node);
        }
    }
}

fn pattern(properties: &Properties<'_, '_>, report: &mut Report<'_>) -> Option<Matches> {
    properties.demand("FilterPattern", report);
    let node = properties.node("FilterPattern")?;
    let text = properties.known_text("FilterPattern", report)?;
    let matches = syntax::parse(&text).and_then(|parsed| {
        for warning in parsed.warnings {
            report.fault(warning, node, &text);
        }
        let filter = lower::filter(&parsed.pattern)?;
        match Program::compile(&filter) {
            Ok(_) => Ok(Matches { pattern: parsed.pattern, filter }),
            Err(error) => Err(Fault::new(codes::PATTERN, format!("the pattern cannot run: {error}"), 0..text.len())),
        }
    });
    match matches {
        Ok(matches) => Some(matches),
        Err(fault) => {
            report.fault(fault, node, &text);
            None
        }
    }
}

/// The metrics that a filter publishes, and how.
fn transformations(
    template: &Template<'_>,
    properties: &Properties<'_, '_>,
    matches: Option<&Matches>,
    id: &str,
    report: &mut Report<'_>,
) -> (Vec<Metric>, Vec<Feed>) {
    properties.demand("MetricTransformations", report);
    let (mut metrics, mut feeds) = (Vec::new(), Vec::new());
    for item in properties.items("MetricTransformations", report) {
        let own = Properties::new(template, Some(item), item, TRANSFORMATION, report);
        let namespace = own.required("MetricNamespace", report);
        let name = own.required("MetricName", report);
        let (Some(namespace), Some(name)) = (namespace, name) else { continue };
        let metric = Metric { namespace: namespace.text, name: name.text };
        metrics.push(metric.clone());
        let value = value(&own, matches, report);
        let dimensions = dimensions(template, &own, matches, report);
        let default = own.number("DefaultValue", report);
        if let (Some(node), false) = (own.node("DefaultValue"), dimensions.is_empty()) {
            let fault = Diagnostic::warning(codes::DIMENSIONS, "a metric with dimensions has no default value");
            report.say(fault.help("CloudWatch refuses the two together; it is not used here"), node);
        }
        let default = default.filter(|_| dimensions.is_empty());
        let unit = own.text("Unit", report).map(|unit| unit.text);
        let (Some(value), Some(matches)) = (value, matches) else { continue };
        let filter = matches.filter.clone();
        feeds.push(Feed { metric, id: id.to_owned(), unit, default, value, dimensions, filter });
    }
    (metrics, feeds)
}

fn value(own: &Properties<'_, '_>, matches: Option<&Matches>, report: &mut Report<'_>) -> Option<MetricValue> {
    own.demand("MetricValue", report);
    let node = own.node("MetricValue")?;
    let text = own.known_text("MetricValue", report)?;
    if let Some(number) = text.trim().parse::<f64>().ok().filter(|number| number.is_finite()) {
        return Some(MetricValue::Constant(number));
    }
    reading(&text, node, matches, report).map(MetricValue::Of)
}

/// What `$.path` or `$name` leads to.
fn reading(text: &str, node: &Node, matches: Option<&Matches>, report: &mut Report<'_>) -> Option<Reading> {
    if !text.trim().starts_with('$') {
        let message = format!("`{text}` is neither a number nor a field of the event");
        let fault = Diagnostic::error(codes::PROPERTY_VALUE, message);
        report.say(fault.help("a field is written `$.path`, or `$name` beside a pattern in square brackets"), node);
        return None;
    }
    match lower::reading(text, &matches?.pattern) {
        Ok(reading) => Some(reading),
        Err(fault) => {
            report.fault(fault, node, text);
            None
        }
    }
}

fn dimensions(
    template: &Template<'_>,
    own: &Properties<'_, '_>,
    matches: Option<&Matches>,
    report: &mut Report<'_>,
) -> Vec<(String, Reading)> {
    let mut dimensions = Vec::new();
    for item in own.items("Dimensions", report) {
        let dimension = Properties::new(template, Some(item), item, DIMENSION, report);
        let key = dimension.required("Key", report);
        dimension.demand("Value", report);
        let (Some(key), Some(node)) = (key, dimension.node("Value")) else { continue };
        let Some(text) = dimension.known_text("Value", report) else { continue };
        if let Some(reading) = reading(&text, node, matches, report) {
            dimensions.push((key.text, reading));
        }
    }
    dimensions
}

/// The fields that a feed reads beside its filter.
fn fields(feed: &Feed) -> Vec<masthead_ir::FieldPath> {
    let dimensions = feed.dimensions.iter().map(|(_, reading)| reading);
    let value = match &feed.value {
        MetricValue::Of(reading) => Some(reading),
        MetricValue::Constant(_) => None,
    };
    dimensions.chain(value).flat_map(|reading| reading.expr().fields()).collect()
}
