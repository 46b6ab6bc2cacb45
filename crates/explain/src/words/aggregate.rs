//! Words for aggregates.

use masthead_ir::Expr;
use masthead_ir::pipeline::{Aggregate, AggregateFunc, AggregateInput, Aggregation};

use super::condition::inline;
use super::leaf::leaf;
use super::wording::{column, columns, joined, plain_column, quote};
use crate::simplify::simplify;

/// What an aggregation does, without a subject: "counts rows for each `x`".
pub(crate) fn aggregation(aggregation: &Aggregation, limit: usize) -> String {
    let mut text = aggregates(&aggregation.aggregates, limit);
    if aggregation.aggregates.is_empty() {
        text = "keeps the distinct combinations".to_owned();
    }
    if !aggregation.by.is_empty() {
        text.push_str(&format!(" for each {}", columns(&aggregation.by, limit)));
    }
    if aggregation.dedup_values {
        text.push_str(", a value that a list holds twice counting once");
    }
    text
}

/// What is computed: counts first, then what is collected, then the rest.
pub(crate) fn aggregates(aggregates: &[Aggregate], limit: usize) -> String {
    let mut clauses = Vec::new();
    let mut clause = |verb: &str, wanted: Family| {
        let of_family: Vec<String> =
            aggregates.iter().filter(|one| family(one.func) == wanted).map(|one| noun(one, limit)).collect();
        if !of_family.is_empty() {
            clauses.push(format!("{verb} {}", joined(of_family.into_iter(), "and", limit)));
        }
    };
    clause("counts", Family::Count);
    clause("computes", Family::Number);
    clause("collects", Family::Collection);
    clause("takes", Family::Pick);
    let clauses = clauses.into_iter();
    joined(clauses, "and", usize::MAX)
}

#[derive(PartialEq, Eq)]
enum Family {
    Count,
    Number,
    Collection,
    Pick,
}

fn family(func: AggregateFunc) -> Family {
    match func {
        AggregateFunc::Count | AggregateFunc::DistinctCount => Family::Count,
        AggregateFunc::Values | AggregateFunc::List => Family::Collection,
        AggregateFunc::Min
        | AggregateFunc::Max
        | AggregateFunc::Mode
        | AggregateFunc::First
        | AggregateFunc::Last
        | AggregateFunc::Earliest
        | AggregateFunc::Latest
        | AggregateFunc::EarliestTime
        | AggregateFunc::LatestTime => Family::Pick,
        _ => Family::Number,
    }
}

fn noun(aggregate: &Aggregate, limit: usize) -> String {
    let input = match &aggregate.input {
        AggregateInput::Rows => None,
        AggregateInput::Field(field) => Some(column(field)),
        AggregateInput::Expr(expr) => Some(of_expression(expr, aggregate.func, limit)),
    };
    let over = input.as_deref().unwrap_or("events");
    let text = match aggregate.func {
        AggregateFunc::Count => match (&aggregate.input, input.as_deref()) {
            (AggregateInput::Field(_), Some(field)) => format!("values of {field}"),
            (AggregateInput::Expr(_), Some(condition)) => format!("events of which {condition}"),
            _ => "events".to_owned(),
        },
        AggregateFunc::DistinctCount => format!("distinct {over}"),
        AggregateFunc::Percentile(percent) => format!("percentile {percent} of {over}"),
        func => format!("{} {over}", name(func)),
    };
    let told = match &aggregate.input {
        AggregateInput::Field(field) => plain_column(field) == plain_column(&aggregate.name),
        _ => aggregate.name == "count" || aggregate.name.starts_with('_'),
    };
    if told { text } else { format!("{text} (as {})", column(&aggregate.name)) }
}

/// For a count the rows that count, else a computed value.
fn of_expression(expr: &Expr, func: AggregateFunc, limit: usize) -> String {
    if func == AggregateFunc::Count {
        return inline(&simplify(expr), limit);
    }
    match expr {
        Expr::Field(field) => column(&field.to_string()),
        Expr::Test { .. } | Expr::Differs { .. } => leaf(expr, false, limit),
        other => quote(&super::code::code(other)),
    }
}

fn name(func: AggregateFunc) -> &'static str {
    match func {
        AggregateFunc::Count => "the count of",
        AggregateFunc::DistinctCount => "the distinct values of",
        AggregateFunc::Sum => "the sum of",
        AggregateFunc::SumSq => "the sum of squares of",
        AggregateFunc::Avg => "the mean of",
        AggregateFunc::Min => "the smallest",
        AggregateFunc::Max => "the largest",
        AggregateFunc::Range => "the range of",
        AggregateFunc::Stdev => "the standard deviation of",
        AggregateFunc::StdevP => "the population's standard deviation of",
        AggregateFunc::Var => "the variance of",
        AggregateFunc::VarP => "the population's variance of",
        AggregateFunc::Median => "the median of",
        AggregateFunc::Mode => "the most frequent",
        AggregateFunc::Percentile(_) => "a percentile of",
        AggregateFunc::Values => "the distinct values of",
        AggregateFunc::List => "all values of",
        AggregateFunc::First => "the first read",
        AggregateFunc::Last => "the last read",
        AggregateFunc::Earliest => "the earliest",
        AggregateFunc::Latest => "the latest",
        AggregateFunc::EarliestTime => "the time of the earliest",
        AggregateFunc::LatestTime => "the time of the latest",
        AggregateFunc::Rate => "the change per second of",
    }
}
