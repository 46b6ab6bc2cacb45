//! `STATS … BY …`.

use std::ops::Range;

use masthead_ir::expr::{Expr, FieldPath, Func};
use masthead_ir::pipeline::{Aggregate, AggregateFunc, AggregateInput, Aggregation, Stage};

use super::EsqlProblem;
use super::ast::{Call, Named, Node, NodeKind, StatsItem};
use super::call::fault;
use super::condition::certain;
use super::parser::Parsed;
use super::pieces::{NULL, call, column, text};
use super::scope::{Column, Scope, column_name};
use super::stages::{Compiler, Place};
use super::typed::{Mode, Typed};

/// What a `STATS` has so far.
#[derive(Debug)]
pub(super) struct Grouping {
    by: Vec<Column>,
    aggregates: Vec<Aggregate>,
    /// What a row must pass to be counted by the aggregate at hand.
    filter: Option<Expr>,
}

const AGGREGATES: &[&str] = &[
    "avg",
    "count",
    "count_distinct",
    "first",
    "last",
    "max",
    "median",
    "median_absolute_deviation",
    "min",
    "percentile",
    "sample",
    "std_dev",
    "sum",
    "top",
    "values",
    "variance",
    "weighted_avg",
];

pub(super) fn is_aggregate(name: &str) -> bool {
    AGGREGATES.contains(&name)
}

