//! Stages that make fields out of text: which ones is known only when the text is read.

use masthead_ir::Value;

use crate::kind::{Kind, text_of};
use crate::rows::Rows;

/// How many fields one text may make. More are passed over.
const MAX_FIELDS: usize = 1_000;

/// Adds the members of the JSON text in a field. A name that a row has already gets the new values added (Splunk Search
/// Reference, spath).
pub(crate) fn json(rows: &mut Rows, field: &str) {
    let Some(at) = rows.index(field) else { return };
    for index in 0..rows.records.len() {
        let Some(text) = text_of(&rows.records[index].values[at]) else { continue };
        let mut found: Vec<(String, Value)> = Vec::new();
        // What comes before a fault in the text is taken, as far as it goes.
        let _ = masthead_ir::flatten_text(&text, &mut |name, value| {
            if found.len() < MAX_FIELDS {
                found.push((name.to_owned(), Value::text(value)));
            }
        });
        add(rows, index, found);
    }
}

/// Adds the `key=value` pairs of the text in a field. A value in double quotes may hold anything.
pub(crate) fn pairs(rows: &mut Rows, field: &str) {
    let Some(at) = rows.index(field) else { return };
    for index in 0..rows.records.len() {
        let Some(text) = text_of(&rows.records[index].values[at]) else { continue };
        let found = pairs_of(&text);
        add(rows, index, found);
    }
}

fn add(rows: &mut Rows, index: usize, found: Vec<(String, Value)>) {
    for (name, value) in found {
        let place = rows.ensure(&name, Kind::Text);
        let values = &mut rows.records[index].values;
        let joined = Value::list([values[place].clone(), value]);
        if matches!(joined, Value::List(_)) {
            rows.columns[place].kind = Kind::List;
        }
        values[place] = joined;
    }
}

/// The pairs of a text (Splunk, "automatic key-value field extraction").
pub fn pairs_of(text: &str) -> Vec<(String, Value)> {
    let mut pairs = Vec::new();
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
    let mut rest = text;
    while let Some(at) = rest.find('=') {
        let name_start = rest[..at].rfind(|c: char| !is_name(c)).map_or(0, |p| p + rest[p..].chars().next().map_or(1, char::len_utf8));
        let name = &rest[name_start..at];
        let after = &rest[at + 1..];
        let (value, end) = match after.strip_prefix('"') {
            Some(quoted) => match quoted.find('"') {
                Some(end) => (&quoted[..end], end + 2),
                None => (quoted, after.len()),
            },
            None => {
                let end = after.find(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ')' | '(')).unwrap_or(after.len());
                (&after[..end], end)
            }
        };
        if !name.is_empty() && !value.is_empty() && pairs.len() < MAX_FIELDS {
            pairs.push((name.to_owned(), Value::text(value)));
        }
        rest = &after[end.min(after.len())..];
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_up_to_what_ends_them() {
        let found = pairs_of("Notice shell (user=root, cmd=\"sh -c x=1\" proc=bash) k8s.ns=a empty= =b");
        let found: Vec<(String, String)> = found.into_iter().map(|(n, v)| (n, text_of(&v).unwrap_or_default())).collect();
        let expected = [("user", "root"), ("cmd", "sh -c x=1"), ("proc", "bash"), ("k8s.ns", "a")];
        assert_eq!(found, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }
}
