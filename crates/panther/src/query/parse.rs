//! Text to syntax tree, with limits that keep hostile nesting off the stack.

use std::ops::Range;

use sqlparser::ast::{Query, Spanned, Statement};
use sqlparser::dialect::SnowflakeDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::{Fault, Result};

/// Queries of more words and signs than this are refused.
const MAX_TOKENS: usize = 20_000;
/// How many operators may hang below each other in the tree, which is walked and dropped recursively.
const MAX_OPERATORS: usize = 500;
/// How deep brackets may nest.
const MAX_NESTING: usize = 40;

/// The one query of a text.
pub(super) fn parse(sql: &str) -> Result<Query> {
    if let Some(at) = ["{%", "{{", "{#"].iter().filter_map(|mark| sql.find(mark)).min() {
        let message = "templates and macros in queries cannot run here".to_owned();
        return Err(Fault { message, place: Some(at..at + 2), syntax: false });
    }
    let dialect = SnowflakeDialect {};
    let tokens =
        Tokenizer::new(&dialect, sql).tokenize_with_location().map_err(|error| syntax(sql, error.to_string()))?;
    let words = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).count();
    if words > MAX_TOKENS {
        return Err(Fault {
            message: format!("the query has more than {MAX_TOKENS} words"),
            place: None,
            syntax: false,
        });
    }
    if too_deep(&tokens) {
        let message = format!("an expression of the query has more than {MAX_OPERATORS} operators");
        return Err(Fault { message, place: None, syntax: false });
    }
    let tokens = plain_spans(tokens);
    let mut parsed = Parser::new(&dialect).with_recursion_limit(MAX_NESTING).with_tokens_with_locations(tokens);
    let mut statements = parsed.parse_statements().map_err(|error| syntax(sql, told(error)))?;
    let extra = statements.get(1).map(|second| place(sql, second));
    match (statements.pop(), extra) {
        (Some(Statement::Query(query)), None) => Ok(*query),
        (Some(_), Some(place)) => {
            Err(Fault { message: "there is more than one statement".to_owned(), place, syntax: false })
        }
        (Some(other), None) => {
            Err(Fault { message: "only `SELECT` can run here".to_owned(), place: place(sql, &other), syntax: false })
        }
        (None, _) => Err(Fault { message: "the query is empty".to_owned(), place: None, syntax: true }),
    }
}

/// The tokens, in which arguments of time conditions are as SQL has them: the platform reads these before the database does,
/// and takes spans without quotes (`1 d`) and empty arguments.
fn plain_spans(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut plain: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    // How many brackets are open since a time condition began.
    let mut open: Option<usize> = None;
    for token in tokens {
        if matches!(token.token, Token::Whitespace(_)) {
            continue;
        }
        match (&token.token, open) {
            (Token::Word(word), None) if word.value.to_ascii_uppercase().starts_with("P_OCCURS_") => open = Some(0),
            (Token::LParen, Some(depth)) => open = Some(depth + 1),
            (Token::RParen, Some(depth)) => open = depth.checked_sub(1).filter(|depth| *depth > 0),
            (Token::Word(word), Some(1)) => {
                if let Some(last) = plain.last_mut()
                    && let Token::Number(number, _) = &last.token
                {
                    last.token = Token::SingleQuotedString(format!("{number} {}", word.value));
                    continue;
                }
            }
            (Token::Comma, Some(1)) if plain.last().is_some_and(|last| last.token == Token::Comma) => {
                plain.push(TokenWithSpan { token: Token::make_keyword("NULL"), span: token.span });
            }
            _ => {}
        }
        plain.push(token);
    }
    plain
}

/// Whether operators hang too deeply below each other: those of one bracket since its last comma or clause.
fn too_deep(tokens: &[TokenWithSpan]) -> bool {
    let mut chains = vec![0_usize];
    let mut depth = 0_usize;
    for token in tokens {
        let clause = match &token.token {
            Token::Word(word) => {
                matches!(word.keyword, Keyword::SELECT | Keyword::FROM | Keyword::WHERE | Keyword::HAVING)
            }
            token => matches!(token, Token::Comma | Token::SemiColon),
        };
        match &token.token {
            Token::Whitespace(_) => continue,
            Token::LParen | Token::LBracket => chains.push(0),
            Token::RParen | Token::RBracket if chains.len() > 1 => depth -= chains.pop().unwrap_or(0),
            _ if clause => {
                if let Some(chain) = chains.last_mut() {
                    depth -= *chain;
                    *chain = 0;
                }
            }
            other if nests(other) => {
                if let Some(chain) = chains.last_mut() {
                    *chain += 1;
                    depth += 1;
                }
            }
            _ => {}
        }
        if depth > MAX_OPERATORS {
            return true;
        }
    }
    false
}

/// Whether a token can put one expression below another.
fn nests(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND | Keyword::OR | Keyword::NOT | Keyword::XOR | Keyword::IS | Keyword::CASE | Keyword::UNION
        ),
        Token::Number(..) | Token::SingleQuotedString(_) | Token::DollarQuotedString(_) | Token::Period => false,
        Token::RParen | Token::RBracket | Token::LBrace | Token::RBrace => false,
        _ => true,
    }
}

fn told(error: ParserError) -> String {
    match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        ParserError::RecursionLimitExceeded => "the query nests too deeply to be read".to_owned(),
    }
}

/// An error of the parser, whose message ends with its place.
fn syntax(sql: &str, message: String) -> Fault {
    let fault =
        |message: &str, place| Fault { message: format!("the SQL cannot be parsed: {message}"), place, syntax: true };
    let Some((text, at)) = message.rsplit_once(" at Line: ") else { return fault(&message, None) };
    let numbers = at.split_once(", Column: ").and_then(|(line, column)| {
        Some(Location { line: line.trim().parse().ok()?, column: column.trim().parse().ok()? })
    });
    let place = numbers.map(|location| {
        let start = offset(sql, location);
        start..(start + 1).min(sql.len()).max(start)
    });
    fault(text, place)
}

/// The bytes of a part of the tree; none if the tree does not know.
pub(super) fn place(sql: &str, part: &impl Spanned) -> Option<Range<usize>> {
    let span = part.span();
    if span.start.line == 0 {
        return None;
    }
    let start = offset(sql, span.start);
    Some(start..offset(sql, span.end).max(start))
}

/// The byte of a line and column, both counted from 1, columns in characters.
fn offset(sql: &str, location: Location) -> usize {
    let line = usize::try_from(location.line.saturating_sub(1)).unwrap_or(usize::MAX);
    let column = usize::try_from(location.column.saturating_sub(1)).unwrap_or(usize::MAX);
    let mut start = 0;
    for text in sql.split_inclusive('\n').take(line) {
        start += text.len();
    }
    let rest = sql.get(start..).unwrap_or_default();
    rest.char_indices().nth(column).map_or(sql.len(), |(at, _)| start + at)
}
