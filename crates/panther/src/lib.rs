//! Front-end for Panther detections: YAML and Python to IR.
//!
//! A detection is a YAML file and, beside it, a Python file with a function `rule`. Helper modules (`AnalysisType: global`) and
//! data models (`datamodel`) are shared; they are looked for among the files that were given and in folders
//! `global_helpers` and `data_models` around them. A rule becomes a script with a guard: what its syntax tree tells
//! for certain of the events that it cannot match. Queries in SQL become pipelines, alone or as scheduled rules, and so do
//! correlations of rules whose conditions can be read.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod codes;
mod columns;
pub mod correlation;
mod detection;
mod guard;
mod keys;
mod prelude;
#[cfg(test)]
mod published;
mod python_file;
mod query;
mod rows_python;
mod schedule;
mod scheduled;
#[cfg(test)]
mod scheduled_tests;
mod shared;
mod source;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use masthead_ir::diagnostic::{Diagnostic, Span};
use masthead_ir::rule::{CompileOptions, Compiled, RuleSet, Status};
use masthead_rulefile::{Content, Corpus, Dialect, Node, RuleFile, suggest};

use shared::Shared;

pub use codes::DIAGNOSTICS;
pub use guard::LOG_TYPE_FIELD;

/// The name of the dialect.
const DIALECT: &str = "panther";
/// The folders of shared files.
const SHARED_FOLDERS: [&str; 2] = ["global_helpers", "data_models"];

/// The front-end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Panther;

/// The kinds of file (Panther's documentation, "Detections": `AnalysisType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AnalysisType {
    Rule,
    Global,
    DataModel,
    Pack,
    ScheduledRule,
    Correlation,
    /// A saved query too.
    Query,
    /// Known, and cannot run here: with a name for people.
    Unsupported(&'static str),
}

const ANALYSIS_TYPES: &[(&str, AnalysisType)] = &[
    ("rule", AnalysisType::Rule),
    ("global", AnalysisType::Global),
    ("datamodel", AnalysisType::DataModel),
    ("pack", AnalysisType::Pack),
    ("scheduled_rule", AnalysisType::ScheduledRule),
    ("correlation_rule", AnalysisType::Correlation),
    ("policy", AnalysisType::Unsupported("policies, which look at the state of cloud resources,")),
    ("lookup_table", AnalysisType::Unsupported("lookup tables")),
    ("saved_query", AnalysisType::Query),
    ("scheduled_query", AnalysisType::Query),
];

impl AnalysisType {
    /// What a file says it is; none if that is not known.
    fn of(root: &Node) -> Option<AnalysisType> {
        let text = root.get("AnalysisType")?.text()?.trim().to_ascii_lowercase();
        ANALYSIS_TYPES.iter().find(|(name, _)| *name == text).map(|(_, kind)| *kind)
    }

    fn is_shared(root: &Node) -> bool {
        matches!(AnalysisType::of(root), Some(AnalysisType::Global | AnalysisType::DataModel))
    }
}

impl Dialect for Panther {
    fn name(&self) -> &'static str {
        DIALECT
    }

    fn claims(&self, file: &RuleFile) -> bool {
        match &file.content {
            Content::Yaml(_) => file.mapping().is_some_and(|root| root.get("AnalysisType").is_some()),
            // What a YAML file names is read with it.
            Content::Text(extension) => extension == "py",
            Content::Invalid(_) => false,
        }
    }

    fn compile(&self, corpus: &Corpus, files: &[Arc<RuleFile>], _options: &CompileOptions) -> RuleSet {
        let mut set = RuleSet::default();
        let mut compiled: BTreeMap<usize, Compiled> = BTreeMap::new();
        // Rules that share the same files are compiled together.
        let mut groups: BTreeMap<Vec<PathBuf>, Group> = BTreeMap::new();
        let queries = scheduled::queries(files);
        let used = scheduled::used(files);
        let named = correlation::named_rules(files);
        for (at, file) in files.iter().enumerate() {
            let Some(root) = file.mapping() else { continue };
            match AnalysisType::of(root) {
                Some(
                    AnalysisType::Rule | AnalysisType::Correlation | AnalysisType::Global | AnalysisType::DataModel,
                ) => {
                    let shared = shared_files(corpus, files, file);
                    let paths = shared.iter().map(|file| file.path.clone()).collect();
                    groups.entry(paths).or_insert_with(|| Group { shared, members: Vec::new() }).members.push(at);
                }
                _ => {
                    if let Some(rule) = compile_alone(file, root, corpus, &queries, &used) {
                        compiled.insert(at, rule);
                    }
                }
            }
        }
        for group in groups.into_values() {
            let mut shared = Shared::compile(corpus, &group.shared);
            let diagnostics = std::mem::take(&mut shared.diagnostics);
            let fresh = diagnostics.into_iter().filter(|diagnostic| !set.diagnostics.contains(diagnostic));
            let fresh: Vec<Diagnostic> = fresh.collect();
            set.diagnostics.extend(fresh);
            let modules = shared.modules();
            for at in group.members {
                let file = &files[at];
                let Some(root) = file.mapping() else { continue };
                let rule = match AnalysisType::of(root) {
                    Some(AnalysisType::Rule) => detection::compile(file, root, corpus, &shared, &modules, at),
                    Some(AnalysisType::Correlation) => {
                        correlation::compile(file, root, corpus, &named, &shared, &modules)
                    }
                    _ => continue,
                };
                compiled.insert(at, rule);
            }
        }
        set.rules = compiled.into_values().collect();
        refuse_doubles(&mut set.rules, files);
        set
    }
}

