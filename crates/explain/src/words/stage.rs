//! Words for the stages of a pipeline: one sentence each.

use masthead_ir::Expr;
use masthead_ir::pipeline::{
    CorrelationKind, LookupJoin, MetricsSource, MultiSplit, Pipeline, Pivot, SortKey, Source, Stage,
};
use serde::Serialize;

use super::aggregate::{aggregates, aggregation};
use super::code::code;
use super::condition::{Condition, inline, tree};
use super::correlation::{correlation, step_name};
use super::predicate::quoted_value;
use super::time;
use super::wording::{Wording, column, columns, counted, joined, plain_column, quote};
use crate::simplify::simplify;

/// The sentence of a renaming that only takes the marks off names: nothing that a person need read.
pub(crate) const PLAIN_NAMES: &str = "Names the shown fields plainly.";

/// The sentence of a filter that nothing fails, as empty macros leave them.
pub(crate) const KEEPS_ALL: &str = "Keeps rows where always.";

/// A stage in words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageWords {
    /// The kind of stage, in snake case: a stable name for programs.
    pub stage: &'static str,
    /// What it does, in one sentence.
    pub text: Wording,
    /// What it asks, where it asks something; of a correlation one condition a step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The names of the conditions, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Wording>,
    /// The stages inside it, the source of another pipeline first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StageWords>,
}

/// The stages in words.
pub(crate) fn stages(stages: &[Stage]) -> Vec<StageWords> {
    stages.iter().map(stage).collect()
}

/// Where the rows of a pipeline come from.
pub(crate) fn source(source: &Source) -> StageWords {
    let (name, text): (_, Wording) = match source {
        Source::Events { range, .. } => {
            let range = range.as_ref().map_or_else(String::new, |range| format!(", {}", time::range(range)));
            ("events", format!("Reads audit events{range}.").into())
        }
        Source::Metrics(metrics) => ("metrics", Wording::of(|limit| metrics_text(metrics, limit))),
        Source::Table { name, .. } => ("table", format!("Reads the rows of the table {}.", quote(name)).into()),
        Source::Once => ("once", "Begins with one row without fields.".to_owned().into()),
    };
    let conditions = match source {
        Source::Events { filter, .. } | Source::Table { filter: Some(filter), .. } => vec![tree(&simplify(filter))],
        Source::Metrics(metrics) => vec![tree(&simplify(&metrics.filter))],
        Source::Table { .. } | Source::Once => Vec::new(),
    };
    StageWords { stage: name, text, conditions, steps: Vec::new(), stages: Vec::new() }
}

fn metrics_text(metrics: &MetricsSource, limit: usize) -> String {
    let each = if metrics.by.is_empty() { String::new() } else { format!(" for each {}", columns(&metrics.by, limit)) };
    let span = metrics
        .span
        .map_or_else(String::new, |seconds| format!(" in buckets of {}", time::duration((seconds * 1e6) as i64)));
    format!("Reads measurements and {}{each}{span}.", aggregates(&metrics.aggregates, limit))
}

fn pipeline(pipeline: &Pipeline) -> Vec<StageWords> {
    std::iter::once(source(&pipeline.source)).chain(stages(&pipeline.stages)).collect()
}

fn stage(stage: &Stage) -> StageWords {
    let text = Wording::of(|limit| sentence(stage, limit));
    let mut words =
        StageWords { stage: name(stage), text, conditions: Vec::new(), steps: Vec::new(), stages: Vec::new() };
    match stage {
        Stage::Filter(expr) => words.conditions.push(tree(&simplify(expr))),
        Stage::Join { right, .. } | Stage::Append(right) | Stage::SemiJoin { right, .. } => {
            words.stages = pipeline(right);
        }
        Stage::AppendPipe(inner) => words.stages = stages(inner),
        Stage::Correlate(correlated) => {
            if let CorrelationKind::Steps { steps, .. } = &correlated.kind {
                for (at, step) in steps.iter().enumerate() {
                    words.conditions.push(tree(&simplify(&step.filter)));
                    words.steps.push(Wording::of(|limit| step_name(at + 1, step, correlated, limit)));
                }
            }
        }
        _ => {}
    }
    words
}

