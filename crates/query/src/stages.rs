//! Stages that are relational: each becomes nodes of a plan.

use datafusion::error::{DataFusionError, Result};
use masthead_ir::expr::{Expr, FieldPath};
use masthead_ir::pipeline::{LookupJoin, Stage, Template};

use crate::flow::Flow;
use crate::geoip;
use crate::kind::Kind;
use crate::map::Map;
use crate::names::{captures, has_star, matches, substitute};
use crate::rows::Column;

/// Adds a stage to a plan; gives the flow back unchanged (as `Err`) if the stage is not relational.
pub(crate) fn relational(flow: Flow, stage: &Stage, tables: &dyn Fn(&str) -> Vec<String>) -> Result<Result<Flow, Flow>> {
    Ok(Ok(match stage {
        Stage::Filter(expr) => flow.filter(expr)?,
        Stage::Assign { field, expr } => flow.assign(vec![(field.clone(), Map::Expr(expr.clone()))])?,
        Stage::Fill { fields, value } if !fields.is_empty() => {
            let fill = |field: &String| (field.clone(), Map::Fill { field: field.clone(), value: value.clone() });
            flow.assign(fields.iter().map(fill).collect())?
        }
        Stage::Aggregate(aggregation) => flow.aggregate(aggregation)?,
        Stage::Rename(pairs) => pairs.iter().try_fold(flow, |flow, (from, to)| rename(flow, from, to))?,
        Stage::Keep { fields, ordered } => keep(flow, fields, *ordered)?,
        Stage::Drop(patterns) => {
            let mut columns = flow.same();
            columns.retain(|(column, _)| !patterns.iter().any(|pattern| matches(pattern, &column.name)));
            flow.project(columns)?
        }
        Stage::Head { count } => flow.limit(usize::try_from(*count).unwrap_or(usize::MAX))?,
        Stage::Extract { field, regex, max_match } => extract(flow, field, regex, *max_match)?,
        Stage::Rewrite { field, sed } => {
            flow.assign(vec![(field.clone(), Map::Rewrite { field: field.clone(), sed: sed.clone() })])?
        }
        Stage::Bin { field, span, target } if !matches!(span, masthead_ir::pipeline::Span::Auto(_)) => {
            flow.assign(vec![(target.clone(), Map::Bin { field: field.clone(), span: *span })])?
        }
        Stage::Expand { field, limit: 0 } if flow.kind(field) == Some(Kind::List) => flow.unnest(field, true)?,
        Stage::Expand { limit: 0, .. } => flow,
        Stage::MakeMulti { field, split, allow_empty } => {
            let split = Map::Split { field: field.clone(), split: split.clone(), allow_empty: *allow_empty };
            flow.assign(vec![(field.clone(), split)])?
        }
        Stage::JoinMulti { field, delimiter, combine: false } => {
            flow.assign(vec![(field.clone(), Map::Join { field: field.clone(), delimiter: delimiter.clone() })])?
        }
        Stage::FormatTime { fields, format } => {
            let names = flow.names();
            let names = names.iter().filter(|name| fields.iter().any(|pattern| matches(pattern, name)));
            let map = |name: &String| (name.clone(), Map::FormatTime { field: name.clone(), format: format.clone() });
            let maps = names.map(map).collect();
            flow.assign(maps)?
        }
        Stage::GeoIp { field, prefix, all } => {
            let count = if *all { geoip::FIELDS.len() } else { geoip::COMMON };
            let place = |name: &&str| {
                (format!("{prefix}{name}"), Map::GeoIp { field: field.clone(), name: (*name).to_owned() })
            };
            flow.assign(geoip::FIELDS.iter().take(count).map(place).collect())?
        }
        Stage::Lookup(join) => lookup(flow, join, tables)?,
        Stage::ParseJson { field, path: Some(path), output } => {
            let target = output.clone().unwrap_or_else(|| path.clone());
            flow.assign(vec![(target, Map::JsonPath { field: field.clone(), path: path.clone() })])?
        }
        Stage::ForEach { fields, body } => for_each(flow, fields, body)?,
        _ => return Ok(Err(flow)),
    }))
}

fn rename(flow: Flow, from: &str, to: &str) -> Result<Flow> {
    let mut columns = flow.same();
    if !has_star(from) {
        // An existing target is replaced; if there is no source, the target is removed.
        columns.retain(|(column, _)| column.name != to || from == to);
        for (column, _) in &mut columns {
            if column.name == from {
                to.clone_into(&mut column.name);
            }
        }
        return flow.project(columns);
    }
    let targets: Vec<Option<String>> =
        columns.iter().map(|(column, _)| substitute(from, to, &column.name).filter(|name| !name.is_empty())).collect();
    let replaced = |name: &str| targets.iter().flatten().any(|target| target == name);
    let mut renamed = Vec::new();
    for ((column, expr), target) in columns.iter().zip(&targets) {
        match target {
            Some(name) => crate::flow::set(&mut renamed, Column { name: name.clone(), kind: column.kind }, expr.clone()),
            None if replaced(&column.name) => {}
            None => renamed.push((column.clone(), expr.clone())),
        }
    }
    flow.project(renamed)
}

