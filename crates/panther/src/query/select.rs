//! One `SELECT` after the other to stages.

use masthead_ir::expr::{Expr, FieldPath, Func};
use masthead_ir::pipeline::{Aggregation, Pipeline, SortKey, SortOrder, Source, Stage};
use masthead_ir::value::Value;
use sqlparser::ast::{
    BinaryOperator, Distinct, Expr as Sql, GroupByExpr, LimitClause, OrderBy, OrderByKind, Query, Select, SelectItem,
    SetExpr, SetOperator, SetQuantifier,
};

use super::aggregate::{Aggregates, has_aggregate};
use super::condition::operands;
use super::output::{self, finish};
use super::pattern::Literal;
use super::relation::{Column, Planner, Rows};
use super::time::within;
use super::value::{Translator, column, literal};
use super::{Fault, HIDDEN, Result, Translated, all, always, any};

/// How many stages the flattening of an array has.
const STAGES_OF_FLATTEN: usize = 3;

/// A whole query.
pub(super) fn query(sql: &str, query: &Query) -> Result<Translated> {
    let mut planner = Planner::new(sql);
    let rows = planner.query(query)?;
    Ok(finish(rows))
}

impl<'q> Planner<'q> {
    /// The rows of a query.
    pub(super) fn query(&mut self, query: &'q Query) -> Result<Rows> {
        let seen = self.named.len();
        if let Some(with) = &query.with {
            if with.recursive {
                return self.unsupported(with, "recursive queries cannot run here");
            }
            for cte in &with.cte_tables {
                self.named.push((cte.alias.name.value.to_ascii_lowercase(), &cte.query));
            }
        }
        let rows = self.ordered(query);
        self.named.truncate(seen);
        rows
    }

    fn ordered(&mut self, query: &'q Query) -> Result<Rows> {
        let limit = self.limit(query)?;
        let mut rows = match &*query.body {
            SetExpr::Select(select) => self.select(select, query.order_by.as_ref())?,
            body => {
                let mut rows = self.body(body)?;
                if let Some(order) = &query.order_by {
                    let mut translator = Translator::new(self.sql, rows.scope.clone(), &[]);
                    order_by(&mut translator, &mut rows, &[], order)?;
                }
                rows
            }
        };
        rows.stages.extend(limit.map(|count| Stage::Head { count }));
        Ok(rows)
    }

    fn body(&mut self, body: &'q SetExpr) -> Result<Rows> {
        match body {
            SetExpr::Select(select) => self.select(select, None),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { op: SetOperator::Union, set_quantifier, left, right } => {
                let (left, right) = (self.body(left)?, self.body(right)?);
                let distinct = matches!(set_quantifier, SetQuantifier::None | SetQuantifier::Distinct);
                match output::union(left, right, distinct) {
                    Ok(rows) => Ok(rows),
                    Err(message) => self.unsupported(body, message),
                }
            }
            other => self.unsupported(other, "only `SELECT` and `UNION` can run here"),
        }
    }

    /// How many rows are wanted.
    fn limit(&self, query: &Query) -> Result<Option<u64>> {
        let limit = match &query.limit_clause {
            None => return Ok(None),
            Some(LimitClause::LimitOffset { limit, offset: None, limit_by }) if limit_by.is_empty() => limit.as_ref(),
            Some(clause) => return self.unsupported(clause, "`OFFSET` and `LIMIT BY` cannot run here"),
        };
        match limit.map(literal) {
            None => Ok(None),
            Some(Some(Literal::Number(text))) if text.parse::<u64>().is_ok_and(|count| count > 0) => {
                Ok(text.parse().ok())
            }
            Some(_) => Err(Fault {
                message: "`LIMIT` takes a whole number above zero here".to_owned(),
                place: None,
                syntax: false,
            }),
        }
    }

