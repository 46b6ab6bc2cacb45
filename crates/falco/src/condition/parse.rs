//! The parser of conditions: a recursive descent over the text (grammar: Falco, "Condition Syntax").

use std::ops::Range;

use masthead_rulefile::suggest;

use super::syntax::{Check, Condition, FieldUse, OPERATORS, Operator, Transformer, Word};

/// How deep parentheses may nest.
const MAX_DEPTH: usize = 100;

/// Words that are no macros.
const KEYWORDS: [&str; 3] = ["and", "or", "not"];

/// Functions of a field that can be run.
const TRANSFORMERS: &[(&str, Transformer)] = &[
    ("tolower", Transformer::ToLower),
    ("toupper", Transformer::ToUpper),
    ("basename", Transformer::Basename),
    ("len", Transformer::Len),
];

/// Functions that Falco has and that cannot be run.
const OTHER_TRANSFORMERS: &[&str] = &["val", "b64", "join", "concat", "getopt"];

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SyntaxError {
    /// What is wrong.
    pub(crate) message: String,
    /// Where.
    pub(crate) at: Range<usize>,
    /// A way out.
    pub(crate) help: Option<String>,
}

/// Parses a condition.
pub(crate) fn parse(text: &str) -> Result<Condition, SyntaxError> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    let condition = parser.or()?;
    parser.blank();
    if parser.at < text.len() {
        let at = parser.next_word();
        let message = format!("`{}` was not expected here", &text[at.clone()]);
        return Err(parser.error(message, at).with_help("`and` or `or` joins two comparisons"));
    }
    Ok(condition)
}

/// The operator that is written so.
pub(crate) fn operator(written: &str) -> Option<Operator> {
    OPERATORS.iter().find(|(name, _)| *name == written).map(|(_, operator)| *operator)
}

