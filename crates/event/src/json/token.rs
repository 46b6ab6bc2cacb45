//! The grammar of the tokens of JSON.

use super::{JsonError, JsonErrorKind, Kind};

/// The first place from `at` on that holds no white space.
#[inline(always)]
pub(crate) fn skip_space(bytes: &[u8], at: usize) -> usize {
    let mut at = at;
    while let Some(byte) = bytes.get(at) {
        if *byte > b' ' || !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
            break;
        }
        at += 1;
    }
    at
}

/// What is wrong at `at`: the end, or the byte there.
#[cold]
pub(crate) fn unexpected(bytes: &[u8], at: usize) -> JsonError {
    match bytes.get(at) {
        None => JsonError::new(JsonErrorKind::UnexpectedEnd, bytes.len()),
        Some(_) => JsonError::new(JsonErrorKind::UnexpectedByte, at),
    }
}

/// Reads the number or literal at `at`; gives its type and the place after it.
pub(crate) fn scalar(bytes: &[u8], at: usize) -> Result<(Kind, usize), JsonError> {
    match bytes.get(at) {
        Some(b't') => literal(bytes, at, b"true", Kind::Bool),
        Some(b'f') => literal(bytes, at, b"false", Kind::Bool),
        Some(b'n') => literal(bytes, at, b"null", Kind::Null),
        Some(b'-' | b'0'..=b'9') => Ok((Kind::Number, number(bytes, at)?)),
        _ => Err(unexpected(bytes, at)),
    }
}

fn literal(bytes: &[u8], at: usize, word: &[u8], kind: Kind) -> Result<(Kind, usize), JsonError> {
    for (index, expected) in word.iter().enumerate() {
        if bytes.get(at + index) != Some(expected) {
            return Err(unexpected(bytes, at + index));
        }
    }
    Ok((kind, at + word.len()))
}

fn number(bytes: &[u8], at: usize) -> Result<usize, JsonError> {
    let mut at = at;
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    match bytes.get(at) {
        Some(b'0') => at += 1,
        Some(b'1'..=b'9') => at = digits(bytes, at)?,
        _ => return Err(unexpected(bytes, at)),
    }
    if bytes.get(at) == Some(&b'.') {
        at = digits(bytes, at + 1)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1;
        if matches!(bytes.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        at = digits(bytes, at)?;
    }
    Ok(at)
}

/// One digit or more.
fn digits(bytes: &[u8], at: usize) -> Result<usize, JsonError> {
    let count = bytes.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 { Err(unexpected(bytes, at)) } else { Ok(at + count) }
}

/// The end of a scalar that nobody reads: where white space, a comma or a closing bracket stands.
#[inline(always)]
pub(crate) fn skip_scalar(bytes: &[u8], at: usize) -> Result<usize, JsonError> {
    let mut end = at;
    while let Some(byte) = bytes.get(end) {
        match byte {
            b',' | b'}' | b']' | b' ' | b'\n' | b'\t' | b'\r' => break,
            b'"' | b'{' | b'[' | b':' => return Err(unexpected(bytes, end)),
            _ => end += 1,
        }
    }
    if end == at { Err(unexpected(bytes, at)) } else { Ok(end) }
}

/// Appends `text`, which stood between quotes, without its escapes. `offset` is where it begins, for the error.
pub(crate) fn unescape(text: &str, offset: usize, out: &mut String) -> Result<(), JsonError> {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(next) = memchr::memchr(b'\\', &bytes[from..]) {
        let at = from + next;
        out.push_str(text.get(from..at).unwrap_or_default());
        let bad = || JsonError::new(JsonErrorKind::BadEscape, offset + at);
        let plain = match bytes.get(at + 1).ok_or_else(bad)? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (character, length) = code_point(bytes, at).ok_or_else(bad)?;
                out.push(character);
                from = at + length;
                continue;
            }
            _ => return Err(bad()),
        };
        out.push(plain);
        from = at + 2;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Ok(())
}

/// Reads `\uXXXX`, or two of them where they are a surrogate pair; gives the character and the length.
fn code_point(bytes: &[u8], at: usize) -> Option<(char, usize)> {
    let unit = hex(bytes, at + 2)?;
    if (0xd800..0xdc00).contains(&unit)
        && bytes.get(at + 6..at + 8) == Some(br"\u")
        && let Some(low) = hex(bytes, at + 8)
        && (0xdc00..0xe000).contains(&low)
    {
        let joined = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        return Some((char::from_u32(joined)?, 12));
    }
    Some((char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), 6))
}

fn hex(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.iter().try_fold(0, |value, byte| Some(value * 16 + char::from(*byte).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars() {
        for (text, expected) in [
            ("0", Some((Kind::Number, 1))),
            ("-0.50e+10,", Some((Kind::Number, 9))),
            ("12]", Some((Kind::Number, 2))),
            ("true}", Some((Kind::Bool, 4))),
            ("false", Some((Kind::Bool, 5))),
            ("null ", Some((Kind::Null, 4))),
            ("-", None),
            ("1.", None),
            ("1e", None),
            ("+1", None),
            ("nul", None),
            ("True", None),
        ] {
            assert_eq!(scalar(text.as_bytes(), 0).ok(), expected, "{text}");
        }
    }

    #[test]
    fn escapes() {
        for (text, expected) in [
            (r"plain", Some("plain")),
            (r#"a\"\\\/\b\f\n\r\tz"#, Some("a\"\\/\u{8}\u{c}\n\r\tz")),
            (r"\u0026\u00e9", Some("&é")),
            (r"\ud83d\ude00!", Some("😀!")),
            (r"\ud83d!", Some("\u{fffd}!")),
            (r"\ude00\ud83d", Some("\u{fffd}\u{fffd}")),
            (r"\ud83d\u0041", Some("\u{fffd}A")),
            (r"\x", None),
            (r"\u12", None),
            (r"\u+123", None),
            (r"\u00é", None),
        ] {
            let mut out = String::new();
            let result = unescape(text, 0, &mut out);
            assert_eq!(result.ok().map(|()| out.as_str()), expected, "{text}");
        }
    }
}
