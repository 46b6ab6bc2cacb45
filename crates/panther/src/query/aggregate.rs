//! Groups and aggregates.

use std::collections::BTreeSet;

use masthead_ir::expr::{Expr, FieldPath, Func};
use masthead_ir::pipeline::{Aggregate, AggregateFunc, AggregateInput};
use masthead_ir::value::Value;
use sqlparser::ast::{DuplicateTreatment, Expr as Sql, Function, FunctionArguments};

use super::Result;
use super::function::{arguments, name_of};
use super::pattern::passes;
use super::value::{Translator, bare, column, literal};

/// Aggregates of one argument that are one of the intermediate representation.
const SAME: &[(&str, AggregateFunc)] = &[
    ("ANY_VALUE", AggregateFunc::First),
    ("APPROX_COUNT_DISTINCT", AggregateFunc::DistinctCount),
    ("ARRAY_AGG", AggregateFunc::List),
    ("ARRAY_UNIQUE_AGG", AggregateFunc::Values),
    ("ARRAYAGG", AggregateFunc::List),
    ("AVG", AggregateFunc::Avg),
    ("COUNT", AggregateFunc::Count),
    ("COUNT_IF", AggregateFunc::Count),
    ("HLL", AggregateFunc::DistinctCount),
    ("LISTAGG", AggregateFunc::List),
    ("MAX", AggregateFunc::Max),
    ("MEDIAN", AggregateFunc::Median),
    ("MIN", AggregateFunc::Min),
    ("MODE", AggregateFunc::Mode),
    ("STDDEV", AggregateFunc::Stdev),
    ("STDDEV_POP", AggregateFunc::StdevP),
    ("STDDEV_SAMP", AggregateFunc::Stdev),
    ("SUM", AggregateFunc::Sum),
    ("VARIANCE", AggregateFunc::Var),
];

/// What groups are made by, and the aggregates that were met.
#[derive(Debug, Default)]
pub(super) struct Aggregates {
    /// Texts of expressions and the column of their value in the rows of groups.
    known: Vec<(String, Expr)>,
    /// What is computed.
    pub(super) list: Vec<Aggregate>,
    /// Columns that hold times.
    pub(super) times: BTreeSet<String>,
    /// The name for the next aggregate.
    pub(super) wanted: Option<String>,
    /// Whether the argument of an aggregate is being translated.
    inside: bool,
}

impl Aggregates {
    /// Makes an expression known by the column that has its value.
    pub(super) fn know(&mut self, sql: &Sql, value: Expr) {
        self.known.push((key(sql), value));
    }

    /// Whether a value of a row of groups is a time.
    pub(super) fn is_time(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::Field(FieldPath::Flat(name)) if self.times.contains(&**name))
    }

    /// A name that no column has yet.
    fn name(&mut self, function: &str) -> String {
        let taken = |name: &str| self.list.iter().any(|aggregate| aggregate.name == name);
        if let Some(name) = self.wanted.take()
            && !taken(&name)
        {
            return name;
        }
        let base = function.to_ascii_lowercase();
        let mut names = std::iter::once(base.clone()).chain((2..).map(|at| format!("{base}_{at}")));
        names.find(|name| !taken(name)).unwrap_or(base)
    }
}

/// An expression as one compares it with others: names have no case.
pub(super) fn key(sql: &Sql) -> String {
    bare(sql).to_string().to_lowercase()
}

/// Whether an expression is an aggregate, or has one in it.
pub(super) fn has_aggregate(sql: &Sql) -> bool {
    match sql {
        Sql::Function(function) => is_aggregate(function) || arguments(function).into_iter().any(has_aggregate),
        Sql::Nested(inner) | Sql::Cast { expr: inner, .. } | Sql::UnaryOp { expr: inner, .. } => has_aggregate(inner),
        Sql::IsNull(inner) | Sql::IsNotNull(inner) => has_aggregate(inner),
        Sql::BinaryOp { left, right, .. } => has_aggregate(left) || has_aggregate(right),
        Sql::CompoundFieldAccess { root, .. } => has_aggregate(root),
        Sql::JsonAccess { value, .. } => has_aggregate(value),
        Sql::Case { operand, conditions, else_result, .. } => {
            let branches = conditions.iter().flat_map(|when| [&when.condition, &when.result]);
            branches.chain(operand.as_deref()).chain(else_result.as_deref()).any(has_aggregate)
        }
        _ => false,
    }
}

fn is_aggregate(function: &Function) -> bool {
    function.over.is_none() && SAME.iter().any(|(name, _)| *name == name_of(function))
}

impl<'q> Translator<'q> {
    /// Whether names are those of rows of groups.
    pub(super) fn behind_groups(&self) -> bool {
        self.aggregates.as_ref().is_some_and(|aggregates| !aggregates.inside)
    }

    /// The column of a group, or of an aggregate that was met; none if the expression is neither.
    pub(super) fn grouped(&self, sql: &Sql) -> Option<Expr> {
        let aggregates = self.aggregates.as_ref().filter(|aggregates| !aggregates.inside)?;
        let key = key(sql);
        aggregates.known.iter().find(|(known, _)| *known == key).map(|(_, value)| value.clone())
    }

