//! Rules as a list.

use std::sync::Arc;

use masthead_ir::rule::{Kind, Rule, Severity};
use serde::Serialize;

use crate::condition;
use crate::table::{Align, Table};

/// A rule in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its language.
    pub dialect: &'static str,
    /// How bad its findings are.
    pub severity: Severity,
    /// What its findings are.
    pub kind: Kind,
    /// The ATT&CK techniques that it names.
    pub attack: Vec<String>,
    /// Its file, as it was given.
    pub path: String,
    /// Whether its author calls it switched on.
    pub enabled: bool,
    /// The fields that its conditions on events test.
    pub reads: Vec<String>,
    /// The audit level that it needs: what its author says, else what the names of its fields say.
    pub audit_level: String,
}

impl Listed {
    /// A rule in short.
    pub fn of(rule: &Rule) -> Listed {
        Listed {
            id: rule.id.clone(),
            name: rule.name.clone(),
            dialect: rule.dialect,
            severity: rule.finding.severity,
            kind: rule.finding.kind,
            attack: rule.attack.clone(),
            path: rule.path.display().to_string(),
            enabled: rule.enabled,
            reads: condition::fields(rule),
            audit_level: condition::audit_level(rule),
        }
    }
}

/// Every rule in short, in the order given.
pub fn list(rules: &[Arc<Rule>]) -> Vec<Listed> {
    rules.iter().map(|rule| Listed::of(rule)).collect()
}

/// The list as a table of plain text.
pub fn text(listed: &[Listed]) -> String {
    let names = ["severity", "dialect", "kind", "name", "ATT&CK", "level", "id", "path"];
    let mut table = Table::new(names.map(|name| (name, Align::Left)));
    for rule in listed {
        let state = if rule.enabled { "" } else { " (off)" };
        table.row(vec![
            severity(rule.severity).to_owned(),
            rule.dialect.to_owned(),
            kind(rule.kind).to_owned(),
            format!("{}{state}", rule.name),
            rule.attack.join(" "),
            rule.audit_level.clone(),
            rule.id.clone(),
            rule.path.clone(),
        ]);
    }
    table.text()
}

/// The name of a severity.
pub(crate) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "informational",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Finding => "finding",
        Kind::IntermediateFinding => "intermediate",
        Kind::Signal => "signal",
        Kind::Hunt => "hunt",
    }
}
