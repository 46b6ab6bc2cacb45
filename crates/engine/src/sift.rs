//! Events through projection and matcher. What no condition wants is looked at no further.

use std::cell::OnceCell;
use std::sync::Arc;

use masthead_event::doubles::{Identifier, Identity};
use masthead_event::projection::{ProjectionBuffer, SlotRow};
use masthead_event::{Envelope, EventRef, JsonError, Kind, Ledger, Location, Reason};
use masthead_ir::Value;
use masthead_ir::eval::Context;
use masthead_ir::time::Micros;
use masthead_matcher::{EnvelopeField, Scratch, SlotKind, SlotSource};

use crate::plan::{Fetched, Plan, Target};

/// One thread's state.
pub(crate) struct Sifter {
    buffer: ProjectionBuffer,
    wanted: ProjectionBuffer,
    /// By slot of the plan's wanted fields, the value of the event at hand without JSON null, and with it.
    known: Vec<[Value; 2]>,
    scratch: Scratch,
    /// For each slot of the plan's projection, whether some event had a value.
    pub(crate) seen: Vec<bool>,
}

/// What an event is, and who wants it.
pub(crate) struct Sifted {
    /// None for an event without an audit id.
    pub(crate) identity: Option<Identity>,
    pub(crate) time: Option<Micros>,
    /// Empty unless someone wants the event.
    pub(crate) audit_id: String,
    pub(crate) wants: Vec<Want>,
    /// The event's text if it was cut and had to be closed again, and someone wants it.
    pub(crate) salvaged: Option<Vec<u8>>,
}

/// Who wants an event.
pub(crate) enum Want {
    /// A script: index in [`Plan::scripts`].
    Script(usize),
    /// An event source of a pipeline, with the fields that it demands; the error says why they cannot be read.
    Row { pipeline: usize, source: usize, values: Result<Values, String> },
}

/// Fields of an event by name.
pub(crate) type Values = Vec<(Arc<str>, Value)>;

impl Sifter {
    pub(crate) fn new(plan: &Plan) -> Sifter {
        Sifter {
            buffer: ProjectionBuffer::default(),
            wanted: ProjectionBuffer::default(),
            known: Vec::new(),
            scratch: Scratch::new(Context { now: 0 }),
            seen: vec![false; plan.projection.paths().len()],
        }
    }

    /// Reads the fields of one event and finds out who wants it. One that cannot be read is counted in the ledger.
    pub(crate) fn sift(
        &mut self,
        plan: &Plan,
        identifier: Identifier,
        event: &EventRef<'_>,
        at: &Location<'_>,
        ledger: &mut Ledger,
    ) -> Option<Sifted> {
        let error = match self.look(plan, identifier, event) {
            Ok(sifted) => return Some(sifted),
            Err(error) => error,
        };
        let mut salvaged = Vec::new();
        if !error.is_cut() || !masthead_event::salvage::salvage(event.raw, &mut salvaged) {
            ledger.count(error.reason(), at);
            return None;
        }
        ledger.count(Reason::Truncated, at);
        let closed = EventRef { raw: &salvaged, truncated: true, ..*event };
        match self.look(plan, identifier, &closed) {
            Ok(sifted) => {
                let salvaged = (!sifted.wants.is_empty()).then_some(salvaged);
                Some(Sifted { salvaged, ..sifted })
            }
            Err(error) => {
                ledger.count(error.reason(), at);
                None
            }
        }
    }

