//! Correlation: what belongs together in time ([`masthead_ir::pipeline::Correlation`]).

mod periods;
mod sliding;
mod steps;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

use datafusion::arrow::array::RecordBatch;
use masthead_ir::Value;
use masthead_ir::eval::Context;
use masthead_ir::expr::{Expr, FieldPath};
use masthead_ir::finding::MAX_EVIDENCE;
use masthead_ir::pipeline::{AggregateInput, Correlation, CorrelationKind, MAX_CORRELATED_VALUES};
use masthead_ir::time::Micros;

use crate::kind::{Kind, Reader, text_of};
use crate::row_stages::{distinct_combinations, texts};
use crate::rows::{Column, MAX_IDS, Origin, Record, Rows};

/// The rows of one group, in the order of time.
struct Group {
    key: Vec<Value>,
    /// Indices of records.
    rows: Vec<usize>,
}

/// What was found in one group.
struct Found {
    /// Indices of the records behind it, ascending; of what goes on those that are new.
    rows: Vec<usize>,
    /// How many events there are in the window that it was found in.
    weight: usize,
    /// The results of the correlation.
    results: Vec<Value>,
    /// When it was found: the time of the event that completed it.
    last: Micros,
    /// The beginning of the time that it is about.
    first: Micros,
}

/// Correlates rows. They are put in the order of time first; what has no time is left out. What was complete before
/// `settled` is left out, too: of events before it only those are there that what comes later needs.
///
/// Of every row only the columns are read that decide; the others are looked up for what is found.
///
/// # Errors
/// When an expression cannot be compiled.
pub(crate) fn correlate(
    columns: &[Column],
    batches: &[RecordBatch],
    correlation: &Correlation,
    settled: Option<Micros>,
    context: Context,
) -> Result<Rows, String> {
    let fresh = |found: &Found| settled.is_none_or(|settled| found.last >= settled);
    let needed = needed(correlation);
    let deciding: Vec<Column> = columns.iter().filter(|column| needed.contains(&column.name)).cloned().collect();
    let mut rows = Rows::from_batches(&deciding, batches);
    rows.columns.push(Column { name: PLACE.to_owned(), kind: Kind::Int });
    for (place, record) in rows.records.iter_mut().enumerate() {
        record.values.push(Value::Int(place as i64));
    }
    rows.records.retain(|record| record.origin.last.is_some());
    rows.records.sort_by(|a, b| (a.origin.last, &a.origin.ids).cmp(&(b.origin.last, &b.origin.ids)));
    let (names, kinds) = result_columns(correlation);
    let mut found: Vec<(Vec<Value>, Found)> = Vec::new();
    match &correlation.kind {
        CorrelationKind::Threshold { aggregates, condition } => {
            let mut windows = sliding::Windows::new(&rows, aggregates, condition, &correlation.by, context)?;
            for group in groups(&rows, &correlation.by) {
                let all = windows.find(&rows, &group, correlation.within, settled);
                found.extend(together(all).into_iter().map(|one| (group.key.clone(), one)));
            }
        }
        CorrelationKind::Steps { steps, ordered, until } => {
            let search = steps::Search::new(&rows, correlation, steps, until.as_ref(), context)?;
            for (key, all) in search.find(&rows, *ordered) {
                let all = all.into_iter().filter(fresh).collect();
                found.extend(together(all).into_iter().map(|one| (key.clone(), one)));
            }
        }
        CorrelationKind::New { fields } => {
            let by = correlation.by.len();
            let all: Vec<String> = correlation.by.iter().chain(fields).cloned().collect();
            for group in groups(&rows, &all) {
                for one in first_seen(&rows, &group, correlation.within).into_iter().filter(fresh) {
                    let results = group.key.get(by..).unwrap_or_default().to_vec();
                    let key = group.key.get(..by).unwrap_or_default().to_vec();
                    found.push((key, Found { results, ..one }));
                }
            }
        }
        CorrelationKind::Periods { aggregate, condition, breaches, of, missing } => {
            let mut periods = periods::Periods::new(&rows, aggregate, condition, &correlation.by, context)?;
            let rule = periods::Alarm { breaches: *breaches, of: *of, missing: *missing };
            for group in groups(&rows, &correlation.by) {
                let all = periods.find(&rows, &group, correlation.within, rule);
                found.extend(all.into_iter().filter(fresh).map(|one| (group.key.clone(), one)));
            }
        }
    }
    found.sort_by_key(|(key, one)| (one.last, texts(key)));
    let all = All::new(columns, batches);
    Ok(result_rows(&rows, &all, correlation, &names, &kinds, found))
}

