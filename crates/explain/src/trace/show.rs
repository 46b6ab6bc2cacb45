//! Traces as blocks.

use super::{Outcome, Seen, Trace, TraceNode};
use crate::render::Block;
use crate::words::condition::ConditionKind;
use crate::words::wording::{SHOWN_VALUES, quote, quoted};

/// The blocks of a trace.
pub(super) fn blocks(trace: &Trace) -> Vec<Block> {
    let mut out = vec![Block::Title(trace.rule_name.clone()), Block::Text(trace.summary.clone())];
    if trace.failing.len() > 1 {
        out.push(Block::Heading("All parts that fail".to_owned()));
        out.extend(trace.failing.iter().map(|part| Block::Item(0, part.short().to_owned())));
    }
    if let Some(root) = &trace.root {
        out.push(Block::Heading("Part by part".to_owned()));
        items(root, 0, &mut out);
    }
    for step in &trace.steps {
        out.push(Block::Heading(format!("{}: {}", step.name, word(step.truth))));
        items(&step.root, 0, &mut out);
    }
    if !trace.notes.is_empty() {
        out.push(Block::Heading("What one event alone cannot show".to_owned()));
        out.extend(trace.notes.iter().map(|note| Block::Item(0, note.clone())));
    }
    out
}

fn word(truth: Outcome) -> &'static str {
    match truth {
        Outcome::True => "yes",
        Outcome::False => "NO",
        Outcome::Unknown => "unknown",
    }
}

fn items(node: &TraceNode, depth: usize, out: &mut Vec<Block>) {
    let text = match (node.kind, node.children.is_empty()) {
        (ConditionKind::All, false) => "all of these:",
        (ConditionKind::Any, false) => "any of these:",
        (ConditionKind::Not, false) => "not this:",
        _ => node.text.short(),
    };
    let seen = match node.seen.as_slice() {
        [] => String::new(),
        // The text names the field already.
        [one] if one.values.is_empty() => " — absent".to_owned(),
        [one] => format!(" — seen: {}", quoted(&one.values, "and", SHOWN_VALUES)),
        several => format!(" — {}", several.iter().map(saw).collect::<Vec<_>>().join("; ")),
    };
    out.push(Block::Item(depth, format!("{}: {text}{seen}", word(node.truth))));
    node.children.iter().for_each(|child| items(child, depth + 1, out));
}

fn saw(seen: &Seen) -> String {
    match seen.values.as_slice() {
        [] => format!("{} is absent", quote(&seen.field)),
        values => format!("{} is {}", quote(&seen.field), quoted(values, "and", SHOWN_VALUES)),
    }
}
