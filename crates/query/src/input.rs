//! The kept rows of one event source, in memory up to a budget and then in a temporary file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, SeekFrom};
use std::sync::Arc;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Int64Type, SchemaRef};
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use masthead_ir::Value;
use masthead_ir::time::Micros;

use crate::demand::Demand;
use crate::kind::Kind;
use crate::rows::{Column, LAST, Origin, Record, Rows, schema};

/// How many rows a batch has.
const BATCH_ROWS: usize = 2_048;

/// Takes the rows of one event source.
#[derive(Debug)]
pub struct InputBuilder {
    rows: Rows,
    names: HashMap<String, usize>,
    open: bool,
    batches: Vec<RecordBatch>,
    bytes: usize,
    budget: usize,
    count: u64,
    spill: Option<Spill>,
}

/// A row of an event source.
#[derive(Debug)]
pub struct EventRow<'a> {
    /// Event time.
    pub time: Option<Micros>,
    /// The event's audit id; empty if it has none.
    pub audit_id: &'a str,
    /// Its fields.
    pub values: &'a [(Arc<str>, Value)],
}

impl InputBuilder {
    /// For the fields of `demand`. Rows over `budget` bytes go to a temporary file; those of an open demand stay in memory,
    /// since their columns are not known until the end.
    pub fn new(demand: &Demand, budget: usize) -> InputBuilder {
        let mut rows = Rows::default();
        let open = matches!(demand, Demand::All);
        if let Demand::Fields(fields) = demand {
            rows.columns =
                fields.iter().map(|name| Column { name: name.clone(), kind: Kind::of_field(name) }).collect();
        }
        let names = rows.columns.iter().enumerate().map(|(index, c)| (c.name.clone(), index)).collect();
        InputBuilder { rows, names, open, batches: Vec::new(), bytes: 0, budget, count: 0, spill: None }
    }

    /// Adds a row. Fields that are not demanded are passed over.
    ///
    /// # Errors
    /// When the temporary file cannot be written.
    pub fn push(&mut self, row: &EventRow<'_>) -> Result<(), DataFusionError> {
        let columns = self.rows.columns.len();
        let in_order =
            |rows: &Rows| rows.columns.iter().zip(row.values).all(|(column, (name, _))| *column.name == **name);
        if !self.open && row.values.len() == columns && in_order(&self.rows) {
            return self.add(row.values.iter().map(|(_, value)| value.clone()).collect(), row);
        }
        let mut values = vec![Value::Absent; columns];
        for (name, value) in row.values {
            let index = match self.names.get(&**name) {
                Some(index) => *index,
                None if self.open => {
                    let index = self.rows.ensure(name, Kind::of_field(name));
                    self.names.insert(name.to_string(), index);
                    values.resize(self.rows.columns.len(), Value::Absent);
                    index
                }
                None => continue,
            };
            if matches!(value, Value::List(_)) {
                // A name without an array level has several values where an object gives a key twice.
                self.rows.columns[index].kind = if self.open { Kind::List } else { self.rows.columns[index].kind };
            }
            values[index] = value.clone();
        }
        self.add(values, row)
    }

    fn add(&mut self, values: Vec<Value>, row: &EventRow<'_>) -> Result<(), DataFusionError> {
        let ids = if row.audit_id.is_empty() { Vec::new() } else { vec![row.audit_id.to_owned()] };
        let origin = Origin { ids, events: 1, first: row.time, last: row.time };
        self.rows.records.push(Record { values, origin });
        self.count += 1;
        if !self.open && self.rows.records.len() >= BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    /// How many rows there are.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn flush(&mut self) -> Result<()> {
        if self.rows.records.is_empty() {
            return Ok(());
        }
        let batch = self.rows.to_batch()?;
        self.rows.records.clear();
        self.bytes += batch.get_array_memory_size();
        self.batches.push(batch);
        if self.bytes > self.budget {
            let spill = match &mut self.spill {
                Some(spill) => spill,
                None => self.spill.insert(Spill::new(&schema(&self.rows.columns))?),
            };
            for batch in self.batches.drain(..) {
                spill.writer.write(&batch)?;
            }
            self.bytes = 0;
        }
        Ok(())
    }

