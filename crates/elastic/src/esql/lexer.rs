//! Texts to tokens.

use std::ops::Range;

use super::EsqlProblem;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) range: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    /// A word: a part of a name, or a keyword.
    Word(String),
    /// A part of a name in backquotes.
    Quoted(String),
    Text(String),
    Int(i64),
    Float(f64),
    Symbol(&'static str),
    /// A character that means nothing outside the names of indices.
    Other(char),
    End,
}

/// Longer ones first.
const SYMBOLS: &[&str] = &[
    "==", "!=", "<=", ">=", "=~", "::", "|", ",", "(", ")", "[", "]", ".", "*", "+", "-", "/", "%", "=", "<", ">", ":",
];

/// The tokens of a text, with an `End` behind them.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, EsqlProblem> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks()?;
        let start = lexer.at;
        let kind = lexer.next()?;
        let end = kind == TokenKind::End;
        tokens.push(Token { kind, range: start..lexer.at });
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn fault(&self, start: usize, message: &str) -> EsqlProblem {
        EsqlProblem::new("esql-syntax", start..self.text.len(), message)
    }

    fn skip_blanks(&mut self) -> Result<(), EsqlProblem> {
        loop {
            let rest = self.rest();
            let blanks = rest.len() - rest.trim_start().len();
            if blanks > 0 {
                self.at += blanks;
            } else if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                let Some(end) = rest.find("*/") else { return Err(self.fault(self.at, "the comment has no end")) };
                self.at += end + 2;
            } else {
                return Ok(());
            }
        }
    }

    fn next(&mut self) -> Result<TokenKind, EsqlProblem> {
        let Some(first) = self.rest().chars().next() else { return Ok(TokenKind::End) };
        match first {
            '"' => self.string(),
            '`' => self.quoted(),
            '0'..='9' => Ok(self.number()),
            c if c.is_alphabetic() || matches!(c, '_' | '@') => {
                let rest = self.rest();
                let word = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '@'));
                let word = rest.get(..rest.find(word).unwrap_or(rest.len())).unwrap_or("").to_owned();
                self.at += word.len();
                Ok(TokenKind::Word(word))
            }
            other => {
                if let Some(symbol) = SYMBOLS.iter().find(|symbol| self.rest().starts_with(**symbol)) {
                    self.at += symbol.len();
                    return Ok(TokenKind::Symbol(symbol));
                }
                self.at += other.len_utf8();
                Ok(TokenKind::Other(other))
            }
        }
    }

    fn number(&mut self) -> TokenKind {
        let bytes = self.rest().as_bytes();
        let digits = |from: usize| bytes.iter().skip(from).take_while(|b| b.is_ascii_digit()).count();
        let mut len = digits(0);
        let mut whole = true;
        if bytes.get(len) == Some(&b'.') && digits(len + 1) > 0 {
            len += 1 + digits(len + 1);
            whole = false;
        }
        if matches!(bytes.get(len), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(len + 1), Some(b'+' | b'-')));
            let exponent = digits(len + 1 + sign);
            if exponent > 0 {
                len += 1 + sign + exponent;
                whole = false;
            }
        }
        let text = self.rest().get(..len).unwrap_or("0").to_owned();
        self.at += len;
        match text.parse::<i64>() {
            Ok(int) if whole => TokenKind::Int(int),
            _ => TokenKind::Float(text.parse().unwrap_or(0.0)),
        }
    }

    fn quoted(&mut self) -> Result<TokenKind, EsqlProblem> {
        let start = self.at;
        let mut out = String::new();
        self.at += 1;
        while let Some(c) = self.rest().chars().next() {
            if self.rest().starts_with("``") {
                self.at += 2;
                out.push('`');
            } else if c == '`' {
                self.at += 1;
                return Ok(TokenKind::Quoted(out));
            } else {
                self.at += c.len_utf8();
                out.push(c);
            }
        }
        Err(self.fault(start, "the quoted name has no end"))
    }

    fn string(&mut self) -> Result<TokenKind, EsqlProblem> {
        let start = self.at;
        if let Some(raw) = self.rest().strip_prefix("\"\"\"") {
            let Some(end) = raw.find("\"\"\"") else { return Err(self.fault(start, "the string has no end")) };
            // Up to two quotes before the closing three belong to the string.
            let more = raw.get(end + 3..).unwrap_or("").bytes().take(2).take_while(|b| *b == b'"').count();
            let text = raw.get(..end + more).unwrap_or("").to_owned();
            self.at = start + 6 + text.len();
            return Ok(TokenKind::Text(text));
        }
        let mut out = String::new();
        self.at += 1;
        while let Some(c) = self.rest().chars().next() {
            let at = self.at;
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(TokenKind::Text(out)),
                '\\' => out.push(self.escape(at)?),
                '\n' | '\r' => break,
                other => out.push(other),
            }
        }
        Err(self.fault(start, "the string has no end"))
    }

    fn escape(&mut self, start: usize) -> Result<char, EsqlProblem> {
        let Some(c) = self.rest().chars().next() else { return Err(self.fault(start, "the string has no end")) };
        self.at += c.len_utf8();
        Ok(match c {
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            '"' | '\\' => c,
            other => {
                let message = format!("`\\{other}` is no escape sequence of a string");
                let fault = EsqlProblem::new("esql-syntax", start..self.at, message);
                return Err(fault.help("write a backslash as `\\\\`, or the string in triple quotes"));
            }
        })
    }
}
