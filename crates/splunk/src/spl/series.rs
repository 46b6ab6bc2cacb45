//! Running aggregates and tables over two fields.

use std::ops::Range;

use masthead_ir::pipeline::{Pivot, Span, Stage};
use masthead_ir::time::span_seconds;

use super::lex::{Kind, Token};
use super::words::Words;
use super::{Problem, aggregates};

/// Options of `chart` and `timechart`.
const TABLE_OPTIONS: [&str; 19] = [
    "span",
    "bins",
    "minspan",
    "aligntime",
    "limit",
    "useother",
    "usenull",
    "otherstr",
    "nullstr",
    "cont",
    "partial",
    "fixedrange",
    "agg",
    "sep",
    "format",
    "start",
    "end",
    "dedup_splitvals",
    "mincolspan",
];

/// `streamstats [current=…] [window=…] AGGREGATES [by FIELDS]` (Splunk Search Reference, "streamstats").
pub(super) fn streamstats(words: &mut Words<'_>) -> Result<Vec<Stage>, Problem> {
    let given = words.options(&[
        "current",
        "window",
        "global",
        "allnum",
        "time_window",
        "reset_on_change",
        "reset_before",
        "reset_after",
    ]);
    let unbuilt = ["time_window", "reset_on_change", "reset_before", "reset_after"];
    if let Some(option) = given.first_of(&unbuilt).filter(|option| given.text(option).is_some_and(|v| v != "f")) {
        return Err(Problem::unsupported(format!("`streamstats {option}=` is not built"), words.end..words.end));
    }
    let (current, window) = (given.on("current", true), given.number("window", 0, words)?);
    let aggregation = aggregates::parse(words.text, &words.words, words.end)?;
    if window > 0 && !aggregation.by.is_empty() && given.on("global", true) {
        let message = "`streamstats window=` with groups is built with `global=f` only";
        return Err(Problem::unsupported(message, words.end..words.end));
    }
    Ok(vec![Stage::Running { aggregation, current, window }])
}

/// `chart AGGREGATES over F by G`, `chart AGGREGATES by F [G]`, `timechart AGGREGATES [by G]`.
pub(super) fn table(words: &mut Words<'_>, time: bool) -> Result<Vec<Stage>, Problem> {
    let given = words.options(&TABLE_OPTIONS);
    let place = |name: &str| {
        words.words.iter().position(|token| token.kind == Kind::Word && token.text.eq_ignore_ascii_case(name))
    };
    let (over, by) = (place("over"), place("by"));
    let head = [over, by].into_iter().flatten().min().unwrap_or(words.words.len());
    let after = |at: Option<usize>| -> Vec<Token> {
        let rest = at.map_or(&[][..], |at| &words.words[at + 1..]);
        rest.iter().take_while(|token| !token.text.eq_ignore_ascii_case("by")).cloned().collect()
    };
    let named =
        |tokens: Vec<Token>| tokens.into_iter().filter(|token| token.kind != Kind::Sign).map(|token| token.text);
    let mut fields: Vec<String> = named(after(over)).take(1).chain(named(after(by))).collect();
    if time {
        fields.insert(0, "_time".to_owned());
    }
    if fields.len() > 2 {
        let name = if time { "timechart" } else { "chart" };
        return Err(Problem::syntax(format!("`{name}` has too many fields after `by`"), words.end..words.end));
    }
    let aggregates = aggregates::parse(words.text, &words.words[..head], words.end)?.aggregates;
    let mut fields = fields.into_iter();
    let over = fields.next();
    let span = match given.text("span") {
        Some(text) => Some(span(&text, over.as_deref() == Some("_time"), words.end..words.end)?),
        None if time || given.text("bins").is_some() => Some(Span::Auto(bins(&given.text("bins")))),
        None => None,
    };
    Ok(vec![Stage::Pivot(Pivot {
        aggregates,
        over,
        span,
        by: fields.next(),
        limit: given.text("limit").map_or(Ok(10), |text| words.number(text.trim_start_matches("top")))?,
        use_other: given.on("useother", true),
        use_null: given.on("usenull", true),
    })])
}

fn bins(text: &Option<String>) -> u32 {
    text.as_deref().and_then(|text| text.parse().ok()).unwrap_or(100)
}

/// The width of a bucket: `30`, `5m`, `1mon`. Bare numbers are seconds where the field is the time.
pub(super) fn span(text: &str, time: bool, place: Range<usize>) -> Result<Span, Problem> {
    match (text.parse::<f64>(), span_seconds(text), text.strip_suffix("mon")) {
        (Ok(width), ..) if width <= 0.0 => Err(Problem::syntax(format!("`{text}` is no span"), place)),
        (Ok(seconds), ..) if time => Ok(Span::Seconds(seconds)),
        (Ok(width), ..) => Ok(Span::Number(width)),
        (_, Some(seconds), _) if seconds > 0 => Ok(Span::Seconds(seconds as f64)),
        (_, _, Some(months)) => Ok(Span::Months(months.parse().ok().filter(|m| *m > 0).unwrap_or(1))),
        _ => Err(Problem::syntax(format!("`{text}` is no span"), place)),
    }
}
