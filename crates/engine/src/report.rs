//! What a scan, a test run and a check tell their caller.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use masthead_ir::diagnostic::Diagnostic;
use masthead_ir::finding::Finding;
use masthead_ir::rule::Severity;
use serde::Serialize;

/// What became of a scan.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ScanSummary {
    /// Events that were evaluated.
    pub events: u64,
    /// Bytes of events that were evaluated, after decompression.
    pub bytes: u64,
    /// Bytes of input that were read, before decompression.
    pub input_bytes: u64,
    /// Records that were not evaluated, or not whole, by reason.
    pub losses: Vec<Loss>,
    /// Rules that took part.
    pub rules_loaded: u64,
    /// Rules that were refused (invalid or unsupported).
    pub rules_refused: u64,
    /// Rules that their authors switched off, and that were left out.
    pub rules_off: u64,
    /// Findings by severity.
    pub findings: BTreeMap<Severity, u64>,
    /// What became of each rule that took part, in the order of their paths.
    pub rules: Vec<RuleReport>,
    /// What else the user should know, once each (no geo-IP database given, …).
    pub notes: Vec<String>,
    /// Wall-clock time.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub elapsed: Duration,
}

impl ScanSummary {
    /// Whether there was something to read, and none of it was an event.
    pub fn nothing_readable(&self) -> bool {
        let harmless = ["control", "not-audit", "double"];
        self.events == 0 && self.losses.iter().any(|loss| !harmless.contains(&loss.reason.as_str()))
    }
}

fn seconds<S: serde::Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(value.as_secs_f64())
}

/// Records with one fate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// A stable name (`not-json`, `double`, `truncated`, …).
    pub reason: String,
    /// What it means, for a person.
    pub meaning: String,
    /// How many.
    pub count: u64,
    /// Whether the records were evaluated all the same (salvaged, marked).
    pub evaluated: bool,
    /// The first places: `path:line` or `path:line#record`.
    pub places: Vec<String>,
}

/// What became of a rule in a scan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleReport {
    /// Its id.
    pub rule_id: String,
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// Events that passed its first filter or guard.
    pub candidates: u64,
    /// Events that matched (scripts), or rows that came out (pipelines).
    pub matches: u64,
    /// Findings.
    pub findings: u64,
    /// Why it could not fire, or not as its author meant (no event of its log type, a field no event had).
    pub problems: Vec<String>,
    /// What went wrong in its program while it ran, with places.
    pub diagnostics: Vec<Diagnostic>,
}

/// One test of one rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TestResult {
    /// The rule's id.
    pub rule_id: String,
    /// The rule's file.
    pub path: PathBuf,
    /// The test's name.
    pub test: String,
    /// What was expected.
    pub expected: serde_json::Value,
    /// What came out.
    pub actual: serde_json::Value,
    /// How it ended.
    pub status: TestStatus,
    /// Why it did not pass.
    pub detail: String,
}

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TestStatus {
    /// As expected.
    Passed,
    /// Otherwise than expected.
    Failed,
    /// It could not be run, or the rule raised.
    Error,
}

/// What happens while a scan runs. All calls come from the thread that called `scan`.
pub trait Progress {
    /// Input bytes read so far, of how many (0: unknown).
    fn bytes(&self, read: u64, total: u64);
}

/// Receives findings in their final order.
pub type FindingSink<'a> = dyn FnMut(Finding) -> std::io::Result<()> + 'a;
