//! A window over a stream: what was read and not yet consumed.

use std::io::{self, Read};

use crate::json::structure::Structure;

/// How much is asked for at once.
const CHUNK: usize = 256 * 1024;

/// Bytes of a reader, a part of them in memory. Offsets count from the first byte that is not yet consumed, and stay
/// valid when more is read.
pub(super) struct Source<'r> {
    reader: &'r mut dyn Read,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    /// What stopped the reader before its end.
    pub(super) failure: Option<io::Error>,
    /// The line of the first byte of the window, from 1.
    pub(super) line: u64,
    /// Bytes read so far.
    pub(super) total: u64,
    /// How many bytes may be read; beyond, the source ends and `over_budget` is set.
    budget: u64,
    pub(super) over_budget: bool,
    /// How often a long value may yet be sought the end of in vain, without consuming anything.
    pub(super) far_looks: u32,
}

/// Made-up input could ask for a look far ahead on every line.
const FAR_LOOKS: u32 = 100;

impl<'r> Source<'r> {
    /// `expected` is the number of bytes that will come, where known: a small source needs no large buffer.
    pub(super) fn new(reader: &'r mut dyn Read, expected: Option<usize>, budget: Option<u64>) -> Source<'r> {
        let size = expected.map_or(CHUNK, |size| size.clamp(64, CHUNK));
        Source {
            reader,
            buffer: vec![0; size],
            start: 0,
            end: 0,
            ended: false,
            failure: None,
            line: 1,
            total: 0,
            budget: budget.unwrap_or(u64::MAX),
            over_budget: false,
            far_looks: FAR_LOOKS,
        }
    }

    pub(super) fn window(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// The byte at an offset, reading more if need be.
    pub(super) fn byte(&mut self, at: usize) -> Option<u8> {
        while self.end - self.start <= at {
            if !self.fill() {
                return None;
            }
        }
        self.window().get(at).copied()
    }

    /// Reads more. False at the end, or when the reader failed.
    pub(super) fn fill(&mut self) -> bool {
        if self.ended {
            return false;
        }
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.end == self.buffer.len() {
            if self.start >= self.buffer.len() / 2 {
                self.buffer.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
            } else {
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
        }
        loop {
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.reader.read(room) {
                Ok(0) => self.ended = true,
                Ok(count) => {
                    self.end += count;
                    self.total += count as u64;
                    if self.total > self.budget {
                        self.end -= (self.total - self.budget) as usize;
                        self.total = self.budget;
                        (self.ended, self.over_budget) = (true, true);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.failure = Some(error);
                    self.ended = true;
                }
            }
            return !self.ended || self.over_budget;
        }
    }

    /// Drops the first `count` bytes of the window.
    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        let passed = self.buffer.get(self.start..self.start + count).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', passed).count() as u64;
        self.start += count;
    }

    /// Drops a line of `count` bytes, its end included.
    pub(super) fn consume_line(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        self.line += 1;
    }

    /// Goes over white space from an offset; gives the offset of what follows, and it.
    pub(super) fn skip_space(&mut self, at: usize) -> Option<(usize, u8)> {
        let mut at = at;
        loop {
            let byte = self.byte(at)?;
            if !byte.is_ascii_whitespace() {
                return Some((at, byte));
            }
            at += 1;
        }
    }

    /// Drops white space; gives the first byte after it.
    pub(super) fn trim(&mut self) -> Option<u8> {
        loop {
            let window = self.window();
            match window.iter().position(|byte| !byte.is_ascii_whitespace()) {
                Some(0) => return self.byte(0),
                Some(count) => self.consume(count),
                None => {
                    self.consume(self.end - self.start);
                    if !self.fill() {
                        return None;
                    }
                }
            }
        }
    }

    /// The length of the line at the window's start without its `\n`, or none if it is longer than `limit`; the flag tells
    /// whether it ends with a `\n`.
    pub(super) fn line_length(&mut self, limit: usize) -> Option<(usize, bool)> {
        let mut searched = 0;
        loop {
            let window = self.window();
            if let Some(length) = memchr::memchr(b'\n', window.get(searched..).unwrap_or_default()) {
                let length = searched + length;
                return (length <= limit).then_some((length, true));
            }
            searched = window.len();
            if searched > limit {
                return None;
            }
            if !self.fill() {
                return Some((searched, false));
            }
        }
    }

    /// Drops everything up to and including the next `\n`.
    pub(super) fn skip_line(&mut self) {
        loop {
            match memchr::memchr(b'\n', self.window()) {
                Some(length) => return self.consume_line(length + 1),
                None => {
                    self.start = self.end;
                    if !self.fill() {
                        return;
                    }
                }
            }
        }
    }

    /// The offset after the value at `at`, if it ends within `limit` bytes of the window's start. Of a container only the
    /// number of brackets is looked at.
    pub(super) fn value_end(&mut self, at: usize, limit: usize) -> Option<usize> {
        match self.byte(at)? {
            b'"' => self.string_end(at, limit),
            b'{' | b'[' => {
                let mut structure = Structure::within(0);
                let mut fed = at;
                loop {
                    let window = self.window();
                    if let Some(end) = structure.feed(window.get(fed..)?) {
                        return Some(fed + end);
                    }
                    fed = window.len();
                    if fed > limit || !self.fill() {
                        return None;
                    }
                }
            }
            _ => {
                let mut end = at;
                while let Some(byte) = self.byte(end) {
                    if matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace() {
                        break;
                    }
                    end += 1;
                    if end > limit {
                        return None;
                    }
                }
                (end > at).then_some(end)
            }
        }
    }

    /// The offset after the string at `at`.
    fn string_end(&mut self, at: usize, limit: usize) -> Option<usize> {
        let mut from = at + 1;
        loop {
            let window = self.window();
            match memchr::memchr2(b'"', b'\\', window.get(from..).unwrap_or_default()) {
                Some(found) if window.get(from + found) == Some(&b'"') => return Some(from + found + 1),
                Some(found) => from += found + 2,
                None => {
                    from = from.max(window.len());
                    if from > limit || !self.fill() {
                        return None;
                    }
                }
            }
        }
    }
}
