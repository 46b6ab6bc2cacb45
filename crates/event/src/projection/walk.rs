//! The walk over one event.

use crate::json::simd::{Kernel, Work};
use crate::json::structure::{container_end, string_end};
use crate::json::token::{scalar, skip_scalar, skip_space, unescape, unexpected};
use crate::json::{JsonError, JsonErrorKind, Kind};

use super::automaton::{NONE, State};
use super::{Frame, ProjectionBuffer};

pub(super) struct Walk<'a> {
    pub(super) states: &'a [State],
    pub(super) text: &'a str,
    pub(super) buffer: &'a mut ProjectionBuffer,
    pub(super) max_depth: usize,
}

/// What stands next.
enum Next {
    /// A value that is read in the current state.
    Value,
    /// A key.
    Key,
    /// A comma or the end of a container.
    End,
}

impl Work for Walk<'_> {
    type Output = Result<(), JsonError>;

    #[inline(always)]
    fn run<K: Kernel>(mut self, kernel: K) -> Result<(), JsonError> {
        let bytes = self.text.as_bytes();
        let mut at = skip_space(bytes, 0);
        let mut state = 0;
        let mut next = Next::Value;
        loop {
            match next {
                Next::Value => (at, next) = self.value(kernel, at, &mut state)?,
                Next::Key => {
                    let (child, value) = self.key(kernel, at)?;
                    if child == NONE {
                        at = self.skip(kernel, value)?;
                        next = Next::End;
                    } else {
                        (state, at, next) = (child, value, Next::Value);
                    }
                }
                Next::End => {
                    at = skip_space(bytes, at);
                    let Some(frame) = self.buffer.stack.last() else {
                        return match bytes.get(at) {
                            None => Ok(()),
                            Some(_) => Err(JsonError::new(JsonErrorKind::TrailingBytes, at)),
                        };
                    };
                    match (bytes.get(at), frame.object) {
                        (Some(b','), true) => (at, next) = (skip_space(bytes, at + 1), Next::Key),
                        (Some(b','), false) => {
                            state = self.states[frame.state as usize].element;
                            (at, next) = (skip_space(bytes, at + 1), Next::Value);
                        }
                        (Some(b'}'), true) | (Some(b']'), false) => {
                            self.buffer.stack.pop();
                            at += 1;
                        }
                        _ => return Err(unexpected(bytes, at)),
                    }
                }
            }
        }
    }
}