/// The column that tells where a row's other columns are.
const PLACE: &str = "__mh_place";

/// The columns that decide what is found.
fn needed(correlation: &Correlation) -> BTreeSet<String> {
    let mut needed: BTreeSet<String> = correlation.by.iter().cloned().collect();
    let of_expr = |expr: &Expr| needed.extend(expr.fields().iter().filter_map(FieldPath::column).map(Cow::into_owned));
    let mut inputs = Vec::new();
    match &correlation.kind {
        CorrelationKind::Threshold { aggregates, .. } => inputs.extend(aggregates),
        CorrelationKind::Periods { aggregate, .. } => inputs.push(aggregate),
        CorrelationKind::Steps { steps, until, .. } => {
            steps.iter().map(|step| &step.filter).chain(until).for_each(of_expr)
        }
        CorrelationKind::New { fields } => needed.extend(fields.iter().cloned()),
    }
    for aggregate in inputs {
        match &aggregate.input {
            AggregateInput::Rows => {}
            AggregateInput::Field(name) => needed.extend([name.clone()]),
            AggregateInput::Expr(expr) => {
                needed.extend(expr.fields().iter().filter_map(FieldPath::column).map(Cow::into_owned));
            }
        }
    }
    if let CorrelationKind::Steps { steps, .. } = &correlation.kind {
        needed.extend(steps.iter().flat_map(|step| step.by.iter().cloned()));
    }
    needed
}

/// All columns of all rows, as they lie in batches.
struct All<'b> {
    columns: &'b [Column],
    /// By batch, a reader for each column.
    readers: Vec<Vec<Reader<'b>>>,
    /// By batch, how many rows come before it.
    starts: Vec<usize>,
}

impl<'b> All<'b> {
    fn new(columns: &'b [Column], batches: &'b [RecordBatch]) -> All<'b> {
        let (mut readers, mut starts, mut rows) = (Vec::new(), Vec::new(), 0);
        for batch in batches {
            starts.push(rows);
            rows += batch.num_rows();
            let of = |column: &Column| {
                batch.column_by_name(&column.name).map_or(Reader::None, |array| Reader::new(array.as_ref()))
            };
            readers.push(columns.iter().map(of).collect());
        }
        All { columns, readers, starts }
    }

    /// The value of a column (by its index) in the row at a place.
    fn value(&self, place: usize, column: usize) -> Value {
        let batch = self.starts.partition_point(|start| *start <= place).saturating_sub(1);
        let row = place - self.starts.get(batch).copied().unwrap_or_default();
        let reader = self.readers.get(batch).and_then(|readers| readers.get(column));
        reader.map_or(Value::Absent, |reader| reader.value(row))
    }
}

/// The names of results, and their kinds.
fn result_columns(correlation: &Correlation) -> (Vec<String>, Vec<Kind>) {
    let kind =
        |aggregate: &masthead_ir::pipeline::Aggregate| crate::accumulate::result_kind(aggregate.func, Kind::Text);
    match &correlation.kind {
        CorrelationKind::Threshold { aggregates, .. } => {
            (aggregates.iter().map(|a| a.name.clone()).collect(), aggregates.iter().map(kind).collect())
        }
        CorrelationKind::Periods { aggregate, .. } => (vec![aggregate.name.clone()], vec![kind(aggregate)]),
        CorrelationKind::Steps { .. } => (Vec::new(), Vec::new()),
        CorrelationKind::New { fields } => (fields.clone(), vec![Kind::Text; fields.len()]),
    }
}

/// Rows by the values of some fields, in the order of their first row. A row with several values in a field is in several
/// groups; one that lacks a field is in none.
fn groups(rows: &Rows, by: &[String]) -> Vec<Group> {
    let at: Vec<Option<usize>> = by.iter().map(|field| rows.index(field)).collect();
    let mut numbers: HashMap<Vec<String>, usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for (index, record) in rows.records.iter().enumerate() {
        let Some(key) = rows.key(record, &at) else { continue };
        for combination in distinct_combinations(&key, true) {
            let number = *numbers.entry(texts(&combination)).or_insert_with(|| {
                groups.push(Group { key: combination, rows: Vec::new() });
                groups.len() - 1
            });
            if let Some(group) = groups.get_mut(number) {
                group.rows.push(index);
            }
        }
    }
    groups
}

fn time(rows: &Rows, index: usize) -> Micros {
    rows.records.get(index).and_then(|record| record.origin.last).unwrap_or_default()
}

