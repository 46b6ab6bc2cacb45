//! What a compiled rule does, in words, and why it fires on an event or does not.
//!
//! - [`explain`] makes one [`Page`] of a rule, the same for every dialect: a person reads [`Page::text`] or
//!   [`Page::markdown`], a program the page as JSON.
//! - [`trace`] holds one event against a rule, test by test, and names the parts that fail.
//!
//! Everything is read off the intermediate representation, never off the text of a rule: a page tells what runs. Words
//! are made in `words`, pages in `page`, traces in `trace`; `layout` and `render` put both on a terminal or into
//! Markdown.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod layout;
mod page;
mod render;
mod simplify;
mod trace;
mod words;

pub use page::{
    Exclusion, FieldLevel, FieldRole, FieldUse, Indicator, Page, Reading, Risk, RiskEntity, RuleHead, Schedule, Script,
    State, Term, Test, Usage, explain, explain_with,
};
pub use trace::{Origin, Outcome, Seen, StepTrace, Trace, TraceError, TraceNode, trace};
pub use words::condition::{Condition, ConditionKind, Role, Sentence};
pub use words::predicate::{Operator, Predicate};
pub use words::stage::StageWords;
pub use words::wording::Wording;
