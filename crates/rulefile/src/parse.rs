//! From YAML text to trees.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use crate::node::{Node, NodeValue, Scalar, Style};

/// How deep a document may be nested.
const MAX_DEPTH: usize = 128;
/// How many nodes a file may have, those of aliases counted where they are used.
const MAX_NODES: usize = 500_000;

/// What is wrong with a YAML text, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// What.
    pub message: String,
    /// The byte of the text at which it was noticed.
    pub offset: usize,
}

/// A key that a mapping gives twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateKey {
    /// The key.
    pub key: String,
    /// The bytes of the second one.
    pub span: std::ops::Range<usize>,
}

/// The documents of a YAML text, and keys that are given twice in one mapping.
///
/// # Errors
/// When the text is no YAML, or larger than the limits (depth, nodes) allow.
pub fn parse(text: &str) -> Result<(Vec<Node>, Vec<DuplicateKey>), YamlError> {
    let mut mended: Option<String> = None;
    for _ in 0..MAX_MENDED {
        let error = match parse_strictly(mended.as_deref().unwrap_or(text)) {
            Err(error) => error,
            parsed => return parsed,
        };
        let mut next = mended.take().unwrap_or_else(|| text.to_owned());
        let changed = match error.message.as_str() {
            OUTDENTED_BRACKET => pull_up_bracket(&mut next, error.offset),
            OUTDENTED_QUOTE => join_quoted_lines(&mut next, error.offset),
            _ => false,
        };
        if !changed {
            return Err(error);
        }
        mended = Some(next);
    }
    parse_strictly(text)
}

/// What the parser says of a bracket that closes, or a quoted text that goes on, left of where the YAML specification
/// wants it. PyYAML and Go's parser allow both, and published rules do it.
const OUTDENTED_BRACKET: &str = "invalid indentation";
const OUTDENTED_QUOTE: &str = "invalid indentation in quoted scalar";

/// How often one file is mended.
const MAX_MENDED: usize = 200;

/// Writes a blank for every line break of a quoted text behind which a line begins at the margin: YAML reads both as a
/// blank. False if there is none.
fn join_quoted_lines(text: &mut String, offset: usize) -> bool {
    let bytes = text.as_bytes();
    let Some(&quote) = bytes.get(offset).filter(|quote| matches!(quote, b'\'' | b'"')) else { return false };
    let mut breaks = Vec::new();
    let mut at = offset + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 1,
            _ if byte == quote && quote == b'\'' && bytes.get(at + 1) == Some(&quote) => at += 1,
            _ if byte == quote => break,
            b'\n' if bytes.get(at + 1).is_some_and(|next| !next.is_ascii_whitespace()) => breaks.push(at),
            _ => {}
        }
        at += 1;
    }
    for at in &breaks {
        text.replace_range(at..&(at + 1), " ");
    }
    !breaks.is_empty()
}

/// Puts closing brackets that stand alone at the start of a line behind the line before it, without moving anything else:
/// the line break and the blanks before them change places with them. False if no such bracket stands at `offset`.
fn pull_up_bracket(text: &mut String, offset: usize) -> bool {
    let start = text.get(..offset).map_or(0, |before| before.rfind('\n').map_or(0, |at| at + 1));
    let line = text[start..].lines().next().unwrap_or_default();
    let blanks = line.len() - line.trim_start_matches(' ').len();
    let brackets = line[blanks..].bytes().take_while(|byte| matches!(byte, b'}' | b']' | b',')).count();
    if start == 0 || brackets == 0 {
        return false;
    }
    let end = start + blanks + brackets;
    let moved = format!("{}\n{}", &text[start + blanks..end], " ".repeat(blanks));
    text.replace_range(start - 1..end, &moved);
    true
}

fn parse_strictly(text: &str) -> Result<(Vec<Node>, Vec<DuplicateKey>), YamlError> {
    let mut builder = Builder { offsets: Offsets::new(text), ..Builder::default() };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let offset = builder.offsets.byte(error.marker().index());
            YamlError { message: error.info().to_owned(), offset }
        })?;
        let span = builder.offsets.byte(span.start.index())..builder.offsets.byte(span.end.index());
        builder.take(event, span)?;
    }
    Ok((builder.documents, builder.duplicates))
}

/// Bytes of characters. The parser counts characters.
#[derive(Default)]
struct Offsets {
    /// Empty for ASCII, where both are the same.
    starts: Vec<u32>,
    length: usize,
}

