//! The content that the authors of this dialect publish, from a folder that the environment names. It is not part of this
//! project, so these tests run only where it is.

use std::path::PathBuf;

use masthead_ir::rule::{CompileOptions, Compiled, RuleSet, Status};
use masthead_rulefile::{Corpus, Dialect};

use crate::Panther;

/// The environment's name of the folder.
const FOLDER: &str = "MASTHEAD_PANTHER_ANALYSIS";

fn compile(folders: &[&str]) -> (Corpus, RuleSet) {
    let root = PathBuf::from(std::env::var(FOLDER).expect("the folder of published content"));
    let paths: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    let corpus = Corpus::read(&paths).unwrap();
    let claimed: Vec<_> = corpus.files.iter().filter(|file| Panther.claims(file)).cloned().collect();
    let set = Panther.compile(&corpus, &claimed, &CompileOptions::default());
    (corpus, set)
}

/// Rules that do not run, each with why.
fn stopped<'a>(rules: impl IntoIterator<Item = &'a Compiled>) -> Vec<String> {
    let stopped = rules.into_iter().filter(|compiled| compiled.status != Status::Runs);
    stopped
        .map(|compiled| {
            let why: Vec<&str> = compiled.diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
            format!("{} {:?}: {}", compiled.rule_id, compiled.status, why.join("; "))
        })
        .collect()
}

#[test]
#[ignore = "needs the published content"]
fn kubernetes_queries() {
    let (_, set) = compile(&["queries/kubernetes_queries"]);
    let stopped = stopped(&set.rules);
    assert_eq!(set.rules.len(), 15);
    // Its query joins behind `WHERE`, which is no SQL.
    let [ioc] = stopped.as_slice() else { panic!("{stopped:#?}") };
    assert!(ioc.starts_with("Kubernetes.IOCActivity Invalid") && ioc.contains("cannot be parsed"), "{ioc}");
}

#[test]
#[ignore = "needs the published content"]
fn all_queries() {
    let (_, set) = compile(&["queries"]);
    let stopped = stopped(&set.rules);
    let listed = stopped.join("\n");
    if let Ok(path) = std::env::var("MASTHEAD_PANTHER_REPORT") {
        std::fs::write(path, format!("{} of {}\n{listed}", stopped.len(), set.rules.len())).unwrap();
    }
    assert!(set.rules.len() > 50, "{listed}");
}

#[test]
#[ignore = "needs the published content"]
fn tests_of_correlation_rules() {
    let (corpus, set) = compile(&["correlation_rules", "rules"]);
    let mut outcomes = Vec::new();
    for file in &corpus.files {
        let Some(root) = file.mapping() else { continue };
        let all = crate::correlation::run_tests(root);
        outcomes.extend(all.into_iter().map(|outcome| (file.stem().to_owned(), outcome)));
    }
    let failed: Vec<_> = outcomes.iter().filter(|(_, outcome)| !outcome.passed()).collect();
    assert!(failed.is_empty(), "{} of {} fail: {failed:#?}", failed.len(), outcomes.len());
    assert!(outcomes.len() > 60, "{}", outcomes.len());
    let correlations =
        || set.rules.iter().filter(|compiled| compiled.path.to_string_lossy().contains("correlation_rules"));
    let invalid: Vec<_> = correlations().filter(|compiled| compiled.status == Status::Invalid).collect();
    assert!(invalid.is_empty(), "{invalid:#?}");
    if let Ok(path) = std::env::var("MASTHEAD_PANTHER_REPORT") {
        std::fs::write(
            path + ".correlation",
            format!("{} tests pass\n{}", outcomes.len(), stopped(correlations()).join("\n")),
        )
        .unwrap();
    }
}

/// A correlation of each rule of a folder with itself: whether what it matches can be read.
#[test]
#[ignore = "needs the published content"]
fn rules_that_correlations_can_name() {
    let root = PathBuf::from(std::env::var(FOLDER).expect("the folder of published content"));
    let folders = ["rules/kubernetes_rules", "rules/aws_eks_rules", "global_helpers", "data_models"];
    let corpus = Corpus::read(&folders.map(|folder| root.join(folder))).unwrap();
    let mut files: Vec<(PathBuf, String)> =
        corpus.files.iter().map(|file| (file.path.clone(), file.text.to_string())).collect();
    let ids: Vec<String> = crate::correlation::named_rules(&corpus.files).keys().map(|id| (*id).to_owned()).collect();
    for id in &ids {
        let yaml = format!(
            "AnalysisType: correlation_rule\nRuleID: of {id}\nSeverity: Low\nDetection:\n  - Group:\n      - ID: a\n        RuleID: {id}\n"
        );
        files.push((root.join(format!("{id}.yml")), yaml));
    }
    let corpus = Corpus::from_memory(files);
    let claimed: Vec<_> = corpus.files.iter().filter(|file| Panther.claims(file)).cloned().collect();
    let set = Panther.compile(&corpus, &claimed, &CompileOptions::default());
    let of_us: Vec<&Compiled> = set.rules.iter().filter(|compiled| compiled.rule_id.starts_with("of ")).collect();
    let readable = of_us.iter().filter(|compiled| compiled.rule.is_some()).count();
    if let Ok(path) = std::env::var("MASTHEAD_PANTHER_REPORT") {
        let listed = stopped(of_us.iter().copied()).join("\n");
        std::fs::write(path + ".named", format!("{readable} of {}\n{listed}", ids.len())).unwrap();
    }
    assert!(readable > 0);
}
