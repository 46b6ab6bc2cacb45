//! The files that rules are made of.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex};

use masthead_ir::{Diagnostic, Span};
use walkdir::WalkDir;

use crate::node::Node;
use crate::parse::parse;

/// How large a rule file may be.
const MAX_FILE: u64 = 8 << 20;
/// How far up the folders of shared content are looked for.
const MAX_ANCESTORS: usize = 6;
/// Which files are read.
const EXTENSIONS: [&str; 6] = ["yml", "yaml", "toml", "py", "csv", "sql"];

/// A rule file.
#[derive(Debug)]
pub struct RuleFile {
    /// Its path, as it was given or found.
    pub path: PathBuf,
    /// Its text; empty if it could not be read.
    pub text: Arc<str>,
    /// What is in it.
    pub content: Content,
    /// Whether it was named itself, not found in a folder.
    pub named: bool,
}

/// What is in a rule file.
#[derive(Debug)]
pub enum Content {
    /// YAML documents, or the one document of a TOML file.
    Yaml(Vec<Node>),
    /// Text in another language, by the file's extension in lower case.
    Text(String),
    /// It could not be read.
    Invalid(Diagnostic),
}

impl RuleFile {
    fn new(path: PathBuf, text: Result<String, Box<Diagnostic>>, named: bool) -> (RuleFile, Vec<Diagnostic>) {
        let (text, unreadable) = match text {
            Ok(text) => (Arc::<str>::from(text), None),
            Err(diagnostic) => (Arc::from(""), Some(diagnostic)),
        };
        let mut warnings = Vec::new();
        let span = |start, end| Span { path: path.clone(), text: text.clone(), start, end };
        let content = match (unreadable, extension(&path)) {
            (Some(diagnostic), _) if diagnostic.span.is_some() => Content::Invalid(*diagnostic),
            (Some(diagnostic), _) => Content::Invalid(diagnostic.at(span(0, 0))),
            (None, "yml" | "yaml") => match parse(&text) {
                Ok((documents, duplicates)) => {
                    warnings.extend(duplicates.into_iter().map(|twice| {
                        Diagnostic::warning("yaml-duplicate-key", format!("the key `{}` is given twice", twice.key))
                            .at(span(twice.span.start, twice.span.end))
                            .help("the last one counts; remove the others")
                    }));
                    Content::Yaml(documents)
                }
                Err(error) => Content::Invalid(
                    Diagnostic::error("yaml-syntax", format!("this is no YAML: {}", error.message))
                        .at(span(error.offset, error.offset)),
                ),
            },
            (None, "toml") => match crate::toml::parse(&text) {
                Ok(document) => Content::Yaml(vec![document]),
                Err(error) => Content::Invalid(
                    Diagnostic::error("toml-syntax", format!("this is no TOML: {}", error.message))
                        .at(span(error.offset, error.offset)),
                ),
            },
            (None, other) => Content::Text(other.to_owned()),
        };
        (RuleFile { path, text, content, named }, warnings)
    }

    /// The first YAML document, if it is a mapping.
    pub fn mapping(&self) -> Option<&Node> {
        match &self.content {
            Content::Yaml(documents) => documents.first().filter(|node| !node.entries().is_empty()),
            _ => None,
        }
    }

    /// The place of a node of this file.
    pub fn span(&self, node: &Node) -> Span {
        Span { path: self.path.clone(), text: self.text.clone(), start: node.span.start, end: node.span.end }
    }

    /// The place of bytes `range` within the value of a scalar of this file.
    pub fn span_within(&self, node: &Node, range: std::ops::Range<usize>) -> Span {
        let start = node.offset_of(&self.text, range.start);
        let end = if range.end > range.start { node.offset_of(&self.text, range.end - 1) + 1 } else { start };
        Span { path: self.path.clone(), text: self.text.clone(), start, end: end.max(start) }
    }

    /// The file's name without folder and extension.
    pub fn stem(&self) -> &str {
        self.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
    }
}

fn extension(path: &Path) -> &'static str {
    let found = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    EXTENSIONS.iter().find(|known| found.eq_ignore_ascii_case(known)).copied().unwrap_or("")
}

/// Where files come from.
#[derive(Debug)]
enum Store {
    Disk,
    /// Path and text, sorted.
    Memory(BTreeMap<PathBuf, String>),
}

/// The rule files that were asked for, and those that they need.
#[derive(Debug)]
pub struct Corpus {
    /// The files that were asked for, sorted by path.
    pub files: Vec<Arc<RuleFile>>,
    /// Warnings about files, whatever dialect they are of.
    pub warnings: Vec<Diagnostic>,
    store: Store,
    folders: Mutex<HashMap<PathBuf, Vec<Arc<RuleFile>>>>,
}

impl Corpus {
    /// Reads files, and all files of folders that may be rules. Hidden files and folders are passed over.
    ///
    /// # Errors
    /// When a path that was named cannot be read at all. A file of a folder that cannot be read is
    /// [`Content::Invalid`].
    pub fn read(paths: &[PathBuf]) -> Result<Corpus, (PathBuf, io::Error)> {
        let (mut files, mut warnings) = (BTreeMap::new(), Vec::new());
        for path in paths {
            let metadata = fs::metadata(path).map_err(|error| (path.clone(), error))?;
            let found = if metadata.is_dir() { walk(path) } else { vec![path.clone()] };
            for file in found {
                let named = file == *path;
                let (file, more) = RuleFile::new(file.clone(), read_text(&file), named);
                warnings.extend(more);
                files.insert(file.path.clone(), Arc::new(file));
            }
        }
        Ok(Corpus { files: files.into_values().collect(), warnings, store: Store::Disk, folders: Mutex::default() })
    }

