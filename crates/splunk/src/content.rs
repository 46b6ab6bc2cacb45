//! Content that detections share: macros, lookups, deployments, schedules.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use masthead_ir::Diagnostic;
use masthead_rulefile::{Content, Corpus, Node, RuleFile};

use crate::builtin_macros::{builtin_macros, missing_macro};
use crate::fields::Reader;
use crate::lookups::Lookup;
use crate::schedule::{Timing, read_timing};
use crate::spl::{Environment, Macro};

/// Folders of shared content beside a folder of detections.
pub(crate) const FOLDERS: [&str; 7] =
    ["macros", "lookups", "data_sources", "deployments", "schedules", "stories", "baselines"];

/// The types of detection, and of the content that looks like one.
pub(crate) const TYPES: [&str; 6] = ["TTP", "Anomaly", "Hunting", "Correlation", "Baseline", "Investigation"];

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Document {
    /// A detection, baseline or investigation: it has a search.
    Rule,
    Macro,
    Lookup,
    /// Timing and actions of all rules of a type.
    Deployment,
    /// Timing that rules refer to by name.
    Schedule,
    /// Known, and nothing in it changes what a rule does.
    Other,
}

/// The documents of a file that are mappings.
pub(crate) fn documents(file: &RuleFile) -> impl Iterator<Item = &Node> {
    let all = match &file.content {
        Content::Yaml(documents) => documents.as_slice(),
        _ => &[],
    };
    all.iter().filter(|node| !node.entries().is_empty())
}

/// What a document is, if it is of this dialect.
pub(crate) fn classify(node: &Node) -> Option<Document> {
    let has = |key: &str| node.get(key).is_some();
    if has("AnalysisType") || has("logsource") || has("detection") {
        return None;
    }
    if is_rule(node) {
        return Some(Document::Rule);
    }
    if !has("name") {
        return None;
    }
    let scheduling = node.get("scheduling").is_some_and(|timing| timing.get("cron_schedule").is_some());
    let filename = node.get("filename").and_then(Node::text).unwrap_or_default();
    if has("definition") {
        Some(Document::Macro)
    } else if has("fields_list") || has("lookup_type") || has("collection") || is_table_name(filename) {
        Some(Document::Lookup)
    } else if scheduling && has_type(node) {
        Some(Document::Deployment)
    } else if scheduling || has("cron_schedule") {
        Some(Document::Schedule)
    } else if has("narrative") || (has("source") && has("sourcetype")) {
        Some(Document::Other)
    } else {
        None
    }
}

fn is_table_name(name: &str) -> bool {
    [".csv", ".mlmodel"].iter().any(|ending| name.ends_with(ending))
}

fn has_type(node: &Node) -> bool {
    deployment_type(node).is_some_and(|name| TYPES.contains(&name))
}

/// The type of rule that a deployment is for.
fn deployment_type(node: &Node) -> Option<&str> {
    node.get("type").or_else(|| node.get("tags")?.get("type")).and_then(Node::text)
}

/// A search, or the type of a rule, with any key that only ESCU's rules have.
fn is_rule(node: &Node) -> bool {
    let has = |key: &str| node.get(key).is_some();
    let known_type = node.get("type").and_then(Node::text).is_some_and(|name| TYPES.contains(&name));
    let tagged = node.get("tags").is_some_and(|tags| {
        ["analytic_story", "mitre_attack_id", "security_domain"].iter().any(|key| tags.get(key).is_some())
    });
    let keyed = [
        "how_to_implement",
        "known_false_positives",
        "analytic_story",
        "data_source",
        "rba",
        "finding",
        "intermediate_findings",
        "drilldown_searches",
    ]
    .iter()
    .any(|key| has(key));
    if has("search") { known_type || tagged || keyed } else { known_type && keyed }
}

/// The shared content that one folder of detections sees.
pub(crate) struct SharedContent {
    pub(crate) environment: Environment,
    pub(crate) lookups: BTreeMap<String, Lookup>,
    /// Timing by type of rule.
    pub(crate) deployments: BTreeMap<String, Timing>,
    /// Timing by name.
    pub(crate) schedules: BTreeMap<String, Timing>,
}

