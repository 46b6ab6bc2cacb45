//! Time ranges and relative time modifiers.

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

/// Microseconds since 1970-01-01T00:00:00Z.
pub type Micros = i64;

/// A time that is a moment or relative to one, as rules write it (`-70m@m`, `now`, `0`, epoch seconds).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum TimeSpec {
    /// A moment.
    At(Micros),
    /// Steps from the moment the search runs, applied from left to right.
    Relative(Vec<TimeStep>),
}

/// One step of a relative time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum TimeStep {
    /// Add (or subtract) so many units.
    Add(i64, TimeUnit),
    /// Go back to the start of the unit.
    Snap(TimeUnit),
    /// Go back to the start of the week that begins on this day (0: Sunday).
    SnapWeekday(u8),
}

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum TimeUnit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

/// A half-open range: from `earliest` up to, not including, `latest`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimeRange {
    /// Its start; none: from the first event.
    pub earliest: Option<TimeSpec>,
    /// Its end; none: now.
    pub latest: Option<TimeSpec>,
}

/// Why a text is no relative time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no time: {reason}")]
pub struct TimeError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Reads a time as rules write it: `now`, seconds since 1970 (also with a fraction; `0` is 1970), or steps such as
/// `-70m@m`, `@d`, `@w0`, `+1mon@mon+2d` (Splunk, "Time modifiers"). A step without a number is one unit, one without a
/// unit counts seconds.
///
/// # Errors
/// If it is none of these.
pub fn parse_spec(text: &str) -> Result<TimeSpec, TimeError> {
    let error = |reason| TimeError { text: text.to_owned(), reason };
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(error("it is empty"));
    }
    if trimmed.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return parse_epoch(trimmed).map(TimeSpec::At).ok_or_else(|| error("the number is out of range"));
    }
    let lower = trimmed.to_ascii_lowercase();
    let mut rest = lower.strip_prefix("now").unwrap_or(&lower);
    if let Some(after) = rest.strip_prefix("()") {
        rest = after;
    }
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, after) = parse_step(rest).map_err(error)?;
        steps.push(step);
        rest = after;
    }
    Ok(TimeSpec::Relative(steps))
}

/// Seconds with at most one point, as microseconds.
fn parse_epoch(text: &str) -> Option<Micros> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = if seconds.is_empty() { 0 } else { seconds.parse().ok()? };
    let digits = format!("{:0<6}", fraction.get(..6).unwrap_or(fraction));
    seconds.checked_mul(1_000_000)?.checked_add(digits.parse().ok()?)
}

fn parse_step(text: &str) -> Result<(TimeStep, &str), &'static str> {
    if let Some(after) = text.strip_prefix('@') {
        let (word, rest) = split_where(after, |c| c.is_ascii_alphabetic());
        if word == "w" {
            let (digits, after) = split_where(rest, |c| c.is_ascii_digit());
            return match digits {
                // Weeks begin on Sunday unless a day is named.
                "" => Ok((TimeStep::SnapWeekday(0), after)),
                // 7 is Sunday too.
                day => match day.parse::<u8>() {
                    Ok(day @ 0..=7) => Ok((TimeStep::SnapWeekday(day % 7), after)),
                    _ => Err("a weekday is a number from 0 to 7"),
                },
            };
        }
        return unit(word).map(|unit| (TimeStep::Snap(unit), rest)).ok_or("there is no such unit after `@`");
    }
    let (sign, after) = match text.strip_prefix('-') {
        Some(after) => (-1, after),
        None => (1, text.strip_prefix('+').ok_or("a step begins with `+`, `-` or `@`")?),
    };
    let (digits, rest) = split_where(after, |c| c.is_ascii_digit());
    let (word, rest) = split_where(rest, |c| c.is_ascii_alphabetic());
    if digits.is_empty() && word.is_empty() {
        return Err("a sign needs a number or a unit");
    }
    let count: i64 = if digits.is_empty() { 1 } else { digits.parse().map_err(|_| "the number is too large")? };
    let unit = if word.is_empty() { TimeUnit::Second } else { unit(word).ok_or("there is no such unit")? };
    Ok((TimeStep::Add(sign * count, unit), rest))
}

fn split_where(text: &str, keep: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !keep(c)).unwrap_or(text.len()))
}

/// The unit of this name, in lower case.
fn unit(word: &str) -> Option<TimeUnit> {
    Some(match word {
        "s" | "sec" | "secs" | "second" | "seconds" => TimeUnit::Second,
        "m" | "min" | "mins" | "minute" | "minutes" => TimeUnit::Minute,
        "h" | "hr" | "hrs" | "hour" | "hours" => TimeUnit::Hour,
        "d" | "day" | "days" => TimeUnit::Day,
        "w" | "week" | "weeks" => TimeUnit::Week,
        "mon" | "month" | "months" => TimeUnit::Month,
        "q" | "qtr" | "qtrs" | "quarter" | "quarters" => TimeUnit::Quarter,
        "y" | "yr" | "yrs" | "year" | "years" => TimeUnit::Year,
        _ => return None,
    })
}