    /// The same over files in memory.
    pub fn from_memory(files: Vec<(PathBuf, String)>) -> Corpus {
        let files: BTreeMap<PathBuf, String> = files.into_iter().collect();
        let (mut read, mut warnings) = (Vec::new(), Vec::new());
        for (path, text) in &files {
            let (file, more) = RuleFile::new(path.clone(), Ok(text.clone()), false);
            warnings.extend(more);
            read.push(Arc::new(file));
        }
        Corpus { files: read, warnings, store: Store::Memory(files), folders: Mutex::default() }
    }

    /// A file beside another one.
    pub fn sibling(&self, file: &RuleFile, name: &str) -> Option<Arc<RuleFile>> {
        let path = file.path.parent()?.join(name);
        if let Some(found) = self.files.iter().find(|other| other.path == path) {
            return Some(found.clone());
        }
        let text = match &self.store {
            Store::Disk => path.is_file().then(|| read_text(&path))?,
            Store::Memory(files) => Ok(files.get(&path)?.clone()),
        };
        Some(Arc::new(RuleFile::new(path, text, false).0))
    }

    /// The files of shared content for a rule: of folders of these names that stand beside one of the folders that the
    /// rule's file lies in. The nearest ancestor that has any of them counts; the search ends at the root of a repository.
    pub fn context(&self, path: &Path, names: &[&str]) -> Vec<Arc<RuleFile>> {
        let mut seen = 0;
        for ancestor in self.above(path) {
            let folders: Vec<PathBuf> =
                names.iter().map(|name| ancestor.join(name)).filter(|folder| self.is_folder(folder)).collect();
            if !folders.is_empty() {
                return folders.iter().flat_map(|folder| self.folder(folder)).collect();
            }
            seen += 1;
            if seen > MAX_ANCESTORS || self.is_folder(&ancestor.join(".git")) {
                break;
            }
        }
        Vec::new()
    }

    /// The folders that a file lies in, the nearest first. A relative path goes on above the current folder.
    fn above(&self, path: &Path) -> Vec<PathBuf> {
        let goes_up = |path: &Path| path.components().all(|c| matches!(c, Component::CurDir | Component::ParentDir));
        let mut folders: Vec<PathBuf> = Vec::new();
        for ancestor in path.ancestors().skip(1) {
            folders.push(ancestor.to_owned());
            if goes_up(ancestor) {
                break;
            }
        }
        if path.is_relative() && matches!(self.store, Store::Disk) {
            let last = folders.last().map_or(Path::new(""), PathBuf::as_path);
            let last = if last == Path::new(".") { Path::new("") } else { last }.to_owned();
            folders.extend(std::iter::successors(Some(last.join("..")), |up| Some(up.join(".."))).take(MAX_ANCESTORS));
        }
        folders
    }

    fn is_folder(&self, path: &Path) -> bool {
        match &self.store {
            // An empty path is the current folder.
            Store::Disk if path.as_os_str().is_empty() => true,
            Store::Disk => path.is_dir(),
            Store::Memory(files) => files.keys().any(|file| file.starts_with(path) && file != path),
        }
    }

    /// Every rule file of a folder, read once.
    fn folder(&self, folder: &Path) -> Vec<Arc<RuleFile>> {
        let mut folders = self.folders.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(files) = folders.get(folder) {
            return files.clone();
        }
        let paths = match &self.store {
            Store::Disk => walk(folder),
            Store::Memory(files) => files.keys().filter(|file| file.starts_with(folder)).cloned().collect(),
        };
        let read = |path: PathBuf| {
            if let Ok(at) = self.files.binary_search_by(|file| file.path.cmp(&path)) {
                return self.files[at].clone();
            }
            let text = match &self.store {
                Store::Disk => read_text(&path),
                Store::Memory(files) => Ok(files.get(&path).cloned().unwrap_or_default()),
            };
            Arc::new(RuleFile::new(path, text, false).0)
        };
        let files: Vec<Arc<RuleFile>> = paths.into_iter().map(read).collect();
        folders.insert(folder.to_owned(), files.clone());
        files
    }
}

/// The rule files of a folder and its subfolders, sorted by path.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let visible = |entry: &walkdir::DirEntry| {
        entry.depth() == 0 || !entry.file_name().to_str().is_some_and(|name| name.starts_with('.'))
    };
    let entries = WalkDir::new(folder).follow_links(true).sort_by_file_name().into_iter().filter_entry(visible);
    let mut files: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file() && !extension(entry.path()).is_empty())
        .map(walkdir::DirEntry::into_path)
        .collect();
    files.sort();
    files
}

fn read_text(path: &Path) -> Result<String, Box<Diagnostic>> {
    let fault = |message: String| Box::new(Diagnostic::error("unreadable-file", message));
    let length = fs::metadata(path).map_err(|error| fault(format!("the file cannot be read: {error}")))?.len();
    if length > MAX_FILE {
        return Err(fault(format!("the file is {length} bytes long; a rule file may have {MAX_FILE}")));
    }
    let bytes = fs::read(path).map_err(|error| fault(format!("the file cannot be read: {error}")))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
        Err(error) => {
            let start = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes());
            let span = Span { path: path.to_owned(), text: Arc::from(&*text), start, end: start + 1 };
            Err(Box::new(fault("the file is not UTF-8".to_owned()).at(span)))
        }
    }
}
