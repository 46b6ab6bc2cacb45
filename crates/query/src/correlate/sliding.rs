//! Aggregates over a window that slides with the events.

use std::collections::{BTreeMap, VecDeque};

use masthead_ir::Value;
use masthead_ir::eval::number::Number;
use masthead_ir::eval::{Context, Program};
use masthead_ir::expr::Expr;
use masthead_ir::pipeline::{Aggregate, AggregateFunc, AggregateInput};
use masthead_ir::time::Micros;

use super::{Found, Group, time};
use crate::accumulate::Accumulator;
use crate::kind::text_of;
use crate::rows::{Column, Record, RecordRow, Rows};

/// What an aggregate reads of a row.
pub(super) enum Reads {
    Row,
    Column(Option<usize>),
    Program(Box<Program>, bool),
}

impl Reads {
    pub(super) fn new(aggregate: &Aggregate, rows: &Rows) -> Result<Reads, String> {
        Ok(match &aggregate.input {
            AggregateInput::Rows => Reads::Row,
            AggregateInput::Field(name) => Reads::Column(rows.index(name)),
            AggregateInput::Expr(expr) => {
                let program = Program::compile(expr).map_err(|error| error.to_string())?;
                Reads::Program(Box::new(program), aggregate.func == AggregateFunc::Count)
            }
        })
    }

    pub(super) fn value(&self, record: &Record, columns: &[Column], context: &Context) -> Value {
        match self {
            Reads::Row => Value::Int(1),
            Reads::Column(at) => at.and_then(|at| record.values.get(at)).cloned().unwrap_or_default(),
            Reads::Program(program, counts) => {
                let row = RecordRow { columns, values: &record.values };
                match counts {
                    true if program.truth(&row, context) == Some(true) => Value::Int(1),
                    true => Value::Absent,
                    false => program.value(&row, context),
                }
            }
        }
    }
}

/// The aggregates of a correlation, and what they must meet.
pub(super) struct Windows<'c> {
    aggregates: &'c [Aggregate],
    reads: Vec<Reads>,
    condition: Program,
    /// Columns of the condition: group fields, then results.
    columns: Vec<Column>,
    context: Context,
}

impl<'c> Windows<'c> {
    pub(super) fn new(
        rows: &Rows,
        aggregates: &'c [Aggregate],
        condition: &Expr,
        by: &[String],
        context: Context,
    ) -> Result<Windows<'c>, String> {
        let names = by.iter().chain(aggregates.iter().map(|aggregate| &aggregate.name));
        let columns = names.map(|name| Column { name: name.clone(), kind: crate::kind::Kind::Text }).collect();
        Ok(Windows {
            aggregates,
            reads: aggregates.iter().map(|aggregate| Reads::new(aggregate, rows)).collect::<Result<_, _>>()?,
            condition: Program::compile(condition).map_err(|error| error.to_string())?,
            columns,
            context,
        })
    }

    /// The windows of a group, one for each event at which the condition holds.
    pub(super) fn find(&mut self, rows: &Rows, group: &Group, within: Micros, settled: Option<Micros>) -> Vec<Found> {
        let mut states: Vec<Sliding> = self.aggregates.iter().map(|a| Sliding::new(a.func)).collect();
        let mut window: VecDeque<usize> = VecDeque::new();
        let mut found: Vec<Found> = Vec::new();
        for &index in &group.rows {
            let now = time(rows, index);
            while let Some(first) = window.front().copied().filter(|first| now - time(rows, *first) > within) {
                window.pop_front();
                if let Some(record) = rows.records.get(first) {
                    self.each(record, rows, &mut states, Sliding::remove);
                }
            }
            window.push_back(index);
            if let Some(record) = rows.records.get(index) {
                self.each(record, rows, &mut states, Sliding::add);
            }
            if settled.is_some_and(|settled| now < settled) {
                continue;
            }
            let results: Vec<Value> = states.iter().map(Sliding::result).collect();
            let mut values = group.key.clone();
            values.extend(results.iter().cloned());
            let row = RecordRow { columns: &self.columns, values: &values };
            if self.condition.truth(&row, &self.context) != Some(true) {
                continue;
            }
            let first = window.front().map_or(now, |first| time(rows, *first));
            // What one window has already shown need not be copied: only what it adds.
            let known = found.last().and_then(|last: &Found| last.rows.last().copied());
            let fresh = window.iter().copied().filter(|row| known.is_none_or(|known| *row > known)).collect();
            found.push(Found { rows: fresh, weight: window.len(), results, last: now, first });
        }
        found
    }

    fn each(&self, record: &Record, rows: &Rows, states: &mut [Sliding], change: fn(&mut Sliding, &Value)) {
        for (reads, state) in self.reads.iter().zip(states) {
            change(state, &reads.value(record, &rows.columns, &self.context));
        }
    }
}

/// One aggregate over a window from which values go in the order in which they came.
enum Sliding {
    Count(i64),
    Distinct(BTreeMap<String, u32>),
    /// Sum, count.
    Sum(f64, u64, bool),
    /// What can only be computed anew.
    All(AggregateFunc, VecDeque<Value>),
}

impl Sliding {
    fn new(func: AggregateFunc) -> Sliding {
        match func {
            AggregateFunc::Count => Sliding::Count(0),
            AggregateFunc::DistinctCount => Sliding::Distinct(BTreeMap::new()),
            AggregateFunc::Sum => Sliding::Sum(0.0, 0, false),
            AggregateFunc::Avg => Sliding::Sum(0.0, 0, true),
            other => Sliding::All(other, VecDeque::new()),
        }
    }

    fn add(&mut self, value: &Value) {
        match self {
            Sliding::Count(count) => *count += value.members().len() as i64,
            Sliding::Distinct(seen) => {
                value.members().iter().filter_map(text_of).for_each(|text| *seen.entry(text).or_default() += 1);
            }
            Sliding::Sum(sum, count, _) => {
                for number in value.members().iter().filter_map(Number::of) {
                    *sum += number.as_f64();
                    *count += 1;
                }
            }
            Sliding::All(_, values) => values.push_back(value.clone()),
        }
    }

    fn remove(&mut self, value: &Value) {
        match self {
            Sliding::Count(count) => *count -= value.members().len() as i64,
            Sliding::Distinct(seen) => {
                for text in value.members().iter().filter_map(text_of) {
                    if let Some(count) = seen.get_mut(&text) {
                        *count -= 1;
                        if *count == 0 {
                            seen.remove(&text);
                        }
                    }
                }
            }
            Sliding::Sum(sum, count, _) => {
                for number in value.members().iter().filter_map(Number::of) {
                    *sum -= number.as_f64();
                    *count = count.saturating_sub(1);
                }
            }
            Sliding::All(_, values) => {
                values.pop_front();
            }
        }
    }

    fn result(&self) -> Value {
        match self {
            Sliding::Count(count) => Value::Int(*count),
            Sliding::Distinct(seen) => Value::Int(seen.len() as i64),
            Sliding::Sum(_, 0, _) => Value::Absent,
            Sliding::Sum(sum, _, false) => Value::Float(*sum),
            Sliding::Sum(sum, count, true) => Value::Float(*sum / *count as f64),
            Sliding::All(func, values) => {
                let mut state = Accumulator::new(*func);
                values.iter().for_each(|value| state.add(*func, value, None));
                state.finish(*func)
            }
        }
    }
}
