//! Reading the next lines of a file.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::Delivery;
use crate::lines::{LONGEST_LINE, Lines, line_ends, whole_lines};

use super::position::{Position, Stamp, read_full_at};

/// What lies after a position.
#[derive(Debug)]
pub(super) enum Look {
    /// Nothing that could be taken yet. `rest` bytes of a line without its end may wait.
    Nothing { stamp: Stamp, rest: u64 },
    /// Nothing to give on, but the position moves.
    Passed(Position),
    /// Lines, or the count of a line that is too long.
    Lines { delivery: Box<Delivery>, next: Position, stamp: Stamp },
    /// The file does not hold what was read of it before.
    Replaced,
}

/// Looks at what lies after `position`. With `last`, a line without its end is taken too.
pub(super) fn look(
    file: &File,
    path: &Path,
    position: &Position,
    limit: usize,
    last: bool,
    lines: &mut Lines,
) -> io::Result<Look> {
    let stamp = Stamp::of(&file.metadata()?);
    if stamp.size < position.offset {
        return Ok(Look::Replaced);
    }
    let there = usize::try_from(stamp.size - position.offset).unwrap_or(usize::MAX);
    let bytes = read_lines(file, position, limit.min(there))?;
    // Only now: had the file been replaced while it was read, the bytes would be of both.
    if !position.is_in(file, &bytes)? {
        return Ok(Look::Replaced);
    }
    if position.skipping {
        return Ok(pass_line(&bytes, position, stamp));
    }
    if bytes.first() == Some(&0) {
        let nuls = leading_nuls(file, position.offset)?;
        if let Some(nuls) = nuls {
            let mut next = position.clone();
            next.advance_nuls(nuls);
            return Ok(Look::Passed(next));
        }
        // A hole up to the end: it may yet be filled.
        return Ok(Look::Nothing { stamp, rest: 0 });
    }
    let whole = match whole_lines(&bytes) {
        0 if bytes.len() > LONGEST_LINE => {
            let mut next = position.clone();
            next.advance(&bytes);
            next.skipping = true;
            return Ok(Look::Lines { delivery: Box::new(lines.too_long(path, position.line)), next, stamp });
        }
        0 if last => bytes.len(),
        whole => whole,
    };
    let Some(whole) = bytes.get(..whole).filter(|whole| !whole.is_empty()) else {
        return Ok(Look::Nothing { stamp, rest: bytes.len() as u64 });
    };
    let mut next = position.clone();
    next.advance(whole);
    next.line += line_ends(whole);
    let delivery = Box::new(lines.deliver(path, whole, position.line));
    Ok(Look::Lines { delivery, next, stamp })
}

/// Reads `limit` bytes, or as many more as are needed for one line end, up to the longest line and one.
fn read_lines(file: &File, position: &Position, limit: usize) -> io::Result<Vec<u8>> {
    let limit = limit.clamp(1, LONGEST_LINE + 1);
    let mut bytes = vec![0; limit];
    let mut length = 0;
    loop {
        let room = bytes.get_mut(length..).unwrap_or_default();
        let read = read_full_at(file, room, position.offset + length as u64)?;
        let fresh = room.get(..read).unwrap_or_default();
        let found = memchr::memchr(b'\n', fresh).is_some();
        let full = read == room.len();
        length += read;
        if found || !full || position.skipping || length > LONGEST_LINE {
            break;
        }
        bytes.resize((length * 2).min(LONGEST_LINE + 1), 0);
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// Goes on in a line that is too long.
fn pass_line(bytes: &[u8], position: &Position, stamp: Stamp) -> Look {
    if bytes.is_empty() {
        return Look::Nothing { stamp, rest: 0 };
    }
    let end = memchr::memchr(b'\n', bytes);
    let mut next = position.clone();
    next.advance(bytes.get(..end.map_or(bytes.len(), |end| end + 1)).unwrap_or(bytes));
    next.skipping = end.is_none();
    next.line += u64::from(end.is_some());
    Look::Passed(next)
}

/// How many NUL bytes lie at an offset, or none if there is nothing else up to the end. A writer that keeps its place
/// leaves such a hole when its file is truncated under it.
fn leading_nuls(file: &File, offset: u64) -> io::Result<Option<u64>> {
    let mut piece = vec![0; 256 * 1024];
    let mut count = 0;
    loop {
        let length = read_full_at(file, &mut piece, offset + count)?;
        let read = piece.get(..length).unwrap_or_default();
        match read.iter().position(|byte| *byte != 0) {
            Some(nuls) => return Ok(Some(count + nuls as u64)),
            None if read.is_empty() => return Ok(None),
            None => count += length as u64,
        }
    }
}

/// The offset of the last line that has begun before the end of a file: where the next whole line will begin. If none
/// begins within the length of the longest line, the end itself, which lies in a line that is to be passed over.
pub(super) fn last_line_start(file: &File) -> io::Result<(u64, bool)> {
    let size = file.metadata()?.len();
    let mut piece = vec![0; 64 * 1024];
    let mut end = size;
    while end > 0 && size - end <= LONGEST_LINE as u64 {
        let start = end.saturating_sub(piece.len() as u64);
        let room = piece.get_mut(..(end - start) as usize).unwrap_or_default();
        let length = read_full_at(file, room, start)?;
        let found = whole_lines(room.get(..length).unwrap_or_default());
        if found > 0 {
            return Ok((start + found as u64, false));
        }
        end = start;
    }
    Ok(if end == 0 { (0, false) } else { (size, true) })
}
