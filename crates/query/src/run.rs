//! Runs a pipeline over its inputs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::{SessionContext, SessionState};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{collect, execute_stream};
use datafusion::prelude::SessionConfig;
use futures::StreamExt;
use masthead_ir::Value;
use masthead_ir::eval::Context;
use masthead_ir::pipeline::{Pipeline, Source, Span, Stage};
use masthead_ir::table::{Table, TableIndex};
use masthead_ir::time::{Micros, TimeRange};

use crate::flow::{Flow, single};
use crate::geoip::GeoIp;
use crate::input::Input;
use crate::kind::Kind;
use crate::map::{Map, Tools};
use crate::metrics::MetricsTable;
use crate::names::matches;
use crate::pool::SoftPool;
use crate::row_stages::{self, Frequent};
use crate::rows::{Column, Origin, Record, Rows};
use crate::udf::Functions;
use crate::{QueryError, stages};

/// How many rows the pipeline inside of a join or append may give (Splunk, limits.conf).
const MAX_INNER_ROWS: usize = 50_000;

/// What pipelines read beside events.
#[derive(Debug, Default)]
pub struct Resources {
    tables: BTreeMap<String, (Arc<Table>, Arc<TableIndex>)>,
    geoip: Option<Arc<GeoIp>>,
    metrics: Option<Arc<MetricsTable>>,
    plan_memory: Option<usize>,
    written: BTreeSet<String>,
}

impl Resources {
    /// Tables by name, and where there are any, a geo-IP database and metrics.
    pub fn new(
        tables: &BTreeMap<String, Arc<Table>>,
        geoip: Option<Arc<GeoIp>>,
        metrics: Option<Arc<MetricsTable>>,
    ) -> Resources {
        let index = |(name, table): (&String, &Arc<Table>)| {
            (name.clone(), (table.clone(), Arc::new(TableIndex::new(table.clone()))))
        };
        Resources {
            tables: tables.iter().map(index).collect(),
            geoip,
            metrics,
            plan_memory: None,
            written: BTreeSet::new(),
        }
    }

    /// How many bytes of memory the operators of one plan may take before they go to temporary files.
    #[must_use]
    pub fn with_plan_memory(self, bytes: usize) -> Resources {
        Resources { plan_memory: Some(bytes), ..self }
    }

    /// A table as it is now.
    pub fn table(&self, name: &str) -> Option<&Arc<Table>> {
        self.tables.get(name).map(|(table, _)| table)
    }

    /// The tables that were written since this was asked last.
    pub fn take_written(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.written)
    }

    /// Takes in what a pipeline wrote to a table. How the table is matched stays; columns are those of its definition,
    /// where there is one.
    pub fn write(&mut self, name: &str, written: Table, append: bool) {
        self.written.insert(name.to_owned());
        let Some((known, _)) = self.tables.get(name) else {
            let table = Arc::new(written);
            self.tables.insert(name.to_owned(), (table.clone(), Arc::new(TableIndex::new(table))));
            return;
        };
        let mut table = Table::clone(known);
        if table.columns.is_empty() {
            table.columns.clone_from(&written.columns);
        }
        if !append {
            table.rows.clear();
        }
        let places: Vec<Option<usize>> =
            table.columns.iter().map(|column| written.columns.iter().position(|other| other == column)).collect();
        let cell = |row: &[Arc<str>], place: &Option<usize>| {
            place.and_then(|place| row.get(place)).cloned().unwrap_or_else(|| Arc::from(""))
        };
        let rows = written.rows.iter().map(|row| places.iter().map(|place| cell(row, place)).collect());
        table.rows.extend(rows);
        let table = Arc::new(table);
        self.tables.insert(name.to_owned(), (table.clone(), Arc::new(TableIndex::new(table))));
    }
}

/// When a pipeline runs.
#[derive(Debug, Clone)]
pub struct RunContext {
    /// The moment that `now` stands for.
    pub now: Micros,
    /// The window, for sources that have none of their own and are not events (metrics).
    pub range: TimeRange,
}

