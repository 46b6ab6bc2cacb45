//! What is wrong with a part of a rule.

use std::ops::Range;

use masthead_ir::diagnostic::{Diagnostic, Level, Span};
use masthead_rulefile::RuleFile;

/// A fault and the bytes of the file that it is about.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) span: Range<usize>,
    pub(crate) help: Option<String>,
    /// Whether the rule is right, and only cannot run here.
    pub(crate) unsupported: bool,
    pub(crate) level: Level,
}

impl Problem {
    /// The rule is wrong.
    pub(crate) fn invalid(code: &'static str, message: impl Into<String>, span: &Range<usize>) -> Problem {
        Problem {
            code,
            message: message.into(),
            span: span.clone(),
            help: None,
            unsupported: false,
            level: Level::Error,
        }
    }

    /// The rule cannot run here.
    pub(crate) fn unsupported(code: &'static str, message: impl Into<String>, span: &Range<usize>) -> Problem {
        Problem { unsupported: true, ..Problem::invalid(code, message, span) }
    }

    /// Something to know.
    pub(crate) fn note(code: &'static str, message: impl Into<String>, span: &Range<usize>) -> Problem {
        Problem { level: Level::Note, ..Problem::invalid(code, message, span) }
    }

    /// Part of the rule has no effect.
    pub(crate) fn warning(code: &'static str, message: impl Into<String>, span: &Range<usize>) -> Problem {
        Problem { level: Level::Warning, ..Problem::invalid(code, message, span) }
    }

    /// A way out.
    pub(crate) fn help(self, help: impl Into<String>) -> Problem {
        Problem { help: Some(help.into()), ..self }
    }

    /// As a diagnostic of a file.
    pub(crate) fn diagnostic(self, file: &RuleFile) -> Diagnostic {
        let span =
            Span { path: file.path.clone(), text: file.text.clone(), start: self.span.start, end: self.span.end };
        Diagnostic { code: self.code, level: self.level, message: self.message, span: Some(span), help: self.help }
    }
}
