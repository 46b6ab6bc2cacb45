//! Tables from comma-separated text.

use std::io::{self, Read};
use std::sync::Arc;

use super::{DEFAULT_MAX_MATCHES, Table};

/// Larger tables are refused.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// Why a table cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The text cannot be read.
    #[error("the table cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The text is too large.
    #[error("the table is larger than {} MiB", MAX_BYTES / 1024 / 1024)]
    TooLarge,
    /// There is no line with the names of the columns.
    #[error("the table has no line with the names of its columns")]
    NoHeader,
    /// Two columns have one name.
    #[error("the table has two columns `{0}`")]
    DoubleColumn(String),
    /// A row has more cells than there are columns.
    #[error("line {line} has {cells} cells for {columns} columns")]
    TooManyCells {
        /// The line on which the row begins, from 1.
        line: u64,
        /// How many cells it has.
        cells: usize,
        /// How many columns there are.
        columns: usize,
    },
    /// The text is not well-formed.
    #[error("the table is not well-formed: {0}")]
    Malformed(String),
}

impl Table {
    /// Reads comma-separated text; the first line names the columns. Blanks around a cell without quotes do not belong to
    /// it. Cells missing at the end of a row are empty, empty ones too many are left aside. Keys match by equality and
    /// case counts; up to a thousand rows match.
    ///
    /// # Errors
    /// If the text cannot be read, is too large, or a row does not fit the columns.
    pub fn from_csv(name: impl Into<String>, reader: impl Read) -> Result<Table, TableError> {
        let mut bytes = Vec::new();
        reader.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(TableError::TooLarge);
        }
        let text = String::from_utf8_lossy(&bytes);
        let text = without_blanks(text.strip_prefix('\u{feff}').unwrap_or(&text));
        let mut reader = ::csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(text.as_bytes());
        let malformed = |error: ::csv::Error| TableError::Malformed(error.to_string());
        let mut records = reader.records();
        let header = records.next().ok_or(TableError::NoHeader)?.map_err(malformed)?;
        let columns: Vec<String> = header.iter().map(str::to_owned).collect();
        for (at, column) in columns.iter().enumerate() {
            if columns.iter().take(at).any(|before| before == column) {
                return Err(TableError::DoubleColumn(column.clone()));
            }
        }
        let mut rows = Vec::new();
        for record in records {
            let record = record.map_err(malformed)?;
            if record.iter().skip(columns.len()).any(|cell| !cell.is_empty()) {
                let line = record.position().map_or(0, ::csv::Position::line);
                return Err(TableError::TooManyCells { line, cells: record.len(), columns: columns.len() });
            }
            rows.push((0..columns.len()).map(|at| Arc::from(record.get(at).unwrap_or(""))).collect());
        }
        Ok(Table {
            name: name.into(),
            columns,
            rows,
            case_sensitive: true,
            max_matches: DEFAULT_MAX_MATCHES,
            ..Table::default()
        })
    }
}

/// The text without the blanks around cells. Done before the cells are read, because a quote behind a blank would
/// otherwise belong to the cell.
fn without_blanks(text: &str) -> String {
    #[derive(PartialEq)]
    enum At {
        CellStart,
        Plain,
        Quoted,
        /// Behind the quote that ends a cell, or begins a doubled one.
        Closed,
    }
    let mut out = String::with_capacity(text.len());
    let mut at = At::CellStart;
    // Blanks that belong to the cell if more of it follows.
    let mut held = 0;
    for (place, char) in text.char_indices() {
        match (&at, char) {
            (At::Quoted, '"') => {
                out.push('"');
                at = At::Closed;
            }
            (At::Quoted, _) => out.push(char),
            (At::CellStart, ' ' | '\t') => {}
            (At::CellStart | At::Closed, '"') => {
                out.push('"');
                at = At::Quoted;
            }
            (_, ',' | '\n' | '\r') => {
                held = 0;
                out.push(char);
                at = At::CellStart;
            }
            (_, ' ' | '\t') => {
                held += 1;
                at = At::Plain;
            }
            _ => {
                out.push_str(text.get(place - held..place).unwrap_or(""));
                held = 0;
                out.push(char);
                at = At::Plain;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str) -> Vec<Vec<String>> {
        let table = Table::from_csv("t", text.as_bytes()).unwrap();
        let rows = table.rows.iter().map(|row| row.iter().map(|cell| cell.to_string()).collect());
        std::iter::once(table.columns.clone()).chain(rows).collect()
    }

    #[test]
    fn blanks_belong_to_quoted_cells_only() {
        assert_eq!(cells("path, lfi\n*/etc/passwd*, yes\n"), [["path", "lfi"], ["*/etc/passwd*", "yes"]]);
        assert_eq!(
            cells("a,b\r\n x y , \" q, \"\r\n\"l\n \"\"m\"\" ,\", z\r\n\"\"\"x\"\"\",\"\""),
            [["a", "b"], ["x y", " q, "], ["l\n \"m\" ,", "z"], ["\"x\"", ""]]
        );
        assert_eq!(cells("\u{feff}a,b,c\n5\" disk , c\"\"d , x\n"), [["a", "b", "c"], ["5\" disk", "c\"\"d", "x"]]);
    }

    #[test]
    fn rows_are_as_long_as_the_header() {
        assert_eq!(cells("a,b,c\n1\n1,2,3,,\n"), [["a", "b", "c"], ["1", "", ""], ["1", "2", "3"]]);
        assert_eq!(cells("a,b\n"), [["a", "b"]]);
    }

    #[test]
    fn faults_are_named() {
        for (text, expect) in [
            ("", "no line with the names"),
            ("a,a\n", "two columns `a`"),
            ("a,b\n1,2\n1,2,3\n", "line 3 has 3 cells for 2 columns"),
        ] {
            let error = Table::from_csv("t", text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        }
    }
}
