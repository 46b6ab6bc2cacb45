//! What a query shows: the names of its columns, and the stages that leave nothing else.

use masthead_ir::expr::{Expr, FieldPath, Func};
use masthead_ir::pipeline::{Pipeline, Source, Stage};
use masthead_schema::rows::CONTEXT;
use sqlparser::ast::{Expr as Sql, SelectItem};

use super::relation::{Column, Rows};
use super::scope::Scope;
use super::table::Table;
use super::value::bare;
use super::{HIDDEN, Translated, function};

/// Fields that conditions read and that tell a person nothing.
const UNSHOWN: &[&str] = &["_raw", "_time", "log_type", "p_log_type"];
/// How times are shown.
const TIME_FORMAT: &str = "%Y-%m-%dT%H:%M:%SZ";

/// The name of an item of a select list.
pub(super) fn name(item: &SelectItem, expr: &Expr) -> String {
    let sql = match item {
        SelectItem::ExprWithAlias { alias, .. } => return alias.value.clone(),
        SelectItem::UnnamedExpr(sql) => bare(sql),
        _ => return item.to_string(),
    };
    // A column that the platform adds keeps its name.
    let last = match sql {
        Sql::Identifier(name) => Some(name),
        Sql::CompoundIdentifier(names) => names.last(),
        _ => None,
    };
    if let Some(added) = last.filter(|name| name.value.to_ascii_lowercase().starts_with("p_")) {
        return added.value.to_ascii_lowercase();
    }
    match (expr, sql) {
        (Expr::Field(FieldPath::Flat(field)), Sql::Function(_)) => field.to_string(),
        (_, Sql::Function(inner)) => function::name_of(inner).to_lowercase(),
        (Expr::Field(FieldPath::Flat(field)), _) => field.to_string(),
        (Expr::Call { func: Func::Coalesce, args }, _) => match args.first() {
            Some(Expr::Field(FieldPath::Flat(field))) => field.to_string(),
            _ => sql.to_string(),
        },
        _ => sql.to_string(),
    }
}

/// The stage of `DISTINCT`.
pub(super) fn distinct(columns: &[Column]) -> Stage {
    Stage::Dedup {
        fields: columns.iter().map(|column| column.field.clone()).collect(),
        keep: 1,
        keep_empty: true,
        consecutive: false,
        sort: Vec::new(),
    }
}

/// The rows of both; the columns of the second get the names of the first.
pub(super) fn union(mut left: Rows, mut right: Rows, distinct_rows: bool) -> Result<Rows, &'static str> {
    if left.star != right.star || left.columns.len() != right.columns.len() {
        return Err("both sides of a `UNION` must have the same columns here");
    }
    for (column, name) in right.columns.iter_mut().zip(left.columns.iter().map(|column| column.name.clone())) {
        column.name = name;
    }
    let names: Vec<String> = left.columns.iter().map(|column| column.name.clone()).collect();
    let star = left.star;
    let own = if right.range == left.range { None } else { right.range.take() };
    let times = std::mem::take(&mut left.scope.times);
    let table = left.scope.table;
    if !star {
        left.stages.extend(kept(&left.columns));
        right.stages.extend(kept(&right.columns));
    }
    let source = Source::Events { filter: right.filter, range: own };
    left.stages.push(Stage::Append(Box::new(Pipeline { source, stages: right.stages })));
    left.columns = names.into_iter().map(|name| Column { field: name.clone(), name }).collect();
    left.scope = Scope { table: table.filter(|_| star), times, ..Scope::default() };
    if distinct_rows && !star {
        left.stages.push(distinct(&left.columns));
    }
    Ok(left)
}

/// The stages that leave these columns under their names.
pub(super) fn kept(columns: &[Column]) -> Vec<Stage> {
    let mut fields: Vec<String> = Vec::new();
    let mut pairs = Vec::new();
    for column in columns {
        if !fields.contains(&column.field) {
            fields.push(column.field.clone());
        }
        if column.field != column.name {
            pairs.push((column.field.clone(), column.name.clone()));
        }
    }
    let mut stages = Vec::new();
    let mut moved: Vec<&String> = Vec::new();
    for column in columns {
        // A field that two columns show is copied: a rename would take it away from one.
        let doubled = columns.iter().filter(|other| other.field == column.field).count() > 1;
        if doubled && column.name != column.field {
            let expr = Expr::Field(FieldPath::flat(&column.field));
            stages.push(Stage::Assign { field: column.name.clone(), expr });
            fields.push(column.name.clone());
            moved.push(&column.name);
        }
    }
    pairs.retain(|(_, name)| !moved.contains(&name));
    let shown = columns.iter().map(|column| &column.name);
    fields.retain(|field| pairs.iter().any(|(from, _)| from == field) || shown.clone().any(|name| name == field));
    stages.push(Stage::Keep { fields, ordered: true });
    if !pairs.is_empty() {
        stages.push(Stage::Rename(pairs));
    }
    stages
}

/// The stages that give these columns their names beside all that an event has.
fn renamed(columns: &[Column]) -> Vec<Stage> {
    let mut stages = Vec::new();
    for column in columns.iter().filter(|column| column.field != column.name) {
        let expr = Expr::Field(FieldPath::flat(&column.field));
        stages.push(Stage::Assign { field: column.name.clone(), expr });
    }
    if !stages.is_empty() {
        stages.push(Stage::Drop(vec![format!("{HIDDEN}*")]));
    }
    stages
}

/// The query as it is given to others.
pub(super) fn finish(mut rows: Rows) -> Translated {
    let times: Vec<Column> =
        rows.columns.iter().filter(|column| rows.scope.times.contains(&column.field)).cloned().collect();
    let kubernetes = rows.scope.table == Some(Table::Kubernetes);
    let mut columns = Vec::new();
    if rows.star && kubernetes {
        let mut fields: Vec<String> = CONTEXT.iter().map(|name| (*name).to_owned()).collect();
        let read = rows.filter.fields().into_iter().filter_map(|field| field.column().map(|name| name.into_owned()));
        for field in read {
            if !UNSHOWN.contains(&field.as_str()) && !fields.contains(&field) {
                fields.push(field);
            }
        }
        let all = fields.into_iter().map(|field| Column { name: field.clone(), field });
        let named = std::mem::take(&mut rows.columns);
        let replaced = |name: &String| named.iter().any(|column| column.name == *name);
        rows.columns = all.filter(|column| !replaced(&column.name)).chain(named.iter().cloned()).collect();
    }
    let open = rows.star && !kubernetes;
    for column in &rows.columns {
        columns.push((column.name.clone(), FieldPath::flat(&column.field)));
    }
    if open {
        rows.stages.extend(renamed(&rows.columns));
    } else {
        rows.stages.extend(kept(&rows.columns));
    }
    if !times.is_empty() {
        let fields = times.into_iter().map(|column| column.name).collect();
        rows.stages.push(Stage::FormatTime { fields, format: TIME_FORMAT.to_owned() });
    }
    let pipeline = Pipeline { source: Source::Events { filter: rows.filter, range: None }, stages: rows.stages };
    Translated { pipeline, range: rows.range, columns, open }
}
