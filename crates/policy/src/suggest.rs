//! The smallest policy under which given rules can fire.
//!
//! The rules of the policy go from more to less: the first that matches decides, so nothing may stand behind a rule that
//! logs less of it. Nothing is logged that no rule needs; in front of a rule that logs everything of some verb stand what
//! would only fill the log and what must not be in it with its body.

use std::collections::{BTreeMap, BTreeSet};

use masthead_ir::expr::Expr;

use crate::blind::{Verdict, blind};
use crate::known::VERBS;
use crate::level::{Level, Stage};
use crate::needs::{Needs, needs};
use crate::plan::{Outcome, Plan, Verbs, Who};
use crate::policy::{Policy, path_matches};
use crate::render::{Entry, Notes, render};

/// A policy that is made for rules.
#[derive(Debug, Clone, PartialEq)]
pub struct SuggestedPolicy {
    /// The policy as YAML.
    pub text: String,
    /// The same, read.
    pub policy: Option<Policy>,
    /// Rules that can fire under no policy, and why.
    pub impossible: Vec<(String, String)>,
    /// Rules of which it could not be told what they are about. The policy logs whatever they could mean, as far as that
    /// can be told.
    pub unknown: Vec<String>,
    /// Rules that are not about audit events, and a field that they need and that these do not have.
    pub elsewhere: Vec<(String, String)>,
}

/// What holds credentials or much data: below a rule that logs bodies of everything it would be logged whole.
const SENSITIVE: &[(&str, &str)] =
    &[("", "secrets"), ("", "configmaps"), ("", "serviceaccounts/token"), ("authentication.k8s.io", "tokenreviews")];

/// What fills a log.
struct Noise {
    group: &'static str,
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
    /// The groups of users that it comes from; none: everybody.
    users: &'static [&'static str],
}

/// What writes events does so all the time, and who reads them learns little.
const OF_EVENTS: &[&str] = &["get", "list", "watch", "create", "update", "patch"];

/// Reads, and the heartbeats of components.
const NOISE: &[Noise] = &[
    Noise { group: "", resources: &["nodes", "nodes/status", "pods"], verbs: &["get"], users: &["system:nodes"] },
    Noise {
        group: "coordination.k8s.io",
        resources: &["leases"],
        verbs: &["get", "list", "watch", "update"],
        users: &[],
    },
    Noise { group: "", resources: &["events"], verbs: OF_EVENTS, users: &[] },
    Noise { group: "events.k8s.io", resources: &["events"], verbs: OF_EVENTS, users: &[] },
];

/// Paths that are asked for by probes and by every client.
const NOISY_PATHS: &[&str] = &["/healthz*", "/livez*", "/readyz*", "/version", "/openapi*"];

/// The smallest policy under which the rules with these conditions can fire. A rule may have several conditions.
pub fn suggest(conditions: &[(&str, &Expr)]) -> SuggestedPolicy {
    let mut plan = Plan::default();
    let mut notes = Notes::default();
    for (rule, condition) in conditions {
        collect(&mut plan, &mut notes, rule, condition);
    }
    plan.absorb(&|group, form| SENSITIVE.contains(&(group, form)));
    let omitted: &[Stage] = if plan.received { &[] } else { &[Stage::RequestReceived] };
    let draft = |entries: &[Entry]| {
        let text = render(entries, omitted, &notes);
        let policy = Policy::parse("suggested.yaml", &text).ok();
        (text, policy)
    };
    // What is dropped or guarded in front must not take from what rules need.
    let guarded = entries(&plan, true);
    let mut quiet = noise(&plan);
    quiet.extend(guarded.iter().cloned());
    let good = |drafted: &(String, Option<Policy>)| {
        drafted.1.as_ref().is_some_and(|policy| sees_all(policy, conditions, &notes))
    };
    let (text, policy) = [quiet, guarded]
        .iter()
        .map(|entries| draft(entries))
        .find(good)
        .unwrap_or_else(|| draft(&entries(&plan, false)));
    SuggestedPolicy { text, policy, impossible: notes.impossible, unknown: notes.unknown, elsewhere: notes.elsewhere }
}

fn sees_all(policy: &Policy, conditions: &[(&str, &Expr)], notes: &Notes) -> bool {
    let known = |rule: &str| {
        !notes.unknown.iter().any(|known| known == rule) && !notes.impossible.iter().any(|(known, _)| known == rule)
    };
    conditions.iter().filter(|(rule, _)| known(rule)).all(|(_, condition)| blind(policy, condition) == Verdict::Sees)
}

fn collect(plan: &mut Plan, notes: &mut Notes, rule: &str, condition: &Expr) {
    let branches = match needs(condition) {
        Needs::Branches(branches) => branches,
        Needs::Unknown => {
            plan.add_anything(rule);
            notes.add_unknown(rule);
            return;
        }
    };
    let (mut impossible, mut elsewhere) = (None, None);
    let mut possible = false;
    for branch in &branches {
        match plan.add(rule, branch) {
            Outcome::Planned => possible = true,
            Outcome::Impossible(reason) => impossible = impossible.or(Some(reason)),
            Outcome::Elsewhere(field) => elsewhere = elsewhere.or(Some(field)),
            Outcome::Unknown => {
                possible = true;
                notes.add_unknown(rule);
            }
        }
    }
    if possible {
        return;
    }
    if let Some(field) = elsewhere {
        notes.elsewhere.push((rule.to_owned(), field));
    } else {
        let reason = impossible.unwrap_or_else(|| "the condition is never true".to_owned());
        notes.impossible.push((rule.to_owned(), reason));
    }
}