fn name(stage: &Stage) -> &'static str {
    match stage {
        Stage::Filter(_) => "filter",
        Stage::Assign { .. } => "assign",
        Stage::Fill { .. } => "fill",
        Stage::Aggregate(_) => "aggregate",
        Stage::Annotate(_) => "annotate",
        Stage::Running { .. } => "running",
        Stage::Pivot(_) => "pivot",
        Stage::Rename(_) => "rename",
        Stage::Keep { .. } => "keep",
        Stage::Drop(_) => "drop",
        Stage::Sort { .. } => "sort",
        Stage::Head { .. } => "head",
        Stage::Tail { .. } => "tail",
        Stage::Reverse => "reverse",
        Stage::Dedup { .. } => "dedup",
        Stage::Frequent { .. } => "frequent",
        Stage::Extract { .. } => "extract",
        Stage::Rewrite { .. } => "rewrite",
        Stage::Bin { .. } => "bin",
        Stage::Expand { .. } => "expand",
        Stage::MakeMulti { .. } => "make_multi",
        Stage::JoinMulti { .. } => "join_multi",
        Stage::FormatTime { .. } => "format_time",
        Stage::GeoIp { .. } => "geo_ip",
        Stage::Lookup(_) => "lookup",
        Stage::ParseJson { .. } => "parse_json",
        Stage::ParsePairs { .. } => "parse_pairs",
        Stage::ForEach { .. } => "for_each",
        Stage::Join { .. } => "join",
        Stage::Append(_) => "append",
        Stage::AppendPipe(_) => "append_pipe",
        Stage::SemiJoin { .. } => "semi_join",
        Stage::Correlate(_) => "correlate",
        Stage::WriteTable { .. } => "write_table",
    }
}

fn sentence(stage: &Stage, limit: usize) -> String {
    let text = match stage {
        Stage::Filter(expr) => format!("keeps rows where {}", inline(&simplify(expr), limit)),
        Stage::Assign { field, expr } => assign(field, expr),
        Stage::Fill { fields, value } => {
            let fields = if fields.is_empty() { "all fields".to_owned() } else { columns(fields, limit) };
            format!("gives {fields} {} where absent", filling(value))
        }
        Stage::Aggregate(inner) => aggregation(inner, limit),
        Stage::Annotate(inner) => format!("{}, and adds that to every row", aggregation(inner, limit)),
        Stage::Running { aggregation: inner, current, window } => {
            let window = if *window == 0 { "all rows".to_owned() } else { counted(*window, "row") };
            let own = if *current { "the row itself among them" } else { "the row itself not among them" };
            format!("{} over {window} up to each row, {own}", aggregation(inner, limit))
        }
        Stage::Pivot(inner) => pivot(inner, limit),
        Stage::Correlate(inner) => return correlation(inner, limit),
        Stage::Lookup(join) => lookup(join, limit),
        Stage::Sort { .. }
        | Stage::Head { .. }
        | Stage::Tail { .. }
        | Stage::Reverse
        | Stage::Dedup { .. }
        | Stage::Frequent { .. } => rows(stage, limit),
        Stage::Join { .. }
        | Stage::Append(_)
        | Stage::AppendPipe(_)
        | Stage::SemiJoin { .. }
        | Stage::WriteTable { .. } => others(stage, limit),
        _ => fields(stage, limit),
    };
    super::wording::capital(&text) + "."
}

fn filling(value: &str) -> String {
    if value.is_empty() { quote(value) } else { format!("the value {}", quote(value)) }
}

/// `row`, or `3 rows`.
fn first_rows(count: u64) -> String {
    if count == 1 { "row".to_owned() } else { counted(count, "row") }
}

fn assign(field: &str, expr: &Expr) -> String {
    match expr {
        Expr::Literal(value) => format!("sets {} to {}", column(field), quoted_value(value)),
        Expr::Field(from) => format!("copies {} to {}", column(&from.to_string()), column(field)),
        other => format!("computes {} as {}", column(field), quote(&code(other))),
    }
}

/// Stages that choose and order rows.
fn rows(stage: &Stage, limit: usize) -> String {
    match stage {
        Stage::Sort { keys, limit: kept } => {
            let kept = if *kept == 0 { String::new() } else { format!(" and keeps the first {kept}") };
            format!("orders rows by {}{kept}", order(keys, limit))
        }
        Stage::Head { count } => format!("keeps the first {}", first_rows(*count)),
        Stage::Tail { count } => format!("keeps the last {}, the last one first", first_rows(*count)),
        Stage::Reverse => "turns the order of rows around".to_owned(),
        Stage::Dedup { fields, keep, keep_empty, consecutive, sort } => {
            let mut text = format!("keeps the first {} of each {}", first_rows(*keep), columns(fields, limit));
            if !sort.is_empty() {
                text.push_str(&format!(" in the order of {}", order(sort, limit)));
            }
            if *consecutive {
                text.push_str(", of neighbours only");
            }
            text.push_str(if *keep_empty { "; rows that lack a field stay" } else { "" });
            text
        }
        Stage::Frequent { fields, by, limit: most, rare, .. } => {
            let kind = if *rare { "rarest" } else { "most frequent" };
            let most = if *most == 0 { "all".to_owned() } else { format!("the {most}") };
            let each = if by.is_empty() { String::new() } else { format!(" for each {}", columns(by, limit)) };
            format!("keeps {most} {kind} values of {}{each}", columns(fields, limit))
        }
        _ => String::new(),
    }
}

fn order(keys: &[SortKey], limit: usize) -> String {
    let key = |key: &SortKey| {
        let direction = if key.descending { " (largest first)" } else { "" };
        format!("{}{direction}", column(&key.field))
    };
    joined(keys.iter().map(key), "and", limit)
}

