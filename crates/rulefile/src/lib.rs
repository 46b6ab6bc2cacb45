//! Rule files: YAML with places, the files around a rule, and what a front-end is.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod corpus;
pub mod dialect;
pub mod node;
pub mod parse;
mod suggest;

pub use corpus::{Content, Corpus, RuleFile};
pub use dialect::Dialect;
pub use node::{Node, NodeValue, Scalar};
pub use suggest::suggest;
