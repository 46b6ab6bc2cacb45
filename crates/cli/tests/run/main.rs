//! `masthead run` from outside: real requests, real kills, real faults.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod access;
mod clients;
mod endpoints;
mod faults;
mod kill;
mod quick_start;
mod server;