/// A row that a pipeline gives.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultRow {
    /// Its fields in order.
    pub fields: Vec<(String, Value)>,
    /// Audit ids of the events behind it, in the order of their first appearance, at most
    /// [`masthead_ir::finding::MAX_EVIDENCE`].
    pub audit_ids: Vec<String>,
    /// How many different audit ids there are; exact up to 1,000, then the number of events.
    pub audit_id_count: u64,
    /// How many events are behind it.
    pub count: u64,
    /// Time of the first event.
    pub first: Option<Micros>,
    /// Time of the last event.
    pub last: Option<Micros>,
}

/// What a pipeline gives.
#[derive(Debug, Default)]
pub struct Output {
    /// Its rows.
    pub rows: Vec<ResultRow>,
    /// Why there are none, where a group field that no row has dropped them all: the field.
    pub emptied_by: Option<String>,
    /// Whether places of addresses were asked for, and there is no database.
    pub geoip_missing: bool,
    /// Whether measurements were asked for, and there is no metrics table.
    pub metrics_missing: bool,
    /// The patterns of a template that no field matched, so that it did nothing.
    pub unmatched: Option<String>,
    /// Whether an inner pipeline gave more rows than are used.
    pub truncated: bool,
    /// Lookup tables that it wrote: name, rows, whether they are added.
    pub written: Vec<(String, Table, bool)>,
}

/// Runs a pipeline. `inputs` belong to its event sources, in the order of [`crate::sources`]. Rows come in the order that
/// the stages give them.
///
/// # Errors
/// When a stage cannot be planned or run; the error names the stage.
pub fn run(
    pipeline: &Pipeline,
    inputs: Vec<Input>,
    resources: &Resources,
    context: &RunContext,
) -> Result<Output, QueryError> {
    let mut run = Run::new(inputs, resources, context)?;
    let rows = run.pipeline(pipeline)?;
    run.output.rows = rows.records.iter().map(|record| result_row(&rows.columns, record)).collect();
    Ok(run.output)
}

/// Like [`run`], but hands on every row as soon as there is one, in no order that means anything: groups need not be
/// sorted, and so not be held in memory. [`Output::rows`] stays empty.
///
/// # Errors
/// As [`run`]; rows may have been handed on before.
pub fn run_each(
    pipeline: &Pipeline,
    inputs: Vec<Input>,
    resources: &Resources,
    context: &RunContext,
    each: &mut dyn FnMut(ResultRow),
) -> Result<Output, QueryError> {
    if matches!(pipeline.source, Source::Events { .. })
        && inputs.first().is_some_and(|input| input.count == 0)
        && of_nothing_comes_nothing(&pipeline.stages)
    {
        return Ok(Output::default());
    }
    if matches!(pipeline.source, Source::Metrics(_)) && inputs.is_empty() && resources.metrics.is_none() {
        return Ok(Output { metrics_missing: true, ..Output::default() });
    }
    let mut run = Run::new(inputs, resources, context)?;
    let stages = &pipeline.stages;
    let end = |error: &DataFusionError| QueryError::stage(stages.len(), error);
    let state = run.source(&pipeline.source, stages).map_err(|error| QueryError::stage(0, &error))?;
    let mut given = 0_u64;
    let mut each = |row| {
        given += 1;
        each(row);
    };
    match run.pass(state, stages, true)? {
        State::Rows(rows) => rows.records.iter().for_each(|record| each(result_row(&rows.columns, record))),
        State::Plan(flow) => run.stream(&flow, &mut each).map_err(|error| end(&error))?,
    }
    if let Some((before, by)) = run.unexplained.take().filter(|_| given == 0) {
        run.explain_empty(&before, &by).map_err(|error| end(&error))?;
    }
    Ok(run.output)
}

/// How much memory the operators of one plan may take before they go to temporary files.
const PLAN_MEMORY: usize = 24 << 20;

/// One thread and no surprises: see ARCHITECTURE.md for why these are switched off.
fn session(memory: usize) -> Result<SessionState> {
    let mut config = SessionConfig::new().with_target_partitions(1).with_batch_size(2_048);
    let options = config.options_mut();
    options.optimizer.enable_dynamic_filter_pushdown = false;
    options.optimizer.enable_leaf_expression_pushdown = false;
    let environment = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(SoftPool::new(memory))).build_arc()?;
    let builder = SessionStateBuilder::new().with_config(config).with_runtime_env(environment);
    Ok(builder.with_default_features().build())
}

