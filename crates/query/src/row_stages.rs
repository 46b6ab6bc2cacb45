//! Stages that look at the rows before and after, at a barrier: the plan so far is run, and they work on its rows.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use masthead_ir::Value;
use masthead_ir::eval::number::{self, Number};
use masthead_ir::eval::{Context, Program};
use masthead_ir::pipeline::{Aggregate, AggregateInput, Aggregation, Pivot, SortKey, SortOrder};

use crate::accumulate::{Accumulator, result_kind};
use crate::flow::expand;
use crate::kind::{Kind, text_of};
use crate::rows::{Column, Origin, Record, RecordRow, Rows};

/// The texts of a key, to compare rows by.
pub(crate) fn texts(key: &[Value]) -> Vec<String> {
    key.iter().map(|value| value.members().iter().filter_map(text_of).collect::<Vec<_>>().join("\u{1f}")).collect()
}

fn indexes(rows: &Rows, fields: &[String]) -> Vec<Option<usize>> {
    fields.iter().map(|field| rows.index(field)).collect()
}

/// Orders values: absent ones last, whatever the direction.
fn compare(left: &Value, right: &Value, key: &SortKey) -> Ordering {
    match (left.is_absent(), right.is_absent()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let text = |value: &Value| text_of(value).unwrap_or_default();
    let numbers = || Some((Number::of(left)?, Number::of(right)?));
    let by_text = || text(left).cmp(&text(right));
    let order = match key.order {
        SortOrder::Text => by_text(),
        SortOrder::Ip => {
            let ip = |value: &Value| text(value).parse::<std::net::IpAddr>().ok();
            match (ip(left), ip(right)) {
                (Some(left), Some(right)) => left.cmp(&right),
                (left, right) => right.is_some().cmp(&left.is_some()).then_with(by_text),
            }
        }
        SortOrder::Auto | SortOrder::Number => match numbers() {
            Some((left, right)) => left.compare(right),
            // Numbers come before text, so that the order is one.
            None => Number::of(right).is_some().cmp(&Number::of(left).is_some()).then_with(by_text),
        },
    };
    if key.descending { order.reverse() } else { order }
}

pub(crate) fn sort(rows: &mut Rows, keys: &[SortKey], limit: u64) {
    let indexes: Vec<Option<usize>> = keys.iter().map(|key| rows.index(&key.field)).collect();
    rows.records.sort_by(|left, right| {
        keys.iter()
            .zip(&indexes)
            .filter_map(|(key, index)| Some(compare(&left.values[(*index)?], &right.values[(*index)?], key)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    });
    if limit > 0 {
        rows.records.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
}

/// The order in which groups come out: by group fields.
pub(crate) fn sort_by_fields(rows: &mut Rows, fields: &[String]) {
    let key = |field: &String| SortKey { field: field.clone(), descending: false, order: SortOrder::Auto };
    sort(rows, &fields.iter().map(key).collect::<Vec<_>>(), 0);
}

pub(crate) fn tail(rows: &mut Rows, count: u64) {
    rows.records.reverse();
    rows.records.truncate(usize::try_from(count).unwrap_or(usize::MAX));
}

pub(crate) fn dedup(rows: &mut Rows, fields: &[String], keep: u64, keep_empty: bool, consecutive: bool) {
    let at = indexes(rows, fields);
    let mut seen: HashMap<Vec<String>, u64> = HashMap::new();
    let mut last: Option<Vec<String>> = None;
    let columns = std::mem::take(&mut rows.columns);
    let view = Rows { columns, records: Vec::new() };
    rows.records.retain(|record| {
        let Some(key) = view.key(record, &at).map(|key| texts(&key)) else { return keep_empty };
        if consecutive && last.as_ref() != Some(&key) {
            seen.clear();
        }
        last = consecutive.then(|| key.clone());
        let count = seen.entry(key).or_default();
        *count += 1;
        *count <= keep
    });
    rows.columns = view.columns;
}

/// The aggregates of an aggregation, ready to run over rows.
pub(crate) struct Ready {
    aggregates: Vec<(Aggregate, Source)>,
    time: Option<usize>,
    context: Context,
}

enum Source {
    One,
    Column(Option<usize>),
    Program(Box<Program>),
}

impl Ready {
    pub(crate) fn new(aggregates: &[Aggregate], rows: &Rows, context: Context) -> Result<Ready, String> {
        let names: Vec<String> = rows.columns.iter().map(|column| column.name.clone()).collect();
        let ready = expand(aggregates, &names).into_iter().map(|aggregate| {
            let source = match &aggregate.input {
                AggregateInput::Rows => Source::One,
                AggregateInput::Field(name) => Source::Column(rows.index(name)),
                AggregateInput::Expr(expr) => {
                    Source::Program(Box::new(Program::compile(expr).map_err(|error| error.to_string())?))
                }
            };
            Ok((aggregate, source))
        });
        Ok(Ready { aggregates: ready.collect::<Result<_, String>>()?, time: rows.index("_time"), context })
    }

    pub(crate) fn start(&self) -> Vec<Accumulator> {
        self.aggregates.iter().map(|(aggregate, _)| Accumulator::new(aggregate.func)).collect()
    }

    pub(crate) fn add(&self, state: &mut [Accumulator], record: &Record, columns: &[Column]) {
        let time = self.time.and_then(|at| Number::of(record.values.get(at)?)).map(Number::as_f64);
        for ((aggregate, source), state) in self.aggregates.iter().zip(state) {
            let value = match source {
                Source::One => Value::Int(1),
                Source::Column(at) => at.and_then(|at| record.values.get(at)).cloned().unwrap_or_default(),
                Source::Program(program) => {
                    let row = RecordRow { columns, values: &record.values };
                    if aggregate.func == masthead_ir::pipeline::AggregateFunc::Count {
                        let holds = program.truth(&row, &self.context) == Some(true);
                        if holds { Value::Int(1) } else { Value::Absent }
                    } else {
                        program.value(&row, &self.context)
                    }
                }
            };
            state.add(aggregate.func, &value, time);
        }
    }

    fn finish(&self, state: &[Accumulator]) -> Vec<Value> {
        self.aggregates.iter().zip(state).map(|((aggregate, _), state)| state.finish(aggregate.func)).collect()
    }

    /// Names and kinds of the results.
    pub(crate) fn results(&self, rows: &Rows) -> Vec<(String, Kind)> {
        let kind = |source: &Source| match source {
            Source::One => Kind::Int,
            Source::Column(at) => at.and_then(|at| rows.columns.get(at)).map_or(Kind::Text, |column| column.kind),
            Source::Program(_) => Kind::Text,
        };
        let result = |(aggregate, source): &(Aggregate, Source)| {
            (aggregate.name.clone(), result_kind(aggregate.func, kind(source)))
        };
        self.aggregates.iter().map(result).collect()
    }

    pub(crate) fn funcs(&self) -> Vec<masthead_ir::pipeline::AggregateFunc> {
        self.aggregates.iter().map(|(aggregate, _)| aggregate.func).collect()
    }

    /// Makes the columns of the results and gives their places.
    fn columns(&self, rows: &mut Rows) -> Vec<usize> {
        let mut places = Vec::new();
        for (name, kind) in self.results(rows) {
            let place = rows.ensure(&name, kind);
            rows.columns[place].kind = kind;
            places.push(place);
        }
        places
    }
}

/// All combinations of one member of each value.
pub(crate) fn combinations(key: &[Value]) -> Vec<Vec<Value>> {
    key.iter().fold(vec![Vec::new()], |combinations, value| {
        let longer = combinations.iter().flat_map(|combination| {
            value.members().iter().map(|member| combination.iter().chain([member]).cloned().collect())
        });
        longer.collect()
    })
}

/// Likewise; a member that a value holds twice counts once if `distinct`.
pub(crate) fn distinct_combinations(key: &[Value], distinct: bool) -> Vec<Vec<Value>> {
    if !distinct {
        return combinations(key);
    }
    let once = |value: &Value| {
        let mut seen = std::collections::HashSet::new();
        Value::list(value.members().iter().filter(|member| seen.insert(crate::kind::text_of(member))).cloned())
    };
    combinations(&key.iter().map(once).collect::<Vec<_>>())
}

/// Adds the results of its group to every row; rows that lack a group field stay as they are.
pub(crate) fn annotate(rows: &mut Rows, aggregation: &Aggregation, context: Context) -> Result<(), String> {
    let ready = Ready::new(&aggregation.aggregates, rows, context)?;
    let at = indexes(rows, &aggregation.by);
    let mut groups: HashMap<Vec<String>, Vec<Accumulator>> = HashMap::new();
    for record in &rows.records {
        let Some(key) = rows.key(record, &at) else { continue };
        for combination in combinations(&key) {
            let state = groups.entry(texts(&combination)).or_insert_with(|| ready.start());
            ready.add(state, record, &rows.columns);
        }
    }
    let keys: Vec<Option<Vec<Value>>> = rows.records.iter().map(|record| rows.key(record, &at)).collect();
    let places = ready.columns(rows);
    for (record, key) in rows.records.iter_mut().zip(keys) {
        let Some(key) = key else { continue };
        // A row in several groups shows the results of the first.
        let Some(state) = combinations(&key).first().and_then(|key| groups.get(&texts(key))) else { continue };
        for (place, value) in places.iter().zip(ready.finish(state)) {
            record.values[*place] = value;
        }
    }
    Ok(())
}

/// Adds to every row the results of the rows up to it.
pub(crate) fn running(
    rows: &mut Rows,
    aggregation: &Aggregation,
    current: bool,
    window: u64,
    context: Context,
) -> Result<(), String> {
    let ready = Ready::new(&aggregation.aggregates, rows, context)?;
    let at = indexes(rows, &aggregation.by);
    let mut results: Vec<Option<Vec<Value>>> = Vec::with_capacity(rows.records.len());
    let mut growing: HashMap<Vec<String>, Vec<Accumulator>> = HashMap::new();
    let mut recent: HashMap<Vec<String>, Vec<usize>> = HashMap::new();
    for (index, record) in rows.records.iter().enumerate() {
        let Some(key) = rows.key(record, &at).map(|key| texts(&key)) else {
            results.push(None);
            continue;
        };
        if window == 0 {
            let state = growing.entry(key).or_insert_with(|| ready.start());
            let before = ready.finish(state);
            ready.add(state, record, &rows.columns);
            results.push(Some(if current { ready.finish(state) } else { before }));
            continue;
        }
        let seen = recent.entry(key).or_default();
        if current {
            seen.push(index);
        }
        let window = usize::try_from(window).unwrap_or(usize::MAX);
        let mut state = ready.start();
        for &index in &seen[seen.len().saturating_sub(window)..] {
            ready.add(&mut state, &rows.records[index], &rows.columns);
        }
        results.push(Some(ready.finish(&state)));
        if !current {
            seen.push(index);
        }
    }
    let places = ready.columns(rows);
    for (record, values) in rows.records.iter_mut().zip(results) {
        for (place, value) in places.iter().zip(values.into_iter().flatten()) {
            record.values[*place] = value;
        }
    }
    Ok(())
}

/// Values, how often they were seen, and the events behind them.
type Counted = (Vec<Value>, u64, Origin);

/// The most or least frequent combinations of values.
pub(crate) struct Frequent<'a> {
    pub(crate) fields: &'a [String],
    pub(crate) by: &'a [String],
    pub(crate) limit: u64,
    pub(crate) rare: bool,
    pub(crate) count_field: Option<&'a str>,
    pub(crate) percent_field: Option<&'a str>,
}

pub(crate) fn frequent(rows: &Rows, what: &Frequent<'_>) -> Rows {
    let names: Vec<String> = what.by.iter().chain(what.fields).cloned().collect();
    let at = indexes(rows, &names);
    let mut counts: BTreeMap<Vec<String>, (Vec<Value>, u64, Origin)> = BTreeMap::new();
    for record in &rows.records {
        let Some(key) = rows.key(record, &at) else { continue };
        for combination in combinations(&key) {
            let entry = counts.entry(texts(&combination)).or_insert_with(|| (combination, 0, Origin::default()));
            entry.1 += 1;
            entry.2.add(&record.origin);
        }
    }
    let mut groups: BTreeMap<Vec<String>, Vec<Counted>> = BTreeMap::new();
    for (key, entry) in counts {
        groups.entry(key[..what.by.len()].to_vec()).or_default().push(entry);
    }
    let column = |name: &str, kind| Column { name: name.to_owned(), kind };
    let mut columns: Vec<Column> = names.iter().map(|name| column(name, Kind::Text)).collect();
    columns.extend(what.count_field.map(|name| column(name, Kind::Int)));
    columns.extend(what.percent_field.map(|name| column(name, Kind::Float)));
    let mut records = Vec::new();
    for mut entries in groups.into_values() {
        let total: u64 = entries.iter().map(|entry| entry.1).sum();
        entries.sort_by(|a, b| if what.rare { a.1.cmp(&b.1) } else { b.1.cmp(&a.1) });
        if what.limit > 0 {
            entries.truncate(usize::try_from(what.limit).unwrap_or(usize::MAX));
        }
        for (mut values, count, origin) in entries {
            values.extend(what.count_field.map(|_| Value::Int(i64::try_from(count).unwrap_or(i64::MAX))));
            let percent = count as f64 * 100.0 / total.max(1) as f64;
            values.extend(what.percent_field.map(|_| number::float((percent * 1e6).round() / 1e6)));
            records.push(Record { values, origin });
        }
    }
    Rows { columns, records }
}

/// Lines of a table by the text they are ordered by: the value they are for, cells by column, events.
type Cells = BTreeMap<String, (Value, BTreeMap<String, Vec<Accumulator>>, Origin)>;

/// A table of one column per value of a field.
pub(crate) fn pivot(rows: &Rows, pivot: &Pivot, context: Context) -> Result<Rows, String> {
    let ready = Ready::new(&pivot.aggregates, rows, context)?;
    let over = pivot.over.as_ref().map(|name| rows.index(name));
    let by = pivot.by.as_ref().map(|name| rows.index(name));
    let value = |record: &Record, at: Option<usize>| at.and_then(|at| record.values.get(at)).and_then(text_of);
    let mut weights: BTreeMap<String, u64> = BTreeMap::new();
    let mut placed = Vec::new();
    for record in &rows.records {
        let row = match over {
            Some(at) => match at.and_then(|at| record.values.get(at)).filter(|v| !v.is_absent()) {
                Some(value) => Some(value.clone()),
                None => continue,
            },
            None => None,
        };
        let series = match by {
            Some(at) => match value(record, at) {
                Some(text) => text,
                None if pivot.use_null => "NULL".to_owned(),
                None => continue,
            },
            None => String::new(),
        };
        *weights.entry(series.clone()).or_default() += 1;
        placed.push((row, series, record));
    }
    let mut order: Vec<(&String, &u64)> = weights.iter().collect();
    order.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
    let limit = if pivot.limit == 0 { usize::MAX } else { usize::try_from(pivot.limit).unwrap_or(usize::MAX) };
    let kept: BTreeSet<String> = order.into_iter().take(limit).map(|(name, _)| name.clone()).collect();
    let mut cells = Cells::new();
    for (row, series, record) in placed {
        let series = match (kept.contains(&series), pivot.use_other) {
            (true, _) => series,
            (false, true) => "OTHER".to_owned(),
            (false, false) => continue,
        };
        let row = row.unwrap_or_default();
        let name = order_text(&row);
        let line = cells.entry(name).or_insert_with(|| (row, BTreeMap::new(), Origin::default()));
        ready.add(line.1.entry(series).or_insert_with(|| ready.start()), record, &rows.columns);
        line.2.add(&record.origin);
    }
    Ok(table(pivot, &ready, rows, cells))
}

/// Text in whose order rows of a table come: numbers by size.
fn order_text(value: &Value) -> String {
    let text = text_of(value).unwrap_or_default();
    match Number::of(value).map(Number::as_f64) {
        Some(number) if number >= 0.0 => format!("{number:024.6}"),
        _ => text,
    }
}

fn table(pivot: &Pivot, ready: &Ready, input: &Rows, cells: Cells) -> Rows {
    let mut rows = Rows::default();
    if let Some(name) = &pivot.over {
        let kind = input.index(name).map_or(Kind::Text, |at| input.columns[at].kind);
        rows.ensure(name, kind);
    }
    let first = rows.columns.len();
    let many = ready.aggregates.len() > 1;
    let series: BTreeSet<String> = cells.values().flat_map(|(_, line, _)| line.keys().cloned()).collect();
    for (over, line, origin) in cells.into_values() {
        let mut values = if first > 0 { vec![over] } else { Vec::new() };
        values.resize(rows.columns.len(), Value::Absent);
        rows.records.push(Record { values, origin });
        let last = rows.records.len() - 1;
        for name in &series {
            let results = line.get(name).map(|state| ready.finish(state));
            for (index, (aggregate, _)) in ready.aggregates.iter().enumerate() {
                let column = match (pivot.by.is_some(), many) {
                    (false, _) => aggregate.name.clone(),
                    (true, false) => name.clone(),
                    (true, true) => format!("{}: {name}", aggregate.name),
                };
                let kind = result_kind(aggregate.func, Kind::Text);
                let place = rows.ensure(&column, kind);
                let empty = if matches!(kind, Kind::Int) { Value::Int(0) } else { Value::Absent };
                rows.records[last].values[place] = results.as_ref().map_or(empty, |values| values[index].clone());
            }
        }
    }
    rows
}

/// Adds the rows of another set, by name.
pub(crate) fn append(rows: &mut Rows, other: Rows) {
    let places: Vec<usize> = other.columns.iter().map(|column| rows.ensure(&column.name, column.kind)).collect();
    let width = rows.columns.len();
    for record in other.records {
        let mut values = vec![Value::Absent; width];
        for (place, value) in places.iter().zip(record.values) {
            values[*place] = value;
        }
        rows.records.push(Record { values, origin: record.origin });
    }
}

/// Joins with the rows of another set.
pub(crate) fn join(rows: &mut Rows, right: &Rows, keys: &[String], outer: bool, max: u64, overwrite: bool) {
    let shared: Vec<String>;
    let keys = if keys.is_empty() {
        let both = rows.columns.iter().filter(|c| right.index(&c.name).is_some() && !c.name.starts_with('_'));
        shared = both.map(|column| column.name.clone()).collect();
        &shared
    } else {
        keys
    };
    let (left_at, right_at) = (indexes(rows, keys), indexes(right, keys));
    let mut partners: HashMap<Vec<String>, Vec<&Record>> = HashMap::new();
    for record in &right.records {
        if let Some(key) = right.key(record, &right_at) {
            partners.entry(texts(&key)).or_default().push(record);
        }
    }
    let max = if max == 0 { usize::MAX } else { usize::try_from(max).unwrap_or(usize::MAX) };
    let records = std::mem::take(&mut rows.records);
    let places: Vec<usize> = right.columns.iter().map(|column| rows.ensure(&column.name, column.kind)).collect();
    let width = rows.columns.len();
    for mut record in records {
        let key = rows.key(&record, &left_at).map(|key| texts(&key));
        record.values.resize(width, Value::Absent);
        let found = key.and_then(|key| partners.get(&key));
        for partner in found.into_iter().flatten().take(max) {
            let mut joined = record.clone();
            for (place, value) in places.iter().zip(&partner.values) {
                if !value.is_absent() && (overwrite || joined.values[*place].is_absent()) {
                    joined.values[*place] = value.clone();
                }
            }
            joined.origin.add(&partner.origin);
            rows.records.push(joined);
        }
        if found.is_none() && outer {
            rows.records.push(record);
        }
    }
}

/// A column, and the values of which it must have one.
type Condition = (Option<usize>, HashSet<String>);

/// Keeps rows that equal one of the other set's rows in all fields that it has. No rows there: nothing passes.
pub(crate) fn semi_join(rows: &mut Rows, right: &Rows, negated: bool) {
    let fields: Vec<(usize, String)> = right.columns.iter().enumerate().map(|(at, c)| (at, c.name.clone())).collect();
    let fields: Vec<(usize, String)> = fields.into_iter().filter(|(_, name)| !name.starts_with('_')).collect();
    let members = |value: &Value| -> HashSet<String> {
        value.members().iter().filter_map(text_of).map(|text| text.to_lowercase()).collect()
    };
    let conditions: Vec<Vec<Condition>> = right
        .records
        .iter()
        .map(|record| {
            let there = fields.iter().filter(|(at, _)| !record.values[*at].is_absent());
            there.map(|(at, name)| (rows.index(name), members(&record.values[*at]))).collect()
        })
        .collect();
    rows.records.retain(|record| {
        let holds = |(at, wanted): &Condition| {
            let value = at.and_then(|at| record.values.get(at));
            value.is_some_and(|value| !members(value).is_disjoint(wanted))
        };
        conditions.iter().any(|conditions| conditions.iter().all(holds)) != negated
    });
}

/// Combines rows that are equal in all other fields; the values of the one become a list.
pub(crate) fn combine(rows: &mut Rows, field: &str) {
    let Some(at) = rows.index(field) else { return };
    let mut groups: Vec<Record> = Vec::new();
    let mut places: HashMap<Vec<String>, usize> = HashMap::new();
    for record in std::mem::take(&mut rows.records) {
        let others: Vec<Value> =
            record.values.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, v)| v.clone()).collect();
        match places.get(&texts(&others)) {
            Some(&place) => {
                let group = &mut groups[place];
                group.values[at] = Value::list([group.values[at].clone(), record.values[at].clone()]);
                group.origin.add(&record.origin);
            }
            None => {
                places.insert(texts(&others), groups.len());
                groups.push(record);
            }
        }
    }
    rows.columns[at].kind = Kind::List;
    rows.records = groups;
}
