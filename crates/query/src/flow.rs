//! A plan in the making: a DataFusion plan, its columns, and the steps that relational stages add to it.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::{Column as DataFusionColumn, NullHandling, ScalarValue, UnnestOptions};
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::functions_aggregate::expr_fn;
use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlan, LogicalPlanBuilder, lit};
use masthead_ir::Expr;
use masthead_ir::pipeline::{Aggregate, AggregateInput, Aggregation};

use crate::accumulate::{needs_time, result_kind};
use crate::input::Input;
use crate::kind::Kind;
use crate::map::Map;
use crate::names::{has_star, substitute};
use crate::rows::{Column, EVENTS, FIRST, HIDDEN, IDS, LAST};
use crate::udaf;
use crate::udf::{Functions, col};

/// A plan and its columns. Beside `columns` the plan carries the hidden ones.
#[derive(Debug, Clone)]
pub(crate) struct Flow {
    pub(crate) plan: LogicalPlan,
    pub(crate) columns: Vec<Column>,
    functions: Functions,
}

impl Flow {
    /// The rows of an input.
    pub(crate) fn new(input: &Input, functions: &Functions) -> Result<Flow> {
        let table = Arc::new(input.table()?);
        let scan = LogicalPlanBuilder::scan("rows", provider_as_source(table), None)?;
        // Renaming to itself takes the table's name off, so that columns are found by their own names alone.
        let names = input.columns.iter().map(|c| c.name.as_str()).chain(HIDDEN);
        let plan = scan.project(names.map(|name| col(name).alias(name)).collect::<Vec<_>>())?.build()?;
        Ok(Flow { plan, columns: input.columns.clone(), functions: functions.clone() })
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    pub(crate) fn kind(&self, name: &str) -> Option<Kind> {
        self.columns.iter().find(|column| column.name == name).map(|column| column.kind)
    }

    fn build(self) -> LogicalPlanBuilder {
        LogicalPlanBuilder::from(self.plan)
    }

    /// The same with other columns, each computed from those of now.
    pub(crate) fn project(self, columns: Vec<(Column, PlanExpr)>) -> Result<Flow> {
        let functions = self.functions.clone();
        let hidden = HIDDEN.map(|name| col(name).alias(name));
        let exprs = columns.iter().map(|(column, expr)| expr.clone().alias(&column.name)).chain(hidden);
        let plan = self.build().project(exprs.collect::<Vec<_>>())?.build()?;
        Ok(Flow { plan, columns: columns.into_iter().map(|(column, _)| column).collect(), functions })
    }

    /// The columns as they are, for [`Flow::project`].
    pub(crate) fn same(&self) -> Vec<(Column, PlanExpr)> {
        self.columns.iter().map(|column| (column.clone(), col(&column.name))).collect()
    }

    pub(crate) fn filter(self, expr: &Expr) -> Result<Flow> {
        let predicate = self.functions.truth(expr, &self.names())?;
        let (columns, functions) = (self.columns.clone(), self.functions.clone());
        let plan = self.build().filter(predicate)?.build()?;
        Ok(Flow { plan, columns, functions })
    }

    /// Sets columns by maps that all see the row as it was.
    pub(crate) fn assign(self, maps: Vec<(String, Map)>) -> Result<Flow> {
        let (mut columns, names) = (self.same(), self.names());
        for (name, map) in maps {
            let kind = map.kind(&self.columns);
            let expr = self.functions.map(&map, kind, &names)?;
            set(&mut columns, Column { name, kind }, expr);
        }
        self.project(columns)
    }

    pub(crate) fn limit(self, count: usize) -> Result<Flow> {
        let (columns, functions) = (self.columns.clone(), self.functions.clone());
        let plan = self.build().limit(0, Some(count))?.build()?;
        Ok(Flow { plan, columns, functions })
    }

    /// One row for each member of a list column; rows without one stay if `keep`.
    pub(crate) fn unnest(self, name: &str, keep: bool) -> Result<Flow> {
        let functions = self.functions.clone();
        let mut columns = self.columns.clone();
        if let Some(column) = columns.iter_mut().find(|column| column.name == name) {
            column.kind = Kind::Text;
        }
        let null_handling = if keep { NullHandling::Preserve } else { NullHandling::Drop };
        let options = UnnestOptions { null_handling, ..UnnestOptions::default() };
        let plan =
            self.build().unnest_column_with_options(DataFusionColumn::new_unqualified(name), options)?.build()?;
        let flow = Flow { plan, columns, functions };
        // Unnesting moves the column; this puts names and order right again.
        let same = flow.same();
        flow.project(same)
    }

    /// How many rows have each of these columns, and how many rows there are (last).
    pub(crate) fn presence(&self, names: &[String]) -> Result<LogicalPlan> {
        let counts = names.iter().enumerate().map(|(index, name)| expr_fn::count(col(name)).alias(format!("c{index}")));
        let all = expr_fn::count(lit(1_i64)).alias("all");
        let none: Vec<PlanExpr> = Vec::new();
        self.clone().build().aggregate(none, counts.chain([all]).collect::<Vec<_>>())?.build()
    }

    /// Groups and aggregates. Group columns come first, then results.
    pub(crate) fn aggregate(self, aggregation: &Aggregation) -> Result<Flow> {
        let aggregates = expand(&aggregation.aggregates, &self.names());
        let (names, functions) = (self.names(), self.functions.clone());
        let mut inputs: Vec<(Column, PlanExpr)> = Vec::new();
        let mut results = Vec::new();
        for (index, aggregate) in aggregates.iter().enumerate() {
            let name = format!("__mh_in{index}");
            let (kind, expr) = self.input(aggregate, &names)?;
            inputs.push((Column { name: name.clone(), kind }, expr));
            let kind = result_kind(aggregate.func, kind);
            results.push((Column { name: aggregate.name.clone(), kind }, name, aggregate.func));
        }
        let time = if names.iter().any(|name| name == "_time") { col("_time") } else { lit(f64::NAN) };
        inputs.push((Column { name: "__mh_time".to_owned(), kind: Kind::Float }, time));
        let mut keys = Vec::new();
        for (index, field) in aggregation.by.iter().enumerate() {
            let key = Column { name: format!("__mh_by{index}"), kind: self.kind(field).unwrap_or(Kind::Text) };
            let expr = if key.kind == Kind::List && aggregation.dedup_values {
                functions.map(&Map::Distinct(field.clone()), Kind::List, &names)?
            } else if self.kind(field).is_none() {
                // No row has it, so that no row is in a group.
                lit(ScalarValue::Utf8(None))
            } else {
                col(field)
            };
            keys.push((Column { name: field.clone(), kind: key.kind }, key.name.clone()));
            inputs.push((key, expr));
        }
        let mut flow = self.project(inputs)?;
        for (column, key) in &mut keys {
            if column.kind == Kind::List {
                flow = flow.unnest(key, false)?;
                column.kind = Kind::Text;
            } else {
                let plan = LogicalPlanBuilder::from(flow.plan).filter(col(key).is_not_null())?.build()?;
                flow = Flow { plan, ..flow };
            }
        }
        flow.group(&keys, &results)
    }

    fn group(
        self,
        keys: &[(Column, String)],
        results: &[(Column, String, masthead_ir::pipeline::AggregateFunc)],
    ) -> Result<Flow> {
        let functions = self.functions.clone();
        let mut calls: Vec<PlanExpr> = Vec::new();
        for (index, (_, input, func)) in results.iter().enumerate() {
            let mut arguments = vec![col(input)];
            if needs_time(*func) {
                arguments.push(col("__mh_time"));
            }
            calls.push(udaf::aggregate(*func).call(arguments).alias(format!("__mh_out{index}")));
        }
        calls.push(udaf::ids().call(vec![col(IDS)]).alias("__mh_g_ids"));
        calls.push(expr_fn::sum(col(EVENTS)).alias("__mh_g_events"));
        calls.push(expr_fn::min(col(FIRST)).alias("__mh_g_first"));
        calls.push(expr_fn::max(col(LAST)).alias("__mh_g_last"));
        let groups: Vec<PlanExpr> = keys.iter().map(|(_, key)| col(key)).collect();
        let builder = LogicalPlanBuilder::from(self.plan).aggregate(groups, calls)?;
        let mut columns: Vec<(Column, PlanExpr)> =
            keys.iter().map(|(column, key)| (column.clone(), col(key))).collect();
        for (index, (column, ..)) in results.iter().enumerate() {
            if !columns.iter().any(|(other, _)| other.name == column.name) {
                columns.push((column.clone(), col(&format!("__mh_out{index}"))));
            }
        }
        let hidden = ["__mh_g_ids", "__mh_g_events", "__mh_g_first", "__mh_g_last"];
        let exprs = columns.iter().map(|(column, expr)| expr.clone().alias(&column.name));
        let hidden = hidden.iter().zip(HIDDEN).map(|(from, to)| col(from).alias(to));
        let plan = builder.project(exprs.chain(hidden).collect::<Vec<_>>())?.build()?;
        Ok(Flow { plan, columns: columns.into_iter().map(|(column, _)| column).collect(), functions })
    }

    fn input(&self, aggregate: &Aggregate, names: &[String]) -> Result<(Kind, PlanExpr)> {
        let map = match &aggregate.input {
            AggregateInput::Rows => return Ok((Kind::Int, lit(1_i64))),
            AggregateInput::Field(name) => {
                return Ok(match self.kind(name) {
                    Some(kind) => (kind, col(name)),
                    None => (Kind::Text, lit(ScalarValue::Utf8(None))),
                });
            }
            AggregateInput::Expr(expr) if aggregate.func == masthead_ir::pipeline::AggregateFunc::Count => {
                Map::CountIf(expr.clone())
            }
            AggregateInput::Expr(expr) => Map::Expr(expr.clone()),
        };
        let kind = map.kind(&self.columns);
        Ok((kind, self.functions.map(&map, kind, names)?))
    }
}

/// Sets a column in a list of them.
pub(crate) fn set(columns: &mut Vec<(Column, PlanExpr)>, column: Column, expr: PlanExpr) {
    match columns.iter_mut().find(|(other, _)| other.name == column.name) {
        Some(place) => *place = (column, expr),
        None => columns.push((column, expr)),
    }
}

/// Aggregates over patterns of names, written out for the names there are.
pub(crate) fn expand(aggregates: &[Aggregate], names: &[String]) -> Vec<Aggregate> {
    let mut expanded = Vec::new();
    for aggregate in aggregates {
        match &aggregate.input {
            AggregateInput::Field(pattern) if has_star(pattern) => {
                for name in names.iter().filter(|name| !name.starts_with('_')) {
                    if let Some(target) = substitute(pattern, &aggregate.name, name) {
                        let input = AggregateInput::Field(name.clone());
                        expanded.push(Aggregate { func: aggregate.func, input, name: target });
                    }
                }
            }
            _ => expanded.push(aggregate.clone()),
        }
    }
    expanded
}

/// The number in a column of a batch with one row.
pub(crate) fn single(batches: &[RecordBatch], name: &str) -> i64 {
    let batch = batches.iter().find(|batch| batch.num_rows() > 0);
    let array = batch.and_then(|batch| batch.column_by_name(name));
    match array.map(|array| crate::kind::Reader::new_of(array).value(0)) {
        Some(masthead_ir::Value::Int(number)) => number,
        _ => 0,
    }
}
