//! Alarms: each becomes a rule of findings over the events that feed its metric.

mod settings;
mod source;

use std::sync::Arc;

use masthead_ir::FieldPath;
use masthead_ir::diagnostic::Diagnostic;
use masthead_ir::expr::Expr;
use masthead_ir::pipeline::{
    Aggregate, AggregateInput, Correlation, CorrelationKind, MissingPeriod, Pipeline, Source, Stage,
};
use masthead_ir::rule::{Body, Compiled, FindingTemplate, Kind, Rule, Severity};
use masthead_schema::rows;

use crate::codes;
use crate::dialect::NAME;
use crate::feed::{Feed, Feeds, Metric};
use crate::report::Report;
use crate::template::{Marks, Properties, Resource, Template};
use settings::Settings;
use source::{Group, Selected};

const PROPERTIES: &[&str] = &[
    "ActionsEnabled",
    "AlarmActions",
    "AlarmDescription",
    "AlarmName",
    "ComparisonOperator",
    "DatapointsToAlarm",
    "Dimensions",
    "EvaluateLowSampleCountPercentile",
    "EvaluationPeriods",
    "ExtendedStatistic",
    "InsufficientDataActions",
    "MetricName",
    "Metrics",
    "Namespace",
    "OKActions",
    "Period",
    "Statistic",
    "Tags",
    "Threshold",
    "ThresholdMetricId",
    "TreatMissingData",
    "Unit",
];

/// The column with what an event adds to the metric.
const METRIC_VALUE: &str = "metric_value";
/// The column with the statistic that breached.
const VALUE: &str = "value";

/// Compiles an alarm over the metric filters of all files.
pub(crate) fn compile(template: &Template<'_>, resource: &Resource<'_>, feeds: &Feeds) -> Compiled {
    let mut report = Report::new(template.file);
    let properties = resource.properties(template, PROPERTIES, &mut report);
    let name = properties.text("AlarmName", &mut report).filter(|name| name.known);
    let name = name.map_or_else(|| resource.id.to_owned(), |name| name.text);
    let marks = resource.marks(&mut report);
    let rule = body(template, &properties, feeds, &mut report).map(|(alarm, pipeline)| {
        let description = properties.text("AlarmDescription", &mut report).map(|text| text.text).unwrap_or_default();
        let about = About { id: resource.id, name, description, enabled: enabled(&properties) };
        rule(template, about, marks, &alarm, pipeline)
    });
    let rule = rule.filter(|_| report.can_run()).map(Arc::new);
    finish(template, resource, report, rule)
}

/// A composite alarm, which is known and cannot run.
pub(crate) fn composite(template: &Template<'_>, resource: &Resource<'_>) -> Compiled {
    let mut report = Report::new(template.file);
    let message = "a composite alarm judges the states of other alarms, which are not kept here";
    report.unsupported(message, "the alarms that it names run by themselves", resource.key);
    finish(template, resource, report, None)
}

fn finish(template: &Template<'_>, resource: &Resource<'_>, report: Report<'_>, rule: Option<Arc<Rule>>) -> Compiled {
    let (status, diagnostics) = report.into_parts();
    let path = template.file.path.clone();
    Compiled { path, rule_id: resource.id.to_owned(), dialect: NAME, status, diagnostics, rule }
}

/// What an alarm watches and how, for its message.
struct Alarm {
    metric: Metric,
    settings: Settings,
}

/// What a rule says of itself.
struct About<'a> {
    id: &'a str,
    name: String,
    description: String,
    enabled: bool,
}

/// An alarm whose actions are off tells nobody, and so is one that is switched off.
fn enabled(properties: &Properties<'_, '_>) -> bool {
    properties
        .node("ActionsEnabled")
        .and_then(|node| node.text())
        .is_none_or(|text| !text.eq_ignore_ascii_case("false"))
}

fn body(
    template: &Template<'_>,
    properties: &Properties<'_, '_>,
    feeds: &Feeds,
    report: &mut Report<'_>,
) -> Option<(Alarm, Pipeline)> {
    if let Some(node) = properties.node("ThresholdMetricId") {
        report.unsupported("anomaly detection cannot run here", "give the alarm a fixed `Threshold`", node);
        return None;
    }
    if let Some(node) = properties.node("Metrics") {
        let help = "watch the metric of one filter: `Namespace`, `MetricName`, `Statistic` and `Period`";
        report.unsupported("metric math cannot run here", help, node);
        return None;
    }
    let settings = settings::read(properties, report);
    let namespace = properties.required("Namespace", report);
    let name = properties.required("MetricName", report);
    let metric = Metric { namespace: namespace?.text, name: name?.text };
    let selected = source::select(template, properties, &metric, feeds, report)?;
    let settings = settings?;
    check_unit(properties, &selected, report);
    let pipeline = pipeline(&settings, &selected, report)?;
    Some((Alarm { metric, settings }, pipeline))
}

