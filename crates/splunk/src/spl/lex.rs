//! Splitting a search into stages and words, with places.

use std::ops::Range;

use super::Problem;

/// A stage: its bytes in the expanded text.
pub(super) type Stage = Range<usize>;

/// Splits at pipes that stand outside of quotes and brackets.
pub(super) fn stages(text: &str, range: Range<usize>) -> Result<Vec<Stage>, Problem> {
    let (mut found, mut start, mut open) = (Vec::new(), range.start, Vec::new());
    let mut at = range.start;
    let bytes = text.as_bytes();
    while at < range.end {
        match bytes[at] {
            b'\\' => at += 1,
            b'"' => at = quoted_end(text, at, range.end)?,
            b'[' => open.push(at),
            b']' => {
                open.pop();
            }
            b'|' if open.is_empty() => {
                found.push(start..at);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    if let Some(at) = open.first() {
        return Err(Problem::syntax("this bracket is not closed", *at..*at + 1));
    }
    found.push(start..range.end);
    Ok(found)
}

/// The place of the quote that ends the text that begins at `at`.
pub(super) fn quoted_end(text: &str, at: usize, end: usize) -> Result<usize, Problem> {
    let bytes = text.as_bytes();
    let mut i = at + 1;
    while i < end {
        match bytes[i] {
            b'\\' => i += 1,
            quote if quote == bytes[at] => return Ok(i),
            _ => {}
        }
        i += 1;
    }
    Err(Problem::syntax("this quote is not closed", at..at + 1))
}

/// A word of a command's arguments.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) kind: Kind,
    pub(super) range: Range<usize>,
}

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A bare word.
    Word,
    /// In double quotes; escapes are resolved.
    Quoted,
    /// In single quotes.
    Single,
    /// `( ) , = != < > <= >=` and the like.
    Sign,
    /// A subsearch; the range is that of its inside.
    Bracket,
}

/// Resolves `\"` and `\\`; any other backslash stays.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, letters.peek()) {
            ('\\', Some(&next @ ('"' | '\\'))) => {
                out.push(next);
                letters.next();
            }
            _ => out.push(letter),
        }
    }
    out
}

/// Words of a range. `signs` are the letters that end a bare word and stand for themselves.
pub(super) fn tokens(text: &str, range: Range<usize>, signs: &str) -> Result<Vec<Token>, Problem> {
    let mut found = Vec::new();
    let mut at = range.start;
    while let Some(letter) = text[at..range.end].chars().next() {
        let start = at;
        let (kind, value) = match letter {
            _ if letter.is_whitespace() => {
                at += letter.len_utf8();
                continue;
            }
            '"' | '\'' if letter == '"' || signs.contains('\'') => {
                let end = quoted_end(text, at, range.end)?;
                at = end + 1;
                let inside = &text[start + 1..end];
                if letter == '"' { (Kind::Quoted, unescape(inside)) } else { (Kind::Single, inside.to_owned()) }
            }
            '[' => {
                let end = bracket_end(text, at, range.end)?;
                at = end + 1;
                found.push(Token { text: String::new(), kind: Kind::Bracket, range: start + 1..end });
                continue;
            }
            _ if signs.contains(letter) && placeholder_end(&text[at..range.end]).is_none() => {
                let two = text[at..range.end].chars().nth(1) == Some('=') && matches!(letter, '!' | '<' | '>' | '=');
                at += letter.len_utf8() + usize::from(two);
                (Kind::Sign, text[start..at].to_owned())
            }
            _ => {
                at = word_end(text, at, range.end, signs);
                (Kind::Word, text[start..at].to_owned())
            }
        };
        found.push(Token { text: value, kind, range: start..at });
    }
    Ok(found)
}

/// The end of a bare word. A backslash takes the next letter with it, so that `*\"x\":true*` is one word.
fn word_end(text: &str, start: usize, end: usize, signs: &str) -> usize {
    let (mut escaped, mut inside) = (false, 0);
    for (offset, letter) in text[start..end].char_indices() {
        if escaped || offset < inside {
            escaped = false;
            continue;
        }
        if let Some(length) = placeholder_end(&text[start + offset..end]) {
            inside = offset + length;
            continue;
        }
        match letter {
            '\\' => escaped = true,
            _ if letter.is_whitespace() || letter == '"' || letter == '[' => return start + offset,
            _ if signs.contains(letter) && offset != 0 => return start + offset,
            _ => {}
        }
    }
    end
}

/// The length of a `<<FIELD>>` of a template that stands here.
fn placeholder_end(text: &str) -> Option<usize> {
    let name = text.strip_prefix("<<")?;
    let length = name.bytes().take_while(u8::is_ascii_alphanumeric).count();
    (length > 0 && name[length..].starts_with(">>")).then_some(length + 4)
}

fn bracket_end(text: &str, at: usize, end: usize) -> Result<usize, Problem> {
    let (mut depth, mut i) = (0_usize, at);
    while i < end {
        match text.as_bytes()[i] {
            b'\\' => i += 1,
            b'"' => i = quoted_end(text, i, end)?,
            b'[' => depth += 1,
            b']' if depth <= 1 => return Ok(i),
            b']' => depth -= 1,
            _ => {}
        }
        i += 1;
    }
    Err(Problem::syntax("this bracket is not closed", at..at + 1))
}