impl Walk<'_> {
    /// Reads the value at `at`, or its opening bracket; gives where to go on, and with what.
    #[inline(always)]
    fn value<K: Kernel>(&mut self, kernel: K, at: usize, number: &mut u32) -> Result<(usize, Next), JsonError> {
        let bytes = self.text.as_bytes();
        let states = self.states;
        let state = &states[*number as usize];
        match bytes.get(at) {
            Some(b'"') => Ok((self.string(kernel, at, &state.flat, &state.keys)?, Next::End)),
            Some(bracket @ (b'{' | b'[')) => {
                let object = *bracket == b'{';
                if !state.keys.is_empty() {
                    self.container_by_keys(kernel, at, state)?;
                }
                let open = self.buffer.stack.len();
                let enters = if object { !state.members.is_empty() } else { state.element != NONE };
                if !enters {
                    return Ok((container_end(kernel, bytes, at, open, self.max_depth)?, Next::End));
                }
                if open >= self.max_depth {
                    return Err(JsonError::new(JsonErrorKind::TooDeep, at));
                }
                let inner = skip_space(bytes, at + 1);
                if bytes.get(inner) == Some(if object { &b'}' } else { &b']' }) {
                    return Ok((inner + 1, Next::End));
                }
                self.buffer.stack.push(Frame { state: *number, object });
                if object {
                    return Ok((inner, Next::Key));
                }
                *number = state.element;
                Ok((inner, Next::Value))
            }
            _ => {
                let (kind, end) = scalar(bytes, at)?;
                for slot in state.flat.iter().chain(&state.keys) {
                    self.buffer.push(*slot, kind, at..end, false);
                }
                Ok((end, Next::End))
            }
        }
    }

    /// Reads the key at `at` and its colon; gives the state for its value, and where that begins.
    #[inline(always)]
    fn key<K: Kernel>(&mut self, kernel: K, at: usize) -> Result<(u32, usize), JsonError> {
        let bytes = self.text.as_bytes();
        if bytes.get(at) != Some(&b'"') {
            return Err(unexpected(bytes, at));
        }
        let end = string_end(kernel, bytes, at + 1)?;
        let frame = self.buffer.stack.last().map_or(0, |frame| frame.state);
        let members = &self.states[frame as usize].members;
        let child = if end.escaped {
            self.buffer.key.clear();
            unescape(self.text.get(at + 1..end.quote).unwrap_or_default(), at + 1, &mut self.buffer.key)?;
            members.get(self.buffer.key.as_bytes())
        } else {
            members.get(&bytes[at + 1..end.quote])
        };
        let colon = skip_space(bytes, end.quote + 1);
        if bytes.get(colon) != Some(&b':') {
            return Err(unexpected(bytes, colon));
        }
        Ok((child, skip_space(bytes, colon + 1)))
    }

    /// Goes over a value that nobody reads.
    #[inline(always)]
    fn skip<K: Kernel>(&self, kernel: K, at: usize) -> Result<usize, JsonError> {
        let bytes = self.text.as_bytes();
        match bytes.get(at) {
            Some(b'"') => Ok(string_end(kernel, bytes, at + 1)?.quote + 1),
            Some(b'{' | b'[') => container_end(kernel, bytes, at, self.buffer.stack.len(), self.max_depth),
            _ => skip_scalar(bytes, at),
        }
    }

    #[inline(always)]
    fn string<K: Kernel>(&mut self, kernel: K, at: usize, flat: &[u32], keys: &[u32]) -> Result<usize, JsonError> {
        let end = string_end(kernel, self.text.as_bytes(), at + 1)?;
        if flat.is_empty() && keys.is_empty() {
            return Ok(end.quote + 1);
        }
        let mut range = at + 1..end.quote;
        if end.escaped {
            let from = self.buffer.unescaped.len();
            unescape(self.text.get(range).unwrap_or_default(), at + 1, &mut self.buffer.unescaped)?;
            range = from..self.buffer.unescaped.len();
        }
        for slot in flat.iter().chain(keys) {
            self.buffer.push(*slot, Kind::String, range.clone(), end.escaped);
        }
        Ok(end.quote + 1)
    }

    /// A container at the end of a walk by keys: an array of scalars gives them, everything else its text.
    #[inline(always)]
    fn container_by_keys<K: Kernel>(&mut self, kernel: K, at: usize, state: &State) -> Result<(), JsonError> {
        let bytes = self.text.as_bytes();
        let end = container_end(kernel, bytes, at, self.buffer.stack.len(), self.max_depth)?;
        if bytes[at] == b'[' && is_flat(kernel, &bytes[..end], at + 1)? {
            return self.scalars(kernel, at + 1, state);
        }
        for slot in &state.keys {
            self.buffer.push(*slot, Kind::Json, at..end, false);
        }
        Ok(())
    }

    /// The members of an array of scalars whose first one, or end, is at `at`.
    #[inline(always)]
    fn scalars<K: Kernel>(&mut self, kernel: K, at: usize, state: &State) -> Result<(), JsonError> {
        let bytes = self.text.as_bytes();
        let mut at = skip_space(bytes, at);
        if bytes.get(at) == Some(&b']') {
            return Ok(());
        }
        loop {
            at = if bytes.get(at) == Some(&b'"') {
                self.string(kernel, at, &[], &state.keys)?
            } else {
                let (kind, end) = scalar(bytes, at)?;
                for slot in &state.keys {
                    self.buffer.push(*slot, kind, at..end, false);
                }
                end
            };
            at = skip_space(bytes, at);
            match bytes.get(at) {
                Some(b',') => at = skip_space(bytes, at + 1),
                Some(b']') => return Ok(()),
                _ => return Err(unexpected(bytes, at)),
            }
        }
    }
}

/// Whether no bracket opens from `from` on outside of strings.
#[inline(always)]
fn is_flat<K: Kernel>(kernel: K, bytes: &[u8], from: usize) -> Result<bool, JsonError> {
    let mut at = from;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(kernel, bytes, at + 1)?.quote + 1,
            b'{' | b'[' => return Ok(false),
            _ => at += 1,
        }
    }
    Ok(true)
}
