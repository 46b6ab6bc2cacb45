//! When queries run: `Schedule` as cron and window.

use masthead_ir::diagnostic::Diagnostic;
use masthead_ir::rule::Schedule;
use masthead_ir::time::{TimeRange, TimeSpec, TimeStep, TimeUnit};
use masthead_rulefile::Node;

use crate::keys::Keys;

/// How often a query runs that does not say.
const MINUTES: u64 = 60;
/// Minutes of a day.
const DAY: u64 = 24 * 60;

/// The schedule of a file, over the window that its query or lookback says; where it says none, the time between two runs.
pub(crate) fn read(keys: &mut Keys<'_>, node: Option<&Node>, range: Option<TimeRange>) -> Schedule {
    let cron = node.and_then(|node| node.get("CronExpression")).and_then(Node::text).map(str::trim);
    let minutes = node.and_then(|node| node.get("RateMinutes")).filter(|node| !node.is_null());
    let rate = match minutes.map(|node| (node, node.as_i64().and_then(|rate| u64::try_from(rate).ok()))) {
        Some((_, Some(rate))) if rate > 0 => rate,
        Some((node, _)) => {
            let message = format!("`RateMinutes` must be a whole number above zero, not {}", node.kind());
            keys.diagnostics.push(Diagnostic::error("bad-value", message).at(keys.file.span(node)));
            MINUTES
        }
        None => MINUTES,
    };
    let cron = match cron.filter(|cron| !cron.is_empty()) {
        Some(cron) => cron.to_owned(),
        None => of_minutes(rate),
    };
    Schedule { cron, range: range.unwrap_or_else(|| last_minutes(rate)) }
}

/// The window of the last minutes.
pub(crate) fn last_minutes(minutes: u64) -> TimeRange {
    let count = i64::try_from(minutes).unwrap_or(i64::MAX);
    TimeRange {
        earliest: Some(TimeSpec::Relative(vec![TimeStep::Add(count.saturating_neg(), TimeUnit::Minute)])),
        latest: None,
    }
}

/// A cron expression that runs every so many minutes, or more often where cron cannot say it.
fn of_minutes(rate: u64) -> String {
    let divisor =
        |of: u64, at_most: u64| (1..=at_most.min(of)).rev().find(|step| of.is_multiple_of(*step)).unwrap_or(1);
    if rate < 60 {
        return match divisor(60, rate) {
            1 => "* * * * *".to_owned(),
            step => format!("*/{step} * * * *"),
        };
    }
    if rate < DAY {
        return match divisor(24, rate / 60) {
            1 => "0 * * * *".to_owned(),
            step => format!("0 */{step} * * *"),
        };
    }
    match rate / DAY {
        7..28 => "0 0 * * 0".to_owned(),
        28.. => "0 0 1 * *".to_owned(),
        _ => "0 0 * * *".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_as_cron() {
        for (rate, cron) in [
            (1, "* * * * *"),
            (30, "*/30 * * * *"),
            (45, "*/30 * * * *"),
            (60, "0 * * * *"),
            (90, "0 * * * *"),
            (300, "0 */4 * * *"),
            (720, "0 */12 * * *"),
            (1440, "0 0 * * *"),
            (2880, "0 0 * * *"),
            (10080, "0 0 * * 0"),
            (43200, "0 0 1 * *"),
        ] {
            assert_eq!(of_minutes(rate), cron, "{rate}");
        }
    }
}
