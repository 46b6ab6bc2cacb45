//! What reads as a number, and how numbers are written.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write as _;

use crate::value::Value;

/// Whole floats below this size are exact, and are given as whole numbers.
const EXACT_FLOAT: f64 = 9_007_199_254_740_992.0;

/// A number, whole where that is exact.
#[derive(Debug, Clone, Copy)]
pub enum Number {
    /// A whole number.
    Int(i64),
    /// Any other number; never NaN or infinite.
    Float(f64),
}

impl Number {
    /// The number that a value reads as: numbers, and text as [`Number::parse`] reads it. Truth values, lists and JSON
    /// read as none.
    pub fn of(value: &Value) -> Option<Number> {
        match value {
            Value::Int(int) => Some(Number::Int(*int)),
            Value::Float(float) => Number::from_f64(*float),
            Value::Text(text) => Number::parse(text),
            Value::Absent | Value::Bool(_) | Value::List(_) | Value::Json(_) => None,
        }
    }

    /// The number that a text spells in decimal: a sign, digits with at most one point among or beside them, an
    /// exponent. No blanks, no `inf`, `nan` or hexadecimal.
    pub fn parse(text: &str) -> Option<Number> {
        let bytes = text.as_bytes();
        // Nearly all field values fail here, before any parsing.
        if !matches!(bytes.first()?, b'0'..=b'9' | b'+' | b'-' | b'.') {
            return None;
        }
        if !bytes.iter().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
            return None;
        }
        match text.parse::<i64>() {
            Ok(int) => Some(Number::Int(int)),
            Err(_) => text.parse::<f64>().ok().and_then(Number::from_f64),
        }
    }

    /// A number from a float: whole if it is exactly, none if it is NaN or infinite.
    pub fn from_f64(float: f64) -> Option<Number> {
        if !float.is_finite() {
            None
        } else if float.fract() == 0.0 && float.abs() < EXACT_FLOAT {
            Some(Number::Int(float as i64))
        } else {
            Some(Number::Float(float))
        }
    }

    /// As a float; large whole numbers lose their last digits.
    pub fn as_f64(self) -> f64 {
        match self {
            Number::Int(int) => int as f64,
            Number::Float(float) => float,
        }
    }

    /// As a whole number, if it is one.
    pub fn as_i64(self) -> Option<i64> {
        match self {
            Number::Int(int) => Some(int),
            Number::Float(_) => None,
        }
    }

    /// Order by size; whole numbers exactly, others as floats.
    pub fn compare(self, other: Number) -> Ordering {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => a.cmp(&b),
            (a, b) => a.as_f64().total_cmp(&b.as_f64()),
        }
    }

    /// As a value.
    pub fn value(self) -> Value {
        match self {
            Number::Int(int) => Value::Int(int),
            Number::Float(float) => Value::Float(float),
        }
    }

    /// In plain decimal: no exponent, the shortest digits that read back as the same number, no `.0`.
    pub fn decimal(self) -> String {
        match self {
            Number::Int(int) => int.to_string(),
            Number::Float(float) => float.to_string(),
        }
    }
}

/// A float as a value: whole if it is exactly, null if it is NaN or infinite.
pub fn float(float: f64) -> Value {
    Number::from_f64(float).map_or(Value::Absent, Number::value)
}

/// The text that a value reads as where text is asked for: truth values as `true` and `false`, numbers in plain decimal,
/// JSON as it stands. None for `Absent` and for lists, which are several texts.
pub fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Absent | Value::List(_) => None,
        Value::Text(text) | Value::Json(text) => Some(Cow::Borrowed(text)),
        Value::Int(int) => Some(Cow::Owned(int.to_string())),
        Value::Float(float) => Some(Cow::Owned(match Number::from_f64(*float) {
            Some(number) => number.decimal(),
            None => float.to_string(),
        })),
        Value::Bool(true) => Some(Cow::Borrowed("true")),
        Value::Bool(false) => Some(Cow::Borrowed("false")),
    }
}

/// Rounds half away from zero at a decimal place. Works on the shortest decimal digits, so that 2.555 at two places
/// gives 2.56 although the float is a little less.
pub fn round(number: Number, places: i64) -> Value {
    let Number::Float(value) = number else {
        return round_whole(number, places);
    };
    if places < 0 {
        return round_whole(Number::Float(value.trunc()), places);
    }
    let places = usize::try_from(places).unwrap_or(usize::MAX);
    let digits = value.abs().to_string();
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    if fraction.len() <= places {
        return float(value);
    }
    let mut kept: Vec<u8> = whole.bytes().chain(fraction.bytes().take(places)).collect();
    if fraction.as_bytes().get(places).is_some_and(|&d| d >= b'5') {
        increment(&mut kept);
    }
    let point = kept.len().saturating_sub(places);
    kept.insert(point, b'.');
    let rounded = String::from_utf8(kept).ok().and_then(|t| t.parse::<f64>().ok()).unwrap_or(value.abs());
    float(rounded.copysign(value))
}

/// Rounds a number without a fraction at a place left of the point.
fn round_whole(number: Number, places: i64) -> Value {
    if places >= 0 {
        return number.value();
    }
    let unit = 10f64.powi(i32::try_from(-places).unwrap_or(i32::MAX));
    if unit.is_infinite() { Value::Int(0) } else { float((number.as_f64() / unit).round() * unit) }
}

/// Adds one to decimal digits.
fn increment(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
    digits.insert(0, b'1');
}

/// The decimal digits of a number with a comma before every third digit left of the point, at most two places right of
/// it.
pub fn with_commas(number: Number) -> String {
    let rounded = Number::of(&round(number, 2)).unwrap_or(number);
    let plain = match rounded {
        Number::Int(int) => int.to_string(),
        Number::Float(value) => format!("{value:.2}"),
    };
    let (sign, digits) = plain.strip_prefix('-').map_or(("", plain.as_str()), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
    let mut out = String::from(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        let _ = write!(out, ".{fraction}");
    }
    out
}
