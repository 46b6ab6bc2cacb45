//! The front-end.

use std::collections::BTreeSet;
use std::sync::Arc;

use masthead_ir::rule::{CompileOptions, RuleSet};
use masthead_ir::{Diagnostic, Level};
use masthead_rulefile::{Corpus, Dialect, RuleFile};

use crate::condition::Lowering;
use crate::content::{Library, is_rules_file};
use crate::rule;

/// The front-end's name.
pub(crate) const NAME: &str = "falco";

/// Falco's rules over Kubernetes audit logs: lists of lists, macros and rules.
#[derive(Debug, Clone, Copy, Default)]
pub struct Falco;

impl Dialect for Falco {
    fn name(&self) -> &'static str {
        NAME
    }

    fn claims(&self, file: &RuleFile) -> bool {
        is_rules_file(file)
    }

    fn compile(&self, _corpus: &Corpus, files: &[Arc<RuleFile>], _options: &CompileOptions) -> RuleSet {
        let mut files = files.to_vec();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let library = Library::read(&files);
        let mut set = RuleSet { diagnostics: library.diagnostics.clone(), ..RuleSet::default() };
        let mut used = BTreeSet::new();
        set.rules = library.rules.iter().map(|item| rule::compile(item, &library, &mut used)).collect();
        set.rules.sort_by(|a, b| a.path.cmp(&b.path));
        set.diagnostics.extend(macro_faults(&library, used));
        set
    }
}

/// What is wrong with macros that no rule uses.
fn macro_faults(library: &Library, mut used: BTreeSet<String>) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    for (name, text) in &library.macros {
        if used.contains(name) {
            continue;
        }
        let mut lowering = Lowering::new(library);
        lowering.put_in(name, text);
        used.append(&mut lowering.used);
        faults.extend(lowering.diagnostics.into_iter().filter(|fault| fault.level == Level::Error));
    }
    faults
}
