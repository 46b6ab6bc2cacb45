//! The running service.

#![cfg_attr(test, allow(clippy::unwrap_used))]
