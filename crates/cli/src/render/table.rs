//! Findings for people.

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use masthead_ir::finding::{Entity, Finding};
use masthead_ir::rule::{EntityRole, Kind, Severity};

use crate::output::{counted, printable};

/// Width of the column of severities.
const COLUMN: usize = 15;
/// How many entities are named.
const ENTITIES: usize = 6;

/// One finding as lines of text.
pub(crate) fn text(finding: &Finding) -> String {
    let (style, bold, dim) = (style(finding.severity), Style::new().bold(), Style::new().dimmed());
    let severity = name(finding.severity);
    let headline = printable(finding.message_or_title());
    let mut about = vec![kind(finding.kind).to_owned()];
    if headline != finding.rule.name {
        about.insert(0, printable(&finding.rule.name).into_owned());
    }
    about.extend(finding.attack.iter().map(|id| printable(id).into_owned()));
    let mut facts = vec![times(finding), counted(finding.count, "event")];
    facts.extend(finding.cluster.as_ref().map(|cluster| format!("cluster {}", printable(cluster))));
    let mut lines = vec![about.join(" · "), facts.join(" · ")];
    if !finding.entities.is_empty() {
        lines.push(entities(&finding.entities));
    }
    let mut out = format!("{style}{severity}{style:#}{:1$}{bold}{headline}{bold:#}\n", "", COLUMN - severity.len());
    for line in lines {
        out.push_str(&format!("{:COLUMN$}{dim}{line}{dim:#}\n", ""));
    }
    out
}

/// From when to when, to the second.
fn times(finding: &Finding) -> String {
    let read = |time: &Option<String>| time.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
    let shown = |time: Timestamp| time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let first = read(&finding.first_seen).map(shown);
    let last = read(&finding.last_seen).map(shown);
    match (first, last) {
        (Some(first), Some(last)) if first != last => match last.strip_prefix(&first[..11]) {
            Some(time) => format!("{first} to {time} UTC"),
            None => format!("{first} to {last} UTC"),
        },
        (Some(time), _) | (None, Some(time)) => format!("{time} UTC"),
        (None, None) => "no time".to_owned(),
    }
}

fn entities(entities: &[Entity]) -> String {
    let one = |entity: &Entity| {
        let (kind, value) = (printable(&entity.entity_type), printable(&entity.value));
        match (entity.role, entity.risk_score) {
            (EntityRole::Risk, Some(score)) => format!("{kind} {value} (risk {score})"),
            (EntityRole::Risk, None) => format!("{kind} {value}"),
            (EntityRole::Threat, _) => format!("{kind} {value} (threat)"),
        }
    };
    let mut named: Vec<String> = entities.iter().take(ENTITIES).map(one).collect();
    if entities.len() > ENTITIES {
        named.push(format!("and {} more", entities.len() - ENTITIES));
    }
    named.join(" · ")
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Finding => "finding",
        Kind::IntermediateFinding => "intermediate finding",
        Kind::Signal => "signal",
        Kind::Hunt => "hunt",
    }
}

/// The contract's name of a severity.
pub(crate) fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "informational",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

fn style(severity: Severity) -> Style {
    match severity {
        Severity::Informational => Style::new().dimmed(),
        Severity::Low => AnsiColor::Cyan.on_default(),
        Severity::Medium => AnsiColor::Yellow.on_default(),
        Severity::High => AnsiColor::Red.on_default(),
        Severity::Critical => AnsiColor::Red.on_default().bold(),
    }
}
