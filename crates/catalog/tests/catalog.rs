//! Small sets of rules in two languages: coverage, lists, searches, overlaps, the catalogue.

use std::path::PathBuf;
use std::sync::Arc;

use masthead_catalog::overlap::OverlapKind;
use masthead_catalog::search::Place;
use masthead_catalog::{Coverage, catalogue, list, listing, overlap, overlaps, search};
use masthead_ir::rule::{CompileOptions, Rule};
use masthead_rulefile::{Corpus, Dialect};
use masthead_sigma::Sigma;
use masthead_splunk::Splunk;

fn compile(dialect: &dyn Dialect, texts: &[(&str, String)]) -> Vec<Arc<Rule>> {
    let corpus = Corpus::from_memory(texts.iter().map(|(path, text)| (PathBuf::from(path), text.clone())).collect());
    let files: Vec<_> = corpus.files.iter().filter(|file| dialect.claims(file)).cloned().collect();
    let set = dialect.compile(&corpus, &files, &CompileOptions::default());
    let rules: Vec<_> = set.rules.iter().filter_map(|compiled| compiled.rule.clone()).collect();
    assert!(rules.len() >= texts.len(), "all compile: {:?}", set.rules);
    rules
}

/// A Sigma rule: its name, its tags, and the lines of its detection.
fn sigma(rules: &[(&str, &str, &str)]) -> Vec<Arc<Rule>> {
    let text = |(at, (title, tags, detection)): (usize, &(&str, &str, &str))| {
        let lines = detection.lines().map(|line| format!("  {line}\n")).collect::<String>();
        format!(
            "title: {title}\nid: 00000000-0000-4000-8000-{at:012}\ndescription: Looks for {title}.\ntags: [{tags}]\n\
             logsource: {{product: kubernetes, service: audit}}\nlevel: high\ndetection:\n{lines}"
        )
    };
    let texts: Vec<_> = rules.iter().enumerate().map(text).collect();
    let names: Vec<String> = (0..texts.len()).map(|at| format!("builtin:/sigma/{at:03}.yml")).collect();
    let texts: Vec<(&str, String)> = names.iter().map(String::as_str).zip(texts).collect();
    compile(&Sigma, &texts)
}

fn splunk(name: &str, id: &str, attack: &str, search: &str) -> Arc<Rule> {
    let text = format!(
        "name: {name}\nid: {id}\nversion: 1\ndate: '2026-01-01'\nauthor: a\nstatus: production\ntype: Anomaly\n\
         description: Looks for {name}.\nsearch: '{search}'\nhow_to_implement: h\nknown_false_positives: Backups\n\
         references: []\ntags:\n  analytic_story: [Kubernetes]\n  asset_type: Kubernetes\n  mitre_attack_id: [{attack}]\n  \
         security_domain: network\n"
    );
    compile(&Splunk, &[("escu/rule.yml", text)]).remove(0)
}

/// Four rules in two languages.
fn few() -> Vec<Arc<Rule>> {
    let mut rules = sigma(&[
        (
            "Secrets listed",
            "attack.credential-access, attack.t1552.007, ms.ta9025",
            "selection:\n  verb: list\n  objectRef.resource: secrets\ncondition: selection",
        ),
        (
            "Exec into pod",
            "attack.execution, attack.t1609, MS-TA9006",
            "selection:\n  verb: [create, get]\n  objectRef.resource: pods\n  objectRef.subresource: exec\ncondition: selection",
        ),
        (
            "Privileged pod",
            "attack.t1611",
            "selection:\n  verb: create\n  objectRef.resource: pods\n  \
             requestObject.spec.containers.securityContext.privileged: true\ncondition: selection",
        ),
    ]);
    let search = "source=\"kubernetes\" verb=list objectRef.resource=secrets | stats count by user.username";
    rules.push(splunk("Kubernetes Secrets Listed", "6b5f2d2e-1111-4222-8333-444455556666", "T1552.007, T9999", search));
    rules
}

