//! What a `SELECT` reads: tables of logs, inner queries, flattened arrays.

use masthead_ir::expr::{Expr, FieldPath};
use masthead_ir::pattern::Pattern;
use masthead_ir::pipeline::Stage;
use masthead_ir::time::TimeRange;
use sqlparser::ast::{
    Expr as Sql, FunctionArg, FunctionArgExpr, JoinConstraint, JoinOperator, Query, Spanned, TableAlias, TableFactor,
    TableWithJoins,
};

use super::function::{argument, name_of};
use super::parse::place;
use super::scope::{Element, Scope};
use super::table::Table;
use super::value::{Translator, literal, shortened};
use super::{Fault, Result, all, always};

/// How many inner queries one query may come to, each counted where it is used.
const MAX_QUERIES: usize = 100;

/// Rows on their way: events that pass a filter, and stages.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    /// What an event must pass.
    pub(super) filter: Expr,
    pub(super) stages: Vec<Stage>,
    /// What time conditions say of the window.
    pub(super) range: Option<TimeRange>,
    /// What can be read.
    pub(super) scope: Scope,
    /// What the select list gives.
    pub(super) columns: Vec<Column>,
    /// Whether every column of the event is given.
    pub(super) star: bool,
}

impl Rows {
    /// Adds to what an event must pass.
    pub(super) fn require(&mut self, condition: Expr) {
        let filter = std::mem::replace(&mut self.filter, always());
        self.filter = all(vec![filter, condition]);
    }
}

/// A column that a select list gives.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    /// Its name for people.
    pub(super) name: String,
    /// The field of the row that has it.
    pub(super) field: String,
}

/// Plans queries.
pub(super) struct Planner<'q> {
    pub(super) sql: &'q str,
    /// Named queries, each of which sees those before it.
    pub(super) named: Vec<(String, &'q Query)>,
    /// Inner queries so far.
    count: usize,
}

