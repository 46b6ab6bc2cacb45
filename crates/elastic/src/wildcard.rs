//! Wildcards of Elastic's languages: `*` for any run of characters, `?` for one.

use masthead_ir::pattern::{Case, Pattern};

/// A character of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Char {
    /// It stands for itself.
    Plain(char),
    /// Any run.
    Star,
    /// Any one.
    One,
}

/// The test that a whole text is like a pattern.
pub(crate) fn pattern(chars: &[Char], case: Case) -> Pattern {
    let mut parts: Vec<String> = vec![String::new()];
    let mut simple = true;
    for char in chars {
        match char {
            Char::Plain(c) => {
                simple &= *c != '*';
                if let Some(last) = parts.last_mut() {
                    last.push(*c);
                }
            }
            Char::Star => parts.push(String::new()),
            Char::One => simple = false,
        }
    }
    if !simple {
        return Pattern::Regex(regex(chars, case));
    }
    let texts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match texts.as_slice() {
        [text] => Pattern::Text { text: (*text).to_owned(), case, numeric: true },
        all if all.iter().all(|part| part.is_empty()) => Pattern::Present,
        [text, ""] => Pattern::Prefix { text: (*text).to_owned(), case },
        ["", text] => Pattern::Suffix { text: (*text).to_owned(), case },
        ["", text, ""] => Pattern::Contains { text: (*text).to_owned(), case },
        all => Pattern::Wildcard { glob: all.join("*"), case },
    }
}

fn regex(chars: &[Char], case: Case) -> String {
    let body: String = chars
        .iter()
        .map(|char| match char {
            Char::Plain(c) => regex::escape(&c.to_string()),
            Char::Star => ".*".to_owned(),
            Char::One => ".".to_owned(),
        })
        .collect();
    format!("(?s{}:\\A{body}\\z)", if case == Case::Folded { "i" } else { "" })
}

/// A text without wildcards.
pub(crate) fn plain(text: &str) -> Vec<Char> {
    text.chars().map(Char::Plain).collect()
}

/// A text in which `*` and `?` are wildcards and nothing is escaped.
pub(crate) fn wild(text: &str) -> Vec<Char> {
    text.chars()
        .map(|c| match c {
            '*' => Char::Star,
            '?' => Char::One,
            other => Char::Plain(other),
        })
        .collect()
}
