//! Which rules are blind under a policy, and why.

use serde::Serialize;

use masthead_ir::expr::Expr;

use crate::candidates::{Tester, User, user};
use crate::demands::{Case, Demand};
use crate::level::Level;
use crate::needs::{Branch, Needs, needs};
use crate::policy::{Decision, Policy};
use crate::reasons::{Cause, Miss, Misses};
use crate::request::{Request, Resource};
use crate::targets::{Nothing, Target};

/// Whether a rule can fire under a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "reasons", rename_all = "snake_case")]
pub enum Verdict {
    /// The policy logs what it is about, as far as it needs it.
    Sees,
    /// The policy logs part of it; these sentences say what is missing.
    Partly(Vec<String>),
    /// It cannot fire; these sentences say why.
    Blind(Vec<String>),
}

impl Verdict {
    /// Why it is not [`Verdict::Sees`].
    pub fn reasons(&self) -> &[String] {
        match self {
            Verdict::Sees => &[],
            Verdict::Partly(reasons) | Verdict::Blind(reasons) => reasons,
        }
    }

    /// Of two that are both needed.
    #[must_use]
    pub fn and(self, other: Verdict) -> Verdict {
        let blind = matches!(self, Verdict::Blind(_)) || matches!(other, Verdict::Blind(_));
        Verdict::of(joined(self, other), blind)
    }

    /// Of two of which each is enough.
    #[must_use]
    pub fn or(self, other: Verdict) -> Verdict {
        let blind = matches!(self, Verdict::Blind(_)) && matches!(other, Verdict::Blind(_));
        Verdict::of(joined(self, other), blind)
    }

    fn of(reasons: Vec<String>, blind: bool) -> Verdict {
        match (blind, reasons.is_empty()) {
            (true, _) => Verdict::Blind(reasons),
            (false, true) => Verdict::Sees,
            (false, false) => Verdict::Partly(reasons),
        }
    }
}

fn joined(one: Verdict, other: Verdict) -> Vec<String> {
    let mut reasons = one.reasons().to_vec();
    for reason in other.reasons() {
        if !reasons.contains(reason) {
            reasons.push(reason.clone());
        }
    }
    reasons
}

/// How well a demand is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// For everybody, everywhere.
    All,
    /// For some users, namespaces or names only.
    Some,
    /// Not at all.
    None,
}

/// Whether a rule with this condition can fire under the policy.
///
/// What a rule lists (verbs, resources) must be logged each, else it sees only part; where it leaves something open, one
/// example that is logged is enough. What cannot be told counts as seen, and so does what is not about audit events.
pub fn blind(policy: &Policy, condition: &Expr) -> Verdict {
    let Needs::Branches(branches) = needs(condition) else { return Verdict::Sees };
    let mut misses = Misses::new(policy);
    let mut impossible = Vec::new();
    let (mut seen, mut possible) = (false, false);
    for branch in &branches {
        let tester = Tester::new(branch);
        match tester.demands() {
            Err(Nothing::Unknown | Nothing::Elsewhere(_)) => (seen, possible) = (true, true),
            Err(Nothing::Impossible(reason)) => {
                if !impossible.contains(&reason) {
                    impossible.push(reason);
                }
            }
            Ok((demands, users)) => {
                possible = true;
                let probe = Probe { policy, tester: &tester, branch, users: &users };
                for demand in &demands {
                    seen |= probe.sight(demand, &mut misses) != Sight::None;
                }
            }
        }
    }
    if !possible {
        if impossible.is_empty() {
            impossible.push("the condition is never true".to_owned());
        }
        return Verdict::Blind(impossible);
    }
    Verdict::of(misses.sentences(), !seen)
}

/// A policy asked about one branch.
struct Probe<'p> {
    policy: &'p Policy,
    tester: &'p Tester<'p>,
    branch: &'p Branch,
    users: &'p [User],
}

