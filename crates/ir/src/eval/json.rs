//! Functions of JSON text. Numbers keep the text of their source until they are read as numbers.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::call::Args;
use super::number::Number;
use crate::expr::Func;
use crate::value::Value;

/// How many values one path may give.
const MAX_VALUES: usize = 10_000;

pub(super) fn call(func: Func, args: Args<'_>) -> Option<Value> {
    let text = args.text(0)?;
    match func {
        Func::JsonValid => Some(Value::Bool(serde_json::from_str::<IgnoredAny>(&text).is_ok())),
        // `JsonExtract(json)`: the whole, if it is JSON. `JsonExtract(json, path, …)`: what the paths lead to, in order.
        Func::JsonExtract if !args.has(1) => extract(&text, ""),
        Func::JsonExtract => {
            let paths = (1..args.nodes.len()).filter_map(|at| args.text(at));
            Some(Value::list(paths.filter_map(|path| extract(&text, &path))))
        }
        // `Spath(json, path)`.
        Func::Spath => extract(&text, &args.text(1)?),
        _ => None,
    }
}

/// What a path leads to in a JSON text: keys joined by `.`, `{}` behind a key for every element of an array, `{2}` for
/// the third. Keys keep their own dots, so that a path can be read in several ways; all count. Text loses its quotes,
/// numbers and truth values keep their type, JSON null is the text `null`, objects and arrays give their JSON text. The
/// empty path leads to the whole. None if the text is no JSON or the path leads nowhere.
pub fn extract(json: &str, path: &str) -> Option<Value> {
    let root: &RawValue = serde_json::from_str(json).ok()?;
    let mut found = Vec::new();
    walk(root, path, &mut found);
    match Value::list(found) {
        Value::Absent => None,
        value => Some(value),
    }
}

/// Follows a path; each step takes at least one character off it, so that it ends.
fn walk(value: &RawValue, path: &str, found: &mut Vec<Value>) {
    if found.len() >= MAX_VALUES {
        return;
    }
    if path.is_empty() {
        found.extend(leaf(value));
        return;
    }
    if let Some((index, rest)) = array_step(path) {
        let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(value.get()) else { return };
        let rest = rest.strip_prefix('.').unwrap_or(rest);
        for (at, element) in elements.into_iter().enumerate() {
            if index.is_none_or(|index| index == at) {
                walk(element, rest, found);
            }
        }
        return;
    }
    let Ok(Members(members)) = serde_json::from_str::<Members<'_>>(value.get()) else { return };
    for (key, member) in members {
        let Some(rest) = path.strip_prefix(key.as_str()) else { continue };
        match rest.strip_prefix('.') {
            Some(rest) if !rest.is_empty() => walk(member, rest, found),
            // An empty key before the end of the path would go round in a circle.
            None if rest.is_empty() || (rest.starts_with('{') && !key.is_empty()) => walk(member, rest, found),
            _ => {}
        }
    }
}

/// The `{}` or `{3}` at the start of a path, and what follows it.
fn array_step(path: &str) -> Option<(Option<usize>, &str)> {
    let (index, rest) = path.strip_prefix('{')?.split_once('}')?;
    if index.is_empty() { Some((None, rest)) } else { Some((Some(index.parse().ok()?), rest)) }
}

/// A JSON value as a value.
fn leaf(value: &RawValue) -> Option<Value> {
    let text = value.get();
    Some(match text.as_bytes().first()? {
        b'"' => Value::Text(serde_json::from_str::<String>(text).ok()?.into()),
        b't' => Value::Bool(true),
        b'f' => Value::Bool(false),
        b'{' | b'[' | b'n' => Value::text(text),
        _ => Number::parse(text).map_or_else(|| Value::text(text), Number::value),
    })
}

/// The members of an object in order, values unparsed.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}
