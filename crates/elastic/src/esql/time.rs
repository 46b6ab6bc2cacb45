//! Lengths of time, and moments written as text.

use masthead_ir::Value;
use masthead_ir::eval::{Context, Row, evaluate};
use masthead_ir::expr::{ArithOp, Expr, FieldPath, Func};

use super::ast::Duration;
use super::pieces::{arith, call, number, text};

impl Duration {
    /// So many of a unit; none if there is no such unit.
    pub(super) fn of(count: i64, unit: &str) -> Option<Duration> {
        let unit = unit.to_ascii_lowercase();
        let seconds = |each: f64| Some(Duration::Seconds(count as f64 * each));
        let months = |each: i64| count.checked_mul(each).map(Duration::Months);
        match unit.as_str() {
            "millisecond" | "milliseconds" | "ms" => seconds(0.001),
            "second" | "seconds" | "sec" | "s" => seconds(1.0),
            "minute" | "minutes" | "min" | "m" => seconds(60.0),
            "hour" | "hours" | "h" => seconds(3_600.0),
            "day" | "days" | "d" => seconds(86_400.0),
            "week" | "weeks" | "w" => seconds(604_800.0),
            "month" | "months" | "mo" => months(1),
            "quarter" | "quarters" | "q" => months(3),
            "year" | "years" | "yr" | "y" => months(12),
            _ => None,
        }
    }

    /// A length from text such as `5 minutes`.
    pub(super) fn parse(text: &str) -> Option<Duration> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let (count, unit) = text.split_at_checked(digits)?;
        Duration::of(count.parse().ok()?, unit.trim())
    }

    pub(super) fn negated(self) -> Duration {
        match self {
            Duration::Seconds(seconds) => Duration::Seconds(-seconds),
            Duration::Months(months) => Duration::Months(months.wrapping_neg()),
        }
    }
}

/// How times are written out.
pub(super) const FORMAT: &str = "%Y-%m-%dT%H:%M:%S.%3NZ";

struct NoRow;

impl Row for NoRow {
    fn get(&self, _field: &FieldPath) -> Value {
        Value::Absent
    }
}

/// The value of an expression that reads no row.
pub(super) fn constant(expr: &Expr) -> Option<Value> {
    let mut fixed = true;
    expr.visit(|part| {
        let moving = matches!(part, Expr::Call { func: Func::Now | Func::Time, .. });
        fixed &= !moving && !matches!(part, Expr::Field(_) | Expr::Test { .. } | Expr::Differs { .. });
    });
    fixed.then(|| evaluate(expr, &NoRow, &Context::default()))
}

/// Seconds since 1970 of a moment in ISO 8601, in UTC.
pub(super) fn moment(written: &str) -> Option<Value> {
    let formats = ["%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"];
    let read = |format: &&str| constant(&call(Func::StrpTime, [text(written), text(format)]));
    formats.iter().find_map(|format| read(format).filter(|value| !value.is_absent()))
}

/// The start of the period in which a moment lies; none if there are no such periods.
pub(super) fn truncated(moment: Expr, period: Duration) -> Option<Expr> {
    let snap = |spec: &str| Some(call(Func::RelativeTime, [moment.clone(), text(spec)]));
    match period {
        Duration::Seconds(604_800.0) => snap("@w1"),
        Duration::Seconds(seconds) if seconds > 0.0 => {
            let width = number(seconds);
            let whole = call(Func::Floor, [arith(ArithOp::Div, moment, width.clone())]);
            Some(arith(ArithOp::Mul, whole, width))
        }
        Duration::Months(1) => snap("@mon"),
        Duration::Months(3) => snap("@q"),
        Duration::Months(12) => snap("@y"),
        _ => None,
    }
}

/// A moment moved by a length of time.
pub(super) fn moved(moment: Expr, by: Duration) -> Expr {
    match by {
        Duration::Seconds(seconds) if seconds < 0.0 => arith(ArithOp::Sub, moment, number(-seconds)),
        Duration::Seconds(seconds) => arith(ArithOp::Add, moment, number(seconds)),
        Duration::Months(months) => call(Func::RelativeTime, [moment, text(format!("{months:+}mon"))]),
    }
}

/// The number of whole units from one moment to another.
pub(super) fn difference(unit: &str, start: Expr, end: Expr) -> Option<Expr> {
    let Duration::Seconds(each) = Duration::of(1, unit)? else { return None };
    let (each, whole) = (number(each), arith(ArithOp::Sub, end, start));
    let rest = arith(ArithOp::Rem, whole.clone(), each.clone());
    Some(arith(ArithOp::Div, arith(ArithOp::Sub, whole, rest), each))
}

/// A part of a moment, by the name of the field of Java's calendar.
pub(super) fn part(name: &str, moment: Expr) -> Option<Expr> {
    let format = match name.to_ascii_lowercase().as_str() {
        "year" => "%Y",
        "month_of_year" => "%m",
        "day_of_month" => "%d",
        "day_of_year" => "%j",
        "day_of_week" => "%u",
        "hour_of_day" => "%H",
        "minute_of_hour" => "%M",
        "second_of_minute" => "%S",
        _ => return None,
    };
    Some(call(Func::ToNumber, [call(Func::StrfTime, [moment, text(format)])]))
}
