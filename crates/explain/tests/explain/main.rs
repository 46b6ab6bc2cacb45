//! Pages and traces, made from rules of every dialect.

#![allow(clippy::unwrap_used)]

mod pages;
mod support;
mod traces;
mod words;
