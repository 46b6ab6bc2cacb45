//! What is wrong with a rule, and where.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Level {
    Note,
    Warning,
    Error,
}

/// Something to say about a rule file.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    /// A stable name for the kind of fault, in kebab case (`spl-syntax`, `unknown-macro`).
    pub code: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What is wrong, in one sentence that names the thing.
    pub message: String,
    /// Where.
    pub span: Option<Span>,
    /// A way out.
    pub help: Option<String>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The file.
    pub path: PathBuf,
    /// The file's whole text, shared between diagnostics; empty if it could not be read as text.
    pub text: Arc<str>,
    /// First byte of the place in `text`.
    pub start: usize,
    /// Byte after the place.
    pub end: usize,
}

impl Span {
    /// Line and column of the start, from 1; columns count characters.
    pub fn line_column(&self) -> (usize, usize) {
        let mut start = self.start.min(self.text.len());
        while !self.text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &self.text[..start];
        let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        (line, column)
    }
}

impl Diagnostic {
    /// An error.
    pub fn error(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic { code, level: Level::Error, message: message.into(), span: None, help: None }
    }

    /// A warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic { level: Level::Warning, ..Diagnostic::error(code, message) }
    }

    /// A note.
    pub fn note(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic { level: Level::Note, ..Diagnostic::error(code, message) }
    }

    /// The same with a place.
    #[must_use]
    pub fn at(mut self, span: Span) -> Diagnostic {
        self.span = Some(span);
        self
    }

    /// The same with a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }
}
