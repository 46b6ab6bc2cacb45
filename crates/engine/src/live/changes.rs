//! What changed, and must be written in one transaction with the place up to which events were read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use masthead_ir::finding::Finding;
use masthead_ir::rule::Rule;
use masthead_ir::time::Micros;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a [`Live`](super::Live) wants to be written, all or nothing.
#[derive(Debug, Default)]
pub struct Changes {
    /// Findings that are new or have changed. Writing one again replaces it.
    pub findings: Vec<Raised>,
    /// Ids of findings that turned out to be another: the old one and the new one. They come before `findings`.
    pub renames: Vec<(String, String)>,
    /// State by key; the same key replaces.
    pub puts: Vec<(String, Vec<u8>)>,
    /// Keys of state that is no longer needed.
    pub deletes: Vec<String>,
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty() && self.renames.is_empty() && self.puts.is_empty() && self.deletes.is_empty()
    }
}

/// A finding, and the rule that it is of.
#[derive(Debug, Clone)]
pub struct Raised {
    /// The finding.
    pub finding: Finding,
    /// Its rule.
    pub rule: Arc<Rule>,
    /// When the oldest of the events that were looked at for it was received; none if its schedule said when to look.
    pub received: Option<Micros>,
    /// Whether it is of a window, not of single events.
    pub windowed: bool,
}

/// Collects changes; of several under one key the last counts.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    findings: BTreeMap<String, Raised>,
    renames: Vec<(String, String)>,
    puts: BTreeMap<String, Vec<u8>>,
    deletes: BTreeSet<String>,
}

impl Pending {
    pub(crate) fn raise(&mut self, raised: Raised) {
        self.findings.insert(raised.finding.finding_id.clone(), raised);
    }

    pub(crate) fn rename(&mut self, from: String, to: String) {
        self.findings.remove(&from);
        self.renames.push((from, to));
    }

    pub(crate) fn put(&mut self, key: String, bytes: Vec<u8>) {
        self.deletes.remove(&key);
        self.puts.insert(key, bytes);
    }

    pub(crate) fn put_value(&mut self, key: String, value: &impl Serialize) {
        // The values are plain data of our own: numbers, texts, lists.
        if let Ok(bytes) = rmp_serde::to_vec_named(value) {
            self.put(key, bytes);
        }
    }

    pub(crate) fn delete(&mut self, key: String) {
        self.puts.remove(&key);
        self.deletes.insert(key);
    }

    pub(crate) fn take(&mut self) -> Changes {
        let Pending { findings, renames, puts, deletes } = std::mem::take(self);
        Changes {
            findings: findings.into_values().collect(),
            renames,
            puts: puts.into_iter().collect(),
            deletes: deletes.into_iter().collect(),
        }
    }
}

/// A value from state; none if it is of another version, or damaged.
pub(crate) fn value<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    rmp_serde::from_slice(bytes).ok()
}
