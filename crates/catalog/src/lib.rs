//! What a set of detection rules is good for: which techniques it covers, which rules there are, which look for the same
//! thing, and the whole set as a document.
//!
//! Everything here reads compiled rules and nothing else, so rules of all languages are counted and compared alike. Each
//! answer is data ([`serde::Serialize`]) and can be shown as text.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod attack;
mod catalogue;
mod condition;
pub mod coverage;
pub mod listing;
pub mod microsoft;
pub mod overlap;
mod row;
pub mod search;
pub mod stratus;
mod table;

pub use catalogue::catalogue;
pub use coverage::Coverage;
pub use listing::{Listed, list};
pub use overlap::{Overlap, overlaps};
pub use search::{Hit, search};
