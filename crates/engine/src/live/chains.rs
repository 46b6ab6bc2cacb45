//! Findings that go on: as long as the windows that hold a key overlap, it is one finding.

use std::collections::HashMap;

use masthead_ir::finding::{Finding, MAX_EVIDENCE};
use masthead_ir::time::Micros;
use serde::{Deserialize, Serialize};

/// The findings of each key of one rule that something may go on with.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    by_key: HashMap<String, Vec<Chain>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Chain {
    key: String,
    /// From the start of its first window to the end of its last.
    from: Micros,
    until: Micros,
    /// The finding as it was written last.
    pub(crate) finding: Finding,
}

/// A stretch of time that a result row is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    pub(crate) from: Micros,
    pub(crate) until: Micros,
}

/// What becomes of a finding.
#[derive(Debug)]
pub(crate) enum Linked<'c> {
    /// It is a new one.
    New(&'c Chain),
    /// It goes on with another, which changed.
    Grown(&'c Chain),
    /// It says nothing new.
    Same,
}

impl Chains {
    pub(crate) fn restore(&mut self, chain: Chain) {
        self.by_key.entry(chain.key.clone()).or_default().push(chain);
    }

    /// Whether a row of this key and time would go on with a finding that is known.
    pub(crate) fn goes_on(&self, key: &str, at: Stretch) -> bool {
        self.by_key.get(key).is_some_and(|chains| chains.iter().any(|chain| chain.overlaps(at)))
    }

    /// Links what a row gives to the finding that goes on, if one does: of several the first in time.
    pub(crate) fn link(&mut self, key: &str, at: Stretch, finding: Finding) -> Linked<'_> {
        let chains = self.by_key.entry(key.to_owned()).or_default();
        let Some(index) = chains.iter().position(|chain| chain.overlaps(at)) else {
            let place = chains.partition_point(|chain| chain.from <= at.from);
            chains.insert(place, Chain { key: key.to_owned(), from: at.from, until: at.until, finding });
            return Linked::New(&chains[place]);
        };
        let chain = &mut chains[index];
        let merged = merge(&chain.finding, finding, at.until >= chain.until);
        let known = chain.from <= at.from && chain.until >= at.until && merged == chain.finding;
        chain.from = chain.from.min(at.from);
        chain.until = chain.until.max(at.until);
        chain.finding = merged;
        if known { Linked::Same } else { Linked::Grown(chain) }
    }

    /// Forgets what ended before a moment, and gives the ids of the findings.
    pub(crate) fn expire(&mut self, before: Micros) -> Vec<String> {
        let mut gone = Vec::new();
        self.by_key.retain(|_, chains| {
            chains.retain(|chain| {
                let stays = chain.until >= before;
                if !stays {
                    gone.push(chain.finding.finding_id.clone());
                }
                stays
            });
            !chains.is_empty()
        });
        gone
    }
}

impl Chain {
    fn overlaps(&self, at: Stretch) -> bool {
        at.from < self.until && self.from < at.until
    }
}

/// The finding that goes on: what is newest is shown, the evidence of all windows is kept.
fn merge(old: &Finding, new: Finding, newer: bool) -> Finding {
    let mut audit_ids = old.audit_ids.clone();
    for id in &new.audit_ids {
        if audit_ids.len() < MAX_EVIDENCE && !audit_ids.contains(id) {
            audit_ids.push(id.clone());
        }
    }
    let later = |a: &Option<String>, b: &Option<String>| time(a).max(time(b));
    let first_seen = match (time(&old.first_seen), time(&new.first_seen)) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    let last_seen = later(&old.last_seen, &new.last_seen);
    let shown = if newer { &new } else { old };
    Finding {
        finding_id: old.finding_id.clone(),
        first_seen: first_seen.map(|time| time.to_string()),
        last_seen: last_seen.map(|time| time.to_string()),
        count: old.count.max(new.count).max(audit_ids.len() as u64),
        audit_id_count: old.audit_id_count.max(new.audit_id_count).max(audit_ids.len() as u64),
        audit_ids,
        ..shown.clone()
    }
}

fn time(text: &Option<String>) -> Option<jiff::Timestamp> {
    text.as_ref()?.parse().ok()
}
