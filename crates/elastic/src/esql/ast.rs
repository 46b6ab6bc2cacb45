//! The parts of a query as they are written.

use std::ops::Range;

use masthead_ir::expr::{ArithOp, CompareOp};

/// An expression and its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    pub(super) range: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum NodeKind {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Duration(Duration),
    List(Vec<Node>),
    Name(String),
    Call(Call),
    Negate(Box<Node>),
    Arith {
        op: ArithOp,
        left: Box<Node>,
        right: Box<Node>,
    },
    Compare {
        op: CompareOp,
        left: Box<Node>,
        right: Box<Node>,
    },
    /// `=~`: equal but for case.
    SameFolded {
        left: Box<Node>,
        right: Box<Node>,
    },
    In {
        value: Box<Node>,
        list: Vec<Node>,
    },
    /// `LIKE` and `RLIKE` with any of these patterns.
    Like {
        value: Box<Node>,
        patterns: Vec<(String, Range<usize>)>,
        regex: bool,
    },
    IsNull(Box<Node>),
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Cast {
        value: Box<Node>,
        target: String,
    },
}

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Duration {
    Seconds(f64),
    Months(i64),
}

/// A call of a function; its name in lower case.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) name_range: Range<usize>,
    pub(super) args: Vec<Node>,
    /// Whether the argument is a lone `*`.
    pub(super) star: bool,
}

impl Node {
    /// The nodes directly inside.
    pub(super) fn parts(&self) -> Vec<&Node> {
        match &self.kind {
            NodeKind::List(nodes) | NodeKind::And(nodes) | NodeKind::Or(nodes) => nodes.iter().collect(),
            NodeKind::Call(call) => call.args.iter().collect(),
            NodeKind::Negate(node) | NodeKind::IsNull(node) | NodeKind::Not(node) => vec![node],
            NodeKind::Like { value, .. } | NodeKind::Cast { value, .. } => vec![value],
            NodeKind::Arith { left, right, .. }
            | NodeKind::Compare { left, right, .. }
            | NodeKind::SameFolded { left, right } => vec![left, right],
            NodeKind::In { value, list } => std::iter::once(&**value).chain(list).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether this or a node inside is such a one.
    pub(super) fn any(&self, test: &mut dyn FnMut(&Node) -> bool) -> bool {
        test(self) || self.parts().into_iter().any(|part| part.any(test))
    }

    /// The text of a literal: numbers in decimal.
    pub(super) fn literal(&self) -> Option<String> {
        match &self.kind {
            NodeKind::Bool(truth) => Some(truth.to_string()),
            NodeKind::Int(int) => Some(int.to_string()),
            NodeKind::Float(float) => Some(float.to_string()),
            NodeKind::Text(text) => Some(text.clone()),
            NodeKind::Negate(inner) => match inner.kind {
                NodeKind::Int(int) => Some(int.wrapping_neg().to_string()),
                NodeKind::Float(float) => Some((-float).to_string()),
                _ => None,
            },
            _ => None,
        }
    }
}

/// A command and its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Command {
    pub(super) kind: CommandKind,
    pub(super) range: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum CommandKind {
    From,
    Where(Node),
    Eval(Vec<Named>),
    Stats {
        aggregates: Vec<StatsItem>,
        by: Vec<Named>,
    },
    Keep(Vec<NamePattern>),
    Drop(Vec<NamePattern>),
    /// Old name, new name.
    Rename(Vec<(NamePattern, String)>),
    /// By what, and whether descending.
    Sort(Vec<(Node, bool)>),
    Limit(u64),
    MvExpand(Node),
    Grok {
        field: Node,
        pattern: String,
        pattern_range: Range<usize>,
    },
    Dissect {
        field: Node,
        pattern: String,
        pattern_range: Range<usize>,
        separator: String,
    },
}

/// A computed column: the name that the query gives, or the text of the expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) node: Node,
}

/// An aggregate with its filter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StatsItem {
    pub(super) name: String,
    pub(super) node: Node,
    pub(super) filter: Option<Node>,
}

/// A name, or a pattern of names with `*`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NamePattern {
    pub(super) text: String,
    pub(super) star: bool,
    pub(super) range: Range<usize>,
}
