//! What audit events can hold, and what findings of single events show of them.
//!
//! Rule languages spell the fields of an event in several ways (`user.groups`, `user.groups{}`, `user.groups[]`). Here they
//! become one, so that rules of different languages share their predicates.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod audit;
pub mod field;
pub mod rows;
pub mod types;

pub use field::field;
