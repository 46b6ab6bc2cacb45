//! What holds for every pattern.

use masthead_ir::eval::Program;
use proptest::prelude::*;

use crate::lower;
use crate::syntax::parse;

/// Pieces that patterns are made of, so that more than the first character is reached.
const PIECES: &[&str] = &[
    "{", "}", "(", ")", "[", "]", "$", ".", "$.a", "$.a.b[0]", "[*]", "['", "\"", "\\", "%", "%a+%", "=", "!=", ">=",
    "&&", "||", "&", "IS", "NULL", "NOT", "EXISTS", "...", ",", "name", "4*", "*", "-", "?", "1e3", " ", "\n", "é",
    "…",
];

fn sound(pattern: &str) {
    match parse(pattern) {
        Ok(parsed) => {
            for warning in parsed.warnings {
                assert!(pattern.get(warning.range.clone()).is_some(), "{pattern:?}: {warning:?}");
            }
            if let Ok(filter) = lower::filter(&parsed.pattern) {
                assert!(Program::compile(&filter).is_ok(), "{pattern:?}: {filter:?}");
            }
        }
        Err(fault) => assert!(pattern.get(fault.range.clone()).is_some(), "{pattern:?}: {fault:?}"),
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_told_of(pattern in "[\\PC\\n]{0,60}") {
        sound(&pattern);
    }

    #[test]
    fn any_pieces_are_read_or_told_of(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..24)) {
        sound(&pieces.concat());
        sound(&format!("{{ {} }}", pieces.join(" ")));
        sound(&format!("[{}]", pieces.join(" ")));
    }

    #[test]
    fn conditions_mean_what_their_parts_do(a in any::<bool>(), b in any::<bool>(), c in any::<bool>()) {
        let event = format!(r#"{{"a": {a}, "b": {b}, "c": {c}}}"#);
        let (x, y, z) = ("$.a IS TRUE", "$.b IS TRUE", "$.c IS TRUE");
        super::check(&format!("{{ {x} || {y} && {z} }}"), &event, a || b && c);
        super::check(&format!("{{ ({x} || {y}) && {z} }}"), &event, (a || b) && c);
    }
}

#[test]
fn deep_nesting_is_told_of() {
    for depth in [10, 49, 50, 51, 5_000] {
        let pattern = format!("{{ {}$.a = 1{} }}", "(".repeat(depth), ")".repeat(depth));
        assert_eq!(parse(&pattern).is_ok(), depth <= 50, "{depth}");
        let pattern = format!("{{ {}$.a = 1{} }}", "($.b = 1 || $.c = 1 && ".repeat(depth), ")".repeat(depth));
        sound(&pattern);
    }
}
