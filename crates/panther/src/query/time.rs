//! Times: functions of them, and conditions that say which window a query looks at.

use masthead_ir::expr::{ArithOp, Expr, Func};
use masthead_ir::time::{Micros, TimeRange, TimeSpec, TimeStep, TimeUnit};
use masthead_ir::value::Value;
use sqlparser::ast::{BinaryOperator, Expr as Sql, Function, Interval};

use super::Result;
use super::function::{arguments, name_of};
use super::pattern::Literal;
use super::value::{Translator, arith, bare, literal};

/// Seconds of units whose length does not vary.
const SECONDS: &[(&str, i64)] = &[("second", 1), ("minute", 60), ("hour", 3_600), ("day", 86_400), ("week", 604_800)];

/// Units by the names that are used for them.
fn unit(word: &str) -> Option<(&'static str, TimeUnit)> {
    Some(match word.to_ascii_lowercase().as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => ("second", TimeUnit::Second),
        "m" | "mi" | "min" | "mins" | "minute" | "minutes" => ("minute", TimeUnit::Minute),
        "h" | "hh" | "hr" | "hrs" | "hour" | "hours" => ("hour", TimeUnit::Hour),
        "d" | "dd" | "day" | "days" => ("day", TimeUnit::Day),
        "w" | "wk" | "week" | "weeks" => ("week", TimeUnit::Week),
        "mon" | "month" | "months" | "mm" => ("month", TimeUnit::Month),
        "y" | "yr" | "year" | "years" | "yyyy" => ("year", TimeUnit::Year),
        _ => return None,
    })
}

/// A span of time as `30 minutes`, `1d`, or seconds.
fn span(text: &str) -> Option<(i64, TimeUnit)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, word) = text.split_at(end);
    let count = digits.parse().ok()?;
    let word = word.trim();
    if word.is_empty() { Some((count, TimeUnit::Second)) } else { Some((count, unit(word)?.1)) }
}

/// A moment as ISO 8601, in UTC where it names no zone.
fn moment(text: &str) -> Option<Micros> {
    let text = text.trim();
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.replacen(' ', "T", 1) };
    let zoned = whole.parse::<jiff::Timestamp>().or_else(|_| format!("{whole}Z").parse());
    zoned.ok().map(jiff::Timestamp::as_microsecond)
}

fn ago(count: i64, unit: TimeUnit) -> TimeSpec {
    TimeSpec::Relative(vec![TimeStep::Add(-count, unit)])
}

/// What two conditions say together.
pub(super) fn within(one: TimeRange, other: TimeRange) -> TimeRange {
    TimeRange { earliest: other.earliest.or(one.earliest), latest: other.latest.or(one.latest) }
}

/// The start of the unit that a time lies in; none if there is no such unit.
pub(super) fn truncated(word: &str, time: Expr) -> Option<Expr> {
    let snap = match unit(word)?.0 {
        "second" => "@s",
        "minute" => "@m",
        "hour" => "@h",
        "day" => "@d",
        "week" => "@w1",
        "month" => "@mon",
        _ => "@y",
    };
    Some(Expr::Call { func: Func::RelativeTime, args: vec![time, Expr::Literal(Value::text(snap))] })
}

fn seconds(word: &str) -> Option<i64> {
    let name = unit(word)?.0;
    SECONDS.iter().find(|(known, _)| *known == name).map(|(_, seconds)| *seconds)
}

impl<'q> Translator<'q> {
    /// What a condition says of the window; none if it is none of time.
    pub(super) fn window(&mut self, sql: &'q Sql) -> Result<Option<TimeRange>> {
        match sql {
            Sql::Nested(inner) => self.window(inner),
            Sql::Function(function) => self.occurs(sql, function),
            Sql::BinaryOp { left, op, right } => self.compared(left, op, right),
            Sql::Between { expr, negated: false, low, high } if self.is_event_time(expr)? => {
                match (self.spec(low), self.spec(high)) {
                    (Some(low), Some(high)) => Ok(Some(TimeRange { earliest: Some(low), latest: Some(high) })),
                    _ => Ok(None),
                }
            }
            _ => Ok(None),
        }
    }

