//! Findings that go on: as long as the windows that hold a key overlap, it is one finding.

use std::collections::HashMap;
use std::hash::BuildHasher as _;

use masthead_ir::finding::{Finding, MAX_EVIDENCE};
use masthead_ir::time::Micros;
use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Serialize};

use crate::finding::rfc3339;

/// The findings of each key of one rule that something may go on with.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    by_key: HashMap<String, Vec<Chain>>,
}

/// What must be known of a finding to go on with it. The finding itself is not kept: there may be very many.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Chain {
    key: String,
    /// From the start of its first window to the end of its last.
    from: Micros,
    until: Micros,
    finding_id: String,
    first: Option<Micros>,
    last: Option<Micros>,
    count: u64,
    audit_id_count: u64,
    audit_ids: Vec<String>,
    /// A hash of what was written last.
    shown: u64,
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
    New(Finding, &'c Chain),
    /// It goes on with another, which changed.
    Grown(Finding, &'c Chain),
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
            chains.insert(place, Chain::new(key, at, &finding));
            return Linked::New(finding, &chains[place]);
        };
        let chain = &mut chains[index];
        // What is newest is shown; a window that lies before it adds its evidence alone, with the next one.
        let newer = at.until >= chain.until;
        let wider = at.from < chain.from || at.until > chain.until;
        chain.from = chain.from.min(at.from);
        chain.until = chain.until.max(at.until);
        let merged = chain.merge(finding);
        let shown = hash(&merged);
        if (!newer && !wider) || shown == chain.shown {
            return Linked::Same;
        }
        chain.shown = shown;
        Linked::Grown(merged, chain)
    }

    /// About how many bytes they take.
    pub(crate) fn size(&self) -> usize {
        self.by_key.values().flatten().map(Chain::size).sum()
    }

    /// Forgets what ended first until at most `target` bytes are taken, and gives the ids of the findings.
    pub(crate) fn shrink(&mut self, target: usize) -> Vec<String> {
        let mut size = self.size();
        if size <= target {
            return Vec::new();
        }
        let all = self.by_key.values().flatten();
        let mut ends: Vec<(Micros, usize)> = all.map(|chain| (chain.until, chain.size())).collect();
        ends.sort_unstable();
        let mut before = Micros::MIN;
        for (until, own) in ends {
            if size <= target {
                break;
            }
            size = size.saturating_sub(own);
            before = until + 1;
        }
        self.expire(before)
    }

    /// Forgets what ended before a moment, and gives the ids of the findings.
    pub(crate) fn expire(&mut self, before: Micros) -> Vec<String> {
        let mut gone = Vec::new();
        self.by_key.retain(|_, chains| {
            chains.retain(|chain| {
                let stays = chain.until >= before;
                if !stays {
                    gone.push(chain.finding_id.clone());
                }
                stays
            });
            !chains.is_empty()
        });
        gone
    }
}

impl Chain {
    fn new(key: &str, at: Stretch, finding: &Finding) -> Chain {
        Chain {
            key: key.to_owned(),
            from: at.from,
            until: at.until,
            finding_id: finding.finding_id.clone(),
            first: micros(&finding.first_seen),
            last: micros(&finding.last_seen),
            count: finding.count,
            audit_id_count: finding.audit_id_count,
            audit_ids: finding.audit_ids.clone(),
            shown: hash(finding),
        }
    }

    fn size(&self) -> usize {
        350 + 2 * self.key.len() + self.audit_ids.len() * 80
    }

    fn overlaps(&self, at: Stretch) -> bool {
        at.from < self.until && self.from < at.until
    }

    /// The finding that goes on: what is new is shown, the evidence of all windows is kept.
    fn merge(&mut self, new: Finding) -> Finding {
        for id in &new.audit_ids {
            if self.audit_ids.len() < MAX_EVIDENCE && !self.audit_ids.contains(id) {
                self.audit_ids.push(id.clone());
            }
        }
        let known = self.audit_ids.len() as u64;
        self.first = [self.first, micros(&new.first_seen)].into_iter().flatten().min();
        self.last = self.last.max(micros(&new.last_seen));
        self.count = self.count.max(new.count).max(known);
        self.audit_id_count = self.audit_id_count.max(new.audit_id_count).max(known);
        Finding {
            finding_id: self.finding_id.clone(),
            first_seen: self.first.and_then(rfc3339),
            last_seen: self.last.and_then(rfc3339),
            count: self.count,
            audit_id_count: self.audit_id_count,
            audit_ids: self.audit_ids.clone(),
            ..new
        }
    }
}

fn micros(text: &Option<String>) -> Option<Micros> {
    text.as_ref()?.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond)
}

/// What tells two states of a finding apart.
fn hash(finding: &Finding) -> u64 {
    let text = serde_json::to_string(finding).unwrap_or_default();
    FxBuildHasher.hash_one(text)
}
