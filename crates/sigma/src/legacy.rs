//! Aggregations behind a `|` in conditions: how Sigma counted before it had correlation rules.

use masthead_ir::expr::{CompareOp, Expr};
use masthead_ir::pipeline::{
    Aggregate, AggregateFunc, AggregateInput, Correlation, CorrelationKind, Pipeline, Source, Stage,
};
use masthead_ir::{FieldPath, Value};
use masthead_rulefile::Node;

use crate::correlation::{column, timespan};

/// How long an aggregation without a time frame looks.
const DEFAULT_TIMEFRAME: i64 = 86_400_000_000;

/// The pipeline of `count(field) by group > 5` over what passes a filter; the error says what cannot be done.
pub(crate) fn pipeline(text: &str, detection: &Node, filter: Expr, more: Vec<FieldPath>) -> Result<Pipeline, String> {
    let cannot = || format!("the aggregation `{text}` cannot be run");
    let (call, rest) = text.split_once(')').ok_or_else(cannot)?;
    let (name, field) = call.split_once('(').ok_or_else(cannot)?;
    let field = field.trim();
    let func = match (name.trim().to_ascii_lowercase().as_str(), field.is_empty()) {
        ("count", true) => AggregateFunc::Count,
        ("count", false) => AggregateFunc::DistinctCount,
        ("sum", false) => AggregateFunc::Sum,
        ("avg", false) => AggregateFunc::Avg,
        ("min", false) => AggregateFunc::Min,
        ("max", false) => AggregateFunc::Max,
        _ => return Err(cannot()),
    };
    let mut words = rest.split_whitespace().peekable();
    let mut by = Vec::new();
    if words.next_if(|word| word.eq_ignore_ascii_case("by")).is_some() {
        while let Some(word) = words.next_if(|word| operator(word).is_none()) {
            by.extend(word.split(',').filter(|name| !name.is_empty()).map(masthead_schema::field));
        }
    }
    let op = words.next().and_then(operator).ok_or_else(cannot)?;
    let number = words.next().and_then(|word| word.parse::<f64>().ok()).ok_or_else(cannot)?;
    let within = match detection.get("timeframe").and_then(Node::text) {
        Some(told) => timespan(told).ok_or_else(|| format!("`{told}` is no time frame"))?,
        None => DEFAULT_TIMEFRAME,
    };
    let input = if field.is_empty() {
        AggregateInput::Rows
    } else {
        AggregateInput::Field(column(&masthead_schema::field(field)))
    };
    let result = "event_count".to_owned();
    let condition = Expr::Compare {
        op,
        left: Box::new(Expr::Field(FieldPath::flat(&result))),
        right: Box::new(Expr::Literal(Value::Float(number))),
    };
    let shown = filter.fields().into_iter().chain(more).chain([FieldPath::flat(&result)]).collect::<Vec<_>>();
    let correlation = Correlation {
        kind: CorrelationKind::Threshold { aggregates: vec![Aggregate { func, input, name: result }], condition },
        by: by.iter().map(column).collect(),
        within,
    };
    let mut stages = vec![Stage::Correlate(correlation)];
    stages.extend(masthead_schema::rows::shown(by.into_iter().chain(shown)));
    Ok(Pipeline { source: Source::Events { filter, range: None }, stages })
}

fn operator(word: &str) -> Option<CompareOp> {
    Some(match word {
        ">" => CompareOp::Gt,
        ">=" => CompareOp::Ge,
        "<" => CompareOp::Lt,
        "<=" => CompareOp::Le,
        "=" | "==" => CompareOp::Eq,
        _ => return None,
    })
}
