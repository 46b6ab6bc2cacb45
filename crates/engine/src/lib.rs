//! Scans, rule tests and checks over events: the only library crate that knows all the others.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod against;
mod builtin;
mod carried;
mod dialects;
mod events;
mod evidence;
pub mod exceptions;
mod explain;
mod faults;
mod finding;
mod judge;
mod live;
pub mod options;
mod plan;
pub mod report;
mod scan;
mod scripts;
mod sift;
mod store;
mod throttle;
mod trigger;
mod windows;

use std::path::PathBuf;

pub use against::{Seen, against};
pub use carried::run_tests;
pub use dialects::{Code, DialectOption, codes, dialect_options, load_rules};
pub use events::each_event;
pub use judge::{judge_policy, judge_seen, judge_types};
pub use live::{Changes, Live, LiveOptions, LiveReport, Raised, RuleFigures, SourceFigures, WindowChoice};
pub use options::{OriginOverride, RuleOptions, ScanOptions, Windows};
pub use report::{FindingSink, Loss, Progress, RuleReport, ScanSummary, TestResult, TestStatus};
pub use scan::scan;

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

/// The entry point of a script worker process; see [`ScanOptions::worker`].
pub fn script_worker() -> std::process::ExitCode {
    masthead_script::worker_main()
}
