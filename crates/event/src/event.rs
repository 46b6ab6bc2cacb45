//! An event and what its envelope told.

use std::path::PathBuf;
use std::sync::Arc;

/// What the envelope of an event told. Shared by the events of one envelope.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Envelope {
    /// Where it was produced (`kubernetes`, `<log group>:<log stream>`).
    pub source: Arc<str>,
    /// The format's name (`_json`, `aws:cloudwatchlogs:eks`).
    pub sourcetype: Arc<str>,
    /// The host that sent it, where told.
    pub host: Option<Arc<str>>,
    /// The log type (`Amazon.EKS.Audit`), where known.
    pub log_type: Option<Arc<str>>,
    /// The cluster, where told.
    pub cluster: Option<Arc<str>>,
    /// The cloud account, where told.
    pub account: Option<Arc<str>>,
    /// A label for the source (`p_source_label`), where told.
    pub label: Option<Arc<str>>,
}

/// One event, borrowed from its reader: the bytes as they came, and what the envelope told. No tree is built.
#[derive(Debug, Clone, Copy)]
pub struct EventRef<'a> {
    /// The JSON object (or text) as it came, without surrounding white space; if cut, closed again so that it parses.
    pub raw: &'a [u8],
    /// What the envelope told.
    pub envelope: &'a Arc<Envelope>,
    /// The envelope's own id of the event (`logEvents[].id`), where it has one.
    pub envelope_id: Option<&'a str>,
    /// Whether the event was cut on its way and salvaged.
    pub truncated: bool,
    /// Its place in the order in which it was read, from 0, over all inputs.
    pub ordinal: u64,
}

/// A place in an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, or `-`.
    pub path: PathBuf,
    /// The line, from 1; in an envelope the line of the envelope.
    pub line: u64,
    /// Which record of an envelope, from 1; 0 where there is none.
    pub record: u64,
}
