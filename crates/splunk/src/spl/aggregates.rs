//! The arguments of `stats` and its kin (Splunk Search Reference, "stats").

use masthead_ir::pipeline::{Aggregate, AggregateFunc, AggregateInput, Aggregation};

use super::lex::{Kind, Token, tokens};
use super::{Problem, eval};

/// The letters that end a word of an aggregation.
pub(super) const SIGNS: &str = "(),=";

/// Reads aggregates and the fields behind `by`. `text` is the whole search.
pub(super) fn parse(text: &str, words: &[Token], end: usize) -> Result<Aggregation, Problem> {
    let mut found = Aggregation { aggregates: Vec::new(), by: Vec::new(), dedup_values: false };
    let mut at = 0;
    while let Some(token) = words.get(at) {
        let next = words.get(at + 1);
        if token.kind == Kind::Sign && token.text == "," {
            at += 1;
        } else if token.kind == Kind::Word && token.text.eq_ignore_ascii_case("by") {
            found.by = words[at + 1..].iter().filter(|t| t.kind != Kind::Sign).map(|t| t.text.clone()).collect();
            if found.by.is_empty() {
                return Err(Problem::syntax("expected a field after `by`", token.range.clone()));
            }
            break;
        } else if next.is_some_and(|next| next.kind == Kind::Sign && next.text == "=") {
            let on = words.get(at + 2).is_some_and(|value| matches!(value.text.as_str(), "t" | "true" | "1"));
            found.dedup_values |= token.text == "dedup_splitvals" && on;
            at += 3;
        } else {
            at = one(text, words, at, end, &mut found.aggregates)?;
        }
    }
    if found.aggregates.is_empty() {
        return Err(Problem::syntax("expected an aggregate such as `count`", end..end));
    }
    Ok(found)
}

/// Reads one aggregate; gives the place behind it.
fn one(text: &str, words: &[Token], at: usize, end: usize, found: &mut Vec<Aggregate>) -> Result<usize, Problem> {
    let token = &words[at];
    let func = function(&token.text).ok_or_else(|| {
        let message = format!("there is no aggregate function `{}`", token.text);
        Problem { code: "spl-unknown-function", ..Problem::syntax(message, token.range.clone()) }
    })?;
    let mut next = at + 1;
    let mut input = AggregateInput::Rows;
    let mut name = token.text.clone();
    if words.get(next).is_some_and(|t| t.kind == Kind::Sign && t.text == "(") {
        let close = close_of(words, next).ok_or_else(|| Problem::syntax("expected `)`", end..end))?;
        let inside = &words[next + 1..close];
        if inside.first().is_some_and(|t| t.text == "eval") && inside.len() > 2 {
            let range = inside[1].range.end..words[close - 1].range.start;
            let words = tokens(text, range.clone(), eval::SIGNS)?;
            input = AggregateInput::Expr(eval::parse_all(&words, range.end)?);
        } else if let Some(first) = inside.first() {
            let field: Vec<&str> = inside.iter().map(|t| t.text.as_str()).collect();
            input = AggregateInput::Field(if inside.len() == 1 { first.text.clone() } else { field.join("") });
        }
        name = text[token.range.start..words[close].range.end].to_owned();
        if let AggregateInput::Field(field) = &input {
            name = format!("{}({field})", token.text);
        }
        next = close + 1;
    } else if func != AggregateFunc::Count {
        return Err(Problem::syntax(format!("`{}` needs a field in parentheses", token.text), token.range.clone()));
    }
    if words.get(next).is_some_and(|t| t.kind == Kind::Word && t.text.eq_ignore_ascii_case("as")) {
        let Some(alias) = words.get(next + 1) else {
            return Err(Problem::syntax("expected a name after `as`", end..end));
        };
        name = alias.text.clone();
        next += 2;
        // `as a(b)` is one name, as long as nothing stands between its parts.
        let mut end = alias.range.end;
        while let Some(part) = words.get(next).filter(|part| part.range.start == end && part.text != ",") {
            name.push_str(&part.text);
            end = part.range.end;
            next += 1;
        }
    }
    found.push(Aggregate { func, input, name });
    Ok(next)
}

fn close_of(words: &[Token], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in words.iter().enumerate().skip(open) {
        match (token.kind, token.text.as_str()) {
            (Kind::Sign, "(") => depth += 1,
            (Kind::Sign, ")") if depth == 1 => return Some(at),
            (Kind::Sign, ")") => depth -= 1,
            _ => {}
        }
    }
    None
}

fn function(name: &str) -> Option<AggregateFunc> {
    use AggregateFunc as F;
    let lower = name.to_ascii_lowercase();
    Some(match lower.as_str() {
        "count" | "c" => F::Count,
        "dc" | "distinct_count" | "estdc" => F::DistinctCount,
        "sum" => F::Sum,
        "sumsq" => F::SumSq,
        "avg" | "mean" => F::Avg,
        "min" => F::Min,
        "max" => F::Max,
        "range" => F::Range,
        "stdev" => F::Stdev,
        "stdevp" => F::StdevP,
        "var" => F::Var,
        "varp" => F::VarP,
        "median" => F::Median,
        "mode" => F::Mode,
        "values" => F::Values,
        "list" => F::List,
        "first" => F::First,
        "last" => F::Last,
        "earliest" => F::Earliest,
        "latest" => F::Latest,
        "earliest_time" => F::EarliestTime,
        "latest_time" => F::LatestTime,
        "rate" => F::Rate,
        _ => {
            let digits =
                ["exactperc", "upperperc", "perc", "p"].iter().find_map(|prefix| lower.strip_prefix(prefix))?;
            F::Percentile(digits.parse().ok().filter(|share| (0.0..=100.0).contains(share))?)
        }
    })
}
