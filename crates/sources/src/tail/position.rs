//! How far a file was read, and how it is found to be the same file again.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// So many bytes at the beginning, and before the position, tell a content from another.
pub(super) const FINGERPRINT: usize = 1024;

/// A file as long as it exists: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct FileId {
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl FileId {
    pub(super) fn of(metadata: &Metadata) -> FileId {
        FileId { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// What changes when a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) size: u64,
    modified: (i64, i64),
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Stamp {
        Stamp { size: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) }
    }
}

/// How far a file was read: all before `offset` is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) offset: u64,
    /// The number of the line that begins at `offset`, from 1.
    pub(super) line: u64,
    /// Whether `offset` lies in a line that is too long and is passed over.
    pub(super) skipping: bool,
    /// The first bytes of what was read.
    pub(super) head: Vec<u8>,
    /// The last bytes of what was read.
    before: Vec<u8>,
}

impl Position {
    pub(super) fn start() -> Position {
        Position { offset: 0, line: 1, skipping: false, head: Vec::new(), before: Vec::new() }
    }

    /// A position in a file as it lies there. None if the file does not reach so far.
    pub(super) fn at(file: &File, offset: u64, line: u64, skipping: bool) -> io::Result<Option<Position>> {
        let length = fingerprint_length(offset);
        let (mut head, mut before) = (vec![0; length], vec![0; length]);
        let read =
            file.read_exact_at(&mut head, 0).and_then(|()| file.read_exact_at(&mut before, offset - length as u64));
        match read {
            Ok(()) => Ok(Some(Position { offset, line, skipping, head, before })),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Goes over bytes that follow the position.
    pub(super) fn advance(&mut self, bytes: &[u8]) {
        let room = FINGERPRINT.saturating_sub(self.head.len());
        self.head.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        self.before.extend_from_slice(bytes.get(bytes.len().saturating_sub(FINGERPRINT)..).unwrap_or_default());
        let old = self.before.len().saturating_sub(FINGERPRINT);
        self.before.drain(..old);
        self.offset += bytes.len() as u64;
    }

    /// Goes over NUL bytes that follow the position.
    pub(super) fn advance_nuls(&mut self, count: u64) {
        let nuls = [0; FINGERPRINT];
        let fingerprint = (count as usize).min(FINGERPRINT);
        self.advance(nuls.get(..fingerprint).unwrap_or(&nuls));
        self.offset += count - fingerprint as u64;
    }

    /// Whether a file still holds what was read, and `next` after it.
    pub(super) fn is_in(&self, file: &File, next: &[u8]) -> io::Result<bool> {
        let room = FINGERPRINT.saturating_sub(self.head.len());
        let fresh = next.get(..room).unwrap_or(next);
        Ok(holds(file, 0, &self.head)?
            && holds(file, self.head.len() as u64, fresh)?
            && holds(file, self.offset - self.before.len() as u64, &self.before)?)
    }

    /// What is kept of it. `name` is the file's.
    pub(super) fn checkpoint(&self, name: &str, rotated: bool) -> Checkpoint {
        Checkpoint {
            offset: self.offset,
            line: self.line,
            skipping: self.skipping,
            fingerprint: hash(&[&self.head, &self.before]),
            name: name.to_owned(),
            rotated,
        }
    }

    /// The [`Identity`] of what was read.
    pub(super) fn identity(&self, id: FileId) -> Identity {
        Identity::of(&self.head, id)
    }
}

/// The name under which the checkpoint of a file is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// The inode, and a hash of the first line as far as it goes in the fingerprint. The device is not in it: many file
    /// systems get another number with each start of the machine.
    pub(super) name: String,
    /// Whether the first line is there, so that the name will not change when the file grows.
    pub(super) settled: bool,
}

impl Identity {
    /// That of a file that begins so.
    pub(super) fn of(head: &[u8], id: FileId) -> Identity {
        let first_line = memchr::memchr(b'\n', head).map(|end| end + 1);
        let settled = first_line.is_some() || head.len() >= FINGERPRINT;
        let named = head.get(..first_line.unwrap_or(head.len())).unwrap_or(head);
        Identity { name: format!("{:x}-{}", id.inode, hash(&[named])), settled }
    }
}

/// The first bytes of a file, up to the size of the fingerprint.
pub(super) fn read_head(file: &File) -> io::Result<Vec<u8>> {
    let mut head = vec![0; FINGERPRINT];
    let length = read_full_at(file, &mut head, 0)?;
    head.truncate(length);
    Ok(head)
}

/// Reads until the buffer is full or the file ends.
pub(super) fn read_full_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut length = 0;
    while let Some(room) = buffer.get_mut(length..).filter(|room| !room.is_empty()) {
        match file.read_at(room, offset + length as u64) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

fn fingerprint_length(offset: u64) -> usize {
    offset.min(FINGERPRINT as u64) as usize
}

fn holds(file: &File, offset: u64, expected: &[u8]) -> io::Result<bool> {
    let mut found = vec![0; expected.len()];
    let length = read_full_at(file, &mut found, offset)?;
    Ok(length == expected.len() && found == expected)
}

fn hash(parts: &[&[u8]]) -> String {
    use std::fmt::Write;
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().iter().take(16).fold(String::with_capacity(32), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A position as it is kept with the events before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    pub(super) offset: u64,
    pub(super) line: u64,
    #[serde(default)]
    pub(super) skipping: bool,
    /// A hash of the first and last bytes before the offset.
    pub(super) fingerprint: String,
    /// The file's name when it was written.
    pub(super) name: String,
    /// Whether the file was found to have been rotated away.
    #[serde(default)]
    pub(super) rotated: bool,
}

impl Checkpoint {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // Text and numbers can always be written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Checkpoint> {
        serde_json::from_slice(bytes).ok()
    }

    /// The position in a file, if the file holds what was read.
    pub(super) fn position(&self, file: &File) -> io::Result<Option<Position>> {
        let position = Position::at(file, self.offset, self.line, self.skipping)?;
        Ok(position.filter(|position| hash(&[&position.head, &position.before]) == self.fingerprint))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn advancing_gives_what_the_file_gives(parts in prop::collection::vec((0usize..3000, any::<u8>()), 1..5), nuls in 0u64..3000) {
            let mut file = tempfile::tempfile().unwrap();
            let mut position = Position::start();
            for (length, byte) in parts {
                let part: Vec<u8> = (0..length).map(|at| byte.wrapping_add(at as u8)).collect();
                file.write_all(&part).unwrap();
                prop_assert!(position.is_in(&file, &part).unwrap());
                position.advance(&part);
            }
            file.write_all(&vec![0; nuls as usize]).unwrap();
            position.advance_nuls(nuls);
            prop_assert_eq!(Position::at(&file, position.offset, 1, false).unwrap(), Some(position.clone()));
            let kept = Checkpoint::from_bytes(&position.checkpoint("a", false).to_bytes()).unwrap();
            prop_assert_eq!(kept.position(&file).unwrap(), Some(position));
        }
    }

    #[test]
    fn another_content_is_not_taken_for_the_same() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"one\ntwo\n").unwrap();
        let mut position = Position::start();
        position.advance(b"one\n");
        assert!(position.is_in(&file, b"two\n").unwrap());
        assert!(!position.is_in(&file, b"six\n").unwrap());
        let kept = position.checkpoint("a", false);
        file.write_at(b"0", 0).unwrap();
        assert!(!position.is_in(&file, b"").unwrap());
        assert_eq!(kept.position(&file).unwrap(), None);
        file.set_len(2).unwrap();
        assert!(!position.is_in(&file, b"").unwrap());
        assert_eq!(kept.position(&file).unwrap(), None);
    }

    #[test]
    fn the_identity_does_not_change_when_the_file_grows() {
        let id = FileId { device: 1, inode: 0x2a };
        let name = |head: &[u8]| Identity::of(head, id);
        assert!(!name(b"").settled && !name(b"first").settled);
        let short = name(b"first\n");
        assert!(short.settled && short.name.starts_with("2a-"), "{short:?}");
        assert_eq!(name(b"first\nsecond\n"), short);
        assert_ne!(name(b"third\nsecond\n"), short);
        let long = [b'x'; FINGERPRINT];
        assert!(name(&long).settled && !name(&long[1..]).settled);
    }
}
