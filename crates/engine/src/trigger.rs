//! From the matches of a script to findings: dedup strings, periods, thresholds.
//!
//! What comes out depends on the matches alone and not on the order in which they come, so that a stream whose batches
//! arrive unordered gives what a scan of the sorted log gives. For this matches are kept in panes, a sixtieth of the
//! period long; groups are made of whole panes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher;

use masthead_ir::finding::MAX_EVIDENCE;
use masthead_ir::rule::{ScriptVerdict, Trigger};
use masthead_ir::time::Micros;
use rustc_hash::{FxBuildHasher, FxHashSet};
use serde::{Deserialize, Serialize};

/// How many different values of a summary field are counted: the first ones by order.
const MAX_SUMMARY_VALUES: usize = 1_000;

/// How many values of a summary field are told, the commonest.
const MAX_TOLD: usize = 10;

/// How many entities a finding names.
const MAX_ENTITIES: usize = 100;

/// Up to how many different audit ids are counted exactly.
const MAX_COUNTED: usize = 1_000;

/// Into how many panes a period is divided.
const PANES: Micros = 60;

/// Matches of one dedup string that belong together.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Group {
    /// The dedup string.
    pub(crate) dedup: String,
    /// Time of the first match; none if the matches have no time.
    pub(crate) first: Option<Micros>,
    /// Time of the last match.
    pub(crate) last: Option<Micros>,
    /// How many matches.
    pub(crate) count: u64,
    /// Times and audit ids, the first ones.
    evidence: BTreeSet<(Option<Micros>, String)>,
    /// Hashes of different audit ids, as long as they are few.
    seen: FxHashSet<u64>,
    /// Types and values of indicators, the first ones by order.
    pub(crate) entities: BTreeSet<(String, String)>,
    /// Cluster of the matches; none if they are of several.
    pub(crate) cluster: Option<String>,
    /// What the script said of the match that came first in time.
    pub(crate) verdict: ScriptVerdict,
    /// The audit id of that match: of several at one time, the smallest counts.
    verdict_of: String,
    /// Values of the summary fields, with how often each was seen.
    summary: BTreeMap<String, BTreeMap<String, u64>>,
}

/// One match of a script.
#[derive(Debug)]
pub(crate) struct Match {
    /// Event time.
    pub(crate) time: Option<Micros>,
    /// Audit id of the event.
    pub(crate) audit_id: String,
    /// Its cluster.
    pub(crate) cluster: Option<String>,
    /// What the script said.
    pub(crate) verdict: ScriptVerdict,
}

/// The panes of one dedup string. Matches without a time have one of their own.
type Panes = BTreeMap<Option<i64>, Group>;

/// Groups the matches of one rule.
///
/// A period begins with its first match and lasts as long as the rule says, rounded up to a whole pane; the next match
/// after it begins another. Memory is bounded by the number of panes, not of matches.
#[derive(Debug)]
pub(crate) struct Grouping {
    period: Micros,
    pane: Micros,
    threshold: u64,
    dedups: HashMap<String, Panes>,
    touched: BTreeSet<(String, Option<i64>)>,
}

impl Grouping {
    pub(crate) fn new(trigger: &Trigger) -> Grouping {
        let period = Micros::try_from(trigger.period_minutes).unwrap_or(Micros::MAX).saturating_mul(60_000_000).max(1);
        // A threshold keeps alerts back; what makes none is told as it is.
        let threshold = if trigger.alert { trigger.threshold.max(1) } else { 1 };
        let pane = (period / PANES).max(1);
        Grouping { period, pane, threshold, dedups: HashMap::new(), touched: BTreeSet::new() }
    }

    pub(crate) fn add(&mut self, found: Match) {
        let dedup = found.verdict.dedup.clone().unwrap_or_default();
        let pane = found.time.map(|time| time.div_euclid(self.pane));
        self.touched.insert((dedup.clone(), pane));
        let panes = self.dedups.entry(dedup.clone()).or_default();
        match panes.get_mut(&pane) {
            Some(group) => group.add(found),
            None => {
                panes.insert(pane, Group::new(dedup, found));
            }
        }
    }

    /// The groups of one dedup string that reached the threshold, by time.
    pub(crate) fn groups(&self, dedup: &str) -> Vec<Group> {
        self.dedups.get(dedup).map(|panes| self.partition(panes)).unwrap_or_default()
    }