    /// The functions that say when events occurred.
    fn occurs(&mut self, sql: &'q Sql, function: &'q Function) -> Result<Option<TimeRange>> {
        let name = name_of(function);
        let Some(kind) = name.strip_prefix("P_OCCURS_") else { return Ok(None) };
        let texts: Vec<String> =
            arguments(function).iter().filter_map(|arg| literal(arg)).filter_map(|literal| literal.text()).collect();
        let at = |at: usize| texts.get(at).map(String::as_str).unwrap_or_default();
        let range = match kind {
            "SINCE" => span(at(0)).map(|(count, unit)| TimeRange { earliest: Some(ago(count, unit)), latest: None }),
            "BETWEEN" => match arguments(function).as_slice() {
                [from, to, ..] => self
                    .spec(from)
                    .zip(self.spec(to))
                    .map(|(from, to)| TimeRange { earliest: Some(from), latest: Some(to) }),
                _ => None,
            },
            "AFTER" => moment(at(0)).map(|from| TimeRange { earliest: Some(TimeSpec::At(from)), latest: None }),
            "BEFORE" => moment(at(0)).map(|to| TimeRange { earliest: None, latest: Some(TimeSpec::At(to)) }),
            "AROUND" => moment(at(0)).zip(span(at(1)).and_then(micros)).map(|(middle, half)| TimeRange {
                earliest: Some(TimeSpec::At(middle.saturating_sub(half))),
                latest: Some(TimeSpec::At(middle.saturating_add(half))),
            }),
            _ => None,
        };
        match range {
            Some(range) => Ok(Some(range)),
            None => self.unsupported(sql, "the arguments of this time condition cannot be read"),
        }
    }

    /// A comparison of the event's time with a moment.
    fn compared(&mut self, left: &'q Sql, op: &BinaryOperator, right: &'q Sql) -> Result<Option<TimeRange>> {
        let after = match op {
            BinaryOperator::Gt | BinaryOperator::GtEq => true,
            BinaryOperator::Lt | BinaryOperator::LtEq => false,
            _ => return Ok(None),
        };
        let (after, spec) = if self.is_event_time(left)? {
            (after, self.spec(right))
        } else if self.is_event_time(right)? {
            (!after, self.spec(left))
        } else {
            return Ok(None);
        };
        Ok(spec.map(|spec| match after {
            true => TimeRange { earliest: Some(spec), latest: None },
            false => TimeRange { earliest: None, latest: Some(spec) },
        }))
    }

    /// Whether an expression is the time of the event itself.
    fn is_event_time(&mut self, sql: &'q Sql) -> Result<bool> {
        let sql = bare(sql);
        if !matches!(sql, Sql::Identifier(_) | Sql::CompoundIdentifier(_)) || self.scope.table.is_none() {
            return Ok(false);
        }
        let place = self.place_of(sql)?;
        Ok(self.scope.field(&place).is_some_and(|field| field == masthead_ir::FieldPath::flat("_time")))
    }

