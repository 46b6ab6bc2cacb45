//! Looking rows up by their keys.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use rustc_hash::FxHashMap;

use super::{KeyMatch, Table};
use crate::eval::fold::fold;
use crate::eval::glob::Glob;
use crate::eval::{in_network, number};
use crate::value::Value;

/// How many combinations of the values of list keys are looked up.
const MAX_COMBINATIONS: usize = 1_000;

/// A table ready for look-ups. The columns are indexed as the table's `matching` says.
#[derive(Debug, Clone)]
pub struct TableIndex {
    table: Arc<Table>,
    columns: Vec<ColumnIndex>,
}

#[derive(Debug, Clone)]
enum ColumnIndex {
    /// Rows by the cell, without case if case does not count.
    Exact(FxHashMap<Box<str>, Vec<usize>>),
    /// A pattern a row.
    Wildcard(Vec<Glob>),
    /// A network a row; of a cell that is none, its text.
    Cidr(Vec<Result<IpNet, Box<str>>>),
}

/// What one look-up found.
#[derive(Debug, Clone)]
pub struct Matches<'t> {
    index: &'t TableIndex,
    hits: Vec<Hit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hit {
    Row(usize),
    Default,
}

impl TableIndex {
    /// Indexes a table.
    pub fn new(table: Arc<Table>) -> TableIndex {
        let columns = table.columns.iter().enumerate().map(|(at, name)| column_index(&table, at, name)).collect();
        TableIndex { table, columns }
    }

    /// The table.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The rows in which every key column matches its value, in the table's order, at most the table's `max_matches` (0:
    /// all). If there are fewer than `min_matches`, the table's default stands in for them, if it has one. Of a list each
    /// value is looked up on its own, of several lists each combination. A key that is absent, or no column, matches
    /// nothing, and brings no default.
    pub fn lookup(&self, keys: &[(&str, &Value)]) -> Matches<'_> {
        let mut matches = Matches { index: self, hits: Vec::new() };
        let Some(columns) = self.key_columns(keys) else { return matches };
        let lengths: Vec<usize> = keys.iter().map(|(_, value)| value.members().len()).collect();
        let combinations = lengths.iter().try_fold(1usize, |all, &length| all.checked_mul(length));
        for combination in 0..combinations.unwrap_or(usize::MAX).min(MAX_COMBINATIONS) {
            let mut rest = combination;
            let texts: Option<Vec<String>> = keys
                .iter()
                .zip(&lengths)
                .map(|((_, value), &length)| {
                    let member = value.members().get(rest % length)?;
                    rest /= length;
                    let text = number::text(member)?;
                    Some(if self.table.case_sensitive { text.into_owned() } else { fold(&text).into_owned() })
                })
                .collect();
            if let Some(texts) = texts {
                self.lookup_texts(&columns, &texts, &mut matches.hits);
            }
        }
        matches
    }

    fn key_columns(&self, keys: &[(&str, &Value)]) -> Option<Vec<&ColumnIndex>> {
        if keys.is_empty() || keys.iter().any(|(_, value)| value.is_absent()) {
            return None;
        }
        keys.iter().map(|(name, _)| self.columns.get(self.table.column(name)?)).collect()
    }

    fn lookup_texts(&self, columns: &[&ColumnIndex], texts: &[String], hits: &mut Vec<Hit>) {
        let addresses: Vec<Option<IpAddr>> = texts.iter().map(|text| text.parse().ok()).collect();
        let matches = |row: usize| {
            columns
                .iter()
                .zip(texts)
                .zip(&addresses)
                .all(|((column, text), address)| column.matches(row, text, *address))
        };
        let limit = if self.table.max_matches == 0 { usize::MAX } else { self.table.max_matches };
        // Any key with equality narrows the rows down; the others are then tried.
        let by_hash = columns.iter().zip(texts).find_map(|(column, text)| match column {
            ColumnIndex::Exact(rows) => Some(rows.get(text.as_str()).map_or(&[][..], Vec::as_slice)),
            _ => None,
        });
        let before = hits.len();
        match by_hash {
            Some(rows) => hits.extend(rows.iter().copied().filter(|&row| matches(row)).take(limit).map(Hit::Row)),
            None => hits.extend((0..self.table.rows.len()).filter(|&row| matches(row)).take(limit).map(Hit::Row)),
        }
        if hits.len() - before < self.table.min_matches && self.table.default.is_some() {
            hits.truncate(before);
            hits.push(Hit::Default);
        }
    }
}

