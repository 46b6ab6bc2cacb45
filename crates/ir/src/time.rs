//! Time ranges and relative time modifiers.

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