/// The rules of the policy: bodies before metadata, and of one level what is named before what is not.
fn entries(plan: &Plan, guarding: bool) -> Vec<Entry> {
    let bodies = |verbs: &Verbs| verbs.values().any(|need| need.level > Level::Metadata);
    let guarded = guarding && plan.any.values().any(bodies);
    let mut entries = Vec::new();
    for level in [Level::RequestResponse, Level::Request] {
        entries.extend(of_resources(plan, level, false));
        entries.extend(of_paths(plan, level));
    }
    if guarded {
        entries.push(guard(plan));
    }
    for level in [Level::RequestResponse, Level::Request] {
        entries.extend(of_anything(plan, level));
    }
    entries.extend(of_resources(plan, Level::Metadata, guarded));
    entries.extend(of_paths(plan, Level::Metadata));
    entries.extend(of_anything(plan, Level::Metadata));
    entries
}

/// The verbs that need this level, and who needs them.
fn at_level(verbs: &Verbs, level: Level) -> Option<(Vec<&'static str>, BTreeSet<String>)> {
    let mut names: Vec<&'static str> = Vec::new();
    let mut rules = BTreeSet::new();
    for (verb, need) in verbs.iter().filter(|(_, need)| need.level == level) {
        names.push(verb);
        rules.extend(need.rules.iter().cloned());
    }
    if names.is_empty() {
        return None;
    }
    names.sort_by_key(|verb| VERBS.iter().position(|known| known == verb).unwrap_or(VERBS.len()));
    // No list of verbs means every verb.
    if VERBS.iter().all(|verb| names.contains(verb)) {
        names.clear();
    }
    Some((names, rules))
}

fn of_resources(plan: &Plan, level: Level, guarded: bool) -> Vec<Entry> {
    let mut by_verbs: BTreeMap<Vec<&'static str>, Entry> = BTreeMap::new();
    for ((group, form), verbs) in &plan.resources {
        if guarded && SENSITIVE.contains(&(group.as_str(), form.as_str())) {
            continue;
        }
        let Some((verbs, rules)) = at_level(verbs, level) else { continue };
        let entry = by_verbs.entry(verbs.clone()).or_insert_with(|| Entry::new(level, verbs));
        entry.add_resource(group, form);
        entry.rules.extend(rules);
    }
    by_verbs.into_values().collect()
}

fn of_paths(plan: &Plan, level: Level) -> Vec<Entry> {
    let mut by_verbs: BTreeMap<Vec<&'static str>, Entry> = BTreeMap::new();
    for (path, verbs) in &plan.paths {
        let Some((verbs, rules)) = at_level(verbs, level) else { continue };
        let entry = by_verbs.entry(verbs.clone()).or_insert_with(|| Entry::new(level, verbs));
        entry.paths.push(path.clone());
        entry.rules.extend(rules);
    }
    by_verbs.into_values().collect()
}

/// Users that are named stand before everybody, which is the order of the map turned around.
fn of_anything(plan: &Plan, level: Level) -> Vec<Entry> {
    let entry = |(who, verbs): (&Who, &Verbs)| {
        let (verbs, rules) = at_level(verbs, level)?;
        Some(Entry { who: who.clone(), rules, ..Entry::new(level, verbs) })
    };
    plan.any.iter().rev().filter_map(entry).collect()
}

/// Keeps the bodies of credentials out of a rule that logs bodies of everything.
fn guard(plan: &Plan) -> Entry {
    let mut entry = Entry::new(Level::Metadata, Vec::new());
    entry.remark = Some("Their bodies hold credentials or much data, and no rule names them for their bodies.");
    for (group, form) in SENSITIVE {
        entry.add_resource(group, form);
        let needs = plan.resources.get(&((*group).to_owned(), (*form).to_owned()));
        let needs = needs.into_iter().flat_map(|verbs| verbs.values()).filter(|need| need.level == Level::Metadata);
        entry.rules.extend(needs.flat_map(|need| need.rules.iter().cloned()));
    }
    entry
}

/// What would only fill the log, unless a rule names it. Where nothing is logged of everybody there is nothing to drop.
fn noise(plan: &Plan) -> Vec<Entry> {
    let Some(wide) = plan.any.get(&Who::default()) else { return Vec::new() };
    let entry = |verbs: Vec<&'static str>| Entry {
        remark: Some("Noise that no rule needs."),
        ..Entry::new(Level::None, verbs)
    };
    let mut entries: Vec<Entry> = Vec::new();
    for noise in NOISE {
        // What reads bodies of anything may read these.
        let plain = |verb: &&'static str| wide.get(verb).is_some_and(|need| need.level == Level::Metadata);
        let verbs: Vec<&'static str> = noise.verbs.iter().copied().filter(plain).collect();
        let named = |form: &str| verbs.iter().any(|verb| plan.names(noise.group, form, verb));
        let free: Vec<&&str> = noise.resources.iter().filter(|form| !named(form)).collect();
        if verbs.is_empty() || free.is_empty() || (!noise.users.is_empty() && plan.nodes) {
            continue;
        }
        let groups: Vec<String> = noise.users.iter().map(|group| (*group).to_owned()).collect();
        if !entries.last().is_some_and(|last| last.verbs == verbs && last.who.groups == groups) {
            entries.push(Entry { who: Who { users: Vec::new(), groups }, ..entry(verbs) });
        }
        if let Some(last) = entries.last_mut() {
            free.iter().for_each(|form| last.add_resource(noise.group, form));
        }
    }
    let free = |path: &&&str| !plan.named_paths.iter().any(|named| path_matches(path, named));
    let paths: Vec<String> = NOISY_PATHS.iter().filter(free).map(|path| (*path).to_owned()).collect();
    if wide.contains_key("get") && !paths.is_empty() {
        entries.push(Entry { paths, ..entry(Vec::new()) });
    }
    entries
}
