//! Items of a rules file: what they define.

use std::sync::Arc;

use masthead_ir::Diagnostic;
use masthead_rulefile::{Node, NodeValue, RuleFile, suggest};

use super::updates::{Change, Changes};
use super::{KINDS, Library, List, RuleItem, kind};
use crate::exceptions;
use crate::text::Text;

/// Keys that every item may have.
const COMMON_KEYS: [&str; 2] = ["append", "override"];
/// Keys of rules; `capture` and `capture_duration` ask for recordings of system calls.
const RULE_KEYS: [&str; 14] = [
    "rule",
    "desc",
    "condition",
    "output",
    "priority",
    "source",
    "enabled",
    "tags",
    "exceptions",
    "warn_evttypes",
    "skip-if-unknown-filter",
    "capture",
    "capture_duration",
    "examples",
];
const MACRO_KEYS: [&str; 2] = ["macro", "condition"];
const LIST_KEYS: [&str; 2] = ["list", "items"];
/// Keys without which a rule is none.
const REQUIRED_KEYS: [&str; 4] = ["condition", "output", "desc", "priority"];

/// An item and its file.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) file: &'a Arc<RuleFile>,
    pub(super) node: &'a Node,
}

impl<'a> Item<'a> {
    /// The value under a key, if it is text (or a number or truth value, which are text as well).
    pub(super) fn text(self, key: &str, faults: &mut Vec<Diagnostic>) -> Option<&'a Node> {
        let node = self.node.get(key)?;
        if node.text().is_some() {
            return Some(node);
        }
        faults.push(self.wrong_kind(key, "text", node));
        None
    }

    pub(super) fn truth(self, key: &str, faults: &mut Vec<Diagnostic>) -> Option<bool> {
        let node = self.node.get(key)?;
        if node.as_bool().is_none() {
            faults.push(self.wrong_kind(key, "`true` or `false`", node));
        }
        node.as_bool()
    }

    /// The texts of a list.
    pub(super) fn texts(self, key: &str, faults: &mut Vec<Diagnostic>) -> Option<Vec<String>> {
        let node = self.node.get(key)?;
        if !node.is_null() && !matches!(node.value, NodeValue::Sequence(_)) {
            faults.push(self.wrong_kind(key, "a list", node));
            return None;
        }
        Some(node.texts().into_iter().map(str::to_owned).collect())
    }

    fn wrong_kind(self, key: &str, wanted: &str, found: &Node) -> Diagnostic {
        let message = format!("`{key}` holds {}, not {wanted}", found.kind());
        Diagnostic::error("falco-missing-key", message).at(self.file.span(found))
    }

    pub(super) fn missing(self, key: &str) -> Diagnostic {
        let message = format!("{} has no `{key}`", self.described());
        Diagnostic::error("falco-missing-key", message).at(self.file.span(self.named()))
    }

    pub(super) fn no_base(self) -> Diagnostic {
        let message = format!("{} changes something that was not defined before", self.described());
        let help = "files are read in the order of their paths; define it in an earlier one";
        Diagnostic::error("falco-no-base", message).at(self.file.span(self.named())).help(help)
    }

    /// The node of its name.
    pub(super) fn named(self) -> &'a Node {
        kind(self.node).and_then(|kind| self.node.get(kind)).unwrap_or(self.node)
    }

    fn described(self) -> String {
        format!("{} `{}`", kind(self.node).unwrap_or("item"), self.named().text().unwrap_or_default())
    }

    /// Keys that nothing reads.
    fn unknown_keys(self, known: &[&'static str], faults: &mut Vec<Diagnostic>) {
        for (key, _) in self.node.entries() {
            let name = key.text().unwrap_or_default();
            if known.contains(&name) || COMMON_KEYS.contains(&name) {
                continue;
            }
            let message = format!("{} has a key `{name}` that Falco does not know", self.described());
            let fault = Diagnostic::warning("falco-key", message).at(self.file.span(key));
            let near = suggest(name, known.iter().chain(&COMMON_KEYS).copied());
            faults.push(match near {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help("it has no effect"),
            });
        }
    }
}

