//! From words to queries.

use std::ops::Range;

use masthead_ir::Expr;
use masthead_ir::pattern::{Case, Pattern};

use super::lex::{Placed, Token};
use super::lower::{self, Ast};
use super::{CODE, Eql, Sequence};
use crate::ecs;
use crate::problem::Problem;

const MAX_DEPTH: usize = 48;
/// How often one step may be asked for.
const MAX_RUNS: usize = 100;

pub(super) struct Parser {
    tokens: Vec<Placed>,
    at: usize,
    end: usize,
}

impl Parser {
    pub(super) fn new(tokens: Vec<Placed>, end: usize) -> Parser {
        Parser { tokens, at: 0, end }
    }

    pub(super) fn query(mut self) -> Result<Eql, Problem> {
        let query = if self.word("sequence") {
            Eql::Sequence(self.sequence(true)?)
        } else if self.word("sample") {
            Eql::Sequence(self.sequence(false)?)
        } else {
            Eql::Event(self.event()?)
        };
        if self.sign("|") {
            let place = self.range();
            return Err(Problem::unsupported(CODE, "what follows a `|` (head, tail, …) cannot be run here", place));
        }
        match self.tokens.get(self.at) {
            None => Ok(query),
            Some((_, range)) => Err(Problem::invalid(CODE, "this does not go on with the query", range.clone())),
        }
    }

