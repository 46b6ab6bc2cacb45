//! Expressions of a query, as they are written.

use masthead_ir::expr::{ArithOp, CompareOp};

use super::EsqlProblem;
use super::ast::{Call, Duration, Node, NodeKind};
use super::lexer::TokenKind;
use super::parser::{Parsed, Parser};

/// How deep expressions may nest, and how many operators may follow one another: what is deeper would exhaust the stack
/// somewhere behind.
const MAX_DEPTH: usize = 48;

const RESERVED: &[&str] = &["and", "or", "not", "in", "like", "rlike", "is", "by", "where", "asc", "desc", "nulls"];

impl Parser<'_> {
    /// A whole expression.
    pub(super) fn expression(&mut self) -> Parsed<Node> {
        self.deeper(Self::disjunction)
    }

    fn deeper(&mut self, inner: fn(&mut Self) -> Parsed<Node>) -> Parsed<Node> {
        self.check_depth(self.depth)?;
        self.depth += 1;
        let node = inner(self);
        self.depth -= 1;
        node
    }

    fn check_depth(&self, depth: usize) -> Parsed<()> {
        if depth < MAX_DEPTH {
            return Ok(());
        }
        Err(EsqlProblem::new(
            "esql-syntax",
            self.range(),
            format!("the expression is nested deeper than {MAX_DEPTH} levels"),
        ))
    }

    fn node(&self, start: usize, kind: NodeKind) -> Node {
        Node { kind, range: start..self.end() }
    }

    fn disjunction(&mut self) -> Parsed<Node> {
        self.chain("or", NodeKind::Or, Self::conjunction)
    }

    fn conjunction(&mut self) -> Parsed<Node> {
        self.chain("and", NodeKind::And, Self::negation)
    }

    fn chain(
        &mut self,
        word: &str,
        join: fn(Vec<Node>) -> NodeKind,
        part: fn(&mut Self) -> Parsed<Node>,
    ) -> Parsed<Node> {
        let start = self.range().start;
        let first = part(self)?;
        if !self.is_word(word) {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.take_word(word) {
            parts.push(part(self)?);
        }
        Ok(self.node(start, join(parts)))
    }

    fn negation(&mut self) -> Parsed<Node> {
        let start = self.range().start;
        if self.take_word("not") {
            let inner = self.deeper(Self::negation)?;
            return Ok(self.node(start, NodeKind::Not(Box::new(inner))));
        }
        self.predicate()
    }

    fn predicate(&mut self) -> Parsed<Node> {
        let start = self.range().start;
        let mut left = self.sum()?;
        let mut count = self.depth;
        while let Some(kind) = self.predicate_tail(&left)? {
            count += 1;
            self.check_depth(count)?;
            left = self.node(start, kind);
        }
        Ok(left)
    }

    fn predicate_tail(&mut self, left: &Node) -> Parsed<Option<NodeKind>> {
        let value = || Box::new(left.clone());
        if self.take_word("is") {
            let negated = self.take_word("not");
            if !self.take_word("null") {
                return self.expected("`NULL`");
            }
            let test = NodeKind::IsNull(value());
            return Ok(Some(if negated { self.negated(left, test) } else { test }));
        }
        let negated = self.is_word("not")
            && matches!(self.peek(1), TokenKind::Word(word) if ["in", "like", "rlike"].contains(&&*word.to_ascii_lowercase()));
        if negated {
            self.advance();
        }
        let test = if self.take_word("in") {
            self.expect("(")?;
            let list = self.list(Self::expression)?;
            self.expect(")")?;
            NodeKind::In { value: value(), list }
        } else if self.is_word("like") || self.is_word("rlike") {
            let regex = self.is_word("rlike");
            self.advance();
            NodeKind::Like { value: value(), patterns: self.patterns()?, regex }
        } else {
            return self.comparison(left);
        };
        Ok(Some(if negated { self.negated(left, test) } else { test }))
    }

    fn negated(&self, left: &Node, test: NodeKind) -> NodeKind {
        NodeKind::Not(Box::new(self.node(left.range.start, test)))
    }

    fn patterns(&mut self) -> Parsed<Vec<(String, std::ops::Range<usize>)>> {
        if !self.take("(") {
            return Ok(vec![self.string()?]);
        }
        let patterns = self.list(Self::string)?;
        self.expect(")")?;
        Ok(patterns)
    }

    fn comparison(&mut self, left: &Node) -> Parsed<Option<NodeKind>> {
        let TokenKind::Symbol(symbol) = *self.kind() else { return Ok(None) };
        let op = match symbol {
            "==" => Some(CompareOp::Eq),
            "!=" => Some(CompareOp::Ne),
            "<" => Some(CompareOp::Lt),
            "<=" => Some(CompareOp::Le),
            ">" => Some(CompareOp::Gt),
            ">=" => Some(CompareOp::Ge),
            "=~" | ":" => None,
            "=" => {
                let fault = EsqlProblem::new("esql-syntax", self.range(), "`=` is no comparison");
                return Err(fault.help("write `==`"));
            }
            _ => return Ok(None),
        };
        let name_range = self.range();
        self.advance();
        let right = self.sum()?;
        let left = left.clone();
        Ok(Some(match op {
            Some(op) => NodeKind::Compare { op, left: Box::new(left), right: Box::new(right) },
            None if symbol == ":" => {
                NodeKind::Call(Call { name: "match".to_owned(), name_range, args: vec![left, right], star: false })
            }
            None => NodeKind::SameFolded { left: Box::new(left), right: Box::new(right) },
        }))
    }

    fn sum(&mut self) -> Parsed<Node> {
        self.arithmetic(&[("+", ArithOp::Add), ("-", ArithOp::Sub)], Self::product)
    }

    fn product(&mut self) -> Parsed<Node> {
        self.arithmetic(&[("*", ArithOp::Mul), ("/", ArithOp::Div), ("%", ArithOp::Rem)], Self::unary)
    }

    fn arithmetic(&mut self, ops: &[(&str, ArithOp)], part: fn(&mut Self) -> Parsed<Node>) -> Parsed<Node> {
        let start = self.range().start;
        let mut left = part(self)?;
        let mut count = self.depth;
        while let Some((_, op)) = ops.iter().find(|(symbol, _)| self.is(symbol)) {
            count += 1;
            self.check_depth(count)?;
            self.advance();
            let right = part(self)?;
            left = self.node(start, NodeKind::Arith { op: *op, left: Box::new(left), right: Box::new(right) });
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed<Node> {
        let start = self.range().start;
        if self.take("-") {
            let inner = self.deeper(Self::unary)?;
            return Ok(self.node(start, NodeKind::Negate(Box::new(inner))));
        }
        if self.take("+") {
            return self.deeper(Self::unary);
        }
        let mut value = self.primary()?;
        let mut count = self.depth;
        while self.take("::") {
            count += 1;
            self.check_depth(count)?;
            let Some(target) = self.name_part() else { return self.expected("the name of a type") };
            value = self.node(start, NodeKind::Cast { value: Box::new(value), target: target.to_ascii_lowercase() });
        }
        Ok(value)
    }

    /// A literal, a name, a call, or an expression in brackets.
    pub(super) fn primary(&mut self) -> Parsed<Node> {
        let start = self.range().start;
        let kind = match self.kind().clone() {
            TokenKind::Text(text) => {
                self.advance();
                NodeKind::Text(text)
            }
            TokenKind::Float(float) => {
                self.advance();
                NodeKind::Float(float)
            }
            TokenKind::Int(int) => {
                self.advance();
                self.duration(int).unwrap_or(NodeKind::Int(int))
            }
            TokenKind::Symbol("(") => {
                self.advance();
                let inner = self.expression()?;
                self.expect(")")?;
                return Ok(inner);
            }
            TokenKind::Symbol("[") => {
                self.advance();
                let members = self.list(Self::expression)?;
                self.expect("]")?;
                NodeKind::List(members)
            }
            TokenKind::Word(word) if !RESERVED.contains(&&*word.to_ascii_lowercase()) => self.word(&word)?,
            TokenKind::Quoted(_) => NodeKind::Name(self.name()?),
            _ => return self.expected("an expression"),
        };
        Ok(self.node(start, kind))
    }

    fn duration(&mut self, count: i64) -> Option<NodeKind> {
        let TokenKind::Word(unit) = self.kind() else { return None };
        let duration = Duration::of(count, unit)?;
        self.advance();
        Some(NodeKind::Duration(duration))
    }

    fn word(&mut self, word: &str) -> Parsed<NodeKind> {
        let name_range = self.range();
        let call = matches!(self.peek(1), TokenKind::Symbol("("));
        let keyword = match word.to_ascii_lowercase().as_str() {
            "null" => Some(NodeKind::Null),
            "true" => Some(NodeKind::Bool(true)),
            "false" => Some(NodeKind::Bool(false)),
            _ => None,
        };
        if let Some(keyword) = keyword {
            self.advance();
            return Ok(keyword);
        }
        if !call {
            return Ok(NodeKind::Name(self.name()?));
        }
        self.advance();
        self.advance();
        let star = self.take("*");
        let args = if star || self.is(")") { Vec::new() } else { self.list(Self::expression)? };
        self.expect(")")?;
        Ok(NodeKind::Call(Call { name: word.to_ascii_lowercase(), name_range, args, star }))
    }
}
