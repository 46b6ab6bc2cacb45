//! Envelopes, and the carriers that wrap them in base64: Lambda, Kinesis, Firehose.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::json::structure::Structure;
use crate::ledger::Reason;
use crate::path::FieldPath;
use crate::projection::{Projection, ProjectionBuffer};

use super::record::{ArrayEnd, Captured, Item};
use super::shape::Shape;
use super::source::Source;
use super::{Decoding, Meta, Reading};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How the beginning of a gzip stream looks in base64.
pub(super) const GZIP_IN_BASE64: &[u8] = b"H4sI";

/// The slots of [`fields`].
pub(super) const ID: usize = 0;
pub(super) const MESSAGE: usize = 1;
const DATA: usize = 2;
const KINESIS_DATA: usize = 3;

/// The fields that items of envelopes have.
pub(super) fn fields() -> Projection {
    Projection::new(["id", "message", "data", "kinesis.data"].map(FieldPath::flat).into())
}

impl Decoding<'_> {
    /// Reads the envelope at the window's start.
    pub(super) fn envelope(&mut self, source: &mut Source<'_>, shape: Shape) -> Reading<ArrayEnd> {
        let (kind, array) = match shape {
            Shape::Event => (Item::Ignored, 0),
            Shape::List(array) => (Item::Event, array),
            Shape::Records(array) => (Item::Carried, array),
            Shape::LogEvents(header, array) => (self.log_stream(header, source.line), array),
            Shape::Lambda(value) => {
                source.consume(value);
                let line = source.line;
                match self.capture(source) {
                    Captured::Whole(length) => {
                        self.carried(source.window().get(..length).unwrap_or_default(), line)?;
                        source.consume(length);
                    }
                    Captured::Cut(length) => {
                        self.count(Reason::BadEnvelope, line);
                        source.consume(length);
                        return Ok(ArrayEnd::Broken);
                    }
                    Captured::TooLong => self.count(Reason::TooLong, line),
                }
                return Ok(close(source));
            }
        };
        source.consume(array + 1);
        match self.items(source, kind)? {
            ArrayEnd::Closed => Ok(close(source)),
            end => Ok(end),
        }
    }

    /// Reads a record of a carrier: what it carries, or if it carries nothing, itself.
    pub(super) fn carried(&mut self, record: &[u8], line: u64) -> Reading {
        let mut buffer = ProjectionBuffer::default();
        let row = match self.fields.project(record, &mut buffer) {
            Ok(row) => row,
            Err(error) => {
                self.next_record();
                self.count(error.reason(), line);
                return Ok(());
            }
        };
        match row.first(DATA).or_else(|| row.first(KINESIS_DATA)) {
            Some(data) => self.base64(data.text.trim().as_bytes(), line),
            None => {
                self.next_record();
                self.emit(record, Meta::raw(line))
            }
        }
    }

    /// Reads what was written in base64.
    pub(super) fn base64(&mut self, text: &[u8], line: u64) -> Reading {
        match BASE64.decode(text) {
            Ok(bytes) if self.layers < self.options.max_layers => {
                self.layers += 1;
                let result = self.stream(&mut bytes.as_slice(), Some(bytes.len()));
                self.layers -= 1;
                result
            }
            _ => {
                self.next_record();
                self.count(Reason::BadEnvelope, line);
                Ok(())
            }
        }
    }
}

/// Drops what is left of an object of which one member was read.
fn close(source: &mut Source<'_>) -> ArrayEnd {
    match source.trim() {
        Some(b'}' | b',') => {}
        Some(_) => return ArrayEnd::Broken,
        None => return ArrayEnd::Missing,
    }
    let mut structure = Structure::within(1);
    loop {
        let window = source.window();
        match structure.feed(window) {
            Some(end) => {
                source.consume(end);
                return ArrayEnd::Closed;
            }
            None => {
                source.consume(window.len());
                if !source.fill() {
                    return ArrayEnd::Missing;
                }
            }
        }
    }
}
