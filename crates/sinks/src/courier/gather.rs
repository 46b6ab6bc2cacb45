//! Gathers findings that are due into messages.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use masthead_ir::finding::{Entity, Finding};
use masthead_ir::rule::EntityRole;

use crate::config::GroupKey;
use crate::outbox::Outgoing;
use crate::route::Grouping;

/// Findings that have the same key, in the order of the outbox.
pub(super) type Group = Vec<Outgoing>;

/// Remembers since when groups have been waiting. It is forgotten at a restart: then a group waits once more.
#[derive(Debug, Default)]
pub(super) struct Gatherer {
    since: HashMap<String, Instant>,
}

impl Gatherer {
    /// The groups that may go, those that failed least and of these the worst first, and how long the next one still waits. With `hurry` none waits.
    pub(super) fn gather(
        &mut self,
        due: Vec<Outgoing>,
        grouping: &Grouping,
        hurry: bool,
        now: Instant,
    ) -> (Vec<Group>, Option<Duration>) {
        let mut groups: Vec<(String, Group)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for outgoing in due {
            let key = key(&outgoing, grouping.keys.as_deref());
            let place = *places.entry(key.clone()).or_insert_with(|| {
                groups.push((key, Vec::new()));
                groups.len() - 1
            });
            groups[place].1.push(outgoing);
        }
        self.since.retain(|key, _| places.contains_key(key));
        let mut ready = Vec::new();
        let mut next: Option<Duration> = None;
        for (key, group) in groups {
            let left = if hurry || grouping.wait.is_zero() || group.iter().any(|outgoing| outgoing.attempts > 0) {
                Duration::ZERO
            } else {
                let since = *self.since.entry(key).or_insert(now);
                grouping.wait.saturating_sub(now.saturating_duration_since(since))
            };
            if left.is_zero() {
                ready.push(group);
            } else {
                next = Some(next.map_or(left, |next| next.min(left)));
            }
        }
        // One that always fails must not keep the others from being tried, so what failed least goes first. The sort is
        // stable: of equals the oldest stays first.
        ready.sort_by_key(|group| {
            let attempts = group.iter().map(|outgoing| outgoing.attempts).min();
            (attempts, Reverse(group.iter().map(|outgoing| outgoing.finding.severity).max()))
        });
        (ready, next)
    }
}

/// What the findings of a group have in common. Findings that failed together stay together and are not joined by new ones, so
/// that the second try is the same message as the first, with the same key for the receiver.
fn key(outgoing: &Outgoing, keys: Option<&[GroupKey]>) -> String {
    let Some(keys) = keys else { return outgoing.id.to_string() };
    let finding = &outgoing.finding;
    let mut parts = vec![outgoing.attempts.to_string()];
    parts.extend(keys.iter().map(|key| match key {
        GroupKey::Rule => finding.rule.id.clone(),
        GroupKey::Severity => format!("{:?}", finding.severity),
        GroupKey::Cluster => finding.cluster.clone().unwrap_or_default(),
        GroupKey::Entity => entities(finding),
    }));
    parts.join("\u{1f}")
}

fn entities(finding: &Finding) -> String {
    let texts = |role: Option<EntityRole>| -> Vec<String> {
        let of_role = finding.entities.iter().filter(|entity| role.is_none_or(|role| entity.role == role));
        of_role.map(|Entity { entity_type, value, .. }| format!("{entity_type}={value}")).collect()
    };
    let mut all = texts(Some(EntityRole::Risk));
    if all.is_empty() {
        all = texts(None);
    }
    all.sort_unstable();
    all.dedup();
    all.join("\u{1e}")
}

#[cfg(test)]
mod tests {
    use masthead_ir::rule::Severity;

    use super::*;
    use crate::sample_finding;

    fn outgoing(id: i64, severity: Severity, rule: &str, user: &str, attempts: u32) -> Outgoing {
        let mut finding = Finding { severity, ..sample_finding() };
        finding.rule.id = rule.to_owned();
        finding.entities[0].value = user.to_owned();
        // The threat differs from finding to finding and is no part of the key.
        finding.entities[1].value = format!("192.0.2.{id}");
        Outgoing { id, finding, attempts, queued_at: 0 }
    }

    fn ids(groups: &[Group]) -> Vec<Vec<i64>> {
        groups.iter().map(|group| group.iter().map(|outgoing| outgoing.id).collect()).collect()
    }

    #[test]
    fn equal_keys_are_one_group_and_the_worst_goes_first() {
        use Severity::{High, Low};
        let due = vec![
            outgoing(1, Low, "a", "alice", 0),
            outgoing(2, High, "a", "alice", 0),
            outgoing(3, Low, "a", "bob", 0),
            outgoing(4, Low, "a", "alice", 0),
            outgoing(5, Low, "b", "alice", 0),
            outgoing(6, Low, "a", "alice", 1),
        ];
        let grouped = |keys: Option<Vec<GroupKey>>| {
            let grouping = Grouping { keys, ..Grouping::default() };
            ids(&Gatherer::default().gather(due.clone(), &grouping, false, Instant::now()).0)
        };
        assert_eq!(grouped(None), [[2], [1], [3], [4], [5], [6]]);
        assert_eq!(grouped(Some(vec![])), [vec![1, 2, 3, 4, 5], vec![6]]);
        assert_eq!(grouped(Some(vec![GroupKey::Rule])), [vec![1, 2, 3, 4], vec![5], vec![6]]);
        assert_eq!(grouped(Some(vec![GroupKey::Entity])), [vec![1, 2, 4, 5], vec![3], vec![6]]);
        assert_eq!(grouped(Some(vec![GroupKey::Severity])), [vec![2], vec![1, 3, 4, 5], vec![6]]);
    }

    #[test]
    fn a_group_waits_from_its_first_finding_on() {
        let seconds = Duration::from_secs;
        let grouping = Grouping { keys: Some(vec![GroupKey::Rule]), wait: seconds(30), rate_per_minute: None };
        let start = Instant::now();
        let mut gatherer = Gatherer::default();
        let (a, b) = (outgoing(1, Severity::Low, "a", "u", 0), outgoing(2, Severity::Low, "b", "u", 0));
        let (ready, next) = gatherer.gather(vec![a.clone()], &grouping, false, start);
        assert_eq!((ready.len(), next), (0, Some(seconds(30))));
        let (ready, next) = gatherer.gather(vec![a.clone(), b.clone()], &grouping, false, start + seconds(20));
        assert_eq!((ready.len(), next), (0, Some(seconds(10))));
        let (ready, next) = gatherer.gather(vec![a.clone(), b.clone()], &grouping, false, start + seconds(31));
        assert_eq!((ids(&ready), next), (vec![vec![1]], Some(seconds(19))));
        // Sent and come again: it waits anew. In a hurry nothing waits, nor does what failed before.
        gatherer.gather(vec![b.clone()], &grouping, false, start + seconds(32));
        let (ready, _) = gatherer.gather(vec![a.clone(), b.clone()], &grouping, false, start + seconds(50));
        assert_eq!(ids(&ready), [[2]]);
        let (ready, next) = gatherer.gather(vec![a.clone(), b], &grouping, true, start + seconds(51));
        assert_eq!((ready.len(), next), (2, None));
        let again = Outgoing { attempts: 1, ..a };
        assert_eq!(gatherer.gather(vec![again], &grouping, false, start + seconds(52)).0.len(), 1);
    }
}
