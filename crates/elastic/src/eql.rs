//! The Event Query Language (Elasticsearch documentation, "EQL syntax reference"): event queries, sequences, samples.
//!
//! Like Elasticsearch, which turns conditions into queries of its index, a test of a field that an event lacks is false and
//! its negation true: `x != "a"` holds for events without `x`.

mod lex;
mod lower;
mod parse;

use masthead_ir::Expr;

use crate::problem::Problem;

/// The code of problems.
pub(crate) const CODE: &str = "elastic-eql";

/// A compiled query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Eql {
    /// One event.
    Event(Expr),
    /// Several events.
    Sequence(Sequence),
}

/// Events in order, or (a sample) in any.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sequence {
    /// The conditions, each with the fields that its events are joined by.
    pub(crate) steps: Vec<(Expr, Vec<String>)>,
    /// How far the first and the last may lie apart, in microseconds.
    pub(crate) maxspan: Option<i64>,
    /// What ends a sequence that has begun.
    pub(crate) until: Option<Expr>,
    /// Whether the order counts.
    pub(crate) ordered: bool,
}

/// Compiles a query.
pub(crate) fn compile(text: &str) -> Result<Eql, Problem> {
    let tokens = lex::lex(text)?;
    parse::Parser::new(tokens, text.len()).query()
}
