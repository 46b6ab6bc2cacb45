//! Conditions: their syntax, and what they mean as expressions over events.

mod lower;
mod parse;
mod pattern;
mod syntax;

pub(crate) use lower::{Lowering, is_list_operator};
pub(crate) use parse::{SyntaxError, operator, parse};
pub(crate) use syntax::{Check, Condition, FieldUse, Operator, Word};