    fn select(&mut self, select: &'q Select, order: Option<&'q OrderBy>) -> Result<Rows> {
        self.refuse(select)?;
        let mut rows = self.from(&select.from)?;
        rows.star = false;
        let scope = std::mem::take(&mut rows.scope);
        let mut translator = Translator::new(self.sql, scope, &select.projection);
        if let Some(selection) = &select.selection {
            self.filter(&mut translator, &mut rows, selection)?;
        }
        let groups = match &select.group_by {
            GroupByExpr::Expressions(groups, modifiers) if modifiers.is_empty() => groups.as_slice(),
            GroupByExpr::Expressions(..) => {
                return self.unsupported(select, "`ROLLUP` and the like cannot run here");
            }
            GroupByExpr::All(_) => return self.unsupported(select, "`GROUP BY ALL` cannot run here"),
        };
        let items = &select.projection;
        let grouped = !groups.is_empty()
            || select.having.as_ref().is_some_and(has_aggregate)
            || items.iter().filter_map(expression).any(has_aggregate);
        if grouped {
            group(&mut translator, &mut rows, select, groups, order)?;
        } else {
            project(&mut translator, &mut rows, items)?;
            if let Some(having) = &select.having {
                let condition = translator.condition(having, true)?;
                rows.stages.push(Stage::Filter(condition));
            }
        }
        if let Some(Distinct::Distinct) = &select.distinct {
            rows.stages.push(output::distinct(&rows.columns));
        }
        if let (Some(order), false) = (order, grouped) {
            order_by(&mut translator, &mut rows, items, order)?;
        }
        let times = translator.aggregates.take().map(|aggregates| aggregates.times).unwrap_or_default();
        rows.scope = translator.scope;
        rows.scope.times.extend(times);
        let time_columns = rows.columns.iter().filter(|column| column.field == "_time");
        let time_columns: Vec<String> = time_columns.map(|column| column.field.clone()).collect();
        rows.scope.times.extend(time_columns);
        if grouped {
            rows.scope.table = None;
        }
        Ok(rows)
    }

    /// Clauses that have no counterpart.
    fn refuse(&self, select: &Select) -> Result<()> {
        if let Some(qualify) = &select.qualify {
            return self.unsupported(qualify, "`QUALIFY` cannot run here");
        }
        if let Some(top) = &select.top {
            return self.unsupported(select, format!("`{top}` cannot run here; use `LIMIT`"));
        }
        let odd = select.into.is_some()
            || !select.lateral_views.is_empty()
            || !select.connect_by.is_empty()
            || !select.named_window.is_empty()
            || select.exclude.is_some()
            || matches!(select.distinct, Some(Distinct::On(_)));
        if odd { self.unsupported(select, "the query has a clause that cannot run here") } else { Ok(()) }
    }

    /// `WHERE`: what asks for events goes to the source, what asks for elements of flattened arrays comes behind.
    fn filter(&mut self, translator: &mut Translator<'q>, rows: &mut Rows, selection: &'q Sql) -> Result<()> {
        let elements: Vec<String> = translator.scope.elements.iter().map(|element| element.column.clone()).collect();
        let computed = rows.stages.len() > STAGES_OF_FLATTEN * elements.len();
        let mut later = Vec::new();
        let mut lookups = Vec::new();
        for conjunct in conjuncts(selection) {
            if let Sql::InSubquery { expr, subquery, negated } = conjunct {
                lookups.push(self.lookup(translator, expr, subquery, *negated)?);
                continue;
            }
            if let Some(range) = translator.window(conjunct)? {
                let before = rows.range.take();
                rows.range = Some(before.map_or(range.clone(), |before| within(before, range)));
                continue;
            }
            translator.at_source = !computed;
            let condition = translator.condition(conjunct, true)?;
            translator.at_source = false;
            if computed || mentions(&condition, &elements) {
                later.push(translator.condition(conjunct, true)?);
                if !computed {
                    rows.require(widened(condition, &elements));
                }
            } else {
                rows.require(condition);
            }
        }
        if !later.is_empty() {
            rows.stages.push(Stage::Filter(all(later)));
        }
        rows.stages.extend(lookups);
        Ok(())
    }

    /// Whether a value is among those of an inner query.
    fn lookup(
        &mut self,
        translator: &mut Translator<'q>,
        sql: &'q Sql,
        inner: &'q Query,
        negated: bool,
    ) -> Result<Stage> {
        let place = translator.place_of(sql)?;
        let Some(FieldPath::Flat(field)) = translator.scope.field(&place) else {
            return self.unsupported(sql, "only a field can be looked for in an inner query");
        };
        let mut right = self.subquery(inner)?;
        let [column] = right.columns.as_mut_slice() else {
            return self.unsupported(inner, "the inner query must give one column");
        };
        column.name = field.to_string();
        right.stages.extend(output::kept(&right.columns));
        let source = Source::Events { filter: right.filter, range: right.range };
        Ok(Stage::SemiJoin { right: Box::new(Pipeline { source, stages: right.stages }), negated })
    }
}

/// Conditions that must all hold, brackets aside.
fn conjuncts(sql: &Sql) -> Vec<&Sql> {
    let mut found = Vec::new();
    let mut pending = vec![sql];
    while let Some(next) = pending.pop() {
        match next {
            Sql::Nested(inner) => pending.push(inner),
            Sql::BinaryOp { op: BinaryOperator::And, .. } => {
                pending.extend(operands(next, &BinaryOperator::And).into_iter().rev());
            }
            other => found.push(other),
        }
    }
    found
}