/// CloudWatch keeps a metric for each unit, so that an alarm with another one sees nothing.
fn check_unit(properties: &Properties<'_, '_>, selected: &Selected<'_>, report: &mut Report<'_>) {
    let Some(unit) = properties.text("Unit", report) else { return };
    let Some(node) = properties.node("Unit") else { return };
    let differs = |feed: &&&Feed| feed.unit.as_deref().unwrap_or("None") != unit.text;
    if let Some(feed) = selected.feeds.iter().find(differs) {
        let published = feed.unit.as_deref().unwrap_or("None");
        let message =
            format!("the alarm looks for `{}`, and the filter `{}` publishes `{published}`", unit.text, feed.id);
        let fault = Diagnostic::warning(codes::UNIT, message);
        report.say(fault.help("CloudWatch would see no data; units are not looked at here"), node);
    }
}

fn pipeline(settings: &Settings, selected: &Selected<'_>, report: &mut Report<'_>) -> Option<Pipeline> {
    let filter = selected.filter();
    let mut stages = vec![Stage::Assign { field: METRIC_VALUE.to_owned(), expr: selected.value(report)? }];
    let groups = selected.groups();
    for Group { column, expr } in &groups {
        if let Some(expr) = expr {
            stages.push(Stage::Assign { field: column.clone(), expr: expr.clone() });
        }
    }
    let by: Vec<String> = groups.into_iter().map(|group| group.column).collect();
    stages.push(Stage::Correlate(Correlation {
        kind: CorrelationKind::Periods {
            aggregate: Aggregate {
                func: settings.func,
                input: AggregateInput::Field(METRIC_VALUE.to_owned()),
                name: VALUE.to_owned(),
            },
            condition: settings.condition(VALUE),
            breaches: settings.breaches,
            of: settings.of,
            missing: missing(settings, selected),
        },
        by: by.clone(),
        within: settings.period.saturating_mul(1_000_000),
    }));
    let columns = by.iter().map(|column| FieldPath::of_column(column));
    let paths: Vec<FieldPath> = filter.fields().into_iter().chain(columns).chain([FieldPath::flat(VALUE)]).collect();
    stages.extend(rows::shown(paths));
    Some(Pipeline { source: Source::Events { filter, range: None }, stages })
}

/// What a period without matches counts as. With a default value CloudWatch has data there as long as any event comes, so
/// that the value decides and not `TreatMissingData`. How many events that would be is not known, so a count of samples
/// cannot be judged in this way.
fn missing(settings: &Settings, selected: &Selected<'_>) -> MissingPeriod {
    let default = selected.feeds.iter().find_map(|feed| feed.default);
    match default.and_then(|value| settings.breached_by(value)) {
        Some(true) => MissingPeriod::Breaching,
        Some(false) => MissingPeriod::NotBreaching,
        None => settings.missing,
    }
}

fn rule(template: &Template<'_>, about: About<'_>, marks: Marks, alarm: &Alarm, pipeline: Pipeline) -> Rule {
    let told = alarm.settings.told(&alarm.metric);
    Rule {
        id: about.id.to_owned(),
        name: about.name.clone(),
        dialect: NAME,
        path: template.file.path.clone(),
        description: if about.description.is_empty() { format!("{told}.") } else { about.description.clone() },
        enabled: about.enabled,
        attack: marks.attack,
        tags: marks.tags,
        finding: FindingTemplate {
            kind: Kind::Finding,
            severity: marks.severity.unwrap_or(Severity::Medium),
            title: about.name,
            message: format!("{told}: $value$"),
            entities: rows::entities(None),
            throttle: None,
        },
        schedule: None,
        body: Body::Pipeline(pipeline),
        tests: Vec::new(),
        drilldowns: Vec::new(),
        guide: masthead_ir::rule::Guide::default(),
    }
}

/// Either expression; one alone stays as it is.
fn any(mut parts: Vec<Expr>) -> Expr {
    if parts.len() == 1 { parts.swap_remove(0) } else { Expr::Or(parts) }
}
