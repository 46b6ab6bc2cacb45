//! SQL of scheduled and saved queries to pipelines.
//!
//! One `SELECT` in Snowflake's dialect becomes a pipeline: what `WHERE` asks of columns of the event goes into the source's
//! filter, the rest becomes stages. Conditions are SQL's three-valued ones: an expression is translated once for where it is
//! true and once for where it is false, so that a missing field makes neither.

mod aggregate;
mod condition;
mod function;
mod output;
mod parse;
mod pattern;
mod relation;
mod scope;
mod select;
mod table;
#[cfg(test)]
mod tests;
mod time;
mod value;

use std::ops::Range;

use masthead_ir::eval::Program;
use masthead_ir::expr::{Expr, FieldPath};
use masthead_ir::pipeline::{AggregateInput, Pipeline, Source, Stage};
use masthead_ir::time::TimeRange;

/// Put before the name of a column that is not shown, or that would hide a field that is still read.
const HIDDEN: &str = "query.";

/// What is wrong with a query, and where in its text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    /// In one sentence.
    pub(crate) message: String,
    /// Bytes of the query; none: the whole.
    pub(crate) place: Option<Range<usize>>,
    /// Whether the text is no SQL; else it is SQL that cannot run here.
    pub(crate) syntax: bool,
}

type Result<T> = std::result::Result<T, Fault>;

/// A query as a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Translated {
    /// Its source and stages.
    pub(crate) pipeline: Pipeline,
    /// What its time conditions say of the window; none if it has none.
    pub(crate) range: Option<TimeRange>,
    /// The columns of its rows that come straight from a field of the event, with that field.
    pub(crate) columns: Vec<(String, FieldPath)>,
    /// Whether rows show more than `columns`: a query of all columns.
    pub(crate) open: bool,
}

/// Translates a query.
///
/// # Errors
/// Where it is no SQL, or holds what has no counterpart in a pipeline.
pub(crate) fn translate(sql: &str) -> Result<Translated> {
    let query = parse::parse(sql)?;
    let translated = select::query(sql, &query)?;
    let fault = |error: String| Fault { message: error, place: None, syntax: false };
    check(&translated.pipeline).map_err(fault)?;
    Ok(translated)
}

/// Whether the evaluator accepts every expression of a pipeline (regular expressions, depth).
fn check(pipeline: &Pipeline) -> std::result::Result<(), String> {
    let valid = |expr: &Expr| Program::compile(expr).map(|_| ()).map_err(|error| error.to_string());
    if let Source::Events { filter, .. } = &pipeline.source {
        valid(filter)?;
    }
    for stage in &pipeline.stages {
        match stage {
            Stage::Filter(expr) | Stage::Assign { expr, .. } => valid(expr)?,
            Stage::Aggregate(aggregation) => {
                for aggregate in &aggregation.aggregates {
                    if let AggregateInput::Expr(expr) = &aggregate.input {
                        valid(expr)?;
                    }
                }
            }
            Stage::Append(right) => check(right)?,
            Stage::Join { right, .. } | Stage::SemiJoin { right, .. } => check(right)?,
            _ => {}
        }
    }
    Ok(())
}

/// The condition that always holds.
fn always() -> Expr {
    Expr::And(Vec::new())
}

/// All of these.
fn all(parts: Vec<Expr>) -> Expr {
    let mut flat = Vec::new();
    for part in parts {
        match part {
            Expr::And(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    if flat.len() == 1 { flat.swap_remove(0) } else { Expr::And(flat) }
}

/// Any of these.
fn any(parts: Vec<Expr>) -> Expr {
    let mut flat = Vec::new();
    for part in parts {
        match part {
            Expr::Or(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    if flat.len() == 1 { flat.swap_remove(0) } else { Expr::Or(flat) }
}
