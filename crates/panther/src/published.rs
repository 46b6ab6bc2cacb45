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
