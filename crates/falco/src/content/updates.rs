//! Items that change an earlier definition: `append: true`, and `override` with a way for each key (Falco, "Overriding
//! Rules").

use masthead_ir::Diagnostic;
use masthead_rulefile::{Node, suggest};

use super::RuleItem;
use super::items::Item;
use crate::exceptions;
use crate::text::Text;

/// How a key changes what it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Append,
    Replace,
}

/// The keys of an item that change what an earlier one said.
#[derive(Debug, Default)]
pub(super) struct Changes(Vec<(String, Change)>);

const RULE_APPENDS: [&str; 5] = ["condition", "output", "desc", "tags", "exceptions"];
const RULE_REPLACES: [&str; 9] = [
    "condition",
    "output",
    "desc",
    "priority",
    "tags",
    "exceptions",
    "enabled",
    "warn_evttypes",
    "skip-if-unknown-filter",
];

impl Changes {
    /// Reads `append` and `override`: the keys that may be appended to, and those that may be replaced.
    pub(super) fn read(item: Item<'_>, appends: &[&str], replaces: &[&str], faults: &mut Vec<Diagnostic>) -> Changes {
        let append = item.truth("append", faults) == Some(true);
        let Some(overrides) = item.node.get("override") else {
            let keys = appends.iter().filter(|_| append);
            return Changes(keys.map(|key| ((*key).to_owned(), Change::Append)).collect());
        };
        let fault = |node: &Node, message: String, help: String| {
            Diagnostic::error("falco-override", message).at(item.file.span(node)).help(help)
        };
        if append {
            let help = "leave `append` out and name the keys under `override`".to_owned();
            faults.push(fault(overrides, "`append` and `override` cannot be given together".to_owned(), help));
        }
        let mut changes = Vec::new();
        for (key, way) in overrides.entries() {
            let name = key.text().unwrap_or_default();
            let (change, allowed) = match way.text().unwrap_or_default() {
                "append" => (Change::Append, appends),
                "replace" => (Change::Replace, replaces),
                other => {
                    let message = format!("`{name}` cannot be overridden by `{other}`");
                    faults.push(fault(way, message, "the ways are `append` and `replace`".to_owned()));
                    continue;
                }
            };
            if !allowed.contains(&name) {
                let message = format!("`{name}` cannot be overridden by `{}`", way.text().unwrap_or_default());
                let help = match suggest(name, allowed.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("these can: {}", allowed.join(", ")),
                };
                faults.push(fault(key, message, help));
            } else if item.node.get(name).is_none() {
                faults.push(fault(key, format!("`{name}` is overridden, but not given"), format!("add `{name}`")));
            } else {
                changes.push((name.to_owned(), change));
            }
        }
        Changes(changes)
    }

    /// Those of a rule. `append: true` only adds to its condition and exceptions.
    pub(super) fn of_rule(item: Item<'_>, faults: &mut Vec<Diagnostic>) -> Changes {
        if item.node.get("override").is_none() {
            return Changes::read(item, &["condition", "exceptions"], &[], faults);
        }
        let changes = Changes::read(item, &RULE_APPENDS, &RULE_REPLACES, faults);
        for (key, _) in item.node.entries() {
            let name = key.text().unwrap_or_default();
            if RULE_REPLACES.contains(&name) && item.node.get("override").is_some_and(|all| all.get(name).is_none()) {
                let message = format!("`{name}` is given, but not named under `override`");
                let fault = Diagnostic::error("falco-override", message).at(item.file.span(key));
                faults.push(fault.help(format!("add `{name}: replace` to `override`")));
            }
        }
        changes
    }

    /// Whether an item changes an earlier one at all.
    pub(super) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// How a key changes what it had.
    pub(super) fn of(&self, key: &str) -> Option<Change> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, change)| *change)
    }
}

impl RuleItem {
    /// Takes over what an item changes.
    pub(super) fn change(&mut self, item: Item<'_>, changes: &Changes, faults: &mut Vec<Diagnostic>) {
        if let Some(change) = changes.of("condition") {
            update(&mut self.condition, item, "condition", change, faults);
        }
        if let Some(change) = changes.of("output") {
            update(&mut self.output, item, "output", change, faults);
        }
        if let (Some(change), Some(node)) = (changes.of("desc"), item.text("desc", faults)) {
            let added = node.text().unwrap_or_default().trim();
            self.description = match change {
                Change::Append => format!("{} {added}", self.description),
                Change::Replace => added.to_owned(),
            };
        }
        if let (Some(change), Some(tags)) = (changes.of("tags"), item.texts("tags", faults)) {
            if change == Change::Replace {
                self.tags.clear();
            }
            let new: Vec<String> = tags.into_iter().filter(|tag| !self.tags.contains(tag)).collect();
            self.tags.extend(new);
        }
        if let Some(change) = changes.of("exceptions") {
            let read = exceptions::read(item.file, item.node, faults);
            match change {
                Change::Append => exceptions::append(&mut self.exceptions, read, faults),
                Change::Replace => self.exceptions = read,
            }
        }
        if let (Some(_), Some(node)) = (changes.of("priority"), item.text("priority", faults)) {
            self.priority = node.text().map(|text| (text.to_owned(), item.file.span(node)));
        }
        if let (Some(_), Some(enabled)) = (changes.of("enabled"), item.truth("enabled", faults)) {
            self.enabled = enabled;
        }
        let skip = "skip-if-unknown-filter";
        if let (Some(_), Some(truth)) = (changes.of(skip), item.truth(skip, faults)) {
            self.skip_if_unknown = truth;
        }
    }
}

fn update(text: &mut Text, item: Item<'_>, key: &str, change: Change, faults: &mut Vec<Diagnostic>) {
    let Some(node) = item.text(key, faults) else { return };
    match change {
        Change::Append => text.append(item.file, node),
        Change::Replace => *text = Text::of(item.file, node),
    }
}
