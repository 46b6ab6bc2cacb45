//! Words and phrases in running text, bounded by breakers (Splunk, "About event segmentation", segmenters.conf).

/// Words that stand in a text, bounded on both sides by a breaker or an end of the text.
#[derive(Debug, Clone)]
pub struct Phrase {
    /// The literal parts; between two of them stands a star, which takes any run of characters. The first part is
    /// bounded on its left and the last on its right; empty ones, from a star at the edge, need no bound.
    parts: Vec<String>,
    minor: bool,
}

/// Whether a character always ends a word.
fn is_major(char: char) -> bool {
    char.is_ascii_control()
        || matches!(
            char,
            ' ' | '['
                | ']'
                | '<'
                | '>'
                | '('
                | ')'
                | '{'
                | '}'
                | '|'
                | '!'
                | ';'
                | ','
                | '\''
                | '"'
                | '*'
                | '&'
                | '?'
                | '+'
        )
}

/// Whether a character ends a word where minor breakers count.
fn is_minor(char: char) -> bool {
    matches!(char, '/' | ':' | '=' | '@' | '.' | '-' | '$' | '#' | '%' | '_' | '\\')
}

impl Phrase {
    /// A phrase from its text; letter case is the caller's business.
    pub fn new(text: &str, minor: bool) -> Phrase {
        Phrase { parts: text.split('*').map(str::to_owned).collect(), minor }
    }

    /// The literal parts, in order; a matching text holds each of them.
    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    fn breaks(&self, char: char) -> bool {
        is_major(char) || (self.minor && is_minor(char))
    }

    /// Whether there is a bound between these neighbours. A breaker at the edge of the phrase is its own bound.
    fn bounded(&self, outside: Option<char>, edge: Option<char>) -> bool {
        outside.is_none_or(|c| self.breaks(c)) || edge.is_some_and(|c| self.breaks(c))
    }

    fn bounded_left(&self, text: &str, at: usize, part: &str) -> bool {
        part.is_empty() || self.bounded(text.get(..at).and_then(|t| t.chars().next_back()), part.chars().next())
    }

    fn bounded_right(&self, text: &str, end: usize, part: &str) -> bool {
        part.is_empty() || self.bounded(text.get(end..).and_then(|t| t.chars().next()), part.chars().next_back())
    }

    /// Whether the phrase stands somewhere in the text. The empty phrase stands everywhere.
    pub fn matches(&self, text: &str) -> bool {
        let [first, rest @ ..] = self.parts.as_slice() else { return true };
        let Some((last, middle)) = rest.split_last() else {
            return places(text, 0, first)
                .any(|at| self.bounded_left(text, at, first) && self.bounded_right(text, at + first.len(), first));
        };
        // The leftmost place of every part leaves the most room for those behind it.
        let Some(start) = places(text, 0, first).find(|&at| self.bounded_left(text, at, first)) else { return false };
        let mut from = start + first.len();
        for part in middle {
            let Some(at) = text.get(from..).and_then(|t| t.find(part.as_str())) else { return false };
            from += at + part.len();
        }
        places(text, from, last).any(|at| self.bounded_right(text, at + last.len(), last))
    }
}

/// Where a part stands in the text, from a place on; overlapping places too.
fn places<'t>(text: &'t str, from: usize, part: &'t str) -> impl Iterator<Item = usize> + 't {
    let step = part.chars().next().map_or(1, char::len_utf8);
    let mut next = Some(from);
    std::iter::from_fn(move || {
        let start = next?;
        let at = start + text.get(start..)?.find(part)?;
        next = if part.is_empty() { None } else { Some(at + step) };
        Some(at)
    })
}