impl SharedContent {
    /// Reads files, later ones before earlier ones. What is wrong with them goes to `diagnostics`.
    fn read(
        files: &[Arc<RuleFile>],
        corpus: &Corpus,
        options: &BTreeMap<String, String>,
        diagnostics: &mut BTreeMap<PathBuf, Vec<Diagnostic>>,
    ) -> SharedContent {
        let environment =
            Environment { macros: builtin_macros(), tables: BTreeMap::new(), options: options.clone(), missing_macro };
        let mut shared = SharedContent {
            environment,
            lookups: BTreeMap::new(),
            deployments: BTreeMap::new(),
            schedules: BTreeMap::new(),
        };
        for file in files {
            let mut reader = Reader::new(file);
            for node in documents(file) {
                shared.add(node, &mut reader, corpus);
            }
            if !reader.diagnostics.is_empty() {
                diagnostics.entry(file.path.clone()).or_insert(reader.diagnostics);
            }
        }
        let columns = |lookup: &Lookup| lookup.columns.clone();
        shared.environment.tables =
            shared.lookups.iter().map(|(name, lookup)| (name.clone(), columns(lookup))).collect();
        shared
    }

    fn add(&mut self, node: &Node, reader: &mut Reader<'_>, corpus: &Corpus) {
        match classify(node) {
            Some(Document::Macro) => {
                if let Some((name, found)) = read_macro(node, reader) {
                    self.environment.macros.insert((name, found.args.len()), found);
                }
            }
            Some(Document::Lookup) => {
                if let Some(lookup) = Lookup::read(node, reader, corpus) {
                    self.lookups.insert(lookup.name.clone(), lookup);
                }
            }
            Some(Document::Deployment) => {
                let kind = deployment_type(node).map(str::to_owned);
                if let (Some(kind), Some(timing)) = (kind, read_timing(node, reader)) {
                    self.deployments.insert(kind, timing);
                }
            }
            Some(Document::Schedule) => {
                let name = reader.text(node, "name").map(str::to_owned);
                if let (Some(name), Some(timing)) = (name, read_timing(node, reader)) {
                    self.schedules.insert(name, timing);
                }
            }
            Some(Document::Rule | Document::Other) | None => {}
        }
    }
}

fn read_macro(node: &Node, reader: &mut Reader<'_>) -> Option<(String, Macro)> {
    let name = reader.required(node, "name", "the macro")?.trim().to_owned();
    // Null is what an unquoted `definition: null` reads as; it means the word.
    let definition = match node.get("definition") {
        Some(value) if value.is_null() => "null".to_owned(),
        _ => reader.text(node, "definition")?.to_owned(),
    };
    let args = reader.texts(node, "arguments");
    let iseval = node.get("iseval").and_then(Node::as_bool).unwrap_or(false);
    Some((name, Macro { args, definition, iseval }))
}

/// Shared content by folder of rules, read once.
pub(crate) struct Contexts<'c> {
    corpus: &'c Corpus,
    claimed: &'c [Arc<RuleFile>],
    options: &'c BTreeMap<String, String>,
    by_folder: BTreeMap<PathBuf, Arc<SharedContent>>,
    by_files: BTreeMap<Vec<PathBuf>, Arc<SharedContent>>,
    /// What is wrong with shared files, by file: several folders may see one.
    pub(crate) diagnostics: BTreeMap<PathBuf, Vec<Diagnostic>>,
}

impl<'c> Contexts<'c> {
    pub(crate) fn new(
        corpus: &'c Corpus,
        claimed: &'c [Arc<RuleFile>],
        options: &'c BTreeMap<String, String>,
    ) -> Contexts<'c> {
        Contexts {
            corpus,
            claimed,
            options,
            by_folder: BTreeMap::new(),
            by_files: BTreeMap::new(),
            diagnostics: BTreeMap::new(),
        }
    }

    /// What a rule sees. A file that was named goes before the rule's own surroundings, and these before whatever else
    /// was found.
    pub(crate) fn of(&mut self, rule: &Path) -> Arc<SharedContent> {
        let folder = rule.parent().unwrap_or(Path::new("")).to_owned();
        if let Some(found) = self.by_folder.get(&folder) {
            return found.clone();
        }
        let beside = self.corpus.context(rule, &FOLDERS);
        let (named, others): (Vec<_>, Vec<_>) = self.claimed.iter().cloned().partition(|file| file.named);
        let ranked: Vec<Arc<RuleFile>> = others.into_iter().chain(beside.iter().cloned()).chain(named).collect();
        let key: Vec<PathBuf> = beside.iter().map(|file| file.path.clone()).collect();
        let shared = match self.by_files.get(&key) {
            Some(shared) => shared.clone(),
            None => {
                let shared = SharedContent::read(&ranked, self.corpus, self.options, &mut self.diagnostics);
                let shared = Arc::new(shared);
                self.by_files.insert(key, shared.clone());
                shared
            }
        };
        self.by_folder.insert(folder, shared.clone());
        shared
    }
}
