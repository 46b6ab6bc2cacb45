//! The language of filter patterns: from text to trees, with places.
//!
//! There are three forms, told apart by their first character: `{` begins conditions on JSON, `[` names the fields of a
//! line, and everything else is a list of terms.

mod columns;
mod json;
mod lex;
mod text;

use std::ops::Range;

use masthead_ir::Level;

pub(crate) use columns::{Cell, Columns};
pub(crate) use json::{JsonCheck, JsonTest, Selector, Step, selector};
pub(crate) use text::{Term, TermKind};

use crate::codes;
use lex::Cursor;

/// A filter pattern.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FilterPattern {
    /// The empty pattern: every event.
    Everything,
    /// Terms that are looked for in the raw event.
    Text(Vec<Term>),
    /// Conditions on the properties of a JSON event.
    Json(Logic<JsonTest>),
    /// Conditions on the fields of a line.
    Columns(Columns),
}

/// Tests joined by `&&` and `||`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Logic<T> {
    /// All must hold.
    All(Vec<Logic<T>>),
    /// One must hold.
    Any(Vec<Logic<T>>),
    /// A test.
    Leaf(T),
}

/// What a property or field is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Literal {
    /// The value.
    pub(crate) value: LiteralValue,
    /// Its bytes in the pattern.
    pub(crate) range: Range<usize>,
}

/// The value of a [`Literal`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum LiteralValue {
    /// A bare number, as it is written.
    Number(String),
    /// Text, quoted or bare. A star at its start or end is a wildcard.
    Text(String),
    /// What stands between two `%`.
    Regex(String),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// Something to say about a place in a pattern.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    /// Its code; [`codes::UNSUPPORTED`] means that the pattern is sound and cannot run here.
    pub(crate) code: &'static str,
    /// How bad it is.
    pub(crate) level: Level,
    /// What is wrong.
    pub(crate) message: String,
    /// The bytes of the pattern.
    pub(crate) range: Range<usize>,
    /// A way out.
    pub(crate) help: Option<String>,
}

impl Fault {
    /// An error.
    pub(crate) fn new(code: &'static str, message: impl Into<String>, range: Range<usize>) -> Fault {
        Fault { code, level: Level::Error, message: message.into(), range, help: None }
    }

    /// A warning.
    pub(crate) fn warning(code: &'static str, message: impl Into<String>, range: Range<usize>) -> Fault {
        Fault { level: Level::Warning, ..Fault::new(code, message, range) }
    }

    /// The same with a way out.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Fault {
        self.help = Some(help.into());
        self
    }
}

/// A pattern and the warnings about it.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// The pattern.
    pub(crate) pattern: FilterPattern,
    /// What is doubtful in it.
    pub(crate) warnings: Vec<Fault>,
}

/// Reads a filter pattern.
pub(crate) fn parse(text: &str) -> Result<Parsed, Fault> {
    let mut cursor = Cursor::new(text);
    cursor.white();
    let pattern = match cursor.peek() {
        None => FilterPattern::Everything,
        Some('{') => FilterPattern::Json(json::pattern(&mut cursor)?),
        Some('[') => FilterPattern::Columns(columns::pattern(&mut cursor)?),
        Some(_) => text::pattern(&mut cursor)?,
    };
    cursor.white();
    if cursor.peek().is_some() {
        let rest = cursor.at..text.len();
        let message = format!("nothing may follow the pattern, but `{}` does", cursor.rest().trim_end());
        return Err(
            Fault::new(codes::PATTERN, message, rest).help("put the whole condition inside one pair of brackets")
        );
    }
    Ok(Parsed { pattern, warnings: cursor.warnings })
}
