//! Periods of equal length, and alarms over them.

use std::collections::BTreeMap;

use masthead_ir::Value;
use masthead_ir::eval::{Context, Program};
use masthead_ir::expr::Expr;
use masthead_ir::pipeline::{Aggregate, MissingPeriod};
use masthead_ir::time::Micros;

use super::sliding::Reads;
use super::{Found, Group, time};
use crate::accumulate::Accumulator;
use crate::kind::Kind;
use crate::rows::{Column, RecordRow, Rows};

/// When periods raise an alarm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alarm {
    pub(super) breaches: u32,
    pub(super) of: u32,
    pub(super) missing: MissingPeriod,
}

/// The aggregate over each period.
pub(super) struct Periods<'c> {
    aggregate: &'c Aggregate,
    reads: Reads,
    condition: Program,
    columns: Vec<Column>,
    context: Context,
}

/// One period with events: the result, whether it breaches, and its rows.
struct Period {
    state: Accumulator,
    rows: Vec<usize>,
}

impl<'c> Periods<'c> {
    pub(super) fn new(
        rows: &Rows,
        aggregate: &'c Aggregate,
        condition: &Expr,
        by: &[String],
        context: Context,
    ) -> Result<Periods<'c>, String> {
        let names = by.iter().chain([&aggregate.name]);
        Ok(Periods {
            aggregate,
            reads: Reads::new(aggregate, rows)?,
            condition: Program::compile(condition).map_err(|error| error.to_string())?,
            columns: names.map(|name| Column { name: name.clone(), kind: Kind::Text }).collect(),
            context,
        })
    }

    /// The stretches of a group in which the alarm is raised.
    pub(super) fn find(&mut self, rows: &Rows, group: &Group, length: Micros, alarm: Alarm) -> Vec<Found> {
        let length = length.max(1);
        let mut periods: BTreeMap<i64, Period> = BTreeMap::new();
        for &index in &group.rows {
            let Some(record) = rows.records.get(index) else { continue };
            let value = self.reads.value(record, &rows.columns, &self.context);
            if value.is_absent() {
                continue;
            }
            let new = || Period { state: Accumulator::new(self.aggregate.func), rows: Vec::new() };
            let period = periods.entry(time(rows, index).div_euclid(length)).or_insert_with(new);
            period.state.add(self.aggregate.func, &value, None);
            period.rows.push(index);
        }
        let mut found: Vec<Found> = Vec::new();
        let mut raised = false;
        let mut looked: Vec<(i64, bool)> = Vec::new();
        for number in numbers(&periods, alarm) {
            let breaching = match periods.get(&number) {
                Some(period) => Some(self.breaches(group, period)),
                None => match alarm.missing {
                    MissingPeriod::Breaching => Some(true),
                    MissingPeriod::NotBreaching => Some(false),
                    MissingPeriod::Ignore | MissingPeriod::Missing => None,
                },
            };
            let Some(breaching) = breaching else { continue };
            looked.push((number, breaching));
            let from = looked.len().saturating_sub(alarm.of as usize);
            let window = looked.get(from..).unwrap_or_default();
            let breaches = window.iter().filter(|(_, breaching)| *breaching).count();
            let now = breaches >= alarm.breaches as usize;
            if now {
                self.raise(rows, &periods, window, (number + 1).saturating_mul(length), raised, &mut found);
            }
            raised = now;
        }
        found
    }

    fn result(&self, period: &Period) -> Value {
        period.state.finish(self.aggregate.func)
    }

    fn breaches(&self, group: &Group, period: &Period) -> bool {
        let mut values = group.key.clone();
        values.push(self.result(period));
        let row = RecordRow { columns: &self.columns, values: &values };
        self.condition.truth(&row, &self.context) == Some(true)
    }

    /// Begins an alarm, or goes on with one.
    fn raise(
        &self,
        rows: &Rows,
        periods: &BTreeMap<i64, Period>,
        window: &[(i64, bool)],
        end: Micros,
        goes_on: bool,
        found: &mut Vec<Found>,
    ) {
        let breaching = window.iter().filter(|(_, breaching)| *breaching);
        let of: Vec<&Period> = breaching.filter_map(|(number, _)| periods.get(number)).collect();
        let mut behind: Vec<usize> = of.iter().flat_map(|period| period.rows.iter().copied()).collect();
        let results = of.last().map(|period| vec![self.result(period)]);
        if let Some(last) = found.last_mut().filter(|_| goes_on) {
            let known = last.rows.last().copied();
            behind.retain(|row| known.is_none_or(|known| *row > known));
            last.rows.append(&mut behind);
            last.last = last.rows.last().map_or(end, |row| time(rows, *row));
            return;
        }
        let first = behind.first().map_or(end, |row| time(rows, *row));
        let last = behind.last().map_or(end, |row| time(rows, *row));
        found.push(Found {
            weight: behind.len(),
            rows: behind,
            results: results.unwrap_or_else(|| vec![Value::Absent]),
            last,
            first,
        });
    }
}

/// The periods that are looked at: all between the first and the last, and of long gaps as many as can matter.
fn numbers(periods: &BTreeMap<i64, Period>, alarm: Alarm) -> Vec<i64> {
    let reach = i64::from(alarm.of);
    let mut numbers: Vec<i64> = Vec::new();
    for &number in periods.keys() {
        let from = numbers.last().map_or(number, |known| known + 1);
        let gap_end = from.saturating_add(reach).min(number);
        numbers.extend(from..gap_end);
        numbers.extend(number.saturating_sub(reach).max(gap_end)..=number);
    }
    numbers
}
