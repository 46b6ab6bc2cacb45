//! Whole pages.

use std::sync::Arc;

use masthead_elastic::Elastic;
use masthead_explain::{Page, Role, explain};
use masthead_falco::Falco;
use masthead_ir::pattern::Pattern;
use masthead_ir::rule::Rule;
use masthead_ir::{Expr, Value};
use masthead_sigma::Sigma;
use masthead_splunk::Splunk;

use crate::support::{compiled, is, not, program, single, test};

/// A page as text and as JSON.
fn both(page: &Page) -> String {
    format!("{}\n{}\n", page.text(), serde_json::to_string_pretty(page).unwrap())
}

fn page_of(rules: &[Arc<Rule>], name: &str) -> Page {
    explain(rules.iter().find(|rule| rule.name == name).unwrap(), rules)
}

fn sigma() -> Vec<Arc<Rule>> {
    let mut rules = compiled(&Sigma, "single.yml", include_str!("../rules/single.yml"));
    rules.extend(compiled(&Sigma, "correlation.yml", include_str!("../rules/correlation.yml")));
    rules
}

#[test]
fn sigma_single() {
    let page = page_of(&sigma(), "Shell in a running container");
    insta::assert_snapshot!(both(&page));
    insta::assert_snapshot!("sigma_single_markdown", page.markdown());
}

#[test]
fn sigma_correlations() {
    insta::assert_snapshot!(both(&page_of(&sigma(), "Bound, then secrets read")));
    insta::assert_snapshot!("sigma_count", page_of(&sigma(), "Many secrets read").text());
}

#[test]
fn splunk_search() {
    let rules = compiled(&Splunk, "detections/search.yml", include_str!("../rules/search.yml"));
    insta::assert_snapshot!(both(&page_of(&rules, "Scan Without Credentials")));
}

#[test]
fn falco_rule() {
    let rules = compiled(&Falco, "falco.yaml", include_str!("../rules/falco.yaml"));
    insta::assert_snapshot!(both(&page_of(&rules, "Pod of a stranger")));
}

#[test]
fn elastic_sequence() {
    let rules = compiled(&Elastic, "sequence.toml", include_str!("../rules/sequence.toml"));
    insta::assert_snapshot!(both(&page_of(&rules, "Role changed, workload made")));
}

#[test]
fn elastic_table() {
    let rules = compiled(&Elastic, "table.toml", include_str!("../rules/table.toml"));
    insta::assert_snapshot!(both(&page_of(&rules, "Many secrets of one address")));
}

#[test]
fn a_program_says_what_could_be_read_off() {
    let guard = Expr::And(vec![test("verb", is("get")), Expr::Literal(Value::Absent)]);
    let page = explain(&program(guard, 3), &[]);
    let script = page.script.as_ref().unwrap();
    assert!(script.not_read);
    assert_eq!(page.conditions.len(), 1);
    insta::assert_snapshot!(page.text());
}

#[test]
fn tests_are_shared_with_other_rules_only() {
    let rules: Vec<Arc<Rule>> = ["a", "b", "c"]
        .map(|id| {
            let values = Pattern::AnyOf(vec![is("get"), is(id)]);
            Arc::new(Rule { id: id.to_owned(), ..single(not(test("verb", values))) })
        })
        .to_vec();
    let page = explain(&rules[0], &rules);
    assert_eq!(page.indicators.len(), 1);
    assert_eq!(page.indicators[0].shared_with, 2);
    assert!(page.indicators[0].negated);
    assert_eq!(page.conditions[0].role, Role::Excludes);
}

#[test]
fn a_rule_without_a_condition_still_has_a_page() {
    let page = explain(&single(Expr::Literal(Value::Bool(true))), &[]);
    assert!(page.conditions.is_empty());
    assert!(page.text().contains("every one counts"), "{}", page.text());
}
