//! The shared-predicate matcher: which of many conditions an event meets.
//!
//! The tests that stand in the conditions are interned, so that a test shared by many conditions is one predicate. An
//! event is then matched in three steps:
//!
//! 1. Its envelope (source, log type, …) decides, once an envelope, which conditions can hold at all, and which fields
//!    they read.
//! 2. Each value of these fields is looked up: which predicates does it pass? Equalities are found by hash, parts of
//!    text by one automaton for all, the rest is tried one by one; the answer for a value is remembered, so that
//!    values that come again cost one look-up.
//! 3. Conditions are small formulas over these predicates. One is looked at only if a predicate has fired that it cannot
//!    hold without.
//!
//! What a condition means is said by [`masthead_ir::eval`] alone; a differential test holds the matcher to it.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod access;
mod builder;
mod column;
mod envelope;
mod formula;
mod memo;
mod row;
mod scratch;
#[cfg(test)]
mod tests;

pub use builder::{BuildError, MatcherBuilder};
pub use row::{EnvelopeField, SlotKind, SlotSource};
pub use scratch::Scratch;

use masthead_ir::FieldPath;
use masthead_ir::eval::{CompiledPattern, Program};

use access::Access;
use column::Column;
use envelope::EnvelopeState;
use formula::Formula;
use row::Sources;

/// What it takes for a condition to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConditionKind {
    /// It must be true.
    Filter,
    /// It must not be false: unknown lets an event pass.
    Guard,
}

impl ConditionKind {
    /// Whether a truth is enough.
    pub(crate) fn passes(self, truth: Option<bool>) -> bool {
        match self {
            ConditionKind::Filter => truth == Some(true),
            ConditionKind::Guard => truth != Some(false),
        }
    }
}

/// A condition, by the order in which conditions were added, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConditionId(pub u32);

impl ConditionId {
    /// The place in the order of adding.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A condition as the matcher keeps it.
#[derive(Debug)]
struct Condition {
    kind: ConditionKind,
    /// The log types of which the envelope must have one; empty: no matter which.
    log_types: Vec<String>,
    formula: Formula,
    access: Access,
    /// The sources that its predicates read.
    sources: Vec<usize>,
}

/// Many conditions, compiled together. Shared between threads; each has a [`Scratch`] of its own.
#[derive(Debug)]
pub struct Matcher {
    conditions: Vec<Condition>,
    sources: Sources,
    /// One column a source.
    columns: Vec<Column>,
    patterns: Vec<CompiledPattern>,
    /// For each pattern the conditions that are looked at when it fires.
    wakes: Vec<Vec<u32>>,
    /// For each source whether some pattern of it wakes a condition. The others are read when a condition asks.
    waking: Vec<bool>,
    residuals: Vec<Program>,
    /// Tells matchers apart, for the memory that belongs to one.
    identity: usize,
}

impl Matcher {
    /// The fields of the event that must be projected, in the order of their slots. Names that the envelope or the raw
    /// event answers (`source`, `sourcetype`, `host`, `index`, `_time`, `_raw`) are not among them.
    pub fn fields(&self) -> &[FieldPath] {
        self.sources.fields()
    }

    /// How many conditions there are.
    pub fn len(&self) -> usize {
        self.conditions.len()
    }

    /// Whether there are no conditions.
    pub fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }

    /// How many distinct patterns the conditions share.
    pub fn pattern_count(&self) -> usize {
        self.patterns.len()
    }

    /// The conditions that the event meets, in ascending order.
    pub fn evaluate<'s, S: SlotSource + ?Sized>(&self, scratch: &'s mut Scratch, row: &S) -> &'s [ConditionId] {
        scratch.begin(self);
        self.enter_envelope(scratch, row);
        let envelope = std::sync::Arc::clone(&scratch.envelope);
        for &source in envelope.sources.iter().filter(|source| self.waking.get(**source) == Some(&true)) {
            self.read(scratch, &envelope, source, row);
        }
        scratch.matched.clear();
        scratch.matched.extend(envelope.decided.iter().map(|&condition| ConditionId(condition)));
        let woken = std::mem::take(&mut scratch.woken);
        for &condition in woken.iter().chain(&envelope.unconditional) {
            let Some(entry) = self.conditions.get(condition as usize) else { continue };
            scratch.count_visit();
            let truth = formula::truth(&entry.formula, self, scratch, row);
            if entry.kind.passes(truth) {
                scratch.matched.push(ConditionId(condition));
            }
        }
        scratch.sleep(woken);
        scratch.matched.sort_unstable();
        &scratch.matched
    }

    /// Makes the event's envelope the current one.
    fn enter_envelope<S: SlotSource + ?Sized>(&self, scratch: &mut Scratch, row: &S) {
        if !scratch.is_current_envelope(row) {
            let state = scratch.known_envelope().unwrap_or_else(|| EnvelopeState::decide(self, scratch, row));
            scratch.set_envelope(state);
        }
        scratch.count_envelope();
    }

    /// Reads a source that no condition is woken by, if it was not read for this event.
    fn read_late<S: SlotSource + ?Sized>(&self, scratch: &mut Scratch, source: u32, row: &S) {
        let at = source as usize;
        if self.waking.get(at) == Some(&false) && !self.sources.is_shared(at) && scratch.begins_to_read(source) {
            let envelope = std::sync::Arc::clone(&scratch.envelope);
            self.read(scratch, &envelope, at, row);
        }
    }

    /// Reads the values of one source, and notes which patterns they pass.
    fn read<S: SlotSource + ?Sized>(&self, scratch: &mut Scratch, envelope: &EnvelopeState, source: usize, row: &S) {
        let Some(column) = self.columns.get(source) else { return };
        self.sources.each_value(source, row, &mut |value| {
            scratch.note_value(self, envelope, source, column, &value);
        });
    }
}
