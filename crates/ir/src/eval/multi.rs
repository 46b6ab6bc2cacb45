//! Functions of several values. A single value counts as a list of one.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::Row;
use super::call::Args;
use super::number::{self, Number};
use super::program::{ExprError, Prepared};
use super::text::with_regex;
use crate::expr::{Expr, FieldPath, Func};
use crate::time::span_seconds;
use crate::value::Value;

/// How many members a range may have.
const MAX_RANGE: usize = 100_000;

/// The only field of an expression.
pub(super) fn only_field(func: Func, expr: Option<&Expr>) -> Result<FieldPath, ExprError> {
    match expr.map(Expr::fields).as_deref() {
        Some([field]) => Ok(field.clone()),
        _ => Err(ExprError::OneField(func)),
    }
}

pub(super) fn call(func: Func, args: Args<'_>) -> Option<Value> {
    match func {
        // `Split(text, delimiter)`: the parts between delimiters, empty ones too; by an empty delimiter each character.
        Func::Split => {
            let delimiter = args.text(1)?;
            let value = args.value(0);
            let parts = value.members().iter().filter_map(number::text).flat_map(|text| split(&text, &delimiter));
            Some(Value::list(parts))
        }
        // The members of all arguments in order; nulls are left out.
        Func::MvAppend => Some(Value::list((0..args.nodes.len()).map(|at| args.value(at)))),
        Func::MvCount => match args.value(0) {
            Value::Absent => None,
            value => i64::try_from(value.members().len()).ok().map(Value::Int),
        },
        Func::MvDedup => {
            let mut seen = HashSet::new();
            let value = args.value(0);
            Some(Value::list(value.members().iter().filter(|m| seen.insert(member_text(m))).cloned()))
        }
        Func::MvFilter | Func::MvMap => over_members(func, args),
        // `MvFind(list, expression)`: the place, from 0, of the first member that the expression matches.
        Func::MvFind => {
            let value = args.value(0);
            with_regex(args, |regex| {
                let at = value.members().iter().filter_map(number::text).position(|text| regex.is_match(&text))?;
                i64::try_from(at).ok().map(Value::Int)
            })
        }
        Func::MvIndex => index(args),
        Func::MvJoin => {
            let delimiter = args.text(1)?;
            match args.value(0) {
                Value::Absent => None,
                value => Some(Value::Text(join(&value, &delimiter).into())),
            }
        }
        Func::MvRange => range(args),
        // By bytes of the texts.
        Func::MvSort => {
            let mut members = args.value(0).members().to_vec();
            members.sort_by(|a, b| member_text(a).as_bytes().cmp(member_text(b).as_bytes()));
            Some(Value::list(members))
        }
        // `MvZip(a, b, delimiter)`: members of the same place joined by the delimiter (a comma), as far as both go.
        Func::MvZip => {
            let (left, right) = (args.value(0), args.value(1));
            let delimiter = if args.has(2) { args.text(2)? } else { ",".to_owned() };
            let pairs = left.members().iter().zip(right.members());
            Some(Value::list(
                pairs.map(|(l, r)| Value::Text(format!("{}{delimiter}{}", member_text(l), member_text(r)).into())),
            ))
        }
        _ => None,
    }
}

fn member_text(member: &Value) -> String {
    number::text(member).map(std::borrow::Cow::into_owned).unwrap_or_default()
}

/// The members of a value as one text.
fn join(value: &Value, delimiter: &str) -> String {
    value.members().iter().map(member_text).collect::<Vec<_>>().join(delimiter)
}

fn split(text: &str, delimiter: &str) -> Vec<Value> {
    if delimiter.is_empty() {
        text.chars().map(|c| Value::text(c.encode_utf8(&mut [0; 4]))).collect()
    } else {
        text.split(delimiter).map(Value::text).collect()
    }
}

/// A row in which one field stands for one member of its list.
struct MemberRow<'a> {
    row: &'a dyn Row,
    field: &'a FieldPath,
    member: &'a Value,
}

impl Row for MemberRow<'_> {
    fn get(&self, field: &FieldPath) -> Value {
        if field == self.field { self.member.clone() } else { self.row.get(field) }
    }
}

/// `MvFilter(condition)`: the members of the condition's field for which it is true. `MvMap(field, expression)`: the
/// expression's value for each member, nulls left out; of a first argument that is no field, the expression's only field
/// stands for the member.
fn over_members(func: Func, args: Args<'_>) -> Option<Value> {
    let Prepared::Member(field) = args.prepared else { return None };
    let (list, body) = match func {
        Func::MvFilter => (args.row.get(field), args.nodes.first()?),
        _ => (args.value(0), args.nodes.get(1)?),
    };
    let results = list.members().iter().filter_map(|member| {
        let row = MemberRow { row: args.row, field, member };
        match func {
            Func::MvFilter => (body.truth(&row, args.context) == Some(true)).then(|| member.clone()),
            _ => Some(body.value(&row, args.context)),
        }
    });
    Some(Value::list(results))
}

/// `MvIndex(list, start, end)`: the member at a place from 0, or those from one place to another, the last with them;
/// negative places count from the end. Null outside the list.
fn index(args: Args<'_>) -> Option<Value> {
    let value = args.value(0);
    let members = value.members();
    let place = |at: usize| -> Option<i64> {
        let place = args.number(at)?.as_i64()?;
        Some(if place < 0 { place.saturating_add(i64::try_from(members.len()).ok()?) } else { place })
    };
    let start = place(1)?;
    if !args.has(2) {
        return members.get(usize::try_from(start).ok()?).cloned();
    }
    let end = usize::try_from(place(2)?).ok()?.min(members.len().checked_sub(1)?);
    let start = usize::try_from(start).unwrap_or(0);
    Some(Value::list(members.get(start..=end)?.iter().cloned()))
}

/// `MvRange(start, end, step)`: numbers from the start up to, not including, the end. The step is 1, another number, or
/// a span such as `1d` in seconds; the result ends after a hundred thousand members.
fn range(args: Args<'_>) -> Option<Value> {
    let (start, end) = (args.number(0)?, args.number(1)?);
    let step = match args.value(2) {
        Value::Absent if args.has(2) => return None,
        Value::Absent => Number::Int(1),
        value => Number::of(&value).or_else(|| span_seconds(&number::text(&value)?).map(Number::Int))?,
    };
    let forward = match step.compare(Number::Int(0)) {
        Ordering::Equal => return None,
        direction => direction == Ordering::Greater,
    };
    let inside = |at: f64| if forward { at < end.as_f64() } else { at > end.as_f64() };
    let places = (0..MAX_RANGE).map(|n| start.as_f64() + n as f64 * step.as_f64()).take_while(|&at| inside(at));
    Some(Value::list(places.map(number::float)))
}
