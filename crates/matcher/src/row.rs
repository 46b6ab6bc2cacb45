//! Where values come from.

use std::sync::Arc;

use masthead_ir::FieldPath;
use masthead_ir::Value;
use masthead_ir::eval::{self, number};
use rustc_hash::FxHashMap;

/// The JSON type of a projected value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlotKind {
    /// A string; its text is unescaped.
    String,
    /// A number, in the text of the event.
    Number,
    /// `true` or `false`.
    Bool,
    /// `null`.
    Null,
    /// An object or array that holds more than scalars, as JSON text.
    Json,
}

/// What the envelope answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EnvelopeField {
    /// Where the event was produced.
    Source,
    /// The format's name.
    Sourcetype,
    /// The host that sent it.
    Host,
    /// The index that it is kept in.
    Index,
    /// The log type.
    LogType,
    /// The event's time, as seconds since 1970 with a fraction. The only one that differs within an envelope.
    Time,
}

/// The fields that are the same for all events of an envelope.
pub(crate) const SHARED: [EnvelopeField; 5] = [
    EnvelopeField::Source,
    EnvelopeField::Sourcetype,
    EnvelopeField::Host,
    EnvelopeField::Index,
    EnvelopeField::LogType,
];

/// One event as the matcher reads it, without copies.
pub trait SlotSource {
    /// Calls `f` with each value of a slot in document order. Slots are numbered as [`crate::Matcher::fields`]. A slot of
    /// a walk by keys gives the members of an array one by one.
    fn values(&self, slot: usize, f: &mut dyn FnMut(SlotKind, &str));

    /// What the envelope told; none if it did not.
    fn envelope(&self, field: EnvelopeField) -> Option<&str>;

    /// The event's bytes as they came.
    fn raw(&self) -> &[u8];
}

/// Where the values of one field come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A slot of a flat name, whose values are all text.
    Flat(usize),
    /// A slot of a dotted name: text, and nothing for null.
    Dotted(usize),
    /// A slot of a walk by keys, whose values keep their type.
    Keys(usize),
    /// The envelope.
    Envelope(EnvelopeField),
    /// The raw event.
    Raw,
}

impl Source {
    /// Whether the value is the same for all events of an envelope.
    pub(crate) fn is_shared(self) -> bool {
        matches!(self, Source::Envelope(field) if field != EnvelopeField::Time)
    }
}

/// One value of a source.
#[derive(Debug)]
pub(crate) struct SourceValue<'a> {
    /// Its JSON type; a string for all that is text.
    pub(crate) kind: SlotKind,
    /// Its text as the evaluator would read it.
    pub(crate) text: &'a str,
    /// The value, if it is no text.
    pub(crate) typed: Option<&'a Value>,
}

/// The fields of all conditions, and where each comes from.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    fields: Vec<FieldPath>,
    sources: Vec<Source>,
    by_path: FxHashMap<FieldPath, usize>,
}

impl Sources {
    /// The number of the source of a field.
    pub(crate) fn intern(&mut self, path: &FieldPath) -> usize {
        if let Some(&number) = self.by_path.get(path) {
            return number;
        }
        let slot = self.fields.len();
        let source = match path {
            FieldPath::Keys(_) => Source::Keys(slot),
            FieldPath::Dotted(_) => Source::Dotted(slot),
            FieldPath::Flat(name) => match &**name {
                "source" => Source::Envelope(EnvelopeField::Source),
                "sourcetype" => Source::Envelope(EnvelopeField::Sourcetype),
                "host" => Source::Envelope(EnvelopeField::Host),
                "index" => Source::Envelope(EnvelopeField::Index),
                "log_type" => Source::Envelope(EnvelopeField::LogType),
                "_time" => Source::Envelope(EnvelopeField::Time),
                "_raw" => Source::Raw,
                _ => Source::Flat(slot),
            },
        };
        if matches!(source, Source::Flat(_) | Source::Dotted(_) | Source::Keys(_)) {
            self.fields.push(path.clone());
        }
        self.sources.push(source);
        self.by_path.insert(path.clone(), self.sources.len() - 1);
        self.sources.len() - 1
    }