pub(crate) fn result_row(columns: &[Column], record: &Record) -> ResultRow {
    let origin = &record.origin;
    let fields = columns.iter().zip(&record.values).filter(|(_, value)| !value.is_absent());
    let events = u64::try_from(origin.events).unwrap_or(0);
    let ids = origin.ids.len();
    ResultRow {
        fields: fields.map(|(column, value)| (column.name.clone(), value.clone())).collect(),
        audit_ids: origin.ids.iter().take(masthead_ir::finding::MAX_EVIDENCE).cloned().collect(),
        audit_id_count: if ids < crate::rows::MAX_IDS { ids as u64 } else { events.max(ids as u64) },
        count: events,
        first: origin.first,
        last: origin.last,
    }
}

/// Rows, or a plan that gives them.
pub(crate) enum State {
    Plan(Box<Flow>),
    Rows(Rows),
}

pub(crate) struct Run<'r> {
    state: SessionState,
    runtime: tokio::runtime::Runtime,
    functions: Functions,
    resources: &'r Resources,
    context: &'r RunContext,
    inputs: VecDeque<Input>,
    output: Output,
    /// What went into the last aggregation, and its group fields: they tell why it gave nothing, if it did.
    unexplained: Option<(Flow, Vec<String>)>,
}

impl<'r> Run<'r> {
    pub(crate) fn new(
        inputs: Vec<Input>,
        resources: &'r Resources,
        context: &'r RunContext,
    ) -> Result<Run<'r>, QueryError> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(QueryError::Runtime)?;
        let tools = Arc::new(Tools {
            tables: resources.tables.iter().map(|(name, (_, index))| (name.clone(), index.clone())).collect(),
            geoip: resources.geoip.clone(),
            now: context.now,
        });
        Ok(Run {
            state: session(resources.plan_memory.unwrap_or(PLAN_MEMORY))
                .map_err(|error| QueryError::stage(0, &error))?,
            runtime,
            functions: Functions::new(tools),
            resources,
            context,
            inputs: inputs.into(),
            output: Output::default(),
            unexplained: None,
        })
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> Result<Rows, QueryError> {
        let state = self.source(&pipeline.source, &pipeline.stages).map_err(|e| QueryError::stage(0, &e))?;
        self.stages(state, &pipeline.stages)
    }

    fn stages(&mut self, state: State, stages: &[Stage]) -> Result<Rows, QueryError> {
        let state = self.pass(state, stages, false)?;
        self.rows(state).map_err(|error| QueryError::stage(stages.len(), &error))
    }

    /// Passes rows through stages. If the order of the result means nothing (`unordered`), an aggregation that only
    /// stages which look at one row follow stays a plan.
    pub(crate) fn pass(&mut self, mut state: State, stages: &[Stage], unordered: bool) -> Result<State, QueryError> {
        for (index, stage) in stages.iter().enumerate() {
            let streams = unordered && stages[index + 1..].iter().all(looks_at_one_row);
            state = self.stage(state, stage, streams).map_err(|error| match error {
                Fault::Own(error) => QueryError::stage(index + 1, &error),
                Fault::Inner(error) => error,
            })?;
        }
        Ok(state)
    }

    pub(crate) fn source(&mut self, source: &Source, stages: &[Stage]) -> Result<State> {
        match source {
            Source::Events { range, .. } => {
                let input = self.inputs.pop_front().unwrap_or_else(|| Input::of(Vec::new(), Vec::new(), 0));
                let mut flow = Flow::new(&input, &self.functions)?;
                if let Some(range) = range {
                    flow = flow.filter(&in_range(range, self.context.now))?;
                }
                if !order_matters(stages) {
                    return Ok(State::Plan(Box::new(flow)));
                }
                // Events come newest first; of one moment, the one read last.
                let mut rows = self.collect(&flow)?;
                rows.records.reverse();
                rows.records.sort_by_key(|record| std::cmp::Reverse(record.origin.last));
                Ok(State::Rows(rows))
            }
            Source::Metrics(metrics) => {
                let range = metrics.range.as_ref().unwrap_or(&self.context.range);
                let rows = match &self.resources.metrics {
                    Some(table) => table.rows(metrics, range, self.context.now).map_err(DataFusionError::Plan)?,
                    None => {
                        self.output.metrics_missing = true;
                        Rows::default()
                    }
                };
                Ok(State::Rows(rows))
            }
            Source::Table { name, filter } => {
                let rows = self.table(name)?;
                match filter {
                    Some(filter) => Ok(State::Plan(Box::new(self.flow_of(rows)?.filter(filter)?))),
                    None => Ok(State::Rows(rows)),
                }
            }
            Source::Once => {
                let record =
                    Record { values: vec![Value::Float(self.context.now as f64 / 1e6)], origin: Origin::default() };
                let columns = vec![Column { name: "_time".to_owned(), kind: Kind::Float }];
                Ok(State::Rows(Rows { columns, records: vec![record] }))
            }
        }
    }

