//! All fields of an event under their flattened names.

use crate::json::simd::Portable;
use crate::json::structure::string_end;
use crate::json::token::{scalar, skip_space, unescape, unexpected};
use crate::json::{JsonError, JsonErrorKind, Kind, MAX_DEPTH, SlotValue, checked_text};

/// Gives every scalar of an event with its flattened name, in document order. Names and values are as
/// [`FieldPath::Flat`](crate::path::FieldPath::Flat) says. The whole text is checked against the grammar of JSON
/// (RFC 8259; lone surrogates in escapes are taken as U+FFFD, a duplicated key gives its values again). A scalar that is in nothing has no name and is not given.
///
/// # Errors
///
/// When the text is not JSON or nested deeper than [`MAX_DEPTH`]; the fields before the error were given.
pub fn flatten(raw: &[u8], each: &mut dyn FnMut(&str, SlotValue<'_>)) -> Result<(), JsonError> {
    let text = checked_text(raw)?;
    let mut walk = Flatten { text, name: String::new(), unescaped: String::new(), each };
    let end = walk.value(skip_space(text.as_bytes(), 0), 0)?;
    let end = skip_space(text.as_bytes(), end);
    if end < text.len() {
        return Err(JsonError::new(JsonErrorKind::TrailingBytes, end));
    }
    Ok(())
}

struct Flatten<'a> {
    text: &'a str,
    name: String,
    unescaped: String,
    each: &'a mut dyn FnMut(&str, SlotValue<'_>),
}

