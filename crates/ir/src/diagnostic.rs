//! What is wrong with a rule, and where.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};

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

/// As JSON: `code`, `severity`, `message`, `help`, `path`, and `line` and `column` of the start.
impl Serialize for Diagnostic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (line, column) = self.span.as_ref().map(Span::line_column).unzip();
        let mut record = serializer.serialize_struct("Diagnostic", 7)?;
        record.serialize_field("code", self.code)?;
        record.serialize_field("severity", &self.level)?;
        record.serialize_field("message", &self.message)?;
        record.serialize_field("help", &self.help)?;
        record.serialize_field("path", &self.span.as_ref().map(|span| span.path.to_string_lossy()))?;
        record.serialize_field("line", &line)?;
        record.serialize_field("column", &column)?;
        record.end()
    }
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
    /// The bytes of the place that can be shown: inside the text and on borders of characters. The end of a text that
    /// ends with a newline is shown behind its last line.
    pub fn shown(&self) -> Range<usize> {
        let last = self.text.trim_end().len();
        let mut start = self.start.min(self.text.len());
        if start == self.text.len() {
            start = last;
        }
        while !self.text.is_char_boundary(start) {
            start -= 1;
        }
        let mut end = self.end.clamp(start, last.max(start));
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        start..end
    }

    /// Line and column of the start, from 1; columns count characters.
    pub fn line_column(&self) -> (usize, usize) {
        self.place(self.shown().start)
    }

    /// Line and column of the character after the place.
    pub fn end_line_column(&self) -> (usize, usize) {
        self.place(self.shown().end)
    }

    fn place(&self, at: usize) -> (usize, usize) {
        let before = &self.text[..at];
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_lines_and_characters_inside_the_text() {
        for (text, start, end, expected) in [
            ("", 0, 0, ((1, 1), (1, 1))),
            ("abc", 1, 2, ((1, 2), (1, 3))),
            ("é漢x\nyz\n", 5, 6, ((1, 3), (1, 4))),
            ("é漢x\nyz\n", 1, 3, ((1, 1), (1, 3))),
            ("a\nbc\n\n", 6, 6, ((2, 3), (2, 3))),
            ("a\nbc", 99, 3, ((2, 3), (2, 3))),
            ("a\nbc", 0, 4, ((1, 1), (2, 3))),
        ] {
            let span = Span { path: PathBuf::new(), text: Arc::from(text), start, end };
            assert_eq!((span.line_column(), span.end_line_column()), expected, "{text:?} {start}..{end}");
        }
    }

    #[test]
    fn a_diagnostic_is_one_record() {
        let span = Span { path: "a.yml".into(), text: Arc::from("x\nyz"), start: 3, end: 4 };
        let fault = Diagnostic::warning("some-code", "so it is").at(span);
        let json = serde_json::to_string(&fault).expect("it is plain");
        let expected = r#"{"code":"some-code","severity":"warning","message":"so it is","help":null,"path":"a.yml","line":2,"column":2}"#;
        assert_eq!(json, expected);
    }
}
