//! The summary of a scan.

use std::fmt::Write as _;

use masthead_engine::{Loss, RuleReport, ScanSummary};
use masthead_ir::rule::{Compiled, RuleSet, Status};
use serde::Serialize;

use super::{RuleRecord, table::name};
use crate::output::{counted, printable};

/// How many rules with a remark are told one by one.
const TOLD: usize = 10;

/// The summary as text.
pub(crate) fn text(summary: &ScanSummary) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = figures(&mut out, summary);
    out
}

fn figures(out: &mut String, summary: &ScanSummary) -> std::fmt::Result {
    let seconds = summary.elapsed.as_secs_f64().max(0.001);
    let (events, size) = (counted(summary.events, "event"), size(summary.bytes));
    let speed = summary.bytes as f64 / 1e6 / seconds;
    let digits = usize::from(speed < 9.95);
    writeln!(out, "{events} read, {size} in {seconds:.2} s ({speed:.digits$} MB/s)")?;
    for loss in &summary.losses {
        writeln!(out, "  {}", told(loss))?;
    }
    writeln!(
        out,
        "{} loaded, {} refused, {} switched off{}",
        counted(summary.rules_loaded, "rule"),
        summary.rules_refused,
        summary.rules_off,
        if summary.rules_off > 0 { " by their authors (--include-disabled runs them)" } else { "" }
    )?;
    let total: u64 = summary.findings.values().sum();
    let each: Vec<String> = summary.findings.iter().rev().map(|(s, n)| format!("{n} {}", name(*s))).collect();
    let each = if each.is_empty() { String::new() } else { format!(": {}", each.join(", ")) };
    writeln!(out, "{}{each}", counted(total, "finding"))?;
    for note in &summary.notes {
        writeln!(out, "note: {}", printable(note))?;
    }
    // Where there was no event, every rule would have its remark.
    if summary.events > 0 { remarks(out, &summary.rules) } else { Ok(()) }
}

fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        ..1e3 => format!("{bytes} bytes"),
        ..1e6 => format!("{:.1} kB", bytes / 1e3),
        ..1e9 => format!("{:.1} MB", bytes / 1e6),
        _ => format!("{:.2} GB", bytes / 1e9),
    }
}

/// `3 skipped: no JSON (not-json), first at a.log:7, a.log:9`.
fn told(loss: &Loss) -> String {
    let fate = if loss.evaluated { "kept" } else { "skipped" };
    let mut out = format!("{} {fate}: {} ({})", loss.count, loss.meaning, loss.reason);
    if !loss.places.is_empty() {
        let first = if loss.count as usize > loss.places.len() { "first at" } else { "at" };
        out.push_str(&format!(", {first} {}", printable(&loss.places.join(", "))));
    }
    out
}

/// Rules that could not fire, or not as they were meant, and why.
fn remarks(out: &mut String, rules: &[RuleReport]) -> std::fmt::Result {
    let with: Vec<&RuleReport> = rules.iter().filter(|rule| !rule.problems.is_empty()).collect();
    if with.is_empty() {
        return Ok(());
    }
    writeln!(out, "{} could not fire, or not on everything:", counted(with.len() as u64, "rule"))?;
    for rule in with.iter().take(TOLD) {
        writeln!(out, "  {}: {}", printable(&rule.name), printable(&rule.problems.join("; ")))?;
    }
    if with.len() > TOLD {
        writeln!(out, "  and {} more; --summary json tells all", with.len() - TOLD)?;
    }
    Ok(())
}

/// A summary with the rules that were refused.
#[derive(Serialize)]
struct Told<'s> {
    #[serde(flatten)]
    summary: &'s ScanSummary,
    refused: Vec<RuleRecord<'s>>,
}

/// The summary as one JSON object, with the rules that were refused.
pub(crate) fn json(summary: &ScanSummary, rules: &RuleSet) -> serde_json::Result<String> {
    let refused = rules.rules.iter().filter(|rule| refused(rule)).map(RuleRecord::from).collect();
    serde_json::to_string(&Told { summary, refused })
}

/// Whether a rule takes no part in a scan.
pub(crate) fn refused(rule: &Compiled) -> bool {
    matches!(rule.status, Status::Invalid | Status::Unsupported)
}
