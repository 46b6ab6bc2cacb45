//! Findings, risk and the engine's state in SQLite or PostgreSQL.

#![cfg_attr(test, allow(clippy::unwrap_used))]
