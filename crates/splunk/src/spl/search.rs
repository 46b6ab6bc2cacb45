//! Search expressions (Splunk Search Reference, "search"): OR binds tighter than AND, words beside each other are ANDed.

use masthead_ir::expr::{Expr, FieldPath};
use masthead_ir::pattern::{Case, OrderOp, Pattern};
use masthead_ir::time::{TimeRange, parse_spec};

use super::Problem;
use super::lex::{Kind, Token, unescape};
use super::options::Options;

/// How deep parentheses may nest.
const MAX_DEPTH: usize = 100;

/// What a search expression says.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) filter: Vec<Expr>,
    pub(super) range: Option<TimeRange>,
    /// Subsearches: their place, and whether they are negated.
    pub(super) subsearches: Vec<(std::ops::Range<usize>, bool)>,
}

/// The letters that end a word of a search expression.
pub(super) const SIGNS: &str = "()=!<>,";

/// Reads a search expression.
pub(super) fn parse(tokens: &[Token], end: usize, options: &Options) -> Result<Parsed, Problem> {
    let mut reader = Reader { tokens, at: 0, end, options, parsed: Parsed::default(), depth: 0 };
    let filter = reader.conjunction()?;
    if let Some(token) = reader.peek() {
        return Err(Problem::syntax(format!("`{}` is not expected here", token.text), token.range.clone()));
    }
    reader.parsed.filter.push(filter);
    Ok(reader.parsed)
}

