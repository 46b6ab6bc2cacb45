//! Which fields of events a pipeline needs: a backward pass over its stages.

use std::collections::BTreeSet;

use masthead_ir::expr::{Expr, FieldPath};
use masthead_ir::pipeline::{AggregateInput, Aggregation, CorrelationKind, Pipeline, Source, Stage};
use masthead_ir::time::TimeRange;

use crate::names::{has_star, matches, substitute};

/// An event source of a pipeline.
#[derive(Debug, Clone)]
pub struct EventSource {
    /// What an event must pass.
    pub filter: Expr,
    /// A time range of its own.
    pub range: Option<TimeRange>,
    /// Which fields of the events are needed.
    pub demand: Demand,
}

/// Which fields of events are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// These.
    Fields(BTreeSet<String>),
    /// All: the pipeline shows whole events, or picks fields by what the data has.
    All,
}

impl Demand {
    fn add(&mut self, names: impl IntoIterator<Item = String>) {
        if let Demand::Fields(fields) = self {
            fields.extend(names);
        }
    }

    fn remove(&mut self, name: &str) {
        if let Demand::Fields(fields) = self {
            fields.remove(name);
        }
    }
}

/// The event sources of a pipeline and of the pipelines inside of it, in the order in which they are written.
pub fn sources(pipeline: &Pipeline) -> Vec<EventSource> {
    let mut sources = Vec::new();
    collect(pipeline, &mut sources);
    sources
}

fn collect(pipeline: &Pipeline, sources: &mut Vec<EventSource>) {
    if let Source::Events { filter, range } = &pipeline.source {
        let mut demand = needed_before(&pipeline.stages, Demand::All);
        if range.is_some() {
            demand.add(["_time".to_owned()]);
        }
        sources.push(EventSource { filter: filter.clone(), range: range.clone(), demand });
    }
    for inner in pipeline.stages.iter().filter_map(inner_pipeline) {
        collect(inner, sources);
    }
}

/// The pipeline inside of a stage.
pub(crate) fn inner_pipeline(stage: &Stage) -> Option<&Pipeline> {
    match stage {
        Stage::Join { right, .. } | Stage::SemiJoin { right, .. } => Some(right),
        Stage::Append(right) => Some(right),
        _ => None,
    }
}

/// What must be there before these stages so that `after` is there behind them.
fn needed_before(stages: &[Stage], after: Demand) -> Demand {
    stages.iter().rev().fold(after, |need, stage| before(stage, need))
}

fn fields_of(expr: &Expr) -> impl Iterator<Item = String> {
    let names: Vec<String> = expr.fields().iter().filter_map(FieldPath::column).map(|name| name.into_owned()).collect();
    names.into_iter()
}

fn of_aggregation(aggregation: &Aggregation, mut need: Demand) -> Demand {
    need.add(aggregation.by.iter().cloned());
    of_aggregates(&aggregation.aggregates, need)
}

fn of_aggregates(aggregates: &[masthead_ir::pipeline::Aggregate], mut need: Demand) -> Demand {
    for aggregate in aggregates {
        match &aggregate.input {
            AggregateInput::Rows => {}
            AggregateInput::Field(name) if has_star(name) => return Demand::All,
            AggregateInput::Field(name) => need.add([name.clone()]),
            AggregateInput::Expr(expr) => need.add(fields_of(expr)),
        }
        if crate::accumulate::needs_time(aggregate.func) {
            need.add(["_time".to_owned()]);
        }
    }
    need
}

