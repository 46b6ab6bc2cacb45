//! Expressions to expressions of the pipeline.

use std::ops::Range;

use masthead_ir::eval::regex::CompiledRegex;
use masthead_ir::expr::{ArithOp, CompareOp, Expr, Func};
use masthead_ir::{FieldPath, Value};

use super::EsqlProblem;
use super::ast::{Duration, Node, NodeKind};
use super::parser::Parsed;
use super::pattern::{lucene, wildcard_regex};
use super::pieces::{NULL, any, arith, call, column, compare, int, not, number, text, truth};
use super::stages::{Compiler, Place};
use super::time::{moment, moved};
use super::typed::{Mode, Type, Typed};

impl Compiler<'_> {
    /// An expression without what is known of it; a length of time is its seconds.
    pub(super) fn plain(&mut self, node: &Node, mode: Mode) -> Parsed<Expr> {
        self.typed(node, mode).map(|typed| typed.expr)
    }

    /// Compiles an expression.
    pub(super) fn typed(&mut self, node: &Node, mode: Mode) -> Parsed<Typed> {
        let parts = |this: &mut Self, nodes: &[Node]| {
            nodes.iter().map(|node| this.plain(node, mode)).collect::<Parsed<Vec<_>>>()
        };
        Ok(Typed::any(match &node.kind {
            NodeKind::Null => NULL,
            NodeKind::Bool(value) => truth(*value),
            NodeKind::Int(value) => int(*value),
            NodeKind::Float(value) => Expr::Literal(Value::Float(*value)),
            NodeKind::Text(value) => text(value),
            NodeKind::Duration(duration) => return Ok(span(*duration)),
            NodeKind::List(nodes) => call(Func::MvAppend, parts(self, nodes)?),
            NodeKind::Name(name) => return self.named(name, &node.range, mode),
            NodeKind::Call(inner) => return self.function(inner, &node.range, mode),
            NodeKind::Negate(inner) => match self.typed(inner, mode)? {
                Typed { ty: Type::Span(duration), .. } => return Ok(span(duration.negated())),
                typed => arith(ArithOp::Sub, int(0), typed.expr),
            },
            NodeKind::Arith { op, left, right } => return self.arithmetic(*op, left, right, mode),
            NodeKind::Compare { op, left, right } => {
                let (left, right) = self.sides(left, right, mode)?;
                compare(*op, left, right)
            }
            NodeKind::SameFolded { left, right } => {
                let lower = |expr| call(Func::Lower, [expr]);
                compare(CompareOp::Eq, lower(self.plain(left, mode)?), lower(self.plain(right, mode)?))
            }
            NodeKind::In { value, list } => {
                let value = self.typed(value, mode)?;
                let mut args = vec![value.expr.clone()];
                for member in list {
                    args.push(self.beside(&value, member, mode)?);
                }
                call(Func::In, args)
            }
            NodeKind::Like { value, patterns, regex } => {
                let value = self.plain(value, mode)?;
                self.like(&value, patterns, *regex)?
            }
            NodeKind::IsNull(inner) => call(Func::IsNull, [self.plain(inner, mode)?]),
            NodeKind::Not(inner) => match &inner.kind {
                NodeKind::IsNull(inner) => call(Func::IsNotNull, [self.plain(inner, mode)?]),
                _ => not(self.plain(inner, mode)?),
            },
            NodeKind::And(nodes) => Expr::And(parts(self, nodes)?),
            NodeKind::Or(nodes) => Expr::Or(parts(self, nodes)?),
            NodeKind::Cast { value, target } => return self.cast(value, target, &node.range, mode),
        }))
    }

    fn named(&mut self, name: &str, range: &Range<usize>, mode: Mode) -> Parsed<Typed> {
        if mode == Mode::Group {
            return self.grouped(name, range);
        }
        match self.place(name) {
            Place::Column { column: name, date } => Ok(Typed::date_if(column(name), date)),
            Place::Event(path) if mode == Mode::Event => {
                self.read(name, &path);
                let date = path == FieldPath::flat("_time");
                Ok(Typed::date_if(Expr::Field(path), date))
            }
            Place::Event(_) => {
                self.materialised(name, range).map(|known| Typed::date_if(column(known.column), known.date))
            }
            Place::Constant(value) => Ok(Typed::any(text(value))),
            Place::Absent => Ok(Typed::any(NULL)),
            Place::Unknown => Err(self.unknown_column(name, range)),
        }
    }

    fn arithmetic(&mut self, op: ArithOp, left: &Node, right: &Node, mode: Mode) -> Parsed<Typed> {
        let (left, right) = (self.typed(left, mode)?, self.typed(right, mode)?);
        Ok(match (left.ty, op, right.ty) {
            (Type::Date, ArithOp::Add, Type::Span(by)) => Typed::date(moved(left.expr, by)),
            (Type::Date, ArithOp::Sub, Type::Span(by)) => Typed::date(moved(left.expr, by.negated())),
            (Type::Span(by), ArithOp::Add, Type::Date) => Typed::date(moved(right.expr, by)),
            _ => Typed::any(arith(op, left.expr, right.expr)),
        })
    }

    /// Both sides of a comparison; text beside a time is a moment.
    fn sides(&mut self, left: &Node, right: &Node, mode: Mode) -> Parsed<(Expr, Expr)> {
        if matches!(left.kind, NodeKind::Text(_)) {
            let right = self.typed(right, mode)?;
            return Ok((self.beside(&right, left, mode)?, right.expr));
        }
        let left = self.typed(left, mode)?;
        let right = self.beside(&left, right, mode)?;
        Ok((left.expr, right))
    }

    fn beside(&mut self, other: &Typed, node: &Node, mode: Mode) -> Parsed<Expr> {
        match &node.kind {
            NodeKind::Text(written) if other.is_date() => date_literal(written, &node.range),
            _ => self.plain(node, mode),
        }
    }

    fn like(&self, value: &Expr, patterns: &[(String, Range<usize>)], regex: bool) -> Parsed<Expr> {
        let mut tests = Vec::new();
        for (pattern, range) in patterns {
            let expression = if regex { lucene(pattern) } else { wildcard_regex(pattern) };
            self.check_regex(&expression, range)?;
            tests.push(call(Func::Match, [value.clone(), text(expression)]));
        }
        Ok(any(tests))
    }

    /// Whether a regular expression can be compiled.
    pub(super) fn check_regex(&self, expression: &str, range: &Range<usize>) -> Parsed<()> {
        match CompiledRegex::new(expression) {
            Ok(_) => Ok(()),
            Err(error) => Err(EsqlProblem::new("esql-pattern", range.clone(), error.to_string())),
        }
    }

    fn cast(&mut self, value: &Node, target: &str, range: &Range<usize>, mode: Mode) -> Parsed<Typed> {
        let typed = match (&value.kind, target) {
            (NodeKind::Text(written), "datetime" | "date") => Typed::date(date_literal(written, &value.range)?),
            (NodeKind::Text(written), "time_duration" | "date_period") => match Duration::parse(written) {
                Some(duration) => span(duration),
                None => return Err(fault(&value.range, format!("`{written}` is no length of time"))),
            },
            _ => self.typed(value, mode)?,
        };
        let function = match target {
            "datetime" | "date" | "time_duration" | "date_period" | "ip" | "version" => return Ok(typed),
            "string" | "keyword" | "text" => "to_string",
            "int" | "integer" | "long" | "unsigned_long" => "to_long",
            "double" => "to_double",
            "bool" | "boolean" => "to_boolean",
            _ => return Err(EsqlProblem::unsupported(range.clone(), &format!("the type `{target}`"))),
        };
        super::functions::convert(function, typed)
            .ok_or_else(|| fault(range, format!("no value can be cast to `{target}`")))
    }
}

pub(super) fn fault(range: &Range<usize>, message: impl Into<String>) -> EsqlProblem {
    EsqlProblem::new("esql-arguments", range.clone(), message)
}

/// A moment that is written as text.
pub(super) fn date_literal(written: &str, range: &Range<usize>) -> Parsed<Expr> {
    match moment(written) {
        Some(value) => Ok(Expr::Literal(value)),
        None => Err(fault(range, format!("`{written}` is no moment")).help("write it as `2025-01-31T12:00:00Z`")),
    }
}

pub(super) fn span(duration: Duration) -> Typed {
    let expr = match duration {
        Duration::Seconds(seconds) => number(seconds),
        Duration::Months(_) => NULL,
    };
    Typed { expr, ty: Type::Span(duration) }
}
