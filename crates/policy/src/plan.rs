//! What a set of conditions demands of a policy, put together.

use std::collections::{BTreeMap, BTreeSet};

use crate::candidates::Tester;
use crate::demands::Demand;
use crate::known::VERBS;
use crate::level::{Level, Stage};
use crate::needs::{Branch, Dimension};
use crate::targets::{Nothing, Target};

/// A level, and the rules that need it.
#[derive(Debug, Clone)]
pub(crate) struct Need {
    pub(crate) level: Level,
    pub(crate) rules: BTreeSet<String>,
}

/// A need for each verb.
pub(crate) type Verbs = BTreeMap<&'static str, Need>;

/// Users that a need is about; without any: everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Who {
    pub(crate) users: Vec<String>,
    pub(crate) groups: Vec<String>,
}

/// All needs.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// By API group and resource as policies write it.
    pub(crate) resources: BTreeMap<(String, String), Verbs>,
    /// By path.
    pub(crate) paths: BTreeMap<String, Verbs>,
    /// Of whatever resource or path.
    pub(crate) any: BTreeMap<Who, Verbs>,
    /// API groups, resources and verbs that rules name.
    named: BTreeSet<(String, String, &'static str)>,
    /// Paths that rules name.
    pub(crate) named_paths: BTreeSet<String>,
    /// Whether a rule can only fire on events of the stage RequestReceived.
    pub(crate) received: bool,
    /// Whether a rule names nodes among its users.
    pub(crate) nodes: bool,
}

fn add(verbs: &mut Verbs, verb: &'static str, level: Level, rules: &BTreeSet<String>) {
    let need = verbs.entry(verb).or_insert_with(|| Need { level, rules: BTreeSet::new() });
    need.level = need.level.max(level);
    need.rules.extend(rules.iter().cloned());
}

/// What there is to say of a branch beside its needs.
pub(crate) enum Outcome {
    Planned,
    /// No request is so.
    Impossible(String),
    /// It is not about audit events: they do not have this field.
    Elsewhere(String),
    /// It cannot be told what it is about: any request is planned for.
    Unknown,
}

impl Plan {
    /// Adds what a branch of a rule demands.
    pub(crate) fn add(&mut self, rule: &str, branch: &Branch) -> Outcome {
        let tester = Tester::new(branch);
        let rules = BTreeSet::from([rule.to_owned()]);
        match tester.demands() {
            Err(Nothing::Impossible(reason)) => Outcome::Impossible(reason),
            Err(Nothing::Elsewhere(field)) => Outcome::Elsewhere(field),
            Err(Nothing::Unknown) => {
                let mut verbs = tester.allowed_verbs();
                if verbs.is_empty() {
                    verbs = VERBS.to_vec();
                }
                for verb in verbs {
                    add(self.any.entry(Who::default()).or_default(), verb, branch.level, &rules);
                }
                Outcome::Unknown
            }
            Ok((demands, users)) => {
                let names_nodes = tester.lists(Dimension::Username) || tester.lists(Dimension::Groups);
                let node = |groups: &[String]| groups.iter().any(|group| group == "system:nodes");
                self.nodes |= names_nodes && users.iter().any(|user| node(&user.groups));
                for demand in &demands {
                    self.demand(&tester, demand, &rules);
                }
                Outcome::Planned
            }
        }
    }

    /// Adds a rule of which nothing is known: the metadata of everything.
    pub(crate) fn add_anything(&mut self, rule: &str) {
        for verb in VERBS {
            let verbs = self.any.entry(Who::default()).or_default();
            add(verbs, verb, Level::Metadata, &BTreeSet::from([rule.to_owned()]));
        }
    }

    /// Whether a rule names this verb on this resource.
    pub(crate) fn names(&self, group: &str, form: &str, verb: &'static str) -> bool {
        self.named.contains(&(group.to_owned(), form.to_owned(), verb))
    }

    fn demand(&mut self, tester: &Tester<'_>, demand: &Demand, rules: &BTreeSet<String>) {
        let level = tester.branch.level;
        let mut early = demand.cases.iter().map(|case| tester.stages(case.long()));
        self.received |= early.all(|stages| stages == [Stage::RequestReceived]);
        let only_paths = demand.cases.iter().all(|case| matches!(case.target, Target::Path(_)));
        for case in &demand.cases {
            let verbs = match &case.target {
                Target::Path(_) if demand.any && only_paths => self.paths.entry("*".to_owned()).or_default(),
                Target::Path(_) if demand.any => continue,
                Target::Path(path) => {
                    self.named_paths.insert(path.clone());
                    self.paths.entry(path.clone()).or_default()
                }
                Target::Resource(target) => match &target.group {
                    Some(group) if !demand.any => {
                        self.named.insert((group.clone(), case.target.form(), case.verb));
                        self.resources.entry((group.clone(), case.target.form())).or_default()
                    }
                    _ => self.any.entry(who(tester)).or_default(),
                },
            };
            add(verbs, case.verb, level, rules);
        }
    }

    /// Takes away what something wider covers anyway. What `keep` names stays where the wider rule would log its body.
    pub(crate) fn absorb(&mut self, keep: &dyn Fn(&str, &str) -> bool) {
        let mut everybody = self.any.remove(&Who::default()).unwrap_or_default();
        let mut absorb = |verbs: &mut Verbs, keep: bool| {
            verbs.retain(|verb, need| match everybody.get_mut(verb) {
                Some(wide) if wide.level >= need.level && !(keep && wide.level > Level::Metadata) => {
                    wide.rules.append(&mut need.rules);
                    false
                }
                _ => true,
            });
        };
        self.any.values_mut().for_each(|verbs| absorb(verbs, false));
        self.paths.values_mut().for_each(|verbs| absorb(verbs, false));
        for ((group, form), verbs) in &mut self.resources {
            absorb(verbs, keep(group, form));
        }
        if let Some(paths) = self.paths.remove("*") {
            self.paths.values_mut().for_each(|verbs| {
                verbs.retain(|verb, need| {
                    // A path whose bodies are needed stays beside all paths at a lower level.
                    paths.get(verb).is_none_or(|wide| wide.level < need.level)
                })
            });
            self.paths.insert("*".to_owned(), paths);
        }
        self.any.insert(Who::default(), everybody);
        self.any.retain(|_, verbs| !verbs.is_empty());
        self.paths.retain(|_, verbs| !verbs.is_empty());
        self.resources.retain(|_, verbs| !verbs.is_empty());
    }
}

/// The users that a branch names, if it names them plainly.
fn who(tester: &Tester<'_>) -> Who {
    if tester.nobody() {
        return Who::default();
    }
    if tester.exact(Dimension::Username) {
        return Who { users: tester.named(Dimension::Username), groups: Vec::new() };
    }
    if tester.exact(Dimension::Groups) {
        return Who { users: Vec::new(), groups: tester.named(Dimension::Groups) };
    }
    Who::default()
}
