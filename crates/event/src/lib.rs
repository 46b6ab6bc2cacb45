//! Raw audit events: decoders, envelopes, field paths, projection.

pub mod event;
pub mod path;

pub use event::{Envelope, EventRef, Place};
pub use path::FieldPath;