struct Reader<'t> {
    tokens: &'t [Token],
    at: usize,
    end: usize,
    options: &'t Options,
    parsed: Parsed,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn sign(&self, text: &str) -> bool {
        self.peek().is_some_and(|token| token.kind == Kind::Sign && token.text == text)
    }

    fn word(&self, text: &str) -> bool {
        self.peek().is_some_and(|token| token.kind == Kind::Word && token.text == text)
    }

    fn conjunction(&mut self) -> Result<Expr, Problem> {
        let mut parts = Vec::new();
        while self.peek().is_some() && !self.sign(")") {
            if self.word("AND") {
                self.at += 1;
                continue;
            }
            parts.push(self.disjunction()?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Expr::And(parts) })
    }

    fn disjunction(&mut self) -> Result<Expr, Problem> {
        let before = self.parsed.subsearches.len();
        let mut parts = vec![self.negation()?];
        while self.word("OR") {
            self.at += 1;
            parts.push(self.negation()?);
        }
        if parts.len() > 1 {
            self.no_subsearch_since(before)?;
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Expr::Or(parts) })
    }

    fn negation(&mut self) -> Result<Expr, Problem> {
        let mut negated = false;
        while self.word("NOT") {
            negated = !negated;
            self.at += 1;
        }
        if let Some(Token { kind: Kind::Bracket, range, .. }) = self.peek() {
            self.parsed.subsearches.push((range.clone(), negated));
            self.at += 1;
            return Ok(Expr::And(Vec::new()));
        }
        let before = self.parsed.subsearches.len();
        let part = self.primary()?;
        if negated {
            self.no_subsearch_since(before)?;
        }
        Ok(if negated { Expr::Not(Box::new(part)) } else { part })
    }

    /// A subsearch becomes a stage of its own, which is right only where it must hold by itself.
    fn no_subsearch_since(&self, before: usize) -> Result<(), Problem> {
        match self.parsed.subsearches.get(before) {
            Some((range, _)) => {
                Err(Problem::unsupported("a search in brackets under OR or NOT is not built", range.clone()))
            }
            None => Ok(()),
        }
    }

    fn primary(&mut self) -> Result<Expr, Problem> {
        if self.sign("(") {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(Problem::syntax("nested too deep", self.end..self.end));
            }
            self.at += 1;
            let inside = self.conjunction()?;
            if !self.sign(")") {
                let at = self.peek().map_or(self.end..self.end, |token| token.range.clone());
                return Err(Problem::syntax("expected `)`", at));
            }
            self.at += 1;
            self.depth -= 1;
            return Ok(inside);
        }
        let Some(token) = self.peek().cloned() else {
            return Err(Problem::syntax("expected a condition, and the search ends", self.end..self.end));
        };
        if token.kind == Kind::Sign {
            return Err(Problem::syntax(format!("expected a condition, found `{}`", token.text), token.range));
        }
        self.at += 1;
        let next = self.peek().cloned();
        match next {
            Some(op)
                if op.kind == Kind::Sign && matches!(op.text.as_str(), "=" | "==" | "!=" | "<" | ">" | "<=" | ">=") =>
            {
                self.at += 1;
                self.comparison(&token, &op)
            }
            Some(Token { kind: Kind::Word, ref text, .. })
                if text.eq_ignore_ascii_case("in") && self.next_is_paren() =>
            {
                self.at += 2;
                self.list(&token)
            }
            Some(Token { kind: Kind::Sign, ref text, .. })
                if text == "(" && matches!(token.text.as_str(), "TERM" | "CASE") =>
            {
                self.at += 1;
                self.directive(&token)
            }
            _ => Ok(phrase(&token)),
        }
    }

    fn next_is_paren(&self) -> bool {
        self.tokens.get(self.at + 1).is_some_and(|token| token.kind == Kind::Sign && token.text == "(")
    }

    fn directive(&mut self, token: &Token) -> Result<Expr, Problem> {
        let Some(inside) = self.peek().cloned() else {
            return Err(Problem::syntax("expected a word", self.end..self.end));
        };
        self.at += 1;
        if !self.sign(")") {
            return Err(Problem::syntax("expected `)`", inside.range));
        }
        self.at += 1;
        let term = token.text == "TERM";
        let case = if term { Case::Folded } else { Case::Sensitive };
        Ok(raw(Pattern::Phrase { text: value_of(&inside), case, minor: !term }))
    }

    fn comparison(&mut self, field: &Token, op: &Token) -> Result<Expr, Problem> {
        let value = match self.peek().cloned() {
            Some(value) if value.kind != Kind::Sign && value.kind != Kind::Bracket => value,
            Some(bracket) if bracket.kind == Kind::Bracket => {
                return Err(Problem::unsupported("a search in brackets as a value is not built", bracket.range));
            }
            other => {
                let at = other.map_or(self.end..self.end, |token| token.range);
                return Err(Problem::syntax(format!("expected a value after `{}`", op.text), at));
            }
        };
        self.at += 1;
        let text = value_of(&value);
        if op.text == "=" && matches!(field.text.as_str(), "earliest" | "latest") {
            return self.time(field, &value);
        }
        let name = FieldPath::flat(&field.text);
        Ok(match op.text.as_str() {
            "!=" => Expr::Differs { field: name, pattern: pattern(&text), rule: self.options.not_equal },
            "=" | "==" => Expr::Test { field: name, pattern: pattern(&text) },
            order => {
                let op = match order {
                    "<" => OrderOp::Lt,
                    "<=" => OrderOp::Le,
                    ">" => OrderOp::Gt,
                    _ => OrderOp::Ge,
                };
                Expr::Test { field: name, pattern: Pattern::Order { op, literal: text } }
            }
        })
    }

    fn time(&mut self, field: &Token, value: &Token) -> Result<Expr, Problem> {
        let spec = parse_spec(&value.text)
            .map_err(|error| Problem::syntax(format!("`{}` is no time: {error}", value.text), value.range.clone()))?;
        let range = self.parsed.range.get_or_insert(TimeRange { earliest: None, latest: None });
        if field.text == "earliest" {
            range.earliest = Some(spec);
        } else {
            range.latest = Some(spec);
        }
        Ok(Expr::And(Vec::new()))
    }

    fn list(&mut self, field: &Token) -> Result<Expr, Problem> {
        let mut patterns = Vec::new();
        loop {
            let Some(token) = self.peek().cloned() else {
                return Err(Problem::syntax("expected `)` at the end of the list", self.end..self.end));
            };
            self.at += 1;
            match (token.kind, token.text.as_str()) {
                (Kind::Sign, ")") => break,
                (Kind::Sign, ",") => {}
                (Kind::Word | Kind::Quoted, _) => patterns.push(pattern(&value_of(&token))),
                (Kind::Bracket, _) => {
                    return Err(Problem::unsupported("a search in brackets as a value is not built", token.range));
                }
                _ => return Err(Problem::syntax("expected a value of the list", token.range)),
            }
        }
        Ok(Expr::Test { field: FieldPath::flat(&field.text), pattern: Pattern::AnyOf(patterns) })
    }
}

fn value_of(token: &Token) -> String {
    if token.kind == Kind::Quoted { token.text.clone() } else { unescape(&token.text) }
}

fn raw(pattern: Pattern) -> Expr {
    Expr::Test { field: FieldPath::flat("_raw"), pattern }
}

/// A word or phrase looked for in the whole event.
fn phrase(token: &Token) -> Expr {
    let text = value_of(token);
    if text.chars().all(|letter| letter == '*') {
        return Expr::And(Vec::new());
    }
    raw(Pattern::Phrase { text, case: Case::Folded, minor: true })
}

/// What a value of a comparison asks of a field.
fn pattern(text: &str) -> Pattern {
    if !text.is_empty() && text.chars().all(|letter| letter == '*') {
        return Pattern::Present;
    }
    if text.contains('*') {
        return Pattern::Wildcard { glob: text.to_owned(), case: Case::Folded };
    }
    if text.contains('/')
        && let Ok(net) = text.parse()
    {
        return Pattern::Cidr { net, literal: text.to_owned() };
    }
    Pattern::Text { text: text.to_owned(), case: Case::Folded, numeric: true }
}
