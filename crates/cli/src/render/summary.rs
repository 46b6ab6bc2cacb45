//! The summary of a scan.

use masthead_engine::ScanSummary;

use super::table::name;

/// How many rules with a problem are told one by one.
const TOLD: usize = 10;

/// The summary as text.
pub(crate) fn text(summary: &ScanSummary) -> String {
    let seconds = summary.elapsed.as_secs_f64().max(0.001);
    let mut out = format!(
        "{} events read, {:.1} MB in {seconds:.2} s ({:.0} MB/s)\n",
        summary.events,
        summary.bytes as f64 / 1e6,
        summary.bytes as f64 / 1e6 / seconds
    );
    for loss in &summary.losses {
        let fate = if loss.evaluated { "evaluated" } else { "skipped" };
        let places = if loss.places.is_empty() { String::new() } else { format!(": {}", loss.places.join(", ")) };
        out.push_str(&format!("{} {fate}: {} ({}){places}\n", loss.count, loss.reason, loss.meaning));
    }
    out.push_str(&format!(
        "{} rules loaded, {} refused, {} switched off\n",
        summary.rules_loaded, summary.rules_refused, summary.rules_off
    ));
    let total: u64 = summary.findings.values().sum();
    let each: Vec<String> = summary.findings.iter().rev().map(|(s, n)| format!("{n} {}", name(*s))).collect();
    let each = if each.is_empty() { String::new() } else { format!(": {}", each.join(", ")) };
    out.push_str(&format!("{total} findings{each}\n"));
    for note in &summary.notes {
        out.push_str(&format!("note: {note}\n"));
    }
    let faulty: Vec<_> = summary.rules.iter().filter(|rule| !rule.problems.is_empty()).collect();
    for rule in faulty.iter().take(TOLD) {
        out.push_str(&format!("{}: {}\n", rule.name, rule.problems.join("; ")));
    }
    if faulty.len() > TOLD {
        out.push_str(&format!("… and {} more rules with a remark; --summary json tells all\n", faulty.len() - TOLD));
    }
    out
}
