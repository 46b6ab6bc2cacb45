//! One audit event as conditions see it.

use std::collections::HashMap;

use masthead_ir::eval::{Row, json};
use masthead_ir::{FieldPath, Value};
use serde_json::Value as Json;

/// An event whose fields are read by any of the three kinds of names ([`FieldPath`]).
pub(crate) struct EventRow {
    event: Json,
    raw: String,
    flat: HashMap<String, Vec<Value>>,
    dotted: HashMap<String, Vec<Value>>,
}

impl EventRow {
    pub(crate) fn new(event: Json) -> EventRow {
        let raw = event.to_string();
        let (mut flat, mut dotted) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        // What serde_json wrote is JSON.
        let _ = json::flatten(&raw, &mut |name, text| {
            flat.entry(name.to_owned()).or_default().push(Value::text(text));
            dotted.entry(name.replace("{}", "")).or_default().push(Value::text(text));
        });
        EventRow { event, raw, flat, dotted }
    }
}

impl Row for EventRow {
    fn get(&self, field: &FieldPath) -> Value {
        let all = |found: Option<&Vec<Value>>| Value::list(found.into_iter().flatten().cloned());
        match field {
            FieldPath::Flat(name) if &**name == "_raw" => Value::text(&self.raw),
            FieldPath::Flat(name) => all(self.flat.get(&**name)),
            FieldPath::Dotted(name) => all(self.dotted.get(&**name)),
            FieldPath::Keys(keys) => walk(&self.event, keys).map_or(Value::Absent, typed),
        }
    }
}

fn walk<'j>(event: &'j Json, keys: &[std::sync::Arc<str>]) -> Option<&'j Json> {
    keys.iter().try_fold(event, |at, key| {
        let members = at.as_object()?;
        members.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
    })
}

fn typed(json: &Json) -> Value {
    match json {
        Json::Null => Value::Absent,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => number.as_f64().map_or(Value::Absent, Value::Float),
        },
        Json::String(text) => Value::text(text),
        Json::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            Value::list(items.iter().map(typed))
        }
        more => Value::Json(more.to_string().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_kinds_of_names_are_read() {
        let row = EventRow::new(json!({"User": {"groups": ["a", "b"]}, "n": 7, "list": [{"x": {"y": true}}]}));
        assert_eq!(row.get(&FieldPath::flat("User.groups{}")), Value::list(["a", "b"].map(Value::text)));
        assert_eq!(row.get(&FieldPath::flat("User.groups")), Value::Absent);
        assert_eq!(row.get(&FieldPath::dotted("list.x.y")), Value::text("true"));
        assert_eq!(row.get(&FieldPath::keys(["user", "groups"])), Value::list(["a", "b"].map(Value::text)));
        assert_eq!(row.get(&FieldPath::keys(["n"])), Value::Int(7));
        assert_eq!(row.get(&FieldPath::keys(["list"])), Value::Json(r#"[{"x":{"y":true}}]"#.into()));
    }
}
