//! Functions of time. Times are seconds since 1970 with a fraction; the calendar is UTC.

use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::{Offset, TimeZone};

use super::call::Args;
use super::number::{Number, float};
use super::program::Prepared;
use crate::expr::Func;
use crate::time::{Micros, from_civil, parse_spec, to_civil};
use crate::value::Value;

pub(super) fn call(func: Func, args: Args<'_>) -> Option<Value> {
    match func {
        // The moment of the run, in whole seconds.
        Func::Now => Some(Value::Int(args.context.now.div_euclid(1_000_000))),
        // The same with its fraction: a clock that went on would make results depend on when rows are read.
        Func::Time => Some(seconds(args.context.now)),
        // `RelativeTime(time, modifier)`.
        Func::RelativeTime => {
            let moment = micros(args.number(0)?)?;
            Some(seconds(match args.prepared {
                Prepared::Time(spec) => spec.resolve(moment),
                _ => parse_spec(&args.text(1)?).ok()?.resolve(moment),
            }))
        }
        // `StrfTime(time, format)`.
        Func::StrfTime => {
            let moment = micros(args.number(0)?)?;
            format_time(moment, &args.text(1)?).map(|text| Value::Text(text.into()))
        }
        // `StrpTime(text, format)`.
        Func::StrpTime => parse_time(&args.text(0)?, &args.text(1)?, args.context.now).map(seconds),
        _ => None,
    }
}

/// Microseconds from seconds; none outside the range.
pub fn micros(seconds: Number) -> Option<Micros> {
    match seconds {
        Number::Int(int) => int.checked_mul(1_000_000),
        Number::Float(float) => {
            let micros = (float * 1e6).round();
            (micros.abs() < 9e18).then_some(micros as i64)
        }
    }
}

/// Seconds from microseconds.
pub fn seconds(micros: Micros) -> Value {
    if micros % 1_000_000 == 0 { Value::Int(micros / 1_000_000) } else { float(micros as f64 / 1e6) }
}

/// A moment as text after a strftime format, in UTC. Beside the usual conversions: `%N`, `%3N`, `%Q`, `%6Q`, `%f` for
/// digits of the fraction (`%Q` three, `%N` nine, `%f` six unless told), `%+` and `%Ez` as in `date`, `%v` as
/// `%e-%b-%Y`. An unknown conversion stays as written. None outside the calendar.
pub fn format_time(moment: Micros, format: &str) -> Option<String> {
    let zoned = Offset::UTC.to_timestamp(to_civil(moment)?).ok()?.to_zoned(TimeZone::UTC);
    let time = BrokenDownTime::from(&zoned);
    let fraction = format!("{:06}", moment.rem_euclid(1_000_000));
    let mut out = String::new();
    for piece in pieces(format) {
        let Piece::Conversion { text, verb } = piece else {
            out.push_str(piece.text());
            continue;
        };
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        match verb {
            '%' => out.push('%'),
            'N' | 'Q' | 'f' => {
                let usual = match verb {
                    'Q' => 3,
                    'N' => 9,
                    _ => 6,
                };
                let places = digits.parse().unwrap_or(usual).min(9);
                out.push_str(format!("{fraction:0<9}").get(..places).unwrap_or(""));
            }
            _ => match time.to_string(usual_spelling(text, verb)) {
                Ok(part) => out.push_str(&part),
                Err(_) => out.push_str(text),
            },
        }
    }
    Some(out)
}

/// What the formatter knows a conversion as. Those that depend on a locale follow POSIX.
fn usual_spelling(text: &str, verb: char) -> &str {
    match verb {
        'c' => "%a %b %e %H:%M:%S %Y",
        'x' => "%m/%d/%y",
        'X' => "%H:%M:%S",
        'r' => "%I:%M:%S %p",
        'v' => "%e-%b-%Y",
        '+' => "%a %b %e %H:%M:%S %Z %Y",
        'z' if text == "%Ez" => "%:z",
        _ => text,
    }
}

enum Piece<'f> {
    Literal(&'f str),
    Conversion { text: &'f str, verb: char },
}

impl<'f> Piece<'f> {
    fn text(&self) -> &'f str {
        match self {
            Piece::Literal(text) | Piece::Conversion { text, .. } => text,
        }
    }
}

/// Cuts a format into conversions and what stands between them.
fn pieces(format: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        let (literal, from) = rest.split_at(at);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        let verb = from
            .char_indices()
            .skip(1)
            .find(|(_, c)| !matches!(c, '0'..='9' | '-' | '_' | '^' | '#' | ':' | '.' | 'E' | 'O'));
        let Some((place, verb)) = verb else {
            pieces.push(Piece::Literal(from));
            return pieces;
        };
        let (text, after) = from.split_at(place + verb.len_utf8());
        pieces.push(Piece::Conversion { text, verb });
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest));
    }
    pieces
}

/// The moment that a text spells after a strptime format. Without a zone in it the text is UTC; without a date it is the
/// day of `now`; without a time of day, midnight. What follows the part that the format describes is left aside. None if
/// the text does not fit.
pub fn parse_time(text: &str, format: &str, now: Micros) -> Option<Micros> {
    let time = parse_parts(text.trim_start(), format)?;
    if let Some(timestamp) = time.timestamp() {
        let fraction = i64::from(time.subsec_nanosecond().unwrap_or(0)) / 1_000;
        return timestamp.as_second().checked_mul(1_000_000)?.checked_add(fraction);
    }
    let date = match time.to_date() {
        Ok(date) => date,
        // A format that names part of a date must name enough of it.
        Err(_) if time.year().is_some() || time.month().is_some() || time.day().is_some() => return None,
        Err(_) => to_civil(now)?.date(),
    };
    let clock = if time.hour().is_some() { time.to_time().ok()? } else { jiff::civil::Time::midnight() };
    let civil = date.to_datetime(clock);
    match time.offset() {
        Some(offset) => Some(offset.to_timestamp(civil).ok()?.as_microsecond()),
        None => from_civil(civil),
    }
}

/// Reads a text piece by piece, because conversions that the parser lacks have to be replaced.
fn parse_parts(text: &str, format: &str) -> Option<BrokenDownTime> {
    let mut usual = String::new();
    let mut zone_name = false;
    for piece in pieces(format) {
        let Piece::Conversion { text, verb } = piece else {
            usual.push_str(piece.text());
            continue;
        };
        match verb {
            'N' | 'Q' | 'f' => usual.push_str("%f"),
            'Z' => zone_name = true,
            _ => usual.push_str(usual_spelling(text, verb)),
        }
    }
    let (time, consumed) = strtime::BrokenDownTime::parse_prefix(usual.trim_end(), text).ok()?;
    if zone_name {
        // Only names of UTC are known; others would shift the result silently.
        let rest = text.get(consumed..)?.trim();
        let name: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
        if !matches!(name.as_str(), "UTC" | "GMT" | "Z") {
            return None;
        }
    }
    Some(time)
}