    /// A moment, or one relative to now.
    fn spec(&self, sql: &'q Sql) -> Option<TimeSpec> {
        if let Some(Literal::Text(text)) = literal(sql) {
            return moment(&text).map(TimeSpec::At);
        }
        match bare(sql) {
            Sql::Function(function) => {
                let args = arguments(function);
                match (name_of(function).as_str(), args.as_slice()) {
                    ("CURRENT_TIMESTAMP" | "P_CURRENT_TIMESTAMP" | "SYSDATE" | "GETDATE", _) => {
                        Some(TimeSpec::Relative(Vec::new()))
                    }
                    ("CURRENT_DATE", _) => Some(TimeSpec::Relative(vec![TimeStep::Snap(TimeUnit::Day)])),
                    ("DATEADD" | "TIMEADD" | "TIMESTAMPADD", [word, count, base]) => {
                        let (_, unit) = unit(&word_of(word)?)?;
                        self.step(base, number(count)?, unit)
                    }
                    _ => None,
                }
            }
            Sql::BinaryOp { left, op, right } => {
                let (count, unit) = interval(right)?;
                match op {
                    BinaryOperator::Minus => self.step(left, -count, unit),
                    BinaryOperator::Plus => self.step(left, count, unit),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn step(&self, base: &'q Sql, count: i64, unit: TimeUnit) -> Option<TimeSpec> {
        match self.spec(base)? {
            TimeSpec::Relative(mut steps) => {
                steps.push(TimeStep::Add(count, unit));
                Some(TimeSpec::Relative(steps))
            }
            TimeSpec::At(at) => micros((count, unit)).map(|micros| TimeSpec::At(at.saturating_add(micros))),
        }
    }

    /// A time and an interval added or subtracted.
    pub(super) fn shifted(&mut self, left: &'q Sql, op: ArithOp, right: &'q Sql) -> Result<Option<Expr>> {
        let Some(micros) = interval(right).and_then(micros) else { return Ok(None) };
        let left = self.value(left)?;
        Ok(Some(arith(op, left, Expr::Literal(Value::Int(micros / 1_000_000)))))
    }

    /// Functions of times; none if the function is none.
    pub(super) fn time_function(&mut self, sql: &'q Sql, name: &str, args: &[&'q Sql]) -> Result<Option<Expr>> {
        let expr = match (name, args) {
            ("CURRENT_TIMESTAMP" | "P_CURRENT_TIMESTAMP" | "SYSDATE" | "GETDATE", _) => {
                Some(Expr::Call { func: Func::Now, args: Vec::new() })
            }
            ("DATE_TRUNC", [word, time]) => {
                let time = self.time(time)?;
                word_of(word).and_then(|word| truncated(&word, time))
            }
            ("TIME_SLICE", [time, count, word, rest @ ..]) => {
                let time = self.time(time)?;
                let start = rest.iter().all(|arg| {
                    literal(arg).and_then(|arg| arg.text()).is_some_and(|arg| arg.eq_ignore_ascii_case("start"))
                });
                let width = number(count).zip(word_of(word).and_then(|word| seconds(&word)));
                width.filter(|_| start).map(|(count, unit)| {
                    let width = Expr::Literal(Value::Int(count.max(1).saturating_mul(unit)));
                    let slices = arith(ArithOp::Div, time, width.clone());
                    arith(ArithOp::Mul, Expr::Call { func: Func::Floor, args: vec![slices] }, width)
                })
            }
            ("DATE" | "TO_DATE", [time]) => truncated("day", self.time(time)?),
            ("DATEDIFF" | "TIMEDIFF" | "TIMESTAMPDIFF", [word, from, to]) => {
                let (from, to) = (self.time(from)?, self.time(to)?);
                word_of(word).and_then(|word| seconds(&word)).map(|unit| {
                    let floor = |time| {
                        let units = arith(ArithOp::Div, time, Expr::Literal(Value::Int(unit)));
                        Expr::Call { func: Func::Floor, args: vec![units] }
                    };
                    arith(ArithOp::Sub, floor(to), floor(from))
                })
            }
            ("DATEADD" | "TIMEADD" | "TIMESTAMPADD", [word, count, time]) => {
                let (count, time) = (self.value(count)?, self.time(time)?);
                word_of(word).and_then(|word| seconds(&word)).map(|unit| {
                    let distance = arith(ArithOp::Mul, count, Expr::Literal(Value::Int(unit)));
                    arith(ArithOp::Add, time, distance)
                })
            }
            _ => return Ok(None),
        };
        match expr {
            Some(expr) => Ok(Some(expr)),
            None => self.unsupported(sql, "the unit of time cannot be used here"),
        }
    }

    /// A value that must be a time.
    fn time(&mut self, sql: &'q Sql) -> Result<Expr> {
        let value = self.value(sql)?;
        if self.scope.is_time(&value) || self.aggregates.as_ref().is_some_and(|all| all.is_time(&value)) {
            return Ok(value);
        }
        self.unsupported(sql, "only times of events are times here; this is text")
    }
}

fn interval(sql: &Sql) -> Option<(i64, TimeUnit)> {
    let Sql::Interval(Interval { value, leading_field, .. }) = bare(sql) else { return None };
    let text = literal(value)?.text()?;
    match leading_field {
        Some(field) => Some((text.trim().parse().ok()?, unit(&field.to_string())?.1)),
        None => span(&text),
    }
}

fn micros((count, unit): (i64, TimeUnit)) -> Option<Micros> {
    let seconds = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Minute => 60,
        TimeUnit::Hour => 3_600,
        TimeUnit::Day => 86_400,
        TimeUnit::Week => 604_800,
        TimeUnit::Month | TimeUnit::Quarter | TimeUnit::Year => return None,
    };
    count.checked_mul(seconds)?.checked_mul(1_000_000)
}

/// A unit as `'day'` or `day`.
fn word_of(sql: &Sql) -> Option<String> {
    match sql {
        Sql::Identifier(name) => Some(name.value.clone()),
        other => literal(other)?.text(),
    }
}

fn number(sql: &Sql) -> Option<i64> {
    match literal(sql)? {
        Literal::Number(text) => text.parse().ok(),
        _ => None,
    }
}
