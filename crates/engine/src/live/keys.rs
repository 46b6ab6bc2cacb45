//! Names of the state that is kept beyond the life of a process.

use masthead_ir::rule::{Body, Rule};

/// Names the state of a rule: what it is called and what decides. A rule that was edited begins anew.
pub(super) fn print(rule: &Rule) -> String {
    let body = match &rule.body {
        Body::Pipeline(pipeline) => format!("{pipeline:?}"),
        Body::Script(script, trigger) => format!("{} {trigger:?}", script.source),
    };
    let schedule = format!("{:?}", rule.schedule);
    crate::finding::finding_id(&["state", &rule.id, &rule.name, &body, &schedule]).replace('-', "")
}

/// Rows kept for a window.
pub(super) fn piece(print: &str, source: usize, number: u64) -> String {
    format!("rule/{print}/piece/{source}/{number:016x}")
}

/// A finding that goes on.
pub(super) fn chain(print: &str, finding_id: &str) -> String {
    format!("rule/{print}/chain/{finding_id}")
}

/// When what was found last.
pub(super) fn throttle(print: &str) -> String {
    format!("rule/{print}/throttle")
}

/// The last window that ran. It sorts before the pieces, whose windows depend on it.
pub(super) fn closed(print: &str) -> String {
    format!("rule/{print}/closed")
}

/// Matches of one dedup string in one pane.
pub(super) fn pane(print: &str, dedup: &str, pane: Option<i64>) -> String {
    let pane = pane.map_or_else(|| "none".to_owned(), |pane| pane.to_string());
    format!("rule/{print}/pane/{pane}/{}", crate::finding::finding_id(&["dedup", dedup]))
}

/// Identities of events, to know doubles.
pub(super) fn doubles(number: u64) -> String {
    format!("doubles/{number:016x}")
}

/// What identities are keyed with.
pub(super) const SEED: &str = "doubles-seed";
/// How far time has come.
pub(super) const CLOCK: &str = "clock";

/// A lookup table that a rule wrote.
pub(super) fn table(name: &str) -> String {
    format!("table/{name}")
}

/// A key, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key<'k> {
    Rule(&'k str, Part<'k>),
    Doubles(u64),
    Seed,
    Clock,
    Table(&'k str),
}

/// What of a rule's state it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'k> {
    Piece { source: usize, number: u64 },
    Chain,
    Throttle,
    Closed,
    Pane(Option<&'k str>),
}

/// Reads a key; none if it is of no kind that is known.
pub(super) fn read(key: &str) -> Option<Key<'_>> {
    if let Some(rest) = key.strip_prefix("rule/") {
        let (print, part) = rest.split_once('/')?;
        let mut words = part.split('/');
        let part = match (words.next()?, words.next(), words.next()) {
            ("piece", Some(source), Some(number)) => {
                Part::Piece { source: source.parse().ok()?, number: u64::from_str_radix(number, 16).ok()? }
            }
            ("chain", ..) => Part::Chain,
            ("throttle", ..) => Part::Throttle,
            ("closed", ..) => Part::Closed,
            ("pane", Some("none"), _) => Part::Pane(None),
            ("pane", Some(pane), _) => Part::Pane(Some(pane)),
            _ => return None,
        };
        return Some(Key::Rule(print, part));
    }
    match key {
        SEED => Some(Key::Seed),
        CLOCK => Some(Key::Clock),
        _ => match key.split_once('/')? {
            ("doubles", number) => u64::from_str_radix(number, 16).ok().map(Key::Doubles),
            ("table", name) => Some(Key::Table(name)),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_can_be_read_back() {
        for (key, expected) in [
            (piece("p", 1, 26), Key::Rule("p", Part::Piece { source: 1, number: 26 })),
            (chain("p", "c0ffee-1"), Key::Rule("p", Part::Chain)),
            (throttle("p"), Key::Rule("p", Part::Throttle)),
            (closed("p"), Key::Rule("p", Part::Closed)),
            (pane("p", "a/b", Some(-7)), Key::Rule("p", Part::Pane(Some("-7")))),
            (pane("p", "", None), Key::Rule("p", Part::Pane(None))),
            (doubles(31), Key::Doubles(31)),
            (SEED.to_owned(), Key::Seed),
            (CLOCK.to_owned(), Key::Clock),
            (table("a/b"), Key::Table("a/b")),
        ] {
            assert_eq!(read(&key), Some(expected), "{key}");
        }
        assert_eq!(read("rule/p/other"), None);
    }
}
