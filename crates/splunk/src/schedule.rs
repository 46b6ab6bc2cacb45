//! When rules run: deployments (ESCU 4 and 5), schedules (ESCU 6), throttling.

use masthead_ir::Diagnostic;
use masthead_ir::rule::Schedule;
use masthead_ir::time::{TimeRange, TimeSpec, parse_spec, span_seconds};
use masthead_rulefile::{Node, suggest};

use crate::content::SharedContent;
use crate::fields::Reader;

/// Hourly over an hour that is closed ten minutes late: ESCU's default for detections.
const DETECTIONS: [&str; 3] = ["0 * * * *", "-70m@m", "-10m@m"];
/// Daily over a day: ESCU's default for baselines.
const BASELINES: [&str; 3] = ["10 0 * * *", "-1450m@m", "-10m@m"];

/// Timing as a file gives it; what is absent is the default's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timing {
    cron: Option<String>,
    earliest: Option<TimeSpec>,
    latest: Option<TimeSpec>,
}

/// Reads `scheduling: {cron_schedule, earliest_time, latest_time}`, or the same keys without `scheduling`.
pub(crate) fn read_timing(node: &Node, reader: &mut Reader<'_>) -> Option<Timing> {
    let keys = node.get("scheduling").unwrap_or(node);
    if keys.entries().is_empty() {
        reader.wrong_type(keys, "scheduling", "a mapping");
        return None;
    }
    Some(Timing {
        cron: cron(keys, reader),
        earliest: time(keys, "earliest_time", reader),
        latest: time(keys, "latest_time", reader),
    })
}

fn cron(keys: &Node, reader: &mut Reader<'_>) -> Option<String> {
    let text = reader.text(keys, "cron_schedule")?.trim().to_owned();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "*,/-?#".contains(c);
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() == 5 && fields.iter().all(|field| field.chars().all(allowed)) {
        return Some(fields.join(" "));
    }
    let place = keys.get("cron_schedule").unwrap_or(keys);
    let fault = Diagnostic::error("bad-schedule", format!("`{text}` is no cron expression of five fields"));
    reader.report(place, fault.help("minute, hour, day of month, month, day of week: `0 * * * *`"));
    None
}

fn time(keys: &Node, key: &str, reader: &mut Reader<'_>) -> Option<TimeSpec> {
    let text = reader.text(keys, key)?;
    match parse_spec(text) {
        Ok(time) => Some(time),
        Err(error) => {
            let place = keys.get(key).unwrap_or(keys);
            reader.report(place, Diagnostic::error("bad-time", error.to_string()));
            None
        }
    }
}

/// The schedule of a rule: its own, that which it names, that of its type, ESCU's default; the first that is there.
pub(crate) fn schedule(node: &Node, kind: &str, shared: &SharedContent, reader: &mut Reader<'_>) -> Schedule {
    let own = ["custom_schedule", "deployment"].into_iter().find_map(|key| node.get(key));
    let timing = match own {
        Some(own) => read_timing(own, reader),
        None => named(node, shared, reader).or_else(|| shared.deployments.get(kind).cloned()),
    };
    let timing = timing.unwrap_or_default();
    let [cron, earliest, latest] = if kind == "Baseline" { BASELINES } else { DETECTIONS };
    Schedule {
        cron: timing.cron.unwrap_or_else(|| cron.to_owned()),
        range: TimeRange {
            earliest: timing.earliest.or_else(|| parse_spec(earliest).ok()),
            latest: timing.latest.or_else(|| parse_spec(latest).ok()),
        },
    }
}

fn named(node: &Node, shared: &SharedContent, reader: &mut Reader<'_>) -> Option<Timing> {
    let place = node.get("schedule")?;
    if !place.entries().is_empty() {
        return read_timing(place, reader);
    }
    let name = reader.text(node, "schedule")?;
    if let Some(timing) = shared.schedules.get(name) {
        return Some(timing.clone());
    }
    let mut fault =
        Diagnostic::warning("unknown-schedule", format!("there is no schedule `{name}`; the default is used"));
    if let Some(meant) = suggest(name, shared.schedules.keys().map(String::as_str)) {
        fault = fault.help(format!("did you mean `{meant}`?"));
    }
    reader.report(place, fault);
    None
}

/// `tags.throttling`: the fields, and the period in seconds.
pub(crate) fn throttle(tags: &Node, reader: &mut Reader<'_>) -> Option<(Vec<String>, u64)> {
    let throttling = tags.get("throttling").filter(|node| !node.is_null())?;
    if throttling.entries().is_empty() {
        reader.wrong_type(throttling, "throttling", "a mapping");
        return None;
    }
    let fields = reader.texts(throttling, "fields");
    if fields.is_empty() {
        reader.missing(throttling, "fields", "the throttling");
        return None;
    }
    let period = reader.required(throttling, "period", "the throttling")?;
    match span_seconds(period.trim()).and_then(|seconds| u64::try_from(seconds).ok()).filter(|&seconds| seconds > 0) {
        Some(seconds) => Some((fields, seconds)),
        None => {
            let place = throttling.get("period").unwrap_or(throttling);
            let fault = Diagnostic::error("bad-throttling", format!("`{period}` is no length of time"));
            reader.report(place, fault.help("a number and a unit: `30s`, `60m`, `24h`"));
            None
        }
    }
}
