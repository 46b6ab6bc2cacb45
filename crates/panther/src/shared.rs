//! What rules of a folder share: helper modules and data models.

use std::collections::BTreeMap;
use std::sync::Arc;

use masthead_ir::diagnostic::Diagnostic;
use masthead_ir::rule::ScriptLibrary;
use masthead_rulefile::{Corpus, Node, RuleFile};
use serde_json::{Value as Json, json};

use crate::guard::{Model, Modules, Names};
use crate::keys::Keys;
use crate::python_file::{module_name, read};
use crate::source::Source;
use crate::{AnalysisType, prelude};

/// Helper modules and data models, compiled.
pub(crate) struct Shared {
    /// Modules for the script host.
    pub(crate) library: Arc<ScriptLibrary>,
    /// Data models by log type, as the guard reads them.
    pub(crate) models: BTreeMap<String, Model>,
    /// The same for the script: `{"module", "mappings": [[name, path, method], …]}`.
    pub(crate) described: BTreeMap<String, Json>,
    /// What is wrong with the shared files.
    pub(crate) diagnostics: Vec<Diagnostic>,
    sources: Vec<(String, Source)>,
}

impl Shared {
    /// Compiles shared files; of two that give the same module or model the first counts.
    pub(crate) fn compile(corpus: &Corpus, files: &[Arc<RuleFile>]) -> Shared {
        let mut shared = Shared {
            library: Arc::default(),
            models: BTreeMap::new(),
            described: BTreeMap::new(),
            diagnostics: Vec::new(),
            sources: Vec::new(),
        };
        for file in files {
            let Some(root) = file.mapping() else { continue };
            let mut keys = Keys::new(file, root);
            match AnalysisType::of(root) {
                Some(AnalysisType::Global) => shared.helper(&mut keys, corpus),
                Some(AnalysisType::DataModel) => shared.data_model(&mut keys, corpus),
                _ => {}
            }
            shared.diagnostics.append(&mut keys.diagnostics);
        }
        let mut modules = prelude::modules();
        modules.extend(shared.sources.iter().map(|(name, source)| (name.clone(), source.text.clone())));
        let entry = (prelude::ENTRY.0.to_owned(), prelude::ENTRY.1.to_owned());
        shared.library = Arc::new(ScriptLibrary { modules, entry });
        shared
    }

    /// The helper modules as the guard reads them.
    pub(crate) fn modules(&self) -> Modules<'_> {
        self.sources.iter().map(|(name, source)| (name.as_str(), Names::of(&source.module))).collect()
    }

    fn helper(&mut self, keys: &mut Keys<'_>, corpus: &Corpus) {
        if let Some(source) = read(keys, corpus) {
            self.add_module(keys, source);
        }
    }

    /// Adds a module under its file's name; the name it has.
    fn add_module(&mut self, keys: &mut Keys<'_>, source: Source) -> Option<String> {
        let name = module_name(&source);
        let taken = prelude::RESERVED.contains(&name.as_str());
        if let Some((_, other)) = self.sources.iter().find(|(other, _)| *other == name) {
            if other.path == source.path {
                return Some(name);
            }
        } else if !taken {
            self.sources.push((name.clone(), source));
            return Some(name);
        }
        let message = format!("the Python module name `{name}` is taken");
        keys.diagnostics.push(Diagnostic::warning("duplicate-module", message).at(keys.place("Filename")));
        None
    }

    fn data_model(&mut self, keys: &mut Keys<'_>, corpus: &Corpus) {
        let log_types = keys.texts("LogTypes");
        if !keys.truth("Enabled", true) {
            return;
        }
        let source = if keys.get("Filename").is_some() { read(keys, corpus) } else { None };
        let mut model = Model::new();
        let mut mappings = Vec::new();
        for mapping in keys.get("Mappings").map_or(&[][..], Node::items) {
            let Some(name) = mapping.get("Name").and_then(Node::text) else {
                keys.fault("missing-key", mapping, "a mapping of a data model lacks its `Name`".to_owned());
                continue;
            };
            match (mapping.get("Path"), mapping.get("Method")) {
                (Some(path), _) => match path.text().and_then(parse_path) {
                    Some(steps) => {
                        mappings.push(json!([name, steps, null]));
                        model.insert(name.to_owned(), Some(steps.into_iter().map(Arc::from).collect()));
                    }
                    None => {
                        let message = format!("the path of `{name}` must be keys joined by dots, as `$.user.username`");
                        keys.fault("data-model-path", path, message);
                    }
                },
                (None, Some(method)) => {
                    let function = method.text().unwrap_or_default();
                    if source.as_ref().is_some_and(|source| !source.binds(function)) {
                        let message = format!("the Python file of the data model has no function `{function}`");
                        keys.fault("missing-function", method, message);
                    }
                    mappings.push(json!([name, null, function]));
                    model.insert(name.to_owned(), None);
                }
                (None, None) => {
                    keys.fault("missing-key", mapping, format!("the mapping `{name}` has neither `Path` nor `Method`"));
                }
            }
        }
        let module = source.and_then(|source| self.add_module(keys, source));
        for log_type in log_types {
            if !self.models.contains_key(&log_type) {
                self.described.insert(log_type.clone(), json!({"module": module, "mappings": mappings}));
                self.models.insert(log_type, model.clone());
            }
        }
    }
}

/// The keys of a path: `a.b`, `$.a.b`, `$['a'].b`. None for what selects by place or pattern.
fn parse_path(path: &str) -> Option<Vec<String>> {
    let path = path.trim();
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    let mut keys = Vec::new();
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('[') {
            let quote = quoted.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
            let (key, after) = quoted[1..].split_once(quote)?;
            rest = after.strip_prefix(']')?;
            keys.push(key.to_owned());
            continue;
        }
        let plain = rest.strip_prefix('.').unwrap_or(rest);
        let end = plain.find(['.', '[']).unwrap_or(plain.len());
        let key = &plain[..end];
        if key.is_empty() || key.contains(['*', '?', '@', '(', ')', ']', ' ']) {
            return None;
        }
        keys.push(key.to_owned());
        rest = &plain[end..];
    }
    if keys.is_empty() { None } else { Some(keys) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_data_models() {
        let cases: &[(&str, Option<&[&str]>)] = &[
            ("verb", Some(&["verb"])),
            ("$.user.username", Some(&["user", "username"])),
            ("user.username", Some(&["user", "username"])),
            ("$['user'][\"user.name\"].x", Some(&["user", "user.name", "x"])),
            ("$.annotations['a/b']", Some(&["annotations", "a/b"])),
            ("$", None),
            ("", None),
            ("$..name", None),
            ("$.items[0]", None),
            ("$.items[*].name", None),
            ("$.a['b", None),
            ("$.a.*", None),
        ];
        for (path, expected) in cases {
            let expected = expected.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect());
            assert_eq!(parse_path(path), expected, "{path}");
        }
    }
}
