//! Words of EQL.

use std::ops::Range;

use super::CODE;
use crate::problem::Problem;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name, keyword or function, also one in backquotes; whether it was in those.
    Name(String, bool),
    Text(String),
    Number(String),
    /// An operator or bracket.
    Sign(&'static str),
}

pub(super) type Placed = (Token, Range<usize>);

const SIGNS: [&str; 22] =
    ["==", "!=", "<=", ">=", "~", "=", "<", ">", "(", ")", "[", "]", ",", ":", "|", "+", "-", "*", "/", "%", "?", "!"];

pub(super) fn lex(text: &str) -> Result<Vec<Placed>, Problem> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = if c.is_whitespace() {
            c.len_utf8()
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map(|end| end + 2).ok_or_else(|| open("comment", at))?
        } else {
            let (token, length) = token(rest, at)?;
            tokens.push((token, at..at + length));
            length
        };
        at += length;
    }
    Ok(tokens)
}

fn open(what: &str, at: usize) -> Problem {
    Problem::invalid(CODE, format!("this {what} is not closed"), at..at + 1)
}

fn token(rest: &str, at: usize) -> Result<(Token, usize), Problem> {
    if let Some(raw) = rest.strip_prefix("\"\"\"") {
        let end = raw.find("\"\"\"").ok_or_else(|| open("text", at))?;
        return Ok((Token::Text(raw[..end].to_owned()), end + 6));
    }
    let first = rest.chars().next().unwrap_or(' ');
    if first == '"' {
        return quoted(rest, at);
    }
    if first == '`' {
        let end = rest[1..].find('`').ok_or_else(|| open("name", at))?;
        return Ok((Token::Name(rest[1..=end].to_owned(), true), end + 2));
    }
    if first.is_ascii_digit() {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).unwrap_or(rest.len());
        return Ok((Token::Number(rest[..end].to_owned()), end));
    }
    if first.is_alphabetic() || matches!(first, '_' | '@') {
        let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '@' | '-');
        let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
        return Ok((Token::Name(rest[..end].to_owned(), false), end));
    }
    match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        Some(sign) => Ok((Token::Sign(sign), sign.len())),
        None => Err(Problem::invalid(CODE, format!("`{first}` means nothing here"), at..at + first.len_utf8())),
    }
}

fn quoted(rest: &str, at: usize) -> Result<(Token, usize), Problem> {
    let mut value = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((end, c)) = chars.next() {
        match c {
            '"' => return Ok((Token::Text(value), end + 1)),
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some(other) => value.push(other),
                None => break,
            },
            other => value.push(other),
        }
    }
    Err(open("text", at))
}
