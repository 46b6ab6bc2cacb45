//! Levels and stages: how much of a request an audit event holds, and when it is written.
//!
//! Source: Kubernetes, "Auditing", and the API reference of `audit.k8s.io/v1`.

use serde::Serialize;

/// How much of a request is logged. Ordered: a level holds what the levels before it hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Level {
    /// Nothing.
    None,
    /// Who, what, when and how it ended, without bodies.
    Metadata,
    /// Also the body of the request (`requestObject`).
    Request,
    /// Also the body of the response (`responseObject`).
    RequestResponse,
}

impl Level {
    /// All levels, the least first.
    pub const ALL: [Level; 4] = [Level::None, Level::Metadata, Level::Request, Level::RequestResponse];

    /// The level as policies and events write it.
    pub const fn name(self) -> &'static str {
        match self {
            Level::None => "None",
            Level::Metadata => "Metadata",
            Level::Request => "Request",
            Level::RequestResponse => "RequestResponse",
        }
    }

    /// The level with this name. Case counts, as in the API server.
    pub fn of_name(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.name() == name)
    }

    /// The least level whose events can hold this field. The name is written with dots; marks for lists do not matter.
    pub fn of_field(field: &str) -> Level {
        let top = field.split('.').next().unwrap_or_default().trim_end_matches("{}");
        if top.eq_ignore_ascii_case("requestObject") {
            Level::Request
        } else if top.eq_ignore_ascii_case("responseObject") {
            Level::RequestResponse
        } else {
            Level::Metadata
        }
    }

    /// Whether events of this level can hold the field.
    pub fn keeps(self, field: &str) -> bool {
        self >= Level::of_field(field)
    }
}

/// When an event of a request is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Stage {
    /// Before the request is handled: there is no body and no status yet.
    RequestReceived,
    /// After the headers of the answer, before its body; only for what takes long (watch, exec), and for a failed login.
    ResponseStarted,
    /// At the end.
    ResponseComplete,
    /// When the API server failed inside.
    Panic,
}

impl Stage {
    /// All stages in the order of time.
    pub const ALL: [Stage; 4] = [Stage::RequestReceived, Stage::ResponseStarted, Stage::ResponseComplete, Stage::Panic];

    /// The stage as policies and events write it.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::RequestReceived => "RequestReceived",
            Stage::ResponseStarted => "ResponseStarted",
            Stage::ResponseComplete => "ResponseComplete",
            Stage::Panic => "Panic",
        }
    }

    /// The stage with this name. Case counts, as in the API server.
    pub fn of_name(name: &str) -> Option<Stage> {
        Stage::ALL.into_iter().find(|stage| stage.name() == name)
    }
}
