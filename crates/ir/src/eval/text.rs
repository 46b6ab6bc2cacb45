//! Functions of text. A function given a list is applied to each member; tests are true if they are for any member.

use std::fmt::Write as _;
use std::net::IpAddr;

use ipnet::IpNet;
use percent_encoding::percent_decode_str;

use super::call::Args;
use super::choice::{any_text, each_text};
use super::glob::Like;
use super::number::{self, Number, with_commas};
use super::pattern::in_network;
use super::program::Prepared;
use super::regex::CompiledRegex;
use super::{digest, printf};
use crate::expr::Func;
use crate::value::Value;

pub(super) fn call(func: Func, args: Args<'_>) -> Option<Value> {
    let each =
        |function: fn(&str) -> String| each_text(&args.value(0), |text| Some(Value::Text(function(text).into())));
    match func {
        Func::Like => like(args),
        // Whether the expression matches anywhere in the text.
        Func::Match => {
            let value = args.value(0);
            with_regex(args, |regex| any_text(&value, |text| regex.is_match(text)))
        }
        Func::CidrMatch => cidr_match(args),
        // How many characters the text has.
        Func::Len => each_text(&args.value(0), |text| i64::try_from(text.chars().count()).ok().map(Value::Int)),
        Func::Lower => each(str::to_lowercase),
        Func::Upper => each(str::to_uppercase),
        Func::Ltrim | Func::Rtrim | Func::Trim => trim(func, args),
        // `Replace(text, expression, replacement)`: all matches; groups as CompiledRegex::replace_all reads them.
        Func::Replace => {
            let (value, replacement) = (args.value(0), args.text(2)?);
            with_regex(args, |regex| each_text(&value, |text| Some(Value::text(regex.replace_all(text, &replacement)))))
        }
        Func::Substr => substr(args),
        Func::ToString => to_string(args),
        // Percent escapes undone; `+` stays; what is then no UTF-8 is replaced.
        Func::UrlDecode => each(|text| percent_decode_str(text).decode_utf8_lossy().into_owned()),
        Func::Md5 => each(digest::md5),
        Func::Sha1 => each(digest::sha1),
        Func::Sha256 => each(digest::sha256),
        Func::Printf => {
            let values: Vec<Value> = (1..args.nodes.len()).map(|at| args.value(at)).collect();
            printf::format(&args.text(0)?, &values).map(|text| Value::Text(text.into()))
        }
        _ => None,
    }
}

/// Runs with the second argument as a regular expression; null if it is none.
pub(super) fn with_regex(args: Args<'_>, run: impl FnOnce(&CompiledRegex) -> Option<Value>) -> Option<Value> {
    match args.prepared {
        Prepared::Regex(regex) => run(regex),
        _ => run(&CompiledRegex::new(&args.text(1)?).ok()?),
    }
}

/// `Like(text, pattern)`.
fn like(args: Args<'_>) -> Option<Value> {
    let value = args.value(0);
    match args.prepared {
        Prepared::Like(like) => any_text(&value, |text| like.matches(text)),
        _ => {
            let like = Like::new(&args.text(1)?);
            any_text(&value, |text| like.matches(text))
        }
    }
}

/// `CidrMatch(network, address)`: whether the address is inside; false for what is no address.
fn cidr_match(args: Args<'_>) -> Option<Value> {
    let value = args.value(1);
    let net = match args.prepared {
        Prepared::Network(net) => *net,
        _ => network(&args.text(0)?)?,
    };
    any_text(&value, |text| in_network(&net, text).unwrap_or(false))
}

/// A network from its text; a lone address is a network of one.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// `Trim(text, characters)`: without these characters (blanks and tabs if none are given) at both ends, or at one.
fn trim(func: Func, args: Args<'_>) -> Option<Value> {
    let unwanted = if args.has(1) { args.text(1)? } else { " \t".to_owned() };
    let is_unwanted = |c: char| unwanted.contains(c);
    each_text(&args.value(0), |text| {
        Some(Value::text(match func {
            Func::Ltrim => text.trim_start_matches(is_unwanted),
            Func::Rtrim => text.trim_end_matches(is_unwanted),
            _ => text.trim_matches(is_unwanted),
        }))
    })
}

/// `Substr(text, start, length)`: characters from the start (counted from 1; negative from the end) on.
fn substr(args: Args<'_>) -> Option<Value> {
    let start = args.number(1)?.as_i64()?;
    let length = if args.has(2) { Some(args.number(2)?.as_i64()?) } else { None };
    each_text(&args.value(0), |text| {
        let skip = match usize::try_from(start) {
            Ok(from_one) => from_one.saturating_sub(1),
            Err(_) => {
                let back = usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX);
                text.chars().count().saturating_sub(back)
            }
        };
        let take = length.map_or(usize::MAX, |length| usize::try_from(length).unwrap_or(0));
        Some(Value::Text(text.chars().skip(skip).take(take).collect::<String>().into()))
    })
}

/// `ToString(value, format)`: numbers in plain decimal, truth values as `True` and `False`; the formats `hex`, `commas`
/// (two places) and `duration` (seconds as `D+HH:MM:SS`) are for numbers, other text stays as it is.
fn to_string(args: Args<'_>) -> Option<Value> {
    let value = args.value(0);
    let format = if args.has(1) { Some(args.text(1)?) } else { None };
    let one = |value: &Value| -> Option<Value> {
        if let Value::Bool(truth) = value {
            return Some(Value::text(if *truth { "True" } else { "False" }));
        }
        let text = match (&format, Number::of(value)) {
            (Some(format), Some(number)) => match format.as_str() {
                "hex" => format!("0x{:X}", number.as_f64() as i64),
                "commas" => with_commas(number),
                "duration" => duration(number),
                _ => return None,
            },
            _ => number::text(value)?.into_owned(),
        };
        Some(Value::Text(text.into()))
    };
    match &value {
        Value::List(members) => Some(Value::list(members.iter().filter_map(one))),
        single => one(single),
    }
}

fn duration(number: Number) -> String {
    let seconds = number.as_f64().abs();
    let whole = seconds.trunc() as u64;
    let mut out = String::new();
    if number.as_f64() < 0.0 {
        out.push('-');
    }
    if whole >= 86_400 {
        let _ = write!(out, "{}+", whole / 86_400);
    }
    let _ = write!(out, "{:02}:{:02}:{:02}", whole / 3_600 % 24, whole / 60 % 60, whole % 60);
    let micros = (seconds.fract() * 1e6).floor() as u64;
    if micros > 0 {
        let _ = write!(out, ".{micros:06}");
    }
    out
}