impl<'q> Planner<'q> {
    pub(super) fn new(sql: &'q str) -> Planner<'q> {
        Planner { sql, named: Vec::new(), count: 0 }
    }

    /// What cannot run here, at its place.
    pub(super) fn unsupported<T>(&self, part: &impl Spanned, message: impl Into<String>) -> Result<T> {
        Err(Fault { message: message.into(), place: place(self.sql, part), syntax: false })
    }

    /// The rows of `FROM`.
    pub(super) fn from(&mut self, from: &'q [TableWithJoins]) -> Result<Rows> {
        let mut factors = Vec::new();
        for table in from {
            factors.push(&table.relation);
            for join in &table.joins {
                let plain = matches!(
                    &join.join_operator,
                    JoinOperator::CrossJoin(JoinConstraint::None)
                        | JoinOperator::Join(JoinConstraint::None)
                        | JoinOperator::Inner(JoinConstraint::None)
                );
                if !plain || flattened(&join.relation).is_none() {
                    return self.unsupported(&join.relation, "joins cannot run here");
                }
                factors.push(&join.relation);
            }
        }
        let Some((first, rest)) = factors.split_first() else {
            return Err(Fault { message: "a query must read a table".to_owned(), place: None, syntax: false });
        };
        let mut rows = self.relation(first)?;
        for factor in rest {
            match flattened(factor) {
                Some(flatten) => self.flatten(&mut rows, factor, flatten)?,
                None => return self.unsupported(*factor, "more than one table cannot be read here"),
            }
        }
        Ok(rows)
    }

    /// The rows of a table or of an inner query.
    fn relation(&mut self, factor: &'q TableFactor) -> Result<Rows> {
        let (mut rows, name, alias) = match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                let last = name.0.last().and_then(|part| part.as_ident());
                let last = last.map(|ident| ident.value.to_ascii_lowercase()).unwrap_or_default();
                let inner = self.named.iter().position(|(known, _)| name.0.len() == 1 && *known == last);
                let rows = match inner {
                    Some(at) => {
                        let query = self.named[at].1;
                        let later = self.named.split_off(at);
                        let rows = self.inner(query);
                        self.named.extend(later);
                        rows?
                    }
                    None => match Table::of(name) {
                        Some((table, filter)) => events(table, filter),
                        None => {
                            let message = format!("`{name}` is no table of logs, and only these can be read here");
                            return self.unsupported(factor, message);
                        }
                    },
                };
                (rows, Some(last), alias)
            }
            TableFactor::Derived { subquery, alias, .. } => (self.inner(subquery)?, None, alias),
            other => return self.unsupported(other, format!("`{}` cannot be read here", shortened(other))),
        };
        rows.scope.names = name.into_iter().chain(alias.as_ref().map(lower)).collect();
        Ok(rows)
    }

    /// The rows of a query inside of another.
    pub(super) fn subquery(&mut self, query: &'q Query) -> Result<Rows> {
        self.count += 1;
        if self.count > MAX_QUERIES {
            return self.unsupported(query, format!("the query comes to more than {MAX_QUERIES} inner queries"));
        }
        self.query(query)
    }

    /// The rows of an inner query as a table.
    fn inner(&mut self, query: &'q Query) -> Result<Rows> {
        let mut rows = self.subquery(query)?;
        let mut scope = Scope { table: rows.scope.table.filter(|_| rows.star), ..Scope::default() };
        if rows.star {
            scope.columns = std::mem::take(&mut rows.scope.columns);
            scope.elements = std::mem::take(&mut rows.scope.elements);
        }
        scope.times = std::mem::take(&mut rows.scope.times);
        for column in std::mem::take(&mut rows.columns) {
            scope.columns.insert(column.name.to_ascii_lowercase(), Expr::Field(FieldPath::flat(column.field)));
        }
        rows.scope = scope;
        Ok(rows)
    }

    /// One row for every element of an array.
    fn flatten(&mut self, rows: &mut Rows, factor: &'q TableFactor, (args, alias): Flatten<'q>) -> Result<()> {
        let mut array = None;
        let mut outer = false;
        for (at, arg) in args.iter().enumerate() {
            match (argument_name(arg).as_deref(), argument(arg)) {
                (Some("input"), Some(value)) => array = Some(value),
                (None, Some(value)) if at == 0 => array = Some(value),
                (Some("outer"), Some(value)) => {
                    outer = literal(value) == Some(super::pattern::Literal::Bool(true));
                }
                _ => return self.unsupported(factor, "of `FLATTEN` only `INPUT` and `OUTER` can be used here"),
            }
        }
        let Some(array) = array else { return self.unsupported(factor, "`FLATTEN` lacks its `INPUT`") };
        let name = alias.map(lower);
        let column = name.as_ref().map_or_else(|| "value".to_owned(), |name| format!("{name}.value"));
        let mut translator = Translator::new(self.sql, rows.scope.clone(), &[]);
        let (expr, path) = translator.elements(array)?;
        rows.stages.push(Stage::Assign { field: column.clone(), expr });
        rows.stages.push(Stage::Expand { field: column.clone(), limit: 0 });
        // A row of an event without elements is one of an outer flattening only.
        if !outer {
            let field = FieldPath::flat(&column);
            rows.stages.push(Stage::Filter(Expr::Test { field, pattern: Pattern::Present }));
        }
        rows.scope.elements.push(Element { name, column, path });
        Ok(())
    }
}

/// The events of a table.
fn events(table: Table, filter: Expr) -> Rows {
    let scope = Scope { table: Some(table), ..Scope::default() };
    Rows { filter, stages: Vec::new(), range: None, scope, columns: Vec::new(), star: false }
}

/// The arguments of a flattening and the name of its result.
type Flatten<'q> = (&'q [FunctionArg], Option<&'q TableAlias>);

/// The flattening that a table is, if it is one.
fn flattened(factor: &TableFactor) -> Option<Flatten<'_>> {
    let is_flatten = |name: &sqlparser::ast::ObjectName| {
        name.0.last().and_then(|part| part.as_ident()).is_some_and(|name| name.value.eq_ignore_ascii_case("flatten"))
    };
    match factor {
        TableFactor::Function { name, args, alias, .. } if is_flatten(name) => Some((args, alias.as_ref())),
        TableFactor::Table { name, args: Some(args), alias, .. } if is_flatten(name) => {
            Some((&args.args, alias.as_ref()))
        }
        TableFactor::TableFunction { expr: Sql::Function(function), alias } if name_of(function) == "FLATTEN" => {
            match &function.args {
                sqlparser::ast::FunctionArguments::List(list) => Some((&list.args, alias.as_ref())),
                _ => None,
            }
        }
        _ => None,
    }
}

fn argument_name(arg: &FunctionArg) -> Option<String> {
    match arg {
        FunctionArg::Named { name, arg: FunctionArgExpr::Expr(_), .. } => Some(name.value.to_ascii_lowercase()),
        FunctionArg::ExprNamed { name, .. } => Some(name.to_string().to_ascii_lowercase()),
        _ => None,
    }
}

fn lower(alias: &TableAlias) -> String {
    alias.name.value.to_ascii_lowercase()
}