    fn table(&self, name: &str) -> Result<Rows> {
        let Some((table, _)) = self.resources.tables.get(name) else {
            return Err(DataFusionError::Plan(format!("there is no lookup table `{name}`")));
        };
        let columns = table.columns.iter().map(|name| Column { name: name.clone(), kind: Kind::Text }).collect();
        let record = |cells: &Vec<Arc<str>>| Record {
            values: cells.iter().map(|cell| Value::Text(cell.clone())).collect(),
            origin: Origin::default(),
        };
        Ok(Rows { columns, records: table.rows.iter().map(record).collect() })
    }

    fn stage(&mut self, mut state: State, stage: &Stage, streams: bool) -> Result<State, Fault> {
        if matches!(stage, Stage::GeoIp { .. }) && self.resources.geoip.is_none() {
            self.output.geoip_missing = true;
        }
        if let Stage::Fill { fields, value } = stage
            && fields.is_empty()
        {
            let flow = self.flow(state)?;
            return Ok(State::Plan(Box::new(self.fill_present(flow, value)?)));
        }
        if let Stage::Bin { field, span: Span::Auto(count), target } = stage {
            let rows = self.rows(state)?;
            let map = Map::Bin { field: field.clone(), span: auto_span(&rows, field, *count) };
            let flow = self.flow_of(rows)?.assign(vec![(target.clone(), map)])?;
            return Ok(State::Plan(Box::new(flow)));
        }
        if let Stage::ForEach { fields, .. } = stage {
            let flow = self.flow(state)?;
            let matched = flow.names().iter().any(|name| fields.iter().any(|pattern| matches(pattern, name)));
            if !matched {
                self.output.unmatched = Some(fields.join(" "));
            }
            state = State::Plan(Box::new(flow));
        }
        let tables = |name: &str| self.resources.tables.get(name).map(|t| t.0.columns.clone()).unwrap_or_default();
        if is_relational(stage) {
            let flow = self.flow(state)?;
            let before = matches!(stage, Stage::Aggregate(_)).then(|| flow.clone());
            return match (stages::relational(flow, stage, &tables)?, stage, before) {
                (Ok(flow), Stage::Aggregate(aggregation), Some(before)) if streams => {
                    self.unexplained = Some((before, aggregation.by.clone()));
                    Ok(State::Plan(Box::new(flow)))
                }
                (Ok(flow), Stage::Aggregate(aggregation), Some(before)) => {
                    let mut rows = self.collect(&flow)?;
                    row_stages::sort_by_fields(&mut rows, &aggregation.by);
                    if rows.records.is_empty() {
                        self.explain_empty(&before, &aggregation.by)?;
                    }
                    Ok(State::Rows(rows))
                }
                (Ok(flow), ..) => Ok(State::Plan(Box::new(flow))),
                (Err(flow), ..) => self.row_stage(State::Plan(Box::new(flow)), stage),
            };
        }
        self.row_stage(state, stage)
    }

