//! Pages and traces, made from rules of every dialect.

mod pages;
mod support;
mod traces;
mod words;
