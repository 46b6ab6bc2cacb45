//! Raw audit events: decoders, envelopes, field paths, projection.
//!
//! - [`inputs::discover`] finds the files, [`decode::Decoder`] reads events out of them whatever their format, and the
//!   [`Ledger`] keeps what did not become an event.
//! - [`projection::Projection`] takes the wanted fields out of an event in one pass, [`flatten::flatten`] all of them.
//! - A text that only ends too early ([`JsonError::is_cut`]) may be closed by [`salvage::salvage`].
//! - [`time::parse`] reads times, [`doubles::DoubleFilter`] finds events that were delivered twice.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod decode;
pub mod doubles;
pub mod event;
pub mod flatten;
pub mod inputs;
mod json;
pub mod ledger;
pub mod path;
pub mod projection;
pub mod salvage;
pub mod time;

pub use decode::{Batch, DecodeOptions, Decoder, ReadError};
pub use event::{Envelope, EventRef, Location, Place};
pub use json::{JsonError, JsonErrorKind, Kind, MAX_DEPTH, SlotValue};
pub use ledger::{Ledger, Reason, Tally};
pub use path::FieldPath;