    fn row_stage(&mut self, state: State, stage: &Stage) -> Result<State, Fault> {
        let context = Context { now: self.context.now };
        let plan = DataFusionError::Plan;
        if let Stage::Correlate(correlation) = stage {
            let flow = self.flow(state)?;
            let batches = self.execute(&flow.plan)?;
            let settled = self.context.range.earliest.as_ref().map(|spec| spec.resolve(self.context.now));
            let rows = crate::correlate::correlate(&flow.columns, &batches, correlation, settled, context);
            return Ok(State::Rows(rows.map_err(plan)?));
        }
        let mut rows = self.rows(state)?;
        match stage {
            Stage::Annotate(aggregation) => row_stages::annotate(&mut rows, aggregation, context).map_err(plan)?,
            Stage::Running { aggregation, current, window } => {
                row_stages::running(&mut rows, aggregation, *current, *window, context).map_err(plan)?;
            }
            Stage::Pivot(pivot) => {
                if let (Some(over), Some(span)) = (&pivot.over, pivot.span) {
                    let span = if let Span::Auto(count) = span { auto_span(&rows, over, count) } else { span };
                    let map = Map::Bin { field: over.clone(), span };
                    let flow = self.flow_of(rows)?.assign(vec![(over.clone(), map)])?;
                    rows = self.collect(&flow)?;
                }
                rows = row_stages::pivot(&rows, pivot, context).map_err(plan)?;
            }
            Stage::Sort { keys, limit } => row_stages::sort(&mut rows, keys, *limit),
            Stage::Tail { count } => row_stages::tail(&mut rows, *count),
            Stage::Reverse => rows.records.reverse(),
            Stage::Dedup { fields, keep, keep_empty, consecutive, sort } => {
                row_stages::sort(&mut rows, sort, 0);
                row_stages::dedup(&mut rows, fields, *keep, *keep_empty, *consecutive);
            }
            Stage::Frequent { fields, by, limit, rare, count_field, percent_field } => {
                let what = Frequent {
                    fields,
                    by,
                    limit: *limit,
                    rare: *rare,
                    count_field: count_field.as_deref(),
                    percent_field: percent_field.as_deref(),
                };
                rows = row_stages::frequent(&rows, &what);
            }
            Stage::Expand { field, limit } => expand(&mut rows, field, *limit),
            Stage::JoinMulti { field, .. } => row_stages::combine(&mut rows, field),
            Stage::ParseJson { field, .. } => crate::parse_stages::json(&mut rows, field),
            Stage::ParsePairs { field } => crate::parse_stages::pairs(&mut rows, field),
            Stage::Join { keys, outer, max, overwrite, right } => {
                let right = self.inner(right)?;
                row_stages::join(&mut rows, &right, keys, *outer, *max, *overwrite);
            }
            Stage::Append(right) => {
                let right = self.inner(right)?;
                row_stages::append(&mut rows, right);
            }
            Stage::AppendPipe(stages) => {
                let more = self.stages(State::Rows(rows.clone()), stages).map_err(Fault::Inner)?;
                row_stages::append(&mut rows, more);
            }
            Stage::SemiJoin { right, negated } => {
                let right = self.inner(right)?;
                row_stages::semi_join(&mut rows, &right, *negated);
            }
            Stage::WriteTable { name, append } => {
                self.output.written.push((name.clone(), table_of(name, &rows), *append))
            }
            other => return Err(Fault::Own(DataFusionError::NotImplemented(format!("{other:?}")))),
        }
        Ok(State::Rows(rows))
    }

    fn inner(&mut self, pipeline: &Pipeline) -> Result<Rows, Fault> {
        let mut rows = self.pipeline(pipeline).map_err(Fault::Inner)?;
        if rows.records.len() > MAX_INNER_ROWS {
            rows.records.truncate(MAX_INNER_ROWS);
            self.output.truncated = true;
        }
        Ok(rows)
    }

    /// Gives absent fields a value, of fields that some row has.
    fn fill_present(&mut self, flow: Flow, value: &str) -> Result<Flow> {
        let names: Vec<String> = flow.names().into_iter().filter(|name| !name.starts_with('_')).collect();
        let counts = self.execute(&flow.presence(&names)?)?;
        let all = single(&counts, "all");
        let count = |index: usize| single(&counts, &format!("c{index}"));
        let present: Vec<String> =
            names.iter().enumerate().filter(|(index, _)| count(*index) > 0).map(|(_, name)| name.clone()).collect();
        let complete: Vec<String> =
            names.iter().enumerate().filter(|(index, _)| count(*index) == all).map(|(_, name)| name.clone()).collect();
        stages::fill_present(flow, value, &present, &complete)
    }

