//! Whether what rules found, as a test tells it, is what a correlation asks for.

use std::collections::{BTreeMap, BTreeSet};

use super::{Detection, Member, Output, Shape, Transition};

/// Whether a correlation matches.
pub(super) fn matches(detection: &Detection, outputs: &[Output]) -> bool {
    let lookback = minutes(detection.lookback_minutes);
    match &detection.shape {
        Shape::Group { members, criteria } if criteria.is_empty() => {
            group(members, lookback, &|member| times(outputs, &member.id, None))
        }
        Shape::Group { members, criteria } => criteria.iter().all(|fields| {
            let values = values(outputs, fields);
            values.iter().any(|value| {
                group(members, lookback, &|member| {
                    let field = fields.iter().find(|(id, _)| *id == member.id).map(|(_, field)| field.as_str());
                    times(outputs, &member.id, field.map(|field| (field, value.as_str())))
                })
            })
        }),
        Shape::Sequence { members, transitions } => sequence(members, transitions, lookback, outputs),
    }
}

#[expect(clippy::cast_precision_loss, reason = "minutes of a lookback window are few")]
fn minutes(count: u64) -> f64 {
    count as f64 * 60.0
}

/// The times of a member's matches in order: of a value of a field, or of all. A match may be told by several fields, so that
/// all are those of the field that tells most.
fn times(outputs: &[Output], id: &str, wanted: Option<(&str, &str)>) -> Vec<f64> {
    let mut by_field: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (field, value, times) in outputs.iter().filter(|output| output.id == id).flat_map(|output| &output.matches) {
        if wanted.is_none_or(|(wanted, wanted_value)| field == wanted && value == wanted_value) {
            by_field.entry(field).or_default().extend(times);
        }
    }
    let mut times = by_field.into_values().max_by_key(Vec::len).unwrap_or_default();
    times.sort_by(f64::total_cmp);
    times
}

/// The values that members have in their fields.
fn values(outputs: &[Output], fields: &[(String, String)]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (id, wanted) in fields {
        let own = outputs.iter().filter(|output| output.id == *id).flat_map(|output| &output.matches);
        found.extend(own.filter(|(field, ..)| field == wanted).map(|(_, value, _)| value.clone()));
    }
    found
}

/// Whether every member has its matches in one window, and none that must be absent is near them.
fn group(members: &[Member], lookback: f64, times: &dyn Fn(&Member) -> Vec<f64>) -> bool {
    let (absent, present): (Vec<&Member>, Vec<&Member>) = members.iter().partition(|member| member.absent);
    let present: Vec<(usize, Vec<f64>)> = present.iter().map(|member| (member.count, times(member))).collect();
    let absent: Vec<f64> = absent.iter().flat_map(|member| times(member)).collect();
    let mut starts: Vec<f64> = present.iter().flat_map(|(_, times)| times).copied().collect();
    starts.sort_by(f64::total_cmp);
    starts.iter().any(|start| {
        // The earliest matches from here on that suffice.
        let mut last = *start;
        for (count, times) in &present {
            let inside = times.iter().filter(|time| **time >= *start && **time - start <= lookback);
            match inside.copied().nth(count.saturating_sub(1)) {
                Some(time) => last = last.max(time),
                None => return false,
            }
        }
        !absent.iter().any(|time| *time >= last - lookback && *time <= start + lookback)
    })
}

/// A way through a sequence so far.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Way {
    /// When its first match was.
    begin: f64,
    /// When its last match was.
    last: f64,
}

fn sequence(members: &[Member], transitions: &[Transition], lookback: f64, outputs: &[Output]) -> bool {
    let Some((first, rest)) = members.split_first() else { return false };
    if first.absent {
        return false;
    }
    let mut ways = beginnings(outputs, first, transitions.first(), lookback);
    for (transition, member) in transitions.iter().zip(rest) {
        // What is absent has no values to agree with.
        let before = members.iter().find(|member| member.id == transition.from && !member.absent);
        let follow = |way: &Way| follow(outputs, transition, before, member, lookback, *way);
        ways = newest(ways.iter().flat_map(follow).collect());
    }
    !ways.is_empty()
}

/// Of ways that end at one moment the one that began last: it can go on for longest.
fn newest(mut ways: Vec<Way>) -> Vec<Way> {
    ways.sort_by(|a, b| a.last.total_cmp(&b.last).then(b.begin.total_cmp(&a.begin)));
    ways.dedup_by(|later, kept| later.last == kept.last);
    ways
}

/// Runs of matches of the first member, of one value where the first transition asks for one.
fn beginnings(outputs: &[Output], member: &Member, wanted: Option<&Transition>, lookback: f64) -> Vec<Way> {
    let runs: Vec<Vec<f64>> = match wanted.and_then(|wanted| wanted.fields.first()) {
        None => vec![times(outputs, &member.id, None)],
        Some((field, _)) => values(outputs, &[(member.id.clone(), field.clone())])
            .iter()
            .map(|value| times(outputs, &member.id, Some((field, value))))
            .collect(),
    };
    let windows = runs.iter().flat_map(|times| times.windows(member.count.max(1)));
    let ways = windows.filter_map(|run| Some(Way { begin: *run.first()?, last: *run.last()? }));
    newest(ways.filter(|way| way.last - way.begin <= lookback).collect())
}

/// The ways that go on from one over a member; the way itself, if the member is absent as it must be.
fn follow(
    outputs: &[Output],
    transition: &Transition,
    before: Option<&Member>,
    member: &Member,
    lookback: f64,
    way: Way,
) -> Vec<Way> {
    let within = transition.within_minutes.map_or(lookback, minutes);
    let agrees = |time: f64| {
        transition.fields.iter().all(|(from, to)| {
            let behind = values_at(outputs, &member.id, to, time);
            before.is_none_or(|before| {
                values_at(outputs, &before.id, from, way.last).iter().any(|value| behind.contains(value))
            })
        })
    };
    let in_time = |time: &f64| *time >= way.last && time - way.last <= within && time - way.begin <= lookback;
    let mut own = times(outputs, &member.id, None);
    own.retain(|time| in_time(time) && agrees(*time));
    if member.absent {
        return if own.is_empty() { vec![way] } else { Vec::new() };
    }
    let enough = own.iter().skip(member.count.saturating_sub(1));
    enough.map(|time| Way { begin: way.begin, last: *time }).collect()
}

/// The values that a member's matches at a moment have in a field.
fn values_at<'o>(outputs: &'o [Output], id: &str, field: &str, at: f64) -> Vec<&'o str> {
    let own = outputs.iter().filter(|output| output.id == id).flat_map(|output| &output.matches);
    own.filter(|(name, _, times)| name == field && times.contains(&at)).map(|(_, value, _)| value.as_str()).collect()
}
