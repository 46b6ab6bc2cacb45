//! The columns that a command can see.

use super::ast::NamePattern;

/// A column that the query has made or kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    /// Its name in the query.
    pub(super) name: String,
    /// Its name in rows.
    pub(super) column: String,
    /// Whether it holds times.
    pub(super) date: bool,
    /// Whether no row can have a value.
    pub(super) absent: bool,
}

impl Column {
    pub(super) fn new(name: &str, date: bool) -> Column {
        Column { name: name.to_owned(), column: column_name(name), date, absent: false }
    }
}

/// The name of a column in rows: a star would be a pattern there.
pub(super) fn column_name(name: &str) -> String {
    name.replace('*', "")
}

/// The columns behind a command.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// Whether the fields of events are not to be seen any more.
    pub(super) closed: bool,
    /// In their order.
    pub(super) columns: Vec<Column>,
    /// Names of fields of events that are not to be seen any more.
    dropped: Vec<NamePattern>,
}

impl Scope {
    /// Only these columns.
    pub(super) fn of(columns: Vec<Column>) -> Scope {
        let mut scope = Scope { closed: true, ..Scope::default() };
        columns.into_iter().for_each(|column| scope.define(column));
        scope
    }

    pub(super) fn find(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Adds a column at the end, instead of one of that name.
    pub(super) fn define(&mut self, column: Column) {
        self.columns.retain(|known| known.name != column.name);
        self.columns.push(column);
    }

    /// Whether names that are no columns are fields of events.
    pub(super) fn sees_event(&self, name: &str) -> bool {
        !self.closed && !self.dropped.iter().any(|pattern| pattern.covers(name))
    }

    pub(super) fn drop(&mut self, pattern: &NamePattern) {
        self.columns.retain(|column| !pattern.covers(&column.name));
        self.dropped.push(pattern.clone());
    }

    /// Gives a column another name, at its place.
    pub(super) fn rename(&mut self, from: &NamePattern, to: Column) {
        self.columns.retain(|column| column.name != to.name);
        match self.columns.iter_mut().find(|column| column.name == from.text) {
            Some(column) => *column = to,
            None => self.columns.push(to),
        }
        self.dropped.push(from.clone());
    }
}

impl NamePattern {
    pub(super) fn covers(&self, name: &str) -> bool {
        if self.star { masthead_ir::eval::glob::Glob::new(&self.text).matches(name) } else { self.text == name }
    }

    /// What says more of a name wins over what says less.
    fn precision(&self) -> u8 {
        match (self.star, self.text.as_str()) {
            (false, _) => 2,
            (true, "*") => 0,
            (true, _) => 1,
        }
    }
}

/// The columns that `KEEP` leaves: each stands where the most precise pattern stands, the last of those equally precise.
pub(super) fn kept(columns: &[Column], patterns: &[NamePattern]) -> Vec<Column> {
    let place = |column: &Column| {
        let covering = patterns.iter().enumerate().filter(|(_, pattern)| pattern.covers(&column.name));
        covering.max_by_key(|(at, pattern)| (pattern.precision(), *at)).map(|(at, _)| at)
    };
    let mut placed: Vec<(usize, Column)> =
        columns.iter().filter_map(|column| Some((place(column)?, column.clone()))).collect();
    placed.sort_by_key(|(at, _)| *at);
    placed.into_iter().map(|(_, column)| column).collect()
}
