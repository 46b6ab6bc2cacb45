//! Findings as a table.

use anstyle::{AnsiColor, Style};
use masthead_ir::finding::Finding;
use masthead_ir::rule::Severity;

/// One finding as lines of text.
pub(crate) fn text(finding: &Finding) -> String {
    let style = style(finding.severity);
    let severity = name(finding.severity);
    let times = match (&finding.first_seen, &finding.last_seen) {
        (Some(first), Some(last)) if first != last => format!("{first} .. {last}"),
        (Some(first), _) => first.clone(),
        _ => "no time".to_owned(),
    };
    let mut out = format!(
        "{style}{severity:<13}{style:#} {}\n              {times}  {} event{}  {} ({})",
        finding.message_or_title(),
        finding.count,
        if finding.count == 1 { "" } else { "s" },
        finding.rule.name,
        kind(finding),
    );
    if !finding.entities.is_empty() {
        let entities: Vec<String> =
            finding.entities.iter().map(|entity| format!("{} {}", entity.entity_type, entity.value)).collect();
        out.push_str(&format!("\n              {}", entities.join(", ")));
    }
    out
}

fn kind(finding: &Finding) -> String {
    serde_json::to_value(finding.kind).ok().and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default()
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
