//! The Kibana Query Language (Elastic documentation, "Kibana Query Language").
//!
//! Fields of audit events are keywords: a text without quotes or wildcards must be the whole value, and case counts. A text
//! without a field may stand anywhere in the event.

use std::ops::Range;

use masthead_ir::Expr;
use masthead_ir::expr::FieldPath;
use masthead_ir::pattern::{Case, OrderOp, Pattern};

use crate::ecs;
use crate::problem::Problem;
use crate::wildcard::{self, Char};

/// How deep parentheses may nest.
const MAX_DEPTH: usize = 64;
const CODE: &str = "elastic-kql";

/// Compiles a query to a condition.
pub(crate) fn compile(text: &str) -> Result<Expr, Problem> {
    let tokens = lex(text)?;
    let mut parser = Parser { tokens, at: 0, end: text.len() };
    if parser.tokens.is_empty() {
        return Ok(Expr::And(Vec::new()));
    }
    let expr = parser.or(None, 0)?;
    match parser.tokens.get(parser.at) {
        None => Ok(expr),
        Some((_, range)) => Err(Problem::invalid(CODE, "this does not go on with the query", range.clone())),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Open,
    Close,
    Colon,
    Order(OrderOp),
    And,
    Or,
    Not,
    Brace,
    /// A word with its wildcards, or a text in quotes.
    Word(Vec<Char>, bool),
}

fn lex(text: &str) -> Result<Vec<(Token, Range<usize>)>, Problem> {
    let mut tokens = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let two = chars.peek().is_some_and(|(_, next)| *next == '=');
        let token = match c {
            c if c.is_whitespace() => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            ':' => Token::Colon,
            '{' | '}' => Token::Brace,
            '<' | '>' => {
                if two {
                    chars.next();
                }
                Token::Order(match (c, two) {
                    ('<', true) => OrderOp::Le,
                    ('<', false) => OrderOp::Lt,
                    ('>', true) => OrderOp::Ge,
                    _ => OrderOp::Gt,
                })
            }
            '"' => {
                let mut value = Vec::new();
                loop {
                    match chars.next() {
                        None => return Err(Problem::invalid(CODE, "this quotation mark is not closed", at..at + 1)),
                        Some((_, '"')) => break,
                        Some((_, '\\')) => value.extend(chars.next().map(|(_, c)| Char::Plain(escaped(c)))),
                        Some((_, c)) => value.push(Char::Plain(c)),
                    }
                }
                Token::Word(value, true)
            }
            first => {
                let mut value = Vec::new();
                let mut next = Some(first);
                while let Some(c) = next {
                    match c {
                        '\\' => value.extend(chars.next().map(|(_, c)| Char::Plain(escaped(c)))),
                        '*' => value.push(Char::Star),
                        other => value.push(Char::Plain(other)),
                    }
                    let goes_on = |(_, c): &(usize, char)| {
                        !c.is_whitespace() && !matches!(c, '(' | ')' | ':' | '<' | '>' | '"' | '{' | '}')
                    };
                    next = chars.next_if(goes_on).map(|(_, c)| c);
                }
                match shown(&value).to_ascii_lowercase().as_str() {
                    "and" => Token::And,
                    "or" => Token::Or,
                    "not" => Token::Not,
                    _ => Token::Word(value, false),
                }
            }
        };
        let end = chars.peek().map_or(text.len(), |(at, _)| *at);
        tokens.push((token, at..end));
    }
    Ok(tokens)
}

fn escaped(c: char) -> char {
    match c {
        't' => '\t',
        'n' => '\n',
        'r' => '\r',
        other => other,
    }
}

fn shown(value: &[Char]) -> String {
    let char = |char: &Char| match char {
        Char::Plain(c) => *c,
        Char::Star => '*',
        Char::One => '?',
    };
    value.iter().map(char).collect()
}

