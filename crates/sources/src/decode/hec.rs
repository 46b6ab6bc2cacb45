//! Splunk's HTTP Event Collector.

use std::sync::Arc;

use masthead_event::Envelope;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Item, Told, push};
use crate::Delivery;

/// Why a body is refused: the collector's own code, and which event is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HecFault {
    /// The code of the answer.
    pub code: u16,
    /// The number of the event, from 0.
    pub invalid_event_number: Option<u64>,
}

impl HecFault {
    fn at(code: u16, number: usize) -> HecFault {
        HecFault { code, invalid_event_number: Some(number as u64) }
    }
}

/// One object of a body.
#[derive(Deserialize)]
struct Packet<'a> {
    host: Option<String>,
    source: Option<String>,
    sourcetype: Option<String>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
}

/// Host, source and sourcetype of events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HecMetadata {
    /// The host.
    pub host: Option<String>,
    /// The source.
    pub source: Option<String>,
    /// The sourcetype.
    pub sourcetype: Option<String>,
}

impl HecMetadata {
    fn envelope(&self, told: &Told) -> Arc<Envelope> {
        let own = |own: &Option<String>| own.as_deref().map(Arc::<str>::from);
        let base = told.envelope();
        Arc::new(Envelope {
            source: own(&self.source).unwrap_or_else(|| base.source.clone()),
            sourcetype: own(&self.sourcetype).unwrap_or_else(|| base.sourcetype.clone()),
            host: own(&self.host).or(base.host.clone()),
            ..base
        })
    }
}

/// Events as JSON objects, one after the other or in an array. Metadata of one object hold for those after it that say
/// nothing else. The body is taken whole or not at all: a sender repeats what was refused, and part of it taken would be
/// there twice then.
///
/// # Errors
/// With the collector's code.
pub fn hec_events(body: &[u8], told: &Told, out: &mut Delivery) -> Result<u64, HecFault> {
    let body = body.trim_ascii();
    if body.is_empty() {
        return Err(HecFault { code: 5, invalid_event_number: None });
    }
    let mut packets = Vec::new();
    if body.starts_with(b"[") {
        packets = serde_json::from_slice::<Vec<Packet<'_>>>(body).map_err(|_| HecFault::at(6, 0))?;
    } else {
        for packet in serde_json::Deserializer::from_slice(body).into_iter::<Packet<'_>>() {
            packets.push(packet.map_err(|_| HecFault::at(6, packets.len()))?);
        }
    }
    let mut metadata = HecMetadata::default();
    let mut envelope = metadata.envelope(told);
    let mut events: Vec<(Arc<Envelope>, Vec<u8>, bool)> = Vec::with_capacity(packets.len());
    for (number, packet) in packets.into_iter().enumerate() {
        let Some(event) = packet.event.filter(|event| event.get() != "null") else {
            return Err(HecFault::at(12, number));
        };
        let now = HecMetadata {
            host: packet.host.or(metadata.host.clone()),
            source: packet.source.or(metadata.source.clone()),
            sourcetype: packet.sourcetype.or(metadata.sourcetype.clone()),
        };
        if now != metadata {
            envelope = now.envelope(told);
            metadata = now;
        }
        let (raw, text) = read(event).ok_or(HecFault::at(13, number))?;
        events.push((envelope.clone(), raw, text));
    }
    let count = events.len() as u64;
    for (record, (envelope, raw, text)) in (1..).zip(events) {
        push(out, &envelope, &raw, Item { record, text, ..Item::default() });
    }
    Ok(count)
}

/// An event's bytes, and whether it is text; none if it is blank. A text that holds a JSON object is that object.
fn read(event: &RawValue) -> Option<(Vec<u8>, bool)> {
    let raw = event.get();
    if !raw.starts_with('"') {
        return Some((raw.as_bytes().to_vec(), !raw.starts_with('{')));
    }
    let text: String = serde_json::from_str(raw).ok()?;
    let trimmed = text.trim();
    match trimmed.as_bytes().first() {
        None => None,
        Some(b'{') => Some((trimmed.as_bytes().to_vec(), false)),
        Some(_) => Some((trimmed.as_bytes().to_vec(), true)),
    }
}

/// Lines of text; a line that is a JSON object is an event of its own kind.
///
/// # Errors
/// With the collector's code.
pub fn hec_raw(body: &[u8], metadata: &HecMetadata, told: &Told, out: &mut Delivery) -> Result<u64, HecFault> {
    let envelope = metadata.envelope(told);
    let mut count = 0;
    for line in body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
        count += 1;
        let text = !line.starts_with(b"{");
        push(out, &envelope, line, Item { record: count, text, ..Item::default() });
    }
    if count == 0 { Err(HecFault { code: 5, invalid_event_number: None }) } else { Ok(count) }
}
