//! What a caller may choose.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use masthead_ir::time::Micros;

use crate::exceptions::Exceptions;

/// Which rules, and how they are read.
#[derive(Debug, Clone, Default)]
pub struct RuleOptions {
    /// Files and folders of rules; empty: the built-in pack.
    pub paths: Vec<PathBuf>,
    /// Dialect options by name, as given with `--option NAME=VALUE`.
    pub options: BTreeMap<String, String>,
    /// Only rules whose id, name or file name matches one of these globs; empty: all.
    pub only: Vec<String>,
}

/// How a scan runs.
#[derive(Debug, Clone)]
pub struct ScanOptions {
    /// What a scheduled search sees.
    pub windows: Windows,
    /// Whether rules that their authors switched off take part.
    pub include_disabled: bool,
    /// A MaxMind-format database of places of IP addresses.
    pub geoip: Option<PathBuf>,
    /// Metrics as JSON lines, for searches over a metrics table.
    pub metrics: Option<PathBuf>,
    /// What raw events are said to come from, instead of what their form says.
    pub origin: OriginOverride,
    /// Whether lines that are no JSON are events too.
    pub text_lines: bool,
    /// The moment that `now` stands for; none: the time of the last event, so that a scan can be repeated.
    pub now: Option<Micros>,
    /// How a worker for scripts is started: this program with these arguments.
    pub worker: (PathBuf, Vec<OsString>),
    /// How long a script may take for one event, in milliseconds.
    pub script_timeout_ms: u64,
    /// How much memory scripts may take, in MiB.
    pub script_memory_mib: u64,
    /// How many threads look at events; one: the reading thread does it itself. The result is the same.
    pub threads: usize,
    /// Matches that are known and not told.
    pub exceptions: Arc<Exceptions>,
    /// How much memory the kept events of all pipelines may take before they go to temporary files, in MiB.
    pub buffer_mib: u64,
}

impl Default for ScanOptions {
    fn default() -> ScanOptions {
        ScanOptions {
            windows: Windows::Whole,
            include_disabled: false,
            geoip: None,
            metrics: None,
            origin: OriginOverride::default(),
            text_lines: false,
            now: None,
            worker: (PathBuf::from("masthead"), Vec::new()),
            script_timeout_ms: 800,
            script_memory_mib: 1024,
            threads: 1,
            exceptions: Arc::default(),
            buffer_mib: 64,
        }
    }
}

/// What a scheduled search sees in a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Windows {
    /// The whole input at once.
    #[default]
    Whole,
    /// The windows of its schedule, one after another, by event time.
    AsScheduled,
}

/// What raw events are said to come from.
#[derive(Debug, Clone, Default)]
pub struct OriginOverride {
    /// `source`.
    pub source: Option<String>,
    /// `sourcetype`.
    pub sourcetype: Option<String>,
    /// Log type (`Amazon.EKS.Audit`).
    pub log_type: Option<String>,
    /// Cluster.
    pub cluster: Option<String>,
}