impl Probe<'_> {
    fn sight(&self, demand: &Demand, misses: &mut Misses) -> Sight {
        let mut found = Vec::new();
        for case in &demand.cases {
            let requests = self.requests(case, self.users, &Mentioned::default());
            match self.best(case, &requests) {
                None => return Sight::All,
                Some(miss) => found.push((case, miss)),
            }
        }
        let mentioned = Mentioned::of(self.policy);
        let users = self.mentioned_users(&mentioned);
        let some = demand.cases.iter().any(|case| {
            let requests = self.requests(case, &users, &mentioned);
            self.best(case, &requests).is_none() && !requests.is_empty()
        });
        for (case, miss) in found {
            misses.add(case, miss, self.branch, self.tester.lists_verbs(), some);
        }
        if some { Sight::Some } else { Sight::None }
    }

    /// None if some request is logged as the branch needs it; else why the best of them is not.
    fn best(&self, case: &Case, requests: &[Request]) -> Option<Miss> {
        let mut best: Option<(Decision, Cause)> = None;
        for request in requests {
            let decision = self.policy.level(request);
            let cause = self.cause(case, request, &decision)?;
            if best.as_ref().is_none_or(|(known, _)| decision.level > known.level) {
                best = Some((decision, cause));
            }
        }
        Some(match best {
            Some((decision, cause)) => Miss { rule: decision.rule, cause },
            None => Miss { rule: None, cause: Cause::NotLogged },
        })
    }

    /// Why a request is not logged as the branch needs it.
    fn cause(&self, case: &Case, request: &Request, decision: &Decision) -> Option<Cause> {
        if decision.level == Level::None {
            return Some(Cause::NotLogged);
        }
        // The event of a failed login has no bodies, whatever the policy says.
        let level = if request.user.is_none() { decision.level.min(Level::Metadata) } else { decision.level };
        if level < self.branch.level {
            return Some(Cause::Level(level));
        }
        let stages = self.tester.stages(case.long());
        if !stages.iter().any(|stage| decision.logs(*stage)) {
            return Some(Cause::Stages(stages));
        }
        (self.branch.managed_fields && decision.omit_managed_fields).then_some(Cause::ManagedFields)
    }

    /// The users of the branch that the policy speaks of.
    fn mentioned_users(&self, mentioned: &Mentioned) -> Vec<User> {
        let mut users: Vec<User> = mentioned.users.iter().cloned().map(user).collect();
        let known: Vec<User> = users.iter().chain(self.users).cloned().collect();
        for group in &mentioned.groups {
            users.extend(known.iter().filter(|user| user.name.is_some()).map(|user| {
                let groups = user.groups.iter().chain([group]).cloned().collect();
                User { name: user.name.clone(), groups }
            }));
        }
        users.retain(|user| self.tester.fits(user));
        users.extend(self.users.iter().cloned());
        users
    }

    fn requests(&self, case: &Case, users: &[User], mentioned: &Mentioned) -> Vec<Request> {
        let mut requests = Vec::new();
        for user in users {
            let request = |resource: Option<Resource>, path: String| Request {
                user: user.name.clone(),
                groups: user.groups.clone(),
                verb: case.verb.to_owned(),
                resource,
                path,
            };
            match &case.target {
                Target::Path(path) => requests.push(request(None, path.clone())),
                Target::Resource(target) => {
                    let groups = target.group.clone().map_or_else(|| self.groups_with(&target.resource), |at| vec![at]);
                    let names = self.tester.names(target, &mentioned.names);
                    for namespace in self.tester.namespaces(target, &mentioned.namespaces) {
                        for (group, name) in groups.iter().flat_map(|at| names.iter().map(move |name| (at, name))) {
                            let resource = Resource {
                                group: group.clone(),
                                resource: target.resource.clone(),
                                subresource: target.subresource.clone(),
                                name: name.clone(),
                                namespace: namespace.clone(),
                            };
                            let path = crate::request::path_of_resource(&resource);
                            requests.push(request(Some(resource), path));
                        }
                    }
                }
            }
        }
        requests
    }

    /// The groups under which a policy speaks of a resource that no table knows, and one that it cannot speak of.
    fn groups_with(&self, resource: &str) -> Vec<String> {
        let entries = self.policy.rules.iter().flat_map(|rule| &rule.resources);
        let named = entries.filter(|entry| entry.resources.iter().any(|form| form.split('/').next() == Some(resource)));
        let mut groups: Vec<String> = named.map(|entry| entry.group.clone()).collect();
        groups.push("unknown.example.com".to_owned());
        groups.dedup();
        groups
    }
}

/// Users, groups, namespaces and names that a policy speaks of.
#[derive(Default)]
struct Mentioned {
    users: Vec<String>,
    groups: Vec<String>,
    namespaces: Vec<String>,
    names: Vec<String>,
}

impl Mentioned {
    fn of(policy: &Policy) -> Mentioned {
        let mut mentioned = Mentioned::default();
        for rule in &policy.rules {
            mentioned.users.extend(rule.users.iter().cloned());
            mentioned.groups.extend(rule.user_groups.iter().cloned());
            mentioned.namespaces.extend(rule.namespaces.iter().filter(|name| !name.is_empty()).cloned());
            mentioned.names.extend(rule.resources.iter().flat_map(|group| group.resource_names.iter().cloned()));
        }
        for list in [&mut mentioned.users, &mut mentioned.groups, &mut mentioned.namespaces, &mut mentioned.names] {
            list.sort();
            list.dedup();
        }
        mentioned
    }
}