#[test]
fn coverage_as_text_markdown_and_layer() {
    let coverage = Coverage::of(&few());
    insta::assert_snapshot!("coverage_text", coverage.text());
    insta::assert_snapshot!("coverage_markdown", coverage.markdown());
    insta::assert_json_snapshot!("navigator", coverage.navigator("few"));
}

#[test]
fn a_rule_without_tags_of_the_matrix_counts_by_its_technique() {
    let coverage = Coverage::of(&few());
    let secrets = coverage.microsoft.iter().find(|cover| cover.id == "MS-TA9025").expect("it is there");
    let names = |rules: &[masthead_catalog::coverage::RuleName]| -> Vec<String> {
        rules.iter().map(|rule| rule.name.clone()).collect()
    };
    assert_eq!(names(&secrets.by_tag), ["Secrets listed"]);
    assert_eq!(names(&secrets.by_technique), ["Kubernetes Secrets Listed"]);
    assert!(coverage.gaps.iter().all(|gap| gap.id != "MS-TA9025"));
    assert!(coverage.gaps.iter().any(|gap| gap.id == "MS-TA9022"));
}

#[test]
fn an_attack_needs_the_technique_and_a_condition_that_its_event_meets() {
    let covered = |rules: &[Arc<Rule>]| -> Vec<&'static str> {
        Coverage::of(rules).stratus.iter().filter(|cover| cover.is_covered()).map(|cover| cover.id).collect()
    };
    assert_eq!(
        covered(&few()),
        [
            "k8s.credential-access.dump-secrets",
            "k8s.credential-access.steal-serviceaccount-token",
            "k8s.privilege-escalation.privileged-pod"
        ]
    );
    let selection =
        "selection:\n  verb: list\n  objectRef.resource: secrets\n  objectRef.namespace: prod\ncondition: selection";
    assert!(covered(&sigma(&[("Other", "attack.t1552.007", selection)])).is_empty(), "another namespace");
    let selection = "selection:\n  verb: list\n  objectRef.resource: secrets\ncondition: selection";
    assert!(covered(&sigma(&[("Other", "attack.t1485", selection)])).is_empty(), "another technique");
    let selection = "selection:\n  verb: list\ncondition: selection";
    assert!(covered(&sigma(&[("Other", "attack.t1552.007", selection)])).is_empty(), "no telling field");
}

#[test]
fn rules_that_are_switched_off_cover_nothing() {
    let mut rules = few();
    for rule in &mut rules {
        Arc::get_mut(rule).expect("it is ours").enabled = false;
    }
    let coverage = Coverage::of(&rules);
    assert_eq!((coverage.counted, coverage.off, coverage.techniques.len()), (0, 4, 0));
    assert_eq!(Coverage::of_all(&rules).counted, 4);
}

#[test]
fn lists_tell_fields_and_level() {
    let rules = few();
    let listed = list(&rules);
    assert_eq!(listed[1].reads, ["verb", "objectRef.resource", "objectRef.subresource"]);
    let levels: Vec<&str> = listed.iter().map(|rule| rule.audit_level.as_str()).collect();
    assert_eq!(levels, ["Metadata", "Metadata", "Request", "Metadata"]);
    insta::assert_snapshot!("list", listing::text(&listed));
}

#[test]
fn searches_need_all_words_and_rank_names_first() {
    let rules = sigma(&[
        ("Token made", "attack.t1528", "selection:\n  objectRef.resource: tokens\n  verb: bravo\ncondition: selection"),
        ("Bravo", "attack.t1609", "selection:\n  verb: create\n  objectRef.resource: pods\ncondition: selection"),
        (
            "Tagged",
            "attack.t1613, bravo",
            "selection:\n  verb: delete\n  objectRef.resource: pods\ncondition: selection",
        ),
    ]);
    let names =
        |query: &str| -> Vec<String> { search::search(&rules, query).into_iter().map(|hit| hit.rule.name).collect() };
    assert_eq!(names("BRAVO"), ["Bravo", "Tagged", "Token made"]);
    assert_eq!(names("t1613"), ["Tagged"]);
    assert_eq!(names("container administration"), ["Bravo"], "the name of the technique");
    assert_eq!(names("bravo pods"), ["Bravo", "Tagged"]);
    assert_eq!(names("objectref.resource tokens"), ["Token made"]);
    assert!(names("bravo nowhere").is_empty() && names(" ").is_empty());
    let hits = search::search(&rules, "pods tagged");
    assert_eq!(hits[0].places, [("pods".to_owned(), Place::Test), ("tagged".to_owned(), Place::Name)]);
    insta::assert_snapshot!("hits", search::text(&search::search(&rules, "bravo")));
}