struct Parser {
    tokens: Vec<(Token, Range<usize>)>,
    at: usize,
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn range(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.end..self.end, |(_, range)| range.clone())
    }

    fn accept(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.at += usize::from(found);
        found
    }

    /// `field` is that of the list of values one is in.
    fn or(&mut self, field: Option<&str>, depth: usize) -> Result<Expr, Problem> {
        let mut parts = vec![self.and(field, depth)?];
        while self.accept(&Token::Or) {
            parts.push(self.and(field, depth)?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Expr::Or(parts) })
    }

    fn and(&mut self, field: Option<&str>, depth: usize) -> Result<Expr, Problem> {
        let mut parts = vec![self.not(field, depth)?];
        while self.accept(&Token::And) {
            parts.push(self.not(field, depth)?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Expr::And(parts) })
    }

    fn not(&mut self, field: Option<&str>, depth: usize) -> Result<Expr, Problem> {
        if depth > MAX_DEPTH {
            return Err(Problem::invalid(CODE, "the query is nested too deep", self.range()));
        }
        if self.accept(&Token::Not) {
            return Ok(Expr::Not(Box::new(self.not(field, depth + 1)?)));
        }
        let place = self.range();
        if self.accept(&Token::Open) {
            let inner = self.or(field, depth + 1)?;
            if !self.accept(&Token::Close) {
                return Err(Problem::invalid(CODE, "this bracket is not closed", place));
            }
            return Ok(inner);
        }
        match field {
            Some(field) => {
                let value = self.value()?;
                Ok(ecs::test(field, value))
            }
            None => self.field_or_text(depth),
        }
    }

    /// A word, several words without quotes (they are one phrase), or a text in quotes.
    fn value(&mut self) -> Result<Pattern, Problem> {
        let place = self.range();
        let mut all: Vec<Char> = Vec::new();
        let mut words = 0;
        while let Some(Token::Word(value, quoted)) = self.peek().cloned() {
            if quoted && words > 0 {
                break;
            }
            if words > 0 {
                all.push(Char::Plain(' '));
            }
            all.extend(value);
            words += 1;
            self.at += 1;
            if quoted {
                break;
            }
        }
        if words == 0 {
            return Err(Problem::invalid(CODE, "a value is missing here", place));
        }
        Ok(wildcard::pattern(&all, Case::Sensitive))
    }

    fn field_or_text(&mut self, depth: usize) -> Result<Expr, Problem> {
        let place = self.range();
        let Some(Token::Word(word, quoted)) = self.peek().cloned() else {
            return Err(Problem::invalid(CODE, "a field or a text is missing here", place));
        };
        let name = shown(&word);
        match self.tokens.get(self.at + 1).map(|(token, _)| token.clone()) {
            Some(Token::Colon) => {
                self.at += 2;
                if self.peek() == Some(&Token::Brace) {
                    return Err(Problem::unsupported(
                        CODE,
                        "queries of nested fields cannot be run here",
                        self.range(),
                    ));
                }
                if word == [Char::Star] {
                    // Every field: anywhere in the event.
                    let value = self.value()?;
                    return Ok(Expr::Test { field: FieldPath::flat("_raw"), pattern: anywhere(value) });
                }
                if self.accept(&Token::Open) {
                    let inner = self.or(Some(&name), depth + 1)?;
                    if !self.accept(&Token::Close) {
                        return Err(Problem::invalid(CODE, "this list of values is not closed", place));
                    }
                    return Ok(inner);
                }
                let value = self.value()?;
                Ok(ecs::test(&name, value))
            }
            Some(Token::Order(op)) => {
                self.at += 2;
                match self.peek().cloned() {
                    Some(Token::Word(value, _)) => {
                        self.at += 1;
                        Ok(ecs::test(&name, Pattern::Order { op, literal: shown(&value) }))
                    }
                    _ => Err(Problem::invalid(CODE, "a value is missing here", self.range())),
                }
            }
            _ => {
                let _quoted = quoted;
                let value = self.value()?;
                Ok(Expr::Test { field: FieldPath::flat("_raw"), pattern: anywhere(value) })
            }
        }
    }
}

/// A text that stands somewhere, whatever its case.
fn anywhere(value: Pattern) -> Pattern {
    let case = Case::Folded;
    match value {
        Pattern::Text { text, .. } => Pattern::Phrase { text, case, minor: true },
        Pattern::Prefix { text, .. } => Pattern::Phrase { text: format!("{text}*"), case, minor: true },
        Pattern::Suffix { text, .. } => Pattern::Phrase { text: format!("*{text}"), case, minor: true },
        Pattern::Contains { text, .. } => Pattern::Contains { text, case },
        Pattern::Wildcard { glob, .. } => Pattern::Phrase { text: glob, case, minor: true },
        other => other,
    }
}
