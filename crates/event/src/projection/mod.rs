//! The fields that anybody reads, taken out of an event in one pass over its bytes.
//!
//! # What is checked
//!
//! The whole event is UTF-8 and holds no NUL byte. Where the walk goes (objects and arrays on the way to a wanted field,
//! and wanted scalars) it follows the grammar of JSON. Of what nobody reads only the ends are found: there numbers,
//! literals, escapes, commas, control characters and the kinds of brackets (`[` against `}`) are not looked at. A wanted
//! string may hold control characters other than NUL. [`flatten`](crate::flatten::flatten) checks everything.

mod automaton;
mod walk;

use std::collections::HashMap;

use crate::json::simd::dispatch;
use crate::json::{JsonError, Kind, MAX_DEPTH, SlotValue, checked_text};
use crate::path::FieldPath;

use automaton::{NONE, State};

/// A set of paths, compiled. Each distinct path is a slot.
///
/// ```
/// use masthead_event::projection::{Projection, ProjectionBuffer};
/// use masthead_event::FieldPath;
///
/// let verb = FieldPath::flat("verb");
/// let projection = Projection::new(vec![verb.clone(), FieldPath::flat("user.groups{}")]);
/// let mut buffer = ProjectionBuffer::default();
/// let row = projection.project(br#"{"verb":"get","user":{"groups":["a","b"]}}"#, &mut buffer)?;
/// let slot = projection.slot(&verb).ok_or("no such slot")?;
/// assert_eq!(row.values(slot).map(|value| value.text).collect::<Vec<_>>(), ["get"]);
/// assert_eq!(row.values(1).count(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Projection {
    paths: Vec<FieldPath>,
    slots: HashMap<FieldPath, usize>,
    states: Vec<State>,
    max_depth: usize,
}

impl Projection {
    /// Compiles paths; one that is there twice is one slot. Of a flat name only the first 64 places of each state at
    /// which a key may end (before `.` or `{}`) are tried, and its end.
    pub fn new(paths: Vec<FieldPath>) -> Projection {
        let mut distinct: Vec<FieldPath> = Vec::with_capacity(paths.len());
        let mut slots = HashMap::with_capacity(paths.len());
        for path in paths {
            if !slots.contains_key(&path) {
                slots.insert(path.clone(), distinct.len());
                distinct.push(path);
            }
        }
        let states = automaton::compile(&distinct);
        Projection { paths: distinct, slots, states, max_depth: MAX_DEPTH }
    }

    /// The same with another limit on the number of open brackets.
    pub fn with_max_depth(mut self, max_depth: usize) -> Projection {
        self.max_depth = max_depth;
        self
    }

    /// The distinct paths; the index is the slot.
    pub fn paths(&self) -> &[FieldPath] {
        &self.paths
    }

    /// The slot of a path.
    pub fn slot(&self, path: &FieldPath) -> Option<usize> {
        self.slots.get(path).copied()
    }

    /// Takes the fields out of one event. The buffer is used anew for each event; nothing is allocated once it has grown.
    ///
    /// # Errors
    ///
    /// When the event is not JSON as far as the module's documentation says.
    pub fn project<'a>(&self, raw: &'a [u8], buffer: &'a mut ProjectionBuffer) -> Result<SlotRow<'a>, JsonError> {
        buffer.reset(self.paths.len());
        let text = checked_text(raw)?;
        dispatch(walk::Walk { states: &self.states, text, buffer, max_depth: self.max_depth })?;
        Ok(SlotRow { text, buffer })
    }
}

/// The memory of [`Projection::project`], to be used again for the next event.
#[derive(Debug, Default)]
pub struct ProjectionBuffer {
    /// The first and the last entry of each slot, or [`NONE`].
    ends: Vec<(u32, u32)>,
    entries: Vec<Entry>,
    /// Strings that had escapes.
    unescaped: String,
    key: String,
    stack: Vec<Frame>,
}

/// An open bracket of the walk.
#[derive(Debug, Clone, Copy)]
struct Frame {
    state: u32,
    object: bool,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u32,
    end: u32,
    next: u32,
    slot: u32,
    kind: Kind,
    /// Whether the range lies in `unescaped`, not in the event.
    unescaped: bool,
}

impl ProjectionBuffer {
    fn reset(&mut self, slots: usize) {
        if self.ends.len() == slots {
            for entry in &self.entries {
                if let Some(ends) = self.ends.get_mut(entry.slot as usize) {
                    *ends = (NONE, NONE);
                }
            }
        } else {
            self.ends.clear();
            self.ends.resize(slots, (NONE, NONE));
        }
        self.entries.clear();
        self.unescaped.clear();
        self.stack.clear();
    }

    #[inline(always)]
    fn push(&mut self, slot: u32, kind: Kind, range: std::ops::Range<usize>, unescaped: bool) {
        let index = self.entries.len() as u32;
        let Some(ends) = self.ends.get_mut(slot as usize) else { return };
        if ends.0 == NONE {
            ends.0 = index;
        } else if let Some(last) = self.entries.get_mut(ends.1 as usize) {
            last.next = index;
        }
        ends.1 = index;
        let (start, end) = (range.start as u32, range.end as u32);
        self.entries.push(Entry { start, end, next: NONE, slot, kind, unescaped });
    }
}

/// The fields of one event.
#[derive(Debug, Clone, Copy)]
pub struct SlotRow<'a> {
    text: &'a str,
    buffer: &'a ProjectionBuffer,
}

impl<'a> SlotRow<'a> {
    /// The values of a slot in document order; none for a slot that does not exist.
    pub fn values(&self, slot: usize) -> SlotValues<'a> {
        let next = self.buffer.ends.get(slot).map_or(NONE, |ends| ends.0);
        SlotValues { row: *self, next }
    }

    /// The first value of a slot.
    pub fn first(&self, slot: usize) -> Option<SlotValue<'a>> {
        self.values(slot).next()
    }

    /// Whether a slot has no value.
    pub fn is_empty(&self, slot: usize) -> bool {
        self.buffer.ends.get(slot).is_none_or(|ends| ends.0 == NONE)
    }

    /// The whole event.
    pub fn text(&self) -> &'a str {
        self.text
    }
}

/// The values of one slot, in document order.
#[derive(Debug, Clone)]
pub struct SlotValues<'a> {
    row: SlotRow<'a>,
    next: u32,
}

impl<'a> Iterator for SlotValues<'a> {
    type Item = SlotValue<'a>;

    fn next(&mut self) -> Option<SlotValue<'a>> {
        let entry = self.row.buffer.entries.get(self.next as usize)?;
        self.next = entry.next;
        let source = if entry.unescaped { self.row.buffer.unescaped.as_str() } else { self.row.text };
        let text = source.get(entry.start as usize..entry.end as usize).unwrap_or_default();
        Some(SlotValue { kind: entry.kind, text })
    }
}