    /// The column of an aggregate; none if the function is none.
    pub(super) fn aggregate(&mut self, sql: &'q Sql, function: &'q Function) -> Result<Option<Expr>> {
        if let Some(size) = self.size_of_aggregate(sql, function)? {
            return Ok(Some(size));
        }
        if !is_aggregate(function) {
            return Ok(None);
        }
        if !self.behind_groups() {
            return self.unsupported(sql, "an aggregate cannot stand here");
        }
        if function.filter.is_some() || !function.within_group.is_empty() && name_of(function) != "LISTAGG" {
            return self.unsupported(sql, "aggregates with `FILTER` or `WITHIN GROUP` have no counterpart here");
        }
        let name = name_of(function);
        let same = SAME.iter().find(|(known, _)| *known == name).map(|(_, func)| *func);
        let Some(func) = same else { return Ok(None) };
        let distinct = is_distinct(function);
        let func = match (func, distinct) {
            (AggregateFunc::Count, true) => AggregateFunc::DistinctCount,
            (AggregateFunc::List, true) => AggregateFunc::Values,
            (func, _) => func,
        };
        let args = arguments(function);
        let out = self.register(sql, &name, func, args.first().copied())?;
        if name != "LISTAGG" {
            return Ok(Some(column(out)));
        }
        let delimiter = args.get(1).and_then(|arg| literal(arg)).and_then(|delimiter| delimiter.text());
        let delimiter = Expr::Literal(Value::text(delimiter.unwrap_or_default()));
        Ok(Some(Expr::Call { func: Func::MvJoin, args: vec![column(out), delimiter] }))
    }

    /// How many members an aggregated array has: counted, since an array keeps only so many.
    fn size_of_aggregate(&mut self, sql: &'q Sql, function: &'q Function) -> Result<Option<Expr>> {
        let args = arguments(function);
        let ("ARRAY_SIZE", [inner]) = (name_of(function).as_str(), args.as_slice()) else { return Ok(None) };
        let Sql::Function(array) = bare(inner) else { return Ok(None) };
        let func = match (name_of(array).as_str(), is_distinct(array)) {
            ("ARRAY_UNIQUE_AGG", _) | ("ARRAY_AGG" | "ARRAYAGG", true) => AggregateFunc::DistinctCount,
            ("ARRAY_AGG" | "ARRAYAGG", false) => AggregateFunc::Count,
            _ => return Ok(None),
        };
        if !self.behind_groups() {
            return self.unsupported(sql, "an aggregate cannot stand here");
        }
        let out = self.register(sql, "ARRAY_SIZE", func, arguments(array).first().copied())?;
        Ok(Some(column(out)))
    }

    /// Adds an aggregate and gives the name of its column.
    fn register(&mut self, sql: &'q Sql, name: &str, func: AggregateFunc, arg: Option<&'q Sql>) -> Result<String> {
        let mut time = false;
        self.inside(true);
        let input = match arg {
            None => Ok(AggregateInput::Rows),
            Some(arg) if name == "COUNT_IF" => self.condition(arg, true).map(AggregateInput::Expr),
            Some(arg) => self.value(arg).map(|value| {
                let keeps = matches!(func, AggregateFunc::Min | AggregateFunc::Max | AggregateFunc::First);
                time = keeps && self.scope.is_time(&value);
                input(func, value)
            }),
        };
        self.inside(false);
        let input = input?;
        let Some(aggregates) = &mut self.aggregates else { return self.unsupported(sql, "there are no groups") };
        let out = aggregates.name(name);
        if time {
            aggregates.times.insert(out.clone());
        }
        aggregates.list.push(Aggregate { func, input, name: out.clone() });
        if name != "LISTAGG" {
            aggregates.know(sql, column(&out));
        }
        Ok(out)
    }

    fn inside(&mut self, inside: bool) {
        if let Some(aggregates) = &mut self.aggregates {
            aggregates.inside = inside;
        }
    }
}

/// What an aggregate is computed over. A count of a value counts the rows that have one.
fn input(func: AggregateFunc, value: Expr) -> AggregateInput {
    match value {
        Expr::Literal(Value::Absent) => AggregateInput::Expr(Expr::Or(Vec::new())),
        Expr::Literal(_) if func == AggregateFunc::Count => AggregateInput::Rows,
        Expr::Field(FieldPath::Flat(name)) if func != AggregateFunc::Count || !name.ends_with("{}") => {
            AggregateInput::Field(name.to_string())
        }
        value if func == AggregateFunc::Count => {
            AggregateInput::Expr(passes(&value, &masthead_ir::pattern::Pattern::Present))
        }
        value => AggregateInput::Expr(value),
    }
}

fn is_distinct(function: &Function) -> bool {
    matches!(&function.args, FunctionArguments::List(list) if list.duplicate_treatment == Some(DuplicateTreatment::Distinct))
}
