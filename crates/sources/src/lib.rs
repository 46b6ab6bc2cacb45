//! Where events come from, live.

#![cfg_attr(test, allow(clippy::unwrap_used))]
