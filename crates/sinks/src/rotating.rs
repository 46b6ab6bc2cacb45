//! A file of lines that is bounded in size.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Mutex;

/// Lines in a file. When the file is as large as allowed it is renamed to `….1`, `….1` to `….2` and so on; the oldest goes. The
/// file is opened for each write, so that others may move it away.
#[derive(Debug, Clone)]
pub(crate) struct RotatingFile {
    place: Arc<Place>,
    /// One write at a time. The lock is taken before a thread is: a file system that hangs must not take one thread after
    /// the other.
    writing: Arc<Mutex<()>>,
}

#[derive(Debug)]
struct Place {
    path: PathBuf,
    max_bytes: u64,
    keep: u32,
}

impl RotatingFile {
    pub(crate) fn new(path: &Path, max_bytes: u64, keep: u32) -> RotatingFile {
        let place = Arc::new(Place { path: path.to_owned(), max_bytes: max_bytes.max(1), keep });
        RotatingFile { place, writing: Arc::new(Mutex::new(())) }
    }

    /// Appends whole lines, all or none of them, and has them on the disk when it returns.
    pub(crate) async fn append(&self, lines: Vec<u8>) -> io::Result<()> {
        let place = Arc::clone(&self.place);
        let guard = Arc::clone(&self.writing).lock_owned().await;
        let write = move || {
            let _guard = guard;
            place.append(&lines)
        };
        tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?
    }
}

impl Place {
    fn append(&self, lines: &[u8]) -> io::Result<()> {
        let size = std::fs::metadata(&self.path).map_or(0, |meta| meta.len());
        if size > 0 && size.saturating_add(lines.len() as u64) > self.max_bytes {
            self.rotate()?;
        }
        let mut file = self.open()?;
        let start = file.seek(SeekFrom::End(0))?;
        let written = self.write(&mut file, start, lines);
        if written.is_err() {
            // The lines come again, so half of one must not stay. If this fails too, the next write ends the line.
            let _ = file.set_len(start);
        }
        written
    }

    fn open(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.create(true).append(true).read(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        options.open(&self.path)
    }

    fn write(&self, file: &mut File, start: u64, lines: &[u8]) -> io::Result<()> {
        if start > 0 {
            let mut last = [0];
            file.seek(SeekFrom::Start(start - 1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        file.write_all(lines)?;
        file.sync_data()
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }

    fn rotate(&self) -> io::Result<()> {
        if self.keep == 0 {
            return std::fs::remove_file(&self.path);
        }
        for number in (1..self.keep).rev() {
            let from = self.numbered(number);
            if from.exists() {
                std::fs::rename(from, self.numbered(number + 1))?;
            }
        }
        std::fs::rename(&self.path, self.numbered(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[tokio::test]
    async fn a_full_file_is_moved_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let file = RotatingFile::new(&path, 10, 2);
        for line in ["aaaa\n", "bbbb\n", "cccc\n", "dddddddddddddddd\n", "e\n"] {
            file.append(line.as_bytes().to_vec()).await.unwrap();
        }
        assert_eq!(read(&path), "e\n");
        assert_eq!(read(&folder.path().join("out.1")), "dddddddddddddddd\n");
        assert_eq!(read(&folder.path().join("out.2")), "cccc\n");
        assert!(!folder.path().join("out.3").exists());
    }

    #[tokio::test]
    async fn half_a_line_left_by_a_crash_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        std::fs::write(&path, "half").unwrap();
        RotatingFile::new(&path, 1000, 1).append(b"whole\n".to_vec()).await.unwrap();
        assert_eq!(read(&path), "half\nwhole\n");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_the_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        RotatingFile::new(&path, 1000, 1).append(b"x\n".to_vec()).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(RotatingFile::new(&folder.path().join("none/out"), 1, 1).append(b"x\n".to_vec()).await.is_err());
    }
}
