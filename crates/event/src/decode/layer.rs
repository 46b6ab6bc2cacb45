//! Layers of compression.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use crate::ledger::Reason;

use super::source::Source;
use super::{Decoding, Reading, Stop};

/// Enough for the decompressors to work without many calls.
const COMPRESSED_CHUNK: usize = 64 * 1024;

/// A failure of a decompressor over data that could be read: it must not be taken for one of the file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Damaged(io::Error);

/// Marks the failures of a decompressor.
struct Decompressed<R>(R);

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| {
            let of_the_data = matches!(
                error.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof
            ) || (error.kind() == io::ErrorKind::Other && error.raw_os_error().is_none());
            if of_the_data { io::Error::other(Damaged(error)) } else { error }
        })
    }
}

fn is_damage(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Damaged>())
}

impl Decoding<'_> {
    /// Reads a stream of whatever format. `embedded` is the size of the piece of data that it is read from, if it is not
    /// an input itself.
    pub(super) fn stream(&mut self, reader: &mut dyn Read, embedded: Option<usize>) -> Reading {
        let mut head = [0; 4];
        let (length, failure) = read_head(reader, &mut head);
        if let Some(error) = failure {
            return self.failed(error, 1);
        }
        let head = head.get(..length).unwrap_or_default();
        let gzip = head.starts_with(&[0x1f, 0x8b, 0x08]);
        // A zstd frame, or one that only carries data for others and may stand before it.
        let zstd = head == [0x28, 0xb5, 0x2f, 0xfd] || (head.len() == 4 && head.ends_with(&[0x2a, 0x4d, 0x18]));
        let mut whole = head.chain(reader);
        if !gzip && !zstd {
            return self.plain(&mut whole, embedded);
        }
        if self.layers >= self.options.max_layers {
            self.count(Reason::BadEnvelope, 1);
            return Ok(());
        }
        self.layers += 1;
        let result = if gzip {
            let gzip = MultiGzDecoder::new(BufReader::with_capacity(COMPRESSED_CHUNK, whole));
            self.stream(&mut Decompressed(gzip), embedded)
        } else {
            match zstd::stream::read::Decoder::new(&mut whole) {
                Ok(zstd) => self.stream(&mut Decompressed(zstd), embedded),
                Err(error) => self.failed(error, 1),
            }
        };
        self.layers -= 1;
        result
    }

    fn plain(&mut self, reader: &mut dyn Read, embedded: Option<usize>) -> Reading {
        let budget = embedded.map(|_| self.options.max_embedded);
        let mut source = Source::new(reader, embedded.map(|size| size.saturating_mul(4)), budget);
        let result = self.records(&mut source);
        if embedded.is_none() {
            self.ledger.bytes_decoded += source.total;
        }
        result?;
        if source.over_budget {
            self.count(Reason::TooLong, source.line);
        }
        match source.failure.take() {
            Some(error) => self.failed(error, source.line),
            None => Ok(()),
        }
    }

    fn failed(&mut self, error: io::Error, line: u64) -> Reading {
        if is_damage(&error) {
            self.count(Reason::BadCompression, line);
            return Ok(());
        }
        Err(Stop::Failed(error))
    }
}

/// Reads until the head is full or the stream ends.
fn read_head(reader: &mut dyn Read, head: &mut [u8]) -> (usize, Option<io::Error>) {
    let mut length = 0;
    while let Some(room) = head.get_mut(length..).filter(|room| !room.is_empty()) {
        match reader.read(room) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (length, Some(error)),
        }
    }
    (length, None)
}
