//! Reading fields of a document: what is missing or of the wrong type becomes a diagnostic.

use masthead_ir::Diagnostic;
use masthead_rulefile::{Node, RuleFile};

/// A document being read, and what is wrong with it so far.
pub(crate) struct Reader<'f> {
    pub(crate) file: &'f RuleFile,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl<'f> Reader<'f> {
    pub(crate) fn new(file: &'f RuleFile) -> Reader<'f> {
        Reader { file, diagnostics: Vec::new() }
    }

    /// Notes a fault at a node.
    pub(crate) fn report(&mut self, node: &Node, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic.at(self.file.span(node)));
    }

    /// A scalar as text; an error if it is a collection. Null counts as absent.
    pub(crate) fn text<'n>(&mut self, parent: &'n Node, key: &str) -> Option<&'n str> {
        let node = parent.get(key).filter(|node| !node.is_null())?;
        match node.text() {
            Some(text) => Some(text),
            None => {
                self.wrong_type(node, key, "text");
                None
            }
        }
    }

    /// A scalar as text that has to be there.
    pub(crate) fn required<'n>(&mut self, parent: &'n Node, key: &str, of: &str) -> Option<&'n str> {
        let faults = self.diagnostics.len();
        let found = self.text(parent, key).filter(|text| !text.trim().is_empty());
        if found.is_none() && self.diagnostics.len() == faults {
            self.missing(parent, key, of);
        }
        found
    }

    /// A whole number, also one that is written with a fraction of zero.
    pub(crate) fn integer(&mut self, parent: &Node, key: &str) -> Option<i64> {
        let node = parent.get(key).filter(|node| !node.is_null())?;
        let whole = |float: &f64| float.fract() == 0.0 && float.abs() < 1e15;
        let number = node.as_i64().or_else(|| node.as_f64().filter(whole).map(|float| float as i64));
        if number.is_none() {
            self.wrong_type(node, key, "a whole number");
        }
        number
    }

    /// A list; a single value counts as a list of one.
    pub(crate) fn list<'n>(&mut self, parent: &'n Node, key: &str) -> &'n [Node] {
        let Some(node) = parent.get(key).filter(|node| !node.is_null()) else { return &[] };
        if node.items().is_empty() && node.kind() != "a list" {
            self.wrong_type(node, key, "a list");
        }
        node.items()
    }

    /// A list of texts, or one text.
    pub(crate) fn texts(&mut self, parent: &Node, key: &str) -> Vec<String> {
        let Some(node) = parent.get(key) else { return Vec::new() };
        if !node.entries().is_empty() {
            self.wrong_type(node, key, "a list of texts");
        }
        node.texts().into_iter().map(str::to_owned).collect()
    }

    pub(crate) fn missing(&mut self, parent: &Node, key: &str, of: &str) {
        // The whole document would be no place to point at.
        let place = parent.entries().first().map_or(parent, |(first, _)| first);
        self.report(place, Diagnostic::error("missing-field", format!("{of} has no `{key}`")));
    }

    pub(crate) fn wrong_type(&mut self, node: &Node, key: &str, wanted: &str) {
        let message = format!("`{key}` is {}; it must be {wanted}", node.kind());
        self.report(node, Diagnostic::error("wrong-type", message));
    }
}
