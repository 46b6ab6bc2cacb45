//! Diagnostics with the line they are about.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use masthead_ir::diagnostic::{Diagnostic, Level as Grade};

/// A diagnostic as text, with the line of the file and a mark under the place.
pub(crate) fn text(diagnostic: &Diagnostic, colour: bool) -> String {
    let level = match diagnostic.level {
        Grade::Error => Level::ERROR,
        Grade::Warning => Level::WARNING,
        Grade::Note => Level::NOTE,
    };
    let mut group = level
        .primary_title(&diagnostic.message)
        .id(diagnostic.code)
        .elements(std::iter::empty::<Snippet<'_, annotate_snippets::Annotation<'_>>>());
    let path;
    if let Some(span) = &diagnostic.span {
        path = span.path.display().to_string();
        let (start, end) = boundaries(&span.text, span.start, span.end);
        group = group
            .element(Snippet::source(&*span.text).path(&path).annotation(AnnotationKind::Primary.span(start..end)));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help));
    }
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group])
}

/// The span moved to borders of characters inside the text.
fn boundaries(text: &str, start: usize, end: usize) -> (usize, usize) {
    let mut start = start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    (start, end)
}
