//! Events that were cut on their way.

use crate::json::simd::Portable;
use crate::json::structure::string_end;
use crate::json::token::{scalar, skip_space};
use crate::json::{JsonErrorKind, MAX_DEPTH};

/// What CloudWatch Logs leaves at the end of a message that it cut.
const MARK: &[u8] = b"[Truncated...]";

/// The text before the mark of a cut at its end, if there is one.
pub(crate) fn before_mark(raw: &[u8]) -> Option<&[u8]> {
    raw.trim_ascii_end().strip_suffix(MARK)
}

/// Closes a JSON object that was cut: writes the text up to its last complete member to `out`, and a bracket for each
/// that is open there. A mark `[Truncated...]` at the end goes. Gives false, with `out` empty, if nothing can be saved:
/// the text is no object, has an error before its end, is nested too deep, or holds no complete member.
///
/// ```
/// let mut out = Vec::new();
/// assert!(masthead_event::salvage::salvage(br#"{"verb":"get","user":{"groups":["a","b[Truncated...]"#, &mut out));
/// assert_eq!(out, br#"{"verb":"get","user":{"groups":["a"]}}"#);
/// ```
pub fn salvage(raw: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let bytes = before_mark(raw).unwrap_or(raw).trim_ascii();
    let mut cut = Cut { bytes, open: Vec::new(), safe: 0, closers: Vec::new(), members: false };
    if bytes.first() != Some(&b'{') || cut.walk().is_none() || !cut.members {
        return false;
    }
    out.extend_from_slice(&bytes[..cut.safe]);
    out.extend(cut.closers.iter().rev());
    true
}

struct Cut<'a> {
    bytes: &'a [u8],
    /// The brackets that close what is open.
    open: Vec<u8>,
    /// The end of the last complete value or opening bracket, and what was open then.
    safe: usize,
    closers: Vec<u8>,
    /// Whether a scalar was complete.
    members: bool,
}

impl Cut<'_> {
    fn save(&mut self, at: usize) {
        self.safe = at;
        self.closers.clone_from(&self.open);
    }

    /// Goes to the end of the bytes; none if there is an error before it.
    fn walk(&mut self) -> Option<()> {
        let mut at = 0;
        let mut value = true;
        loop {
            at = skip_space(self.bytes, at);
            let Some(byte) = self.bytes.get(at) else { return Some(()) };
            match (byte, value) {
                (b'{' | b'[', true) => {
                    if self.open.len() >= MAX_DEPTH {
                        return None;
                    }
                    let object = *byte == b'{';
                    self.open.push(if object { b'}' } else { b']' });
                    at += 1;
                    self.save(at);
                    let inner = skip_space(self.bytes, at);
                    if self.bytes.get(inner) == self.open.last() {
                        (at, value) = (inner, false);
                    } else if object {
                        at = self.key(at)?;
                    }
                }
                (_, true) => {
                    at = self.scalar(at)?;
                    value = false;
                }
                (b',', false) => {
                    at += 1;
                    value = true;
                    if *self.open.last()? == b'}' {
                        at = self.key(at)?;
                    }
                }
                (byte, false) if Some(byte) == self.open.last() => {
                    self.open.pop();
                    at += 1;
                    self.save(at);
                }
                _ => return None,
            }
        }
    }

    /// The place after the key at `at` and its colon, or the end if they are cut.
    fn key(&self, at: usize) -> Option<usize> {
        let end = self.bytes.len();
        let at = skip_space(self.bytes, at);
        match self.bytes.get(at) {
            None => return Some(end),
            Some(b'"') => {}
            Some(_) => return None,
        }
        let Ok(key) = string_end(Portable, self.bytes, at + 1) else { return Some(end) };
        let colon = skip_space(self.bytes, key.quote + 1);
        match self.bytes.get(colon) {
            None => Some(end),
            Some(b':') => Some(colon + 1),
            Some(_) => None,
        }
    }

    /// The place after the scalar at `at`, or the end if it is cut. A number that ends with the bytes may be cut.
    fn scalar(&mut self, at: usize) -> Option<usize> {
        let end = if self.bytes[at] == b'"' {
            match string_end(Portable, self.bytes, at + 1) {
                Ok(end) => end.quote + 1,
                Err(_) => return Some(self.bytes.len()),
            }
        } else {
            match scalar(self.bytes, at) {
                Ok((_, end)) if end == self.bytes.len() => return Some(end),
                Ok((_, end)) => end,
                Err(error) if error.kind == JsonErrorKind::UnexpectedEnd => return Some(self.bytes.len()),
                Err(_) => return None,
            }
        };
        self.members = true;
        self.save(end);
        Some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flatten::flatten;

    #[test]
    fn cut_back_to_the_last_complete_member() {
        for (raw, expected) in [
            (r#"{"a":"b","c":"d[Truncated...]"#, Some(r#"{"a":"b"}"#)),
            (r#"{"a":"b","c":"d" [Truncated...] "#, Some(r#"{"a":"b","c":"d"}"#)),
            (r#"{"a":"b","c"#, Some(r#"{"a":"b"}"#)),
            (r#"{"a":"b","c":"#, Some(r#"{"a":"b"}"#)),
            (r#"{"a":"b","c":{"#, Some(r#"{"a":"b","c":{}}"#)),
            (r#"{"a":1,"c":{"d":[{"e":"f"},{"g":tr"#, Some(r#"{"a":1,"c":{"d":[{"e":"f"},{}]}}"#)),
            (r#"{"a":1,"c":12"#, Some(r#"{"a":1}"#)),
            (r#"{"a":1,"c":"x\"#, Some(r#"{"a":1}"#)),
            (r#"{"a":[1,2]"#, Some(r#"{"a":[1,2]}"#)),
            (r#"{"a":1}"#, Some(r#"{"a":1}"#)),
            (r#"{"a":"#, None),
            (r#"{"a":[1}"#, None),
            (r#"{"a" 1"#, None),
            ("[Truncated...]", None),
            ("", None),
            ("klog text", None),
        ] {
            let mut out = Vec::new();
            let saved = salvage(raw.as_bytes(), &mut out);
            assert_eq!(saved.then(|| String::from_utf8_lossy(&out).into_owned()).as_deref(), expected, "{raw}");
        }
        assert!(!salvage("[{\"a\":".repeat(10_000).as_bytes(), &mut Vec::new()));
    }

    #[test]
    fn every_cut_of_an_event_parses_again() {
        let event = "{\"a\":\"é\\u0041\\\\\",\"b\":[1,-2.5e3,null,{\"c\":[[],{}]}],\"d\":{\"e\":true},\"f\":\"\"}";
        let mut out = Vec::new();
        for cut in 0..event.len() {
            if salvage(&event.as_bytes()[..cut], &mut out) {
                assert_eq!(flatten(&out, &mut |_, _| {}), Ok(()), "{cut}: {}", String::from_utf8_lossy(&out));
            } else {
                assert!(cut < 17, "nothing saved of {cut} bytes");
            }
        }
    }
}
