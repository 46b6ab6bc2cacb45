//! An event and what its envelope told.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// What the envelope of an event told. Shared by the events of one envelope.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
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

impl Envelope {
    /// That of an audit event that came in none: source `kubernetes`, sourcetype `_json`.
    pub fn raw() -> Envelope {
        Envelope { source: Arc::from("kubernetes"), sourcetype: Arc::from("_json"), ..Envelope::default() }
    }
}

/// One event, borrowed from its reader: the bytes as they came, and what the envelope told. No tree is built, and of
/// the bytes only the ends are looked at: whether they are JSON is found by whoever reads their fields.
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
    /// Whether it is a line of text and not JSON.
    pub text: bool,
    /// Its place in the order in which it was read, from 0, over all inputs of a decoder.
    pub ordinal: u64,
}

/// A place in an input, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location<'a> {
    /// The file, or `-`.
    pub path: &'a Path,
    /// The line, from 1; in an envelope the line on which the envelope begins.
    pub line: u64,
    /// Which record of an envelope, list or array, from 1; 0 where there is none.
    pub record: u64,
}

impl Location<'_> {
    /// The same, owned.
    pub fn to_place(&self) -> Place {
        Place { path: self.path.to_path_buf(), line: self.line, record: self.record }
    }
}

/// A place in an input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The file, or `-`.
    #[serde(serialize_with = "readable")]
    pub path: PathBuf,
    /// The line, from 1; in an envelope the line on which the envelope begins.
    pub line: u64,
    /// Which record of an envelope, list or array, from 1; 0 where there is none.
    pub record: u64,
}

impl Place {
    pub(crate) fn key(&self) -> (&Path, u64, u64) {
        (&self.path, self.line, self.record)
    }
}

/// Paths that are not UTF-8 are written as well as they can be: a report must not fail on a file's name.
fn readable<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}