impl SyntaxError {
    fn with_help(mut self, help: impl Into<String>) -> SyntaxError {
        self.help = Some(help.into());
        self
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

type Parsed<T> = Result<T, SyntaxError>;

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn blank(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn error(&self, message: impl Into<String>, at: Range<usize>) -> SyntaxError {
        SyntaxError { message: message.into(), at, help: None }
    }

    /// Where the next word stands; of a text that is at its end, the end.
    fn next_word(&self) -> Range<usize> {
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || "()[],\"'".contains(c)).unwrap_or(rest.len());
        let first = rest.chars().next().map_or(0, char::len_utf8);
        self.at..self.at + end.max(first)
    }

    fn expected(&self, what: &str) -> SyntaxError {
        let at = self.next_word();
        let found = &self.text[at.clone()];
        if found.is_empty() {
            let end = self.text.trim_end().len();
            return self.error(format!("the condition ends where {what} was expected"), end..end);
        }
        self.error(format!("`{found}` stands where {what} was expected"), at)
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Takes a word that has to end here: at a blank, a parenthesis or the end.
    fn keyword(&mut self, word: &str) -> bool {
        let Some(rest) = self.rest().strip_prefix(word) else { return false };
        let ends = rest.chars().next().is_none_or(|c| c.is_whitespace() || c == '(');
        if ends {
            self.at += word.len();
        }
        ends
    }

    fn or(&mut self) -> Parsed<Condition> {
        let mut parts = vec![self.and()?];
        while self.joined("or") {
            parts.push(self.and()?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Condition::Or(parts) })
    }

    fn and(&mut self) -> Parsed<Condition> {
        let mut parts = vec![self.not()?];
        while self.joined("and") {
            parts.push(self.not()?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Condition::And(parts) })
    }

    fn joined(&mut self, word: &str) -> bool {
        self.blank();
        self.keyword(word)
    }

    fn not(&mut self) -> Parsed<Condition> {
        let mut negated = false;
        while self.joined("not") {
            negated = !negated;
        }
        let inner = self.primary()?;
        Ok(if negated { Condition::Not(Box::new(inner)) } else { inner })
    }

    fn primary(&mut self) -> Parsed<Condition> {
        self.blank();
        let start = self.at;
        if self.take("(") {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(self.error(format!("parentheses are nested deeper than {MAX_DEPTH}"), start..start + 1));
            }
            let inner = self.or()?;
            self.blank();
            if !self.take(")") {
                return Err(self.expected("`)`"));
            }
            self.depth -= 1;
            return Ok(inner);
        }
        let Some(name) = self.name().filter(|name| !KEYWORDS.contains(name)) else {
            self.at = start;
            return Err(self.expected("a field or the name of a macro"));
        };
        let called = self.rest().starts_with('(');
        if name.contains('.') || called {
            let field = self.field(name, start)?;
            return self.check(field).map(Condition::Check);
        }
        self.refuse_comparison(name, start)?;
        Ok(Condition::Macro(Word { text: name.to_owned(), quoted: false, at: start..self.at }))
    }

    /// A name without dots that is compared is a field that does not exist.
    fn refuse_comparison(&mut self, name: &str, start: usize) -> Parsed<()> {
        let end = self.at;
        self.blank();
        let compared = self.operator_here().is_some();
        self.at = end;
        if !compared {
            return Ok(());
        }
        let message = format!("`{name}` is compared, but is no field");
        let help = "names of fields have dots in them, such as `ka.verb`; a macro stands alone";
        Err(self.error(message, start..end).with_help(help))
    }

    /// A name of letters, digits, underscores, and dots between them.
    fn name(&mut self) -> Option<&'t str> {
        let rest = self.rest();
        let mut end = 0;
        loop {
            let part = &rest[end..];
            if !part.starts_with(|c: char| c.is_ascii_alphabetic()) {
                break;
            }
            end += part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len());
            let more = rest[end..].strip_prefix('.').is_some_and(|m| m.starts_with(|c: char| c.is_ascii_alphabetic()));
            if !more {
                break;
            }
            end += 1;
        }
        self.at += end;
        (end > 0).then(|| &rest[..end])
    }

    /// What is left of a field, or of a function of one, behind its name.
    fn field(&mut self, name: &str, start: usize) -> Parsed<FieldUse> {
        if !self.take("(") {
            let argument = self.argument()?;
            return Ok(FieldUse { transformers: Vec::new(), name: name.to_owned(), argument, at: start..self.at });
        }
        let Some((_, transformer)) = TRANSFORMERS.iter().find(|(known, _)| *known == name) else {
            return Err(self.unknown_function(name, start));
        };
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(format!("functions are nested deeper than {MAX_DEPTH}"), start..self.at));
        }
        self.blank();
        let inner_start = self.at;
        let Some(inner) = self.name() else { return Err(self.expected("a field")) };
        let mut field = self.field(inner, inner_start)?;
        self.blank();
        if !self.take(")") {
            return Err(self.expected("`)`"));
        }
        self.depth -= 1;
        field.transformers.push(*transformer);
        field.at = start..self.at;
        Ok(field)
    }

    fn unknown_function(&self, name: &str, start: usize) -> SyntaxError {
        let at = start..start + name.len();
        if OTHER_TRANSFORMERS.contains(&name) {
            let names: Vec<&str> = TRANSFORMERS.iter().map(|(name, _)| *name).collect();
            let error = self.error(format!("the function `{name}` cannot be run here"), at);
            return error.with_help(format!("these can: {}", names.join(", ")));
        }
        let error = self.error(format!("`{name}` is no function of a field"), at);
        match suggest(name, TRANSFORMERS.iter().map(|(name, _)| *name)) {
            Some(near) => error.with_help(format!("did you mean `{near}`?")),
            None => error.with_help("`and` or `or` joins a macro and what stands in parentheses"),
        }
    }

    /// What stands in brackets.
    fn argument(&mut self) -> Parsed<Option<String>> {
        let start = self.at;
        if !self.take("[") {
            return Ok(None);
        }
        let argument = if self.peek().is_some_and(|c| c == '"' || c == '\'') {
            self.quoted()?.text
        } else {
            let rest = self.rest();
            let end = rest.find(|c: char| c.is_whitespace() || "[]\"'".contains(c)).unwrap_or(rest.len());
            self.at += end;
            rest[..end].to_owned()
        };
        if argument.is_empty() && self.rest().starts_with(']') {
            return Err(self.error("the brackets are empty", start..self.at + 1));
        }
        if !self.take("]") {
            return Err(self.expected("`]`"));
        }
        Ok(Some(argument))
    }

    /// The operator that stands here, and how long it is.
    fn operator_here(&self) -> Option<(Operator, usize)> {
        let rest = self.rest();
        OPERATORS.iter().find_map(|(written, operator)| {
            let behind = rest.strip_prefix(written)?;
            let is_word = written.starts_with(|c: char| c.is_ascii_alphabetic());
            let ends = behind.chars().next().is_none_or(|c| c.is_whitespace() || "()\"'".contains(c));
            (!is_word || ends).then_some((*operator, written.len()))
        })
    }

    fn check(&mut self, field: FieldUse) -> Parsed<Check> {
        self.blank();
        let start = self.at;
        let Some((operator, length)) = self.operator_here() else {
            let at = self.next_word();
            let error = self.expected("a comparison");
            let written = &self.text[at];
            let words = written.starts_with(|c: char| c.is_ascii_alphabetic());
            let near = suggest(written, OPERATORS.iter().map(|(written, _)| *written));
            return Err(match near.filter(|_| words) {
                Some(near) => error.with_help(format!("did you mean `{near}`?")),
                None => error,
            });
        };
        self.at += length;
        let operator_at = start..self.at;
        self.blank();
        let values = match operator {
            Operator::Exists => Vec::new(),
            Operator::In | Operator::Intersects | Operator::PMatch => self.set()?,
            Operator::Lt | Operator::Le | Operator::Gt | Operator::Ge => vec![self.number(operator)?],
            _ => vec![self.value()?],
        };
        Ok(Check { field, operator, operator_at, values })
    }

    fn number(&mut self, operator: Operator) -> Parsed<Word> {
        let word = self.value()?;
        if !word.quoted && masthead_ir::eval::number::Number::parse(&word.text).is_some() {
            return Ok(word);
        }
        let message = format!("`{}` needs a number, and `{}` is none", operator.written(), word.text);
        Err(self.error(message, word.at))
    }

    fn set(&mut self) -> Parsed<Vec<Word>> {
        if !self.take("(") {
            // The name of a list may stand without parentheses.
            return Ok(vec![self.value()?]);
        }
        let mut values = Vec::new();
        self.blank();
        if self.take(")") {
            return Ok(values);
        }
        loop {
            self.blank();
            values.push(self.value()?);
            self.blank();
            if self.take(")") {
                return Ok(values);
            }
            if !self.take(",") {
                return Err(self.expected("`,` or `)`"));
            }
        }
    }

    fn value(&mut self) -> Parsed<Word> {
        if self.peek().is_some_and(|c| c == '"' || c == '\'') {
            return self.quoted();
        }
        let start = self.at;
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || "()\"'=,".contains(c)).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.expected("a value"));
        }
        let text = &rest[..end];
        let functions = TRANSFORMERS.iter().map(|(name, _)| *name).chain(OTHER_TRANSFORMERS.iter().copied());
        if rest[end..].starts_with('(') && functions.into_iter().any(|name| name == text) {
            let error = self.error("a field cannot be compared with another field here", start..start + end);
            return Err(error.with_help("put a value on the right side"));
        }
        self.at += end;
        Ok(Word { text: text.to_owned(), quoted: false, at: start..self.at })
    }

    fn quoted(&mut self) -> Parsed<Word> {
        let start = self.at;
        let mut chars = self.rest().char_indices();
        let Some((_, quote)) = chars.next() else { return Err(self.expected("a value")) };
        let mut text = String::new();
        while let Some((offset, char)) = chars.next() {
            if char == quote {
                self.at = start + offset + 1;
                return Ok(Word { text, quoted: true, at: start..self.at });
            }
            if char != '\\' {
                text.push(char);
                continue;
            }
            match chars.next() {
                Some((_, escaped)) => match unescaped(escaped) {
                    Some(char) => text.push(char),
                    None => {
                        let at = start + offset..start + offset + 1 + escaped.len_utf8();
                        let error = self.error(format!("`\\{escaped}` is no escape that Falco knows"), at);
                        return Err(error.with_help("write `\\\\` for a backslash"));
                    }
                },
                None => break,
            }
        }
        Err(self.error("a quoted value does not end", start..start + 1))
    }
}

/// The character that an escape stands for.
fn unescaped(escape: char) -> Option<char> {
    Some(match escape {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        // Falco reads an escaped blank as a backslash.
        ' ' | '\\' => '\\',
        '/' | '"' | '\'' => escape,
        _ => return None,
    })
}
