//! Why rules are blind, as sentences.

use std::collections::BTreeSet;

use crate::demands::Case;
use crate::level::{Level, Stage};
use crate::needs::Branch;
use crate::policy::Policy;

/// Why a request is not logged as a rule needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Its level is None, or no rule of the policy matches.
    NotLogged,
    /// It is logged at this level.
    Level(Level),
    /// None of these stages is logged.
    Stages(Vec<Stage>),
    /// Managed fields are left out.
    ManagedFields,
}

/// A cause and the rule of the policy behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Miss {
    pub(crate) rule: Option<usize>,
    pub(crate) cause: Cause,
}

/// What a policy does not log, collected by cause.
pub(crate) struct Misses<'p> {
    policy: &'p Policy,
    found: Vec<Found>,
}

struct Found {
    miss: Miss,
    level: Level,
    field: Option<String>,
    /// Whether some users, namespaces or names are logged.
    partly: bool,
    /// Verbs, where the rule names them.
    verbs: BTreeSet<&'static str>,
    targets: Vec<String>,
}

impl<'p> Misses<'p> {
    pub(crate) fn new(policy: &'p Policy) -> Misses<'p> {
        Misses { policy, found: Vec::new() }
    }

    pub(crate) fn add(&mut self, case: &Case, miss: Miss, branch: &Branch, by_verb: bool, partly: bool) {
        let field = match miss.cause {
            Cause::Level(_) => branch.field.clone(),
            _ => None,
        };
        let known = self.found.iter_mut().find(|found| {
            found.miss == miss && found.level == branch.level && found.field == field && found.partly == partly
        });
        let found = match known {
            Some(found) => found,
            None => {
                let level = branch.level;
                let (verbs, targets) = (BTreeSet::new(), Vec::new());
                self.found.push(Found { miss, level, field, partly, verbs, targets });
                let last = self.found.len() - 1;
                &mut self.found[last]
            }
        };
        if by_verb {
            found.verbs.insert(case.verb);
        }
        let target = case.target.form();
        if !found.targets.contains(&target) {
            found.targets.push(target);
        }
    }

    /// The sentences, each once.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let mut sentences: Vec<String> = Vec::new();
        for found in &self.found {
            let sentence = self.sentence(found);
            if !sentences.contains(&sentence) {
                sentences.push(sentence);
            }
        }
        sentences
    }

    fn sentence(&self, found: &Found) -> String {
        let what = found.what();
        let rule = found.miss.rule.and_then(|index| Some((index, self.policy.rules.get(index)?)));
        let who = rule.map(|(index, rule)| format!("policy rule {} (line {})", index + 1, rule.line));
        let mut sentence = match (&found.miss.cause, who) {
            (Cause::NotLogged, None) => format!("no policy rule matches {what}, so it is not logged"),
            (Cause::NotLogged, Some(who)) => format!("{who} does not log {what} (level None)"),
            (Cause::Level(level), who) => {
                let who = who.unwrap_or_else(|| "the policy".to_owned());
                let field = found.field.as_deref().unwrap_or("a body");
                let needed = found.level.name();
                format!("{who} logs {what} at {}; the rule reads {field}, which needs {needed}", level.name())
            }
            (Cause::Stages(stages), who) => {
                let who = who.unwrap_or_else(|| "the policy".to_owned());
                let names: Vec<&str> = stages.iter().map(|stage| stage.name()).collect();
                format!("{who} logs {what} without the stage {}, which the rule needs", names.join(" or "))
            }
            (Cause::ManagedFields, who) => {
                let who = who.unwrap_or_else(|| "the policy".to_owned());
                format!("{who} logs {what} without metadata.managedFields, which the rule reads")
            }
        };
        if found.partly {
            sentence.push_str(" (for some users, namespaces or names it is otherwise)");
        }
        sentence
    }
}

impl Found {
    fn what(&self) -> String {
        let targets: Vec<&str> = self.targets.iter().map(String::as_str).collect();
        let targets = few(&targets);
        if self.verbs.is_empty() {
            return targets;
        }
        let verbs: Vec<&str> = self.verbs.iter().copied().collect();
        format!("{} of {targets}", few(&verbs))
    }
}

/// At most three names, and how many more there are.
pub(crate) fn few(names: &[&str]) -> String {
    let shown = names.iter().take(3).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(3) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