#[test]
fn the_same_is_found_across_languages_and_exceptions_do_not_count() {
    let mut rules = few();
    rules.extend(sigma(&[(
        "Secrets listed by somebody",
        "attack.t1552.007",
        "selection:\n  stage: ResponseComplete\n  verb: LIST\n  objectRef.resource: secrets\n  responseStatus.code: 200\n\
         filter:\n  user.username: system:admin\ncondition: selection and not filter",
    )]));
    let found = overlaps(&rules);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].kind, OverlapKind::Same);
    let names: Vec<&str> = found[0].rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["Kubernetes Secrets Listed", "Secrets listed", "Secrets listed by somebody"]);
    assert_eq!(found[0].what, "list on secrets; their exceptions differ");
}

#[test]
fn narrower_rules_ask_for_more() {
    let rules = sigma(&[
        (
            "Any",
            "a.b",
            "selection:\n  verb: [create, get]\n  objectRef.resource: pods\n  objectRef.subresource: exec\ncondition: selection",
        ),
        (
            "Shell",
            "a.b",
            "selection:\n  verb: get\n  objectRef.resource: pods\n  objectRef.subresource: exec\n  requestURI|contains: command=sh\ncondition: selection",
        ),
        (
            "Other verb",
            "a.b",
            "selection:\n  verb: delete\n  objectRef.resource: pods\n  objectRef.subresource: exec\ncondition: selection",
        ),
        (
            "Refused",
            "a.b",
            "selection:\n  verb: get\n  objectRef.resource: pods\n  objectRef.subresource: exec\n  responseStatus.code: 403\ncondition: selection",
        ),
        (
            "People",
            "a.b",
            "selection:\n  verb: list\n  objectRef.resource: nodes\nfilter:\n  user.username|startswith: 'system:'\ncondition: selection and not filter",
        ),
        (
            "Accounts",
            "a.b",
            "selection:\n  verb: list\n  objectRef.resource: nodes\n  user.username|startswith: 'system:serviceaccount:'\ncondition: selection",
        ),
    ]);
    insta::assert_snapshot!("narrower", overlap::text(&overlaps(&rules)));
}

#[test]
fn groups_of_user_and_list_marks_are_one_field() {
    let selection =
        "selection:\n  verb: create\n  objectRef.resource: pods\n  user.groups: system:masters\ncondition: selection";
    let mut rules = sigma(&[("Masters", "attack.t1610", selection)]);
    let search = "verb=create objectRef.resource=pods user.groups{}=system:masters";
    rules.push(splunk("Masters Pods", "6b5f2d2e-1111-4222-8333-444455556667", "T1610", search));
    let found = overlaps(&rules);
    assert_eq!((found.len(), found[0].rules.len(), found[0].kind), (1, 2, OverlapKind::Same));
}

#[test]
fn thousands_of_equal_rules_are_one_group() {
    let one =
        &sigma(&[("Pods", "a.b", "selection:\n  verb: create\n  objectRef.resource: pods\ncondition: selection")])[0];
    let many: Vec<Arc<Rule>> = (0..4_000)
        .map(|at| {
            let mut rule = (**one).clone();
            rule.id = at.to_string();
            Arc::new(rule)
        })
        .collect();
    let found = overlaps(&many);
    assert_eq!((found.len(), found[0].rules.len()), (1, 4_000));
}

#[test]
fn the_catalogue_is_the_same_whatever_the_order() {
    let mut rules = few();
    let text = catalogue(&rules);
    insta::assert_snapshot!("catalogue", text);
    rules.reverse();
    assert_eq!(catalogue(&rules), text);
    assert!(text.ends_with('\n') && !text.ends_with("\n\n") && !text.contains("builtin:"));
}
