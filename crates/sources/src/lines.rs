//! Whole lines of a growing text, decoded into a delivery.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use masthead_event::{Batch, DecodeOptions, Decoder, Envelope, Location, Reason};

use crate::Delivery;

/// A longer line is counted and passed over. The decoder's limit for a record is the same.
pub(crate) const LONGEST_LINE: usize = 16 << 20;

/// How the lines of one source become deliveries.
#[derive(Debug)]
pub(crate) struct Lines {
    source: Arc<str>,
    decoder: Decoder,
}

impl Lines {
    pub(crate) fn new(source: Arc<str>, envelope: Arc<Envelope>, text_lines: bool) -> Lines {
        let options = DecodeOptions { raw: envelope, text_lines, max_record: LONGEST_LINE, ..DecodeOptions::default() };
        Lines { source, decoder: Decoder::new(options) }
    }

    /// Decodes whole lines, the first of which has the number `first_line`.
    pub(crate) fn deliver(&mut self, path: &Path, bytes: &[u8], first_line: u64) -> Delivery {
        let mut delivery = Delivery::new(&self.source);
        let Delivery { batch, ledger, .. } = &mut delivery;
        *batch = Batch::new(Arc::from(path), 0);
        // In the middle of a text such bytes are garbage on one line, and must not make an archive of all that follow.
        let lead: &[u8] = if is_compressed(bytes) { b"\n" } else { b"" };
        let place = |line: u64| (line + first_line).saturating_sub(1 + lead.len() as u64);
        let mut reader = std::io::Read::chain(lead, bytes);
        let read = self.decoder.read_stream(path, &mut reader, ledger, &mut |event, location| {
            batch.push(&event, &Location { line: place(location.line), ..location });
            ControlFlow::Continue(())
        });
        if read.is_err() {
            ledger.count(Reason::Unreadable, &Location { path, line: 1, record: 0 });
        }
        for counted in ledger.reasons.values_mut().flat_map(|tally| &mut tally.first) {
            counted.line = place(counted.line);
        }
        (ledger.bytes_read, ledger.bytes_decoded) = (bytes.len() as u64, bytes.len() as u64);
        delivery
    }

    /// Tells of a line that is too long.
    pub(crate) fn too_long(&self, path: &Path, line: u64) -> Delivery {
        let mut delivery = self.nothing();
        delivery.ledger.count(Reason::TooLong, &Location { path, line, record: 0 });
        delivery
    }

    /// A delivery that only carries a mark.
    pub(crate) fn nothing(&self) -> Delivery {
        Delivery::new(&self.source)
    }
}

/// Whether bytes begin like a gzip or zstd file.
pub(crate) fn is_compressed(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b, 0x08])
        || bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
        || bytes.get(1..4) == Some(&[0x2a, 0x4d, 0x18])
}

/// The length of the whole lines at the beginning of a text: up to and including its last line end.
pub(crate) fn whole_lines(bytes: &[u8]) -> usize {
    memchr::memrchr(b'\n', bytes).map_or(0, |end| end + 1)
}

/// How many line ends a text has.
pub(crate) fn line_ends(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_from_the_line_that_was_told() {
        let mut lines = Lines::new("file".into(), Arc::new(Envelope::raw()), false);
        let delivery = lines.deliver("a.log".as_ref(), b"{\"a\":1}\nno event\n\n{\"a\":2}\n", 41);
        let places: Vec<_> = delivery.batch.iter().map(|(event, place)| (event.raw.to_vec(), place.line)).collect();
        assert_eq!(places, [(b"{\"a\":1}".to_vec(), 41), (b"{\"a\":2}".to_vec(), 44)]);
        assert_eq!(delivery.batch.path(), Path::new("a.log"));
        let lost = &delivery.ledger.reasons[&Reason::NotJson];
        assert_eq!((lost.count, lost.first[0].line), (1, 42));
        assert_eq!((delivery.ledger.events, delivery.ledger.bytes_read), (2, 26));
    }

    #[test]
    fn a_line_that_looks_compressed_costs_only_itself() {
        let mut lines = Lines::new("file".into(), Arc::new(Envelope::raw()), false);
        let delivery = lines.deliver("a.log".as_ref(), b"\x1f\x8b\x08garbage\n{\"a\":1}\n", 7);
        assert_eq!(delivery.batch.iter().map(|(_, place)| place.line).collect::<Vec<_>>(), [8]);
        assert_eq!(delivery.ledger.lost(), 1);
        let places: Vec<_> = delivery.ledger.reasons.values().flat_map(|tally| &tally.first).collect();
        assert_eq!(places[0].line, 7);
    }
}
