//! Where a fault stands in a rule's file.

use std::ops::Range;

use crate::Fault;

/// What the part of a rule file begins with that holds its conditions, in the languages that are known.
const BEGINNINGS: &[&str] = &["detection:", "condition:", "search:", "query:", "query =", "FilterPattern:", "def rule"];

/// The first place in a rule's file that names what a fault is about: behind the file's description if it can be told, as a
/// whole word, at last the end of a field's path alone. The start of the file if there is none.
pub fn place(fault: &Fault, file_text: &str) -> Range<usize> {
    let starts = BEGINNINGS.iter().filter_map(|beginning| file_text.find(beginning));
    let body = starts.min().unwrap_or_default();
    let last = fault.subject.rsplit('.').next().unwrap_or_default();
    for (subject, inner) in [(fault.subject.as_str(), is_path as Inner), (&fault.subject, is_word), (last, is_word)] {
        for from in [body, 0] {
            if let Some(found) = find(file_text, subject, from, inner) {
                return found;
            }
        }
    }
    0..0
}

/// Whether a character belongs to a word.
type Inner = fn(char) -> bool;

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_path(c: char) -> bool {
    is_word(c) || matches!(c, '.' | '/' | '-')
}

fn find(text: &str, subject: &str, from: usize, inner: Inner) -> Option<Range<usize>> {
    if subject.is_empty() {
        return None;
    }
    let free = |at: &usize| {
        let before = text[..*at].chars().next_back();
        let after = text[at + subject.len()..].chars().next();
        !before.is_some_and(inner) && !after.is_some_and(inner)
    };
    let found = text.match_indices(subject).map(|(at, _)| at).filter(|at| *at >= from).find(free)?;
    Some(found..found + subject.len())
}

#[cfg(test)]
mod tests {
    use masthead_ir::Level;

    use super::*;

    #[test]
    fn a_fault_is_found_behind_the_description() {
        for (subject, text, expected) in [
            ("replace", "title: replace\ndetection:\n  s:\n    verb: replace\n", Some("replace\n")),
            ("verb", "description: verb\ncondition: x.verb == verb.x and verb=create", Some("verb=create")),
            ("objectRef.kind", "query: kubernetes.audit.objectRef.kind:Pod", Some("objectRef.kind:Pod")),
            ("requestObject.a", "search: \"requestObject{}.a\"=1", Some("a\"=1")),
            ("nowhere", "detection: x", None),
        ] {
            let subject = subject.to_owned();
            let fault = Fault { code: "x", level: Level::Note, message: String::new(), help: None, subject };
            let range = place(&fault, text);
            let shown = (range.end > 0).then(|| &text[range.start..]);
            assert!(shown.map_or(expected.is_none(), |shown| shown.starts_with(expected.unwrap_or("\0"))), "{shown:?}");
        }
    }
}
