//! Patterns of texts: wildcards, Lucene's regular expressions, and the replacements of Java's.

/// What a pattern of `LIKE` is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wildcard {
    /// Only stars, which a glob knows.
    Stars(String),
    /// A regular expression.
    Regex(String),
}

/// A pattern of `LIKE`: `*` for any run of characters, `?` for one, a backslash before what stands for itself.
pub(super) fn wildcard(pattern: &str) -> Wildcard {
    let (mut glob, mut regex) = (String::new(), String::from("^(?s:"));
    let mut stars = true;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => {
                glob.push('*');
                regex.push_str(".*");
            }
            '?' => {
                stars = false;
                regex.push('.');
            }
            _ => {
                let literal = if c == '\\' { chars.next().unwrap_or('\\') } else { c };
                stars &= literal != '*';
                glob.push(literal);
                push_literal(&mut regex, literal);
            }
        }
    }
    regex.push_str(")$");
    if stars { Wildcard::Stars(glob) } else { Wildcard::Regex(regex) }
}

/// The regular expression of a pattern of `LIKE`.
pub(super) fn wildcard_regex(pattern: &str) -> String {
    match wildcard(pattern) {
        Wildcard::Regex(regex) => regex,
        Wildcard::Stars(glob) => {
            let parts: Vec<String> = glob.split('*').map(regex::escape).collect();
            format!("^(?s:{})$", parts.join(".*"))
        }
    }
}

fn push_literal(out: &mut String, c: char) {
    out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
}

/// A Lucene regular expression, which must match the whole text, in the syntax that is used here.
pub(super) fn lucene(pattern: &str) -> String {
    let mut out = String::from("^(?s:");
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => push_escape(&mut out, chars.next()),
            '[' => push_class(&mut out, &mut chars),
            '{' if is_repetition(chars.clone()) => {
                out.push('{');
                for c in chars.by_ref() {
                    out.push(c);
                    if c == '}' {
                        break;
                    }
                }
            }
            '.' | '*' | '+' | '?' | '|' | '(' | ')' => out.push(c),
            literal => push_literal(&mut out, literal),
        }
    }
    out.push_str(")$");
    out
}

/// Only classes of characters mean something behind a backslash; every other character stands for itself.
fn push_escape(out: &mut String, escaped: Option<char>) {
    match escaped {
        Some(class @ ('d' | 'D' | 's' | 'S' | 'w' | 'W')) => {
            out.push('\\');
            out.push(class);
        }
        Some(literal) => push_literal(out, literal),
        None => out.push_str("\\\\"),
    }
}

fn push_class(out: &mut String, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    out.push('[');
    if chars.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    let mut first = true;
    while let Some(c) = chars.next() {
        match c {
            ']' if !first => {
                out.push(']');
                return;
            }
            '\\' => push_escape(out, chars.next()),
            '-' => out.push('-'),
            literal => push_literal(out, literal),
        }
        first = false;
    }
}

fn is_repetition(chars: impl Iterator<Item = char>) -> bool {
    let inner: String = chars.take_while(|c| *c != '}').take(12).collect();
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    match inner.split_once(',') {
        Some((least, most)) => !least.is_empty() && digits(least) && digits(most),
        None => !inner.is_empty() && digits(&inner),
    }
}

/// The replacement of Java's regular expressions (`$1`, a backslash before what stands for itself) as the pipeline writes
/// it (`\1`).
pub(super) fn replacement(java: &str) -> String {
    let mut out = String::new();
    let mut chars = java.chars().peekable();
    let literal = |out: &mut String, c: char| match c {
        '\\' => out.push_str("\\\\"),
        other => out.push(other),
    };
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                if let Some(c) = chars.next() {
                    literal(&mut out, c);
                }
            }
            '$' if chars.peek().is_some_and(char::is_ascii_digit) => out.push('\\'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_become_globs_where_they_can() {
        assert_eq!(wildcard("eks:*"), Wildcard::Stars("eks:*".to_owned()));
        assert_eq!(wildcard("a?c*"), Wildcard::Regex("^(?s:a.c.*)$".to_owned()));
        assert_eq!(wildcard(r"\*.x"), Wildcard::Regex(r"^(?s:\*\.x)$".to_owned()));
        assert_eq!(wildcard_regex("a.*"), r"^(?s:a\..*)$");
    }

    #[test]
    fn lucene_has_fewer_operators() {
        for (lucene_text, rust) in [
            (r".*nc\s+-e.*", r"^(?s:.*nc\s+\-e.*)$"),
            ("^a$", r"^(?s:\^a\$)$"),
            (r"\<b\>\n", r"^(?s:<b>n)$"),
            ("[^/&&]{2,3}x{a}", r"^(?s:[^/\&\&]{2,3}x\{a\})$"),
            ("a|b>&1", r"^(?s:a|b>\&1)$"),
        ] {
            assert_eq!(lucene(lucene_text), rust, "{lucene_text}");
            assert!(regex::Regex::new(rust).is_ok(), "{rust}");
        }
    }

    #[test]
    fn replacements_keep_groups_and_escapes() {
        assert_eq!(replacement(r"$1-\$2\\x"), r"\1-$2\\x");
    }
}
