//! Lookup tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A lookup table: rows of text, and how keys match. Read when rules are loaded; immutable then.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// The names of its columns.
    pub columns: Vec<String>,
    /// Its rows; each as long as `columns`.
    pub rows: Vec<Vec<Arc<str>>>,
    /// How a column's cells match, where not by equality.
    pub matching: BTreeMap<String, KeyMatch>,
    /// Whether letter case counts in keys.
    pub case_sensitive: bool,
    /// How many matching rows are used; their values become lists. 0: all.
    pub max_matches: usize,
    /// How many matches there must be before `default` is used instead.
    pub min_matches: usize,
    /// What every output is given when too few rows match. Without it those that match are used.
    pub default: Option<String>,
}

/// How a key column's cells match a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyMatch {
    /// `*` in the cell stands for any run of characters.
    Wildcard,
    /// The cell is an IP network.
    Cidr,
}

mod csv;
mod index;

pub use csv::TableError;
pub use index::{Matches, TableIndex};

/// How many matching rows are used where a table does not say.
pub const DEFAULT_MAX_MATCHES: usize = 1_000;

impl Table {
    /// The place of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }
}