    /// Finds the group field that no row had.
    fn explain_empty(&mut self, before: &Flow, by: &[String]) -> Result<()> {
        if self.output.emptied_by.is_some() {
            return Ok(());
        }
        let known: Vec<String> = by.iter().filter(|field| before.kind(field).is_some()).cloned().collect();
        let counts = self.execute(&before.presence(&known)?)?;
        if single(&counts, "all") > 0 {
            let absent = known.iter().enumerate().find(|(index, _)| single(&counts, &format!("c{index}")) == 0);
            let unknown = by.iter().find(|field| before.kind(field).is_none());
            self.output.emptied_by = unknown.or(absent.map(|(_, field)| field)).cloned();
        }
        Ok(())
    }

    fn flow(&mut self, state: State) -> Result<Flow> {
        match state {
            State::Plan(flow) => Ok(*flow),
            State::Rows(rows) => self.flow_of(rows),
        }
    }

    fn flow_of(&self, rows: Rows) -> Result<Flow> {
        let batch = rows.to_batch()?;
        let count = rows.records.len() as u64;
        Flow::new(&Input::of(rows.columns, vec![batch], count), &self.functions)
    }

    pub(crate) fn rows(&mut self, state: State) -> Result<Rows> {
        match state {
            State::Rows(rows) => Ok(rows),
            State::Plan(flow) => self.collect(&flow),
        }
    }

    fn collect(&mut self, flow: &Flow) -> Result<Rows> {
        let batches = self.execute(&flow.plan)?;
        Ok(Rows::from_batches(&flow.columns, &batches))
    }

    /// Hands on the rows of a plan, a batch at a time.
    fn stream(&mut self, flow: &Flow, each: &mut dyn FnMut(ResultRow)) -> Result<()> {
        let state = self.state.clone();
        self.runtime.block_on(async move {
            let context = SessionContext::new_with_state(state);
            let physical = context.state().create_physical_plan(&flow.plan).await?;
            let mut batches = execute_stream(physical, context.task_ctx())?;
            while let Some(batch) = batches.next().await {
                let rows = Rows::from_batches(&flow.columns, &[batch?]);
                rows.records.iter().for_each(|record| each(result_row(&rows.columns, record)));
            }
            Ok(())
        })
    }

    fn execute(&mut self, plan: &LogicalPlan) -> Result<Vec<RecordBatch>> {
        let state = self.state.clone();
        self.runtime.block_on(async move {
            let context = SessionContext::new_with_state(state);
            let physical = context.state().create_physical_plan(plan).await?;
            collect(physical, context.task_ctx()).await
        })
    }
}

/// What went wrong in a stage: with the stage itself, or in a pipeline inside of it.
enum Fault {
    Own(DataFusionError),
    Inner(QueryError),
}

impl From<DataFusionError> for Fault {
    fn from(error: DataFusionError) -> Fault {
        Fault::Own(error)
    }
}

fn is_relational(stage: &Stage) -> bool {
    !matches!(
        stage,
        Stage::Annotate(_)
            | Stage::Running { .. }
            | Stage::Pivot(_)
            | Stage::Sort { .. }
            | Stage::Tail { .. }
            | Stage::Reverse
            | Stage::Dedup { .. }
            | Stage::Frequent { .. }
            | Stage::JoinMulti { combine: true, .. }
            | Stage::ParseJson { path: None, .. }
            | Stage::ParsePairs { .. }
            | Stage::Join { .. }
            | Stage::Append(_)
            | Stage::AppendPipe(_)
            | Stage::SemiJoin { .. }
            | Stage::Correlate(_)
            | Stage::WriteTable { .. }
    )
}

/// Whether a stage makes of each row what it makes of it whatever the others are.
pub(crate) fn looks_at_one_row(stage: &Stage) -> bool {
    match stage {
        Stage::Fill { fields, .. } => !fields.is_empty(),
        Stage::Bin { span, .. } => !matches!(span, Span::Auto(_)),
        Stage::JoinMulti { combine, .. } => !combine,
        Stage::Filter(_)
        | Stage::Assign { .. }
        | Stage::Rename(_)
        | Stage::Keep { .. }
        | Stage::Drop(_)
        | Stage::Extract { .. }
        | Stage::Rewrite { .. }
        | Stage::MakeMulti { .. }
        | Stage::FormatTime { .. }
        | Stage::GeoIp { .. }
        | Stage::Lookup(_) => true,
        _ => false,
    }
}

