//! Words for the parts of a rule.

pub(crate) mod aggregate;
pub(crate) mod code;
pub(crate) mod condition;
pub(crate) mod correlation;
pub(crate) mod leaf;
pub(crate) mod predicate;
pub(crate) mod stage;
pub(crate) mod time;
pub(crate) mod wording;