    pub(crate) fn fields(&self) -> &[FieldPath] {
        &self.fields
    }

    pub(crate) fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether the value is the same for all events of an envelope.
    pub(crate) fn is_shared(&self, source: usize) -> bool {
        self.sources.get(source).is_some_and(|source| source.is_shared())
    }

    /// For each source, what is added to the weight of its patterns ([`crate::access::weight`]): nearly all audit events
    /// have one stage and level and one of few verbs and codes, so that these tell little. Looking through a whole event
    /// costs more than anything else: only what nothing else wakes may ask for it.
    pub(crate) fn commonness(&self) -> Vec<u32> {
        let mut all = vec![0; self.sources.len()];
        for (path, &number) in &self.by_path {
            let added = match path.to_string().as_str() {
                "stage" | "level" | "kind" | "apiVersion" => 20_000,
                "annotations.authorization.k8s.io/decision" | "responseStatus.code" | "_raw" => 10_000,
                "verb" | "user.groups{}" => 2_000,
                "user.username" | "userAgent" | "sourceIPs{}" => 300,
                _ => 0,
            };
            if let Some(place) = all.get_mut(number) {
                *place = added;
            }
        }
        all
    }

    /// Calls `f` with each value of a source.
    pub(crate) fn each_value<S: SlotSource + ?Sized>(
        &self,
        source: usize,
        row: &S,
        f: &mut dyn FnMut(SourceValue<'_>),
    ) {
        let mut text = |text: &str| f(SourceValue { kind: SlotKind::String, text, typed: None });
        match self.sources.get(source) {
            None => {}
            Some(Source::Envelope(field)) => row.envelope(*field).into_iter().for_each(text),
            Some(Source::Raw) => text(&String::from_utf8_lossy(row.raw())),
            Some(Source::Flat(slot)) => row.values(*slot, &mut |_, value| text(value)),
            Some(Source::Dotted(slot)) => row.values(*slot, &mut |kind, value| {
                if kind != SlotKind::Null {
                    text(value);
                }
            }),
            Some(Source::Keys(slot)) => row.values(*slot, &mut |kind, text| match kind {
                SlotKind::String => f(SourceValue { kind, text, typed: None }),
                SlotKind::Null => {}
                SlotKind::Number | SlotKind::Bool | SlotKind::Json => match typed_value(kind, text) {
                    // The projection does not check the grammar of numbers.
                    None => f(SourceValue { kind: SlotKind::String, text, typed: None }),
                    Some(value) => {
                        let text = number::text(&value).unwrap_or_default();
                        f(SourceValue { kind, text: &text, typed: Some(&value) });
                    }
                },
            }),
        }
    }
}

/// The value of JSON that is no string; none for a number that is none.
fn typed_value(kind: SlotKind, text: &str) -> Option<Value> {
    Some(match kind {
        SlotKind::String | SlotKind::Null => return None,
        SlotKind::Bool => Value::Bool(text == "true"),
        SlotKind::Json => Value::Json(Arc::from(text)),
        SlotKind::Number => match text.parse::<i64>() {
            Ok(int) => Value::Int(int),
            Err(_) => Value::Float(text.parse::<f64>().ok()?),
        },
    })
}

/// An event as the evaluator reads it.
pub(crate) struct EvaluatorRow<'a, S: SlotSource + ?Sized> {
    pub(crate) sources: &'a Sources,
    pub(crate) row: &'a S,
}

impl<S: SlotSource + ?Sized> eval::Row for EvaluatorRow<'_, S> {
    fn get(&self, field: &FieldPath) -> Value {
        let Some(&source) = self.sources.by_path.get(field) else { return Value::Absent };
        let mut values = Vec::new();
        self.sources.each_value(source, self.row, &mut |value| {
            values.push(value.typed.cloned().unwrap_or_else(|| Value::text(value.text)));
        });
        Value::list(values)
    }
}