fn mentions(expr: &Expr, columns: &[String]) -> bool {
    !columns.is_empty()
        && expr
            .fields()
            .iter()
            .any(|field| matches!(field, FieldPath::Flat(name) if columns.iter().any(|c| **c == **name)))
}

/// What holds for an event if a condition holds for one of its elements.
fn widened(expr: Expr, elements: &[String]) -> Expr {
    match expr {
        Expr::And(parts) => {
            let parts = parts.into_iter().map(|part| widened(part, elements)).filter(|part| *part != always());
            all(parts.collect())
        }
        Expr::Or(parts) => {
            let parts: Vec<Expr> = parts.into_iter().map(|part| widened(part, elements)).collect();
            if parts.contains(&always()) { always() } else { any(parts) }
        }
        other if mentions(&other, elements) => always(),
        other => other,
    }
}

fn expression(item: &SelectItem) -> Option<&Sql> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    }
}

fn alias(item: &SelectItem) -> Option<&str> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(&alias.value),
        _ => None,
    }
}

/// The select list of a query without groups.
fn project<'q>(translator: &mut Translator<'q>, rows: &mut Rows, items: &'q [SelectItem]) -> Result<()> {
    translator.whole = true;
    let mut given = Vec::new();
    for item in items {
        match item {
            SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) => {
                if options.opt_exclude.is_some() || options.opt_replace.is_some() || options.opt_rename.is_some() {
                    return translator.unsupported(item, "a star with changes cannot run here");
                }
                rows.star = true;
            }
            _ => {
                let Some(sql) = expression(item) else {
                    return translator.unsupported(item, "this item of the select list cannot run here");
                };
                let expr = translator.item(alias(item), sql)?;
                given.push((output::name(item, &expr), expr));
            }
        }
    }
    translator.whole = false;
    if rows.star {
        // What an inner query named stays.
        for (name, expr) in &translator.scope.columns {
            if let Expr::Field(FieldPath::Flat(field)) = expr
                && !given.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
            {
                rows.columns.push(Column { name: name.clone(), field: field.to_string() });
            }
        }
        // All that an inner query without a star gives has a name.
        rows.star = translator.scope.table.is_some();
    }
    assign(rows, given);
    Ok(())
}

/// Columns of these values: a stage for each that is no field as it is.
fn assign(rows: &mut Rows, given: Vec<(String, Expr)>) {
    let read: Vec<FieldPath> = given.iter().flat_map(|(_, expr)| expr.fields()).collect();
    for (name, expr) in given {
        if let Expr::Field(FieldPath::Flat(field)) = &expr {
            rows.columns.push(Column { name, field: field.to_string() });
            continue;
        }
        let plain = FieldPath::flat(&name);
        let hides = read.contains(&plain) || masthead_schema::rows::CONTEXT.contains(&name.as_str());
        let field = if hides { format!("{HIDDEN}{name}") } else { name.clone() };
        rows.stages.push(Stage::Assign { field: field.clone(), expr });
        rows.columns.push(Column { name, field });
    }
}

/// Groups, aggregates, and what is made of them.
fn group<'q>(
    translator: &mut Translator<'q>,
    rows: &mut Rows,
    select: &'q Select,
    groups: &'q [Sql],
    order: Option<&'q OrderBy>,
) -> Result<()> {
    let items = &select.projection;
    let mut aggregates = Aggregates::default();
    let mut by = Vec::new();
    let mut emptied = Vec::new();
    for group in groups {
        let (name, sql) = item_of(items, group);
        let expr = translator.item(name.as_deref(), sql)?;
        let time = translator.scope.is_time(&expr);
        let field = group_field(translator, rows, &mut emptied, name, expr, by.len());
        if time {
            aggregates.times.insert(field.clone());
        }
        aggregates.know(group, column(&field));
        aggregates.know(sql, column(&field));
        by.push(field);
    }
    translator.aggregates = Some(aggregates);
    let mut given = Vec::new();
    for item in items {
        let Some(sql) = expression(item) else {
            return translator.unsupported(item, "a star cannot stand beside groups");
        };
        if let (Some(aggregates), Some(alias)) = (&mut translator.aggregates, alias(item)) {
            aggregates.wanted = matches!(sql, Sql::Function(_)).then(|| alias.to_owned());
        }
        let expr = translator.item(alias(item), sql)?;
        if let Some(aggregates) = &mut translator.aggregates {
            aggregates.wanted = None;
        }
        given.push((output::name(item, &expr), expr));
    }
    let having = select.having.as_ref().map(|having| translator.condition(having, true)).transpose()?;
    let keys = match order {
        Some(order) => sort_keys(translator, items, order)?,
        None => Vec::new(),
    };
    let list = translator.aggregates.as_mut().map(|aggregates| std::mem::take(&mut aggregates.list));
    rows.stages.push(Stage::Aggregate(Aggregation { aggregates: list.unwrap_or_default(), by, dedup_values: false }));
    for field in emptied {
        let args = vec![column(&field), Expr::Literal(Value::text(""))];
        rows.stages.push(Stage::Assign { field, expr: Expr::Call { func: Func::NullIf, args } });
    }
    rows.stages.extend(having.map(Stage::Filter));
    assign(rows, given);
    sort(rows, keys);
    Ok(())
}

