//! Where events come from, live: HTTP endpoints of the protocols that clusters and collectors speak, and files that grow.
//!
//! A source decodes what it is given into a [`Delivery`] and submits it to an [`Intake`]. It acknowledges only what the
//! intake has accepted, which means: what is on a disk.

#![cfg_attr(test, allow(clippy::unwrap_used))]

#[cfg(test)]
mod collector;
pub mod decode;
mod delivery;
pub mod http;
mod lines;
mod offer;
pub mod stdin;
pub mod tail;

pub use delivery::{Delivery, Intake, Refused};
