//! Where findings are sent.

#![cfg_attr(test, allow(clippy::unwrap_used))]
