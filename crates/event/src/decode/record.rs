//! Records of plain data: lines, objects over many lines, arrays.

use crate::flatten::flatten;
use crate::json::structure::Structure;
use crate::ledger::Reason;
use crate::salvage::salvage;

use super::carrier::GZIP_IN_BASE64;
use super::shape::{Shape, may_be_envelope};
use super::source::Source;
use super::{Decoding, Meta, Origin, Reading};

/// The pieces in which the end of a record is looked for grow from the first to the second of these sizes: most records
/// are short, and the search for line ends must not run far beyond them.
const PIECES: (usize, usize) = (2 * 1024, 64 * 1024);

/// A record found at the window's start.
pub(super) enum Captured {
    /// It has this length.
    Whole(usize),
    /// It breaks off after this length, at the end of a line or of the source.
    Cut(usize),
    /// It was too long, and is consumed.
    TooLong,
}

/// How an array ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ArrayEnd {
    /// With its bracket.
    Closed,
    /// With the source.
    Missing,
    /// With a broken item, which is counted.
    Broken,
}

/// What the items of an array are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// Events, or envelopes.
    Event,
    /// `logEvents` of a CloudWatch Logs envelope.
    LogEvent,
    /// Records that carry base64, or else events.
    Carried,
    /// Nothing to be read.
    Ignored,
}