/// A file that needs nothing of what rules share; none if it is no rule of its own.
fn compile_alone(
    file: &RuleFile,
    root: &Node,
    corpus: &Corpus,
    queries: &scheduled::Queries<'_>,
    used: &BTreeSet<String>,
) -> Option<Compiled> {
    match AnalysisType::of(root) {
        Some(AnalysisType::ScheduledRule) => Some(scheduled::compile_rule(file, root, corpus, queries)),
        // What is wrong with a query that a rule runs over is told with the rule.
        Some(AnalysisType::Query) if used.contains(&rule_id(file, root)) => None,
        Some(AnalysisType::Query) => Some(scheduled::compile_query(file, root)),
        Some(AnalysisType::Unsupported(what)) => Some(unsupported(file, root, "AnalysisType", what)),
        None => Some(unknown_type(file, root)),
        Some(
            AnalysisType::Rule
            | AnalysisType::Correlation
            | AnalysisType::Global
            | AnalysisType::DataModel
            | AnalysisType::Pack,
        ) => None,
    }
}

/// Rules that share the same files.
struct Group {
    shared: Vec<Arc<RuleFile>>,
    /// Places of the rules, and of the shared files themselves, among the files to compile.
    members: Vec<usize>,
}

/// The shared files that count for a file: those around it first, then those that were given.
fn shared_files(corpus: &Corpus, files: &[Arc<RuleFile>], file: &RuleFile) -> Vec<Arc<RuleFile>> {
    let is_shared = |file: &&Arc<RuleFile>| file.mapping().is_some_and(AnalysisType::is_shared);
    let around = corpus.context(&file.path, &SHARED_FOLDERS);
    let mut seen = BTreeSet::new();
    let all = around.iter().chain(files).filter(is_shared);
    all.filter(|file| seen.insert(file.path.clone())).cloned().collect()
}

/// The id of a rule as far as its file tells.
fn rule_id(file: &RuleFile, root: &Node) -> String {
    let keys = ["RuleID", "PolicyID", "LookupName", "QueryName"];
    let id = keys.iter().find_map(|key| root.get(key).and_then(Node::text));
    id.map_or_else(|| file.stem().to_owned(), |id| id.trim().to_owned())
}

fn refused(file: &RuleFile, root: &Node, status: Status, diagnostic: Diagnostic) -> Compiled {
    Compiled {
        path: file.path.clone(),
        rule_id: rule_id(file, root),
        dialect: DIALECT,
        status,
        diagnostics: vec![diagnostic],
        rule: None,
    }
}

/// A file of a kind that is known and cannot run here; `key` tells the kind.
fn unsupported(file: &RuleFile, root: &Node, key: &str, what: &str) -> Compiled {
    let place = root.key(key).map(|node| file.span(node));
    let diagnostic = Diagnostic::warning("unsupported-type", format!("{what} cannot run here"));
    refused(file, root, Status::Unsupported, Diagnostic { span: place, ..diagnostic })
}

fn unknown_type(file: &RuleFile, root: &Node) -> Compiled {
    let node = root.get("AnalysisType");
    let text = node.and_then(Node::text).unwrap_or_default();
    let place = node.map(|node| file.span(node));
    let mut diagnostic = Diagnostic::error("analysis-type", format!("`{text}` is no `AnalysisType`"));
    if let Some(meant) = suggest(text, ANALYSIS_TYPES.iter().map(|(name, _)| *name)) {
        diagnostic = diagnostic.help(format!("did you mean `{meant}`?"));
    }
    refused(file, root, Status::Invalid, Diagnostic { span: place, ..diagnostic })
}

/// Of rules with one id the first counts: findings are told apart by it.
fn refuse_doubles(rules: &mut [Compiled], files: &[Arc<RuleFile>]) {
    let mut first: BTreeMap<String, PathBuf> = BTreeMap::new();
    for compiled in rules {
        let Some(rule) = &compiled.rule else { continue };
        let Some(other) = first.get(&rule.id) else {
            first.insert(rule.id.clone(), compiled.path.clone());
            continue;
        };
        let message = format!("the rule id `{}` is taken by {}", rule.id, other.display());
        let file = files.iter().find(|file| file.path == compiled.path);
        let place = file.and_then(|file| Some(file.span(file.mapping()?.get("RuleID")?)));
        let empty = Span { path: compiled.path.clone(), text: Arc::from(""), start: 0, end: 0 };
        compiled.diagnostics.push(Diagnostic::error("duplicate-rule-id", message).at(place.unwrap_or(empty)));
        compiled.status = Status::Invalid;
        compiled.rule = None;
    }
}
