//! What the walkers over JSON share: errors, values, the grammar of tokens.

pub(crate) mod simd;
pub(crate) mod structure;
pub(crate) mod token;

use crate::ledger::Reason;

/// How many brackets may be open at once, unless said otherwise.
pub const MAX_DEPTH: usize = 128;

/// Why bytes were not taken as JSON, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// The offset of the byte at which it was noticed.
    pub offset: usize,
}

/// What is wrong with a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonErrorKind {
    /// It is not UTF-8.
    #[error("invalid UTF-8")]
    InvalidUtf8,
    /// It holds a NUL byte.
    #[error("a NUL byte")]
    NulByte,
    /// It ends before it is complete.
    #[error("unexpected end")]
    UnexpectedEnd,
    /// A byte that the grammar does not allow there.
    #[error("unexpected byte")]
    UnexpectedByte,
    /// An escape that JSON does not have.
    #[error("invalid escape")]
    BadEscape,
    /// A control character in a string.
    #[error("a control character in a string")]
    ControlCharacter,
    /// More brackets are open than allowed.
    #[error("nested too deep")]
    TooDeep,
    /// It is longer than 4 GiB.
    #[error("too long")]
    TooLong,
    /// Something follows the value.
    #[error("something follows the value")]
    TrailingBytes,
}

impl JsonError {
    pub(crate) fn new(kind: JsonErrorKind, offset: usize) -> JsonError {
        JsonError { kind, offset }
    }

    /// The reason under which an event with this error is counted.
    pub fn reason(&self) -> Reason {
        match self.kind {
            JsonErrorKind::InvalidUtf8 => Reason::InvalidUtf8,
            JsonErrorKind::NulByte => Reason::NulByte,
            JsonErrorKind::TooDeep => Reason::TooDeep,
            JsonErrorKind::TooLong => Reason::TooLong,
            JsonErrorKind::UnexpectedEnd
            | JsonErrorKind::UnexpectedByte
            | JsonErrorKind::BadEscape
            | JsonErrorKind::ControlCharacter
            | JsonErrorKind::TrailingBytes => Reason::NotJson,
        }
    }

    /// Whether the text only ends too early, so that [`salvage`](crate::salvage::salvage) may close it.
    pub fn is_cut(&self) -> bool {
        self.kind == JsonErrorKind::UnexpectedEnd
    }
}

/// The JSON type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A string.
    String,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// `null`.
    Null,
    /// An object, or an array that holds objects or arrays.
    Json,
}

/// A value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotValue<'a> {
    /// Its JSON type.
    pub kind: Kind,
    /// A string without its quotes and escapes (a lone surrogate is U+FFFD); everything else as its source text.
    pub text: &'a str,
}

/// The text of an event, if it is one that the walkers may go over: UTF-8, without NUL, at most 4 GiB.
pub(crate) fn checked_text(raw: &[u8]) -> Result<&str, JsonError> {
    if raw.len() >= u32::MAX as usize {
        return Err(JsonError::new(JsonErrorKind::TooLong, 0));
    }
    if let Some(at) = memchr::memchr(0, raw) {
        return Err(JsonError::new(JsonErrorKind::NulByte, at));
    }
    simdutf8::basic::from_utf8(raw).map_err(|_| {
        let at = simdutf8::compat::from_utf8(raw).err().map_or(0, |error| error.valid_up_to());
        JsonError::new(JsonErrorKind::InvalidUtf8, at)
    })
}
