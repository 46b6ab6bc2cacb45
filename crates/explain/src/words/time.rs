//! Words for spans, moments and timetables.

use masthead_ir::pipeline::Span;
use masthead_ir::time::{Micros, TimeRange, TimeSpec, TimeStep, TimeUnit};

use super::wording::{counted, quote};

/// A length of time in its largest whole unit.
pub(crate) fn duration(micros: Micros) -> String {
    let micros = micros.unsigned_abs();
    let units = [("day", 86_400_000_000), ("hour", 3_600_000_000), ("minute", 60_000_000), ("second", 1_000_000)];
    match units.iter().find(|(_, length)| micros >= *length && micros.is_multiple_of(*length)) {
        Some((unit, length)) => counted(micros / length, unit),
        None if micros.is_multiple_of(1000) => counted(micros / 1000, "millisecond"),
        None => counted(micros, "microsecond"),
    }
}

/// The width of a bucket.
pub(crate) fn span(span: Span) -> String {
    match span {
        Span::Number(width) => format!("steps of {width}"),
        Span::Seconds(seconds) => duration((seconds * 1e6) as Micros),
        Span::Months(months) => counted(u64::from(months), "month"),
        Span::Auto(buckets) => format!("at most {}", counted(u64::from(buckets), "bucket")),
    }
}

/// A range of time.
pub(crate) fn range(range: &TimeRange) -> String {
    let from = range.earliest.as_ref().map(moment);
    let to = range.latest.as_ref().map(moment).unwrap_or_else(|| "now".to_owned());
    match from {
        Some(from) => format!("from {from} to {to}"),
        None => format!("all events up to {to}"),
    }
}

/// A moment, as seen from the run.
pub(crate) fn moment(spec: &TimeSpec) -> String {
    match spec {
        TimeSpec::At(0) => "the first event".to_owned(),
        TimeSpec::At(micros) => format!("{} seconds since 1970", *micros as f64 / 1e6),
        TimeSpec::Relative(steps) if steps.is_empty() => "now".to_owned(),
        TimeSpec::Relative(steps) => {
            let mut words: Vec<String> = Vec::new();
            for step in steps {
                let start =
                    |unit: &str, first: bool| format!("{}(the start of that {unit})", if first { "now " } else { "" });
                words.push(match step {
                    TimeStep::Add(0, _) => continue,
                    TimeStep::Add(count, unit) if *count < 0 => format!("{} before", length(*count, *unit)),
                    TimeStep::Add(count, unit) => format!("{} later", length(*count, *unit)),
                    TimeStep::Snap(unit) => start(unit_name(*unit), words.is_empty()),
                    TimeStep::SnapWeekday(day) => start(weekday(*day), words.is_empty()),
                });
            }
            if words.is_empty() { "now".to_owned() } else { words.join(" ") }
        }
    }
}

/// So many units, in the largest unit up to a day that they fill.
fn length(count: i64, unit: TimeUnit) -> String {
    let micros = match unit {
        TimeUnit::Second => 1_000_000,
        TimeUnit::Minute => 60_000_000,
        TimeUnit::Hour => 3_600_000_000,
        _ => return counted(count.unsigned_abs(), unit_name(unit)),
    };
    duration(count.saturating_mul(micros))
}

fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "second",
        TimeUnit::Minute => "minute",
        TimeUnit::Hour => "hour",
        TimeUnit::Day => "day",
        TimeUnit::Week => "week",
        TimeUnit::Month => "month",
        TimeUnit::Quarter => "quarter",
        TimeUnit::Year => "year",
    }
}

fn weekday(day: u8) -> &'static str {
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
        .get(usize::from(day))
        .copied()
        .unwrap_or("Sunday")
}

/// When a cron expression runs: in words for the common shapes, else as it is written.
pub(crate) fn cron(expression: &str) -> String {
    let parts: Vec<&str> = expression.split_whitespace().collect();
    let number = |text: &str| text.parse::<u32>().ok();
    match parts.as_slice() {
        ["*", "*", "*", "*", "*"] => "every minute".to_owned(),
        [minute, "*", "*", "*", "*"] => match (minute.strip_prefix("*/").and_then(number), number(minute)) {
            (Some(step), _) => format!("every {}", counted(u64::from(step), "minute")),
            (_, Some(0)) => "every hour, on the hour".to_owned(),
            (_, Some(minute)) => format!("every hour, {} past", counted(u64::from(minute), "minute")),
            _ => verbatim(expression),
        },
        [minute, hour, "*", "*", "*"] => match (number(minute), number(hour), hour.strip_prefix("*/").and_then(number))
        {
            (Some(minute), Some(hour), _) => format!("every day at {hour:02}:{minute:02} UTC"),
            (Some(minute), _, Some(step)) => {
                format!("every {}, at minute {minute}", counted(u64::from(step), "hour"))
            }
            _ => verbatim(expression),
        },
        [minute, hour, "*", "*", day] => match (number(minute), number(hour), day.parse::<u8>()) {
            (Some(minute), Some(hour), Ok(day @ 0..=7)) => {
                format!("every {} at {hour:02}:{minute:02} UTC", weekday(day))
            }
            _ => verbatim(expression),
        },
        _ => verbatim(expression),
    }
}

fn verbatim(expression: &str) -> String {
    format!("at the times of the cron expression {} (UTC)", quote(expression))
}

#[cfg(test)]
mod tests {
    use masthead_ir::time::parse_spec;

    use super::*;

    #[test]
    fn timetables_in_words() {
        for (expression, words) in [
            ("* * * * *", "every minute"),
            ("*/5 * * * *", "every 5 minutes"),
            ("0 * * * *", "every hour, on the hour"),
            ("10 * * * *", "every hour, 10 minutes past"),
            ("30 6 * * *", "every day at 06:30 UTC"),
            ("0 2 * * 0", "every Sunday at 02:00 UTC"),
            ("0 */4 * * *", "every 4 hours, at minute 0"),
            ("1,2 * 3 * *", "at the times of the cron expression `1,2 * 3 * *` (UTC)"),
        ] {
            assert_eq!(cron(expression), words);
        }
    }

    #[test]
    fn moments_in_words() {
        for (spec, words) in [
            ("now", "now"),
            ("0", "the first event"),
            ("-600s", "10 minutes before"),
            ("-70m@m", "70 minutes before (the start of that minute)"),
            ("@d", "now (the start of that day)"),
            ("-1mon", "1 month before"),
        ] {
            assert_eq!(moment(&parse_spec(spec).unwrap()), words);
        }
    }

    #[test]
    fn lengths_are_said_in_their_largest_unit() {
        for (micros, words) in [
            (86_400_000_000, "1 day"),
            (5_400_000_000, "90 minutes"),
            (1_500_000, "1500 milliseconds"),
            (7, "7 microseconds"),
            (0, "0 milliseconds"),
        ] {
            assert_eq!(duration(micros), words);
        }
    }
}
