//! Events through projection and matcher. What no condition wants is looked at no further.

use std::cell::OnceCell;
use std::sync::Arc;

use masthead_event::doubles::{Identifier, Identity};
use masthead_event::projection::{ProjectionBuffer, SlotRow};
use masthead_event::{Envelope, EventRef, JsonError, Kind, Ledger, Location, Reason};
use masthead_ir::eval::Context;
use masthead_ir::time::Micros;
use masthead_ir::{FieldPath, Value};
use masthead_matcher::{EnvelopeField, Scratch, SlotKind, SlotSource};
use masthead_query::Demand;

use crate::plan::{Plan, Target};

/// One thread's state.
pub(crate) struct Sifter {
    buffer: ProjectionBuffer,
    wanted: ProjectionBuffer,
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
        let wants = targets.into_iter().filter_map(|target| self.want(plan, event, time, target)).collect();
        Ok(Sifted { identity, time, audit_id, wants, salvaged: None })
    }

    fn want(&mut self, plan: &Plan, event: &EventRef<'_>, time: Option<Micros>, target: Target) -> Option<Want> {
        Some(match target {
            Target::Script(script) => Want::Script(script),
            Target::Source { pipeline, source } => {
                let wanted = plan.pipelines.get(pipeline)?.sources.get(source)?;
                let values = self.values(plan, event, time, &wanted.demand).map_err(|error| error.to_string());
                Want::Row { pipeline, source, values }
            }
        })
    }

    /// The fields of an event that a source demands.
    ///
    /// # Errors
    /// When the event cannot be read.
    fn values(
        &mut self,
        plan: &Plan,
        event: &EventRef<'_>,
        time: Option<Micros>,
        demand: &Demand,
    ) -> Result<Values, JsonError> {
        let mut values = Values::new();
        let own = |name: &str| envelope_value(event, time, name);
        match demand {
            Demand::Fields(names) => {
                let json = if event.text { b"{}" } else { event.raw };
                let row = plan.wanted.project(json, &mut self.wanted)?;
                for name in names {
                    let value = own(name).unwrap_or_else(|| {
                        let path = FieldPath::of_column(name);
                        let slot = plan.wanted.slot(&path);
                        let null = |kind: Kind| kind == Kind::Null && matches!(path, FieldPath::Dotted(_));
                        let values = slot.into_iter().flat_map(|slot| row.values(slot)).filter(|v| !null(v.kind));
                        Value::list(values.map(|v| Value::text(v.text)))
                    });
                    values.push((name.as_str().into(), value));
                }
                if event.text {
                    values.extend(pairs(event, |name| names.contains(name)));
                }
            }
            Demand::All => {
                for name in ["_time", "_raw", "source", "sourcetype", "host"] {
                    values.extend(own(name).map(|value| (Arc::from(name), value)));
                }
                if event.text {
                    values.extend(pairs(event, |_| true));
                } else {
                    let mut members: Vec<(Arc<str>, Vec<Value>)> = Vec::new();
                    masthead_event::flatten::flatten(event.raw, &mut |name, value| match members
                        .iter_mut()
                        .find(|(known, _)| **known == *name)
                    {
                        Some((_, list)) => list.push(Value::text(value.text)),
                        None => members.push((name.into(), vec![Value::text(value.text)])),
                    })?;
                    values.extend(members.into_iter().map(|(name, list)| (name, Value::list(list))));
                }
            }
        }
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
    let optional = |text: &Option<Arc<str>>| text.as_ref().map_or(Value::Absent, Value::text);
    Some(match name {
        "source" => Value::text(source),
        "sourcetype" => Value::text(sourcetype),
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
