//! A grouping kept up to date: what is new goes into panes of time, and only groups that changed are looked at again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use datafusion::error::DataFusionError;
use masthead_ir::Value;
use masthead_ir::eval::Context;
use masthead_ir::pipeline::{Aggregation, Pipeline, Source, Stage};
use masthead_ir::time::{Micros, TimeRange};

use crate::QueryError;
use crate::accumulate::Accumulator;
use crate::input::Input;
use crate::kind::Kind;
use crate::row_stages::{Ready, distinct_combinations, texts};
use crate::rows::{Column, Origin, Record, Rows};
use crate::run::{Resources, ResultRow, Run, RunContext, State, looks_at_one_row, result_row};

/// Into how many panes a window is divided.
const PANES: i64 = 60;

/// What a pipeline can do as events come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Every row stands for itself: what is new can be run alone.
    Rows,
    /// Rows, one grouping, rows: an [`Incremental`] keeps it up to date.
    Grouped,
    /// The window must be run again as a whole.
    Whole,
    /// It reads no events, or writes tables: it runs when its schedule says.
    Scheduled,
}

/// Which form a pipeline has.
pub fn form(pipeline: &Pipeline) -> Form {
    let writes = |stage: &Stage| matches!(stage, Stage::WriteTable { .. });
    let Source::Events { range, .. } = &pipeline.source else { return Form::Scheduled };
    if pipeline.stages.iter().any(writes) {
        return Form::Scheduled;
    }
    if range.is_some() {
        return Form::Whole;
    }
    let single = |stage: &Stage| looks_at_one_row(stage) || matches!(stage, Stage::Sort { limit: 0, .. });
    let mut groupings = pipeline.stages.iter().enumerate().filter(|(_, stage)| matches!(stage, Stage::Aggregate(_)));
    let Some((at, _)) = groupings.next() else {
        return if pipeline.stages.iter().all(single) { Form::Rows } else { Form::Whole };
    };
    let bare = |stage: &Stage| matches!(stage, Stage::Fill { .. });
    let head = pipeline.stages.iter().take(at).all(|stage| looks_at_one_row(stage) || bare(stage));
    let ordered = match &pipeline.stages[at] {
        Stage::Aggregate(aggregation) => {
            aggregation.aggregates.iter().any(|a| crate::accumulate::is_ordered(a.func)) || aggregation.by.is_empty()
        }
        _ => true,
    };
    let tail = pipeline.stages.iter().skip(at + 1).all(single);
    if head && tail && !ordered { Form::Grouped } else { Form::Whole }
}

/// The grouping of a pipeline of the form [`Form::Grouped`], over windows that slide.
#[derive(Debug)]
pub struct Incremental {
    head: Pipeline,
    aggregation: Aggregation,
    tail: Vec<Stage>,
    pane: Micros,
    groups: HashMap<Vec<String>, Group>,
    /// For each bare `Fill`, the columns that some row had.
    present: BTreeMap<usize, BTreeSet<String>>,
    /// The columns of the groups and results.
    columns: Vec<Column>,
    funcs: Vec<masthead_ir::pipeline::AggregateFunc>,
    size: usize,
    /// Groups with something new.
    dirty: Vec<Vec<String>>,
}

#[derive(Debug)]
struct Group {
    key: Vec<Value>,
    /// In order of time. Most groups have one: a tree would take ten times the room.
    panes: Vec<(i64, Pane)>,
    changed: BTreeSet<i64>,
}

#[derive(Debug)]
struct Pane {
    states: Vec<Accumulator>,
    origin: Origin,
}

/// What came of adding rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grown {
    /// They are in.
    Added,
    /// They bring a column that no row had before, and a stage fills what some row has: everything must be added
    /// anew, after [`Incremental::clear`].
    Again,
}

impl Incremental {
    /// For windows of `span` microseconds; none if the pipeline has another form. Windows end with a pane, of which there
    /// are sixty in a window: a window is up to a sixtieth longer than `span`.
    pub fn new(pipeline: &Pipeline, span: Micros) -> Option<Incremental> {
        if form(pipeline) != Form::Grouped {
            return None;
        }
        let at = pipeline.stages.iter().position(|stage| matches!(stage, Stage::Aggregate(_)))?;
        let Stage::Aggregate(aggregation) = pipeline.stages.get(at)? else { return None };
        Some(Incremental {
            head: Pipeline { source: pipeline.source.clone(), stages: pipeline.stages[..at].to_vec() },
            aggregation: aggregation.clone(),
            tail: pipeline.stages[at + 1..].to_vec(),
            pane: (span / PANES).max(1),
            groups: HashMap::new(),
            present: BTreeMap::new(),
            columns: Vec::new(),
            funcs: Vec::new(),
            size: 0,
            dirty: Vec::new(),
        })
    }