    fn look(&mut self, plan: &Plan, identifier: Identifier, event: &EventRef<'_>) -> Result<Sifted, JsonError> {
        // A line of text has no fields but those of its envelope.
        let json = if event.text { b"{}" } else { event.raw };
        let row = plan.projection.project(json, &mut self.buffer)?;
        for (slot, seen) in self.seen.iter_mut().enumerate() {
            *seen = *seen || !row.is_empty(slot);
        }
        let at = &plan.identity;
        let text = |slot: usize| row.first(slot).map_or("", |value| value.text);
        let time = [at.received, at.staged].into_iter().find_map(|slot| masthead_event::time::parse(text(slot)));
        let source = Matched { row, event, time, text: OnceCell::new() };
        let conditions = plan.matcher.evaluate(&mut self.scratch, &source);
        let targets: Vec<Target> =
            conditions.iter().filter_map(|condition| plan.targets.get(condition.index()).copied()).collect();
        let audit_id = text(at.audit_id);
        let fingerprint = [at.received, at.staged, at.verb, at.uri, at.user, at.code].map(text);
        let identity = (!audit_id.is_empty()).then(|| identifier.identity(audit_id, text(at.stage), &fingerprint));
        let audit_id = if targets.is_empty() { String::new() } else { audit_id.to_owned() };
        let wants = self.wants(plan, event, time, &targets);
        Ok(Sifted { identity, time, audit_id, wants, salvaged: None })
    }

    /// What those who want the event get of it. Its fields are read once for all of them.
    fn wants(&mut self, plan: &Plan, event: &EventRef<'_>, time: Option<Micros>, targets: &[Target]) -> Vec<Want> {
        let mut fields =
            Fields { event, time, json: if event.text { b"{}" } else { event.raw }, row: None, known: &mut self.known };
        let mut wants = Vec::with_capacity(targets.len());
        for target in targets {
            match *target {
                Target::Script(script) => wants.push(Want::Script(script)),
                Target::Source { pipeline, source } => {
                    let Some(own) = plan.pipelines.get(pipeline) else { continue };
                    let values = match own.fetched.get(source) {
                        Some(Some(columns)) => fields.named(plan, columns, &mut self.wanted),
                        Some(None) => fields.all(),
                        None => continue,
                    };
                    let values = values.map_err(|error| error.to_string());
                    wants.push(Want::Row { pipeline, source, values });
                }
            }
        }
        wants
    }
}

/// The fields of one event, each made a value once.
struct Fields<'f> {
    event: &'f EventRef<'f>,
    time: Option<Micros>,
    json: &'f [u8],
    /// Whether the fields were read; then `known` holds those of each slot.
    row: Option<Result<(), JsonError>>,
    known: &'f mut Vec<[Value; 2]>,
}

impl Fields<'_> {
    /// Columns by name.
    ///
    /// # Errors
    /// When the event cannot be read.
    fn named(&mut self, plan: &Plan, columns: &[Fetched], buffer: &mut ProjectionBuffer) -> Result<Values, JsonError> {
        if self.row.is_none() {
            self.row = Some(self.read(plan, buffer));
        }
        if let Some(Err(error)) = &self.row {
            return Err(*error);
        }
        let value = |column: &Fetched| match column.slot {
            Some(slot) => self.known.get(slot).map_or(Value::Absent, |both| both[usize::from(column.nulls)].clone()),
            None => envelope_value(self.event, self.time, &column.name).unwrap_or_default(),
        };
        let mut values: Values = columns.iter().map(|column| (column.name.clone(), value(column))).collect();
        if self.event.text {
            values.extend(pairs(self.event, |name| columns.iter().any(|column| *column.name == *name)));
        }
        Ok(values)
    }

    /// Reads every slot: without JSON null, and with it.
    fn read(&mut self, plan: &Plan, buffer: &mut ProjectionBuffer) -> Result<(), JsonError> {
        let row = plan.wanted.project(self.json, buffer)?;
        self.known.clear();
        for slot in 0..plan.wanted.paths().len() {
            let mut values = row.values(slot);
            let first = values.next();
            let both = match (first, values.next()) {
                (None, _) => [Value::Absent, Value::Absent],
                (Some(only), None) if only.kind == Kind::Null => [Value::Absent, Value::text(only.text)],
                (Some(only), None) => {
                    let value = Value::text(only.text);
                    [value.clone(), value]
                }
                _ => {
                    let all = || row.values(slot);
                    let plain = all().filter(|value| value.kind != Kind::Null).map(|value| Value::text(value.text));
                    [Value::list(plain), Value::list(all().map(|value| Value::text(value.text)))]
                }
            };
            self.known.push(both);
        }
        Ok(())
    }

    /// Every field under its flat name.
    ///
    /// # Errors
    /// When the event cannot be read.
    fn all(&self) -> Result<Values, JsonError> {
        let mut values = Values::new();
        for name in ["_time", "_raw", "source", "sourcetype", "host"] {
            values.extend(envelope_value(self.event, self.time, name).map(|value| (Arc::from(name), value)));
        }
        if self.event.text {
            values.extend(pairs(self.event, |_| true));
            return Ok(values);
        }
        let mut members: Vec<(Arc<str>, Vec<Value>)> = Vec::new();
        masthead_event::flatten::flatten(self.event.raw, &mut |name, value| match members
            .iter_mut()
            .find(|(known, _)| **known == *name)
        {
            Some((_, list)) => list.push(Value::text(value.text)),
            None => members.push((name.into(), vec![Value::text(value.text)])),
        })?;
        values.extend(members.into_iter().map(|(name, list)| (name, Value::list(list))));
        Ok(values)
    }
}

