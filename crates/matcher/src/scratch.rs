//! The memory of one thread that matches.

use std::sync::Arc;

use masthead_ir::eval::Context;
use rustc_hash::FxHashMap;

use crate::column::{Column, ColumnScratch};
use crate::envelope::EnvelopeState;
use crate::memo::{MAX_TEXT, Memo};
use crate::row::{SHARED, SlotKind, SlotSource, SourceValue};
use crate::{ConditionId, Matcher};

/// Pairs of a number and how often it counts.
pub(crate) type Counts = Vec<(u32, u32)>;

/// How many envelopes are remembered; then all are forgotten.
const MAX_ENVELOPES: usize = 1_024;

/// What matching needs to remember from event to event. One for each thread and matcher; a scratch that was used with
/// another matcher starts anew.
#[derive(Debug, Default)]
pub struct Scratch {
    /// What residual expressions need beside the event.
    pub(crate) context: Context,
    /// The matcher that the rest is about.
    matcher: usize,
    /// For each pattern, how many values of the event pass.
    hits: Vec<u32>,
    /// For each source, how many values the event has.
    values: Vec<u32>,
    /// Patterns and sources whose counts the event has raised.
    touched_patterns: Vec<u32>,
    touched_sources: Vec<u32>,
    /// Conditions to look at, and for each condition whether it is among them.
    pub(crate) woken: Vec<u32>,
    is_woken: Vec<bool>,
    /// Sources that were read because a condition asked, and for each source whether it is among them.
    read_late: Vec<u32>,
    was_read: Vec<bool>,
    residuals: Vec<Option<Option<bool>>>,
    touched_residuals: Vec<u32>,
    /// One for each source and kind of value.
    memos: Vec<Memo>,
    column: ColumnScratch,
    pub(crate) envelope: Arc<EnvelopeState>,
    envelopes: FxHashMap<Box<str>, Arc<EnvelopeState>>,
    envelope_key: String,
    pub(crate) matched: Vec<ConditionId>,
    #[cfg(test)]
    pub(crate) visits: usize,
}

impl Scratch {
    /// A scratch for expressions that ask for the time of the run.
    pub fn new(context: Context) -> Scratch {
        Scratch { context, ..Scratch::default() }
    }

    /// Makes ready for the next event.
    pub(crate) fn begin(&mut self, matcher: &Matcher) {
        if self.matcher != matcher.identity {
            *self = Scratch {
                context: self.context,
                matcher: matcher.identity,
                hits: vec![0; matcher.patterns.len()],
                values: vec![0; matcher.sources.len()],
                is_woken: vec![false; matcher.conditions.len()],
                was_read: vec![false; matcher.sources.len()],
                residuals: vec![None; matcher.residuals.len()],
                memos: std::iter::repeat_with(Memo::default).take(matcher.sources.len() * KINDS).collect(),
                ..Scratch::default()
            };
        }
        for pattern in self.touched_patterns.drain(..) {
            if let Some(hits) = self.hits.get_mut(pattern as usize) {
                *hits = 0;
            }
        }
        for source in self.touched_sources.drain(..) {
            if let Some(values) = self.values.get_mut(source as usize) {
                *values = 0;
            }
        }
        for source in self.read_late.drain(..) {
            if let Some(read) = self.was_read.get_mut(source as usize) {
                *read = false;
            }
        }
        for number in self.touched_residuals.drain(..) {
            if let Some(known) = self.residuals.get_mut(number as usize) {
                *known = None;
            }
        }
    }

    /// How many values of the event pass a pattern.
    pub(crate) fn hits(&self, pattern: u32) -> u32 {
        self.hits.get(pattern as usize).copied().unwrap_or(0)
    }

    /// How many values the event has in a source.
    pub(crate) fn values(&self, source: u32) -> u32 {
        self.values.get(source as usize).copied().unwrap_or(0)
    }

    /// Whether a source is read now for the first time for this event; only sources that wake nothing are asked for.
    pub(crate) fn begins_to_read(&mut self, source: u32) -> bool {
        match self.was_read.get_mut(source as usize) {
            Some(read @ false) => {
                *read = true;
                self.read_late.push(source);
                true
            }
            _ => false,
        }
    }

    /// What is known of a residual expression for this event.
    pub(crate) fn residual(&self, number: u32) -> Option<Option<bool>> {
        self.residuals.get(number as usize).copied().flatten()
    }

    pub(crate) fn set_residual(&mut self, number: u32, truth: Option<bool>) {
        if let Some(known) = self.residuals.get_mut(number as usize) {
            *known = Some(truth);
            self.touched_residuals.push(number);
        }
    }

