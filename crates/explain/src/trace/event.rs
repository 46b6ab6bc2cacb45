//! An event as expressions see it: the fields that a rule reads, its envelope, and what stages have set.

use std::collections::BTreeMap;
use std::sync::Arc;

use masthead_event::projection::{Projection, ProjectionBuffer};
use masthead_event::{JsonError, Kind, SlotValue};
use masthead_ir::eval::Row;
use masthead_ir::{FieldPath, Value};
use rustc_hash::FxHashMap;

/// Where an event came from: what rules may ask beside its own fields. What is not told is absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// Where it was produced.
    pub source: Option<String>,
    /// The format's name.
    pub sourcetype: Option<String>,
    /// The host that sent it.
    pub host: Option<String>,
    /// The log type.
    pub log_type: Option<String>,
}

/// The times that an event is dated by, the first one that it has.
const TIMES: [&str; 2] = ["requestReceivedTimestamp", "stageTimestamp"];

/// A row of one event.
#[derive(Debug)]
pub(super) struct EventRow {
    fields: FxHashMap<FieldPath, Value>,
    /// What stages have set, by column.
    set: BTreeMap<String, Value>,
}

impl EventRow {
    /// Takes these fields out of an event.
    ///
    /// # Errors
    /// If the event is no JSON.
    pub(super) fn new(paths: Vec<FieldPath>, event: &[u8], origin: &Origin) -> Result<EventRow, JsonError> {
        let mut wanted = paths.clone();
        wanted.extend(TIMES.map(FieldPath::flat));
        let projection = Projection::new(wanted);
        let mut buffer = ProjectionBuffer::default();
        let row = projection.project(event, &mut buffer)?;
        let first = |name: &str| row.first(projection.slot(&FieldPath::flat(name))?);
        let time = TIMES.iter().find_map(|name| masthead_event::time::parse(first(name)?.text));
        let mut fields = FxHashMap::default();
        for path in paths {
            let of_envelope = match &path {
                FieldPath::Flat(name) => envelope(name, event, time, origin),
                FieldPath::Dotted(_) | FieldPath::Keys(_) => None,
            };
            let value = of_envelope.unwrap_or_else(|| {
                let slot = projection.slot(&path).unwrap_or(usize::MAX);
                Value::list(row.values(slot).map(|value| value_of(&path, value)))
            });
            fields.insert(path, value);
        }
        Ok(EventRow { fields, set: BTreeMap::new() })
    }

    /// Sets a column; null takes it away.
    pub(super) fn set(&mut self, column: &str, value: Value) {
        self.set.insert(column.to_owned(), value);
    }
}

impl Row for EventRow {
    fn get(&self, field: &FieldPath) -> Value {
        let set = field.column().and_then(|column| self.set.get(&*column));
        set.or_else(|| self.fields.get(field)).cloned().unwrap_or_default()
    }
}

/// What a field is that no event has by itself; none for a field of the event.
fn envelope(name: &str, event: &[u8], time: Option<i64>, origin: &Origin) -> Option<Value> {
    let optional = |text: &Option<String>| text.as_ref().map_or(Value::Absent, Value::text);
    Some(match name {
        "source" => optional(&origin.source),
        "sourcetype" => optional(&origin.sourcetype),
        "host" => optional(&origin.host),
        "log_type" => optional(&origin.log_type),
        // No envelope tells it.
        "index" => Value::Absent,
        "_time" => time.map_or(Value::Absent, |time| Value::Float(time as f64 / 1e6)),
        "_raw" => Value::text(String::from_utf8_lossy(event)),
        _ => return None,
    })
}

/// A value as the kind of name gives it (see [`FieldPath`]).
fn value_of(path: &FieldPath, value: SlotValue<'_>) -> Value {
    match (path, value.kind) {
        (FieldPath::Dotted(_) | FieldPath::Keys(_), Kind::Null) => Value::Absent,
        (FieldPath::Flat(_) | FieldPath::Dotted(_), _) | (_, Kind::String) => Value::text(value.text),
        (FieldPath::Keys(_), Kind::Bool) => Value::Bool(value.text == "true"),
        (FieldPath::Keys(_), Kind::Json) => Value::Json(Arc::from(value.text)),
        (FieldPath::Keys(_), Kind::Number) => match (value.text.parse::<i64>(), value.text.parse::<f64>()) {
            (Ok(int), _) => Value::Int(int),
            (_, Ok(float)) => Value::Float(float),
            _ => Value::text(value.text),
        },
    }
}
