//! Any text through the compiler of Sigma: as a file of its own, and as the detection of a rule. What it says is wrong lies
//! inside the file, what it refuses has a reason, and what runs can be evaluated.
#![no_main]

use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use masthead_ir::eval::Program;
use masthead_ir::pipeline::Source;
use masthead_ir::rule::{Body, CompileOptions};
use masthead_rulefile::{Corpus, Dialect as _};
use masthead_sigma::Sigma;

const PLACEHOLDERS: &str = "placeholders:\n  admins: [root, 'adm*']\n  none: []\n";

fn compile(text: &str) {
    let files = [("rules/r.yml", text), ("placeholders/p.yml", PLACEHOLDERS)];
    let files = files.map(|(path, text)| (PathBuf::from(path), text.to_owned()));
    let corpus = Corpus::from_memory(files.to_vec());
    let claimed: Vec<_> = corpus.files.iter().filter(|file| Sigma.claims(file)).cloned().collect();
    let set = Sigma.compile(&corpus, &claimed, &CompileOptions::default());
    for told in set.diagnostics.iter().chain(set.rules.iter().flat_map(|rule| &rule.diagnostics)) {
        assert!(!told.message.is_empty() && !told.code.is_empty());
        if let Some(span) = &told.span {
            assert!(span.start <= span.end && span.end <= span.text.len(), "{told:?}");
        }
    }
    for compiled in &set.rules {
        assert!(compiled.rule.is_some() || !compiled.diagnostics.is_empty(), "refused without a reason");
        if let Some(rule) = &compiled.rule
            && let Body::Pipeline(pipeline) = &rule.body
            && let Source::Events { filter, .. } = &pipeline.source
        {
            assert!(Program::compile(filter).is_ok(), "it runs and cannot be evaluated");
        }
    }
}

fuzz_target!(|text: &str| {
    compile(text);
    let detection: String = text.lines().map(|line| format!("  {line}\n")).collect();
    compile(&format!("title: r\nlogsource: {{product: kubernetes}}\ndetection:\n{detection}"));
});
