//! Texts that are put together from several places of several files, and where each part of them stands.

use std::ops::Range;
use std::sync::Arc;

use masthead_ir::Span;
use masthead_rulefile::{Node, RuleFile};

/// A text made of the scalars of one or more items, joined by blanks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Text {
    /// The whole text.
    pub(crate) text: String,
    pieces: Vec<Piece>,
}

/// One scalar of a [`Text`].
#[derive(Debug, Clone)]
struct Piece {
    file: Arc<RuleFile>,
    node: Node,
    range: Range<usize>,
}

impl Text {
    /// The text of one scalar; of anything else the empty text.
    pub(crate) fn of(file: &Arc<RuleFile>, node: &Node) -> Text {
        let mut text = Text::default();
        text.append(file, node);
        text
    }

    /// Adds a scalar at the end.
    pub(crate) fn append(&mut self, file: &Arc<RuleFile>, node: &Node) {
        if !self.pieces.is_empty() {
            self.text.push(' ');
        }
        let start = self.text.len();
        self.text.push_str(node.text().unwrap_or_default());
        self.pieces.push(Piece { file: file.clone(), node: node.clone(), range: start..self.text.len() });
    }

    /// Where a part of the text stands.
    pub(crate) fn span(&self, range: Range<usize>) -> Option<Span> {
        let piece = self.pieces.iter().rev().find(|piece| piece.range.start <= range.start).or(self.pieces.first())?;
        let within = |at: usize| at.clamp(piece.range.start, piece.range.end) - piece.range.start;
        Some(piece.file.span_within(&piece.node, within(range.start)..within(range.end)))
    }
}
