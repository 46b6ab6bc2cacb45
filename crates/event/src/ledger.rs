//! What was read, and what became of that which did not become an event.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::{Location, Place};

/// How many places are kept for each reason.
const PLACES: usize = 5;

/// Why a record was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It is no JSON.
    NotJson,
    /// It is not UTF-8.
    InvalidUtf8,
    /// It holds a NUL byte.
    NulByte,
    /// It is nested too deep.
    TooDeep,
    /// It is longer than the limit.
    TooLong,
    /// It was cut on its way, and is read as far as it goes.
    Truncated,
    /// An envelope that does not hold what it should.
    BadEnvelope,
    /// The compressed data is damaged or ends too early; what came before is read.
    BadCompression,
    /// A record of a log group's other streams, given as text.
    NotAudit,
    /// A message that only tests the delivery.
    Control,
    /// An event that was read before.
    Double,
    /// Another event under an audit id and stage that were seen before; it is read.
    ReusedAuditId,
    /// A file or folder that could not be read.
    Unreadable,
}

impl Reason {
    /// The reason's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::NotJson => "not-json",
            Reason::InvalidUtf8 => "invalid-utf8",
            Reason::NulByte => "nul-byte",
            Reason::TooDeep => "too-deep",
            Reason::TooLong => "too-long",
            Reason::Truncated => "truncated",
            Reason::BadEnvelope => "bad-envelope",
            Reason::BadCompression => "bad-compression",
            Reason::NotAudit => "not-audit",
            Reason::Control => "control",
            Reason::Double => "double",
            Reason::ReusedAuditId => "reused-audit-id",
            Reason::Unreadable => "unreadable",
        }
    }

    /// Whether something was lost. A truncated event goes on as far as it reaches, a double was there before.
    pub fn is_loss(self) -> bool {
        !matches!(self, Reason::Truncated | Reason::NotAudit | Reason::Control | Reason::Double | Reason::ReusedAuditId)
    }
}

/// How often something was counted, and where first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// How often.
    pub count: u64,
    /// The first five places by path, line and record.
    pub first: Vec<Place>,
}

impl Tally {
    fn keep(&mut self, place: Place) {
        let index = self.first.partition_point(|kept| *kept <= place);
        if index < PLACES {
            self.first.insert(index, place);
            self.first.truncate(PLACES);
        }
    }
}

/// What was read and counted. Ledgers of several threads are merged; the result does not depend on the order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// Events given on by the decoders, text included.
    pub events: u64,
    /// Bytes read from the inputs as they lie there.
    pub bytes_read: u64,
    /// Bytes after decompression, without those inside of envelopes.
    pub bytes_decoded: u64,
    /// What did not become an event, or not a whole one.
    pub reasons: BTreeMap<Reason, Tally>,
}

impl Ledger {
    /// Counts one record.
    pub fn count(&mut self, reason: Reason, location: &Location<'_>) {
        let tally = self.reasons.entry(reason).or_default();
        tally.count += 1;
        let comes_before = |last: &Place| (location.path, location.line, location.record) < last.key();
        if tally.first.len() < PLACES || tally.first.last().is_some_and(comes_before) {
            tally.keep(location.to_place());
        }
    }

    /// How often a reason was counted.
    pub fn of(&self, reason: Reason) -> u64 {
        self.reasons.get(&reason).map_or(0, |tally| tally.count)
    }

    /// How many records were lost.
    pub fn lost(&self) -> u64 {
        self.reasons.iter().filter(|(reason, _)| reason.is_loss()).map(|(_, tally)| tally.count).sum()
    }

    /// Takes in what another ledger counted.
    pub fn merge(&mut self, other: Ledger) {
        self.events += other.events;
        self.bytes_read += other.bytes_read;
        self.bytes_decoded += other.bytes_decoded;
        for (reason, tally) in other.reasons {
            let own = self.reasons.entry(reason).or_default();
            own.count += tally.count;
            for place in tally.first {
                own.keep(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn merging_does_not_depend_on_the_order() {
        let path = Path::new("a.jsonl");
        let ledger = |lines: &[u64]| {
            let mut ledger = Ledger::default();
            for line in lines {
                ledger.count(Reason::NotJson, &Location { path, line: *line, record: 0 });
            }
            ledger
        };
        let (left, right) = (ledger(&[9, 2, 11, 4, 5, 6, 1]), ledger(&[3, 8]));
        let mut one = left.clone();
        one.merge(right.clone());
        let mut other = right;
        other.merge(left);
        assert_eq!(one, other);
        let tally = &one.reasons[&Reason::NotJson];
        assert_eq!(tally.count, 9);
        assert_eq!(tally.first.iter().map(|place| place.line).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!(one.lost(), 9);
        assert_eq!(
            serde_json::to_string(&tally.first[0]).expect("places are plain"),
            r#"{"path":"a.jsonl","line":1,"record":0}"#
        );
    }
}
