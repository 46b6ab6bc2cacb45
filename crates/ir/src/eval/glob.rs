//! Patterns of literal parts between gaps, matched in linear time.

/// A pattern in which `*` stands for any run of characters, also none. The whole text must match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    /// The literal parts, at least one; between two of them stands a star.
    parts: Vec<String>,
}

impl Glob {
    /// A pattern from its text.
    pub fn new(glob: &str) -> Glob {
        Glob { parts: glob.split('*').map(str::to_owned).collect() }
    }

    /// The literal parts that a matching text must hold, in order; the first stands at the start of the text, the last
    /// at its end, and some may be empty.
    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    /// Whether the text matches. The leftmost place of every part is enough: a later place leaves less room for the
    /// parts behind it.
    pub fn matches(&self, text: &str) -> bool {
        let [first, rest @ ..] = self.parts.as_slice() else { return false };
        let Some((last, middle)) = rest.split_last() else { return text == first };
        let Some(mut rest) = text.strip_prefix(first.as_str()).and_then(|t| t.strip_suffix(last.as_str())) else {
            return false;
        };
        for part in middle {
            let Some(at) = rest.find(part.as_str()) else { return false };
            rest = rest.get(at + part.len()..).unwrap_or("");
        }
        true
    }
}

/// A pattern in which `%` stands for any run of characters and `_` for one; the whole text must match, case counts
/// (Splunk Search Reference, `like`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Like {
    pattern: Vec<char>,
}

impl Like {
    /// A pattern from its text.
    pub fn new(pattern: &str) -> Like {
        let mut chars: Vec<char> = pattern.chars().collect();
        chars.dedup_by(|a, b| *a == '%' && *b == '%');
        Like { pattern: chars }
    }

    /// Whether the text matches. Going back to the last `%` only is enough, since it takes any run.
    pub fn matches(&self, text: &str) -> bool {
        let mut at = 0;
        let mut resume: Option<(usize, std::str::Chars<'_>)> = None;
        let mut chars = text.chars();
        loop {
            let mut ahead = chars.clone();
            let next = ahead.next();
            match (self.pattern.get(at), next) {
                (Some('%'), _) => {
                    at += 1;
                    resume = Some((at, chars.clone()));
                    continue;
                }
                (None, None) => return true,
                (Some('_'), Some(_)) => {}
                (Some(&want), Some(have)) if want == have => {}
                _ => {
                    let Some((after, mut from)) = resume.take() else { return false };
                    if from.next().is_none() {
                        return false;
                    }
                    at = after;
                    chars = from.clone();
                    resume = Some((after, from));
                    continue;
                }
            }
            at += 1;
            chars = ahead;
        }
    }
}
