//! Times as logs write them, as microseconds since 1970-01-01 UTC.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const MICROS: i64 = 1_000_000;

/// Reads a time: RFC 3339 with or without a fraction, the same with a space between date and time, both without a zone
/// (then UTC), or a number of seconds (with or without a fraction), milliseconds, microseconds or nanoseconds since 1970,
/// told apart by its whole digits (up to 11, 14, 17, 20). What is finer than a microsecond is dropped.
pub fn parse(text: &str) -> Option<i64> {
    let text = text.trim_ascii();
    fixed(text.as_bytes()).or_else(|| epoch(text)).or_else(|| with_jiff(text))
}

/// The shape that API servers write: `2022-11-29T00:09:04.380000Z`.
fn fixed(bytes: &[u8]) -> Option<i64> {
    let (head, tail) = bytes.split_first_chunk::<19>()?;
    let shape = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if shape.iter().any(|(at, byte)| head[*at] != *byte) || !matches!(head[10], b'T' | b' ') {
        return None;
    }
    let number = |from: usize, length: usize| digits(&head[from..from + length]);
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    if !(1..=12).contains(&month) || day == 0 || day > days_of(year, month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (micros, zone) = match tail.split_first() {
        Some((b'.', rest)) => {
            let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            (fraction(rest.get(..length)?)?, rest.get(length..)?)
        }
        _ => (0, tail),
    };
    if !matches!(zone, b"Z" | b"") {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(seconds * MICROS + micros)
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

/// One to nine digits after the point, as microseconds.
fn fraction(digits_after_point: &[u8]) -> Option<i64> {
    if digits_after_point.is_empty() || digits_after_point.len() > 9 {
        return None;
    }
    let kept = digits_after_point.get(..6).unwrap_or(digits_after_point);
    Some(digits(kept)? * 10_i64.pow(6 - kept.len() as u32))
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days of the proleptic Gregorian calendar, counted in years that begin in March so that the leap day is the last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let months_since_march = (month + 9) % 12;
    let days_before_month = (153 * months_since_march + 2) / 5;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 1970-01-01 is day 719,468 after 0000-03-01.
    year * 365 + leap_days + days_before_month + day - 1 - 719_468
}

fn epoch(text: &str) -> Option<i64> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, after_point) = unsigned.split_once('.').map_or((unsigned, None), |(whole, part)| (whole, Some(part)));
    if whole.is_empty() || whole.len() > 20 || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i128 = whole.parse().ok()?;
    let micros = match whole.len() {
        0..=11 => number * i128::from(MICROS),
        12..=14 => number * 1_000,
        15..=17 => number,
        _ => number / 1_000,
    };
    let fraction = match after_point {
        Some(part) if !part.bytes().all(|byte| byte.is_ascii_digit()) || part.is_empty() => return None,
        Some(part) if whole.len() <= 11 => fraction(part.as_bytes().get(..9.min(part.len()))?)?,
        _ => 0,
    };
    let micros = i64::try_from(micros + i128::from(fraction)).ok()?;
    Some(if negative { -micros } else { micros })
}

fn with_jiff(text: &str) -> Option<i64> {
    if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
        return Some(timestamp.as_nanosecond().div_euclid(1_000) as i64);
    }
    let civil = text.parse::<DateTime>().ok()?;
    let timestamp = TimeZone::UTC.to_timestamp(civil).ok()?;
    Some(timestamp.as_nanosecond().div_euclid(1_000) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shapes() {
        let expected = 1_669_680_544_380_000;
        for text in [
            "2022-11-29T00:09:04.380000Z",
            "2022-11-29T00:09:04.38Z",
            "2022-11-29T00:09:04.380000999Z",
            "2022-11-29 00:09:04.38",
            "2022-11-29T01:09:04.38+01:00",
            "2022-11-28 19:09:04.38-05:00",
            "2022-11-29t00:09:04.38z",
            "1669680544.38",
            "1669680544380",
            "1669680544380000",
            "1669680544380000999",
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        for (text, expected) in [
            ("0", Some(0)),
            ("-1.5", Some(-1_500_000)),
            ("1969-12-31T23:59:59.5Z", Some(-500_000)),
            ("2024-02-29T00:00:00Z", Some(1_709_164_800_000_000)),
            ("2023-02-29T00:00:00Z", None),
            ("2023-13-01T00:00:00Z", None),
            ("2023-01-01T24:00:00Z", None),
            ("2023-01-01T00:00:00.Z", None),
            ("yesterday", None),
            ("", None),
            ("1.", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn fast_path_agrees_with_jiff(micros in -62_000_000_000_000_000i64..253_000_000_000_000_000) {
            let timestamp = jiff::Timestamp::from_microsecond(micros).expect("in range");
            let text = format!("{timestamp:.6}");
            prop_assert_eq!(fixed(text.as_bytes()), Some(micros), "{}", text);
            prop_assert_eq!(with_jiff(&text), Some(micros));
        }

        #[test]
        fn what_the_fast_path_takes_jiff_takes(text in "20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{0,10})?Z") {
            if let Some(micros) = fixed(text.as_bytes()) {
                prop_assert_eq!(with_jiff(&text), Some(micros));
            }
        }
    }
}
