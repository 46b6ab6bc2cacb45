//! Two-valued conditions over an event, and pairs of them that enclose what is not known for certain.

use std::sync::Arc;

use masthead_ir::expr::{Expr, FieldPath};
use masthead_ir::pattern::Pattern;
use masthead_ir::value::Value;

/// Conditions with more nodes than this are given up: they would cost more than they spare.
const MAX_NODES: usize = 1_500;
/// The same for how deep they nest.
const MAX_DEPTH: usize = 40;

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
    join(parts.into_iter().collect(), Junction::All)
}

/// Any of them.
pub(super) fn any(parts: impl IntoIterator<Item = Expr>) -> Expr {
    join(parts.into_iter().collect(), Junction::Any)
}

/// The two ways to join conditions. Each is the other's mirror image.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Junction {
    All,
    Any,
}

impl Junction {
    fn other(self) -> Junction {
        if self == Junction::All { Junction::Any } else { Junction::All }
    }

    /// The part that changes nothing.
    fn idle(self) -> Expr {
        if self == Junction::All { yes() } else { no() }
    }

    /// The members, if a condition is joined this way.
    fn members(self, expr: &Expr) -> Option<&[Expr]> {
        match (self, expr) {
            (Junction::All, Expr::And(parts)) | (Junction::Any, Expr::Or(parts)) => Some(parts),
            _ => None,
        }
    }

    fn of(self, mut parts: Vec<Expr>) -> Expr {
        match parts.len() {
            0 => self.idle(),
            1 => parts.swap_remove(0),
            _ if self == Junction::All => Expr::And(parts),
            _ => Expr::Or(parts),
        }
    }
}

/// Conditions joined, and what is idle among them left out.
fn join(parts: Vec<Expr>, way: Junction) -> Expr {
    let Some(kept) = flat(parts, way) else { return way.other().idle() };
    let mut simplified = Vec::new();
    for (at, part) in kept.iter().enumerate() {
        let Some(inner) = way.other().members(part) else {
            if !(way == Junction::All && implied(part, &kept)) {
                simplified.push(part.clone());
            }
            continue;
        };
        if inner.iter().any(|member| kept.contains(member)) || absorbed(inner, &kept, at, way) {
            continue;
        }
        // What another part decides against need not be asked here.
        let open: Vec<Expr> = inner.iter().filter(|member| !kept.contains(&not((*member).clone()))).cloned().collect();
        simplified.push(if open.len() == inner.len() { part.clone() } else { way.other().of(open) });
    }
    match flat(simplified, way) {
        Some(parts) => way.of(parts),
        None => way.other().idle(),
    }
}

/// The parts with those joined the same way taken apart, each once; none if one of them, or two, decide it all.
fn flat(parts: Vec<Expr>, way: Junction) -> Option<Vec<Expr>> {
    let mut kept: Vec<Expr> = Vec::new();
    for part in parts {
        let members = match way.members(&part) {
            Some(members) => members.to_vec(),
            None => vec![part],
        };
        for member in members {
            if member == way.other().idle() {
                return None;
            }
            if member != way.idle() && !kept.contains(&member) {
                kept.push(member);
            }
        }
    }
    let contradicts = |part: &Expr| match part {
        Expr::Not(inner) => kept.contains(inner) || (way == Junction::All && implied(inner, &kept)),
        _ => false,
    };
    if kept.iter().any(contradicts) { None } else { Some(kept) }
}

/// Whether another test of the same field says already that it is there.
fn implied(part: &Expr, among: &[Expr]) -> bool {
    let Expr::Test { field, pattern: Pattern::Present } = part else { return false };
    among.iter().any(
        |other| matches!(other, Expr::Test { field: same, pattern } if same == field && *pattern != Pattern::Present),
    )
}

/// Whether a part is decided by a smaller one of its kind: `a and b` beside `a and b and c` in a disjunction.
fn absorbed(parts: &[Expr], among: &[Expr], own: usize, way: Junction) -> bool {
    among.iter().enumerate().any(|(at, other)| match way.other().members(other) {
        Some(inner) => at != own && inner.len() < parts.len() && inner.iter().all(|part| parts.contains(part)),
        None => false,
    })
}

/// The opposite; negations stand only before tests.
pub(super) fn not(expr: Expr) -> Expr {
    match expr {
        Expr::Not(inner) => *inner,
        Expr::And(parts) => Expr::Or(parts.into_iter().map(not).collect()),
        Expr::Or(parts) => Expr::And(parts.into_iter().map(not).collect()),
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

/// How many nodes a condition has, and how deep they nest.
fn size(expr: &Expr) -> (usize, usize) {
    let parts = match expr {
        Expr::And(parts) | Expr::Or(parts) => parts.as_slice(),
        Expr::Not(inner) => std::slice::from_ref(&**inner),
        _ => &[],
    };
    let sizes = parts.iter().map(size);
    sizes.fold((1, 1), |(nodes, depth), (inner, below)| (nodes + inner, depth.max(below + 1)))
}

fn too_large(expr: &Expr) -> bool {
    let (nodes, depth) = size(expr);
    nodes > MAX_NODES || depth > MAX_DEPTH
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
        Cond { may: all([self.may.clone(), other.may.clone()]), must: all([self.must.clone(), other.must.clone()]) }
            .bounded()
    }

    /// One of them, or both.
    pub(super) fn or(&self, other: &Cond) -> Cond {
        Cond { may: any([self.may.clone(), other.may.clone()]), must: any([self.must.clone(), other.must.clone()]) }
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
            may: if too_large(&self.may) { yes() } else { self.may },
            must: if too_large(&self.must) { no() } else { self.must },
        }
    }
}
