//! The files behind the paths that a user names.

use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// A file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its path, or `-` for the standard input.
    pub path: PathBuf,
    /// Its size in bytes as it lies there; 0 where that is not known (standard input, pipes).
    pub size: u64,
}

impl Input {
    /// Whether it is the standard input.
    pub fn is_stdin(&self) -> bool {
        is_stdin(&self.path)
    }
}

/// A path that gives nothing to read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct InputError {
    /// The path.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub source: io::Error,
}

pub(crate) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// The files behind `paths`, in the order of `paths`; the files of a folder and its subfolders in the order of their
/// names. Links are followed. In folders only regular files are read; what else lies there, and what cannot be read,
/// is an error beside the files, so that nothing is passed over in silence.
pub fn discover<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> (Vec<Input>, Vec<InputError>) {
    let (mut inputs, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        let path = path.as_ref();
        if is_stdin(path) {
            inputs.push(Input { path: path.to_path_buf(), size: 0 });
            continue;
        }
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => folder(path, &mut inputs, &mut errors),
            Ok(metadata) => inputs.push(Input { path: path.to_path_buf(), size: metadata.len() }),
            Err(source) => errors.push(InputError { path: path.to_path_buf(), source }),
        }
    }
    (inputs, errors)
}

fn folder(root: &Path, inputs: &mut Vec<Input>, errors: &mut Vec<InputError>) {
    for entry in WalkDir::new(root).follow_links(true).sort_by_file_name() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().unwrap_or(root).to_path_buf();
                errors.push(InputError { path, source: error.into() });
                continue;
            }
        };
        if entry.file_type().is_dir() {
            continue;
        }
        let path = entry.path().to_path_buf();
        match entry.metadata() {
            Ok(metadata) if metadata.is_file() => inputs.push(Input { path, size: metadata.len() }),
            Ok(_) => errors.push(InputError { path, source: io::Error::other("not a regular file") }),
            Err(error) => errors.push(InputError { path, source: error.into() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_read_in_order_and_nothing_is_passed_over_in_silence() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path();
        std::fs::create_dir(root.join("b")).expect("a folder");
        for (name, text) in [("c.jsonl", "{}\n"), ("b/z", "1"), ("b/.hidden", "22"), ("a.gz", "")] {
            std::fs::write(root.join(name), text).expect("a file");
        }
        let missing = root.join("missing");
        #[cfg(unix)]
        std::os::unix::fs::symlink(&missing, root.join("d")).expect("a link");
        let (inputs, errors) = discover([root, Path::new("-"), &missing]);
        let found: Vec<_> =
            inputs.iter().map(|input| (input.path.strip_prefix(root).unwrap_or(&input.path), input.size)).collect();
        let expected = [("a.gz", 0), ("b/.hidden", 2), ("b/z", 1), ("c.jsonl", 3), ("-", 0)];
        assert_eq!(found, expected.map(|(name, size)| (Path::new(name), size)));
        let bad: Vec<_> = errors.iter().map(|error| error.path.clone()).collect();
        if cfg!(unix) {
            assert_eq!(bad, [root.join("d"), missing]);
        }
    }
}
