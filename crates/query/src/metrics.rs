//! Metrics: measurements with dimensions, read from JSON lines.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, BufRead};

use masthead_ir::Value;
use masthead_ir::eval::number::Number;
use masthead_ir::eval::{Context, Program};
use masthead_ir::pipeline::{AggregateInput, MetricsSource};
use masthead_ir::time::{Micros, TimeRange};
use serde_json::{Map as JsonMap, Value as Json};

use crate::accumulate::{Accumulator, result_kind};
use crate::kind::{Kind, text_of};
use crate::names::{matches, substitute};
use crate::rows::{Column, Origin, Record, RecordRow, Rows};

/// A table of measurements.
#[derive(Debug, Default)]
pub struct MetricsTable {
    measurements: Vec<Measurement>,
    /// Lines that were no measurement.
    pub skipped: u64,
}

#[derive(Debug)]
struct Measurement {
    time: f64,
    name: String,
    value: f64,
    dimensions: BTreeMap<String, Value>,
}

impl MetricsTable {
    /// Reads measurements, one or more a line: `{"time": …, "event": "metric", "fields": {"metric_name:NAME": 1, …}}` as
    /// collectors send them to an HTTP event collector, or `{"_time": …, "metric_name": NAME, "_value": 1, …}`. Every other
    /// member is a dimension. Lines that are neither are counted in `skipped`.
    ///
    /// # Errors
    /// When the input cannot be read.
    pub fn read(input: impl BufRead) -> io::Result<MetricsTable> {
        let mut table = MetricsTable::default();
        for line in input.split(b'\n') {
            let line = line?;
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let before = table.measurements.len();
            if let Ok(Json::Object(record)) = serde_json::from_slice(line) {
                table.take(record);
            }
            table.skipped += u64::from(table.measurements.len() == before);
        }
        Ok(table)
    }

    fn take(&mut self, record: JsonMap<String, Json>) {
        let mut all: Vec<(String, Json)> = Vec::new();
        for (name, value) in record {
            match (name.as_str(), value) {
                ("fields", Json::Object(fields)) => all.extend(fields),
                ("event", _) => {}
                (_, value) => all.push((name, value)),
            }
        }
        let time = all.iter().find(|(name, _)| name == "_time" || name == "time").and_then(|(_, value)| number(value));
        let Some(time) = time else { return };
        let mut named: Vec<(String, f64)> = Vec::new();
        let (mut single, mut single_value) = (None, None);
        let mut dimensions = BTreeMap::new();
        for (name, value) in &all {
            match (name.strip_prefix("metric_name:"), name.as_str()) {
                (Some(metric), _) => named.extend(number(value).map(|value| (metric.to_owned(), value))),
                (None, "metric_name") => single = value.as_str().map(str::to_owned),
                (None, "_value") => single_value = number(value),
                (None, "_time" | "time") => {}
                (None, _) => {
                    let text = match value {
                        Json::String(text) => text.clone(),
                        other => other.to_string(),
                    };
                    dimensions.insert(name.clone(), Value::text(text));
                }
            }
        }
        named.extend(single.zip(single_value));
        self.measurements.extend(
            named.into_iter().map(|(name, value)| Measurement { time, name, value, dimensions: dimensions.clone() }),
        );
    }

    /// The time of the last measurement, in microseconds.
    pub fn last_time(&self) -> Option<Micros> {
        let last = self.measurements.iter().map(|m| m.time).max_by(f64::total_cmp)?;
        Some((last * 1e6) as Micros)
    }

