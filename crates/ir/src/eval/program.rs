//! Expressions compiled for many rows.

use ipnet::IpNet;

use super::call;
use super::glob::Like;
use super::number;
use super::operate::{arithmetic, compare};
use super::pattern::{CompiledPattern, PatternError};
use super::regex::CompiledRegex;
use super::{Context, Row, Truth, logic, truth_of};
use crate::expr::{ArithOp, CompareOp, Expr, FieldPath, Func};
use crate::pattern::Differs;
use crate::time::TimeSpec;
use crate::value::Value;

/// How deep expressions may nest.
pub const MAX_DEPTH: usize = 128;

/// Why an expression cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExprError {
    /// It is nested too deep.
    #[error("the expression is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A literal pattern is faulty.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A function was given too few or too many arguments.
    #[error("`{func:?}` takes {expected} arguments, not {given}")]
    Arity {
        /// The function.
        func: Func,
        /// How many it takes, in words.
        expected: String,
        /// How many it was given.
        given: usize,
    },
    /// A function that gives something else each time, which would make results depend on when they are computed.
    #[error("`{0:?}` is not deterministic")]
    NotDeterministic(Func),
    /// A function that cannot be run here.
    #[error("`{func:?}` is not supported: {reason}")]
    Unsupported {
        /// The function.
        func: Func,
        /// Why not.
        reason: &'static str,
    },
    /// A function over the values of one field whose expression names none or several.
    #[error("`{0:?}` needs an expression over exactly one field")]
    OneField(Func),
    /// A literal argument that the function cannot take.
    #[error("`{func:?}` cannot take {argument}")]
    Argument {
        /// The function.
        func: Func,
        /// The argument, and what is wrong with it.
        argument: String,
    },
}

/// A compiled expression.
#[derive(Debug, Clone)]
pub struct Program {
    root: Node,
}

/// A compiled part of an expression.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Literal(Value),
    Field(FieldPath),
    Test { field: FieldPath, pattern: CompiledPattern },
    Differs { field: FieldPath, pattern: CompiledPattern, rule: Differs },
    And(Vec<Node>),
    Or(Vec<Node>),
    Xor(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Compare { op: CompareOp, left: Box<Node>, right: Box<Node> },
    Arith { op: ArithOp, left: Box<Node>, right: Box<Node> },
    Call { func: Func, args: Vec<Node>, prepared: Prepared },
}

/// What a call has made of its literal arguments.
#[derive(Debug, Clone)]
pub(super) enum Prepared {
    Nothing,
    Regex(CompiledRegex),
    Like(Like),
    Network(IpNet),
    Time(TimeSpec),
    /// The field that stands for one member of a list.
    Member(FieldPath),
}

impl Program {
    /// Compiles an expression, with every pattern and every literal regular expression in it.
    ///
    /// # Errors
    /// If it is nested too deep, a pattern is faulty, or a function is given arguments that it cannot take or cannot be
    /// run here.
    pub fn compile(expr: &Expr) -> Result<Program, ExprError> {
        Ok(Program { root: node(expr, 0)? })
    }

    /// The value for a row.
    pub fn value(&self, row: &dyn Row, context: &Context) -> Value {
        self.root.value(row, context)
    }

    /// The truth for a row: that of logic and tests itself, that of any other value as [`truth_of`] says.
    pub fn truth(&self, row: &dyn Row, context: &Context) -> Truth {
        self.root.truth(row, context)
    }
}

fn node(expr: &Expr, depth: usize) -> Result<Node, ExprError> {
    if depth >= MAX_DEPTH {
        return Err(ExprError::TooDeep);
    }
    let part = |expr: &Expr| node(expr, depth + 1).map(Box::new);
    let parts = |exprs: &[Expr]| exprs.iter().map(|e| node(e, depth + 1)).collect::<Result<Vec<_>, _>>();
    Ok(match expr {
        Expr::Literal(value) => Node::Literal(value.clone()),
        Expr::Field(field) => Node::Field(field.clone()),
        Expr::Test { field, pattern } => Node::Test { field: field.clone(), pattern: CompiledPattern::new(pattern)? },
        Expr::Differs { field, pattern, rule } => {
            Node::Differs { field: field.clone(), pattern: CompiledPattern::new(pattern)?, rule: *rule }
        }
        Expr::And(exprs) => Node::And(parts(exprs)?),
        Expr::Or(exprs) => Node::Or(parts(exprs)?),
        Expr::Xor(left, right) => Node::Xor(part(left)?, part(right)?),
        Expr::Not(inner) => Node::Not(part(inner)?),
        Expr::Compare { op, left, right } => Node::Compare { op: *op, left: part(left)?, right: part(right)? },
        Expr::Arith { op, left, right } => Node::Arith { op: *op, left: part(left)?, right: part(right)? },
        Expr::Call { func, args } => {
            Node::Call { func: *func, prepared: call::prepare(*func, args)?, args: parts(args)? }
        }
    })
}

impl Node {
    /// The value for a row.
    pub(super) fn value(&self, row: &dyn Row, context: &Context) -> Value {
        match self {
            Node::Literal(value) => value.clone(),
            Node::Field(field) => row.get(field),
            Node::Arith { op, left, right } => {
                let left = left.value(row, context);
                if left.is_absent() {
                    return Value::Absent;
                }
                arithmetic(*op, &left, &right.value(row, context))
            }
            Node::Call { func, args, prepared } => call::call(*func, args, prepared, row, context),
            _ => self.truth(row, context).map_or(Value::Absent, Value::Bool),
        }
    }

    /// The truth for a row.
    pub(super) fn truth(&self, row: &dyn Row, context: &Context) -> Truth {
        match self {
            Node::Test { field, pattern } => Some(pattern.matches(&row.get(field))),
            Node::Differs { field, pattern, rule } => Some(differs(&row.get(field), pattern, *rule)),
            Node::And(nodes) => logic::all(nodes.iter().map(|n| n.truth(row, context))),
            Node::Or(nodes) => logic::any(nodes.iter().map(|n| n.truth(row, context))),
            Node::Xor(left, right) => Some(left.truth(row, context)? ^ right.truth(row, context)?),
            Node::Not(inner) => inner.truth(row, context).map(|truth| !truth),
            Node::Compare { op, left, right } => compare(*op, &left.value(row, context), &right.value(row, context)),
            Node::Literal(value) => truth_of(value),
            Node::Field(_) | Node::Arith { .. } | Node::Call { .. } => truth_of(&self.value(row, context)),
        }
    }

    /// The text for a row; none for null and for lists.
    pub(super) fn text(&self, row: &dyn Row, context: &Context) -> Option<String> {
        number::text(&self.value(row, context)).map(std::borrow::Cow::into_owned)
    }
}

/// Whether a value differs from a pattern, as [`Expr::Differs`] says.
pub(super) fn differs(value: &Value, pattern: &CompiledPattern, rule: Differs) -> bool {
    let members = value.members();
    match rule {
        Differs::SomeValue => members.iter().any(|member| !pattern.matches_single(member)),
        Differs::EveryValue => !members.is_empty() && members.iter().all(|member| !pattern.matches_single(member)),
    }
}
