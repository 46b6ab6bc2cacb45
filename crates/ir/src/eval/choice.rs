//! Choosing between values, and asking what a value is.

use super::call::Args;
use super::number::{self, Number};
use super::operate::compare;
use crate::expr::{CompareOp, Func};
use crate::value::Value;

pub(super) fn call(func: Func, args: Args<'_>) -> Option<Value> {
    let truth = |at: usize| args.nodes.get(at).and_then(|node| node.truth(args.row, args.context));
    let pairs = || (0..args.nodes.len()).step_by(2);
    match func {
        // `If(condition, a, b)`: a if the condition is true, else b; also b if it is unknown.
        Func::If => Some(args.value(if truth(0) == Some(true) { 1 } else { 2 })),
        // `Case(c1, v1, c2, v2, …)`: the value behind the first true condition, else null.
        Func::Case => pairs().find(|&at| truth(at) == Some(true)).map(|at| args.value(at + 1)),
        // `Validate(c1, v1, …)`: the value behind the first false condition, else null.
        Func::Validate => pairs().find(|&at| truth(at) == Some(false)).map(|at| args.value(at + 1)),
        // The first argument that is not null; the empty text is not null.
        Func::Coalesce => (0..args.nodes.len()).map(|at| args.value(at)).find(|value| !value.is_absent()),
        Func::Null => None,
        // `NullIf(a, b)`: null if both are equal, else a.
        Func::NullIf => {
            let value = args.value(0);
            if compare(CompareOp::Eq, &value, &args.value(1)) == Some(true) { None } else { Some(value) }
        }
        Func::True => Some(Value::Bool(true)),
        Func::False => Some(Value::Bool(false)),
        // The tests of what a value is are false for null, never null.
        Func::IsNull => Some(Value::Bool(args.value(0).is_absent())),
        Func::IsNotNull => Some(Value::Bool(!args.value(0).is_absent())),
        Func::IsNum => Some(Value::Bool(args.number(0).is_some())),
        Func::IsInt => Some(Value::Bool(args.number(0).is_some_and(|number| number.as_i64().is_some()))),
        Func::IsStr => {
            let value = args.value(0);
            Some(Value::Bool(matches!(value, Value::Text(_) | Value::Json(_)) && Number::of(&value).is_none()))
        }
        Func::In => is_in(args),
        Func::TypeOf => Some(Value::text(match args.value(0) {
            Value::Absent => "Invalid",
            Value::Bool(_) => "Boolean",
            Value::List(_) => "Multivalue",
            value if Number::of(&value).is_some() => "Number",
            _ => "String",
        })),
        _ => None,
    }
}

/// `In(x, a, b, …)`: whether x equals one of the others as a comparison would have it; null if x is.
fn is_in(args: Args<'_>) -> Option<Value> {
    let value = args.value(0);
    if value.is_absent() {
        return None;
    }
    let found = (1..args.nodes.len()).any(|at| compare(CompareOp::Eq, &value, &args.value(at)) == Some(true));
    Some(Value::Bool(found))
}

/// Applies a function of text to a text, or to every member of a list.
pub(super) fn each_text(value: &Value, function: impl Fn(&str) -> Option<Value>) -> Option<Value> {
    match value {
        Value::Absent => None,
        Value::List(members) => {
            Some(Value::list(members.iter().filter_map(number::text).filter_map(|text| function(&text))))
        }
        single => function(&number::text(single)?),
    }
}

/// Asks a text, or the members of a list whether one passes; null for null.
pub(super) fn any_text(value: &Value, test: impl Fn(&str) -> bool) -> Option<Value> {
    if value.is_absent() {
        return None;
    }
    Some(Value::Bool(value.members().iter().filter_map(number::text).any(|text| test(&text))))
}