impl Decoding<'_> {
    /// Reads everything that a plain source holds.
    pub(super) fn records(&mut self, source: &mut Source<'_>) -> Reading {
        if source.byte(2).is_some() && source.window().starts_with(b"\xef\xbb\xbf") {
            source.consume(3);
        }
        let mut lines = false;
        while let Some(byte) = source.trim() {
            match byte {
                b'{' if lines && self.line(source)? => {}
                b'{' => lines = self.object(source)?.unwrap_or(lines),
                b'[' if matches!(source.skip_space(1), Some((_, b'{' | b']'))) => {
                    let entered = self.enter(source.line);
                    source.consume(1);
                    if self.items(source, Item::Event)? == ArrayEnd::Missing {
                        self.count(Reason::Truncated, source.line);
                    }
                    self.leave(entered);
                }
                _ => self.other_line(source)?,
            }
        }
        Ok(())
    }

    /// Begins an envelope, list or array. Its records are placed at the line of the outermost one.
    pub(super) fn enter(&mut self, line: u64) -> bool {
        let outermost = self.at.is_none();
        if outermost {
            self.at = Some((line, 0));
        }
        outermost
    }

    pub(super) fn leave(&mut self, entered: bool) {
        if entered {
            self.at = None;
        }
    }

    /// The short way for an object that is alone on its line. False if a closer look is needed; nothing is consumed then.
    #[inline]
    fn line(&mut self, source: &mut Source<'_>) -> Reading<bool> {
        let _ = source.byte(super::shape::LONGEST_FIRST_KEY);
        if may_be_envelope(source.window()) {
            return Ok(false);
        }
        let number = source.line;
        let Some((length, _)) = source.line_length(self.options.max_record) else {
            self.next_record();
            self.count(Reason::TooLong, number);
            source.skip_line();
            return Ok(true);
        };
        let line = source.window().get(..length).unwrap_or_default().trim_ascii_end();
        if !line.ends_with(b"}") {
            return Ok(false);
        }
        self.next_record();
        self.emit(line, Meta::raw(number))?;
        source.consume_line(length + 1);
        Ok(true)
    }

    /// Reads the object at the window's start, whatever it is. Tells whether it was an event alone on its line; none if
    /// it was broken.
    pub(super) fn object(&mut self, source: &mut Source<'_>) -> Reading<Option<bool>> {
        if self.layers < self.options.max_layers {
            match self.shape(source) {
                Shape::Event => {}
                envelope => {
                    let entered = self.enter(source.line);
                    self.layers += 1;
                    let end = self.envelope(source, envelope)?;
                    if end == ArrayEnd::Missing {
                        self.count(Reason::Truncated, source.line);
                    }
                    self.layers -= 1;
                    self.leave(entered);
                    return Ok((end == ArrayEnd::Closed).then_some(false));
                }
            }
        }
        let line = source.line;
        self.next_record();
        match self.capture(source) {
            Captured::Whole(length) => {
                let event = source.window().get(..length).unwrap_or_default();
                let one_line = memchr::memchr(b'\n', event).is_none();
                self.emit(event, Meta::raw(line))?;
                source.consume(length);
                Ok(Some(one_line && ends_line(source)))
            }
            Captured::Cut(length) => {
                self.cut(source.window().get(..length).unwrap_or_default(), Meta::raw(line))?;
                source.consume(length);
                Ok(None)
            }
            Captured::TooLong => {
                self.count(Reason::TooLong, line);
                Ok(Some(false))
            }
        }
    }

    /// Reads the items of an array whose bracket is consumed, and its closing bracket.
    pub(super) fn items(&mut self, source: &mut Source<'_>, kind: Item) -> Reading<ArrayEnd> {
        loop {
            match source.trim() {
                None => return Ok(ArrayEnd::Missing),
                Some(b']') => {
                    source.consume(1);
                    return Ok(ArrayEnd::Closed);
                }
                Some(b',') => source.consume(1),
                Some(b'{') if kind == Item::Event => {
                    if self.object(source)?.is_none() {
                        return Ok(ArrayEnd::Broken);
                    }
                }
                Some(open @ (b'{' | b'[')) => match self.capture(source) {
                    Captured::Whole(length) if open == b'{' => {
                        let item = source.window().get(..length).unwrap_or_default();
                        self.item(item, kind, source.line)?;
                        source.consume(length);
                    }
                    Captured::Whole(length) => {
                        self.next_record();
                        self.count(Reason::NotJson, source.line);
                        source.consume(length);
                    }
                    Captured::Cut(length) => {
                        self.next_record();
                        self.count(Reason::BadEnvelope, source.line);
                        source.consume(length);
                        return Ok(ArrayEnd::Broken);
                    }
                    Captured::TooLong => {
                        self.next_record();
                        self.count(Reason::TooLong, source.line);
                    }
                },
                Some(_) => {
                    self.next_record();
                    self.count(Reason::NotJson, source.line);
                    match source.value_end(0, self.options.max_record) {
                        Some(end) => source.consume(end),
                        None => {
                            source.skip_line();
                            return Ok(ArrayEnd::Broken);
                        }
                    }
                }
            }
        }
    }

    fn item(&mut self, item: &[u8], kind: Item, line: u64) -> Reading {
        match kind {
            Item::Event => self.emit(item, Meta::raw(line)),
            Item::LogEvent => self.log_event(item, line),
            Item::Carried => self.carried(item, line),
            Item::Ignored => Ok(()),
        }
    }

    /// Finds the end of the object or array at the window's start. A string does not go over a line end; where one does, or where
    /// what follows a line end cannot follow, the object breaks off.
    pub(super) fn capture(&mut self, source: &mut Source<'_>) -> Captured {
        let limit = self.options.max_record;
        let mut structure = Structure::within(0);
        let (mut fed, mut piece) = (0, PIECES.0);
        let (mut dropped, mut first_line) = (false, true);
        let mut opens_alone = false;
        loop {
            let rest = source.window().get(fed..).unwrap_or_default();
            let part = rest.get(..piece).unwrap_or(rest);
            piece = (piece * 2).min(PIECES.1);
            let newline = memchr::memchr(b'\n', part);
            let part = part.get(..newline.unwrap_or(part.len())).unwrap_or_default();
            let found = structure.feed(part);
            fed += found.unwrap_or(part.len());
            dropped |= fed > limit;
            if found.is_some() {
                if dropped {
                    source.consume(fed);
                    return Captured::TooLong;
                }
                return Captured::Whole(fed);
            }
            let mut ended = false;
            if newline.is_some() {
                if first_line {
                    opens_alone = !dropped && source.window().get(1..fed).unwrap_or_default().trim_ascii().is_empty();
                    first_line = false;
                }
                ended = structure.in_string() || !goes_on(source, fed, opens_alone);
                fed += usize::from(!ended);
            } else if fed == source.window().len() {
                ended = !source.fill();
            }
            if dropped {
                source.consume(fed);
                fed = 0;
            }
            if ended {
                return if dropped { Captured::TooLong } else { Captured::Cut(fed) };
            }
        }
    }

    /// Gives on what can be saved of a record that was cut or is no JSON.
    pub(super) fn cut(&mut self, text: &[u8], meta: Meta<'_>) -> Reading {
        let mut salvaged = std::mem::take(&mut self.salvaged);
        let result = if salvage(text, &mut salvaged) {
            self.count(Reason::Truncated, meta.line);
            self.emit(&salvaged, Meta { truncated: true, ..meta })
        } else {
            self.no_json(text, meta)
        };
        self.salvaged = salvaged;
        result
    }

    /// Counts what is no JSON by what is wrong with it, or gives it on if lines of text are wanted.
    fn no_json(&mut self, text: &[u8], meta: Meta<'_>) -> Reading {
        let reason = flatten(text, &mut |_, _| {}).map_or_else(|error| error.reason(), |()| Reason::NotJson);
        if self.options.text_lines && reason == Reason::NotJson {
            return self.emit(text, Meta { text: true, ..meta });
        }
        self.count(reason, meta.line);
        Ok(())
    }

    /// Reads a line that begins neither an object nor an array of objects.
    fn other_line(&mut self, source: &mut Source<'_>) -> Reading {
        let number = source.line;
        self.next_record();
        let Some((length, _)) = source.line_length(self.options.max_record) else {
            self.count(Reason::TooLong, number);
            source.skip_line();
            return Ok(());
        };
        let line = source.window().get(..length).unwrap_or_default().trim_ascii_end();
        if line.starts_with(GZIP_IN_BASE64) && self.layers < self.options.max_layers {
            let entered = self.enter(number);
            let result = self.base64(line, number);
            self.leave(entered);
            result?;
        } else {
            self.no_json(line, Meta::raw(number))?;
        }
        source.consume_line(length + 1);
        Ok(())
    }

    /// Reads a message of a log stream.
    pub(super) fn message(&mut self, message: &str, meta: Meta<'_>) -> Reading {
        let raw = message.as_bytes().trim_ascii();
        if raw.starts_with(b"{") && raw.ends_with(b"}") {
            return self.emit(raw, meta);
        }
        if meta.text && meta.origin == Origin::CloudWatch {
            return self.emit(raw, meta);
        }
        self.cut(raw, Meta { text: false, ..meta })
    }
}