    /// Takes in new rows.
    ///
    /// # Errors
    /// When a stage before the grouping cannot be run.
    pub fn add(&mut self, input: Input, resources: &Resources, now: Micros) -> Result<Grown, QueryError> {
        let context = RunContext { now, range: TimeRange { earliest: None, latest: None } };
        let mut run = Run::new(vec![input], resources, &context)?;
        let plain = |error: &DataFusionError| QueryError::stage(0, error);
        let mut state = run.source(&self.head.source, &[]).map_err(|error| plain(&error))?;
        let mut grown = false;
        for (index, stage) in self.head.stages.iter().enumerate() {
            let stage = match stage {
                Stage::Fill { fields, value } if fields.is_empty() => {
                    let rows = run.rows(state).map_err(|error| plain(&error))?;
                    let known = self.present.entry(index).or_default();
                    let before = known.len();
                    known.extend(present(&rows));
                    grown |= known.len() > before;
                    state = State::Rows(rows);
                    Stage::Fill { fields: known.iter().cloned().collect(), value: value.clone() }
                }
                other => other.clone(),
            };
            state = run.pass(state, std::slice::from_ref(&stage), true)?;
        }
        if grown && !self.groups.is_empty() {
            return Ok(Grown::Again);
        }
        let rows = run.rows(state).map_err(|error| plain(&error))?;
        let fault = |message| QueryError::Stage { stage: self.head.stages.len() + 1, message };
        let ready = Ready::new(&self.aggregation.aggregates, &rows, Context { now }).map_err(fault)?;
        self.describe(&ready, &rows);
        self.fold(&ready, &rows);
        Ok(Grown::Added)
    }

    fn describe(&mut self, ready: &Ready, rows: &Rows) {
        if !self.columns.is_empty() {
            return;
        }
        let mut columns = Rows::default();
        for field in &self.aggregation.by {
            let kind = rows.index(field).map_or(Kind::Text, |at| rows.columns[at].kind);
            columns
                .columns
                .push(Column { name: field.clone(), kind: if kind == Kind::List { Kind::Text } else { kind } });
        }
        for (name, kind) in ready.results(rows) {
            columns.columns.push(Column { name, kind });
        }
        self.columns = columns.columns;
        self.funcs = ready.funcs();
    }

    fn fold(&mut self, ready: &Ready, rows: &Rows) {
        let at: Vec<Option<usize>> = self.aggregation.by.iter().map(|field| rows.index(field)).collect();
        for record in &rows.records {
            // What has no time is in no window.
            let Some(time) = record.origin.last else { continue };
            let Some(key) = rows.key(record, &at) else { continue };
            let pane = time.div_euclid(self.pane);
            for combination in distinct_combinations(&key, self.aggregation.dedup_values) {
                let name = texts(&combination);
                if self.groups.get(&name).is_none_or(|group| group.changed.is_empty()) {
                    self.dirty.push(name.clone());
                }
                let group = self.groups.entry(name).or_insert_with(|| Group {
                    key: combination,
                    panes: Vec::new(),
                    changed: BTreeSet::new(),
                });
                group.changed.insert(pane);
                if group.panes.is_empty() {
                    self.size += group.size();
                }
                let at = group.panes.partition_point(|(start, _)| *start < pane);
                if group.panes.get(at).is_none_or(|(start, _)| *start != pane) {
                    group.panes.insert(at, (pane, Pane { states: ready.start(), origin: Origin::default() }));
                }
                let Some((_, pane)) = group.panes.get_mut(at) else { continue };
                let before = pane.size();
                ready.add(&mut pane.states, record, &rows.columns);
                pane.origin.add_bounded(&record.origin, masthead_ir::finding::MAX_EVIDENCE);
                self.size = (self.size + pane.size()).saturating_sub(before);
            }
        }
    }

