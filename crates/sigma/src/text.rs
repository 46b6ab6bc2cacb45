//! Sigma's strings: literal parts, wildcards and escapes (Sigma specification, "Escaping").

use masthead_ir::pattern::{Case, Pattern};

/// A part of a string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Characters that stand for themselves.
    Literal(String),
    /// Any run of characters, also none.
    Star,
    /// Any one character.
    One,
    /// A name between `%` signs that values are put in for.
    Placeholder(String),
}

/// A string as a rule means it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SigmaText {
    pub(crate) parts: Vec<Part>,
    /// The text as it stands in the rule, for modifiers with escapes of their own.
    source: String,
}

impl SigmaText {
    /// Reads a string of a rule: `*` and `?` are wildcards, a backslash takes that away from them and from itself, and is
    /// plain before anything else.
    pub(crate) fn parse(text: &str) -> SigmaText {
        let mut parsed = SigmaText { parts: Vec::new(), source: text.to_owned() };
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match (c, chars.peek()) {
                ('\\', Some(next @ ('*' | '?' | '\\'))) => {
                    parsed.literal(*next);
                    chars.next();
                }
                ('*', _) => parsed.star(),
                ('?', _) => parsed.parts.push(Part::One),
                (other, _) => parsed.literal(other),
            }
        }
        parsed
    }

    /// A text without wildcards.
    pub(crate) fn plain(text: &str) -> SigmaText {
        let parts = if text.is_empty() { Vec::new() } else { vec![Part::Literal(text.to_owned())] };
        SigmaText { parts, source: text.to_owned() }
    }

    /// The text as it stands in the rule.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// The same wildcards around other characters: `shown` is as long as [`SigmaText::shown`].
    pub(crate) fn with_shown(&self, shown: &str) -> SigmaText {
        let mut chars = shown.chars();
        let mut next = |count: usize| chars.by_ref().take(count).collect::<String>();
        let parts = self.parts.iter().map(|part| match part {
            Part::Literal(text) => Part::Literal(next(text.chars().count())),
            Part::Placeholder(name) => {
                next(name.chars().count() + 2);
                part.clone()
            }
            Part::Star | Part::One => {
                next(1);
                part.clone()
            }
        });
        SigmaText { parts: parts.collect(), source: self.source.clone() }
    }

    fn literal(&mut self, c: char) {
        match self.parts.last_mut() {
            Some(Part::Literal(text)) => text.push(c),
            _ => self.parts.push(Part::Literal(c.to_string())),
        }
    }

    fn star(&mut self) {
        if self.parts.last() != Some(&Part::Star) {
            self.parts.push(Part::Star);
        }
    }

    /// The text, if it has no wildcards.
    pub(crate) fn as_plain(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The text as a rule would write it, for messages and for expressions whose syntax is not Sigma's.
    pub(crate) fn shown(&self) -> String {
        let part = |part: &Part| match part {
            Part::Literal(text) => text.clone(),
            Part::Star => "*".to_owned(),
            Part::One => "?".to_owned(),
            Part::Placeholder(name) => format!("%{name}%"),
        };
        self.parts.iter().map(part).collect()
    }

    /// The same with a star before it and behind it, as asked for.
    pub(crate) fn within(mut self, before: bool, behind: bool) -> SigmaText {
        if before && self.parts.first() != Some(&Part::Star) {
            self.parts.insert(0, Part::Star);
        }
        if behind && self.parts.last() != Some(&Part::Star) {
            self.parts.push(Part::Star);
        }
        self
    }

    /// The same with every literal part changed.
    pub(crate) fn map_literals(self, change: &dyn Fn(&str) -> String) -> SigmaText {
        let source = self.source;
        let changed = self.parts.into_iter().map(|part| match part {
            Part::Literal(text) => Part::Literal(change(&text)),
            other => other,
        });
        SigmaText { parts: changed.collect(), source }
    }

    /// Takes names between `%` signs as placeholders.
    pub(crate) fn with_placeholders(self) -> SigmaText {
        let mut parts = Vec::new();
        for part in self.parts {
            match part {
                Part::Literal(text) => split_placeholders(&text, &mut parts),
                other => parts.push(other),
            }
        }
        SigmaText { parts, source: self.source }
    }

    /// The first placeholder.
    pub(crate) fn placeholder(&self) -> Option<&str> {
        self.parts.iter().find_map(|part| match part {
            Part::Placeholder(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The texts that come of putting values in for the first placeholder.
    pub(crate) fn filled(&self, values: &[SigmaText]) -> Vec<SigmaText> {
        let Some(at) = self.parts.iter().position(|part| matches!(part, Part::Placeholder(_))) else {
            return vec![self.clone()];
        };
        let name = self.placeholder().map(|name| format!("%{name}%")).unwrap_or_default();
        let fill = |value: &SigmaText| {
            let parts = [&self.parts[..at], &value.parts[..], &self.parts[at + 1..]].concat();
            SigmaText { parts: joined(parts), source: self.source.replacen(&name, &value.source, 1) }
        };
        values.iter().map(fill).collect()
    }

    /// The test that a value is such a text.
    pub(crate) fn pattern(&self, case: Case) -> Pattern {
        use Part::{Literal, Star};
        match self.parts.as_slice() {
            [Star] => Pattern::Present,
            [Literal(text), Star] => Pattern::Prefix { text: text.clone(), case },
            [Star, Literal(text)] => Pattern::Suffix { text: text.clone(), case },
            [Star, Literal(text), Star] => Pattern::Contains { text: text.clone(), case },
            parts => match self.as_plain() {
                // Of text that reads as a number, another spelling of it is another text.
                Some(text) => Pattern::Text { text: text.to_owned(), case, numeric: text.parse::<f64>().is_err() },
                None if parts.iter().all(|part| match part {
                    Star => true,
                    Literal(text) => !text.contains('*'),
                    _ => false,
                }) =>
                {
                    Pattern::Wildcard { glob: self.shown(), case }
                }
                None => Pattern::Regex(self.regex(case)),
            },
        }
    }

    /// A regular expression for the whole text.
    fn regex(&self, case: Case) -> String {
        let flags = if case == Case::Folded { "(?si)" } else { "(?s)" };
        let part = |part: &Part| match part {
            Part::Literal(text) => regex::escape(text),
            Part::Star => ".*".to_owned(),
            Part::One => ".".to_owned(),
            Part::Placeholder(name) => regex::escape(&format!("%{name}%")),
        };
        let body: String = self.parts.iter().map(part).collect();
        format!("{flags}\\A{body}\\z")
    }
}

/// Literal parts beside each other become one.
fn joined(parts: Vec<Part>) -> Vec<Part> {
    let mut out: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts {
        match (out.last_mut(), part) {
            (Some(Part::Literal(text)), Part::Literal(more)) => text.push_str(&more),
            (Some(Part::Star), Part::Star) => {}
            (_, part) => out.push(part),
        }
    }
    out
}

/// Parts a text at its placeholders. A backslash before a percent sign makes that plain.
fn split_placeholders(text: &str, parts: &mut Vec<Part>) {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('%') {
        let (before, after) = (&rest[..start], &rest[start + 1..]);
        if let Some(before) = before.strip_suffix('\\') {
            found.push(Part::Literal(format!("{before}%")));
            rest = after;
            continue;
        }
        match after.find('%').filter(|end| *end > 0 && after[..*end].chars().all(is_name)) {
            Some(end) => {
                found.push(Part::Literal(before.to_owned()));
                found.push(Part::Placeholder(after[..end].to_owned()));
                rest = &after[end + 1..];
            }
            None => {
                found.push(Part::Literal(rest[..=start].to_owned()));
                rest = after;
            }
        }
    }
    found.push(Part::Literal(rest.to_owned()));
    parts.extend(joined(found).into_iter().filter(|part| *part != Part::Literal(String::new())));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(text: &str, value: &str) -> bool {
        let pattern = SigmaText::parse(text).pattern(Case::Folded);
        masthead_ir::eval::CompiledPattern::new(&pattern).unwrap().matches_str(value)
    }

    #[test]
    fn wildcards_and_escapes_are_as_specified() {
        for (text, value, expected) in [
            ("get", "GET", true),
            ("get", "gets", false),
            ("a*c", "abbc", true),
            ("a?c", "abc", true),
            ("a?c", "abbc", false),
            (r"a\*c", "a*c", true),
            (r"a\*c", "abc", false),
            (r"a\?*", "a?xyz", true),
            (r"C:\Windows\*", r"c:\windows*", true),
            (r"C:\Windows\\*", r"c:\windows\x", true),
            (r"\\server", r"\server", true),
            (r"a\b", r"a\b", true),
            ("*", "", true),
            ("", "", true),
            ("", "x", false),
            ("*mid*", "amidst", true),
            ("*x\ny?", "wx\nyz", true),
        ] {
            assert_eq!(test(text, value), expected, "{text:?} {value:?}");
        }
    }

    #[test]
    fn placeholders_are_names_between_percent_signs() {
        let text = SigmaText::parse("a%users%b%2f").with_placeholders();
        assert_eq!(text.placeholder(), Some("users"));
        let filled = text.filled(&[SigmaText::parse("x*"), SigmaText::plain("y")]);
        let shown: Vec<String> = filled.iter().map(SigmaText::shown).collect();
        assert_eq!(shown, ["ax*b%2f", "ayb%2f"]);
    }
}
