//! Scan speed against the parse-only floor.
fn main() {}
