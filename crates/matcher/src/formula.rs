//! Conditions as formulas over predicates.

use masthead_ir::pattern::Differs;

use crate::row::{EvaluatorRow, SlotSource};
use crate::{Matcher, Scratch};

/// A condition, or a part of one. Logic is Kleene's.
#[derive(Debug)]
pub(crate) enum Formula {
    /// A truth that no event changes.
    Constant(Option<bool>),
    /// Whether a value passes a pattern.
    Test { pattern: u32, source: u32 },
    /// Whether values do not.
    Differs { pattern: u32, source: u32, rule: Differs },
    /// All.
    And(Vec<Formula>),
    /// Any.
    Or(Vec<Formula>),
    /// Either, not both.
    Xor(Box<(Formula, Formula)>),
    /// The opposite.
    Not(Box<Formula>),
    /// What only the evaluator can tell.
    Residual(u32),
}

impl Formula {
    /// How many predicates it has.
    pub(crate) fn size(&self) -> usize {
        match self {
            Formula::And(parts) | Formula::Or(parts) => parts.iter().map(Formula::size).sum(),
            Formula::Xor(sides) => sides.0.size() + sides.1.size(),
            Formula::Not(inner) => inner.size(),
            _ => 1,
        }
    }

    /// Whether the evaluator is needed somewhere in it.
    pub(crate) fn has_residual(&self) -> bool {
        match self {
            Formula::Constant(_) | Formula::Test { .. } | Formula::Differs { .. } => false,
            Formula::And(parts) | Formula::Or(parts) => parts.iter().any(Formula::has_residual),
            Formula::Xor(sides) => sides.0.has_residual() || sides.1.has_residual(),
            Formula::Not(inner) => inner.has_residual(),
            Formula::Residual(_) => true,
        }
    }
}

/// The truth of a formula for the event whose values the scratch has noted.
pub(crate) fn truth<S: SlotSource + ?Sized>(
    formula: &Formula,
    matcher: &Matcher,
    scratch: &mut Scratch,
    row: &S,
) -> Option<bool> {
    match formula {
        Formula::Constant(truth) => *truth,
        Formula::Test { pattern, source } => {
            matcher.read_late(scratch, *source, row);
            Some(scratch.hits(*pattern) > 0)
        }
        Formula::Differs { pattern, source, rule } => {
            matcher.read_late(scratch, *source, row);
            let (hits, values) = (scratch.hits(*pattern), scratch.values(*source));
            Some(match rule {
                Differs::SomeValue => hits < values,
                Differs::EveryValue => values > 0 && hits == 0,
            })
        }
        Formula::And(parts) => {
            let mut result = Some(true);
            for part in parts {
                match truth(part, matcher, scratch, row) {
                    Some(false) => return Some(false),
                    Some(true) => {}
                    None => result = None,
                }
            }
            result
        }
        Formula::Or(parts) => {
            let mut result = Some(false);
            for part in parts {
                match truth(part, matcher, scratch, row) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => result = None,
                }
            }
            result
        }
        Formula::Xor(sides) => {
            let left = truth(&sides.0, matcher, scratch, row)?;
            Some(left ^ truth(&sides.1, matcher, scratch, row)?)
        }
        Formula::Not(inner) => truth(inner, matcher, scratch, row).map(|truth| !truth),
        Formula::Residual(number) => residual(*number, matcher, scratch, row),
    }
}

/// The truth of what only the evaluator can tell, asked once an event.
fn residual<S: SlotSource + ?Sized>(number: u32, matcher: &Matcher, scratch: &mut Scratch, row: &S) -> Option<bool> {
    if let Some(known) = scratch.residual(number) {
        return known;
    }
    let row = EvaluatorRow { sources: &matcher.sources, row };
    let truth = matcher.residuals.get(number as usize).and_then(|program| program.truth(&row, &scratch.context));
    scratch.set_residual(number, truth);
    truth
}

/// A set of truths that a formula may have: what is known of it before the event is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Possible {
    pub(crate) yes: bool,
    pub(crate) no: bool,
    pub(crate) unknown: bool,
}

impl Possible {
    fn only(truth: Option<bool>) -> Possible {
        Possible { yes: truth == Some(true), no: truth == Some(false), unknown: truth.is_none() }
    }

    fn not(self) -> Possible {
        Possible { yes: self.no, no: self.yes, unknown: self.unknown }
    }

    /// Of "and", taking the sides as independent, which can only make the set larger.
    fn and(self, other: Possible) -> Possible {
        Possible {
            yes: self.yes && other.yes,
            no: self.no || other.no,
            unknown: (self.unknown && (other.unknown || other.yes)) || (other.unknown && self.yes),
        }
    }

    fn xor(self, other: Possible) -> Possible {
        Possible {
            yes: (self.yes && other.no) || (self.no && other.yes),
            no: (self.yes && other.yes) || (self.no && other.no),
            unknown: self.unknown || other.unknown,
        }
    }
}

/// What a formula may become once the event is read, when the values of the envelope are noted.
pub(crate) fn possible(formula: &Formula, matcher: &Matcher, scratch: &Scratch) -> Possible {
    let part = |formula| possible(formula, matcher, scratch);
    match formula {
        Formula::Constant(truth) => Possible::only(*truth),
        Formula::Test { source, .. } | Formula::Differs { source, .. }
            if !matcher.sources.is_shared(*source as usize) =>
        {
            Possible { yes: true, no: true, unknown: false }
        }
        Formula::Test { pattern, .. } => Possible::only(Some(scratch.hits(*pattern) > 0)),
        Formula::Differs { pattern, source, rule } => {
            let (hits, values) = (scratch.hits(*pattern), scratch.values(*source));
            Possible::only(Some(match rule {
                Differs::SomeValue => hits < values,
                Differs::EveryValue => values > 0 && hits == 0,
            }))
        }
        Formula::And(parts) => parts.iter().map(part).fold(Possible::only(Some(true)), Possible::and),
        // Neither side false, and so on: "or" mirrored.
        Formula::Or(parts) => parts.iter().map(|p| part(p).not()).fold(Possible::only(Some(true)), Possible::and).not(),
        Formula::Xor(sides) => part(&sides.0).xor(part(&sides.1)),
        Formula::Not(inner) => part(inner).not(),
        Formula::Residual(_) => Possible { yes: true, no: true, unknown: true },
    }
}