/// The item of the select list that a group or an order means: by number, by name, or itself.
fn item_of<'q>(items: &'q [SelectItem], sql: &'q Sql) -> (Option<String>, &'q Sql) {
    if let Some(Literal::Number(number)) = literal(sql)
        && let Some(item) = number.parse::<usize>().ok().and_then(|number| items.get(number.wrapping_sub(1)))
        && let Some(expr) = expression(item)
    {
        return (alias(item).map(str::to_owned), expr);
    }
    let text = super::aggregate::key(sql);
    for item in items {
        let Some(expr) = expression(item) else { continue };
        let named = alias(item).is_some_and(|alias| alias.eq_ignore_ascii_case(&text));
        if named || super::aggregate::key(expr) == text {
            return (alias(item).map(str::to_owned), expr);
        }
    }
    (None, sql)
}

/// The field of a group. Rows without it are a group of their own in SQL, and would be left out by the stage.
fn group_field(
    translator: &Translator<'_>,
    rows: &mut Rows,
    emptied: &mut Vec<String>,
    name: Option<String>,
    expr: Expr,
    at: usize,
) -> String {
    let known = match &expr {
        Expr::Field(FieldPath::Flat(field)) => Some(field.to_string()),
        _ => None,
    };
    let table = translator.scope.table;
    if let Some(field) = &known
        && (field == "_time" || table.is_some_and(|table| table.always_has(field)))
    {
        return field.clone();
    }
    let field = known.or(name.map(|name| format!("{HIDDEN}{name}"))).unwrap_or_else(|| format!("{HIDDEN}group{at}"));
    let expr = Expr::Call { func: Func::Coalesce, args: vec![expr, Expr::Literal(Value::text(""))] };
    rows.stages.push(Stage::Assign { field: field.clone(), expr });
    emptied.push(field.clone());
    field
}

/// `ORDER BY` of rows without groups.
fn order_by<'q>(
    translator: &mut Translator<'q>,
    rows: &mut Rows,
    items: &'q [SelectItem],
    order: &'q OrderBy,
) -> Result<()> {
    if items.is_empty() {
        // The columns of an inner query.
        for column in &rows.columns {
            let field = Expr::Field(FieldPath::flat(&column.field));
            translator.scope.columns.insert(column.name.to_ascii_lowercase(), field);
        }
    }
    let keys = sort_keys(translator, items, order)?;
    sort(rows, keys);
    Ok(())
}

/// Values to order by, and whether large comes first.
fn sort_keys<'q>(
    translator: &mut Translator<'q>,
    items: &'q [SelectItem],
    order: &'q OrderBy,
) -> Result<Vec<(Expr, bool)>> {
    let OrderByKind::Expressions(keys) = &order.kind else {
        return translator.unsupported(order, "`ORDER BY ALL` cannot run here");
    };
    let mut found = Vec::new();
    for key in keys {
        let descending =
            key.options.sort.as_ref().is_some_and(|sort| matches!(sort, sqlparser::ast::OrderBySort::Desc));
        let (name, sql) = item_of(items, &key.expr);
        found.push((translator.item(name.as_deref(), sql)?, descending));
    }
    Ok(found)
}

fn sort(rows: &mut Rows, keys: Vec<(Expr, bool)>) {
    if keys.is_empty() {
        return;
    }
    let mut sorted = Vec::new();
    for (at, (expr, descending)) in keys.into_iter().enumerate() {
        let field = match expr {
            Expr::Field(FieldPath::Flat(field)) => field.to_string(),
            expr => {
                let field = format!("{HIDDEN}order{at}");
                rows.stages.push(Stage::Assign { field: field.clone(), expr });
                field
            }
        };
        sorted.push(SortKey { field, descending, order: SortOrder::Auto });
    }
    rows.stages.push(Stage::Sort { keys: sorted, limit: 0 });
}