/// The length of a span such as `30s` or `1h` in seconds; months and longer have none.
pub fn span_seconds(text: &str) -> Option<i64> {
    let (digits, word) = split_where(text, |c| c.is_ascii_digit());
    let count: i64 = if digits.is_empty() { 1 } else { digits.parse().ok()? };
    let seconds = match unit(&word.to_ascii_lowercase())? {
        TimeUnit::Second => 1,
        TimeUnit::Minute => 60,
        TimeUnit::Hour => 3_600,
        TimeUnit::Day => 86_400,
        TimeUnit::Week => 604_800,
        TimeUnit::Month | TimeUnit::Quarter | TimeUnit::Year => return None,
    };
    count.checked_mul(seconds)
}

impl TimeSpec {
    /// The moment, given the moment that relative ones start from. Calendar arithmetic is in UTC; a day that a month
    /// does not have becomes its last one. A step that leaves the calendar (years -9999 to 9999) is not taken.
    pub fn resolve(&self, now: Micros) -> Micros {
        match self {
            TimeSpec::At(moment) => *moment,
            TimeSpec::Relative(steps) => steps.iter().fold(now, |moment, step| step.apply(moment).unwrap_or(moment)),
        }
    }
}

impl TimeStep {
    /// The moment after this step; none if it leaves the calendar.
    pub fn apply(self, moment: Micros) -> Option<Micros> {
        let time = to_civil(moment)?;
        let after = match self {
            TimeStep::Add(count, unit) => time.checked_add(unit.span(count)?).ok()?,
            TimeStep::Snap(unit) => unit.start(time)?,
            TimeStep::SnapWeekday(day) => {
                let back = (time.weekday().to_sunday_zero_offset() + 7 - i8::try_from(day % 7).ok()?) % 7;
                midnight(time).checked_sub(jiff::Span::new().try_days(back).ok()?).ok()?
            }
        };
        from_civil(after)
    }
}

impl TimeUnit {
    fn span(self, count: i64) -> Option<jiff::Span> {
        let span = jiff::Span::new();
        match self {
            TimeUnit::Second => span.try_seconds(count),
            TimeUnit::Minute => span.try_minutes(count),
            TimeUnit::Hour => span.try_hours(count),
            TimeUnit::Day => span.try_days(count),
            TimeUnit::Week => span.try_weeks(count),
            TimeUnit::Month => span.try_months(count),
            TimeUnit::Quarter => span.try_months(count.checked_mul(3)?),
            TimeUnit::Year => span.try_years(count),
        }
        .ok()
    }

    /// The start of the unit that a time is in; weeks begin on Sunday.
    fn start(self, time: DateTime) -> Option<DateTime> {
        let whole = |hour, minute, second| {
            time.with().hour(hour).minute(minute).second(second).subsec_nanosecond(0).build().ok()
        };
        match self {
            TimeUnit::Second => whole(time.hour(), time.minute(), time.second()),
            TimeUnit::Minute => whole(time.hour(), time.minute(), 0),
            TimeUnit::Hour => whole(time.hour(), 0, 0),
            TimeUnit::Day => Some(midnight(time)),
            TimeUnit::Week => {
                let back = time.weekday().to_sunday_zero_offset();
                midnight(time).checked_sub(jiff::Span::new().try_days(back).ok()?).ok()
            }
            TimeUnit::Month => midnight(time).with().day(1).build().ok(),
            TimeUnit::Quarter => midnight(time).with().day(1).month((time.month() - 1) / 3 * 3 + 1).build().ok(),
            TimeUnit::Year => midnight(time).with().day(1).month(1).build().ok(),
        }
    }
}

fn midnight(time: DateTime) -> DateTime {
    time.date().at(0, 0, 0, 0)
}

/// The UTC date and time of a moment; none outside the calendar.
pub(crate) fn to_civil(moment: Micros) -> Option<DateTime> {
    Some(jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::from_microsecond(moment).ok()?))
}

