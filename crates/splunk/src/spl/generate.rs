//! Searches that begin with a pipe: commands that make rows of their own.

use masthead_ir::expr::{Expr, FieldPath, Func};
use masthead_ir::pattern::Pattern;
use masthead_ir::pipeline::{AggregateInput, MetricsSource, Pipeline, Source, Stage};
use masthead_ir::time::span_seconds;

use super::lex::{Kind, Token};
use super::words::Words;
use super::{Compiler, Problem, aggregates, eval, search};

/// Commands that make rows.
pub(super) const COMMANDS: [&str; 3] = ["mstats", "inputlookup", "makeresults"];

/// The letters that end a word of `mstats`.
const SIGNS: &str = "()=!<>,";

/// A source, and what its rows pass before the next command.
pub(super) fn compile(
    compiler: &mut Compiler<'_>,
    text: &str,
    name: &Token,
    range: std::ops::Range<usize>,
) -> Result<Pipeline, Problem> {
    match name.text.to_ascii_lowercase().as_str() {
        "mstats" => mstats(compiler, &mut Words::new(text, range, SIGNS)?),
        "inputlookup" => Ok(input_lookup(compiler, text, range)?.1),
        _ => make_results(&mut Words::new(text, range, "=")?, name),
    }
}

/// Whether the rows are to be added to those there are, and their pipeline.
pub(super) fn input_lookup(
    compiler: &mut Compiler<'_>,
    text: &str,
    range: std::ops::Range<usize>,
) -> Result<(bool, Pipeline), Problem> {
    let mut words = Words::new(text, range.clone(), "=")?;
    let given = words.options(&["append", "start", "max", "strict"]);
    let table = compiler.table(&mut words)?;
    let mut filter = None;
    if words.peek("where") {
        let from = words.words.get(words.at).map_or(range.end, |token| token.range.end);
        let parsed =
            search::parse(&Words::new(text, from..range.end, search::SIGNS)?.words, range.end, &compiler.options)?;
        no_subsearch(&parsed)?;
        filter = parsed.filter.into_iter().next();
    } else {
        words.finish()?;
    }
    let mut stages = Vec::new();
    if given.text("start").is_some_and(|start| start != "0") {
        return Err(Problem::unsupported("`inputlookup start=` is not built", range));
    }
    if given.text("max").is_some() {
        stages.push(Stage::Head { count: given.number("max", 0, &words)? });
    }
    Ok((given.on("append", false), Pipeline { source: Source::Table { name: table, filter }, stages }))
}

fn no_subsearch(parsed: &search::Parsed) -> Result<(), Problem> {
    match parsed.subsearches.first() {
        Some((range, _)) => Err(Problem::unsupported("a search in brackets cannot stand here", range.clone())),
        None => Ok(()),
    }
}

fn make_results(words: &mut Words<'_>, name: &Token) -> Result<Pipeline, Problem> {
    let given = words.options(&["count", "annotate", "splunk_server", "splunk_server_group"]);
    words.finish()?;
    if given.number("count", 1, words)? != 1 {
        return Err(Problem::unsupported("`makeresults` of several rows is not built", name.range.clone()));
    }
    let now = Expr::Call { func: Func::Now, args: Vec::new() };
    Ok(Pipeline { source: Source::Once, stages: vec![Stage::Assign { field: "_time".to_owned(), expr: now }] })
}

/// `mstats AGG(METRIC)… [where SEARCH] [by DIMENSION…] [span=…]` (Splunk Search Reference, "mstats").
fn mstats(compiler: &Compiler<'_>, words: &mut Words<'_>) -> Result<Pipeline, Problem> {
    let given = words.options(&["span", "prestats", "append", "chart", "backfill", "update_period", "fillnull_value"]);
    if let Some(option) = given.first_of(&["append", "chart"]).filter(|option| given.on(option, false)) {
        return Err(Problem::unsupported(format!("`mstats {option}=` is not built"), words.end..words.end));
    }
    if given.on("prestats", false) {
        return Err(Problem::unsupported("`mstats prestats=` is not built", words.end..words.end));
    }
    let outside = |word: &str, from: usize| {
        let mut depth = 0_usize;
        words.words.iter().enumerate().skip(from).find_map(|(at, token)| {
            match (token.kind, token.text.as_str()) {
                (Kind::Sign, "(") => depth += 1,
                (Kind::Sign, ")") => depth = depth.saturating_sub(1),
                (Kind::Word, text) if depth == 0 && text.eq_ignore_ascii_case(word) => return Some(at),
                _ => {}
            }
            None
        })
    };
    let condition = outside("where", 0);
    let by = outside("by", 0).or_else(|| outside("groupby", 0));
    let last = words.words.len();
    let head = condition.or(by).unwrap_or(last);
    let mut aggregation = aggregates::parse(words.text, &words.words[..head], words.end)?;
    for aggregate in &mut aggregation.aggregates {
        // The older form names the metric in the condition, and computes over `_value`.
        if aggregate.input == AggregateInput::Field("_value".to_owned()) {
            aggregate.input = AggregateInput::Field("*".to_owned());
        }
    }
    let mut source = MetricsSource {
        aggregates: aggregation.aggregates,
        filter: Expr::And(Vec::new()),
        by: Vec::new(),
        span: None,
        range: None,
    };
    if let Some(condition) = condition {
        let until = by.filter(|by| *by > condition).unwrap_or(last);
        let parsed = search::parse(&words.words[condition + 1..until], words.end, &compiler.options)?;
        no_subsearch(&parsed)?;
        source.range = parsed.range.clone();
        source.filter = parsed.filter.into_iter().next().map_or(Expr::And(Vec::new()), within_any_index);
    }
    if let Some(by) = by {
        words.at = by + 1;
        source.by = words.names();
        source.by.retain(|name| name != "_time");
    }
    if let Some(text) = given.text("span") {
        let seconds = span_seconds(&text).filter(|seconds| *seconds > 0);
        let fault = || Problem::syntax(format!("`{text}` is no span"), words.end..words.end);
        source.span = Some(seconds.ok_or_else(fault)? as f64);
    }
    Ok(Pipeline { source: Source::Metrics(source), stages: Vec::new() })
}

/// A metrics file is one table: a measurement that does not say which index it is of passes every test of one.
fn within_any_index(filter: Expr) -> Expr {
    let index = FieldPath::flat("index");
    match filter {
        Expr::And(parts) => Expr::And(parts.into_iter().map(within_any_index).collect()),
        Expr::Or(parts) => Expr::Or(parts.into_iter().map(within_any_index).collect()),
        Expr::Test { field, pattern } if field == index => {
            let unsaid = Expr::Not(Box::new(Expr::Test { field: index, pattern: Pattern::Present }));
            Expr::Or(vec![Expr::Test { field, pattern }, unsaid])
        }
        other => other,
    }
}

/// Assignments of `eval` without the command (the body of a `foreach`).
pub(super) fn assignments(text: &str, range: std::ops::Range<usize>) -> Result<Vec<(String, Expr)>, Problem> {
    let words = Words::new(text, range, eval::SIGNS)?;
    let stages = super::commands::assignments(&words)?;
    Ok(stages
        .into_iter()
        .filter_map(|stage| match stage {
            Stage::Assign { field, expr } => Some((field, expr)),
            _ => None,
        })
        .collect())
}