impl Flatten<'_> {
    /// Reads the value at `at` within `depth` brackets; gives the place after it.
    fn value(&mut self, at: usize, depth: usize) -> Result<usize, JsonError> {
        let bytes = self.text.as_bytes();
        match bytes.get(at) {
            Some(b'{' | b'[') if depth >= MAX_DEPTH => Err(JsonError::new(JsonErrorKind::TooDeep, at)),
            Some(b'{') => self.object(at + 1, depth + 1),
            Some(b'[') => self.array(at + 1, depth + 1),
            Some(b'"') => {
                let (range, escaped) = self.string(at)?;
                let source = self.text.get(range).unwrap_or_default();
                let text = if escaped {
                    self.unescaped.clear();
                    unescape(source, at + 1, &mut self.unescaped)?;
                    &self.unescaped
                } else {
                    source
                };
                if depth > 0 {
                    (self.each)(&self.name, SlotValue { kind: Kind::String, text });
                }
                Ok(at + 1 + source.len() + 1)
            }
            _ => {
                let (kind, end) = scalar(bytes, at)?;
                let text = self.text.get(at..end).unwrap_or_default();
                if depth > 0 {
                    (self.each)(&self.name, SlotValue { kind, text });
                }
                Ok(end)
            }
        }
    }

    fn object(&mut self, at: usize, depth: usize) -> Result<usize, JsonError> {
        let bytes = self.text.as_bytes();
        let outer = self.name.len();
        let mut at = skip_space(bytes, at);
        if bytes.get(at) == Some(&b'}') {
            return Ok(at + 1);
        }
        loop {
            if bytes.get(at) != Some(&b'"') {
                return Err(unexpected(bytes, at));
            }
            let (range, _) = self.string(at)?;
            let colon = skip_space(bytes, range.end + 1);
            if bytes.get(colon) != Some(&b':') {
                return Err(unexpected(bytes, colon));
            }
            // Only the members of the outermost object have no dot before them: an empty key is a name too.
            if depth > 1 {
                self.name.push('.');
            }
            unescape(self.text.get(range).unwrap_or_default(), at + 1, &mut self.name)?;
            at = self.value(skip_space(bytes, colon + 1), depth)?;
            self.name.truncate(outer);
            at = skip_space(bytes, at);
            match bytes.get(at) {
                Some(b',') => at = skip_space(bytes, at + 1),
                Some(b'}') => return Ok(at + 1),
                _ => return Err(unexpected(bytes, at)),
            }
        }
    }

    fn array(&mut self, at: usize, depth: usize) -> Result<usize, JsonError> {
        let bytes = self.text.as_bytes();
        let mut at = skip_space(bytes, at);
        if bytes.get(at) == Some(&b']') {
            return Ok(at + 1);
        }
        let outer = self.name.len();
        self.name.push_str("{}");
        loop {
            at = skip_space(bytes, self.value(at, depth)?);
            match bytes.get(at) {
                Some(b',') => at = skip_space(bytes, at + 1),
                Some(b']') => {
                    self.name.truncate(outer);
                    return Ok(at + 1);
                }
                _ => return Err(unexpected(bytes, at)),
            }
        }
    }

    /// The range between the quotes of the string at `at`, and whether it holds escapes.
    fn string(&self, at: usize) -> Result<(std::ops::Range<usize>, bool), JsonError> {
        let bytes = self.text.as_bytes();
        let end = string_end(Portable, bytes, at + 1)?;
        let range = at + 1..end.quote;
        if let Some(control) = bytes[range.clone()].iter().position(|byte| *byte < b' ') {
            return Err(JsonError::new(JsonErrorKind::ControlCharacter, at + 1 + control));
        }
        Ok((range, end.escaped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Result<Vec<(String, Kind, String)>, JsonError> {
        let mut fields = Vec::new();
        flatten(text.as_bytes(), &mut |name, value| fields.push((name.to_owned(), value.kind, value.text.to_owned())))?;
        Ok(fields)
    }

    #[test]
    fn names_and_values() {
        for (text, expected) in [
            (
                r#"{"user":{"groups":["a","b"]}}"#,
                vec![("user.groups{}", Kind::String, "a"), ("user.groups{}", Kind::String, "b")],
            ),
            (
                r#"{"annotations":{"authorization.k8s.io/reason":"r\u0026"}}"#,
                vec![("annotations.authorization.k8s.io/reason", Kind::String, "r&")],
            ),
            (
                r#"{"c":[{"i":"x","n":1.50},{"i":"y"}],"e":[],"o":{},"z":null}"#,
                vec![
                    ("c{}.i", Kind::String, "x"),
                    ("c{}.n", Kind::Number, "1.50"),
                    ("c{}.i", Kind::String, "y"),
                    ("z", Kind::Null, "null"),
                ],
            ),
            (r#"{"a":[[1],[true]]}"#, vec![("a{}{}", Kind::Number, "1"), ("a{}{}", Kind::Bool, "true")]),
            (r#"{"":{"":1,"\u0062":2}}"#, vec![(".", Kind::Number, "1"), (".b", Kind::Number, "2")]),
            (r#" [ {"a" : 1 } ] "#, vec![("{}.a", Kind::Number, "1")]),
        ] {
            let expected: Vec<_> =
                expected.into_iter().map(|(name, kind, text)| (name.to_owned(), kind, text.to_owned())).collect();
            assert_eq!(fields(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn errors_name_their_place() {
        let deep = "[".repeat(10_000);
        for (text, kind, offset) in [
            ("{\"a\":1", JsonErrorKind::UnexpectedEnd, 6),
            ("{\"a\":1} x", JsonErrorKind::TrailingBytes, 8),
            ("{\"a\":01}", JsonErrorKind::UnexpectedByte, 6),
            ("{\"a\":[1}", JsonErrorKind::UnexpectedByte, 7),
            ("{\"a\":\"\t\"}", JsonErrorKind::ControlCharacter, 6),
            ("{\"a\":\"\\q\"}", JsonErrorKind::BadEscape, 6),
            ("{\"a\u{0}\":1}", JsonErrorKind::NulByte, 3),
            ("{,}", JsonErrorKind::UnexpectedByte, 1),
            ("{\"a\":1,}", JsonErrorKind::UnexpectedByte, 7),
            (&deep, JsonErrorKind::TooDeep, MAX_DEPTH),
        ] {
            assert_eq!(fields(text), Err(JsonError::new(kind, offset)), "{text:.40}");
        }
        assert_eq!(flatten(b"{\"a\":\"\xff\"}", &mut |_, _| {}), Err(JsonError::new(JsonErrorKind::InvalidUtf8, 6)));
    }
}
