//! Scans, rule tests and checks over events: the only library crate that knows all the others.

pub mod options;
pub mod report;

use std::path::PathBuf;

use masthead_ir::rule::RuleSet;
pub use options::{OriginOverride, RuleOptions, ScanOptions, Windows};
pub use report::{FindingSink, Loss, Progress, RuleReport, ScanSummary, TestResult, TestStatus};

/// What keeps a run from starting at all.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A file or folder could not be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Nothing was given that could be read.
    #[error("{0}")]
    Nothing(String),
    /// The findings could not be written.
    #[error("cannot write: {0}")]
    Output(#[source] std::io::Error),
}

/// Reads and compiles rules. Faulty rules are entries of the result, not errors.
pub fn load_rules(_options: &RuleOptions) -> Result<RuleSet, EngineError> {
    Ok(RuleSet::default())
}

/// Runs rules over inputs (files, folders, `-`), and gives the findings in their final order.
pub fn scan(
    _rules: &RuleSet,
    _inputs: &[PathBuf],
    _options: &ScanOptions,
    _progress: &dyn Progress,
    _sink: &mut FindingSink<'_>,
) -> Result<ScanSummary, EngineError> {
    Ok(ScanSummary::default())
}

/// Runs the tests that rules carry, in the order of rules and tests.
pub fn run_tests(
    _rules: &RuleSet,
    _options: &ScanOptions,
    _sink: &mut dyn FnMut(TestResult) -> std::io::Result<()>,
) -> Result<(), EngineError> {
    Ok(())
}

/// The entry point of a script worker process; see [`ScanOptions::worker`].
pub fn script_worker() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
