//! Rows outside of a plan: what a pipeline gives, and what stages work on that look at the rows before and after.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::error::Result;
use masthead_ir::eval::Row;
use masthead_ir::time::Micros;
use masthead_ir::{FieldPath, Value};

use crate::kind::{Kind, Reader, column};

/// Names of the columns that travel unseen.
pub(crate) const HIDDEN: [&str; 4] = ["__mh_ids", "__mh_events", "__mh_first", "__mh_last"];
/// Audit ids of the events behind a row.
pub(crate) const IDS: &str = HIDDEN[0];
/// How many events are behind a row.
pub(crate) const EVENTS: &str = HIDDEN[1];
/// Time of the first event behind a row, in microseconds.
pub(crate) const FIRST: &str = HIDDEN[2];
/// Time of the last event behind a row, in microseconds.
pub(crate) const LAST: &str = HIDDEN[3];

const HIDDEN_KINDS: [Kind; 4] = [Kind::List, Kind::Int, Kind::Int, Kind::Int];

/// How many audit ids a row carries on its way. Findings show fewer, but tell how many there are.
pub(crate) const MAX_IDS: usize = 1_000;

/// A column's name and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// Where a row comes from.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Origin {
    pub(crate) ids: Vec<String>,
    pub(crate) events: i64,
    pub(crate) first: Option<Micros>,
    pub(crate) last: Option<Micros>,
}

impl Origin {
    /// Takes in another row's events.
    pub(crate) fn add(&mut self, other: &Origin) {
        self.add_bounded(other, MAX_IDS);
    }

    /// Likewise, with at most `limit` ids.
    pub(crate) fn add_bounded(&mut self, other: &Origin, limit: usize) {
        for id in &other.ids {
            if self.ids.len() < limit && !self.ids.contains(id) {
                self.ids.push(id.clone());
            }
        }
        self.events += other.events;
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
    }
}

/// A row: its values by column, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) values: Vec<Value>,
    pub(crate) origin: Origin,
}

/// Rows with their columns.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Rows {
    pub(crate) columns: Vec<Column>,
    pub(crate) records: Vec<Record>,
}

impl Rows {
    pub(crate) fn index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The index of a column, which is made if it is not there.
    pub(crate) fn ensure(&mut self, name: &str, kind: Kind) -> usize {
        if let Some(index) = self.index(name) {
            // A column that no row uses yet takes the kind of what comes.
            let unused = self.records.iter().all(|record| record.values[index].is_absent());
            self.columns[index].kind = if unused { kind } else { self.columns[index].kind.join(kind) };
            return index;
        }
        self.columns.push(Column { name: name.to_owned(), kind });
        for record in &mut self.records {
            record.values.push(Value::Absent);
        }
        self.columns.len() - 1
    }

    /// The values of these columns in one row; none if one is absent or not there.
    pub(crate) fn key(&self, record: &Record, indexes: &[Option<usize>]) -> Option<Vec<Value>> {
        let values = indexes.iter().map(|index| record.values.get((*index)?).cloned());
        values.map(|value| value.filter(|value| !value.is_absent())).collect()
    }

    /// From batches whose schema is that of `columns` and the hidden ones.
    pub(crate) fn from_batches(columns: &[Column], batches: &[RecordBatch]) -> Rows {
        let mut records = Vec::new();
        for batch in batches {
            let readers: Vec<Reader<'_>> = columns.iter().map(|c| reader(batch, &c.name)).collect();
            let [ids, events, first, last] = HIDDEN.map(|name| reader(batch, name));
            for row in 0..batch.num_rows() {
                let origin = Origin {
                    ids: ids.value(row).members().iter().filter_map(crate::kind::text_of).collect(),
                    events: int(&events.value(row)).unwrap_or(0),
                    first: int(&first.value(row)),
                    last: int(&last.value(row)),
                };
                records.push(Record { values: readers.iter().map(|reader| reader.value(row)).collect(), origin });
            }
        }
        Rows { columns: columns.to_vec(), records }
    }

    pub(crate) fn to_batch(&self) -> Result<RecordBatch> {
        let schema = schema(&self.columns);
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len() + HIDDEN.len());
        for (index, c) in self.columns.iter().enumerate() {
            let absent = Value::Absent;
            let values: Vec<&Value> = self.records.iter().map(|r| r.values.get(index).unwrap_or(&absent)).collect();
            arrays.push(column(c.kind, values));
        }
        let origins = || self.records.iter().map(|record| &record.origin);
        let int = |value: Option<i64>| value.map_or(Value::Absent, Value::Int);
        let hidden: [Vec<Value>; 4] = [
            origins().map(|o| Value::List(o.ids.iter().map(Value::text).collect())).collect(),
            origins().map(|o| Value::Int(o.events)).collect(),
            origins().map(|o| int(o.first)).collect(),
            origins().map(|o| int(o.last)).collect(),
        ];
        for (values, kind) in hidden.iter().zip(HIDDEN_KINDS) {
            arrays.push(column(kind, values));
        }
        Ok(RecordBatch::try_new(schema, arrays)?)
    }
}

fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}

fn reader<'b>(batch: &'b RecordBatch, name: &str) -> Reader<'b> {
    batch.column_by_name(name).map_or(Reader::None, |array| Reader::new(array.as_ref()))
}

/// The schema of columns and the hidden ones.
pub(crate) fn schema(columns: &[Column]) -> SchemaRef {
    let own = columns.iter().map(|c| Field::new(&c.name, c.kind.data_type(), true));
    let hidden = HIDDEN.iter().zip(HIDDEN_KINDS).map(|(name, kind)| Field::new(*name, kind.data_type(), true));
    Arc::new(Schema::new(own.chain(hidden).collect::<Vec<_>>()))
}

/// A record as expressions see it.
pub(crate) struct RecordRow<'a> {
    pub(crate) columns: &'a [Column],
    pub(crate) values: &'a [Value],
}

impl Row for RecordRow<'_> {
    fn get(&self, field: &FieldPath) -> Value {
        let index = self.columns.iter().position(|column| field.is_column(&column.name));
        index.and_then(|index| self.values.get(index)).cloned().unwrap_or_default()
    }
}
