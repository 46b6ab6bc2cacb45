//! What an envelope decides before any of its events is read.

use std::sync::Arc;

use crate::access::Access;
use crate::formula::possible;
use crate::row::{EnvelopeField, SlotSource};
use crate::scratch::Counts;
use crate::{Matcher, Scratch};

/// What one envelope decides.
#[derive(Debug, Default)]
pub(crate) struct EnvelopeState {
    /// What the envelope says.
    pub(crate) key: String,
    /// A bit for each condition: whether events may still decide it.
    open: Vec<u64>,
    /// Conditions that hold whatever the event.
    pub(crate) decided: Vec<u32>,
    /// Open conditions that no predicate wakes.
    pub(crate) unconditional: Vec<u32>,
    /// The sources that open conditions read.
    pub(crate) sources: Vec<usize>,
    /// Patterns about the envelope that pass, with the number of values that do.
    pub(crate) hits: Counts,
    /// Sources that the envelope answers, with the number of values.
    pub(crate) values: Counts,
}

impl EnvelopeState {
    /// Whether events may still decide a condition.
    pub(crate) fn is_open(&self, condition: usize) -> bool {
        self.open.get(condition / 64).is_some_and(|word| word >> (condition % 64) & 1 == 1)
    }

    /// Decides what can be decided by the envelope of an event. The scratch holds its key, and no counts.
    pub(crate) fn decide<S: SlotSource + ?Sized>(matcher: &Matcher, scratch: &mut Scratch, row: &S) -> Arc<Self> {
        let nothing_open = EnvelopeState::default();
        for source in (0..matcher.sources.len()).filter(|&source| matcher.sources.is_shared(source)) {
            matcher.read(scratch, &nothing_open, source, row);
        }
        let (hits, values) = scratch.raised();
        let mut state = EnvelopeState {
            key: scratch.envelope_key().to_owned(),
            open: vec![0; matcher.conditions.len().div_ceil(64)],
            hits,
            values,
            ..EnvelopeState::default()
        };
        let log_type = row.envelope(EnvelopeField::LogType);
        for (at, condition) in matcher.conditions.iter().enumerate() {
            let wanted = &condition.log_types;
            if !wanted.is_empty() && !log_type.is_some_and(|have| wanted.iter().any(|want| want == have)) {
                continue;
            }
            let possible = possible(&condition.formula, matcher, scratch);
            let kind = condition.kind;
            let truths = [(Some(true), possible.yes), (Some(false), possible.no), (None, possible.unknown)];
            let may = |passes| truths.iter().any(|&(truth, possible)| possible && kind.passes(truth) == passes);
            let number = u32::try_from(at).unwrap_or(u32::MAX);
            if !may(true) {
                continue;
            }
            if !may(false) {
                state.decided.push(number);
                continue;
            }
            if let Some(word) = state.open.get_mut(at / 64) {
                *word |= 1 << (at % 64);
            }
            if condition.access == Access::Always {
                state.unconditional.push(number);
            }
            state.sources.extend(condition.sources.iter().filter(|&&source| !matcher.sources.is_shared(source)));
        }
        state.sources.sort_unstable();
        state.sources.dedup();
        Arc::new(state)
    }
}