/// Stages that change the fields of rows.
fn fields(stage: &Stage, limit: usize) -> String {
    match stage {
        Stage::Rename(pairs) => {
            let told: Vec<_> = pairs.iter().filter(|(from, to)| plain_column(from) != plain_column(to)).collect();
            let pair = |pair: &&(String, String)| format!("{} to {}", column(&pair.0), column(&pair.1));
            if told.is_empty() {
                return PLAIN_NAMES.trim_end_matches('.').to_owned();
            }
            format!("renames {}", joined(told.iter().map(pair), "and", limit))
        }
        Stage::Keep { fields, ordered: true } => format!("shows {}", columns(fields, limit)),
        Stage::Keep { fields, ordered: false } => format!("keeps only the fields {}", columns(fields, limit)),
        Stage::Drop(fields) => format!("drops the fields {}", columns(fields, limit)),
        Stage::Extract { field, regex, .. } => {
            format!("reads fields out of {} by the regular expression {}", column(field), quote(regex))
        }
        Stage::Rewrite { field, sed } => format!("rewrites {} by {}", column(field), quote(sed)),
        Stage::Bin { field, span, target } => {
            let into = if field == target { String::new() } else { format!(" into {}", column(target)) };
            format!("rounds {} down to {}{into}", column(field), time::span(*span))
        }
        Stage::Expand { field, limit: most } => {
            let most = if *most == 0 { String::new() } else { format!(", at most {most}") };
            format!("makes a row of every value of {}{most}", column(field))
        }
        Stage::MakeMulti { field, split, .. } => match split {
            MultiSplit::Delimiter(text) => format!("splits {} at {}", column(field), quote(text)),
            MultiSplit::Tokenizer(regex) => {
                format!("splits {} into what the regular expression {} finds", column(field), quote(regex))
            }
        },
        Stage::JoinMulti { field, combine, .. } => {
            let rows = if *combine { " of rows that are equal otherwise" } else { "" };
            format!("joins the values of {}{rows} to one text", column(field))
        }
        Stage::FormatTime { fields, .. } => format!("writes the times in {} as text", columns(fields, limit)),
        Stage::GeoIp { field, .. } => format!("adds the place of the address in {}", column(field)),
        Stage::ParseJson { field, path: Some(path), output } => {
            let output = output.as_ref().unwrap_or(path);
            format!("reads {} of the JSON in {} into {}", quote(path), column(field), column(output))
        }
        Stage::ParseJson { field, path: None, .. } => format!("reads the JSON in {} as fields", column(field)),
        Stage::ParsePairs { field } => format!("reads the pairs of names and values in {} as fields", column(field)),
        Stage::ForEach { fields, body } => {
            let set: Vec<&String> = body.assignments.iter().map(|(field, _)| field).collect();
            format!("for every field like {} sets {}", columns(fields, limit), columns(&set, limit))
        }
        _ => String::new(),
    }
}

/// Stages that bring other rows in, or write rows.
fn others(stage: &Stage, limit: usize) -> String {
    match stage {
        Stage::Join { keys, outer, .. } => {
            let keys = if keys.is_empty() { "all common fields".to_owned() } else { columns(keys, limit) };
            let outer = if *outer { "; rows without a partner stay" } else { "; rows without a partner go" };
            format!("joins the rows with those of another search that agree in {keys}{outer}")
        }
        Stage::Append(_) => "adds the rows of another search at the end".to_owned(),
        Stage::AppendPipe(_) => "runs further stages over the rows and adds their result at the end".to_owned(),
        Stage::SemiJoin { right, negated } => {
            let of = match &right.source {
                Source::Table { name, .. } => format!("the table {}", quote(name)),
                _ => "another search".to_owned(),
            };
            if *negated { format!("drops rows that {of} names") } else { format!("keeps rows that {of} names") }
        }
        Stage::WriteTable { name, append } => {
            format!("{} the table {}", if *append { "adds the rows to" } else { "writes the rows to" }, quote(name))
        }
        _ => String::new(),
    }
}

fn lookup(join: &LookupJoin, limit: usize) -> String {
    let outputs = match join.outputs.as_slice() {
        [] => "every other column".to_owned(),
        outputs => joined(outputs.iter().map(|(_, field)| column(field)), "and", limit),
    };
    let key = |(of_table, field): &(String, String)| {
        if of_table == field { column(field) } else { format!("{} (there {})", column(field), column(of_table)) }
    };
    let keys = joined(join.keys.iter().map(key), "and", limit);
    let kept = if join.overwrite { "" } else { " where the row has none" };
    format!("looks {keys} up in the table {} and adds {outputs}{kept}", quote(&join.table))
}

fn pivot(pivot: &Pivot, limit: usize) -> String {
    let mut text = aggregates(&pivot.aggregates, limit);
    if let Some(over) = &pivot.over {
        text.push_str(&format!(" for each {}", column(over)));
    }
    if let Some(span) = pivot.span {
        text.push_str(&format!(" in buckets of {}", time::span(span)));
    }
    if let Some(by) = &pivot.by {
        text.push_str(&format!(", with a column for each {}", column(by)));
    }
    text
}
