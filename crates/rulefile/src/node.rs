//! YAML documents as trees with places.

use std::ops::Range;

use serde_json::{Map, Value as Json};

/// A value of a YAML document and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: NodeValue,
    /// Its bytes in the file.
    pub span: Range<usize>,
    pub(crate) style: Style,
}

/// What a [`Node`] is.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeValue {
    /// A scalar: its text, and what that reads as (YAML 1.2 core schema).
    Scalar(String, Scalar),
    /// A sequence.
    Sequence(Vec<Node>),
    /// A mapping, in the order of the file; of a key given twice the last counts.
    Mapping(Vec<(Node, Node)>),
}

/// What the text of a scalar reads as.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction or exponent.
    Float(f64),
    /// Text.
    Text,
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Block,
    /// Between three quotes of TOML; a line break behind the first ones is not part of the text.
    Long {
        escapes: bool,
    },
    Collection,
}

impl Node {
    /// The value under a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().rev().find(|(k, _)| k.text() == Some(key)).map(|(_, value)| value)
    }

    /// The key node itself, for diagnostics about the key.
    pub fn key(&self, key: &str) -> Option<&Node> {
        self.entries().iter().rev().find(|(k, _)| k.text() == Some(key)).map(|(k, _)| k)
    }

    /// The text of a scalar as written, whatever it reads as; none for null and collections.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Scalar(_, Scalar::Null) => None,
            NodeValue::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar that is text.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Scalar(text, Scalar::Text) => Some(text),
            _ => None,
        }
    }

    /// A truth value.
    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            NodeValue::Scalar(_, Scalar::Bool(truth)) => Some(truth),
            _ => None,
        }
    }

    /// A whole number; also one that is quoted.
    pub fn as_i64(&self) -> Option<i64> {
        match &self.value {
            NodeValue::Scalar(_, Scalar::Int(number)) => Some(*number),
            NodeValue::Scalar(text, Scalar::Text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// A number.
    pub fn as_f64(&self) -> Option<f64> {
        match &self.value {
            NodeValue::Scalar(_, Scalar::Int(number)) => Some(*number as f64),
            NodeValue::Scalar(_, Scalar::Float(number)) => Some(*number),
            NodeValue::Scalar(text, Scalar::Text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self.value, NodeValue::Scalar(_, Scalar::Null))
    }

    /// The members of a sequence; none for anything else.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            NodeValue::Sequence(items) => items,
            _ => &[],
        }
    }

    /// The entries of a mapping; none for anything else.
    pub fn entries(&self) -> &[(Node, Node)] {
        match &self.value {
            NodeValue::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The texts of a sequence of scalars, or of one scalar.
    pub fn texts(&self) -> Vec<&str> {
        match &self.value {
            NodeValue::Sequence(items) => items.iter().filter_map(Node::text).collect(),
            _ => self.text().into_iter().collect(),
        }
    }

    /// What kind of value it is, for diagnostics.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            NodeValue::Scalar(_, Scalar::Null) => "nothing",
            NodeValue::Scalar(_, Scalar::Bool(_)) => "a truth value",
            NodeValue::Scalar(_, Scalar::Int(_) | Scalar::Float(_)) => "a number",
            NodeValue::Scalar(_, Scalar::Text) => "text",
            NodeValue::Sequence(_) => "a list",
            NodeValue::Mapping(_) => "a mapping",
        }
    }

    /// The same as JSON. Keys become text.
    pub fn to_json(&self) -> Json {
        match &self.value {
            NodeValue::Scalar(_, Scalar::Null) => Json::Null,
            NodeValue::Scalar(_, Scalar::Bool(truth)) => Json::from(*truth),
            NodeValue::Scalar(_, Scalar::Int(number)) => Json::from(*number),
            NodeValue::Scalar(_, Scalar::Float(number)) => Json::from(*number),
            NodeValue::Scalar(text, Scalar::Text) => Json::from(text.as_str()),
            NodeValue::Sequence(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            NodeValue::Mapping(entries) => {
                let pairs = entries.iter().map(|(k, v)| (k.text().unwrap_or("null").to_owned(), v.to_json()));
                Json::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }

    /// The byte of the file that the byte `offset` of a scalar's value comes from; `file` is the file's whole text.
    ///
    /// Exact for everything but runs of white space, which YAML folds: within one, its start.
    pub fn offset_of(&self, file: &str, offset: usize) -> usize {
        let NodeValue::Scalar(text, _) = &self.value else { return self.span.start };
        let Some(source) = file.get(self.span.clone()) else { return self.span.start };
        let mut walk = Align { source, value: text, at: content_start(source, self.style), done: 0, style: self.style };
        while walk.done < offset && walk.step() {}
        self.span.start + walk.skip_to_content().min(source.len())
    }
}

/// Where the content of a scalar begins in its source.
fn content_start(source: &str, style: Style) -> usize {
    match style {
        Style::Long { .. } if source.len() > 3 => {
            let rest = &source[3..];
            3 + if rest.starts_with("\r\n") { 2 } else { rest.starts_with('\n').into() }
        }
        Style::Block if source.starts_with(['|', '>']) => source.find('\n').map_or(source.len(), |at| at + 1),
        Style::SingleQuoted | Style::DoubleQuoted => source.starts_with(['\'', '"']).into(),
        _ => 0,
    }
}

/// Walks a scalar's source and its value side by side.
struct Align<'a> {
    source: &'a str,
    value: &'a str,
    at: usize,
    done: usize,
    style: Style,
}

impl Align<'_> {
    /// Takes one character of the value, or one run of white space; false at the end.
    fn step(&mut self) -> bool {
        let Some(wanted) = self.value[self.done..].chars().next() else { return false };
        if let Some(length) = self.escape() {
            self.at += length;
            self.done += wanted.len_utf8();
            return true;
        }
        if wanted.is_whitespace() {
            let run =
                self.value[self.done..].chars().take_while(|c| c.is_whitespace()).map(char::len_utf8).sum::<usize>();
            self.done += run;
            self.skip_white();
            return true;
        }
        self.skip_white();
        let Some(found) = self.source[self.at..].chars().next() else { return false };
        let doubled = self.style == Style::SingleQuoted && self.source[self.at..].starts_with("''");
        self.at += if doubled { 2 } else { found.len_utf8() };
        self.done += wanted.len_utf8();
        true
    }

    /// The length of the escape that stands here.
    fn escape(&self) -> Option<usize> {
        let rest = self.source.get(self.at..)?;
        let escapes = matches!(self.style, Style::DoubleQuoted | Style::Long { escapes: true });
        if !escapes || !rest.starts_with('\\') {
            return None;
        }
        let length = match rest[1..].chars().next()? {
            'x' => 4,
            'u' => 6,
            'U' => 10,
            other => 1 + other.len_utf8(),
        };
        Some(length.min(rest.len()))
    }

    fn skip_white(&mut self) {
        let rest = &self.source[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    /// The place of the next character of the value.
    fn skip_to_content(mut self) -> usize {
        if self.value[self.done..].chars().next().is_some_and(|c| !c.is_whitespace()) && self.escape().is_none() {
            self.skip_white();
        }
        self.at
    }
}
