//! Reading keys of a YAML file, with a diagnostic at the place of what is wrong.

use masthead_ir::diagnostic::{Diagnostic, Span};
use masthead_rulefile::{Node, NodeValue, RuleFile};

/// Reads the keys of a file and gathers what is wrong with them.
pub(crate) struct Keys<'a> {
    pub(crate) file: &'a RuleFile,
    pub(crate) root: &'a Node,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl<'a> Keys<'a> {
    /// The keys of a file's first document.
    pub(crate) fn new(file: &'a RuleFile, root: &'a Node) -> Keys<'a> {
        Keys { file, root, diagnostics: Vec::new() }
    }

    /// The value of a key; null is as if it were not there.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Node> {
        self.root.get(key).filter(|node| !node.is_null())
    }

    /// The place of a key, or the start of the file.
    pub(crate) fn place(&self, key: &str) -> Span {
        match self.root.key(key) {
            Some(node) => self.file.span(node),
            None => Span { path: self.file.path.clone(), text: self.file.text.clone(), start: 0, end: 0 },
        }
    }

    /// An error about a value.
    pub(crate) fn fault(&mut self, code: &'static str, node: &Node, message: String) {
        self.diagnostics.push(Diagnostic::error(code, message).at(self.file.span(node)));
    }

    /// A scalar's text; a key that must be there.
    pub(crate) fn required_text(&mut self, key: &'static str) -> Option<&'a str> {
        if self.get(key).is_none() {
            let message = format!("the key `{key}` is missing");
            self.diagnostics.push(Diagnostic::error("missing-key", message).at(self.place(key)));
            return None;
        }
        self.text(key)
    }

    /// A scalar's text, without white space around it.
    pub(crate) fn text(&mut self, key: &'static str) -> Option<&'a str> {
        let node = self.get(key)?;
        match node.text() {
            Some(text) => Some(text.trim()),
            None => {
                self.wrong_kind(key, node, "text");
                None
            }
        }
    }

    /// A truth value.
    pub(crate) fn truth(&mut self, key: &'static str, default: bool) -> bool {
        let Some(node) = self.get(key) else { return default };
        node.as_bool().unwrap_or_else(|| {
            self.wrong_kind(key, node, "a truth value");
            default
        })
    }

    /// A whole number of at least one.
    pub(crate) fn count(&mut self, key: &'static str, default: u64) -> u64 {
        let Some(node) = self.get(key) else { return default };
        match node.as_i64().and_then(|number| u64::try_from(number).ok()).filter(|number| *number > 0) {
            Some(number) => number,
            None => {
                self.wrong_kind(key, node, "a whole number above zero");
                default
            }
        }
    }

    /// A list of scalars, or one scalar.
    pub(crate) fn texts(&mut self, key: &'static str) -> Vec<String> {
        let Some(node) = self.get(key) else { return Vec::new() };
        let texts: Vec<String> = node.texts().into_iter().map(str::to_owned).collect();
        let all = match &node.value {
            NodeValue::Sequence(items) => items.len() == texts.len(),
            NodeValue::Scalar(..) => true,
            NodeValue::Mapping(_) => false,
        };
        if !all {
            self.wrong_kind(key, node, "a list of texts");
        }
        texts
    }

    fn wrong_kind(&mut self, key: &str, node: &Node, expected: &str) {
        self.fault("bad-value", node, format!("`{key}` must be {expected}, not {}", node.kind()));
    }
}

/// The line of a byte, from 1.
pub(crate) fn line_of(text: &str, offset: usize) -> u32 {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    let lines = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    u32::try_from(lines).unwrap_or(u32::MAX)
}
