//! ES|QL, Elastic's piped query language, to pipelines (Elastic documentation, "ES|QL reference").
//!
//! What differs from Elastic, and why:
//!
//! - A field of several values passes a comparison if any of its values does. Elastic gives null there, so that such rows
//!   never match.
//! - Null in a group of `STATS … BY` and the empty text are one group: the pipeline leaves out rows that lack a group
//!   field, so null is counted under the empty text and made null again behind.
//! - What reads as a number compares as one, and a division of whole numbers keeps its fraction: fields have no types.
//! - Times are seconds since 1970. Columns that hold times are written out at the end of the pipeline.
//! - A regular expression of `RLIKE` must match the whole value, as in Lucene, and `^` and `$` stand for themselves. So do
//!   Lucene's optional operators `~ & @ # < >` and `"`: rules mean the characters.
//! - Rows without `KEEP` show what findings show everywhere, what the query reads and what it computes. A `KEEP` with a
//!   pattern can find only fields that the query has read before.
//! - There is no limit of a thousand rows. `NULLS FIRST` and `NULLS LAST` are read, but nulls come where the pipeline puts
//!   them.
//! - A `*` in a name that the query does not spell itself (`COUNT(*)`) is left out of the column's name, where it would be
//!   a pattern.

mod ast;
mod call;
mod condition;
mod dissect;
mod expression;
mod functions;
mod grok;
mod lexer;
mod parser;
mod pattern;
mod pieces;
mod scope;
mod stages;
mod stats;
#[cfg(test)]
mod tests;
mod time;
mod typed;

use std::ops::Range;

use masthead_ir::pipeline::Pipeline;
use masthead_ir::{Expr, FieldPath};

/// Code and meaning of every problem of a query.
pub const CODES: &[(&str, &str)] = &[
    ("esql-arguments", "A function of an ES|QL query is given arguments that it cannot take."),
    ("esql-kql", "The KQL text inside an ES|QL query cannot be compiled."),
    ("esql-pattern", "A regular expression, GROK or DISSECT pattern of an ES|QL query cannot be compiled."),
    ("esql-syntax", "The ES|QL query cannot be parsed."),
    ("esql-unknown-column", "The ES|QL query uses a column that an earlier command has not left."),
    ("esql-unknown-command", "The ES|QL query uses a command that ES|QL does not have."),
    ("esql-unknown-function", "The ES|QL query uses a function that ES|QL does not have."),
    ("esql-unsupported", "The ES|QL query is right, but a part of it cannot run here."),
];

/// What is wrong with a query, and where in its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EsqlProblem {
    /// The bytes of the text that it is about.
    pub range: Range<usize>,
    /// One of [`CODES`].
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Whether the query is right, but cannot run here.
    pub unsupported: bool,
}

impl EsqlProblem {
    fn new(code: &'static str, range: Range<usize>, message: impl Into<String>) -> EsqlProblem {
        EsqlProblem { range, code, message: message.into(), help: None, unsupported: false }
    }

    fn unsupported(range: Range<usize>, what: &str) -> EsqlProblem {
        let message = format!("{what} cannot run here");
        EsqlProblem { unsupported: true, ..EsqlProblem::new("esql-unsupported", range, message) }
    }

    fn help(self, help: impl Into<String>) -> EsqlProblem {
        EsqlProblem { help: Some(help.into()), ..self }
    }
}

/// A compiled query.
#[derive(Debug, Clone, PartialEq)]
pub struct EsqlQuery {
    /// What it does.
    pub pipeline: Pipeline,
    /// The columns that its rows can have, in order: what templates may name.
    pub columns: Vec<String>,
    /// Whether rows stand for groups of events.
    pub aggregates: bool,
}

/// Where a field comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// Events have it here.
    Path(FieldPath),
    /// A value that is the same for every event, such as `event.dataset`.
    Constant(String),
    /// Known, but no event has it.
    Absent,
}

/// How the names of fields are resolved.
pub type FieldResolver<'a> = &'a dyn Fn(&str) -> Resolved;

/// How KQL texts inside a query are compiled.
pub type KqlCompiler<'a> = &'a dyn Fn(&str) -> Result<Expr, String>;

/// Compiles a query. `field` maps the name of an ECS field (`user.name`, `event.dataset`) to where events have it; `kql`
/// compiles the text of a `KQL("…")` to a condition on events. `@timestamp` is the time of the event, and fields of
/// metadata (`_id`, `_index`) are absent, whatever `field` says.
///
/// # Errors
/// What is wrong with the query, in the order of its text: faults of syntax of every command, else faults of meaning.
pub fn compile(text: &str, field: FieldResolver<'_>, kql: KqlCompiler<'_>) -> Result<EsqlQuery, Vec<EsqlProblem>> {
    let commands = parser::parse(text)?;
    stages::Compiler::new(text, field, kql).compile(&commands)
}