    /// Notes one value of the event: which patterns it passes, and which conditions these wake.
    pub(crate) fn note_value(
        &mut self,
        matcher: &Matcher,
        envelope: &EnvelopeState,
        source: usize,
        column: &Column,
        value: &SourceValue<'_>,
    ) {
        let Scratch { hits, values, touched_patterns, touched_sources, woken, is_woken, memos, column: work, .. } =
            self;
        if let Some(count) = values.get_mut(source) {
            if *count == 0 {
                touched_sources.push(u32::try_from(source).unwrap_or(u32::MAX));
            }
            *count += 1;
        }
        let mut memo =
            if value.text.len() <= MAX_TEXT { memos.get_mut(source * KINDS + kind_index(value.kind)) } else { None };
        let remembered = memo.as_mut().is_some_and(|memo| {
            let passed = memo.get(value.text);
            if let Some(passed) = passed {
                work.passed.clear();
                work.passed.extend_from_slice(passed);
            }
            passed.is_some()
        });
        if !remembered {
            column.passing(value, &matcher.patterns, work);
            if let Some(memo) = memo {
                memo.insert(value.text, work.passed.as_slice().into());
            }
        }
        for &pattern in &work.passed {
            let Some(count) = hits.get_mut(pattern as usize) else { continue };
            *count += 1;
            if *count > 1 {
                continue;
            }
            touched_patterns.push(pattern);
            for &condition in matcher.wakes.get(pattern as usize).into_iter().flatten() {
                let at = condition as usize;
                if envelope.is_open(at)
                    && let Some(is_woken @ false) = is_woken.get_mut(at)
                {
                    *is_woken = true;
                    woken.push(condition);
                }
            }
        }
    }

    /// Forgets which conditions were woken; takes back their list for the next event.
    pub(crate) fn sleep(&mut self, mut woken: Vec<u32>) {
        for condition in woken.drain(..) {
            if let Some(is_woken) = self.is_woken.get_mut(condition as usize) {
                *is_woken = false;
            }
        }
        self.woken = woken;
    }

    /// Whether the event came in the envelope of the event before it, judged by what the envelopes say. Leaves the key of
    /// the event's envelope behind.
    pub(crate) fn is_current_envelope<S: SlotSource + ?Sized>(&mut self, row: &S) -> bool {
        self.envelope_key.clear();
        for field in SHARED {
            match row.envelope(field) {
                // Lengths keep one field's end and the next one's start apart.
                Some(text) => {
                    let _ = std::fmt::Write::write_fmt(&mut self.envelope_key, format_args!("{}:{text}", text.len()));
                }
                None => self.envelope_key.push('-'),
            }
        }
        self.envelope.key == self.envelope_key
    }

    /// What is remembered of the envelope whose key was left behind.
    pub(crate) fn known_envelope(&self) -> Option<Arc<EnvelopeState>> {
        self.envelopes.get(self.envelope_key.as_str()).cloned()
    }

    pub(crate) fn envelope_key(&self) -> &str {
        &self.envelope_key
    }

    /// Makes an envelope the current one.
    pub(crate) fn set_envelope(&mut self, state: Arc<EnvelopeState>) {
        if self.envelopes.len() >= MAX_ENVELOPES {
            self.envelopes.clear();
        }
        self.envelopes.entry(self.envelope_key.as_str().into()).or_insert_with(|| Arc::clone(&state));
        self.envelope = state;
    }

    /// Raises the counts that the current envelope answers for.
    pub(crate) fn count_envelope(&mut self) {
        let state = Arc::clone(&self.envelope);
        for &(pattern, hits) in &state.hits {
            if let Some(count) = self.hits.get_mut(pattern as usize) {
                *count = hits;
                self.touched_patterns.push(pattern);
            }
        }
        for &(source, values) in &state.values {
            if let Some(count) = self.values.get_mut(source as usize) {
                *count = values;
                self.touched_sources.push(source);
            }
        }
    }

    /// The counts that are raised now, as pairs of number and count.
    pub(crate) fn raised(&self) -> (Counts, Counts) {
        let patterns = self.touched_patterns.iter().map(|&pattern| (pattern, self.hits(pattern))).collect();
        let sources = self.touched_sources.iter().map(|&source| (source, self.values(source))).collect();
        (patterns, sources)
    }

    /// Counts a condition that is looked at, for tests.
    pub(crate) fn count_visit(&mut self) {
        #[cfg(test)]
        {
            self.visits += 1;
        }
    }

    /// How often each pattern was tried.
    #[cfg(test)]
    pub(crate) fn tried(&self) -> &[u32] {
        &self.column.tried
    }
}

/// How many kinds of value are remembered apart.
const KINDS: usize = 4;

fn kind_index(kind: SlotKind) -> usize {
    match kind {
        SlotKind::String | SlotKind::Null => 0,
        SlotKind::Number => 1,
        SlotKind::Bool => 2,
        SlotKind::Json => 3,
    }
}
