//! Rules that look for the same thing.
//!
//! What a rule looks for is what an event must have: resource, subresource and verb, and the rest of its positive tests.
//! Exceptions are left out of it, so rules that differ in their exceptions alone are the same here; but a rule is no part of
//! another one whose exceptions name just what it asks for.

mod shape;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use masthead_ir::rule::Rule;
use serde::Serialize;

use shape::{Shape, Tests};

/// Rules that look for the same thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Overlap {
    /// How.
    pub kind: OverlapKind,
    /// Of the same: all of them. Of narrower ones: first the wide one, then those whose events it finds, too.
    pub rules: Vec<OverlapRule>,
    /// What they look for; of narrower ones: what the wide one does.
    pub what: String,
}

/// How rules overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OverlapKind {
    /// They ask the same of an event, exceptions aside.
    Same,
    /// All but the first ask for what the first does, and for more.
    Narrower,
}

/// A rule of an overlap.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct OverlapRule {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Its language.
    pub dialect: &'static str,
    /// Its file, as it was given.
    pub path: String,
}

impl OverlapRule {
    fn of(rule: &Rule) -> OverlapRule {
        OverlapRule {
            name: rule.name.clone(),
            id: rule.id.clone(),
            dialect: rule.dialect,
            path: rule.path.display().to_string(),
        }
    }
}

/// A rule and what it tests.
struct Entry<'r> {
    rule: &'r Rule,
    tests: Tests,
}

/// The overlaps of rules that are switched on: first those that are the same, then those that are narrower. A rule whose
/// language is a program counts as far as its program could be read.
pub fn overlaps(rules: &[Arc<Rule>]) -> Vec<Overlap> {
    let mut groups: BTreeMap<Shape, Vec<Entry<'_>>> = BTreeMap::new();
    for rule in rules.iter().filter(|rule| rule.enabled) {
        if let Some((shape, tests)) = shape::of(rule) {
            groups.entry(shape).or_default().push(Entry { rule, tests });
        }
    }
    for entries in groups.values_mut() {
        entries.sort_by_cached_key(|entry| OverlapRule::of(entry.rule));
    }
    let groups: Vec<(Shape, Vec<Entry<'_>>)> = groups.into_iter().collect();
    let index = Index::new(&groups);
    let mut found = Vec::new();
    for (at, (shape, entries)) in groups.iter().enumerate() {
        if entries.len() > 1 {
            let rules = entries.iter().map(|entry| OverlapRule::of(entry.rule)).collect();
            let exceptions: BTreeSet<_> = entries.iter().map(|entry| entry.tests.exceptions()).collect();
            let differ = if exceptions.len() > 1 { "; their exceptions differ" } else { "" };
            found.push(Overlap { kind: OverlapKind::Same, rules, what: format!("{}{differ}", shape.what()) });
        }
        found.extend(narrower(at, &groups, &index));
    }
    found.sort_by(|a, b| (a.kind, &a.rules, &a.what).cmp(&(b.kind, &b.rules, &b.what)));
    found
}

/// The groups that are narrower than one.
fn narrower(at: usize, groups: &[(Shape, Vec<Entry<'_>>)], index: &Index<'_>) -> Option<Overlap> {
    let (wide, entries) = groups.get(at)?;
    let first = entries.first()?;
    if wide.joined || !first.tests.whole {
        return None;
    }
    let mut rules = BTreeSet::new();
    for other in index.candidates(wide) {
        let Some((shape, entries)) = groups.get(other).filter(|(shape, _)| other != at && shape.is_within(wide)) else {
            continue;
        };
        if shape.joined {
            continue;
        }
        let within = entries.iter().filter(|entry| !first.tests.excludes(&entry.tests));
        rules.extend(within.map(|entry| OverlapRule::of(entry.rule)));
    }
    if rules.is_empty() {
        return None;
    }
    let rules = std::iter::once(OverlapRule::of(first.rule)).chain(rules).collect();
    Some(Overlap { kind: OverlapKind::Narrower, rules, what: wide.what() })
}

/// Groups by what they test, so that not every pair must be compared.
struct Index<'s> {
    by_resource: HashMap<&'s str, Vec<usize>>,
    by_test: HashMap<&'s str, Vec<usize>>,
}

impl<'s> Index<'s> {
    fn new(groups: &'s [(Shape, Vec<Entry<'_>>)]) -> Index<'s> {
        let mut index = Index { by_resource: HashMap::new(), by_test: HashMap::new() };
        for (at, (shape, _)) in groups.iter().enumerate() {
            for resource in &shape.resources {
                index.by_resource.entry(resource).or_default().push(at);
            }
            for test in &shape.rest {
                index.by_test.entry(test).or_default().push(at);
            }
        }
        index
    }

    /// Groups that may be narrower: those with its rarest test, or with one of its resources.
    fn candidates(&self, wide: &Shape) -> BTreeSet<usize> {
        let tests = wide.rest.iter().filter_map(|test| self.by_test.get(test.as_str()));
        match tests.min_by_key(|groups| groups.len()) {
            Some(rarest) => rarest.iter().copied().collect(),
            None => {
                let lists = wide.resources.iter().filter_map(|resource| self.by_resource.get(resource.as_str()));
                lists.flatten().copied().collect()
            }
        }
    }
}

/// The overlaps as plain text, one block each.
pub fn text(overlaps: &[Overlap]) -> String {
    let mut text = String::new();
    for overlap in overlaps {
        if !text.is_empty() {
            text.push('\n');
        }
        let title = match overlap.kind {
            OverlapKind::Same => "the same",
            OverlapKind::Narrower => "narrower than the first",
        };
        text.push_str(&format!("{title}: {}\n", overlap.what));
        for rule in &overlap.rules {
            text.push_str(&format!("  {} ({}, {}) {}\n", rule.name, rule.dialect, rule.id, rule.path));
        }
    }
    text
}
