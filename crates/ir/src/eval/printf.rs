//! Formatting after the pattern of C's `printf`.

use std::borrow::Cow;

use super::number::{self, Number};
use crate::value::Value;

/// Widths and precisions are cut to this, so that a rule cannot ask for gigabytes.
const MAX_WIDTH: usize = 1_000;

#[derive(Default)]
struct Spec {
    left: bool,
    plus: bool,
    blank: bool,
    zero: bool,
    alternate: bool,
    commas: bool,
    width: usize,
    precision: Option<usize>,
}

/// The text of a format with its conversions filled from the values in turn: `%d %i %u %s %c %f %F %e %E %g %G %x %X %o
/// %%`, with the flags `- + # 0 '` and blank, a width and a precision (both may be `*`). Null if a value is null or
/// missing, or a conversion is unknown. Text for a number reads as 0.
pub(super) fn format(format: &str, values: &[Value]) -> Option<String> {
    let mut out = String::new();
    let mut values = values.iter();
    let mut chars = format.chars().peekable();
    while let Some(char) = chars.next() {
        if char != '%' {
            out.push(char);
            continue;
        }
        if chars.next_if_eq(&'%').is_some() {
            out.push('%');
            continue;
        }
        let spec = read_spec(&mut chars, &mut values)?;
        // Length modifiers mean nothing here.
        while chars.next_if(|c| matches!(c, 'l' | 'h' | 'z' | 'j' | 't' | 'L')).is_some() {}
        let text = convert(chars.next()?, &spec, values.next()?)?;
        out.push_str(&text);
    }
    Some(out)
}

fn read_spec<'v>(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    values: &mut impl Iterator<Item = &'v Value>,
) -> Option<Spec> {
    let mut spec = Spec::default();
    while let Some(flag) = chars.next_if(|c| "-+ 0#'".contains(*c)) {
        match flag {
            '-' => spec.left = true,
            '+' => spec.plus = true,
            ' ' => spec.blank = true,
            '0' => spec.zero = true,
            '#' => spec.alternate = true,
            _ => spec.commas = true,
        }
    }
    let mut size = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| -> Option<usize> {
        if chars.next_if_eq(&'*').is_some() {
            let given = Number::of(values.next()?)?.as_i64()?;
            return Some(usize::try_from(given).unwrap_or(0).min(MAX_WIDTH));
        }
        let mut size = 0usize;
        while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
            chars.next();
            size = (size * 10 + digit as usize).min(MAX_WIDTH);
        }
        Some(size)
    };
    spec.width = size(chars)?;
    if chars.next_if_eq(&'.').is_some() {
        spec.precision = Some(size(chars)?);
    }
    Some(spec)
}

fn convert(verb: char, spec: &Spec, value: &Value) -> Option<String> {
    let text = number::text(value)?;
    let number = || Number::of(value).unwrap_or(Number::Int(0));
    let whole = || match number() {
        Number::Int(int) => int,
        Number::Float(float) => float.trunc() as i64,
    };
    let (negative, digits): (bool, Cow<'_, str>) = match verb {
        's' => {
            let cut: String = text.chars().take(spec.precision.unwrap_or(usize::MAX)).collect();
            return Some(pad(spec, "", &cut, false));
        }
        'c' => return Some(pad(spec, "", &text.chars().take(1).collect::<String>(), false)),
        'd' | 'i' => (whole() < 0, with_precision(spec, whole().unsigned_abs().to_string())),
        'u' => (false, with_precision(spec, (whole() as u64).to_string())),
        'x' => (false, with_precision(spec, format!("{:x}", whole()))),
        'X' => (false, with_precision(spec, format!("{:X}", whole()))),
        'o' => (false, with_precision(spec, format!("{:o}", whole()))),
        'f' | 'F' => {
            let float = number().as_f64();
            (float < 0.0, format!("{:.*}", spec.precision.unwrap_or(6), float.abs()).into())
        }
        'e' | 'E' | 'g' | 'G' => {
            let float = number().as_f64();
            let text = if verb.eq_ignore_ascii_case(&'e') {
                exponent(float.abs(), spec.precision.unwrap_or(6))
            } else {
                general(float.abs(), spec.precision.unwrap_or(6), spec.alternate)
            };
            (float < 0.0, if verb.is_ascii_uppercase() { text.to_uppercase().into() } else { text.into() })
        }
        _ => return None,
    };
    let digits = if spec.commas && matches!(verb, 'd' | 'i' | 'u') {
        Cow::Owned(digits.parse::<i64>().map_or(digits.to_string(), |int| number::with_commas(Number::Int(int))))
    } else {
        digits
    };
    let prefix = match verb {
        'x' if spec.alternate && whole() != 0 => "0x",
        'X' if spec.alternate && whole() != 0 => "0X",
        'o' if spec.alternate => "0",
        'x' | 'X' | 'o' | 'u' => "",
        _ if negative => "-",
        _ if spec.plus => "+",
        _ if spec.blank => " ",
        _ => "",
    };
    // A precision of a whole number asks for digits, and leaves no room for zeros as padding.
    let zeros = spec.zero && !(spec.precision.is_some() && "dioxXu".contains(verb));
    Some(pad(spec, prefix, &digits, zeros))
}

fn with_precision<'a>(spec: &Spec, digits: String) -> Cow<'a, str> {
    Cow::Owned(format!("{digits:0>width$}", width = spec.precision.unwrap_or(1)))
}

fn pad(spec: &Spec, prefix: &str, body: &str, zeros: bool) -> String {
    let room = spec.width.saturating_sub(prefix.chars().count() + body.chars().count());
    if spec.left {
        format!("{prefix}{body}{}", " ".repeat(room))
    } else if zeros {
        format!("{prefix}{}{body}", "0".repeat(room))
    } else {
        format!("{}{prefix}{body}", " ".repeat(room))
    }
}

/// One digit, the places, and an exponent of at least two digits.
fn exponent(float: f64, places: usize) -> String {
    let text = format!("{float:.places$e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, power) = power.strip_prefix('-').map_or(('+', power), |p| ('-', p));
    format!("{digits}e{sign}{power:0>2}")
}

/// Plain or with an exponent, whichever C would choose, to so many significant digits.
fn general(float: f64, digits: usize, keep_zeros: bool) -> String {
    let digits = digits.max(1);
    let scientific = format!("{float:.*e}", digits - 1);
    let power: i64 = scientific.split_once('e').and_then(|(_, p)| p.parse().ok()).unwrap_or(0);
    let plain = power >= -4 && power < i64::try_from(digits).unwrap_or(i64::MAX);
    let text = if plain {
        let places = i64::try_from(digits).unwrap_or(6) - 1 - power;
        format!("{float:.*}", usize::try_from(places).unwrap_or(0))
    } else {
        exponent(float, digits - 1)
    };
    if keep_zeros {
        return text;
    }
    let (mantissa, tail) = text.split_once('e').map_or((text.as_str(), String::new()), |(m, t)| (m, format!("e{t}")));
    let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    format!("{mantissa}{tail}")
}