fn column_index(table: &Table, at: usize, name: &str) -> ColumnIndex {
    let cells = table.rows.iter().map(|row| row.get(at).map_or("", |cell| &**cell));
    let cells = cells.map(|cell| if table.case_sensitive { cell.into() } else { fold(cell) });
    match table.matching.get(name) {
        Some(KeyMatch::Wildcard) => ColumnIndex::Wildcard(cells.map(|cell| Glob::new(&cell)).collect()),
        Some(KeyMatch::Cidr) => ColumnIndex::Cidr(
            cells
                .map(|cell| {
                    let lone = |_| cell.parse::<IpAddr>().map(IpNet::from);
                    cell.parse::<IpNet>().or_else(lone).map_err(|_| cell.clone().into())
                })
                .collect(),
        ),
        None => {
            let mut rows: FxHashMap<Box<str>, Vec<usize>> = FxHashMap::default();
            for (row, cell) in cells.enumerate() {
                rows.entry(cell.into()).or_default().push(row);
            }
            ColumnIndex::Exact(rows)
        }
    }
}

impl ColumnIndex {
    fn matches(&self, row: usize, text: &str, address: Option<IpAddr>) -> bool {
        match self {
            // Rows are in ascending order.
            ColumnIndex::Exact(rows) => rows.get(text).is_some_and(|rows| rows.binary_search(&row).is_ok()),
            ColumnIndex::Wildcard(globs) => globs.get(row).is_some_and(|glob| glob.matches(text)),
            ColumnIndex::Cidr(nets) => match (nets.get(row), address) {
                (Some(Ok(net)), Some(_)) => in_network(net, text).unwrap_or(false),
                (Some(Err(cell)), _) => **cell == *text,
                _ => false,
            },
        }
    }
}