impl Compiler<'_> {
    pub(super) fn stats(&mut self, items: &[StatsItem], by: &[Named]) -> Parsed<()> {
        let mut groups = Vec::new();
        let mut unsure = Vec::new();
        for item in by {
            let (group, sure) = self.group(item)?;
            if !sure {
                unsure.push(group.column.clone());
            }
            groups.push(group);
        }
        self.grouping = Some(Grouping { by: groups.clone(), aggregates: Vec::new(), filter: None });
        let mut columns = Vec::new();
        let mut behind = Vec::new();
        for item in items {
            match self.item(item, &mut behind) {
                Ok(column) => columns.push(column),
                Err(problem) => {
                    self.grouping = None;
                    return Err(problem);
                }
            }
        }
        let mut aggregates = self.grouping.take().map(|grouping| grouping.aggregates).unwrap_or_default();
        if aggregates.is_empty() {
            let name = self.temporary();
            aggregates.push(Aggregate { func: AggregateFunc::Count, input: AggregateInput::Rows, name });
        }
        let names = groups.iter().map(|group| group.column.clone()).collect();
        if !unsure.is_empty() {
            self.stages.push(Stage::Fill { fields: unsure.clone(), value: String::new() });
        }
        self.stages.push(Stage::Aggregate(Aggregation { aggregates, by: names, dedup_values: false }));
        for field in unsure {
            let value = call(Func::NullIf, [column(&field), text("")]);
            self.assign(field, value);
        }
        behind.into_iter().for_each(|(field, expr)| self.assign(field, expr));
        columns.extend(groups);
        self.scope = Scope::of(columns);
        self.single = false;
        self.aggregates = true;
        Ok(())
    }

    /// The column of a group, and whether every row has it.
    fn group(&mut self, item: &Named) -> Parsed<(Column, bool)> {
        let sure = self.is_certain(&item.node);
        if matches!(&item.node.kind, NodeKind::Name(name) if *name == item.name) {
            let mut column = self.materialised(&item.name, &item.node.range)?;
            column.absent = false;
            return Ok((column, sure));
        }
        let Typed { expr, ty } = self.typed(&item.node, Mode::Row)?;
        let column = Column::new(&item.name, ty == super::typed::Type::Date);
        self.assign(column.column.clone(), expr);
        // A time is made of the time of the event, which every event has.
        let sure = sure || column.date;
        Ok((column, sure))
    }

    fn is_certain(&self, node: &Node) -> bool {
        let NodeKind::Name(name) = &node.kind else { return false };
        match self.place(name) {
            Place::Event(path) => path == FieldPath::flat("_time") || certain(&self.filter).contains(&&path),
            Place::Constant(_) => true,
            Place::Column { date, .. } => date && self.single,
            Place::Absent | Place::Unknown => false,
        }
    }

    /// One column of the result; what has to be computed of several aggregates goes to `behind`.
    fn item(&mut self, item: &StatsItem, behind: &mut Vec<(String, Expr)>) -> Parsed<Column> {
        let filter = match &item.filter {
            Some(filter) => Some(self.plain(filter, Mode::Row)?),
            None => None,
        };
        if let Some(grouping) = &mut self.grouping {
            grouping.filter = filter;
        }
        let name = column_name(&item.name);
        if let NodeKind::Call(called) = &item.node.kind
            && is_aggregate(&called.name)
        {
            let typed = self.aggregate(called, &item.node.range, Mode::Group, Some(&name))?;
            return Ok(Column::new(&item.name, typed.is_date()));
        }
        let typed = self.typed(&item.node, Mode::Group)?;
        let date = typed.is_date();
        behind.push((name, typed.expr));
        Ok(Column::new(&item.name, date))
    }

    /// A name between aggregates: only groups have one value for all rows.
    pub(super) fn grouped(&self, name: &str, range: &Range<usize>) -> Parsed<Typed> {
        let groups = self.grouping.iter().flat_map(|grouping| &grouping.by);
        match groups.into_iter().find(|group| group.name == name) {
            Some(group) => Ok(Typed::date_if(column(&group.column), group.date)),
            None => {
                let message = format!("`{name}` stands in no aggregate and is no group");
                Err(fault(range, message).help(format!("write `VALUES({name})`, or name it after `BY`")))
            }
        }
    }

    /// A call of an aggregate; the result is a column called `name`, or one of its own.
    pub(super) fn aggregate(
        &mut self,
        called: &Call,
        range: &Range<usize>,
        mode: Mode,
        name: Option<&str>,
    ) -> Parsed<Typed> {
        if mode != Mode::Group {
            return Err(fault(range, format!("`{}` aggregates, which only `STATS` does", called.name)));
        }
        let func = self.aggregate_func(called, range)?;
        let filter = self.grouping.as_mut().and_then(|grouping| grouping.filter.clone());
        let (input, date) = self.input(called, func, filter)?;
        let name = name.map_or_else(|| self.temporary(), str::to_owned);
        if let Some(grouping) = &mut self.grouping {
            grouping.aggregates.retain(|known| known.name != name);
            grouping.aggregates.push(Aggregate { func, input, name: name.clone() });
        }
        Ok(Typed::date_if(column(name), date))
    }

    fn input(&mut self, called: &Call, func: AggregateFunc, filter: Option<Expr>) -> Parsed<(AggregateInput, bool)> {
        let rows = |filter| match filter {
            Some(filter) => AggregateInput::Expr(filter),
            None => AggregateInput::Rows,
        };
        let Some(arg) = called.args.first() else { return Ok((rows(filter), false)) };
        if func == AggregateFunc::Count && arg.literal().is_some() {
            return Ok((rows(filter), false));
        }
        let value = self.typed(arg, Mode::Row)?;
        let keeps = !matches!(func, AggregateFunc::Count | AggregateFunc::DistinctCount | AggregateFunc::Values);
        let date = value.is_date() && keeps;
        let expr = match filter {
            Some(filter) => call(Func::If, [filter, value.expr, NULL]),
            None => value.expr,
        };
        let input = match expr {
            Expr::Field(FieldPath::Flat(name)) => AggregateInput::Field(name.to_string()),
            // A count of an expression would count where it is true.
            expr if func == AggregateFunc::Count => {
                let field = self.temporary();
                self.assign(field.clone(), expr);
                AggregateInput::Field(field)
            }
            expr => AggregateInput::Expr(expr),
        };
        Ok((input, date))
    }

    fn aggregate_func(&self, called: &Call, range: &Range<usize>) -> Parsed<AggregateFunc> {
        let args = called.args.as_slice();
        let literal = |at: usize| args.get(at).and_then(Node::literal);
        let by_time = matches!(args.get(1).map(|node| &node.kind), Some(NodeKind::Name(name)) if name == "@timestamp");
        let func = match (called.name.as_str(), args.len()) {
            ("count", 0 | 1) => Some(AggregateFunc::Count),
            _ if called.star => None,
            ("count_distinct", 1 | 2) => Some(AggregateFunc::DistinctCount),
            ("values", 1) => Some(AggregateFunc::Values),
            ("min", 1) => Some(AggregateFunc::Min),
            ("max", 1) => Some(AggregateFunc::Max),
            ("sum", 1) => Some(AggregateFunc::Sum),
            ("avg", 1) => Some(AggregateFunc::Avg),
            ("median", 1) => Some(AggregateFunc::Median),
            ("std_dev", 1) => Some(AggregateFunc::StdevP),
            ("variance", 1) => Some(AggregateFunc::VarP),
            ("percentile", 2) => literal(1).and_then(|share| share.parse().ok()).map(AggregateFunc::Percentile),
            ("first", 2) if by_time => Some(AggregateFunc::Earliest),
            ("last", 2) if by_time => Some(AggregateFunc::Latest),
            ("top", 2 | 3) if literal(1).as_deref() == Some("1") => match literal(2).as_deref() {
                None | Some("asc") => Some(AggregateFunc::Min),
                Some("desc") => Some(AggregateFunc::Max),
                Some(_) => None,
            },
            ("median_absolute_deviation" | "sample" | "weighted_avg" | "top" | "first" | "last", _) => {
                let what = format!("`{}`", self.written(range));
                return Err(EsqlProblem::unsupported(range.clone(), &what));
            }
            _ => None,
        };
        func.ok_or_else(|| fault(range, format!("`{}` cannot take these arguments", called.name)))
    }
}
