//! Decoders: from the body of a protocol to events.

mod azure;
mod firehose;
mod gke;
mod hec;
mod otlp;

use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use masthead_event::decode::{DecodeOptions, Decoder};
use masthead_event::{Envelope, EventRef, Ledger, Location, Reason};

pub use self::azure::azure;
pub use self::firehose::{FirehoseBody, firehose};
pub use self::gke::{PubsubBody, gke_entry, pubsub};
pub use self::hec::{HecFault, HecMetadata, hec_events, hec_raw};
pub use self::otlp::{OtlpOutcome, otlp_json, otlp_protobuf};
use crate::Delivery;

/// What path, token or configuration say of events; it fills what a body leaves open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The cluster.
    pub cluster: Option<Arc<str>>,
    /// The log type (`Amazon.EKS.Audit`).
    pub log_type: Option<Arc<str>>,
    /// The source.
    pub source: Option<Arc<str>>,
    /// The sourcetype.
    pub sourcetype: Option<Arc<str>>,
    /// The host.
    pub host: Option<Arc<str>>,
}

impl Told {
    /// The envelope of events that came in none.
    pub(crate) fn envelope(&self) -> Envelope {
        let raw = Envelope::raw();
        Envelope {
            source: self.source.clone().unwrap_or(raw.source),
            sourcetype: self.sourcetype.clone().unwrap_or(raw.sourcetype),
            host: self.host.clone(),
            log_type: self.log_type.clone(),
            cluster: self.cluster.clone(),
            ..Envelope::default()
        }
    }
}

/// A body that holds nothing that can be read.
#[derive(Debug, thiserror::Error)]
pub enum Undecodable {
    /// It is not what the protocol says.
    #[error("{0}")]
    Form(String),
    /// It broke off.
    #[error("the body broke off: {0}")]
    Broken(#[source] std::io::Error),
}

/// Audit events in any form that a file of them has: an `EventList`, one event, an array, one event a line.
///
/// # Errors
/// When the body breaks off, or holds something and none of it is an event.
pub fn audit(body: &mut dyn Read, told: &Told, out: &mut Delivery) -> Result<(), Undecodable> {
    let options = DecodeOptions { raw: Arc::new(told.envelope()), ..DecodeOptions::default() };
    let mut ledger = Ledger::default();
    let name = out.source.clone();
    let batch = &mut out.batch;
    let mut take = |event: masthead_event::EventRef<'_>, place: masthead_event::Location<'_>| {
        let fits = told.cluster.is_none() || event.envelope.cluster.is_some();
        if fits {
            batch.push(&event, &place);
        } else {
            // An envelope that names no cluster gets the one that the sender is known by.
            let envelope = Arc::new(Envelope { cluster: told.cluster.clone(), ..(**event.envelope).clone() });
            batch.push(&masthead_event::EventRef { envelope: &envelope, ..event }, &place);
        }
        ControlFlow::Continue(())
    };
    let read = Decoder::new(options).read_stream(Path::new(&*name), body, &mut ledger, &mut take);
    let _taken_whole = read.map_err(|error| Undecodable::Broken(error.source))?;
    let lost = ledger.lost();
    out.ledger.merge(ledger);
    if out.batch.is_empty() && lost > 0 {
        return Err(Undecodable::Form("nothing in the body is an audit event".to_owned()));
    }
    Ok(())
}

/// Adds one event.
pub(crate) fn push(out: &mut Delivery, envelope: &Arc<Envelope>, raw: &[u8], of: Item<'_>) {
    let event = EventRef {
        raw,
        envelope,
        envelope_id: of.id,
        truncated: of.truncated,
        text: of.text,
        ordinal: out.batch.len() as u64,
    };
    let path = out.batch.path().to_owned();
    out.batch.push(&event, &Location { path: &path, line: 0, record: of.record });
}

/// Counts a record that did not become an event, or not a whole one.
pub(crate) fn count(out: &mut Delivery, reason: Reason, record: u64) {
    let path = out.batch.path().to_owned();
    out.ledger.count(reason, &Location { path: &path, line: 0, record });
}

/// What an event is added with.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Item<'i> {
    /// Which record of the body, from 1.
    pub(crate) record: u64,
    /// The envelope's own id of the event.
    pub(crate) id: Option<&'i str>,
    pub(crate) truncated: bool,
    pub(crate) text: bool,
}

/// The whole of a body that is short enough to be held.
pub(crate) fn whole(body: &mut dyn Read) -> Result<Vec<u8>, Undecodable> {
    let mut bytes = Vec::new();
    body.read_to_end(&mut bytes).map_err(Undecodable::Broken)?;
    Ok(bytes)
}
