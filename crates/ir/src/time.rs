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