/// Whether stages that are given no rows give none: most searches of a scan have no event to look at, and planning them
/// would take longer than reading a megabyte of log.
fn of_nothing_comes_nothing(stages: &[Stage]) -> bool {
    stages.iter().all(|stage| match stage {
        Stage::Aggregate(aggregation) => !aggregation.by.is_empty(),
        Stage::Pivot(_) | Stage::Append(_) | Stage::AppendPipe(_) | Stage::WriteTable { .. } => false,
        _ => true,
    })
}

/// Whether the order of events can be seen in what these stages give.
fn order_matters(stages: &[Stage]) -> bool {
    for stage in stages {
        match stage {
            Stage::Aggregate(aggregation) => {
                return aggregation.aggregates.iter().any(|a| crate::accumulate::is_ordered(a.func));
            }
            Stage::Pivot(pivot) => return pivot.aggregates.iter().any(|a| crate::accumulate::is_ordered(a.func)),
            Stage::Frequent { .. } | Stage::Correlate(_) => return false,
            Stage::Head { .. } | Stage::Tail { .. } | Stage::Dedup { .. } | Stage::Running { .. } => return true,
            _ => {}
        }
    }
    true
}

fn in_range(range: &TimeRange, now: Micros) -> masthead_ir::Expr {
    use masthead_ir::expr::{CompareOp, Expr, FieldPath};
    let bound = |op, spec: &masthead_ir::time::TimeSpec| Expr::Compare {
        op,
        left: Box::new(Expr::Field(FieldPath::flat("_time"))),
        right: Box::new(Expr::Literal(Value::Float(spec.resolve(now) as f64 / 1e6))),
    };
    let earliest = range.earliest.as_ref().map(|spec| bound(CompareOp::Ge, spec));
    let latest = range.latest.as_ref().map(|spec| bound(CompareOp::Lt, spec));
    Expr::And(earliest.into_iter().chain(latest).collect())
}

/// The narrowest usual width of which at most `count` cover the values.
fn auto_span(rows: &Rows, field: &str, count: u32) -> Span {
    const WIDTHS: [f64; 14] = [
        1.0,
        5.0,
        10.0,
        30.0,
        60.0,
        300.0,
        600.0,
        1_800.0,
        3_600.0,
        14_400.0,
        43_200.0,
        86_400.0,
        604_800.0,
        2_592_000.0,
    ];
    use masthead_ir::eval::number::Number;
    let values = rows.index(field).into_iter().flat_map(|at| rows.records.iter().map(move |r| &r.values[at]));
    let numbers: Vec<f64> = values.filter_map(Number::of).map(Number::as_f64).collect();
    let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let fits = |width: &f64| ((high - low) / width) < f64::from(count.max(1));
    let width = WIDTHS.into_iter().find(fits).unwrap_or(31_536_000.0);
    if field == "_time" { Span::Seconds(width) } else { Span::Number(width) }
}

fn expand(rows: &mut Rows, field: &str, limit: u64) {
    let Some(at) = rows.index(field) else { return };
    let limit = if limit == 0 { usize::MAX } else { usize::try_from(limit).unwrap_or(usize::MAX) };
    let mut expanded = Vec::new();
    for record in std::mem::take(&mut rows.records) {
        if record.values[at].is_absent() {
            expanded.push(record);
            continue;
        }
        for member in record.values[at].clone().members().iter().take(limit) {
            let mut one = record.clone();
            one.values[at] = member.clone();
            expanded.push(one);
        }
    }
    rows.columns[at].kind = if rows.columns[at].kind == Kind::List { Kind::Text } else { rows.columns[at].kind };
    rows.records = expanded;
}

fn table_of(name: &str, rows: &Rows) -> Table {
    let cell = |value: &Value| Arc::<str>::from(crate::kind::text_of(value).unwrap_or_default());
    Table {
        name: name.to_owned(),
        columns: rows.columns.iter().map(|column| column.name.clone()).collect(),
        rows: rows.records.iter().map(|record| record.values.iter().map(cell).collect()).collect(),
        max_matches: 1_000,
        case_sensitive: true,
        ..Table::default()
    }
}