    /// The rows, complete.
    ///
    /// # Errors
    /// When the temporary file cannot be written.
    pub fn finish(mut self) -> Result<Input, DataFusionError> {
        self.flush()?;
        let schema = schema(&self.rows.columns);
        let spilled = match self.spill {
            Some(spill) => {
                let writer = spill.writer.into_inner()?;
                Some(writer.into_inner().map_err(|error| DataFusionError::IoError(error.into_error()))?)
            }
            None => None,
        };
        let data = Arc::new(Data { schema, batches: self.batches, spilled });
        Ok(Input { columns: self.rows.columns, count: self.count, data })
    }
}

/// A temporary file being written. It has no name, so nothing has to be cleaned up.
struct Spill {
    writer: StreamWriter<BufWriter<File>>,
}

impl std::fmt::Debug for Spill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spill").finish_non_exhaustive()
    }
}

impl Spill {
    fn new(schema: &SchemaRef) -> Result<Spill> {
        let file = BufWriter::new(tempfile::tempfile()?);
        Ok(Spill { writer: StreamWriter::try_new(file, schema)? })
    }
}

/// The rows of one event source.
#[derive(Debug, Clone)]
pub struct Input {
    pub(crate) columns: Vec<Column>,
    pub(crate) count: u64,
    data: Arc<Data>,
}

impl Input {
    /// An input without rows.
    pub fn empty(demand: &Demand) -> Input {
        let columns = match demand {
            Demand::Fields(fields) => {
                fields.iter().map(|name| Column { name: name.clone(), kind: Kind::of_field(name) }).collect()
            }
            Demand::All => Vec::new(),
        };
        Input::of(columns, Vec::new(), 0)
    }

    pub(crate) fn of(columns: Vec<Column>, batches: Vec<RecordBatch>, count: u64) -> Input {
        let data = Arc::new(Data { schema: schema(&columns), batches, spilled: None });
        Input { columns, count, data }
    }

    /// Inputs of the same columns as one, in their order; those that lie in files stay by themselves.
    pub fn together(inputs: Vec<Input>) -> Vec<Input> {
        let mut joined: Vec<Input> = Vec::new();
        for input in inputs {
            let fits = |last: &&mut Input| {
                last.columns == input.columns && last.data.spilled.is_none() && input.data.spilled.is_none()
            };
            match joined.last_mut().filter(fits) {
                Some(last) => {
                    let batches = last.data.batches.iter().chain(&input.data.batches).cloned().collect();
                    *last = Input::of(input.columns, batches, last.count + input.count);
                }
                None => joined.push(input),
            }
        }
        joined
    }

    /// How many rows there are.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The times of the rows that are in memory, as far as they have one.
    pub fn times(&self) -> Vec<Micros> {
        let column = |batch: &RecordBatch| {
            let array = batch.column_by_name(LAST)?.as_primitive_opt::<Int64Type>()?;
            Some(array.iter().flatten().collect::<Vec<_>>())
        };
        self.data.batches.iter().filter_map(column).flatten().collect()
    }

    pub(crate) fn table(&self) -> Result<StreamingTable> {
        StreamingTable::try_new(self.data.schema.clone(), vec![self.data.clone()])
    }
}

#[derive(Debug)]
struct Data {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    spilled: Option<File>,
}

impl Data {
    /// The batches of the file from its start. Readers of one file share its position, so that each gets what it reads
    /// through a handle of its own, one after another.
    fn read_spilled(&self) -> Result<Option<StreamReader<BufReader<File>>>> {
        let Some(file) = &self.spilled else { return Ok(None) };
        let mut file = file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Some(StreamReader::try_new(BufReader::new(file), None)?))
    }
}

impl PartitionStream for Data {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let spilled = match self.read_spilled() {
            Ok(reader) => {
                reader.into_iter().flatten().map(|batch| batch.map_err(DataFusionError::from)).collect_lazily()
            }
            Err(error) => Lazily::Error(Some(error)),
        };
        let batches = spilled.chain(self.batches.clone().into_iter().map(Ok));
        let stream = futures::stream::iter(batches);
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), stream))
    }
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// Batches as they are asked for, or the one error that kept them from being read.
enum Lazily {
    Batches(Batches),
    Error(Option<DataFusionError>),
}

impl Iterator for Lazily {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        match self {
            Lazily::Batches(batches) => batches.next(),
            Lazily::Error(error) => error.take().map(Err),
        }
    }
}

trait CollectLazily {
    fn collect_lazily(self) -> Lazily;
}

impl<I: Iterator<Item = Result<RecordBatch>> + Send + 'static> CollectLazily for I {
    fn collect_lazily(self) -> Lazily {
        Lazily::Batches(Box::new(self))
    }
}
