//! Texts in two lengths, and the small words that hold lists together.

use std::fmt;

use masthead_ir::FieldPath;
use masthead_ir::expr::DOTTED_COLUMN;
use serde::{Serialize, Serializer};

/// How many values of a list are shown to people.
pub(crate) const SHOWN_VALUES: usize = 12;

/// A text that is whole in JSON and shows long lists cut to people.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wording {
    full: String,
    short: String,
}

impl Wording {
    /// A text from what makes it, given how many values of a list it may show.
    pub(crate) fn of(make: impl Fn(usize) -> String) -> Wording {
        Wording { full: make(usize::MAX), short: make(SHOWN_VALUES) }
    }

    /// The whole text.
    pub fn full(&self) -> &str {
        &self.full
    }

    /// The text with long lists cut.
    pub fn short(&self) -> &str {
        &self.short
    }
}

impl From<String> for Wording {
    fn from(text: String) -> Wording {
        Wording { short: text.clone(), full: text }
    }
}

impl fmt::Display for Wording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

impl Serialize for Wording {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.full)
    }
}

/// A name or value between backticks; two where it holds one itself, as Markdown has it.
pub(crate) fn quote(text: &str) -> String {
    if text.is_empty() {
        return "the empty text".to_owned();
    }
    let mut shown = String::with_capacity(text.len() + 2);
    for char in text.chars() {
        if char.is_control() { shown.extend(char.escape_default()) } else { shown.push(char) }
    }
    if shown.contains('`') { format!("`` {shown} ``") } else { format!("`{shown}`") }
}

/// The name of a field as people write it: without the marks for lists that flattened names carry.
pub(crate) fn plain(field: &FieldPath) -> String {
    match field {
        FieldPath::Flat(name) => name.replace("{}", ""),
        FieldPath::Dotted(_) | FieldPath::Keys(_) => field.to_string(),
    }
}

/// The name of a column as people write the field in it.
pub(crate) fn plain_column(column: &str) -> String {
    column.strip_prefix(DOTTED_COLUMN).unwrap_or(column).replace("{}", "")
}

/// A column between backticks.
pub(crate) fn column(name: &str) -> String {
    quote(&plain_column(name))
}

/// Columns between backticks, joined by "and".
pub(crate) fn columns<S: AsRef<str>>(names: &[S], limit: usize) -> String {
    joined(names.iter().map(|name| column(name.as_ref())), "and", limit)
}

/// Values between backticks, joined by a word.
pub(crate) fn quoted<S: AsRef<str>>(values: &[S], word: &str, limit: usize) -> String {
    joined(values.iter().map(|value| quote(value.as_ref())), word, limit)
}

/// `a`, `a and b`, `a, b and c`, or the first ones and how many more there are.
pub(crate) fn joined(parts: impl ExactSizeIterator<Item = String>, word: &str, limit: usize) -> String {
    let total = parts.len();
    let parts: Vec<String> = parts.take(limit).collect();
    match parts.as_slice() {
        _ if total > parts.len() => format!("{} and {} more", parts.join(", "), total - parts.len()),
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}

/// `1 minute`, `5 minutes`.
pub(crate) fn counted(count: u64, unit: &str) -> String {
    if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") }
}

/// The text with its first letter in upper case.
pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
