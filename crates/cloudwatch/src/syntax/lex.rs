//! Reading a pattern character by character: blanks, operators, literals, and the logic that both bracketed forms share.

use std::ops::Range;

use masthead_ir::eval::CompiledPattern;
use masthead_ir::pattern::Pattern;
use masthead_rulefile::suggest;

use super::{Fault, Literal, LiteralValue, Logic, Op};
use crate::codes;

/// How deep parentheses may nest. The evaluator allows a little more than twice as much.
const MAX_DEPTH: usize = 50;

/// A place in a pattern.
pub(super) struct Cursor<'p> {
    pub(super) text: &'p str,
    pub(super) at: usize,
    pub(super) warnings: Vec<Fault>,
}

impl<'p> Cursor<'p> {
    pub(super) fn new(text: &'p str) -> Cursor<'p> {
        Cursor { text, at: 0, warnings: Vec::new() }
    }

    pub(super) fn rest(&self) -> &'p str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn white(&mut self) {
        self.take_while(char::is_whitespace);
    }

    /// Takes a text if it stands here.
    pub(super) fn eat(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len();
        }
        found
    }

    /// Takes the characters that pass.
    pub(super) fn take_while(&mut self, mut pass: impl FnMut(char) -> bool) -> &'p str {
        let rest = self.rest();
        let end = rest.find(|c| !pass(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// The place of the next character, or of the end.
    pub(super) fn here(&self) -> Range<usize> {
        self.at..self.at + self.peek().map_or(0, char::len_utf8)
    }

    /// What stands here, for messages.
    pub(super) fn found(&self) -> String {
        match self.peek() {
            Some(found) => format!("`{found}`"),
            None => "the end of the pattern".to_owned(),
        }
    }

    /// A fault at the next character, and what to do about it.
    pub(super) fn expected(&self, what: &str, help: &str) -> Fault {
        let message = format!("{what} is expected here, not {}", self.found());
        Fault::new(codes::PATTERN, message, self.here()).help(help)
    }

    /// Text in double quotes, without them. Only the quote and the backslash can be escaped; any other backslash stands
    /// for itself.
    pub(super) fn quoted(&mut self) -> Result<String, Fault> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        while let Some(next) = self.peek() {
            self.at += next.len_utf8();
            match (next, self.peek()) {
                ('"', _) => return Ok(text),
                ('\\', Some(escaped @ ('"' | '\\'))) => {
                    self.at += 1;
                    text.push(escaped);
                }
                _ => text.push(next),
            }
        }
        let fault = Fault::new(codes::PATTERN, "the quoted text has no end", start..self.text.len());
        Err(fault.help("close it with `\"`; a quote inside is written `\\\"`"))
    }

    /// What stands between two `%`.
    pub(super) fn regex(&mut self) -> Result<String, Fault> {
        let start = self.at;
        self.at += 1;
        let expression = self.take_while(|c| c != '%').to_owned();
        if !self.eat("%") {
            let fault = Fault::new(codes::REGEX, "the regular expression has no end", start..self.text.len());
            return Err(fault.help("close it with `%`"));
        }
        let range = start..self.at;
        if expression.is_empty() {
            let fault = Fault::new(codes::REGEX, "the regular expression is empty", range);
            return Err(fault.help("`= *` asks whether there is any value"));
        }
        if let Err(error) = CompiledPattern::new(&Pattern::Regex(expression.clone())) {
            let fault = Fault::new(codes::REGEX, error.to_string(), range);
            return Err(fault.help("write `\\` before a character that stands for itself"));
        }
        if expression.contains(['(', ')']) {
            let message = "CloudWatch refuses parentheses in a regular expression; they work here";
            let fault = Fault::warning(codes::REGEX, message, range);
            self.warnings.push(fault.help("write alternatives as conditions of their own, joined by `||`"));
        }
        Ok(expression)
    }

    /// What something is compared with. A bare literal ends at a blank, at one of `stop`, and at `&&` and `||`.
    pub(super) fn literal(&mut self, stop: &[char]) -> Result<Literal, Fault> {
        let start = self.at;
        let value = match self.peek() {
            Some('"') => LiteralValue::Text(self.quoted()?),
            Some('%') => LiteralValue::Regex(self.regex()?),
            _ => {
                let bare = self.bare(stop);
                match bare {
                    "" => {
                        return Err(self.expected("a value", "a text with blanks or brackets is put in double quotes"));
                    }
                    bare if is_number(bare) => LiteralValue::Number(bare.to_owned()),
                    bare => LiteralValue::Text(bare.to_owned()),
                }
            }
        };
        let range = start..self.at;
        if let LiteralValue::Text(text) = &value
            && text.trim_matches('*').contains('*')
        {
            let message = format!("the star in the middle of `{text}` stands for itself");
            let fault = Fault::warning(codes::INNER_STAR, message, range.clone());
            self.warnings
                .push(fault.help("`*` is a wildcard only at the start and end; `%…%` takes a regular expression"));
        }
        Ok(Literal { value, range })
    }

    fn bare(&mut self, stop: &[char]) -> &'p str {
        let rest = self.rest();
        let ends = |(at, c): &(usize, char)| {
            c.is_whitespace()
                || *c == '"'
                || stop.contains(c)
                || rest[*at..].starts_with("&&")
                || rest[*at..].starts_with("||")
        };
        let end = rest.char_indices().find(ends).map_or(rest.len(), |(at, _)| at);
        self.at += end;
        &rest[..end]
    }

    /// A comparison operator.
    pub(super) fn op(&mut self) -> Result<Op, Fault> {
        let start = self.at;
        let written = self.take_while(|c| "=!<>~".contains(c));
        let range = start..self.at;
        let meant = match written {
            "=" => return Ok(Op::Eq),
            "!=" => return Ok(Op::Ne),
            "<" => return Ok(Op::Lt),
            "<=" => return Ok(Op::Le),
            ">" => return Ok(Op::Gt),
            ">=" => return Ok(Op::Ge),
            "" => return self.word_operator(),
            "==" | "===" => "=",
            "<>" | "=!" | "!" | "!==" | "~=" => "!=",
            "=<" => "<=",
            "=>" => ">=",
            _ => "%…%",
        };
        let fault = Fault::new(codes::OPERATOR, format!("there is no operator `{written}`"), range);
        Err(match meant {
            "%…%" => fault.help("a regular expression is a value: `= %…%`"),
            meant => fault.help(format!("write `{meant}`")),
        })
    }

    /// A word where an operator should be.
    fn word_operator(&mut self) -> Result<Op, Fault> {
        let start = self.at;
        let word = self.take_while(|c| c.is_ascii_alphabetic());
        if word.is_empty() {
            return Err(self.expected("an operator", "there are `=`, `!=`, `<`, `<=`, `>`, `>=`"));
        }
        let fault = Fault::new(codes::OPERATOR, format!("there is no operator `{word}`"), start..self.at);
        let upper = word.to_ascii_uppercase();
        Err(match upper.as_str() {
            "EXISTS" => fault.help("`= *` asks whether there is a value, `NOT EXISTS` whether there is none"),
            "LIKE" | "MATCHES" | "CONTAINS" => fault.help("write `= \"*…*\"`, or `= %…%` for a regular expression"),
            "IN" => fault.help("write one comparison for each value, joined by `||`"),
            other => match suggest(other, ["IS", "NOT", "EXISTS"]) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help("there are `=`, `!=`, `<`, `<=`, `>`, `>=`, `IS` and `NOT EXISTS`"),
            },
        })
    }

    /// An order needs a number on its right side.
    pub(super) fn ordered(op: Op, literal: &Literal) -> Result<(), Fault> {
        let message = match (op, &literal.value) {
            (Op::Eq | Op::Ne, _) | (_, LiteralValue::Number(_)) => return Ok(()),
            (_, LiteralValue::Text(text)) => format!("only numbers have an order, and `{text}` is none"),
            (_, LiteralValue::Regex(_)) => "a regular expression has no order".to_owned(),
        };
        let fault = Fault::new(codes::OPERATOR, message, literal.range.clone());
        Err(fault.help("use `=` or `!=`, or a number without quotes"))
    }

    /// Tests joined by `||`, each side of it joined by `&&`, which binds tighter.
    pub(super) fn logic<T>(
        &mut self,
        depth: usize,
        leaf: &mut dyn FnMut(&mut Cursor<'p>) -> Result<T, Fault>,
    ) -> Result<Logic<T>, Fault> {
        let mut any = vec![self.conjunction(depth, leaf)?];
        while self.joined("||", "OR")? {
            any.push(self.conjunction(depth, leaf)?);
        }
        Ok(if any.len() == 1 { any.swap_remove(0) } else { Logic::Any(any) })
    }

    fn conjunction<T>(
        &mut self,
        depth: usize,
        leaf: &mut dyn FnMut(&mut Cursor<'p>) -> Result<T, Fault>,
    ) -> Result<Logic<T>, Fault> {
        let mut all = vec![self.primary(depth, leaf)?];
        while self.joined("&&", "AND")? {
            all.push(self.primary(depth, leaf)?);
        }
        Ok(if all.len() == 1 { all.swap_remove(0) } else { Logic::All(all) })
    }

    fn primary<T>(
        &mut self,
        depth: usize,
        leaf: &mut dyn FnMut(&mut Cursor<'p>) -> Result<T, Fault>,
    ) -> Result<Logic<T>, Fault> {
        self.white();
        if !self.eat("(") {
            return leaf(self).map(Logic::Leaf);
        }
        if depth >= MAX_DEPTH {
            let message = format!("parentheses nest deeper than {MAX_DEPTH} levels");
            let fault = Fault::new(codes::PATTERN, message, self.at - 1..self.at);
            return Err(fault.help("remove parentheses; `&&` binds tighter than `||` without them"));
        }
        let inner = self.logic(depth + 1, leaf)?;
        self.white();
        if !self.eat(")") {
            return Err(self.expected("`&&`, `||` or `)`", "close the parenthesis, or join the conditions"));
        }
        Ok(inner)
    }

    /// Whether an operator of logic stands here; a slip for it is told.
    fn joined(&mut self, wanted: &str, word: &str) -> Result<bool, Fault> {
        self.white();
        if self.eat(wanted) {
            return Ok(true);
        }
        let rest = self.rest();
        let single = rest.starts_with(&wanted[..1]);
        let named = rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
            && !rest[word.len()..].starts_with(char::is_alphanumeric);
        if !single && !named {
            return Ok(false);
        }
        let length = if single { 1 } else { word.len() };
        let message = format!("there is no operator `{}`", &rest[..length]);
        Err(Fault::new(codes::OPERATOR, message, self.at..self.at + length).help(format!("write `{wanted}`")))
    }
}

/// Whether a bare literal is a number: a sign, digits with at most one point, an exponent.
pub(super) fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    digits(whole) && digits(fraction) && whole.len() + fraction.len() > 0 && digits(exponent) && !exponent.is_empty()
}
