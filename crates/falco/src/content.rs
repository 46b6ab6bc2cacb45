//! The lists, macros and rules of all files, later definitions put over earlier ones.

mod items;
mod updates;

use std::collections::BTreeMap;
use std::sync::Arc;

use masthead_ir::{Diagnostic, Span};
use masthead_rulefile::{Content, Node, RuleFile};

use crate::exceptions::Exception;
use crate::text::Text;

/// How many values a list may have once the lists in it are spread out.
const MAX_VALUES: usize = 100_000;

/// What a set of files defines.
#[derive(Debug, Default)]
pub(crate) struct Library {
    /// Lists by name.
    pub(crate) lists: BTreeMap<String, List>,
    /// The conditions of macros by name.
    pub(crate) macros: BTreeMap<String, Text>,
    /// Rules in the order of their first definition.
    pub(crate) rules: Vec<RuleItem>,
    /// What is wrong with items that are no rule.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// A list.
#[derive(Debug)]
pub(crate) struct List {
    items: Vec<String>,
    /// Where its name stands.
    span: Span,
}

/// A rule with all that was appended to it and replaced in it.
#[derive(Debug)]
pub(crate) struct RuleItem {
    /// Its name.
    pub(crate) name: String,
    /// The file of its definition.
    pub(crate) file: Arc<RuleFile>,
    /// Where its name stands.
    pub(crate) span: Span,
    /// Its condition.
    pub(crate) condition: Text,
    /// Its output.
    pub(crate) output: Text,
    /// Its description.
    pub(crate) description: String,
    /// Its priority as it is written, and where.
    pub(crate) priority: Option<(String, Span)>,
    /// The source of its events, and where that stands.
    pub(crate) source: Option<(String, Span)>,
    /// Its tags.
    pub(crate) tags: Vec<String>,
    /// Its exceptions.
    pub(crate) exceptions: Vec<Exception>,
    /// Whether it is switched on.
    pub(crate) enabled: bool,
    /// Whether it is passed over if it names an unknown field.
    pub(crate) skip_if_unknown: bool,
    /// What was found to be wrong with it so far.
    pub(crate) faults: Vec<Diagnostic>,
}

/// The keys that tell what an item is.
const KINDS: [&str; 5] = ["rule", "macro", "list", "required_engine_version", "required_plugin_versions"];

/// The YAML documents of a file.
fn documents(file: &RuleFile) -> &[Node] {
    match &file.content {
        Content::Yaml(documents) => documents,
        _ => &[],
    }
}

/// What an item is.
fn kind(item: &Node) -> Option<&'static str> {
    KINDS.into_iter().find(|kind| item.get(kind).is_some())
}

/// Whether a file is one of Falco's: a list of items of which one is known.
pub(crate) fn is_rules_file(file: &RuleFile) -> bool {
    documents(file).iter().flat_map(Node::items).any(|item| kind(item).is_some())
}

/// The text of a value as a file holds it, and whether it had quotes of Falco's own in it.
pub(crate) fn unquoted(text: &str) -> (&str, bool) {
    let text = text.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return (inner, true);
        }
    }
    (text, false)
}

impl Library {
    /// Reads files in their order.
    pub(crate) fn read(files: &[Arc<RuleFile>]) -> Library {
        let mut library = Library::default();
        for file in files {
            for item in documents(file).iter().flat_map(Node::items) {
                library.item(file, item);
            }
        }
        library
    }

    /// Adds the values of a list, those of the lists in it too.
    ///
    /// # Errors
    /// If the list holds itself, or too much.
    pub(crate) fn spread(&self, name: &str, values: &mut Vec<String>) -> Result<(), Box<Diagnostic>> {
        self.spread_below(name, &mut Vec::new(), values)
    }

    fn spread_below<'l>(
        &'l self,
        name: &'l str,
        stack: &mut Vec<&'l str>,
        values: &mut Vec<String>,
    ) -> Result<(), Box<Diagnostic>> {
        let Some(list) = self.lists.get(name) else { return Ok(()) };
        if stack.contains(&name) {
            let round = stack.iter().chain([&name]).copied().collect::<Vec<_>>().join(" > ");
            let fault = Diagnostic::error("falco-list-cycle", format!("lists go round in a circle: {round}"));
            return Err(Box::new(fault.at(list.span.clone())));
        }
        stack.push(name);
        for item in &list.items {
            let (text, quoted) = unquoted(item);
            if !quoted && self.lists.contains_key(text) {
                self.spread_below(text, stack, values)?;
            } else {
                values.push(text.to_owned());
            }
            if values.len() > MAX_VALUES {
                let message = format!("with the lists in it, the list `{name}` has more than {MAX_VALUES} values");
                return Err(Box::new(Diagnostic::error("falco-too-large", message).at(list.span.clone())));
            }
        }
        stack.pop();
        Ok(())
    }
}