impl Library {
    /// Reads one item.
    pub(super) fn item(&mut self, file: &Arc<RuleFile>, node: &Node) {
        if node.is_null() {
            return;
        }
        let item = Item { file, node };
        let Some(kind) = kind(node) else {
            let help = format!("an item begins with one of: {}", KINDS.join(", "));
            let fault = Diagnostic::warning("falco-item", "this item is none that Falco knows; it has no effect");
            self.diagnostics.push(fault.at(file.span(node)).help(help));
            return;
        };
        match (kind, node.get(kind).and_then(Node::text)) {
            ("required_engine_version" | "required_plugin_versions", _) => {}
            (_, None) => self.diagnostics.push(item.missing(kind)),
            ("list", Some(name)) => self.list(item, name),
            ("macro", Some(name)) => self.macro_item(item, name),
            (_, Some(name)) => self.rule(item, name),
        }
    }

    fn list(&mut self, item: Item<'_>, name: &str) {
        let mut faults = Vec::new();
        item.unknown_keys(&LIST_KEYS, &mut faults);
        let changes = Changes::read(item, &["items"], &["items"], &mut faults);
        match item.texts("items", &mut faults) {
            None if item.node.get("items").is_none() => faults.push(item.missing("items")),
            None => {}
            Some(items) if changes.of("items") == Some(Change::Append) => match self.lists.get_mut(name) {
                Some(list) => list.items.extend(items),
                None => faults.push(item.no_base()),
            },
            Some(items) => {
                self.lists.insert(name.to_owned(), List { items, span: item.file.span(item.named()) });
            }
        }
        self.diagnostics.extend(faults);
    }

    fn macro_item(&mut self, item: Item<'_>, name: &str) {
        let mut faults = Vec::new();
        item.unknown_keys(&MACRO_KEYS, &mut faults);
        let changes = Changes::read(item, &["condition"], &["condition"], &mut faults);
        match item.text("condition", &mut faults) {
            None if item.node.get("condition").is_none() => faults.push(item.missing("condition")),
            None => {}
            Some(condition) if changes.of("condition") == Some(Change::Append) => match self.macros.get_mut(name) {
                Some(text) => text.append(item.file, condition),
                None => faults.push(item.no_base()),
            },
            Some(condition) => {
                self.macros.insert(name.to_owned(), Text::of(item.file, condition));
            }
        }
        self.diagnostics.extend(faults);
    }

    fn rule(&mut self, item: Item<'_>, name: &str) {
        let mut faults = Vec::new();
        item.unknown_keys(&RULE_KEYS, &mut faults);
        let changes = Changes::of_rule(item, &mut faults);
        let known = self.rules.iter().position(|rule| rule.name == name);
        let only_switches = REQUIRED_KEYS.iter().all(|key| item.node.get(key).is_none());
        match known.and_then(|at| self.rules.get_mut(at)) {
            Some(rule) if changes.any() => rule.change(item, &changes, &mut faults),
            Some(rule) if only_switches && item.node.get("enabled").is_some() => {
                rule.enabled = item.truth("enabled", &mut faults).unwrap_or(rule.enabled);
            }
            Some(rule) => {
                *rule = defined(item, name, &mut faults);
            }
            None if changes.any() || (only_switches && item.node.get("enabled").is_some()) => {
                faults.push(item.no_base());
            }
            None => self.rules.push(defined(item, name, &mut faults)),
        }
        match self.rules.iter_mut().find(|rule| rule.name == name) {
            Some(rule) => rule.faults.extend(faults),
            None => self.diagnostics.extend(faults),
        }
    }
}

/// A rule as one item defines it.
fn defined(item: Item<'_>, name: &str, faults: &mut Vec<Diagnostic>) -> RuleItem {
    for key in REQUIRED_KEYS {
        if item.node.get(key).is_none_or(Node::is_null) {
            faults.push(item.missing(key));
        }
    }
    let text = |key: &str, faults: &mut Vec<Diagnostic>| {
        item.text(key, faults).map_or_else(Text::default, |node| Text::of(item.file, node))
    };
    let placed = |key: &str, faults: &mut Vec<Diagnostic>| {
        let node = item.text(key, faults)?;
        Some((node.text()?.to_owned(), item.file.span(node)))
    };
    RuleItem {
        name: name.to_owned(),
        file: item.file.clone(),
        span: item.file.span(item.named()),
        condition: text("condition", faults),
        output: text("output", faults),
        description: text("desc", faults).text.trim().to_owned(),
        priority: placed("priority", faults),
        source: placed("source", faults),
        tags: item.texts("tags", faults).unwrap_or_default(),
        exceptions: exceptions::read(item.file, item.node, faults),
        enabled: item.truth("enabled", faults).unwrap_or(true),
        skip_if_unknown: item.truth("skip-if-unknown-filter", faults).unwrap_or(false),
        faults: Vec::new(),
    }
}
