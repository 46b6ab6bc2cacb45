//! One event held against a rule, test by test.

mod event;
mod judge;
mod show;

use masthead_event::JsonError;
use masthead_ir::eval::{ExprError, Truth};
use serde::{Serialize, Serializer};

use crate::render;
use crate::words::condition::ConditionKind;
use crate::words::wording::Wording;

pub use event::Origin;
pub use judge::trace;

/// Truth in Kleene's logic, with a name for what is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Neither can be said.
    Unknown,
}

impl From<Truth> for Outcome {
    fn from(truth: Truth) -> Outcome {
        match truth {
            Some(true) => Outcome::True,
            Some(false) => Outcome::False,
            None => Outcome::Unknown,
        }
    }
}

/// What a rule makes of one event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trace {
    /// The rule's id.
    pub rule_id: String,
    /// The rule's name.
    pub rule_name: String,
    /// The outcome in one sentence.
    pub summary: String,
    /// Whether the event passes what is asked of single events: the filter of a pipeline's source and the filters right
    /// after it, or the guard of a program. For a guard unknown lets pass.
    pub passes: Outcome,
    /// The necessary parts that fail, the first one first.
    pub failing: Vec<Wording>,
    /// The condition with what came of each part; none for rules that read no events.
    pub root: Option<TraceNode>,
    /// The filters behind the source and the steps of correlations, each on its own.
    pub steps: Vec<StepTrace>,
    /// What else decides, which one event alone cannot tell.
    pub notes: Vec<String>,
}

/// A later question to the event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepTrace {
    /// What it is.
    pub name: String,
    /// What came of it.
    pub truth: Outcome,
    /// The condition.
    pub root: TraceNode,
}

/// A part of a condition, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TraceNode {
    /// What it is.
    pub kind: ConditionKind,
    /// The part in words.
    pub text: Wording,
    /// What came of it.
    pub truth: Outcome,
    /// What a test saw in the event.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<Seen>,
    /// The parts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<TraceNode>,
}

/// The values of a field in the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// The field.
    pub field: String,
    /// Its values, each cut at 200 characters; none if it is absent.
    pub values: Vec<String>,
}

/// Why an event cannot be held against a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// The event is no JSON.
    #[error("the event is not JSON: {0}")]
    Event(#[from] JsonError),
    /// A condition of the rule cannot be run.
    #[error("the rule cannot be run: {0}")]
    Rule(#[from] ExprError),
}

/// As JSON: `kind` and `message`.
impl Serialize for TraceError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let kind = match self {
            TraceError::Event(_) => "event",
            TraceError::Rule(_) => "rule",
        };
        let mut record = serializer.serialize_struct("TraceError", 2)?;
        record.serialize_field("kind", kind)?;
        record.serialize_field("message", &self.to_string())?;
        record.end()
    }
}

impl Trace {
    /// The trace for a terminal, up to 96 columns wide.
    pub fn text(&self) -> String {
        render::text(&show::blocks(self))
    }

    /// The trace as Markdown.
    pub fn markdown(&self) -> String {
        render::markdown(&show::blocks(self))
    }
}