/// The moment of a UTC date and time.
pub(crate) fn from_civil(time: DateTime) -> Option<Micros> {
    Some(jiff::tz::Offset::UTC.to_timestamp(time).ok()?.as_microsecond())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2024-11-14T12:34:56.789Z, a Thursday.
    const NOW: Micros = 1_731_587_696_789_000;

    fn at(text: &str) -> Micros {
        text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
    }

    #[test]
    fn times_resolve_in_utc() {
        for (spec, expect) in [
            ("now", "2024-11-14T12:34:56.789Z"),
            ("now()", "2024-11-14T12:34:56.789Z"),
            ("0", "1970-01-01T00:00:00Z"),
            ("1731587696", "2024-11-14T12:34:56Z"),
            ("1731587696.5", "2024-11-14T12:34:56.5Z"),
            ("-70m@m", "2024-11-14T11:24:00Z"),
            ("-10m@m", "2024-11-14T12:24:00Z"),
            ("-1450m@m", "2024-11-13T12:24:00Z"),
            ("-30d@d", "2024-10-15T00:00:00Z"),
            ("-24h", "2024-11-13T12:34:56.789Z"),
            ("-5", "2024-11-14T12:34:51.789Z"),
            ("+d", "2024-11-15T12:34:56.789Z"),
            ("@s", "2024-11-14T12:34:56Z"),
            ("@h", "2024-11-14T12:00:00Z"),
            ("@d", "2024-11-14T00:00:00Z"),
            ("@w", "2024-11-10T00:00:00Z"),
            ("@w0", "2024-11-10T00:00:00Z"),
            ("@w7", "2024-11-10T00:00:00Z"),
            ("@w4", "2024-11-14T00:00:00Z"),
            ("@w5", "2024-11-08T00:00:00Z"),
            ("@mon", "2024-11-01T00:00:00Z"),
            ("@q", "2024-10-01T00:00:00Z"),
            ("@y", "2024-01-01T00:00:00Z"),
            ("-1mon@mon", "2024-10-01T00:00:00Z"),
            ("-9mon@d", "2024-02-14T00:00:00Z"),
            ("-1q@q", "2024-07-01T00:00:00Z"),
            ("-1y@d+12h", "2023-11-14T12:00:00Z"),
            ("@d-1w", "2024-11-07T00:00:00Z"),
            ("now-2HOURS", "2024-11-14T10:34:56.789Z"),
            ("now@h", "2024-11-14T12:00:00Z"),
        ] {
            assert_eq!(parse_spec(spec).unwrap().resolve(NOW), at(expect), "{spec}");
        }
        // A month is shorter than the day of the one it is counted from.
        assert_eq!(parse_spec("-1mon").unwrap().resolve(at("2024-03-31T01:00:00Z")), at("2024-02-29T01:00:00Z"));
        // What leaves the calendar is not taken.
        assert_eq!(parse_spec("+99999y").unwrap().resolve(NOW), NOW);
        assert_eq!(parse_spec("@d").unwrap().resolve(Micros::MAX), Micros::MAX);
    }

    #[test]
    fn faults_are_named() {
        for (spec, expect) in [
            ("", "empty"),
            ("yesterday", "a step begins with"),
            ("-5x", "no such unit"),
            ("@", "no such unit after `@`"),
            ("@w8", "from 0 to 7"),
            ("-", "needs a number or a unit"),
            ("-99999999999999999999s", "too large"),
            ("99999999999999999999", "out of range"),
            ("1.2.3", "out of range"),
            ("-1d@d ä", "a step begins with"),
        ] {
            let error = parse_spec(spec).unwrap_err();
            assert!(error.to_string().contains(expect), "{spec}: {error}");
        }
    }

    #[test]
    fn spans_have_seconds() {
        for (span, expect) in
            [("30s", Some(30)), ("m", Some(60)), ("2H", Some(7_200)), ("1d", Some(86_400)), ("1mon", None), ("5", None)]
        {
            assert_eq!(span_seconds(span), expect, "{span}");
        }
    }

    fn unit() -> impl Strategy<Value = TimeUnit> {
        use TimeUnit as U;
        prop_oneof![
            Just(U::Second),
            Just(U::Minute),
            Just(U::Hour),
            Just(U::Day),
            Just(U::Week),
            Just(U::Month),
            Just(U::Quarter),
            Just(U::Year)
        ]
    }

    proptest! {
        #[test]
        fn snapping_goes_back_once(
            seconds in -10_000_000_000i64..10_000_000_000,
            micros in 0i64..1_000_000,
            step in prop_oneof![unit().prop_map(TimeStep::Snap), (0u8..7).prop_map(TimeStep::SnapWeekday)],
        ) {
            let moment = seconds * 1_000_000 + micros;
            let snapped = step.apply(moment).unwrap();
            prop_assert!(snapped <= moment);
            prop_assert_eq!(step.apply(snapped), Some(snapped));
            // Nothing between the start and the moment starts the unit anew.
            prop_assert_eq!(step.apply(snapped + (moment - snapped) / 2), Some(snapped));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-+@0-9a-z.ä ]{0,12}") {
            if let Ok(spec) = parse_spec(&text) {
                spec.resolve(NOW);
            }
        }
    }
}
