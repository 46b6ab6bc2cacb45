//! Rule files: YAML with places, the files around a rule, and what a front-end is.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod corpus;
pub mod dialect;
pub mod node;
pub mod parse;
mod suggest;
mod toml;

pub use corpus::{Content, Corpus, RuleFile};
pub use dialect::Dialect;
pub use node::{Node, NodeValue, Scalar};
pub use suggest::suggest;

/// Code and meaning of every diagnostic about a file, whatever dialect it is of.
pub const CODES: &[(&str, &str)] = &[
    ("no-rule", "The file was named itself, and is no rule of a language that can be read here."),
    ("unreadable-file", "The file cannot be read, is too long, or is not UTF-8."),
    ("yaml-duplicate-key", "A mapping gives a key twice; the last one counts."),
    ("toml-syntax", "The file is no TOML."),
    ("yaml-syntax", "The file is no YAML."),
];
