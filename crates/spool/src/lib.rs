//! A durable queue of accepted batches of events.

#![cfg_attr(test, allow(clippy::unwrap_used))]