fn keep(flow: Flow, patterns: &[String], ordered: bool) -> Result<Flow> {
    let all = flow.same();
    let mut kept = Vec::new();
    for pattern in patterns {
        for (column, expr) in &all {
            let hidden = column.name.starts_with('_') && has_star(pattern);
            if !hidden && matches(pattern, &column.name) {
                crate::flow::set(&mut kept, column.clone(), expr.clone());
            }
        }
    }
    if !ordered {
        for (column, expr) in &all {
            if column.name.starts_with('_') {
                crate::flow::set(&mut kept, column.clone(), expr.clone());
            }
        }
    }
    flow.project(kept)
}

fn extract(flow: Flow, field: &str, regex: &str, max: u64) -> Result<Flow> {
    let compiled = masthead_ir::eval::regex::CompiledRegex::new(regex);
    let groups = compiled.map_err(|error| DataFusionError::Plan(error.to_string()))?.group_names();
    let temporary = |group: &String| format!("__mh_x_{group}");
    let read = |group: &String| {
        let map = Map::Extract { field: field.to_owned(), regex: regex.to_owned(), group: group.clone(), max };
        (temporary(group), map)
    };
    let flow = flow.assign(groups.iter().map(read).collect())?;
    adopt(flow, groups.iter().map(|group| (temporary(group), group.clone())).collect(), true)
}

/// Puts temporary columns in the place of others. Where a temporary column has no value, the other's stays; with
/// `overwrite` off the other's stays wherever it has one.
fn adopt(flow: Flow, pairs: Vec<(String, String)>, overwrite: bool) -> Result<Flow> {
    let there = |name: &String| flow.kind(name).is_some();
    let merge = |(temporary, target): &(String, String)| {
        let map = match (there(target), overwrite) {
            (true, true) => Map::Or { field: temporary.clone(), other: target.clone() },
            (true, false) => Map::Or { field: target.clone(), other: temporary.clone() },
            (false, _) => Map::Expr(Expr::Field(FieldPath::flat(temporary))),
        };
        (target.clone(), map)
    };
    let maps = pairs.iter().map(merge).collect();
    let flow = flow.assign(maps)?;
    let mut columns = flow.same();
    columns.retain(|(column, _)| !pairs.iter().any(|(temporary, _)| *temporary == column.name));
    flow.project(columns)
}

fn lookup(flow: Flow, join: &LookupJoin, tables: &dyn Fn(&str) -> Vec<String>) -> Result<Flow> {
    let mut outputs = join.outputs.clone();
    if outputs.is_empty() {
        let is_key = |column: &String| join.keys.iter().any(|(key, _)| key == column);
        outputs = tables(&join.table).into_iter().filter(|c| !is_key(c)).map(|c| (c.clone(), c)).collect();
    }
    let temporary = |index: usize| format!("__mh_l_{index}");
    let read = |(index, (column, _)): (usize, &(String, String))| {
        let map =
            Map::Lookup { table: join.table.clone(), keys: join.keys.clone(), output: column.clone() };
        (temporary(index), map)
    };
    let flow = flow.assign(outputs.iter().enumerate().map(read).collect())?;
    let pairs = outputs.iter().enumerate().map(|(index, (_, target))| (temporary(index), target.clone())).collect();
    adopt(flow, pairs, join.overwrite)
}

fn for_each(mut flow: Flow, patterns: &[String], body: &Template) -> Result<Flow> {
    let mut done: Vec<String> = Vec::new();
    for pattern in patterns {
        for name in flow.names() {
            if done.contains(&name) || name.starts_with('_') {
                continue;
            }
            let Some(stars) = captures(pattern, &name) else { continue };
            let stars: Vec<String> = stars.into_iter().map(str::to_owned).collect();
            for (target, expr) in &body.assignments {
                let fill = |text: &str| fill_tokens(text, &name, &stars);
                let field = fill(target);
                let expr = expr.clone().map_text(&fill);
                flow = flow.assign(vec![(field, Map::Expr(expr))])?;
            }
            done.push(name);
        }
    }
    Ok(flow)
}

/// Replaces the tokens of a template (Splunk Search Reference, foreach).
fn fill_tokens(text: &str, name: &str, stars: &[String]) -> String {
    if !text.contains("<<") {
        return text.to_owned();
    }
    let mut out = text.replace("<<FIELD>>", name).replace("<<MATCHSTR>>", &stars.concat());
    for (index, star) in stars.iter().enumerate() {
        out = out.replace(&format!("<<MATCHSEG{}>>", index + 1), star);
    }
    out
}

/// Fills every column that some row has, and tells nothing of the others: they stay absent.
pub(crate) fn fill_present(flow: Flow, value: &str, present_columns: &[String], complete: &[String]) -> Result<Flow> {
    // A column that every row has needs no filling, and keeps its kind.
    let fill = |name: &&String| !complete.contains(name);
    let maps = present_columns
        .iter()
        .filter(fill)
        .map(|name| (name.clone(), Map::Fill { field: name.clone(), value: value.to_owned() }))
        .collect();
    flow.assign(maps)
}


