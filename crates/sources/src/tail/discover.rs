//! The files that globs name.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use walkdir::WalkDir;

use super::TailError;
use super::position::{FileId, Stamp};

/// Folders are not looked into deeper, even with `**`.
const DEEPEST: usize = 32;

/// More files are not followed by one tail.
const MOST_FILES: usize = 10_000;

/// More problems are not told one by one.
const MOST_PROBLEMS: usize = 100;

/// A glob, and where to look for what it names.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) text: String,
    base: PathBuf,
    depth: usize,
    /// None if it names one path.
    matcher: Option<GlobMatcher>,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Result<Pattern, TailError> {
        let wrong = |reason: String| TailError::Glob { glob: text.to_owned(), reason };
        if text.trim().is_empty() {
            return Err(wrong("it is empty".to_owned()));
        }
        let parts: Vec<_> = Path::new(text).components().collect();
        let is_pattern = |part: &&std::path::Component<'_>| {
            part.as_os_str().as_encoded_bytes().iter().any(|byte| b"*?[]{}\\".contains(byte))
        };
        let fixed = parts.iter().position(|part| is_pattern(&part)).unwrap_or(parts.len());
        let (base, rest) = parts.split_at(fixed);
        let base: PathBuf = base.iter().collect();
        if rest.is_empty() {
            return Ok(Pattern { text: text.to_owned(), base, depth: 0, matcher: None });
        }
        let whole: PathBuf = parts.iter().collect();
        let glob = GlobBuilder::new(&whole.to_string_lossy())
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|error| wrong(error.kind().to_string()))?;
        let deep = rest.iter().any(|part| part.as_os_str().as_encoded_bytes().windows(2).any(|two| two == b"**"));
        let depth = if deep { DEEPEST } else { rest.len().min(DEEPEST) };
        Ok(Pattern { text: text.to_owned(), base, depth, matcher: Some(glob.compile_matcher()) })
    }
}

/// A file that some glob names.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) id: FileId,
    /// All paths that lead to it, links too.
    pub(super) paths: Vec<PathBuf>,
    /// The globs that name it.
    pub(super) globs: Vec<usize>,
    pub(super) stamp: Stamp,
    pub(super) modified: std::time::SystemTime,
}

/// What lies there.
#[derive(Debug, Default)]
pub(super) struct Discovery {
    /// Each file once, in order of globs and paths.
    pub(super) files: Vec<Found>,
    /// What could not be looked at.
    pub(super) problems: BTreeMap<PathBuf, String>,
    places: HashMap<FileId, usize>,
}

/// Finds the files that the globs name now.
pub(super) fn discover(patterns: &[Pattern]) -> Discovery {
    let mut discovery = Discovery::default();
    for (glob, pattern) in patterns.iter().enumerate() {
        match &pattern.matcher {
            None => match std::fs::metadata(&pattern.base) {
                Ok(metadata) => discovery.add(pattern.base.clone(), glob, &metadata),
                Err(error) => discovery.problem(pattern.base.clone(), error.to_string()),
            },
            Some(matcher) => discovery.walk(pattern, glob, matcher),
        }
    }
    discovery
}

impl Discovery {
    fn walk(&mut self, pattern: &Pattern, glob: usize, matcher: &GlobMatcher) {
        let here = pattern.base.as_os_str().is_empty();
        let root = if here { Path::new(".") } else { &pattern.base };
        let walk = WalkDir::new(root).follow_links(true).min_depth(1).max_depth(pattern.depth).sort_by_file_name();
        for entry in walk {
            let bare = |path: &Path| match path.strip_prefix(".") {
                Ok(bare) if here => bare.to_path_buf(),
                _ => path.to_path_buf(),
            };
            match entry {
                Ok(entry) if entry.file_type().is_file() => {
                    let path = bare(entry.path());
                    if !matcher.is_match(&path) {
                        continue;
                    }
                    match entry.metadata() {
                        Ok(metadata) => self.add(path, glob, &metadata),
                        Err(error) => self.problem(path, error.to_string()),
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    let path = bare(error.path().unwrap_or(root));
                    // What was renamed or deleted during the walk is not missing.
                    let gone = error.io_error().is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound)
                        && error.depth() > 0
                        && std::fs::symlink_metadata(&path).is_err();
                    if !gone && (matcher.is_match(&path) || pattern.base.starts_with(&path) || path.is_dir()) {
                        let why = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                        self.problem(path, why);
                    }
                }
            }
        }
    }

    fn add(&mut self, path: PathBuf, glob: usize, metadata: &std::fs::Metadata) {
        if !metadata.is_file() {
            let kind = if metadata.is_dir() { "a folder; name its files, as in folder/*.log" } else { "not a file" };
            return self.problem(path, kind.to_owned());
        }
        let id = FileId::of(metadata);
        if let Some(known) = self.places.get(&id).and_then(|place| self.files.get_mut(*place)) {
            if !known.paths.contains(&path) {
                known.paths.push(path);
            }
            if !known.globs.contains(&glob) {
                known.globs.push(glob);
            }
            return;
        }
        if self.files.len() >= MOST_FILES {
            return self.problem(path, format!("not followed: there are more than {MOST_FILES} files"));
        }
        self.places.insert(id, self.files.len());
        let modified = metadata.modified().unwrap_or(std::time::UNIX_EPOCH);
        self.files.push(Found { id, paths: vec![path], globs: vec![glob], stamp: Stamp::of(metadata), modified });
    }

    fn problem(&mut self, path: PathBuf, why: String) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.entry(path).or_insert(why);
        }
    }

    /// The file with an identity, if it was found.
    pub(super) fn get(&self, id: FileId) -> Option<&Found> {
        self.files.get(*self.places.get(&id)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(root: &Path, globs: &[&str]) -> (Vec<String>, Vec<String>) {
        let absolute: Vec<_> =
            globs.iter().map(|glob| Pattern::new(&format!("{}/{glob}", root.display())).unwrap()).collect();
        let discovery = discover(&absolute);
        let bare = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
        let files = discovery.files.iter().map(|file| bare(&file.paths[0])).collect();
        (files, discovery.problems.keys().map(|path| bare(path)).collect())
    }

    #[test]
    fn globs_name_files_once_and_say_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("a/deep/er")).unwrap();
        for name in ["a/x.log", "a/y.txt", "a/deep/z.log", "a/deep/er/w.log", "top.log"] {
            std::fs::write(root.join(name), "1").unwrap();
        }
        std::os::unix::fs::symlink(root.join("top.log"), root.join("a/link.log")).unwrap();
        std::os::unix::fs::symlink(root.join("nowhere"), root.join("a/broken.log")).unwrap();
        let none: &[&str] = &[];
        let check = |globs: &[&str], files: &[&str], problems: &[&str]| {
            let (found, missing) = found(root, globs);
            assert_eq!(found, files, "{globs:?}");
            assert_eq!(missing, problems, "{globs:?}");
        };
        check(&["*.log"], &["top.log"], none);
        check(&["top.log", "a/*.log"], &["top.log", "a/x.log"], &["a/broken.log"]);
        check(&["a/deep/**/*.log"], &["a/deep/er/w.log", "a/deep/z.log"], none);
        check(&["a/*/{z,v}.log", "a/deep/z.log"], &["a/deep/z.log"], none);
        check(&["a", "b/*.log", "c"], &[], &["a", "b", "c"]);
    }

    #[test]
    fn wrong_globs_are_named() {
        for glob in ["", "a/[z", "a/{b"] {
            let error = Pattern::new(glob).unwrap_err().to_string();
            assert!(error.contains(&format!("`{glob}`")), "{error}");
        }
    }
}
