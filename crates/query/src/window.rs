//! The rows of one event source that a window may still see: kept while time passes, cut out by time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, SeekFrom, Write as _};

use datafusion::arrow::array::{AsArray, BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::error::{DataFusionError, Result};
use masthead_ir::Value;
use masthead_ir::time::Micros;

use crate::QueryError;
use crate::demand::Demand;
use crate::input::{EventRow, Input};
use crate::kind::Kind;
use crate::row_stages;
use crate::rows::{Column, LAST, Origin, Record, Rows};

/// Up to how many rows an input is put in order of time. Beyond, its rows come piece by piece: only the choice of evidence
/// depends on it, and stages that look at order sort by themselves.
const MAX_SORTED: usize = 500_000;

/// A piece of fewer bytes is small.
const SMALL: usize = 256 << 10;

/// Rows that a window may still see, in pieces as they came.
#[derive(Debug)]
pub struct WindowRows {
    columns: Vec<Column>,
    open: bool,
    pieces: BTreeMap<u64, Piece>,
    next: u64,
}

#[derive(Debug)]
struct Piece {
    first: Micros,
    last: Micros,
    count: u64,
    bytes: usize,
    /// Where its rows are.
    place: Place,
}

#[derive(Debug)]
enum Place {
    Memory(Vec<Column>, RecordBatch),
    File(Vec<Column>, File),
}

/// A piece that was added.
#[derive(Debug)]
pub struct Added {
    /// Its number, for [`WindowRows::restore`] and [`WindowRows::expire`].
    pub number: u64,
    /// The piece as bytes.
    pub bytes: Vec<u8>,
    /// Its rows alone.
    pub input: Input,
}

impl WindowRows {
    /// For the fields of `demand`.
    pub fn new(demand: &Demand) -> WindowRows {
        let columns = match demand {
            Demand::Fields(fields) => {
                fields.iter().map(|name| Column { name: name.clone(), kind: Kind::of_field(name) }).collect()
            }
            Demand::All => Vec::new(),
        };
        WindowRows { columns, open: matches!(demand, Demand::All), pieces: BTreeMap::new(), next: 0 }
    }

    /// Keeps rows as one piece; none if there are no rows.
    ///
    /// # Errors
    /// When the rows cannot be laid out in columns.
    pub fn add(&mut self, rows: &[EventRow<'_>]) -> Result<Option<Added>, QueryError> {
        self.try_add(rows).map_err(|error| QueryError::stage(0, &error))
    }

    fn try_add(&mut self, rows: &[EventRow<'_>]) -> Result<Option<Added>> {
        if rows.is_empty() {
            return Ok(None);
        }
        let mut kept = Rows { columns: self.columns.clone(), records: Vec::with_capacity(rows.len()) };
        for row in rows {
            let mut values = vec![Value::Absent; kept.columns.len()];
            for (name, value) in row.values {
                let at = match kept.index(name) {
                    Some(at) => at,
                    None if self.open => {
                        let at = kept.ensure(name, Kind::of_field(name));
                        values.resize(kept.columns.len(), Value::Absent);
                        at
                    }
                    None => continue,
                };
                if self.open && matches!(value, Value::List(_)) {
                    kept.columns[at].kind = Kind::List;
                }
                values[at] = value.clone();
            }
            let ids = if row.audit_id.is_empty() { Vec::new() } else { vec![row.audit_id.to_owned()] };
            kept.records.push(Record { values, origin: Origin { ids, events: 1, first: row.time, last: row.time } });
        }
        self.add_rows(kept).map(Some)
    }

    fn add_rows(&mut self, mut rows: Rows) -> Result<Added> {
        in_order(&mut rows);
        let batch = rows.to_batch()?;
        let mut bytes = Vec::new();
        let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema())?;
        writer.write(&batch)?;
        writer.finish()?;
        drop(writer);
        let number = self.next;
        let input = self.keep(number, rows.columns, batch);
        Ok(Added { number, bytes, input })
    }

    /// Puts back a piece that [`WindowRows::add`] gave as bytes, and gives its rows.
    ///
    /// # Errors
    /// When the bytes are no such piece.
    pub fn restore(&mut self, number: u64, bytes: &[u8]) -> Result<Input, QueryError> {
        let read = || -> Result<Option<RecordBatch>> {
            let mut reader = StreamReader::try_new(bytes, None)?;
            Ok(reader.next().transpose()?)
        };
        let batch = read().map_err(|error| QueryError::stage(0, &error))?;
        let broken = || QueryError::Stage { stage: 0, message: "a kept piece of a window holds no rows".to_owned() };
        let batch = batch.ok_or_else(broken)?;
        let columns = columns_of(&batch);
        if !self.open && columns != self.columns {
            return Err(QueryError::Stage {
                stage: 0,
                message: "a kept piece of a window has other columns".to_owned(),
            });
        }
        Ok(self.keep(number, columns, batch))
    }

    fn keep(&mut self, number: u64, columns: Vec<Column>, batch: RecordBatch) -> Input {
        let (first, last) = span(&batch);
        let (count, bytes) = (batch.num_rows() as u64, batch.get_array_memory_size());
        self.next = self.next.max(number + 1);
        let input = Input::of(columns.clone(), vec![batch.clone()], count);
        self.pieces.insert(number, Piece { first, last, count, bytes, place: Place::Memory(columns, batch) });
        input
    }

    /// The rows from `earliest` up to, not including, `latest`, in order of time.
    ///
    /// # Errors
    /// When a temporary file cannot be read.
    pub fn input(&self, earliest: Micros, latest: Micros) -> Result<Input, QueryError> {
        self.cut(earliest, latest).map_err(|error| QueryError::stage(0, &error))
    }

    fn cut(&self, earliest: Micros, latest: Micros) -> Result<Input> {
        let touched = || self.pieces.values().filter(|piece| piece.last >= earliest && piece.first < latest);
        let count: u64 = touched().map(|piece| piece.count).sum();
        let mut parts = Vec::new();
        for piece in touched() {
            let (columns, batch) = piece.read()?;
            let whole = piece.first >= earliest && piece.last < latest;
            let batch = if whole { batch } else { within(&batch, earliest, latest)? };
            if batch.num_rows() > 0 {
                parts.push((columns, batch));
            }
        }
        if !self.open && count > MAX_SORTED as u64 {
            let rows = parts.iter().map(|(_, batch)| batch.num_rows() as u64).sum();
            return Ok(Input::of(self.columns.clone(), parts.into_iter().map(|(_, batch)| batch).collect(), rows));
        }
        let mut rows = Rows { columns: self.columns.clone(), records: Vec::new() };
        for (columns, batch) in parts {
            row_stages::append(&mut rows, Rows::from_batches(&columns, &[batch]));
        }
        in_order(&mut rows);
        let batch = rows.to_batch()?;
        let count = rows.records.len() as u64;
        Ok(Input::of(rows.columns, vec![batch], count))
    }

    /// Whether there is a row in this range of time (as far as the pieces tell).
    pub fn touches(&self, earliest: Micros, latest: Micros) -> bool {
        self.pieces.values().any(|piece| piece.last >= earliest && piece.first < latest)
    }

    /// Forgets the pieces that end before a moment, and gives their numbers.
    pub fn expire(&mut self, before: Micros) -> Vec<u64> {
        let gone: Vec<u64> = self.pieces.iter().filter(|(_, p)| p.last < before).map(|(number, _)| *number).collect();
        for number in &gone {
            self.pieces.remove(number);
        }
        gone
    }

    /// Makes one piece of small ones when there are at least `count` of them: gives the numbers of those that went, and the
    /// new one.
    ///
    /// # Errors
    /// When they cannot be laid out in columns together.
    pub fn compact(&mut self, count: usize) -> Result<Option<(Vec<u64>, Added)>, QueryError> {
        let small = |piece: &Piece| piece.bytes < SMALL && matches!(piece.place, Place::Memory(..));
        let small: Vec<u64> = self.pieces.iter().filter(|(_, piece)| small(piece)).map(|(at, _)| *at).collect();
        if self.open || small.len() < count {
            return Ok(None);
        }
        let told = |error: DataFusionError| QueryError::stage(0, &error);
        let mut rows = Rows { columns: self.columns.clone(), records: Vec::new() };
        for piece in small.iter().filter_map(|number| self.pieces.get(number)) {
            let (columns, batch) = piece.read().map_err(told)?;
            row_stages::append(&mut rows, Rows::from_batches(&columns, &[batch]));
        }
        let added = self.add_rows(rows).map_err(told)?;
        for number in &small {
            self.pieces.remove(number);
        }
        Ok(Some((small, added)))
    }

    /// How many bytes of memory the rows take.
    pub fn memory(&self) -> usize {
        let in_memory = |piece: &&Piece| matches!(piece.place, Place::Memory(..));
        self.pieces.values().filter(in_memory).map(|piece| piece.bytes).sum()
    }

    /// How many rows there are.
    pub fn len(&self) -> u64 {
        self.pieces.values().map(|piece| piece.count).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Moves the oldest pieces to temporary files until at most `budget` bytes are in memory.
    ///
    /// # Errors
    /// When a temporary file cannot be written; what is not moved stays in memory.
    pub fn spill(&mut self, budget: usize) -> std::io::Result<()> {
        let mut memory = self.memory();
        for piece in self.pieces.values_mut() {
            if memory <= budget {
                break;
            }
            if let Place::Memory(columns, batch) = &piece.place {
                let file = write(batch).map_err(std::io::Error::other)?;
                piece.place = Place::File(columns.clone(), file);
                memory -= piece.bytes;
            }
        }
        Ok(())
    }
}

impl Piece {
    fn read(&self) -> Result<(Vec<Column>, RecordBatch)> {
        match &self.place {
            Place::Memory(columns, batch) => Ok((columns.clone(), batch.clone())),
            Place::File(columns, file) => {
                let mut file = file.try_clone()?;
                file.seek(SeekFrom::Start(0))?;
                let batch = StreamReader::try_new(BufReader::new(file), None)?.next();
                let gone = || DataFusionError::Execution("a temporary file of a window is empty".to_owned());
                Ok((columns.clone(), batch.ok_or_else(gone)??))
            }
        }
    }
}

fn write(batch: &RecordBatch) -> Result<File> {
    let mut writer = StreamWriter::try_new(BufWriter::new(tempfile::tempfile()?), &batch.schema())?;
    writer.write(batch)?;
    writer.finish()?;
    let mut file = writer.into_inner()?;
    file.flush()?;
    file.into_inner().map_err(|error| DataFusionError::IoError(error.into_error()))
}

/// By time, and those of one moment by audit id: so the order does not depend on how rows came.
fn in_order(rows: &mut Rows) {
    rows.records.sort_by(|a, b| (a.origin.last, &a.origin.ids).cmp(&(b.origin.last, &b.origin.ids)));
}

fn columns_of(batch: &RecordBatch) -> Vec<Column> {
    let schema = batch.schema();
    let own = schema.fields().iter().filter(|field| !crate::rows::HIDDEN.contains(&field.name().as_str()));
    own.map(|field| Column { name: field.name().clone(), kind: Kind::of_type(field.data_type()) }).collect()
}

/// The first and the last time. A row without one belongs to no window but the unbounded.
fn span(batch: &RecordBatch) -> (Micros, Micros) {
    let times = batch.column_by_name(LAST).and_then(|array| array.as_primitive_opt::<Int64Type>());
    let times = || times.into_iter().flatten().flatten();
    (times().min().unwrap_or(Micros::MIN), times().max().unwrap_or(Micros::MIN))
}

fn within(batch: &RecordBatch, earliest: Micros, latest: Micros) -> Result<RecordBatch> {
    let Some(times) = batch.column_by_name(LAST).and_then(|array| array.as_primitive_opt::<Int64Type>()) else {
        return Ok(batch.slice(0, 0));
    };
    let keep: BooleanArray =
        times.iter().map(|time| Some(time.is_some_and(|time| earliest <= time && time < latest))).collect();
    Ok(filter_record_batch(batch, &keep)?)
}
