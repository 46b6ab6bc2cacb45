//! What a set of rules covers: ATT&CK, the Microsoft threat matrix for Kubernetes, Stratus Red Team.

mod navigator;
mod render;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use masthead_ir::rule::Rule;
use serde::Serialize;

use crate::attack::{self, Tactic};
use crate::microsoft::{self, MATRIX, Visibility};
use crate::stratus::{self, AttackCover};

/// What a set of rules covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// How many rules were counted.
    pub counted: usize,
    /// How many were not, because they are switched off.
    pub off: usize,
    /// The languages of the rules counted.
    pub dialects: BTreeSet<&'static str>,
    /// The ATT&CK techniques that rules name, by id.
    pub techniques: Vec<TechniqueCover>,
    /// Techniques of ATT&CK's Containers platform that no rule names; a part that is named counts for the whole.
    pub unnamed: Vec<UnnamedTechnique>,
    /// The techniques of the Microsoft matrix, by number.
    pub microsoft: Vec<MatrixCover>,
    /// Those of them that an audit log shows and no rule covers.
    pub gaps: Vec<Gap>,
    /// The attacks of Stratus Red Team.
    pub stratus: Vec<AttackCover>,
}

/// A rule as a report names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RuleName {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Its language.
    pub dialect: &'static str,
}

impl RuleName {
    pub(crate) fn of(rule: &Rule) -> RuleName {
        RuleName { name: rule.name.clone(), id: rule.id.clone(), dialect: rule.dialect }
    }
}

/// An ATT&CK technique and the rules that name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TechniqueCover {
    /// Its id.
    pub id: String,
    /// Its name; empty if the table of [`attack`] does not hold it.
    pub name: &'static str,
    /// Its tactics.
    pub tactics: Vec<Tactic>,
    /// How many rules name it.
    pub number: usize,
    /// The rules, by language.
    pub rules: BTreeMap<&'static str, Vec<RuleName>>,
}

/// A technique that no rule names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnnamedTechnique {
    /// Its id.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
}

/// A technique of the Microsoft matrix and the rules that cover it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MatrixCover {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: &'static str,
    /// Its tactics.
    pub tactics: &'static [Tactic],
    /// Where it can be seen.
    pub visibility: Visibility,
    /// What can be seen of it.
    pub seen: &'static str,
    /// Rules that name it.
    pub by_tag: Vec<RuleName>,
    /// Rules that name no technique of the matrix, and an ATT&CK technique that stands for this one.
    pub by_technique: Vec<RuleName>,
}

impl MatrixCover {
    /// Whether there is a rule for it.
    pub fn is_covered(&self) -> bool {
        !self.by_tag.is_empty() || !self.by_technique.is_empty()
    }
}

/// A technique that an audit log shows and no rule covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: &'static str,
    /// Where it can be seen.
    pub visibility: Visibility,
    /// What can be seen of it.
    pub seen: &'static str,
}

impl Coverage {
    /// What rules cover. Rules that are switched off are left out: what does not run covers nothing.
    pub fn of(rules: &[Arc<Rule>]) -> Coverage {
        Coverage::new(rules.iter().map(|rule| &**rule).filter(|rule| rule.enabled), rules.len())
    }

    /// What rules would cover if all of them were switched on.
    pub fn of_all(rules: &[Arc<Rule>]) -> Coverage {
        Coverage::new(rules.iter().map(|rule| &**rule), rules.len())
    }

    fn new<'r>(rules: impl Iterator<Item = &'r Rule>, given: usize) -> Coverage {
        let rules: Vec<&Rule> = rules.collect();
        let microsoft = matrix(&rules);
        let gap = |cover: &MatrixCover| Gap {
            id: cover.id.clone(),
            name: cover.name,
            visibility: cover.visibility,
            seen: cover.seen,
        };
        let techniques = techniques(&rules);
        Coverage {
            counted: rules.len(),
            off: given - rules.len(),
            dialects: rules.iter().map(|rule| rule.dialect).collect(),
            unnamed: unnamed(&techniques),
            techniques,
            gaps: microsoft.iter().filter(|c| c.visibility.is_visible() && !c.is_covered()).map(gap).collect(),
            microsoft,
            stratus: stratus::cover(&rules),
        }
    }
}

/// The ids that a rule names, each once, in upper case.
pub(crate) fn named(rule: &Rule) -> BTreeSet<String> {
    rule.attack.iter().map(|id| id.trim().to_ascii_uppercase()).collect()
}

fn techniques(rules: &[&Rule]) -> Vec<TechniqueCover> {
    let mut by_id: BTreeMap<String, BTreeMap<&'static str, Vec<RuleName>>> = BTreeMap::new();
    for rule in rules {
        for id in named(rule) {
            by_id.entry(id).or_default().entry(rule.dialect).or_default().push(RuleName::of(rule));
        }
    }
    let cover = |(id, mut rules): (String, BTreeMap<_, Vec<RuleName>>)| {
        rules.values_mut().for_each(|names| names.sort());
        let known = attack::technique(&id);
        TechniqueCover {
            name: known.map(|technique| technique.name).unwrap_or_default(),
            tactics: known.map(|technique| technique.tactics.clone()).unwrap_or_default(),
            number: rules.values().map(Vec::len).sum(),
            id,
            rules,
        }
    };
    by_id.into_iter().map(cover).collect()
}

fn unnamed(named: &[TechniqueCover]) -> Vec<UnnamedTechnique> {
    let covers = |id: &str| named.iter().any(|cover| cover.id == id || cover.id.split('.').next() == Some(id));
    attack::techniques()
        .filter(|technique| technique.containers && !covers(technique.id))
        .map(|technique| UnnamedTechnique { id: technique.id, name: technique.name })
        .collect()
}

fn matrix(rules: &[&Rule]) -> Vec<MatrixCover> {
    let tagged: Vec<BTreeSet<u8>> =
        rules.iter().map(|rule| rule.tags.iter().filter_map(|tag| microsoft::number(tag)).collect()).collect();
    let mut covers = Vec::with_capacity(MATRIX.len());
    for technique in MATRIX {
        let (mut by_tag, mut by_technique) = (Vec::new(), Vec::new());
        for (rule, tagged) in rules.iter().zip(&tagged) {
            if tagged.contains(&technique.number) {
                by_tag.push(RuleName::of(rule));
            } else if tagged.is_empty() && named(rule).iter().any(|id| technique.attack.contains(&id.as_str())) {
                by_technique.push(RuleName::of(rule));
            }
        }
        by_tag.sort();
        by_technique.sort();
        covers.push(MatrixCover {
            id: technique.id(),
            name: technique.name,
            tactics: technique.tactics,
            visibility: technique.visibility,
            seen: technique.seen,
            by_tag,
            by_technique,
        });
    }
    covers
}
