//! What the built-in pack covers.

use std::path::Path;
use std::sync::Arc;

use masthead_catalog::{Coverage, catalogue, overlaps};
use masthead_ir::rule::{CompileOptions, Rule};
use masthead_rulefile::{Corpus, Dialect};
use masthead_sigma::Sigma;

/// Techniques of the Microsoft matrix that an audit log shows and the pack does not cover, with the reason.
const UNCOVERED: &[(&str, &str)] = &[];

fn pack() -> Vec<Arc<Rule>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/sigma");
    let corpus = Corpus::read(&[folder]).expect("the pack can be read");
    let files: Vec<_> = corpus.files.iter().filter(|file| Sigma.claims(file)).cloned().collect();
    let set = Sigma.compile(&corpus, &files, &CompileOptions::default());
    set.rules.iter().filter_map(|compiled| compiled.rule.clone()).collect()
}

#[test]
fn the_pack_covers_all_of_the_matrix_that_an_audit_log_shows() {
    let coverage = Coverage::of(&pack());
    let gaps: Vec<&str> = coverage.gaps.iter().map(|gap| gap.id.as_str()).collect();
    let expected: Vec<&str> = UNCOVERED.iter().map(|(id, _)| *id).collect();
    assert_eq!(gaps, expected);
    let unknown: Vec<&str> =
        coverage.techniques.iter().filter(|cover| cover.name.is_empty()).map(|cover| cover.id.as_str()).collect();
    assert!(unknown.is_empty(), "in no table: {unknown:?}");
}

#[test]
fn the_pack_finds_all_visible_attacks_of_stratus() {
    let coverage = Coverage::of(&pack());
    let visible: Vec<_> = coverage.stratus.iter().filter(|cover| cover.visibility.is_visible()).collect();
    assert_eq!(visible.len(), 9);
    for cover in visible {
        assert!(cover.is_covered(), "{}", cover.id);
    }
}

#[test]
fn no_two_rules_of_the_pack_are_the_same_and_all_are_in_the_catalogue() {
    let rules = pack();
    let same: Vec<_> = overlaps(&rules)
        .into_iter()
        .filter(|found| found.kind == masthead_catalog::overlap::OverlapKind::Same)
        .collect();
    assert!(same.is_empty(), "{same:#?}");
    let text = catalogue(&rules);
    assert!(rules.iter().all(|rule| text.contains(&rule.id)));
}
