//! The front-end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use masthead_ir::Diagnostic;
use masthead_ir::rule::{CompileOptions, RuleSet};
use masthead_ir::table::Table;
use masthead_rulefile::{Corpus, Dialect, RuleFile};

use crate::content::{Contexts, Document, SharedContent, classify, documents};
use crate::detection::detection;

/// The front-end's name.
pub(crate) const NAME: &str = "splunk";

/// Splunk's detections: ESCU's YAML of releases 4 to 6, and the macros, lookups and schedules beside it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Splunk;

impl Dialect for Splunk {
    fn name(&self) -> &'static str {
        NAME
    }

    fn claims(&self, file: &RuleFile) -> bool {
        documents(file).any(|node| classify(node).is_some())
    }

    fn compile(&self, corpus: &Corpus, files: &[Arc<RuleFile>], options: &CompileOptions) -> RuleSet {
        let mut contexts = Contexts::new(corpus, files, &options.options);
        let mut set = RuleSet::default();
        let mut tables = Tables::default();
        for file in files {
            for node in documents(file).filter(|node| classify(node) == Some(Document::Rule)) {
                let shared = contexts.of(&file.path);
                let found = detection(file, node, &shared);
                for name in &found.lookups {
                    tables.add(name, &shared);
                }
                set.rules.push(found.compiled);
            }
        }
        if set.rules.is_empty() {
            // Shared files alone are still checked.
            if let Some(file) = files.first() {
                contexts.of(&file.path);
            }
        }
        set.rules.sort_by(|a, b| a.path.cmp(&b.path));
        set.tables = tables.by_name;
        set.diagnostics = contexts.diagnostics.into_values().flatten().chain(tables.diagnostics).collect();
        set
    }
}

/// The tables that rules use.
#[derive(Default)]
struct Tables {
    by_name: BTreeMap<String, Arc<Table>>,
    /// The names that were looked up, each with the address of the shared content: rules of one folder see one.
    seen: BTreeSet<(String, *const SharedContent)>,
    diagnostics: Vec<Diagnostic>,
}

impl Tables {
    fn add(&mut self, name: &str, shared: &Arc<SharedContent>) {
        if !self.seen.insert((name.to_owned(), Arc::as_ptr(shared))) {
            return;
        }
        let Some(lookup) = shared.lookups.get(name) else { return };
        let (table, fault) = lookup.table();
        match self.by_name.get(name) {
            Some(first) if **first == table => {}
            Some(_) => {
                let message = format!("there are two lookups `{name}` of different content; the first is used");
                let fault = Diagnostic::warning("duplicate-lookup", message);
                self.diagnostics.push(fault.help("give one of them another name, or check their folders apart"));
            }
            None => {
                self.diagnostics.extend(fault);
                self.by_name.insert(name.to_owned(), Arc::new(table));
            }
        }
    }
}
