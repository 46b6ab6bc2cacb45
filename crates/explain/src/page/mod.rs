//! The page of a rule.

mod build;
mod fields;
mod indicators;
mod state;

use std::collections::BTreeMap;

use masthead_ir::rule::{EntityRole, Guide, Kind, Severity};
use serde::Serialize;

pub use build::{explain, explain_with};
pub use fields::{FieldLevel, FieldRole, FieldUse};
pub use indicators::{Indicator, Term, Usage};
pub use state::State;

use crate::layout;
use crate::render;
use crate::words::condition::{Condition, Sentence};
use crate::words::predicate::Predicate;
use crate::words::stage::StageWords;
use crate::words::wording::Wording;

/// Everything that can be said of a rule. As JSON it is whole; as text long lists of values are cut.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page {
    /// The rule itself.
    pub rule: RuleHead,
    /// ATT&CK technique ids.
    pub attack: Vec<String>,
    /// The rule's tags.
    pub tags: Vec<String>,
    /// Where the rows come from.
    pub source: Option<Wording>,
    /// What an event must meet: all of these. Of a script what can be read off it.
    pub conditions: Vec<Sentence>,
    /// What is done with the events, in order.
    pub stages: Vec<StageWords>,
    /// What is let pass.
    pub exclusions: Vec<Exclusion>,
    /// Every test against literals.
    pub indicators: Vec<Indicator>,
    /// The words that are looked for in the event's text.
    pub terms: Vec<Term>,
    /// The fields of events that are read.
    pub fields: Vec<FieldUse>,
    /// What is kept between events.
    pub state: State,
    /// When it runs.
    pub schedule: Option<Schedule>,
    /// Who a finding is about, and what it says.
    pub risk: Risk,
    /// What its author tells people.
    pub guide: Guide,
    /// The tests that it carries.
    pub tests: Vec<Test>,
    /// Follow-up searches.
    pub drilldowns: Vec<Reading>,
    /// The program, if it is one.
    pub script: Option<Script>,
}

/// What a rule is called, and where it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleHead {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The front-end that read it.
    pub dialect: String,
    /// Its file.
    pub path: String,
    /// Its description.
    pub description: String,
    /// Whether its author calls it switched on.
    pub enabled: bool,
    /// How bad a finding is.
    pub severity: Severity,
    /// What its findings are.
    pub kind: Kind,
}

/// Something that a rule lets pass.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Exclusion {
    /// What an event is like that is let pass.
    pub text: Wording,
    /// The tests in it.
    pub predicates: Vec<Predicate>,
    /// The lookup tables that name what is let pass.
    pub lists: Vec<String>,
}

/// When a rule runs, and over what.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Schedule {
    /// Both in words.
    pub text: String,
    /// The cron expression, UTC.
    pub cron: String,
}

/// What a finding says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Risk {
    /// The title; `$field$` stands for a value.
    pub title: String,
    /// The message; `$field$` stands for a value.
    pub message: String,
    /// Who it is about.
    pub entities: Vec<RiskEntity>,
    /// How long the same finding is held back, in words.
    pub throttle: Option<String>,
}

/// Who or what a finding is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RiskEntity {
    /// The field that names it.
    pub field: String,
    /// What it is.
    #[serde(rename = "type")]
    pub entity_type: String,
    /// At risk, or a threat.
    pub role: EntityRole,
    /// The risk that a finding adds.
    pub score: Option<i64>,
    /// A message of its own.
    pub message: Option<String>,
}

/// A test that a rule carries.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Test {
    /// Its name.
    pub name: String,
    /// Whether the rule must fire.
    pub fires: bool,
    /// Further expectations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub expect: BTreeMap<String, String>,
}

/// A follow-up search.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reading {
    /// Its name.
    pub name: String,
    /// Its text.
    pub search: String,
    /// Start of its window.
    pub earliest: String,
    /// End of its window.
    pub latest: String,
}

/// A rule that is a program.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Script {
    /// The file of the program.
    pub program: String,
    /// The log types that it wants; empty: all.
    pub log_types: Vec<String>,
    /// What could be read off it: an event that does not meet this is no match.
    pub read_off: Condition,
    /// Whether parts of it could not be read: then the program decides the rest.
    pub not_read: bool,
    /// How many matches make a finding.
    pub threshold: u64,
    /// How long matches that belong together make one finding, in minutes.
    pub dedup_period_minutes: u64,
    /// Fields that a finding sums up.
    pub summary: Vec<String>,
    /// Whether findings are alerts.
    pub alert: bool,
}

impl Page {
    /// The page for a terminal, up to 96 columns wide.
    pub fn text(&self) -> String {
        render::text(&layout::page(self))
    }

    /// The page as Markdown.
    pub fn markdown(&self) -> String {
        render::markdown(&layout::page(self))
    }
}