impl Offsets {
    fn new(text: &str) -> Offsets {
        let starts = if text.is_ascii() { Vec::new() } else { text.char_indices().map(|(at, _)| at as u32).collect() };
        Offsets { starts, length: text.len() }
    }

    fn byte(&self, character: usize) -> usize {
        if self.starts.is_empty() {
            return character.min(self.length);
        }
        self.starts.get(character).map_or(self.length, |&at| at as usize)
    }
}

enum Open {
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>, Option<Node>),
}

#[derive(Default)]
struct Builder {
    offsets: Offsets,
    stack: Vec<(Open, usize, usize)>,
    anchors: HashMap<usize, Node>,
    documents: Vec<Node>,
    duplicates: Vec<DuplicateKey>,
    nodes: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: std::ops::Range<usize>) -> Result<(), YamlError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let node = scalar(text.into_owned(), style, tag.as_deref(), span);
                self.finish(node, anchor)
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(YamlError { message: "an alias of nothing".to_owned(), offset: span.start });
                };
                self.count(size(&node), span.start)?;
                self.finish(Node { span, ..node }, 0)
            }
            Event::SequenceStart(anchor, _) => self.open(Open::Sequence(Vec::new()), span.start, anchor),
            Event::MappingStart(anchor, _) => self.open(Open::Mapping(Vec::new(), None), span.start, anchor),
            Event::SequenceEnd | Event::MappingEnd => self.close(span.end),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(())
            }
        }
    }

    fn open(&mut self, open: Open, start: usize, anchor: usize) -> Result<(), YamlError> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(YamlError { message: format!("nested deeper than {MAX_DEPTH}"), offset: start });
        }
        self.stack.push((open, start, anchor));
        Ok(())
    }

    fn close(&mut self, end: usize) -> Result<(), YamlError> {
        let Some((open, start, anchor)) = self.stack.pop() else { return Ok(()) };
        let value = match open {
            Open::Sequence(items) => NodeValue::Sequence(items),
            Open::Mapping(entries, _) => NodeValue::Mapping(entries),
        };
        self.finish(Node { value, span: start..end.max(start), style: Style::Collection }, anchor)
    }

    fn count(&mut self, nodes: usize, offset: usize) -> Result<(), YamlError> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(YamlError { message: format!("more than {MAX_NODES} values"), offset });
        }
        Ok(())
    }

    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), YamlError> {
        self.count(1, node.span.start)?;
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.stack.last_mut() {
            None => self.documents.push(node),
            Some((Open::Sequence(items), ..)) => items.push(node),
            Some((Open::Mapping(entries, key), ..)) => match key.take() {
                None => {
                    let twice = node.text().filter(|text| entries.iter().any(|(k, _)| k.text() == Some(text)));
                    if let Some(text) = twice {
                        self.duplicates.push(DuplicateKey { key: text.to_owned(), span: node.span.clone() });
                    }
                    *key = Some(node);
                }
                Some(key) => entries.push((key, node)),
            },
        }
        Ok(())
    }
}

fn size(node: &Node) -> usize {
    1 + node.items().iter().map(size).sum::<usize>()
        + node.entries().iter().map(|(key, value)| size(key) + size(value)).sum::<usize>()
}

fn scalar(text: String, style: ScalarStyle, tag: Option<&Tag>, span: std::ops::Range<usize>) -> Node {
    let as_text = tag.is_some_and(|tag| tag.suffix == "str") || style != ScalarStyle::Plain;
    let scalar = if as_text { Scalar::Text } else { core_schema(&text) };
    let style = match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
    };
    Node { value: NodeValue::Scalar(text, scalar), span, style }
}

/// YAML 1.2.2, section 10.3.2. Under YAML 1.1 `off` and `yes` would be truth values; rules mean the words.
fn core_schema(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "true" | "True" | "TRUE" => return Scalar::Bool(true),
        "false" | "False" | "FALSE" => return Scalar::Bool(false),
        _ => {}
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return i64::from_str_radix(digits, 16).map_or(Scalar::Text, Scalar::Int);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return i64::from_str_radix(digits, 8).map_or(Scalar::Text, Scalar::Int);
    }
    if !text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) {
        return Scalar::Text;
    }
    if let Ok(number) = text.parse() {
        return Scalar::Int(number);
    }
    text.parse().map_or(Scalar::Text, Scalar::Float)
}
