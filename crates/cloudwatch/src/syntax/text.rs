//! Terms that are looked for in the raw event: `ERROR -"timed out" ?WARN %4[0-9]{2}%`.

use std::ops::Range;

use super::lex::Cursor;
use super::{Fault, FilterPattern};
use crate::codes;

/// A term.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Term {
    /// How it counts.
    pub(crate) kind: TermKind,
    /// What is looked for.
    pub(crate) text: String,
    /// Whether that is a regular expression.
    pub(crate) regex: bool,
    /// Its bytes in the pattern.
    pub(crate) range: Range<usize>,
}

/// How a term counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TermKind {
    /// It must be there.
    Must,
    /// One of these must be there.
    Optional,
    /// It must not be there.
    Not,
}

pub(super) fn pattern(cursor: &mut Cursor<'_>) -> Result<FilterPattern, Fault> {
    let mut terms = Vec::new();
    loop {
        cursor.white();
        if cursor.peek().is_none() {
            break;
        }
        let term = term(cursor)?;
        if !term.text.is_empty() {
            terms.push(term);
        } else if term.kind != TermKind::Must {
            return Err(Fault::new(codes::PATTERN, "the term is empty", term.range).help("a term follows `?` and `-`"));
        }
    }
    let optional = terms.iter().filter(|term| term.kind == TermKind::Optional);
    if let Some(first) = optional.clone().next()
        && optional.count() < terms.len()
    {
        let message = format!("the optional term `{}` has no effect beside terms of other kinds", first.text);
        let fault = Fault::warning(codes::OPTIONAL_IGNORED, message, first.range.clone());
        cursor.warnings.push(fault.help("CloudWatch ignores it; use `?` for all terms, or one filter for each"));
        terms.retain(|term| term.kind != TermKind::Optional);
    }
    Ok(if terms.is_empty() { FilterPattern::Everything } else { FilterPattern::Text(terms) })
}

fn term(cursor: &mut Cursor<'_>) -> Result<Term, Fault> {
    let start = cursor.at;
    let kind = match cursor.peek() {
        Some('-') => TermKind::Not,
        Some('?') => TermKind::Optional,
        _ => TermKind::Must,
    };
    if kind != TermKind::Must {
        cursor.at += 1;
    }
    let (text, regex) = match cursor.peek() {
        Some('"') => (cursor.quoted()?, false),
        Some('%') => (cursor.regex()?, true),
        _ => (cursor.take_while(|c| !c.is_whitespace() && c != '"').to_owned(), false),
    };
    let term = Term { kind, text, regex, range: start..cursor.at };
    let quoted = cursor.text[start..cursor.at].ends_with('"');
    if !regex && !quoted && term.text.contains(|c: char| !c.is_alphanumeric() && c != '_') {
        let message = format!("the term `{}` holds more than letters, digits and `_`", term.text);
        let fault = Fault::warning(codes::PATTERN, message, term.range.clone());
        cursor.warnings.push(fault.help("CloudWatch wants such a term in double quotes; here it is taken as it is"));
    }
    Ok(term)
}
