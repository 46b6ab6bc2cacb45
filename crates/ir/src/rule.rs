//! Rules: what a front-end makes of a rule file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::diagnostic::Diagnostic;
use crate::expr::Expr;
use crate::pipeline::Pipeline;
use crate::table::Table;
use crate::time::{Micros, TimeRange};

/// A rule as a front-end compiled it.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The rule's own id; where it has none, its file's stem.
    pub id: String,
    /// The name in the rule's own file.
    pub name: String,
    /// The name of the front-end that read it.
    pub dialect: &'static str,
    /// The file, as it was given.
    pub path: PathBuf,
    /// The description in the rule's own file.
    pub description: String,
    /// Whether its author calls it switched on. Rules that are off are checked and tested, not run, unless asked for.
    pub enabled: bool,
    /// ATT&CK technique ids (`T1613`, `T1552.007`), in the rule's order.
    pub attack: Vec<String>,
    /// The rule's references and tags, for reports.
    pub tags: Vec<String>,
    /// What its findings are.
    pub finding: FindingTemplate,
    /// When and over what it runs.
    pub schedule: Option<Schedule>,
    /// What decides.
    pub body: Body,
    /// Tests that the rule carries.
    pub tests: Vec<RuleTest>,
    /// Follow-up searches for the person who looks at a finding.
    pub drilldowns: Vec<Drilldown>,
    /// What its author tells people beside the description.
    pub guide: Guide,
}

/// What an author of a rule tells the people who read it and its findings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Guide {
    /// Addresses to read more.
    pub references: Vec<String>,
    /// What else may look like it.
    pub false_positives: Vec<String>,
    /// What to do about a finding.
    pub next_steps: Vec<String>,
    /// The level at which requests must be audited for the rule to see what it reads, as its author says.
    pub audit_level: Option<String>,
}

/// What decides whether a rule fires.
#[derive(Debug, Clone)]
pub enum Body {
    /// A pipeline: every result row fires.
    Pipeline(Pipeline),
    /// A script: every event that it accepts is a match, and a [`Trigger`] turns matches into findings.
    Script(Script, Trigger),
}

/// A program run once per candidate event by an interpreter (`masthead-script`).
#[derive(Debug, Clone)]
pub struct Script {
    /// Log types that it wants; empty: all.
    pub log_types: Vec<String>,
    /// What can be read off the program: an event for which this is false is no match, and the program need not run.
    pub guard: Expr,
    /// The name of the program's module; unique among all rules.
    pub module: String,
    /// The program's text.
    pub source: Arc<str>,
    /// The file of the program.
    pub source_path: PathBuf,
    /// Modules that programs of this front-end share. Rules of one folder share one `Arc`.
    pub library: Arc<ScriptLibrary>,
    /// What is passed to the library's entry point with each event, as JSON (static title, severity, …).
    pub config: serde_json::Value,
}

/// What scripts of one front-end share: its prelude, helpers, data models.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScriptLibrary {
    /// Module name and text. A name with dots is a module in a package.
    pub modules: BTreeMap<String, Arc<str>>,
    /// The module and function that is called once a candidate:
    /// `entry(module, event, envelope, config) -> dict`. `module` is the loaded program, the others are plain JSON values; `envelope`
    /// holds what the event came in (`source`, `sourcetype`, `log_type`, `cluster`, `account`, `label`, `row_id`; empty in a
    /// test). The dict is read as [`ScriptVerdict`].
    pub entry: (String, String),
}

/// What a script says of an event: the JSON that its entry point returns.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ScriptVerdict {
    /// Whether the event is a match.
    pub matched: bool,
    /// The title of a finding.
    pub title: Option<String>,
    /// What groups matches to one finding.
    pub dedup: Option<String>,
    /// The severity as the script gave it.
    pub severity: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// The reference.
    pub reference: Option<String>,
    /// The runbook.
    pub runbook: Option<String>,
    /// The destinations.
    pub destinations: Option<Vec<String>>,
    /// Fields for the person who looks at it.
    pub context: Option<serde_json::Map<String, serde_json::Value>>,
    /// Values of the fields that the trigger sums up, by field.
    pub summary: BTreeMap<String, Vec<String>>,
    /// Type and value of users, addresses and other indicators in the event.
    pub entities: Vec<(String, String)>,
    /// Errors by function name (`rule`, `title`, …): exception type, message, line.
    pub errors: Vec<ScriptError>,
}

/// An exception of a script.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ScriptError {
    /// The function that was called.
    pub function: String,
    /// Type and message.
    pub message: String,
    /// The line of the rule's program it came from, from 1; 0 if unknown.
    pub line: u32,
}