/// Whether only white space follows up to the end of the line.
fn ends_line(source: &mut Source<'_>) -> bool {
    let mut at = 0;
    loop {
        match source.byte(at) {
            None | Some(b'\n') => return true,
            Some(b' ' | b'\t' | b'\r') => at += 1,
            Some(_) => return false,
        }
    }
}

/// Whether an object that is open at the line end at `newline` goes on after it.
fn goes_on(source: &mut Source<'_>, newline: usize, opens_alone: bool) -> bool {
    let last = source.window().get(..newline).unwrap_or_default().trim_ascii_end().last().copied();
    let Some((at, next)) = source.skip_space(newline) else { return false };
    let at_line_start = source.window().get(at.wrapping_sub(1)) == Some(&b'\n');
    // JSON lines begin so; an object over many lines indents, unless its own bracket stood alone.
    if next == b'{' && at_line_start && !opens_alone {
        return false;
    }
    let Some(last) = last else { return true };
    match next {
        b'{' | b'[' => matches!(last, b'[' | b':' | b','),
        b'"' => matches!(last, b'{' | b'[' | b':' | b','),
        b',' => !matches!(last, b'{' | b'[' | b':' | b','),
        b'}' | b']' => !matches!(last, b':' | b','),
        b':' => last == b'"',
        b't' | b'f' | b'n' | b'-' | b'0'..=b'9' => matches!(last, b'[' | b':' | b','),
        _ => false,
    }
}
