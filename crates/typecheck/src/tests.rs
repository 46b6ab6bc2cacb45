use std::path::PathBuf;
use std::sync::Arc;

use masthead_ir::Level;
use masthead_ir::rule::{CompileOptions, Rule};
use masthead_rulefile::{Corpus, Dialect as _};

use super::*;

fn compiled(corpus: &Corpus) -> Vec<Arc<Rule>> {
    let files: Vec<_> = corpus.files.iter().filter(|file| masthead_sigma::Sigma.claims(file)).cloned().collect();
    let set = masthead_sigma::Sigma.compile(corpus, &files, &CompileOptions::default());
    set.rules.into_iter().filter_map(|rule| rule.rule).collect()
}

fn sigma(detection: &str) -> Vec<Fault> {
    let text = format!(
        "title: t\nid: 5c1d07e0-8278-48ac-8152-d1d322883eb4\nlogsource: {{product: kubernetes, service: audit}}\nlevel: low\ndetection:\n{detection}"
    );
    let rules = compiled(&Corpus::from_memory(vec![(PathBuf::from("r.yml"), text.clone())]));
    let [rule] = rules.as_slice() else { panic!("{} rules of {text}", rules.len()) };
    check(rule)
}

#[test]
fn print_pack() {
    for root in ["../../rules/sigma", "/work/shared/rules/sigma"] {
        let corpus = Corpus::read(&[PathBuf::from(root)]).unwrap();
        let rules = compiled(&corpus);
        println!("{root}: {} rules", rules.len());
        for rule in rules {
            for fault in check(&rule) {
                println!(
                    "{} {:?} {} {} | {:?}",
                    rule.path.display(),
                    fault.level,
                    fault.code,
                    fault.message,
                    fault.help
                );
            }
        }
    }
}