    fn partition(&self, panes: &Panes) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for (pane, more) in panes {
            let start = pane.map(|pane| pane.saturating_mul(self.pane));
            match groups.last_mut() {
                Some(group) if holds(group.first, start, self.period) => group.merge(more),
                _ => groups.push(more.clone()),
            }
        }
        groups.retain(|group| group.count >= self.threshold);
        groups
    }

    /// All groups that reached the threshold, by time and dedup string.
    pub(crate) fn finish(self) -> Vec<Group> {
        let mut groups: Vec<Group> = self.dedups.values().flat_map(|panes| self.partition(panes)).collect();
        groups.sort_by(|a, b| (a.first, &a.dedup).cmp(&(b.first, &b.dedup)));
        groups
    }

    /// The panes that got matches since this was asked last.
    pub(crate) fn take_touched(&mut self) -> BTreeSet<(String, Option<i64>)> {
        std::mem::take(&mut self.touched)
    }

    /// One pane as it stands.
    pub(crate) fn pane(&self, dedup: &str, pane: Option<i64>) -> Option<&Group> {
        self.dedups.get(dedup)?.get(&pane)
    }

    /// Puts back a pane.
    pub(crate) fn restore(&mut self, pane: Option<i64>, group: Group) {
        self.dedups.entry(group.dedup.clone()).or_default().insert(pane, group);
    }

    /// Forgets groups whose period ended before a moment, and tells their panes. Only whole groups go, since where one begins
    /// depends on where the one before it ended.
    pub(crate) fn expire(&mut self, before: Micros) -> Vec<(String, Option<i64>)> {
        let (period, pane) = (self.period, self.pane);
        let mut gone = Vec::new();
        self.dedups.retain(|dedup, panes| {
            let mut first: Option<Micros> = None;
            let mut old = Vec::new();
            for (at, group) in panes.iter() {
                let start = at.map(|at| at.saturating_mul(pane));
                if !holds(first, start, period) || first.is_none() {
                    first = group.first;
                }
                let ended = |first: Micros| first.saturating_add(period).saturating_add(pane) < before;
                if first.is_some_and(ended) {
                    old.push(*at);
                }
            }
            for at in old {
                panes.remove(&at);
                gone.push((dedup.clone(), at));
            }
            !panes.is_empty()
        });
        gone
    }

    /// The dedup strings.
    pub(crate) fn dedups(&self) -> impl Iterator<Item = &str> {
        self.dedups.keys().map(String::as_str)
    }

    /// How many dedup strings there are.
    pub(crate) fn len(&self) -> usize {
        self.dedups.len()
    }
}

/// Whether a pane that starts so belongs to a group that began with its first match.
fn holds(first: Option<Micros>, start: Option<Micros>, period: Micros) -> bool {
    match (first, start) {
        (Some(first), Some(start)) => start < first.saturating_add(period),
        (first, start) => first == start,
    }
}

impl Group {
    fn new(dedup: String, found: Match) -> Group {
        let mut group = Group {
            dedup,
            first: found.time,
            last: found.time,
            count: 0,
            evidence: BTreeSet::new(),
            seen: FxHashSet::default(),
            entities: BTreeSet::new(),
            cluster: found.cluster.clone(),
            verdict: ScriptVerdict { summary: BTreeMap::new(), entities: Vec::new(), ..found.verdict.clone() },
            verdict_of: found.audit_id.clone(),
            summary: BTreeMap::new(),
        };
        group.add(found);
        group
    }

    /// How many different audit ids there are: exact up to some, then the number of matches.
    pub(crate) fn audit_id_count(&self) -> u64 {
        if self.seen.len() <= MAX_COUNTED { self.seen.len() as u64 } else { self.count }
    }

    /// The audit ids of the first matches, in order of time.
    pub(crate) fn audit_ids(&self) -> Vec<String> {
        let mut known = BTreeSet::new();
        self.evidence.iter().filter(|(_, id)| known.insert(id)).map(|(_, id)| id.clone()).collect()
    }

