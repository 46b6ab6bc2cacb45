//! `masthead run` from outside: real requests, real kills, real faults.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may stop where it stands, and say why it did not run"
)]

mod access;
mod clients;
mod endpoints;
mod faults;
mod kill;
mod quick_start;
mod server;
