//! From the matches of a script to findings: dedup strings, periods, thresholds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher;

use masthead_ir::finding::MAX_EVIDENCE;
use masthead_ir::rule::{ScriptVerdict, Trigger};
use masthead_ir::time::Micros;
use rustc_hash::{FxBuildHasher, FxHashSet};

/// How many different values of a summary field are counted.
const MAX_SUMMARY_VALUES: usize = 1_000;

/// How many values of a summary field are told, the commonest.
const MAX_TOLD: usize = 10;

/// How many entities a finding names.
const MAX_ENTITIES: usize = 100;

/// Up to how many different audit ids are counted exactly.
const MAX_COUNTED: usize = 1_000;

/// Matches of one dedup string that belong together.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// The dedup string.
    pub(crate) dedup: String,
    /// Time of the first match; none if the matches have no time.
    pub(crate) first: Option<Micros>,
    /// Time of the last match.
    pub(crate) last: Option<Micros>,
    /// How many matches.
    pub(crate) count: u64,
    /// Audit ids, the first ones.
    pub(crate) audit_ids: Vec<String>,
    /// Hashes of different audit ids, as long as they are few.
    seen: FxHashSet<u64>,
    /// Types and values of indicators, the first ones by order.
    pub(crate) entities: BTreeSet<(String, String)>,
    /// Clusters of the matches, if all are of one.
    pub(crate) cluster: Option<String>,
    /// What the script said of the match that came first in time.
    pub(crate) verdict: ScriptVerdict,
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

/// Groups the matches of one rule.
///
/// A period begins with its first match and lasts as long as the rule says; the next match after it begins another.
/// Memory is bounded by the number of groups, not of matches: a match that arrives late widens the period it touches.
/// Matches without a time have a period of their own.
#[derive(Debug)]
pub(crate) struct Grouping {
    period: Micros,
    threshold: u64,
    groups: HashMap<String, Vec<Group>>,
}

impl Grouping {
    pub(crate) fn new(trigger: &Trigger) -> Grouping {
        let period = Micros::try_from(trigger.period_minutes).unwrap_or(Micros::MAX).saturating_mul(60_000_000);
        // A threshold keeps alerts back; what makes none is told as it is.
        let threshold = if trigger.alert { trigger.threshold.max(1) } else { 1 };
        Grouping { period: period.max(1), threshold, groups: HashMap::new() }
    }

    pub(crate) fn add(&mut self, found: Match) {
        let dedup = found.verdict.dedup.clone().unwrap_or_default();
        let groups = self.groups.entry(dedup.clone()).or_default();
        let (time, period) = (found.time, self.period);
        let holds = |group: &Group| match (group.first, time) {
            (Some(first), Some(time)) => first <= time && time.saturating_sub(first) < period,
            (first, time) => first == time,
        };
        let touches = |group: &Group| match (group.last, time) {
            (Some(last), Some(time)) => time <= last && last.saturating_sub(time) < period,
            _ => false,
        };
        match groups.iter().rposition(holds).or_else(|| groups.iter().position(touches)) {
            Some(at) => groups[at].add(found),
            None => {
                let group = Group::new(dedup, found);
                let place = groups.partition_point(|g| g.first <= group.first);
                groups.insert(place, group);
            }
        }
    }

    /// The groups that reached the threshold, by time and dedup string.
    pub(crate) fn finish(self) -> Vec<Group> {
        let threshold = self.threshold;
        let mut groups: Vec<Group> = self.groups.into_values().flatten().filter(|g| g.count >= threshold).collect();
        groups.sort_by(|a, b| (a.first, &a.dedup).cmp(&(b.first, &b.dedup)));
        groups
    }
}

impl Group {
    fn new(dedup: String, found: Match) -> Group {
        let mut group = Group {
            dedup,
            first: found.time,
            last: found.time,
            count: 0,
            audit_ids: Vec::new(),
            seen: FxHashSet::default(),
            entities: BTreeSet::new(),
            cluster: found.cluster.clone(),
            verdict: found.verdict.clone(),
            summary: BTreeMap::new(),
        };
        group.add(found);
        group
    }

    /// How many different audit ids there are: exact up to some, then the number of matches.
    pub(crate) fn audit_id_count(&self) -> u64 {
        if self.seen.len() < MAX_COUNTED { self.seen.len() as u64 } else { self.count }
    }

    /// The summary fields with their commonest values, and how often each was seen.
    pub(crate) fn summary(&self) -> BTreeMap<&str, BTreeMap<&str, u64>> {
        self.summary.iter().map(|(field, counts)| (field.as_str(), commonest(counts))).collect()
    }

    fn add(&mut self, mut found: Match) {
        self.count += 1;
        let (summary, entities) =
            (std::mem::take(&mut found.verdict.summary), std::mem::take(&mut found.verdict.entities));
        if found.time < self.first {
            self.first = found.time;
            self.verdict = found.verdict;
        }
        self.last = self.last.max(found.time);
        if self.cluster != found.cluster {
            self.cluster = None;
        }
        if self.seen.len() < MAX_COUNTED && !found.audit_id.is_empty() {
            self.seen.insert(FxBuildHasher.hash_one(&found.audit_id));
        }
        if self.audit_ids.len() < MAX_EVIDENCE && !self.audit_ids.contains(&found.audit_id) {
            self.audit_ids.push(found.audit_id);
        }
        for (field, found) in summary {
            let values = self.summary.entry(field).or_default();
            for value in found {
                if values.len() < MAX_SUMMARY_VALUES || values.contains_key(&value) {
                    *values.entry(value).or_default() += 1;
                }
            }
        }
        for entity in entities {
            if self.entities.len() < MAX_ENTITIES {
                self.entities.insert(entity);
            }
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
    use super::*;

    const MINUTE: Micros = 60_000_000;

    fn group_times(threshold: u64, matches: &[(i64, &str)]) -> Vec<(String, i64, u64)> {
        let trigger = Trigger { threshold, period_minutes: 60, summary: Vec::new(), alert: true };
        let mut grouping = Grouping::new(&trigger);
        for (minute, dedup) in matches {
            let verdict = ScriptVerdict { matched: true, dedup: Some((*dedup).to_owned()), ..ScriptVerdict::default() };
            grouping.add(Match { time: Some(minute * MINUTE), audit_id: format!("{minute}"), cluster: None, verdict });
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
    fn a_late_match_widens_the_period_it_touches() {
        assert_eq!(group_times(1, &[(10, "a"), (5, "a"), (20, "a")]), [("a".to_owned(), 5, 3)]);
        // It belongs to the period that it falls into rather than to one that it would widen.
        let found = group_times(1, &[(0, "a"), (60, "a"), (30, "a"), (-10, "a")]);
        assert_eq!(found, [("a".to_owned(), -10, 3), ("a".to_owned(), 60, 1)]);
    }

    #[test]
    fn the_commonest_values_are_told() {
        let counts: BTreeMap<String, u64> = (0..100).map(|n| (format!("{n:02}"), n / 2)).collect();
        let told: Vec<_> = commonest(&counts).into_iter().collect();
        assert_eq!((told.len(), told[0], told[9]), (MAX_TOLD, ("90", 45), ("99", 49)));
    }
}
