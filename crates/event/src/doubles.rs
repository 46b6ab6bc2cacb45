//! Events that were delivered twice.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use rustc_hash::FxBuildHasher;
use xxhash_rust::xxh3::Xxh3;

/// What a [`DoubleFilter`] says of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Its audit id and stage are new, or forgotten.
    New,
    /// The same event was seen.
    Double,
    /// Another event with its audit id and stage was seen. Clients choose the audit id by a request header, so this
    /// one must not be dropped.
    Reused,
}

/// An event as a [`DoubleFilter`] knows it; see [`Identifier`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    key: u64,
    print: u64,
}

impl Identity {
    /// As bytes, to be remembered beyond the life of a process together with [`Identifier::seed`].
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.key.to_le_bytes());
        bytes[8..].copy_from_slice(&self.print.to_le_bytes());
        bytes
    }

    /// From [`Identity::to_bytes`].
    pub fn from_bytes(bytes: [u8; 16]) -> Identity {
        let [mut key, mut print] = [[0; 8]; 2];
        key.copy_from_slice(&bytes[..8]);
        print.copy_from_slice(&bytes[8..]);
        Identity { key: u64::from_le_bytes(key), print: u64::from_le_bytes(print) }
    }
}

/// Makes the [`Identity`] of events for one filter. Cheap to copy, so that other threads can do the hashing.
#[derive(Debug, Clone, Copy)]
pub struct Identifier {
    seed: u64,
}

impl Identifier {
    /// `fingerprint` is what tells two events under one audit id and stage apart: requestReceivedTimestamp,
    /// stageTimestamp, verb, requestURI, user.username, responseStatus.code.
    pub fn identity(self, audit_id: &str, stage: &str, fingerprint: &[&str]) -> Identity {
        Identity { key: self.hash(&[audit_id, stage]), print: self.hash(fingerprint) }
    }

    /// What the hashes are keyed with. It must not be told to those who send events.
    pub fn seed(self) -> u64 {
        self.seed
    }

    fn hash(self, parts: &[&str]) -> u64 {
        let mut hasher = Xxh3::with_seed(self.seed);
        for part in parts {
            // With the length, the border between two parts cannot be moved.
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.digest()
    }
}

/// Remembers audit ids and stages, with a fingerprint of the event beside: an audit id is chosen by whoever sends the
/// request, and an attacker must not be able to hide an event behind another one. Hashes are keyed at random, so that
/// collisions cannot be prepared.
///
/// Memory is bounded: entries lie in two generations, and when the younger one holds half of the capacity, the older one
/// is forgotten. An entry takes about 24 bytes.
#[derive(Debug)]
pub struct DoubleFilter {
    identifier: Identifier,
    half: usize,
    young: Generation,
    old: Generation,
}

type Generation = HashMap<u64, u64, FxBuildHasher>;

impl Default for DoubleFilter {
    /// Of 1,048,576 entries.
    fn default() -> DoubleFilter {
        DoubleFilter::new(1 << 20)
    }
}

impl DoubleFilter {
    /// A filter that holds up to `capacity` entries, and at least the last half of that.
    pub fn new(capacity: usize) -> DoubleFilter {
        DoubleFilter::seeded(capacity, RandomState::new().hash_one(0))
    }

    /// Likewise, keyed as another filter was, whose identities it is to know.
    pub fn seeded(capacity: usize, seed: u64) -> DoubleFilter {
        DoubleFilter {
            identifier: Identifier { seed },
            half: (capacity / 2).max(1),
            young: Generation::default(),
            old: Generation::default(),
        }
    }

    /// What makes the identities that this filter knows.
    pub fn identifier(&self) -> Identifier {
        self.identifier
    }

    /// Says whether an event was seen, and remembers it.
    pub fn check(&mut self, event: Identity) -> Verdict {
        let Identity { key, print } = event;
        let Some(first) = self.get(key) else {
            self.insert(key, print);
            return Verdict::New;
        };
        if first == print {
            return Verdict::Double;
        }
        // Further events under the same key lie under a key of their own.
        let own = key.rotate_left(32) ^ print;
        if self.get(own) == Some(print) {
            return Verdict::Double;
        }
        self.insert(own, print);
        Verdict::Reused
    }

    /// How many entries are remembered.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn get(&self, key: u64) -> Option<u64> {
        self.young.get(&key).or_else(|| self.old.get(&key)).copied()
    }

    fn insert(&mut self, key: u64, print: u64) {
        if self.young.len() >= self.half {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(key, print);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attacker_cannot_hide_behind_a_reused_audit_id() {
        let mut filter = DoubleFilter::default();
        for (id, stage, print, expected) in [
            ("a", "ResponseComplete", ["get", "/x"], Verdict::New),
            ("a", "ResponseComplete", ["get", "/x"], Verdict::Double),
            ("a", "ResponseStarted", ["get", "/x"], Verdict::New),
            ("a", "ResponseComplete", ["create", "/x"], Verdict::Reused),
            ("a", "ResponseComplete", ["create", "/x"], Verdict::Double),
            ("a", "ResponseComplete", ["get/", "x"], Verdict::Reused),
            ("a", "ResponseComplete", ["get", "/x"], Verdict::Double),
            ("aResponse", "Complete", ["get", "/x"], Verdict::New),
        ] {
            let event = filter.identifier().identity(id, stage, &print);
            assert_eq!(filter.check(event), expected, "{id} {stage} {print:?}");
        }
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_are_forgotten() {
        let mut filter = DoubleFilter::new(1_000);
        let identifier = filter.identifier();
        let event = |index: usize| identifier.identity(&index.to_string(), "", &[]);
        for index in 0..10_000 {
            assert_eq!(filter.check(event(index)), Verdict::New);
            assert!(filter.len() <= 1_000);
        }
        for index in 9_500..10_000 {
            assert_eq!(filter.check(event(index)), Verdict::Double, "{index}");
        }
        assert_eq!(filter.check(event(0)), Verdict::New);
    }
}
