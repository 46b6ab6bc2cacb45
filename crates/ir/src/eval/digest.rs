//! Digests, in lower-case hexadecimal digits.

use std::fmt::Write as _;

use md5::Md5;
use sha2::{Digest, Sha256};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The MD5 digest of a text.
pub(super) fn md5(text: &str) -> String {
    hex(&Md5::digest(text))
}

/// The SHA-1 digest of a text.
pub(super) fn sha1(text: &str) -> String {
    hex(&sha1_smol::Sha1::from(text).digest().bytes())
}

/// The SHA-256 digest of a text.
pub(super) fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text))
}