    /// What the windows give that hold something new, each ending with a pane in which the group has an event. The time of
    /// the last event of a row tells its window.
    ///
    /// # Errors
    /// When a stage after the grouping cannot be run.
    pub fn changed(&mut self, resources: &Resources, now: Micros) -> Result<Vec<ResultRow>, QueryError> {
        let mut rows = Rows { columns: self.columns.clone(), records: Vec::new() };
        for name in std::mem::take(&mut self.dirty) {
            let Some(group) = self.groups.get_mut(&name) else { continue };
            let changed = std::mem::take(&mut group.changed);
            let ends: BTreeSet<i64> = changed
                .iter()
                .flat_map(|&pane| group.between(pane, pane.saturating_add(PANES)).map(|(end, _)| *end))
                .collect();
            for end in ends {
                rows.records.push(group.window(end, &self.funcs));
            }
        }
        if rows.records.is_empty() {
            return Ok(Vec::new());
        }
        // The order of groups must not show.
        rows.records.sort_by(|a, b| (a.origin.last, &a.origin.ids).cmp(&(b.origin.last, &b.origin.ids)));
        let context = RunContext { now, range: TimeRange { earliest: None, latest: None } };
        let mut run = Run::new(Vec::new(), resources, &context)?;
        let state = run.pass(State::Rows(rows), &self.tail, true)?;
        let rows = run.rows(state).map_err(|error| QueryError::stage(self.head.stages.len() + 2, &error))?;
        Ok(rows.records.iter().map(|record| result_row(&rows.columns, record)).collect())
    }

    /// Forgets what lies before a moment.
    pub fn expire(&mut self, before: Micros) {
        let first = before.div_euclid(self.pane);
        let mut size = 0;
        self.groups.retain(|_, group| {
            group.panes.retain(|(start, _)| *start >= first);
            size += group.size();
            !group.panes.is_empty()
        });
        self.size = size;
    }

    /// Forgets all rows, not which columns there are.
    pub fn clear(&mut self) {
        self.groups.clear();
        self.dirty.clear();
        self.size = 0;
    }

    /// Forgets groups until they take at most `target` bytes: those without an event for the longest time, of these those with
    /// the fewest events. Tells how many went.
    pub fn shrink(&mut self, target: usize) -> u64 {
        if self.size <= target {
            return 0;
        }
        let age = |group: &Group| {
            let events: i64 = group.panes.iter().map(|(_, pane)| pane.origin.events).sum();
            (group.panes.last().map(|(start, _)| *start), events)
        };
        let mut ages: Vec<_> = self.groups.values().map(|group| (age(group), group.size())).collect();
        ages.sort_unstable();
        let (mut left, mut last) = (self.size, None);
        for (age, size) in ages {
            if left <= target {
                break;
            }
            left = left.saturating_sub(size);
            last = Some(age);
        }
        let (mut size, mut gone) = (self.size, 0);
        self.groups.retain(|_, group| {
            let stays = size <= target || last.is_none_or(|last| age(group) > last);
            if !stays {
                size = size.saturating_sub(group.size());
                gone += 1;
            }
            stays
        });
        self.size = size;
        gone
    }

    /// About how many bytes the groups take.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How many groups there are.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }
}

impl Group {
    fn between(&self, first: i64, last: i64) -> impl Iterator<Item = &(i64, Pane)> {
        self.panes.iter().filter(move |(start, _)| first <= *start && *start <= last)
    }

    /// About how many bytes it takes: its key twice, and its panes.
    fn size(&self) -> usize {
        let texts = |value: &Value| crate::kind::text_of(value).map_or(0, |text| text.len()) * 2 + 96;
        300 + self.key.iter().map(texts).sum::<usize>() + self.panes.iter().map(|(_, pane)| pane.size()).sum::<usize>()
    }

    fn window(&self, end: i64, funcs: &[masthead_ir::pipeline::AggregateFunc]) -> Record {
        let mut panes = self.between(end.saturating_sub(PANES), end).map(|(_, pane)| pane);
        let first = panes.next();
        let mut states = first.map(|pane| pane.states.clone()).unwrap_or_default();
        let mut origin = first.map(|pane| pane.origin.clone()).unwrap_or_default();
        for pane in panes {
            for ((state, more), func) in states.iter_mut().zip(&pane.states).zip(funcs) {
                state.merge(*func, more.clone());
            }
            origin.add_bounded(&pane.origin, masthead_ir::finding::MAX_EVIDENCE);
        }
        let results = states.iter().zip(funcs).map(|(state, func)| state.finish(*func));
        Record { values: self.key.iter().cloned().chain(results).collect(), origin }
    }
}

impl Pane {
    fn size(&self) -> usize {
        160 + self.states.iter().map(Accumulator::size).sum::<usize>() + self.origin.ids.len() * 80
    }
}

/// The columns that some row has, without hidden ones.
fn present(rows: &Rows) -> Vec<String> {
    let has = |at: usize| rows.records.iter().any(|r| r.values.get(at).is_some_and(|value| !value.is_absent()));
    let named = rows.columns.iter().enumerate().filter(|(_, column)| !column.name.starts_with('_'));
    named.filter(|(at, _)| has(*at)).map(|(_, column)| column.name.clone()).collect()
}
