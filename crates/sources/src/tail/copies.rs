//! Files that begin with what another file holds: what copying and truncating leaves behind.

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::position::{FINGERPRINT, FileId, Position, read_full_at};

/// What a file holds, or held before it was truncated.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) id: FileId,
    pub(super) position: Position,
    /// The file, if it still holds that.
    pub(super) file: Option<Arc<File>>,
}

/// Whether a file is a copy of another.
#[derive(Debug)]
pub(super) enum Copied {
    /// It is not.
    No,
    /// It holds what was read of the other up to this position.
    UpTo(Position),
    /// It begins like the other and is shorter than what was read of that. Its end, if all of it was compared and is the
    /// same.
    Partly(Option<Position>),
}

/// Finds the file of which another is a copy. Only contents of which a full fingerprint was read are compared: short ones
/// may be equal by chance.
pub(super) fn find_origin(file: &File, id: FileId, origins: &[Origin]) -> io::Result<Copied> {
    let size = file.metadata()?.len();
    let mut partly = Copied::No;
    for origin in origins.iter().filter(|origin| origin.id != id) {
        let read = &origin.position;
        if read.offset < FINGERPRINT as u64 || size < FINGERPRINT as u64 {
            continue;
        }
        if size >= read.offset {
            if read.is_in(file, &[])? {
                return Ok(Copied::UpTo(read.clone()));
            }
            continue;
        }
        let head = Position::at(file, FINGERPRINT as u64, 1, false)?;
        if head.is_none_or(|head| head.head != read.head) {
            continue;
        }
        let whole = match &origin.file {
            Some(other) if same_up_to(file, other, size)? => Position::at(file, size, 1, false)?,
            _ => None,
        };
        if whole.is_some() || matches!(partly, Copied::No) {
            partly = Copied::Partly(whole);
        }
    }
    Ok(partly)
}

/// Whether two files are equal in their first `size` bytes.
fn same_up_to(one: &File, other: &File, size: u64) -> io::Result<bool> {
    let (mut left, mut right) = (vec![0; 256 * 1024], vec![0; 256 * 1024]);
    let mut offset = 0;
    while offset < size {
        let length = (size - offset).min(left.len() as u64) as usize;
        let (left, right) = (left.get_mut(..length).unwrap_or_default(), right.get_mut(..length).unwrap_or_default());
        if read_full_at(one, left, offset)? != length || read_full_at(other, right, offset)? != length || left != right
        {
            return Ok(false);
        }
        offset += length as u64;
    }
    Ok(true)
}