impl Matches<'_> {
    /// Whether nothing was found, and no default stands in.
    pub fn is_empty(&self) -> bool {
        self.hits.is_empty()
    }

    /// The rows that were found.
    pub fn rows(&self) -> impl Iterator<Item = &[Arc<str>]> {
        self.hits.iter().filter_map(|hit| match hit {
            Hit::Row(row) => self.index.table.rows.get(*row).map(Vec::as_slice),
            Hit::Default => None,
        })
    }

    /// The values of a column in the rows that were found, and the default where it stands in. An empty cell is no value.
    pub fn values(&self, column: &str) -> Value {
        let Some(at) = self.index.table.column(column) else { return Value::Absent };
        let table = &self.index.table;
        Value::list(self.hits.iter().filter_map(|hit| match hit {
            Hit::Row(row) => {
                let cell = table.rows.get(*row)?.get(at)?;
                if cell.is_empty() { None } else { Some(Value::Text(Arc::clone(cell))) }
            }
            Hit::Default => table.default.as_ref().map(Value::text),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "name,zone,net,path,out\n\
        a,1,10.0.0.0/8,*/etc/*,x1\n\
        A,1,10.1.0.0/16,*.log,x2\n\
        b,2,192.168.0.1,*,x3\n\
        a,2,somewhere,/exact,\n";

    fn index(change: impl FnOnce(&mut Table)) -> TableIndex {
        let mut table = Table::from_csv("t", TEXT.as_bytes()).unwrap();
        table.matching.insert("net".into(), KeyMatch::Cidr);
        table.matching.insert("path".into(), KeyMatch::Wildcard);
        change(&mut table);
        TableIndex::new(Arc::new(table))
    }

    fn list(texts: &[&str]) -> Value {
        Value::list(texts.iter().map(Value::text))
    }

    fn out(index: &TableIndex, keys: &[(&str, &[&str])]) -> Value {
        let values: Vec<(&str, Value)> = keys.iter().map(|(name, texts)| (*name, list(texts))).collect();
        let keys: Vec<(&str, &Value)> = values.iter().map(|(name, value)| (*name, value)).collect();
        index.lookup(&keys).values("out")
    }

    #[test]
    fn keys_match_as_their_columns_say() {
        let plain = index(|_| {});
        let folded = index(|table| table.case_sensitive = false);
        for (index, keys, expect) in [
            (&plain, &[("name", &["a"][..])][..], &["x1"][..]),
            (&plain, &[("name", &["A"])], &["x2"]),
            (&folded, &[("name", &["A"])], &["x1", "x2"]),
            (&plain, &[("name", &["c"])], &[]),
            (&plain, &[("name", &["a"]), ("zone", &["1"])], &["x1"]),
            (&plain, &[("zone", &["1"]), ("net", &["10.2.0.1"])], &["x1"]),
            (&plain, &[("net", &["10.1.2.3"])], &["x1", "x2"]),
            (&plain, &[("net", &["192.168.0.1"])], &["x3"]),
            (&plain, &[("net", &["no address"])], &[]),
            (&plain, &[("path", &["/x/etc/y.log"])], &["x1", "x2", "x3"]),
            (&plain, &[("path", &["/X/ETC/Y"])], &["x3"]),
            (&folded, &[("path", &["/X/ETC/Y"])], &["x1", "x3"]),
            // Of a list each value.
            (&plain, &[("name", &["b", "A"])], &["x3", "x2"]),
            (&plain, &[("name", &["a", "b"]), ("zone", &["1", "2"])], &["x1", "x3"]),
            (&plain, &[("name", &[])], &[]),
            (&plain, &[("nowhere", &["a"])], &[]),
            (&plain, &[], &[]),
        ] {
            assert_eq!(out(index, keys), list(expect), "{keys:?}");
        }
        assert_eq!(plain.lookup(&[("net", &Value::text("somewhere"))]).rows().count(), 1);
        assert_eq!(plain.lookup(&[("zone", &Value::Int(2))]).rows().count(), 2);
        assert_eq!(plain.lookup(&[("zone", &Value::Int(2))]).values("nowhere"), Value::Absent);
    }

    #[test]
    fn matches_are_limited_and_made_up() {
        let one = index(|table| table.max_matches = 1);
        assert_eq!(out(&one, &[("zone", &["1"])]), list(&["x1"]));
        assert_eq!(out(&one, &[("zone", &["1", "2"])]), list(&["x1", "x3"]));
        let all = index(|table| table.max_matches = 0);
        assert_eq!(out(&all, &[("zone", &["1"])]), list(&["x1", "x2"]));
        let fallback = index(|table| {
            table.min_matches = 2;
            table.default = Some("none".into());
        });
        assert_eq!(out(&fallback, &[("zone", &["1"])]), list(&["x1", "x2"]));
        assert_eq!(out(&fallback, &[("name", &["b"])]), list(&["none"]));
        assert_eq!(out(&fallback, &[("name", &["c", "d"])]), list(&["none", "none"]));
        assert_eq!(out(&fallback, &[("name", &[])]), Value::Absent);
        let no_default = index(|table| table.min_matches = 1);
        assert!(no_default.lookup(&[("name", &Value::text("c"))]).is_empty());
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "tells that nothing was tested")]
    fn the_published_table_finds_paths() {
        let shared = std::env::var_os("MASTHEAD_SHARED").map_or_else(
            || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
            std::path::PathBuf::from,
        );
        let path = shared.join("rules/escu/lookups/local_file_inclusion_paths.csv");
        let Ok(file) = std::fs::File::open(&path) else {
            eprintln!("skipped: the published rules are not there");
            return;
        };
        let mut table = Table::from_csv("local_file_inclusion_paths", file).unwrap();
        table.matching.insert("local_file_inclusion_paths".into(), KeyMatch::Wildcard);
        table.case_sensitive = false;
        table.max_matches = 1;
        table.min_matches = 1;
        table.default = Some("false".into());
        let index = TableIndex::new(Arc::new(table));
        for (path, expect) in [("/../../../ETC/passwd", "yes"), ("/index.html", "false")] {
            let found = index.lookup(&[("local_file_inclusion_paths", &Value::text(path))]).values("lfi_path");
            assert_eq!(found, Value::text(expect), "{path}");
        }
    }
}