    /// Aggregates by dimensions and time.
    pub(crate) fn rows(&self, source: &MetricsSource, range: &TimeRange, now: Micros) -> Result<Rows, String> {
        let filter = Program::compile(&source.filter).map_err(|error| error.to_string())?;
        let context = Context { now };
        let from = range.earliest.as_ref().map(|spec| spec.resolve(now));
        let to = range.latest.as_ref().map(|spec| spec.resolve(now));
        let mut results = Results::default();
        for measurement in &self.measurements {
            let micros = (measurement.time * 1e6) as Micros;
            if from.is_some_and(|from| micros < from) || to.is_some_and(|to| micros >= to) {
                continue;
            }
            let (columns, values) = measurement.row();
            if filter.truth(&RecordRow { columns: &columns, values: &values }, &context) != Some(true) {
                continue;
            }
            results.add(source, measurement);
        }
        Ok(results.finish(source))
    }
}

impl Measurement {
    fn row(&self) -> (Vec<Column>, Vec<Value>) {
        let own = [("metric_name", Value::text(&self.name)), ("_value", Value::Float(self.value))];
        let dimensions = self.dimensions.iter().map(|(name, value)| (name.as_str(), value.clone()));
        own.into_iter()
            .chain(dimensions)
            .map(|(name, value)| (Column { name: name.to_owned(), kind: Kind::Text }, value))
            .unzip()
    }
}

#[derive(Default)]
struct Results {
    groups: BTreeMap<Vec<String>, Group>,
    columns: BTreeSet<(usize, String)>,
}

#[derive(Default)]
struct Group {
    keys: Vec<Value>,
    cells: HashMap<(usize, String), Accumulator>,
    origin: Origin,
}

impl Results {
    fn add(&mut self, source: &MetricsSource, measurement: &Measurement) {
        let mut keys: Vec<Value> = Vec::new();
        if let Some(span) = source.span {
            keys.push(Value::Float((measurement.time / span).floor() * span));
        }
        for field in source.by.iter().filter(|field| *field != "_time") {
            match measurement.dimensions.get(field) {
                Some(value) => keys.push(value.clone()),
                None => return,
            }
        }
        let name = keys.iter().filter_map(text_of).collect();
        let group = self.groups.entry(name).or_insert_with(|| Group { keys, ..Group::default() });
        let time = (measurement.time * 1e6) as Micros;
        group.origin.add(&Origin { ids: Vec::new(), events: 1, first: Some(time), last: Some(time) });
        for (index, aggregate) in source.aggregates.iter().enumerate() {
            let column = match &aggregate.input {
                AggregateInput::Field(pattern) if matches(pattern, &measurement.name) => {
                    substitute(pattern, &aggregate.name, &measurement.name)
                }
                AggregateInput::Rows => Some(aggregate.name.clone()),
                _ => None,
            };
            let Some(column) = column else { continue };
            self.columns.insert((index, column.clone()));
            let cell = group.cells.entry((index, column)).or_insert_with(|| Accumulator::new(aggregate.func));
            cell.add(aggregate.func, &Value::Float(measurement.value), Some(measurement.time));
        }
    }

    fn finish(self, source: &MetricsSource) -> Rows {
        let mut rows = Rows::default();
        if source.span.is_some() {
            rows.ensure("_time", Kind::Float);
        }
        for field in source.by.iter().filter(|field| *field != "_time") {
            rows.ensure(field, Kind::Text);
        }
        let results: Vec<(usize, &(usize, String))> = self
            .columns
            .iter()
            .map(|column| (rows.ensure(&column.1, result_kind(source.aggregates[column.0].func, Kind::Float)), column))
            .collect();
        for group in self.groups.values().filter(|group| !group.cells.is_empty()) {
            let mut values = group.keys.clone();
            values.resize(rows.columns.len(), Value::Absent);
            for (place, column) in &results {
                if let Some(cell) = group.cells.get(*column) {
                    values[*place] = cell.finish(source.aggregates[column.0].func);
                }
            }
            rows.records.push(Record { values, origin: group.origin.clone() });
        }
        rows
    }
}

fn number(value: &Json) -> Option<f64> {
    match value {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => Number::parse(text).map(Number::as_f64),
        _ => None,
    }
}
