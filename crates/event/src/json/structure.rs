//! Where strings and containers end, without looking at what they hold.

use super::simd::{Kernel, Masks, Work, dispatch};
use super::{JsonError, JsonErrorKind};

/// The end of a string: the place of its closing quote, and whether it holds escapes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StringEnd {
    pub(crate) quote: usize,
    pub(crate) escaped: bool,
}

/// Finds the end of the string whose first byte after the opening quote is at `from`.
#[inline(always)]
pub(crate) fn string_end<K: Kernel>(kernel: K, bytes: &[u8], from: usize) -> Result<StringEnd, JsonError> {
    let mut at = from;
    let mut escaped = false;
    loop {
        let stop = next_stop(kernel, bytes, at)?;
        if bytes[stop] == b'"' {
            return Ok(StringEnd { quote: stop, escaped });
        }
        escaped = true;
        at = stop + 2;
    }
}

/// The place of the next `"` or `\`.
#[inline(always)]
fn next_stop<K: Kernel>(kernel: K, bytes: &[u8], from: usize) -> Result<usize, JsonError> {
    let mut at = from;
    while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<32>()) {
        let stops = kernel.string_stops(block);
        if stops != 0 {
            return Ok(at + stops.trailing_zeros() as usize);
        }
        at += 32;
    }
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b'"' | b'\\') {
            return Ok(at);
        }
        at += 1;
    }
    Err(JsonError::new(JsonErrorKind::UnexpectedEnd, bytes.len()))
}

/// How deep a walk over bytes is in brackets, and whether it is in a string; goes on from piece to piece.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Structure {
    depth: u64,
    /// All ones in a string, else zero.
    in_string: u64,
    /// 1 if the next byte is escaped.
    escape: u64,
}

impl Structure {
    /// Within `depth` brackets.
    pub(crate) fn within(depth: u64) -> Structure {
        Structure { depth, in_string: 0, escape: 0 }
    }

    /// Whether the last byte fed was in a string.
    pub(crate) fn in_string(&self) -> bool {
        self.in_string != 0
    }

    /// Walks over `bytes`; gives the place after the bracket that closes the outermost one, if it is there.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        dispatch(Feed { structure: self, bytes })
    }

    /// The same over bytes from `from`, with an error if a bracket lies deeper than `limit`.
    #[inline(always)]
    pub(crate) fn scan<K: Kernel>(
        &mut self,
        kernel: K,
        bytes: &[u8],
        from: usize,
        limit: u64,
    ) -> Result<Option<usize>, JsonError> {
        let mut at = from;
        while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<64>()) {
            let (open, close) = self.brackets(kernel.masks(block), 64);
            if let Some(end) = self.count(open, close, limit, at)? {
                return Ok(Some(end));
            }
            at += 64;
        }
        let tail = bytes.get(at..).unwrap_or_default();
        if !tail.is_empty() {
            let mut block = [b' '; 64];
            block[..tail.len()].copy_from_slice(tail);
            let (open, close) = self.brackets(kernel.masks(&block), tail.len() as u32);
            return self.count(open, close, limit, at);
        }
        Ok(None)
    }

    /// The brackets of a block of `len` bytes that are not in strings.
    #[inline(always)]
    fn brackets(&mut self, masks: Masks, len: u32) -> (u64, u64) {
        let mut escaped = self.escape;
        let mut backslashes = masks.backslash & !escaped;
        let mut escapes_next_block = 0;
        while backslashes != 0 {
            let backslash = backslashes & backslashes.wrapping_neg();
            escapes_next_block = backslash >> 63;
            escaped |= backslash << 1;
            backslashes &= !(backslash | (backslash << 1));
        }
        self.escape = if len == 64 { escapes_next_block } else { (escaped >> len) & 1 };
        let mut strings = masks.quote & !escaped;
        // Bit i becomes the parity of the quotes up to i.
        for shift in [1, 2, 4, 8, 16, 32] {
            strings ^= strings << shift;
        }
        strings ^= self.in_string;
        self.in_string = 0u64.wrapping_sub(strings >> 63);
        (masks.open & !strings, masks.close & !strings)
    }

    /// Takes the brackets of the block at `at` into account.
    #[inline(always)]
    fn count(&mut self, open: u64, close: u64, limit: u64, at: usize) -> Result<Option<usize>, JsonError> {
        let (opened, closed) = (u64::from(open.count_ones()), u64::from(close.count_ones()));
        if closed < self.depth && self.depth + opened <= limit {
            self.depth = self.depth + opened - closed;
            return Ok(None);
        }
        let mut brackets = open | close;
        while brackets != 0 {
            let place = brackets.trailing_zeros();
            brackets &= brackets - 1;
            if open & (1 << place) != 0 {
                self.depth += 1;
                if self.depth > limit {
                    return Err(JsonError::new(JsonErrorKind::TooDeep, at + place as usize));
                }
            } else {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    return Ok(Some(at + place as usize + 1));
                }
            }
        }
        Ok(None)
    }
}

struct Feed<'a> {
    structure: &'a mut Structure,
    bytes: &'a [u8],
}

impl Work for Feed<'_> {
    type Output = Option<usize>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Option<usize> {
        // Only a limit on the depth can fail.
        self.structure.scan(kernel, self.bytes, 0, u64::MAX).unwrap_or(None)
    }
}

/// The place after the container that opens at `from`. Only strings and the number of brackets are looked at. `outside`
/// is the number of brackets around it, `limit` how many may be open.
#[inline(always)]
pub(crate) fn container_end<K: Kernel>(
    kernel: K,
    bytes: &[u8],
    from: usize,
    outside: usize,
    limit: usize,
) -> Result<usize, JsonError> {
    if outside >= limit {
        return Err(JsonError::new(JsonErrorKind::TooDeep, from));
    }
    let allowed = (limit - outside) as u64;
    match Structure::within(1).scan(kernel, bytes, from + 1, allowed)? {
        Some(end) => Ok(end),
        None => Err(JsonError::new(JsonErrorKind::UnexpectedEnd, bytes.len())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, byte by byte.
    fn plain(bytes: &[u8]) -> Option<usize> {
        let (mut depth, mut in_string, mut escaped) = (0, false, false);
        for (at, byte) in bytes.iter().enumerate() {
            if escaped {
                escaped = false;
                if matches!(byte, b'"' | b'\\') {
                    continue;
                }
            }
            match byte {
                b'\\' => escaped = true,
                b'"' => in_string = !in_string,
                b'{' | b'[' if !in_string => depth += 1,
                b'}' | b']' if !in_string => {
                    depth = i64::max(depth - 1, 0);
                    if depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition_however_the_bytes_are_cut(
            text in r#"[{\[][\]}{\["\\a]{0,200}"#,
            cuts in proptest::collection::vec(1usize..90, 0..8),
        ) {
            let bytes = text.as_bytes();
            let mut structure = Structure::within(0);
            let mut at = 0;
            let mut found = None;
            for cut in cuts.into_iter().chain([bytes.len()]) {
                let end = (at + cut).min(bytes.len());
                if let Some(place) = structure.feed(&bytes[at..end]) {
                    found = Some(at + place);
                    break;
                }
                at = end;
            }
            prop_assert_eq!(found, plain(bytes));
        }
    }
}