/// The fields that a line of text brings.
fn pairs(event: &EventRef<'_>, wanted: impl Fn(&str) -> bool) -> Vec<(Arc<str>, Value)> {
    let text = String::from_utf8_lossy(event.raw);
    let found = masthead_query::pairs_of(&text).into_iter().filter(|(name, _)| wanted(name));
    found.map(|(name, value)| (Arc::from(name), value)).collect()
}

/// A time as seconds with a fraction.
fn seconds(time: Micros) -> String {
    format!("{}.{:06}", time.div_euclid(1_000_000), time.rem_euclid(1_000_000))
}

fn envelope_value(event: &EventRef<'_>, time: Option<Micros>, name: &str) -> Option<Value> {
    let Envelope { source, sourcetype, host, log_type, .. } = &**event.envelope;
    let optional = |text: &Option<Arc<str>>| text.as_ref().map_or(Value::Absent, |text| Value::Text(text.clone()));
    Some(match name {
        "source" => Value::Text(source.clone()),
        "sourcetype" => Value::Text(sourcetype.clone()),
        "host" => optional(host),
        "log_type" => optional(log_type),
        "_time" => time.map_or(Value::Absent, |time| Value::Float(time as f64 / 1e6)),
        "_raw" => Value::text(String::from_utf8_lossy(event.raw)),
        _ => return None,
    })
}

/// An event as the matcher reads it.
pub(crate) struct Matched<'a> {
    row: SlotRow<'a>,
    event: &'a EventRef<'a>,
    time: Option<Micros>,
    /// The time as text, once a condition has asked for it.
    text: OnceCell<String>,
}

impl<'a> Matched<'a> {
    /// An event whose time nobody asks for.
    pub(crate) fn of(row: SlotRow<'a>, event: &'a EventRef<'a>) -> Matched<'a> {
        Matched { row, event, time: None, text: OnceCell::new() }
    }
}

impl SlotSource for Matched<'_> {
    fn values(&self, slot: usize, f: &mut dyn FnMut(SlotKind, &str)) {
        for value in self.row.values(slot) {
            let kind = match value.kind {
                Kind::String => SlotKind::String,
                Kind::Number => SlotKind::Number,
                Kind::Bool => SlotKind::Bool,
                Kind::Null => SlotKind::Null,
                Kind::Json => SlotKind::Json,
            };
            f(kind, value.text);
        }
    }

    fn envelope(&self, field: EnvelopeField) -> Option<&str> {
        let envelope = self.event.envelope;
        match field {
            EnvelopeField::Source => Some(&envelope.source),
            EnvelopeField::Sourcetype => Some(&envelope.sourcetype),
            EnvelopeField::Host => envelope.host.as_deref(),
            EnvelopeField::Index => None,
            EnvelopeField::LogType => envelope.log_type.as_deref(),
            EnvelopeField::Time => Some(self.text.get_or_init(|| self.time.map(seconds).unwrap_or_default())),
        }
    }

    fn raw(&self) -> &[u8] {
        self.event.raw
    }
}
