//! Functions of numbers. Null where an argument reads as no number, and where the result is none (a root of a negative
//! number, an overflow).

use std::cmp::Ordering;

use super::call::Args;
use super::number::{self, Number, float};
use super::operate::order;
use crate::expr::Func;
use crate::value::Value;

pub(super) fn call(func: Func, args: Args<'_>) -> Option<Value> {
    match func {
        Func::Pi => return Some(Value::Float(std::f64::consts::PI)),
        // The smallest or largest of the arguments and of their members; numbers are smaller than text. Nulls are left
        // out.
        Func::Min => return extreme(args, Ordering::Less),
        Func::Max => return extreme(args, Ordering::Greater),
        Func::ToNumber => return to_number(args),
        _ => {}
    }
    let number = args.number(0)?;
    let value = number.as_f64();
    Some(match func {
        Func::Exact => number.value(),
        Func::Abs => match number {
            Number::Int(int) => int.checked_abs().map_or_else(|| float(value.abs()), Value::Int),
            Number::Float(value) => float(value.abs()),
        },
        Func::Ceiling => whole(number, f64::ceil),
        Func::Floor => whole(number, f64::floor),
        Func::Exp => float(value.exp()),
        Func::Ln => float(value.ln()),
        Func::Log => {
            // The base is 10 unless it is given.
            let base = if args.has(1) { args.number(1)?.as_f64() } else { 10.0 };
            if base == 10.0 { float(value.log10()) } else { float(value.log(base)) }
        }
        Func::Pow => power(number, args.number(1)?),
        // Half away from zero, at the given number of places (0 if there is none).
        Func::Round => number::round(number, if args.has(1) { args.number(1)?.as_i64()? } else { 0 }),
        Func::Sqrt => float(value.sqrt()),
        _ => return None,
    })
}

fn whole(number: Number, round: fn(f64) -> f64) -> Value {
    match number {
        Number::Int(int) => Value::Int(int),
        Number::Float(value) => float(round(value)),
    }
}

fn power(base: Number, exponent: Number) -> Value {
    if let (Number::Int(base), Number::Int(exponent)) = (base, exponent)
        && let Ok(exponent) = u32::try_from(exponent)
        && let Some(power) = base.checked_pow(exponent)
    {
        return Value::Int(power);
    }
    float(base.as_f64().powf(exponent.as_f64()))
}

fn extreme(args: Args<'_>, wanted: Ordering) -> Option<Value> {
    let values: Vec<Value> = (0..args.nodes.len()).map(|at| args.value(at)).collect();
    let mut best: Option<&Value> = None;
    for value in values.iter().flat_map(Value::members) {
        let better = match best {
            None => true,
            Some(best) => match (Number::of(value), Number::of(best)) {
                (Some(_), None) => wanted == Ordering::Less,
                (None, Some(_)) => wanted == Ordering::Greater,
                _ => order(value, best) == Some(wanted),
            },
        };
        if better {
            best = Some(value);
        }
    }
    let best = best?;
    Some(Number::of(best).map_or_else(|| best.clone(), Number::value))
}

/// `ToNumber(text, base)`: the number that the text spells, blanks around it left aside; null if it spells none. The
/// base is 10, or 2 to 36 for whole numbers (also with `0x` before hexadecimal digits).
fn to_number(args: Args<'_>) -> Option<Value> {
    let text = args.text(0)?;
    let text = text.trim();
    let base = if args.has(1) { args.number(1)?.as_i64()? } else { 10 };
    if base == 10 {
        return Number::parse(text).map(Number::value);
    }
    let digits = if base == 16 { text.strip_prefix("0x").or(text.strip_prefix("0X")).unwrap_or(text) } else { text };
    let base = u32::try_from(base).ok().filter(|base| (2..=36).contains(base))?;
    i64::from_str_radix(digits, base).ok().map(Value::Int)
}