fn before(stage: &Stage, mut need: Demand) -> Demand {
    let none = || Demand::Fields(BTreeSet::new());
    match stage {
        Stage::Filter(expr) => need.add(fields_of(expr)),
        Stage::Assign { field, expr } => {
            need.remove(field);
            need.add(fields_of(expr));
        }
        Stage::Fill { fields, .. } => need.add(fields.iter().cloned()),
        Stage::Aggregate(aggregation) => need = of_aggregation(aggregation, none()),
        Stage::Annotate(aggregation) | Stage::Running { aggregation, .. } => {
            for aggregate in &aggregation.aggregates {
                need.remove(&aggregate.name);
            }
            need = of_aggregation(aggregation, need);
        }
        Stage::Pivot(pivot) => {
            let by = pivot.over.iter().chain(&pivot.by).cloned().collect();
            let aggregation = Aggregation { aggregates: pivot.aggregates.clone(), by, dedup_values: false };
            need = of_aggregation(&aggregation, none());
        }
        Stage::Rename(pairs) => pairs.iter().rev().for_each(|(from, to)| before_rename(from, to, &mut need)),
        Stage::Keep { fields, ordered } => need = before_keep(fields, *ordered, need),
        Stage::Drop(patterns) => {
            if let Demand::Fields(fields) = &mut need {
                fields.retain(|name| !patterns.iter().any(|pattern| matches(pattern, name)));
            }
        }
        Stage::Sort { keys, .. } => need.add(keys.iter().map(|key| key.field.clone())),
        Stage::Dedup { fields, sort, .. } => {
            need.add(fields.iter().cloned().chain(sort.iter().map(|key| key.field.clone())));
        }
        Stage::Frequent { fields, by, .. } => {
            need = none();
            need.add(fields.iter().chain(by).cloned());
        }
        Stage::Extract { field, .. }
        | Stage::Rewrite { field, .. }
        | Stage::Bin { field, .. }
        | Stage::Expand { field, .. }
        | Stage::MakeMulti { field, .. }
        | Stage::JoinMulti { field, .. }
        | Stage::ParseJson { field, .. }
        | Stage::ParsePairs { field } => need.add([field.clone()]),
        Stage::GeoIp { field, prefix, .. } => {
            for name in crate::geoip::FIELDS {
                need.remove(&format!("{prefix}{name}"));
            }
            need.add([field.clone()]);
        }
        Stage::Lookup(lookup) => need.add(lookup.keys.iter().map(|(_, field)| field.clone())),
        Stage::Join { keys, .. } if !keys.is_empty() => need.add(keys.iter().cloned()),
        Stage::Correlate(correlation) => {
            let exprs: Vec<&Expr> = match &correlation.kind {
                CorrelationKind::Threshold { aggregates, .. } => {
                    aggregates.iter().for_each(|aggregate| need.remove(&aggregate.name));
                    need = of_aggregates(aggregates, need);
                    Vec::new()
                }
                CorrelationKind::Steps { steps, until, .. } => {
                    need.add(steps.iter().flat_map(|step| step.by.iter().cloned()));
                    steps.iter().map(|step| &step.filter).chain(until).collect()
                }
                CorrelationKind::New { fields } => {
                    need.add(fields.iter().cloned());
                    Vec::new()
                }
                CorrelationKind::Periods { aggregate, .. } => {
                    need.remove(&aggregate.name);
                    need = of_aggregates(std::slice::from_ref(aggregate), need);
                    Vec::new()
                }
            };
            need.add(exprs.into_iter().flat_map(fields_of));
            need.add(correlation.by.iter().cloned());
        }
        Stage::AppendPipe(stages) => {
            let inner = needed_before(stages, need.clone());
            match inner {
                Demand::All => need = Demand::All,
                Demand::Fields(fields) => need.add(fields),
            }
        }
        // What these look at is known only when there are rows.
        Stage::ForEach { .. } | Stage::SemiJoin { .. } | Stage::Join { .. } | Stage::WriteTable { .. } => {
            need = Demand::All;
        }
        Stage::FormatTime { .. } | Stage::Head { .. } | Stage::Tail { .. } | Stage::Reverse | Stage::Append(_) => {}
    }
    need
}

fn before_rename(from: &str, to: &str, need: &mut Demand) {
    let Demand::Fields(fields) = need else { return };
    if !has_star(from) {
        if fields.remove(to) {
            fields.insert(from.to_owned());
        }
        return;
    }
    // A name that the target's pattern covers may have been there before, or be made by the renaming.
    let sources: Vec<String> = fields.iter().filter_map(|name| substitute(to, from, name)).collect();
    fields.extend(sources);
}

fn before_keep(patterns: &[String], ordered: bool, need: Demand) -> Demand {
    match need {
        Demand::All if patterns.iter().any(|pattern| has_star(pattern)) => Demand::All,
        Demand::All => {
            let mut fields: BTreeSet<String> = patterns.iter().cloned().collect();
            if !ordered {
                fields.extend(["_time".to_owned(), "_raw".to_owned()]);
            }
            Demand::Fields(fields)
        }
        Demand::Fields(fields) => {
            let kept = |name: &String| {
                (!ordered && name.starts_with('_')) || patterns.iter().any(|pattern| matches(pattern, name))
            };
            Demand::Fields(fields.into_iter().filter(kept).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(stages: &[Stage]) -> Option<Vec<String>> {
        match needed_before(stages, Demand::All) {
            Demand::All => None,
            Demand::Fields(fields) => Some(fields.into_iter().collect()),
        }
    }

    fn rename(from: &str, to: &str) -> Stage {
        Stage::Rename(vec![(from.to_owned(), to.to_owned())])
    }

    fn table(fields: &[&str]) -> Stage {
        Stage::Keep { fields: fields.iter().map(|f| (*f).to_owned()).collect(), ordered: true }
    }

    #[test]
    fn what_is_shown_in_the_end_says_what_is_read_at_the_start() {
        for (stages, expected) in [
            (vec![], None),
            (vec![table(&["a", "b"])], Some(vec!["a", "b"])),
            (vec![rename("x{}", "a"), table(&["a"])], Some(vec!["x{}"])),
            (vec![rename("object.*", "*"), table(&["name"])], Some(vec!["name", "object.name"])),
            (vec![Stage::Head { count: 1 }, table(&["a*"])], None),
            (
                vec![Stage::GeoIp { field: "ip".into(), prefix: String::new(), all: false }, table(&["City", "x"])],
                Some(vec!["ip", "x"]),
            ),
        ] {
            let expected = expected.map(|names| names.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(need(&stages), expected, "{stages:?}");
        }
    }
}