    /// The summary fields with their commonest values, and how often each was seen.
    pub(crate) fn summary(&self) -> BTreeMap<&str, BTreeMap<&str, u64>> {
        self.summary.iter().map(|(field, counts)| (field.as_str(), commonest(counts))).collect()
    }

    fn add(&mut self, found: Match) {
        let Match { time, audit_id, cluster, mut verdict } = found;
        let (summary, entities) = (std::mem::take(&mut verdict.summary), std::mem::take(&mut verdict.entities));
        self.count += 1;
        self.speak(time, verdict, &audit_id);
        self.last = self.last.max(time);
        if self.cluster != cluster {
            self.cluster = None;
        }
        if !audit_id.is_empty() {
            self.see(FxBuildHasher.hash_one(&audit_id));
            self.show((time, audit_id));
        }
        for (field, found) in summary {
            self.summary.entry(field.clone()).or_default();
            for value in found {
                self.count_value(&field, value, 1);
            }
        }
        entities.into_iter().for_each(|entity| self.name(entity));
    }

    fn merge(&mut self, other: &Group) {
        self.count += other.count;
        self.speak(other.first, other.verdict.clone(), &other.verdict_of);
        self.last = self.last.max(other.last);
        if self.cluster != other.cluster {
            self.cluster = None;
        }
        other.seen.iter().for_each(|hash| self.see(*hash));
        other.evidence.iter().for_each(|evidence| self.show(evidence.clone()));
        for (field, counts) in &other.summary {
            self.summary.entry(field.clone()).or_default();
            counts.iter().for_each(|(value, count)| self.count_value(field, value.clone(), *count));
        }
        other.entities.iter().for_each(|entity| self.name(entity.clone()));
    }

    /// The match that came first speaks for all.
    fn speak(&mut self, time: Option<Micros>, verdict: ScriptVerdict, audit_id: &str) {
        if (time, audit_id) < (self.first, self.verdict_of.as_str()) {
            self.first = time;
            self.verdict = verdict;
            self.verdict_of = audit_id.to_owned();
        }
    }

    fn see(&mut self, hash: u64) {
        // One more than can be counted exactly tells that there are more.
        if self.seen.len() <= MAX_COUNTED {
            self.seen.insert(hash);
        }
    }

    fn show(&mut self, evidence: (Option<Micros>, String)) {
        self.evidence.insert(evidence);
        if self.evidence.len() > MAX_EVIDENCE {
            self.evidence.pop_last();
        }
    }

    fn name(&mut self, entity: (String, String)) {
        self.entities.insert(entity);
        if self.entities.len() > MAX_ENTITIES {
            self.entities.pop_last();
        }
    }

    fn count_value(&mut self, field: &str, value: String, count: u64) {
        let Some(values) = self.summary.get_mut(field) else { return };
        *values.entry(value).or_default() += count;
        // What goes is larger than all that stay, and would go again: so the order of matches does not show.
        if values.len() > MAX_SUMMARY_VALUES {
            values.pop_last();
        }
    }
}