    fn range(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.end..self.end, |(_, range)| range.clone())
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(name, false)) if name.eq_ignore_ascii_case(word))
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(own)) if *own == sign);
        self.at += usize::from(found);
        found
    }

    fn wanted(&mut self, sign: &str) -> Result<(), Problem> {
        let place = self.range();
        if self.sign(sign) { Ok(()) } else { Err(Problem::invalid(CODE, format!("`{sign}` is missing here"), place)) }
    }

    /// `any where …`, `process where …`.
    fn event(&mut self) -> Result<Expr, Problem> {
        let place = self.range();
        let category = match self.tokens.get(self.at).map(|(token, _)| token.clone()) {
            Some(Token::Name(name, _)) => name,
            Some(Token::Text(text)) => text,
            _ => return Err(Problem::invalid(CODE, "a query begins with an event category and `where`", place)),
        };
        self.at += 1;
        if !self.word("where") {
            return Err(Problem::invalid(CODE, "`where` is missing here", self.range()));
        }
        let condition = lower::condition(self.or(0)?)?;
        if category.eq_ignore_ascii_case("any") {
            return Ok(condition);
        }
        let category = Pattern::Text { text: category, case: Case::Sensitive, numeric: true };
        Ok(Expr::And(vec![ecs::test("event.category", category), condition]))
    }

    fn names(&mut self) -> Result<Vec<String>, Problem> {
        let mut names = Vec::new();
        loop {
            let optional = self.sign("?");
            let place = self.range();
            match self.tokens.get(self.at).map(|(token, _)| token.clone()) {
                Some(Token::Name(name, _)) => names.push(name),
                _ if optional => return Err(Problem::invalid(CODE, "a field is missing here", place)),
                _ => return Err(Problem::invalid(CODE, "fields to join events by are missing here", place)),
            }
            self.at += 1;
            if !self.sign(",") {
                return Ok(names);
            }
        }
    }

    fn sequence(&mut self, ordered: bool) -> Result<Sequence, Problem> {
        let (mut by, mut maxspan) = (Vec::new(), None);
        loop {
            if self.word("by") {
                by = self.names()?;
            } else if self.word("with") {
                maxspan = Some(self.maxspan()?);
            } else {
                break;
            }
        }
        let mut sequence = Sequence { steps: Vec::new(), maxspan, until: None, ordered };
        while matches!(self.peek(), Some(Token::Sign("[" | "!"))) {
            let place = self.range();
            if self.sign("!") {
                return Err(Problem::unsupported(CODE, "events that must be missing cannot be looked for here", place));
            }
            let (step, more) = self.step()?;
            let fields = by.iter().cloned().chain(more).collect::<Vec<_>>();
            let mut runs = 1;
            if self.word("with") {
                runs = self.runs()?;
            }
            let steps = std::iter::repeat_n((step, fields), runs);
            sequence.steps.extend(steps);
        }
        if self.word("until") {
            sequence.until = Some(self.step()?.0);
        }
        if sequence.steps.len() < 2 {
            return Err(Problem::invalid(CODE, "a sequence has at least two events", self.range()));
        }
        let width = sequence.steps[0].1.len();
        if sequence.steps.iter().any(|(_, fields)| fields.len() != width) {
            return Err(Problem::invalid(CODE, "all events must be joined by equally many fields", 0..self.end.min(8)));
        }
        Ok(sequence)
    }

    fn step(&mut self) -> Result<(Expr, Vec<String>), Problem> {
        self.wanted("[")?;
        let condition = self.event()?;
        self.wanted("]")?;
        let by = if self.word("by") { self.names()? } else { Vec::new() };
        Ok((condition, by))
    }

    fn setting(&mut self, name: &str) -> Result<String, Problem> {
        let place = self.range();
        if !self.word(name) || !self.sign("=") {
            return Err(Problem::invalid(CODE, format!("`{name}=` is missing here"), place));
        }
        let place = self.range();
        match self.tokens.get(self.at).map(|(token, _)| token.clone()) {
            Some(Token::Number(number)) => {
                self.at += 1;
                // The unit may stand apart.
                if let Some(Token::Name(unit, false)) = self.peek().cloned()
                    && number.bytes().all(|b| b.is_ascii_digit())
                    && crate::span::parse(&format!("1{unit}")).is_some()
                {
                    self.at += 1;
                    return Ok(format!("{number}{unit}"));
                }
                Ok(number)
            }
            _ => Err(Problem::invalid(CODE, "a number is missing here", place)),
        }
    }

    fn maxspan(&mut self) -> Result<i64, Problem> {
        let place = self.range();
        let told = self.setting("maxspan")?;
        crate::span::parse(&told).ok_or_else(|| {
            Problem::invalid(CODE, format!("`{told}` is no time span"), place).help("write 30s, 5m, 1h or 2d")
        })
    }

    fn runs(&mut self) -> Result<usize, Problem> {
        let place = self.range();
        let told = self.setting("runs")?;
        told.parse()
            .ok()
            .filter(|runs| (1..=MAX_RUNS).contains(runs))
            .ok_or_else(|| Problem::invalid(CODE, format!("`runs` is a number from 1 to {MAX_RUNS}"), place))
    }

    fn or(&mut self, depth: usize) -> Result<Ast, Problem> {
        let mut parts = vec![self.and(depth)?];
        while self.word("or") {
            parts.push(self.and(depth)?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Ast::Or(parts) })
    }

    fn and(&mut self, depth: usize) -> Result<Ast, Problem> {
        let mut parts = vec![self.not(depth)?];
        while self.word("and") {
            parts.push(self.not(depth)?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Ast::And(parts) })
    }

    fn not(&mut self, depth: usize) -> Result<Ast, Problem> {
        if depth > MAX_DEPTH {
            return Err(Problem::invalid(CODE, "the query is nested too deep", self.range()));
        }
        if self.word("not") {
            return Ok(Ast::Not(Box::new(self.not(depth + 1)?)));
        }
        self.comparison(depth)
    }

    fn comparison(&mut self, depth: usize) -> Result<Ast, Problem> {
        let place = self.range();
        let left = self.sum(depth)?;
        let negated = self.word("not");
        for word in ["in", "like", "regex"] {
            if self.word(word) {
                let folded = self.sign("~");
                let values = self.list(depth)?;
                let of = Ast::Of { left: Box::new(left), word, folded, values, place };
                return Ok(if negated { Ast::Not(Box::new(of)) } else { of });
            }
        }
        if negated {
            return Err(Problem::invalid(CODE, "`in`, `like` or `regex` is missing here", self.range()));
        }
        if self.sign(":") {
            let values = self.list(depth)?;
            return Ok(Ast::Of { left: Box::new(left), word: ":", folded: true, values, place });
        }
        for sign in ["==", "!=", "<=", ">=", "<", ">", "="] {
            if self.sign(sign) {
                let right = self.sum(depth)?;
                return Ok(Ast::Compare { sign, left: Box::new(left), right: Box::new(right) });
            }
        }
        Ok(left)
    }

    /// One value, or several in brackets.
    fn list(&mut self, depth: usize) -> Result<Vec<Ast>, Problem> {
        if !self.sign("(") {
            return Ok(vec![self.sum(depth)?]);
        }
        let mut values = vec![self.sum(depth)?];
        while self.sign(",") {
            values.push(self.sum(depth)?);
        }
        self.wanted(")")?;
        Ok(values)
    }

    fn sum(&mut self, depth: usize) -> Result<Ast, Problem> {
        let mut left = self.product(depth)?;
        loop {
            let sign = if self.sign("+") {
                "+"
            } else if self.sign("-") {
                "-"
            } else {
                return Ok(left);
            };
            left = Ast::Arith { sign, left: Box::new(left), right: Box::new(self.product(depth)?) };
        }
    }

    fn product(&mut self, depth: usize) -> Result<Ast, Problem> {
        let mut left = self.primary(depth)?;
        loop {
            let sign = ["*", "/", "%"].into_iter().find(|sign| self.sign(sign));
            let Some(sign) = sign else { return Ok(left) };
            left = Ast::Arith { sign, left: Box::new(left), right: Box::new(self.primary(depth)?) };
        }
    }

    fn primary(&mut self, depth: usize) -> Result<Ast, Problem> {
        let place = self.range();
        if self.sign("(") {
            let inner = self.or(depth + 1)?;
            self.wanted(")")?;
            return Ok(inner);
        }
        if self.sign("?") {
            return self.primary(depth);
        }
        let minus = self.sign("-");
        let token = self.tokens.get(self.at).map(|(token, _)| token.clone());
        self.at += 1;
        match token {
            Some(Token::Number(number)) => Ok(Ast::Number(if minus { format!("-{number}") } else { number })),
            Some(Token::Text(text)) => Ok(Ast::Text(text)),
            Some(Token::Name(name, false)) if self.is_call() => self.call(name, place, depth),
            Some(Token::Name(name, quoted)) => Ok(match name.to_ascii_lowercase().as_str() {
                "null" if !quoted => Ast::Null,
                "true" if !quoted => Ast::Bool(true),
                "false" if !quoted => Ast::Bool(false),
                _ => Ast::Field(self.slashed(name, quoted)),
            }),
            _ => Err(Problem::invalid(CODE, "a field or value is missing here", place)),
        }
    }

    /// Names of annotations hold a slash, which without backquotes reads as a division: it is put together again where the
    /// parts touch.
    fn slashed(&mut self, mut name: String, quoted: bool) -> String {
        while !quoted
            && let Some([(_, before), (Token::Sign("/"), slash), (Token::Name(more, false), after)]) =
                self.tokens.get(self.at - 1..self.at + 2)
            && before.end == slash.start
            && slash.end == after.start
        {
            name = format!("{name}/{more}");
            self.at += 2;
        }
        name
    }

    fn is_call(&self) -> bool {
        let next = self.tokens.get(self.at..);
        matches!(next, Some([(Token::Sign("("), _), ..] | [(Token::Sign("~"), _), (Token::Sign("("), _), ..]))
    }

    fn call(&mut self, name: String, place: Range<usize>, depth: usize) -> Result<Ast, Problem> {
        let folded = self.sign("~");
        self.wanted("(")?;
        let mut args = Vec::new();
        if !self.sign(")") {
            args.push(self.or(depth + 1)?);
            while self.sign(",") {
                args.push(self.or(depth + 1)?);
            }
            self.wanted(")")?;
        }
        Ok(Ast::Call { name, folded, args, place })
    }
}
