//! What is wrong with a query.

use std::ops::Range;

/// A fault and the bytes of the query that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The kind of fault.
    pub(crate) code: &'static str,
    /// What is wrong.
    pub(crate) message: String,
    /// Where.
    pub(crate) range: Range<usize>,
    /// A way out.
    pub(crate) help: Option<String>,
    /// Whether the query is right, and only cannot run here.
    pub(crate) unsupported: bool,
}

impl Problem {
    pub(crate) fn invalid(code: &'static str, message: impl Into<String>, range: Range<usize>) -> Problem {
        Problem { code, message: message.into(), range, help: None, unsupported: false }
    }

    pub(crate) fn unsupported(code: &'static str, message: impl Into<String>, range: Range<usize>) -> Problem {
        Problem { unsupported: true, ..Problem::invalid(code, message, range) }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Problem {
        Problem { help: Some(help.into()), ..self }
    }
}