/// Joins what was found in one group and overlaps in time. Of the results those of most rows count.
fn together(found: Vec<Found>) -> Vec<Found> {
    let mut joined: Vec<(Found, usize)> = Vec::new();
    for one in found {
        match joined.last_mut() {
            Some((last, most)) if one.first <= last.last => {
                if one.weight >= *most {
                    (*most, last.results) = (one.weight, one.results);
                }
                // Both are ascending, and the later one begins inside of the earlier or after it.
                let end = last.rows.last().copied().unwrap_or_default();
                let fresh = one.rows.into_iter().filter(|row| *row > end || last.rows.binary_search(row).is_err());
                let mut rows: Vec<usize> = fresh.collect();
                last.rows.append(&mut rows);
                last.rows.sort_unstable();
                last.last = one.last;
                last.first = last.first.min(one.first);
            }
            _ => {
                let most = one.weight;
                joined.push((one, most));
            }
        }
    }
    joined.into_iter().map(|(found, _)| found).collect()
}

/// The events of a group that has none in the `within` before them.
fn first_seen(rows: &Rows, group: &Group, within: Micros) -> Vec<Found> {
    let mut found = Vec::new();
    let mut before: Option<Micros> = None;
    for &index in &group.rows {
        let now = time(rows, index);
        if before.is_none_or(|before| now - before > within) {
            found.push(Found { rows: vec![index], weight: 1, results: Vec::new(), last: now, first: now });
        }
        before = Some(now);
    }
    found
}

/// One row for each that was found: group fields, results, and the values of all other columns.
fn result_rows(
    rows: &Rows,
    all: &All<'_>,
    correlation: &Correlation,
    names: &[String],
    kinds: &[Kind],
    found: Vec<(Vec<Value>, Found)>,
) -> Rows {
    let own = |name: &String| correlation.by.contains(name) || names.contains(name) || name == "_time";
    let others: Vec<usize> = (0..all.columns.len()).filter(|at| !own(&all.columns[*at].name)).collect();
    let place_at = rows.index(PLACE).unwrap_or_default();
    let mut columns: Vec<Column> =
        correlation.by.iter().map(|name| Column { name: name.clone(), kind: Kind::Text }).collect();
    columns.extend(names.iter().zip(kinds).map(|(name, kind)| Column { name: name.clone(), kind: *kind }));
    columns.push(Column { name: "_time".to_owned(), kind: Kind::Float });
    columns.extend(others.iter().map(|at| Column { name: all.columns[*at].name.clone(), kind: Kind::List }));
    let records = found.into_iter().map(|(key, one)| {
        let behind: Vec<&Record> = one.rows.iter().filter_map(|row| rows.records.get(*row)).collect();
        let place = |record: &&Record| match record.values.get(place_at) {
            Some(Value::Int(place)) => usize::try_from(*place).ok(),
            _ => None,
        };
        let places: Vec<usize> = behind.iter().filter_map(place).collect();
        let mut values: Vec<Value> = key;
        values.extend(one.results.iter().cloned());
        let origin = origin(&behind, &one);
        values.push(origin.last.map_or(Value::Absent, |last| Value::Float(last as f64 / 1e6)));
        values.extend(others.iter().map(|at| distinct(all, &places, *at)));
        Record { values, origin }
    });
    Rows { records: records.collect(), columns }
}

/// Where a row comes from. A finding shows the first ids only; what completed it must be among them.
fn origin(behind: &[&Record], found: &Found) -> Origin {
    let mut origin = Origin::default();
    let mut seen: HashSet<&str> = HashSet::new();
    for record in behind {
        for id in &record.origin.ids {
            if origin.ids.len() < MAX_IDS && seen.insert(id) {
                origin.ids.push(id.clone());
            }
        }
        origin.events += record.origin.events;
        origin.first = [origin.first, record.origin.first].into_iter().flatten().min();
        origin.last = origin.last.max(record.origin.last);
    }
    if let Some(last) = origin.ids.len().checked_sub(1).filter(|last| *last >= MAX_EVIDENCE) {
        origin.ids.swap(MAX_EVIDENCE - 1, last);
    }
    origin.first = Some(origin.first.map_or(found.first, |first| first.min(found.first)));
    origin
}

/// The distinct values of a column in some rows, in the order of rows.
fn distinct(all: &All<'_>, places: &[usize], column: usize) -> Value {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut values = Vec::new();
    for place in places {
        if values.len() >= MAX_CORRELATED_VALUES {
            break;
        }
        for text in all.value(*place, column).members().iter().filter_map(text_of) {
            if values.len() < MAX_CORRELATED_VALUES && seen.insert(text.clone()) {
                values.push(Value::text(text));
            }
        }
    }
    Value::list(values)
}
