//! The masthead command line.
fn main() {}
