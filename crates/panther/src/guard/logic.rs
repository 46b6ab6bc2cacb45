//! Two-valued conditions over an event, and pairs of them that enclose what is not known for certain.

use std::sync::Arc;

use masthead_ir::expr::{Expr, FieldPath};
use masthead_ir::pattern::Pattern;
use masthead_ir::value::Value;

/// Conditions with more nodes than this are given up: they would cost more than they spare.
const MAX_NODES: usize = 1_500;

/// The condition that always holds.
pub(super) fn yes() -> Expr {
    Expr::Literal(Value::Bool(true))
}

/// The condition that never holds.
pub(super) fn no() -> Expr {
    Expr::Literal(Value::Bool(false))
}

/// Whether this always holds.
pub(super) fn is_yes(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(Value::Bool(true)))
}

/// Whether this never holds.
pub(super) fn is_no(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(Value::Bool(false)))
}

/// All of them.
pub(super) fn all(parts: impl IntoIterator<Item = Expr>) -> Expr {
    let mut kept: Vec<Expr> = Vec::new();
    for part in parts {
        match part {
            part if is_no(&part) => return no(),
            part if is_yes(&part) => {}
            Expr::And(inner) => inner.into_iter().for_each(|part| keep(&mut kept, part)),
            part => keep(&mut kept, part),
        }
    }
    match kept.len() {
        0 => yes(),
        1 => kept.swap_remove(0),
        _ => Expr::And(kept),
    }
}

/// Any of them.
pub(super) fn any(parts: impl IntoIterator<Item = Expr>) -> Expr {
    let mut kept: Vec<Expr> = Vec::new();
    for part in parts {
        match part {
            part if is_yes(&part) => return yes(),
            part if is_no(&part) => {}
            Expr::Or(inner) => inner.into_iter().for_each(|part| keep(&mut kept, part)),
            part => keep(&mut kept, part),
        }
    }
    match kept.len() {
        0 => no(),
        1 => kept.swap_remove(0),
        _ => Expr::Or(kept),
    }
}

fn keep(kept: &mut Vec<Expr>, part: Expr) {
    if !kept.contains(&part) {
        kept.push(part);
    }
}

/// The opposite.
pub(super) fn not(expr: Expr) -> Expr {
    match expr {
        Expr::Not(inner) => *inner,
        expr if is_yes(&expr) => no(),
        expr if is_no(&expr) => yes(),
        expr => Expr::Not(Box::new(expr)),
    }
}

/// Whether a value stands under the keys.
pub(super) fn present(keys: &[Arc<str>]) -> Expr {
    test(keys, Pattern::Present)
}

/// Whether a value that stands under the keys passes.
pub(super) fn test(keys: &[Arc<str>], pattern: Pattern) -> Expr {
    Expr::Test { field: FieldPath::Keys(keys.iter().cloned().collect()), pattern }
}

fn nodes(expr: &Expr) -> usize {
    match expr {
        Expr::And(parts) | Expr::Or(parts) => 1 + parts.iter().map(nodes).sum::<usize>(),
        Expr::Not(inner) => 1 + nodes(inner),
        _ => 1,
    }
}

/// What is known of a condition of the program: it can only hold where `may` does, and holds wherever `must` does.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cond {
    /// It holds at most here.
    pub(super) may: Expr,
    /// It holds at least here.
    pub(super) must: Expr,
}

impl Cond {
    /// One that is known.
    pub(super) fn exact(expr: Expr) -> Cond {
        Cond { may: expr.clone(), must: expr }
    }

    /// One of which nothing is known.
    pub(super) fn unknown() -> Cond {
        Cond { may: yes(), must: no() }
    }

    /// A constant.
    pub(super) fn constant(holds: bool) -> Cond {
        Cond::exact(if holds { yes() } else { no() })
    }

    /// One that can hold only where this does.
    pub(super) fn at_most(may: Expr) -> Cond {
        Cond { may, must: no() }
    }

    /// Both.
    pub(super) fn and(&self, other: &Cond) -> Cond {
        Cond {
            may: all([self.may.clone(), other.may.clone()]),
            must: all([self.must.clone(), other.must.clone()]),
        }
        .bounded()
    }

    /// One of them, or both.
    pub(super) fn or(&self, other: &Cond) -> Cond {
        Cond {
            may: any([self.may.clone(), other.may.clone()]),
            must: any([self.must.clone(), other.must.clone()]),
        }
        .bounded()
    }

    /// The opposite.
    pub(super) fn not(&self) -> Cond {
        Cond { may: not(self.must.clone()), must: not(self.may.clone()) }
    }

    /// Whether it certainly never holds.
    pub(super) fn never(&self) -> bool {
        is_no(&self.may)
    }

    fn bounded(self) -> Cond {
        Cond {
            may: if nodes(&self.may) > MAX_NODES { yes() } else { self.may },
            must: if nodes(&self.must) > MAX_NODES { no() } else { self.must },
        }
    }
}