fn commonest(counts: &BTreeMap<String, u64>) -> BTreeMap<&str, u64> {
    let mut counts: Vec<(&str, u64)> = counts.iter().map(|(value, count)| (value.as_str(), *count)).collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.into_iter().take(MAX_TOLD).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Micros = 60_000_000;

    fn grouping(threshold: u64) -> Grouping {
        Grouping::new(&Trigger { threshold, period_minutes: 60, summary: Vec::new(), alert: true })
    }

    fn found(time: Micros, dedup: &str, audit_id: String) -> Match {
        let verdict = ScriptVerdict {
            matched: true,
            dedup: Some(dedup.to_owned()),
            title: Some(audit_id.clone()),
            entities: vec![("user".to_owned(), audit_id.clone())],
            summary: BTreeMap::from([("field".to_owned(), vec![audit_id.clone()])]),
            ..ScriptVerdict::default()
        };
        Match { time: Some(time), audit_id, cluster: None, verdict }
    }

    fn group_times(threshold: u64, matches: &[(i64, &str)]) -> Vec<(String, i64, u64)> {
        let mut grouping = grouping(threshold);
        for (minute, dedup) in matches {
            grouping.add(found(minute * MINUTE, dedup, minute.to_string()));
        }
        grouping.finish().into_iter().map(|g| (g.dedup, g.first.unwrap() / MINUTE, g.count)).collect()
    }

    #[test]
    fn a_period_starts_with_its_first_match_and_the_next_match_after_it_starts_another() {
        let found = group_times(1, &[(0, "a"), (59, "a"), (60, "a"), (61, "b")]);
        assert_eq!(found, [("a".to_owned(), 0, 2), ("a".to_owned(), 60, 1), ("b".to_owned(), 61, 1)]);
    }

    #[test]
    fn a_threshold_counts_matches_of_one_dedup_string_within_one_period() {
        let found = group_times(3, &[(0, "a"), (1, "b"), (2, "a"), (3, "a"), (70, "a")]);
        assert_eq!(found, [("a".to_owned(), 0, 3)]);
    }

    #[test]
    fn the_commonest_values_are_told() {
        let counts: BTreeMap<String, u64> = (0..100).map(|n| (format!("{n:02}"), n / 2)).collect();
        let told: Vec<_> = commonest(&counts).into_iter().collect();
        assert_eq!((told.len(), told[0], told[9]), (MAX_TOLD, ("90", 45), ("99", 49)));
    }

    /// Found in review: an event without an audit id was shown as one with an empty id.
    #[test]
    fn a_match_without_an_audit_id_has_no_evidence() {
        let mut grouping = grouping(1);
        grouping.add(found(0, "a", String::new()));
        let groups = grouping.finish();
        assert_eq!((groups[0].audit_ids(), groups[0].audit_id_count()), (Vec::new(), 0));
    }

    fn whole(group: &Group) -> impl PartialEq + std::fmt::Debug + use<> {
        let summary: Vec<(String, Vec<(String, u64)>)> = group
            .summary()
            .into_iter()
            .map(|(f, c)| (f.to_owned(), c.into_iter().map(|(v, n)| (v.to_owned(), n)).collect()))
            .collect();
        (
            group.dedup.clone(),
            (group.first, group.last, group.count, group.audit_id_count()),
            group.audit_ids(),
            group.entities.clone(),
            group.verdict.title.clone(),
            summary,
        )
    }

    proptest! {
        /// The order in which matches come does not show in the groups, nor does forgetting and putting back of panes.
        #[test]
        fn groups_do_not_depend_on_the_order_of_matches(
            (ordered, shuffled) in proptest::collection::vec((0_i64..400, 0_u8..3, 0_u32..300), 0..400).prop_flat_map(|mut matches| {
                matches.sort();
                (Just(matches.clone()), Just(matches).prop_shuffle())
            }),
            threshold in 1_u64..6,
        ) {
            let all = |matches: &[(i64, u8, u32)]| {
                let mut grouping = grouping(threshold);
                for (minute, dedup, id) in matches {
                    grouping.add(found(minute * MINUTE + i64::from(id % 60) * 1_000_000, &dedup.to_string(), id.to_string()));
                }
                grouping
            };
            let (one, mut other) = (all(&ordered), all(&shuffled));
            for (dedup, pane) in other.take_touched() {
                let kept = other.pane(&dedup, pane).unwrap().clone();
                let bytes = rmp_serde::to_vec_named(&kept).unwrap();
                other.restore(pane, rmp_serde::from_slice(&bytes).unwrap());
            }
            let (one, other) = (one.finish(), other.finish());
            prop_assert_eq!(one.iter().map(whole).collect::<Vec<_>>(), other.iter().map(whole).collect::<Vec<_>>());
        }

        /// What is forgotten does not move the borders of the groups that stay.
        #[test]
        fn expiry_takes_whole_groups(minutes in proptest::collection::vec(0_i64..600, 1..200), before in 0_i64..700) {
            let mut sorted = minutes;
            sorted.sort_unstable();
            let mut grouping = grouping(1);
            for (index, minute) in sorted.iter().enumerate() {
                grouping.add(found(minute * MINUTE, "a", index.to_string()));
            }
            let all: Vec<_> = grouping.groups("a");
            grouping.expire(before * MINUTE);
            let left: Vec<_> = grouping.groups("a").iter().map(whole).collect();
            let expected: Vec<_> = all.iter().filter(|g| g.first.unwrap() + 61 * MINUTE >= before * MINUTE).map(whole).collect();
            prop_assert_eq!(left, expected);
        }
    }
}
