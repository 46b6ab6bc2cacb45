//! Diagnostics with the line they are about.

use std::io::{self, IsTerminal as _};

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use masthead_ir::diagnostic::{Diagnostic, Level as Grade, Span};

use crate::output::printable;

/// Width where there is no terminal that has one.
const WIDTH: usize = 140;

/// Where a diagnostic will be written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    Out,
    Err,
}

impl Stream {
    fn width(self) -> usize {
        let size = match self {
            Stream::Out if io::stdout().is_terminal() => terminal_size::terminal_size_of(io::stdout()),
            Stream::Err if io::stderr().is_terminal() => terminal_size::terminal_size_of(io::stderr()),
            _ => None,
        };
        size.map_or(WIDTH, |(width, _)| usize::from(width.0).max(40))
    }
}

/// A diagnostic as text, with the line of the file and a mark under the place. It is coloured: the stream leaves that
/// out where nobody can see it.
pub(crate) fn text(diagnostic: &Diagnostic, stream: Stream) -> String {
    let level = match diagnostic.level {
        Grade::Error => Level::ERROR,
        Grade::Warning => Level::WARNING,
        Grade::Note => Level::NOTE,
    };
    let message = printable(&diagnostic.message);
    let mut group = level
        .primary_title(&*message)
        .id(diagnostic.code)
        .elements(std::iter::empty::<Snippet<'_, annotate_snippets::Annotation<'_>>>());
    let path;
    if let Some(span) = &diagnostic.span {
        path = printable(&span.path.display().to_string()).into_owned();
        let (line, _) = span.line_column();
        let (start, end) = marked(span);
        let begin = span.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let length = span.text[begin..].find('\n').unwrap_or(span.text.len() - begin);
        let shown = &span.text[begin..begin + length];
        group = if span.text.is_empty() {
            // There is no line to show.
            group.element(Origin::path(&*path))
        } else {
            let mark = AnnotationKind::Primary.span(start - begin..end - begin);
            group.element(Snippet::source(shown).line_start(line).path(&*path).annotation(mark))
        };
    }
    let help = diagnostic.help.as_deref().map(printable);
    if let Some(help) = &help {
        group = group.element(Level::HELP.message(&**help));
    }
    Renderer::styled().term_width(stream.width()).render(&[group])
}

/// The bytes to mark: on one line, since marks over many lines hide what they are about.
fn marked(span: &Span) -> (usize, usize) {
    let shown = span.shown();
    let end = span.text[shown.clone()].find('\n').map_or(shown.end, |at| shown.start + at);
    (shown.start, end)
}