/// When matches become a finding.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    /// How many matches with one dedup string within the period it takes.
    pub threshold: u64,
    /// How long matches with one dedup string belong to one finding, in minutes.
    pub period_minutes: u64,
    /// Fields whose values are summed up in the finding.
    pub summary: Vec<String>,
    /// Whether findings are alerts; else they are signals.
    pub alert: bool,
}

/// The kinds of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Somebody should look.
    Finding,
    /// A risk event: it counts towards the risk of its entities.
    IntermediateFinding,
    /// A match for correlation; no alert.
    Signal,
    /// A result for a hunter.
    Hunt,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Severity {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

/// How a match is told.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingTemplate {
    /// The kind.
    pub kind: Kind,
    /// The severity.
    pub severity: Severity,
    /// The title; `$field$` stands for the row's value.
    pub title: String,
    /// The message; `$field$` stands for the row's value.
    pub message: String,
    /// Who gets risk, and what points at the attacker.
    pub entities: Vec<EntityTemplate>,
    /// Fields and seconds: after a finding with these values the same is held back so long.
    pub throttle: Option<(Vec<String>, u64)>,
}

/// An entity named by a field of the result.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityTemplate {
    /// The field of the result row.
    pub field: String,
    /// `user`, `system`, `other`, or an indicator type (`ip_address`, …).
    pub entity_type: String,
    /// `risk` or `threat`.
    pub role: EntityRole,
    /// The risk that a match adds.
    pub score: Option<i64>,
    /// A message of its own for this entity's risk event.
    pub message: Option<String>,
}

/// What an entity is to a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntityRole {
    /// It is at risk, and gets the score.
    Risk,
    /// It points at the attacker.
    Threat,
}

/// When a pipeline runs, and over what.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Five-field cron expression, UTC.
    pub cron: String,
    /// The window, relative to the run.
    pub range: TimeRange,
}

/// A follow-up search.
#[derive(Debug, Clone, PartialEq)]
pub struct Drilldown {
    /// Its name, with `$field$` tokens.
    pub name: String,
    /// Its text, with `$field$` tokens.
    pub search: String,
    /// Start of its window.
    pub earliest: String,
    /// End of its window.
    pub latest: String,
}

/// A test that a rule carries.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleTest {
    /// Its name.
    pub name: String,
    /// The events, and where they are said to come from.
    pub input: TestInput,
    /// Whether the rule must fire.
    pub expect_match: bool,
    /// Further expectations by output name (`title`, `dedup`, `severity`, …).
    pub expect: BTreeMap<String, String>,
    /// Names replaced in the rule's program while the test runs, with what they return.
    pub mocks: Vec<(String, serde_json::Value)>,
    /// The line of the test in the rule's file, from 1.
    pub line: u32,
}

/// Where a test's events come from.
#[derive(Debug, Clone, PartialEq)]
pub enum TestInput {
    /// One event in the rule file, or an array of them.
    Inline(serde_json::Value),
    /// Files or addresses of recorded events.
    Data(Vec<TestData>),
}

/// Recorded events of a test.
#[derive(Debug, Clone, PartialEq)]
pub struct TestData {
    /// A path relative to the rule's file, or an address that is not fetched.
    pub location: String,
    /// The source that the events are given.
    pub source: Option<String>,
    /// The sourcetype that the events are given.
    pub sourcetype: Option<String>,
}

/// What became of one rule of a file.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The file.
    pub path: PathBuf,
    /// The rule's id as far as it could be read.
    pub rule_id: String,
    /// The name of the front-end.
    pub dialect: &'static str,
    /// How far it can run.
    pub status: Status,
    /// Why.
    pub diagnostics: Vec<Diagnostic>,
    /// The rule, unless it is invalid or unsupported.
    pub rule: Option<Arc<Rule>>,
}

/// How far a rule can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It runs.
    Runs,
    /// It runs, but part of it has no effect here (named by a diagnostic).
    Partial,
    /// Known, and cannot run here (named by a diagnostic).
    Unsupported,
    /// Faulty.
    Invalid,
}

/// What front-ends make of a set of files: the rules and what they share.
#[derive(Debug, Default)]
pub struct RuleSet {
    /// One entry a rule, in the order of paths.
    pub rules: Vec<Compiled>,
    /// Lookup tables by name.
    pub tables: BTreeMap<String, Arc<Table>>,
    /// Findings about shared files (macros, lookups, helpers) that belong to no rule.
    pub diagnostics: Vec<Diagnostic>,
}

/// What a front-end may ask of its caller.
#[derive(Debug, Clone, Default)]
pub struct CompileOptions {
    /// The moment that `now()` stands for when it must be known at compile time; none: when the pipeline runs.
    pub now: Option<Micros>,
    /// Options by name (`splunk.mv-not-equal=every`), as the user gave them.
    pub options: BTreeMap<String, String>,
}
