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

/// The pipeline of `count(field) by group > 5` over what passes a filter; the error says what cannot be done. `field_of`
/// gives the field that a name means.
pub(crate) fn pipeline(
    text: &str,
    detection: &Node,
    filter: Expr,
    more: Vec<FieldPath>,
    field_of: &dyn Fn(&str) -> FieldPath,
) -> Result<Pipeline, String> {
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
    let is_operator = |c: char| matches!(c, '<' | '>' | '=');
    let (groups, comparison) = rest.split_at(rest.find(is_operator).ok_or_else(cannot)?);
    let number = comparison.trim_start_matches(is_operator);
    let op = operator(&comparison[..comparison.len() - number.len()]).ok_or_else(cannot)?;
    let number: f64 = number.trim().parse().map_err(|_| cannot())?;
    let mut words = groups.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
    let by: Vec<FieldPath> = match words.next() {
        None => Vec::new(),
        Some(word) if word.eq_ignore_ascii_case("by") => words.map(field_of).collect(),
        Some(_) => return Err(cannot()),
    };
    let within = match detection.get("timeframe").and_then(Node::text) {
        Some(told) => timespan(told).ok_or_else(|| format!("`{told}` is no time frame"))?,
        None => DEFAULT_TIMEFRAME,
    };
    let input = if field.is_empty() { AggregateInput::Rows } else { AggregateInput::Field(column(&field_of(field))) };
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
