//! Statements over many rows: a statement of its own for each row costs more than what it does.
//!
//! The texts of statements are made here of parts that are constants of this crate, and of numbers; what comes from outside is
//! bound.

use std::collections::HashMap;

use sqlx::any::{Any, AnyArguments};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Row as _, Transaction};

/// How many rows one statement has. A rest of fewer rows has statements of one: so there are few different texts, which the
/// database prepares once.
const ROWS: usize = 32;

/// A value that is bound.
#[derive(Debug, Clone)]
pub(crate) enum Bind {
    Text(String),
    MaybeText(Option<String>),
    Number(i64),
    MaybeNumber(Option<i64>),
    Bytes(Vec<u8>),
}

type Statement<'q> = Query<'q, Any, AnyArguments>;

impl Bind {
    fn to(self, statement: Statement<'_>) -> Statement<'_> {
        match self {
            Bind::Text(text) => statement.bind(text),
            Bind::MaybeText(text) => statement.bind(text),
            Bind::Number(number) => statement.bind(number),
            Bind::MaybeNumber(number) => statement.bind(number),
            Bind::Bytes(bytes) => statement.bind(bytes),
        }
    }
}

fn statement<'q>(text: String, binds: Vec<Bind>) -> Statement<'q> {
    binds.into_iter().fold(sqlx::query(AssertSqlSafe(text)), |statement, bind| bind.to(statement))
}

/// An insertion: the table with its columns, and what happens to a row that is there.
pub(crate) struct Insert {
    pub(crate) into: &'static str,
    pub(crate) conflict: &'static str,
}

/// Inserts rows.
pub(crate) async fn insert(
    tx: &mut Transaction<'_, Any>,
    insert: &Insert,
    rows: Vec<Vec<Bind>>,
) -> Result<(), sqlx::Error> {
    for chunk in chunks(rows) {
        let width = chunk.first().map_or(0, Vec::len);
        let row = |row: usize| {
            let places: Vec<String> = (1..=width).map(|column| format!("${}", row * width + column)).collect();
            format!("({})", places.join(", "))
        };
        let values: Vec<String> = (0..chunk.len()).map(row).collect();
        let text = format!("INSERT INTO {} VALUES {} {}", insert.into, values.join(", "), insert.conflict);
        statement(text, chunk.into_iter().flatten().collect()).execute(&mut **tx).await?;
    }
    Ok(())
}

/// Deletes rows by a column that stands at the end of `head`.
pub(crate) async fn delete(tx: &mut Transaction<'_, Any>, head: &str, values: Vec<Bind>) -> Result<(), sqlx::Error> {
    for chunk in chunks(values) {
        let text = format!("{head} IN ({})", places(1, chunk.len()));
        statement(text, chunk).execute(&mut **tx).await?;
    }
    Ok(())
}

/// The same with a first value that all have in common.
pub(crate) async fn delete_of(
    tx: &mut Transaction<'_, Any>,
    head: &str,
    first: Bind,
    values: Vec<Bind>,
) -> Result<(), sqlx::Error> {
    for chunk in chunks(values) {
        let text = format!("{head} IN ({})", places(2, chunk.len()));
        let binds = std::iter::once(first.clone()).chain(chunk).collect();
        statement(text, binds).execute(&mut **tx).await?;
    }
    Ok(())
}

/// Two columns of rows by a column that stands at the end of `head`.
pub(crate) async fn select(
    tx: &mut Transaction<'_, Any>,
    head: &str,
    values: Vec<Bind>,
) -> Result<HashMap<String, String>, sqlx::Error> {
    let mut found = HashMap::new();
    for chunk in chunks(values) {
        let text = format!("{head} IN ({})", places(1, chunk.len()));
        for row in statement(text, chunk).fetch_all(&mut **tx).await? {
            found.insert(row.try_get(0)?, row.try_get(1)?);
        }
    }
    Ok(found)
}

fn places(first: usize, count: usize) -> String {
    let places: Vec<String> = (first..first + count).map(|place| format!("${place}")).collect();
    places.join(", ")
}

/// Chunks of [`ROWS`], and what is left one by one.
fn chunks<T>(mut rows: Vec<T>) -> Vec<Vec<T>> {
    let mut chunks = Vec::new();
    while rows.len() >= ROWS {
        let rest = rows.split_off(ROWS);
        chunks.push(std::mem::replace(&mut rows, rest));
    }
    chunks.extend(rows.into_iter().map(|row| vec![row]));
    chunks
}
