//! What a branch demands of a policy: requests of which it must log one.

use crate::candidates::{Examples, Tester, User};
use crate::known::{HTTP_VERBS, STREAMS, VERBS, WRITES};
use crate::level::Level;
use crate::needs::Dimension;
use crate::targets::{Nothing, Target};

/// Requests of which one must be seen. What a rule lists must be seen each, and makes a demand each.
pub(crate) struct Demand {
    /// Whether the rule leaves the resource open.
    pub(crate) any: bool,
    /// The requests.
    pub(crate) cases: Vec<Case>,
}

/// A verb and what it is asked of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Case {
    pub(crate) target: Target,
    pub(crate) verb: &'static str,
}

impl Case {
    /// Whether a request of this kind stays open, and so has an event when it starts (`ResponseStarted`).
    pub(crate) fn long(&self) -> bool {
        let Target::Resource(target) = &self.target else { return false };
        self.verb == "watch" || self.target.is_stream() || matches!(target.subresource.as_str(), "proxy" | "log")
    }
}

impl Tester<'_> {
    /// What the branch demands, and the users that it can be about.
    pub(crate) fn demands(&self) -> Result<(Vec<Demand>, Vec<User>), Nothing> {
        if let Some(field) = &self.branch.foreign {
            return Err(Nothing::Elsewhere(field.clone()));
        }
        let users = match self.users() {
            Examples::Some(users) => users,
            Examples::Unknown => return Err(Nothing::Unknown),
            Examples::Impossible => return Err(Nothing::Impossible("no request has such a user".to_owned())),
        };
        if self.branch.level > Level::Metadata && users.iter().all(|user| user.name.is_none()) {
            let reason = "the event of a request whose user is not known has no bodies";
            return Err(Nothing::Impossible(reason.to_owned()));
        }
        if !VERBS.iter().chain(HTTP_VERBS).any(|verb| self.passes(Dimension::Verb, &[verb])) {
            return Err(self.no_verb());
        }
        let targets = self.targets()?;
        let mut cases = self.cases(&targets.targets, true);
        if cases.is_empty() {
            cases = self.cases(&targets.targets, false);
        }
        if cases.is_empty() {
            return Err(Nothing::Impossible("no request is so, whatever the policy logs".to_owned()));
        }
        cases.retain(|case| !self.stages(case.long()).is_empty());
        if cases.is_empty() {
            let reason = "no event holds what the rule reads at the stage that it asks for";
            return Err(Nothing::Impossible(reason.to_owned()));
        }
        let by_verb = self.lists_verbs();
        let mut demands: Vec<(String, Demand)> = Vec::new();
        for case in cases {
            let target = match &case.target {
                _ if !targets.listed => String::new(),
                Target::Resource(target) if !targets.each => {
                    format!("{}/{}", target.group.as_deref().unwrap_or("?"), target.resource)
                }
                Target::Resource(target) => format!("{target:?}"),
                Target::Path(path) => path.clone(),
            };
            let verb = if by_verb || case.target.is_stream() { case.verb } else { "" };
            let key = format!("{target} {verb}");
            match demands.iter_mut().find(|(known, _)| *known == key) {
                Some((_, demand)) => demand.cases.push(case),
                None => demands.push((key, Demand { any: !targets.listed, cases: vec![case] })),
            }
        }
        Ok((demands.into_iter().map(|(_, demand)| demand).collect(), users))
    }

    /// The verbs of resources that the branch can mean.
    pub(crate) fn allowed_verbs(&self) -> Vec<&'static str> {
        VERBS.iter().copied().filter(|verb| self.passes(Dimension::Verb, &[verb])).collect()
    }

    /// Whether the rule says which verbs it wants.
    pub(crate) fn lists_verbs(&self) -> bool {
        self.lists(Dimension::Verb) && !VERBS.iter().all(|verb| self.passes(Dimension::Verb, &[verb]))
    }

    fn no_verb(&self) -> Nothing {
        if self.opaque(Dimension::Verb) {
            return Nothing::Unknown;
        }
        let wanted = self.verbs_wanted();
        Nothing::Impossible(match wanted.as_str() {
            "" => "no request has such a verb".to_owned(),
            "impersonate" => {
                "no request has the verb impersonate: an impersonated request has a verb of its own".to_owned()
            }
            verb => format!("no request has the verb {verb}"),
        })
    }

    fn verbs_wanted(&self) -> String {
        self.wanted(Dimension::Verb).join(" or ")
    }

    fn cases(&self, targets: &[Target], usual: bool) -> Vec<Case> {
        let mut cases = Vec::new();
        for target in targets {
            if let Target::Resource(resource) = target
                && (self.namespaces(resource, &[]).is_empty() || self.names(resource, &[]).is_empty())
            {
                continue;
            }
            for verb in self.verbs(target, usual) {
                cases.push(Case { target: target.clone(), verb });
            }
        }
        cases
    }

    /// The verbs that the branch can mean for a target; with `usual`, of those that the target knows.
    fn verbs(&self, target: &Target, usual: bool) -> Vec<&'static str> {
        let known: &[&'static str] = match target {
            Target::Path(_) if usual && !self.lists_verbs() => &["get"],
            Target::Path(_) => HTTP_VERBS,
            Target::Resource(target) if usual => verbs_of(&target.resource, &target.subresource),
            Target::Resource(_) => VERBS,
        };
        let allowed = |verb: &&'static str| self.passes(Dimension::Verb, &[verb]);
        let verbs: Vec<&'static str> = known.iter().copied().filter(allowed).collect();
        // What has no body cannot be what a rule means that reads it, if anything else can.
        let bodied: Vec<&'static str> = match self.branch.level {
            Level::None | Level::Metadata => return verbs,
            Level::Request => verbs.iter().copied().filter(|verb| WRITES.contains(verb)).collect(),
            Level::RequestResponse => verbs.iter().copied().filter(|verb| *verb != "watch").collect(),
        };
        if bodied.is_empty() && !usual { verbs } else { bodied }
    }
}

/// The verbs that a resource knows (Kubernetes API reference).
fn verbs_of(resource: &str, subresource: &str) -> &'static [&'static str] {
    match subresource {
        "" => match resource {
            "bindings" => &["create"],
            name if name.ends_with("reviews") => &["create"],
            "componentstatuses" => &["get", "list"],
            _ => VERBS,
        },
        "token" | "eviction" | "binding" => &["create"],
        "log" => &["get"],
        "finalize" => &["update"],
        "proxy" => &["get", "create", "update", "patch", "delete"],
        name if STREAMS.contains(&name) => &["get", "create"],
        "status" | "scale" | "approval" | "ephemeralcontainers" | "resize" => &["get", "update", "patch"],
        _ => VERBS,
    }
}
