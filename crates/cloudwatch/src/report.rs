//! What is said of one resource, and how far its rule can run.

use masthead_ir::Level;
use masthead_ir::diagnostic::{Diagnostic, Span};
use masthead_ir::rule::Status;
use masthead_rulefile::{Node, RuleFile};

use crate::codes;
use crate::syntax::Fault;

/// The diagnostics of a resource.
#[derive(Debug)]
pub(crate) struct Report<'f> {
    file: &'f RuleFile,
    diagnostics: Vec<Diagnostic>,
    status: Status,
}

impl<'f> Report<'f> {
    pub(crate) fn new(file: &'f RuleFile) -> Report<'f> {
        Report { file, diagnostics: Vec::new(), status: Status::Runs }
    }

    /// Says something of a node; an error makes the rule invalid.
    pub(crate) fn say(&mut self, diagnostic: Diagnostic, node: &Node) {
        let span = self.file.span(node);
        self.say_at(diagnostic, span);
    }

    /// Says that something of CloudWatch cannot run here.
    pub(crate) fn unsupported(&mut self, message: impl Into<String>, help: &str, node: &Node) {
        self.worsen(Status::Unsupported);
        let diagnostic = Diagnostic::warning(codes::UNSUPPORTED, message).help(help);
        self.diagnostics.push(diagnostic.at(self.file.span(node)));
    }

    /// Says something of a node that keeps the rule from running without being wrong.
    pub(crate) fn blocked(&mut self, diagnostic: Diagnostic, node: &Node) {
        self.worsen(Status::Unsupported);
        self.diagnostics.push(diagnostic.at(self.file.span(node)));
    }

    /// Says that a part of a resource has no effect.
    pub(crate) fn no_effect(&mut self, message: impl Into<String>, node: &Node) {
        self.worsen(Status::Partial);
        let diagnostic = Diagnostic::warning(codes::NO_EFFECT, message).help("the rest runs without it");
        self.diagnostics.push(diagnostic.at(self.file.span(node)));
    }

    /// Says what is at fault in a text of a node. `text` is what was read; if the node holds another text, because a
    /// parameter was filled in, the whole node is shown.
    pub(crate) fn fault(&mut self, fault: Fault, node: &Node, text: &str) {
        let span = if node.text() == Some(text) {
            self.file.span_within(&self.untagged(node), fault.range.clone())
        } else {
            self.file.span(node)
        };
        let blocks = fault.code == codes::UNSUPPORTED;
        let level = if blocks { Level::Warning } else { fault.level };
        let diagnostic = Diagnostic { code: fault.code, level, message: fault.message, span: None, help: fault.help };
        if blocks {
            self.worsen(Status::Unsupported);
        }
        self.say_at(diagnostic, span);
    }

    /// A node without the tag before its text: places within the text are counted from there.
    fn untagged(&self, node: &Node) -> Node {
        let mut node = node.clone();
        let source = self.file.text.get(node.span.clone()).unwrap_or_default();
        if source.starts_with('!') {
            let tag = source.find(char::is_whitespace).unwrap_or(0);
            let rest = source[tag..].trim_start();
            node.span.start += source.len() - rest.len();
        }
        node
    }

    fn say_at(&mut self, diagnostic: Diagnostic, span: Span) {
        if diagnostic.level == Level::Error {
            self.worsen(Status::Invalid);
        }
        self.diagnostics.push(diagnostic.at(span));
    }

    /// The last word on a resource: one that is invalid stays so.
    fn worsen(&mut self, status: Status) {
        let rank = |status: Status| match status {
            Status::Runs => 0,
            Status::Partial => 1,
            Status::Unsupported => 2,
            Status::Invalid => 3,
        };
        if rank(status) > rank(self.status) {
            self.status = status;
        }
    }

    /// Whether a rule can be made.
    pub(crate) fn can_run(&self) -> bool {
        matches!(self.status, Status::Runs | Status::Partial)
    }

    /// What was said.
    pub(crate) fn into_parts(self) -> (Status, Vec<Diagnostic>) {
        (self.status, self.diagnostics)
    }
}
