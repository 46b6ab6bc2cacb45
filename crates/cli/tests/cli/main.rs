//! The binary from outside: what goes in, what comes out, and how it ends.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod bad_events;
mod bad_rules;
mod exit_codes;
mod fixture;
mod forms;
mod inputs;
mod pages;
mod repeatable;
mod scenarios;
mod scripts;
mod seeds;
mod surroundings;
