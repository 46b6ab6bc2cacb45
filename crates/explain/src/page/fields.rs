//! The fields of events that a rule reads, and how much of requests must be audited for them to be there.

use std::collections::{BTreeMap, BTreeSet};

use masthead_ir::Expr;
use masthead_ir::expr::FieldPath;
use masthead_ir::pipeline::{
    Aggregate, AggregateInput, Correlation, CorrelationKind, LookupJoin, Pipeline, SortKey, Source, Stage,
};
use masthead_ir::rule::{Body, Rule};
use serde::Serialize;

use crate::words::wording::{plain, plain_column};

/// The level at which requests must be audited for a field to be there (Kubernetes, "Auditing").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum FieldLevel {
    /// Who did what, when, and how it was answered.
    Metadata,
    /// The body of the request too.
    Request,
    /// The body of the answer too.
    RequestResponse,
}

/// What a field is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldRole {
    /// Whether the rule fires depends on it.
    Decides,
    /// A finding shows it.
    Shown,
}

/// A field of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldUse {
    /// The field, as people write it.
    pub field: String,
    /// The level that it needs.
    pub level: FieldLevel,
    /// What it is read for.
    pub role: FieldRole,
}

/// The fields of a rule: those that decide first, each once.
pub(super) fn fields(rule: &Rule) -> Vec<FieldUse> {
    let mut reader = Reader::default();
    match &rule.body {
        Body::Script(script, trigger) => {
            reader.expr(&script.guard);
            reader.columns(FieldRole::Shown, &trigger.summary);
        }
        Body::Pipeline(pipeline) => {
            reader.pipeline(pipeline);
            let entities = rule.finding.entities.iter().map(|entity| &entity.field);
            reader.columns(FieldRole::Shown, entities);
        }
    }
    let Reader { mut found, .. } = reader;
    found.sort_by_key(|field| field.role == FieldRole::Shown);
    found
}

/// The level that a field needs.
fn level(field: &str) -> FieldLevel {
    let top = field.split('.').next().unwrap_or(field);
    if top.eq_ignore_ascii_case("requestObject") {
        FieldLevel::Request
    } else if top.eq_ignore_ascii_case("responseObject") {
        FieldLevel::RequestResponse
    } else {
        FieldLevel::Metadata
    }
}

/// The columns that stages make: tests of these ask nothing of an event.
pub(super) fn made(pipeline: &Pipeline) -> BTreeSet<String> {
    let mut reader = Reader::default();
    reader.pipeline(pipeline);
    reader.made
}

#[derive(Default)]
struct Reader {
    found: Vec<FieldUse>,
    made: BTreeSet<String>,
    /// What columns are made of.
    sources: BTreeMap<String, Vec<String>>,
}

impl Reader {
    fn pipeline(&mut self, pipeline: &Pipeline) {
        match &pipeline.source {
            Source::Events { filter, .. } => self.expr(filter),
            // Neither measurements nor tables hold events: what they have is known, not read.
            Source::Metrics(metrics) => {
                self.made.extend(metrics.filter.fields().iter().map(plain));
                self.makes(metrics.by.iter());
                self.makes(metrics.aggregates.iter().map(|one| &one.name));
            }
            Source::Table { .. } | Source::Once => {}
        }
        self.stages(&pipeline.stages);
    }

    fn stages(&mut self, stages: &[Stage]) {
        for stage in stages {
            self.stage(stage);
        }
    }

    fn stage(&mut self, stage: &Stage) {
        match stage {
            Stage::Filter(expr) => self.expr(expr),
            Stage::Assign { field, expr } => self.computes(expr, field),
            Stage::Aggregate(inner) | Stage::Annotate(inner) | Stage::Running { aggregation: inner, .. } => {
                self.decides(&inner.by);
                self.aggregates(&inner.aggregates);
            }
            Stage::Pivot(pivot) => {
                self.decides(pivot.over.iter().chain(&pivot.by));
                self.aggregates(&pivot.aggregates);
            }
            Stage::Rename(pairs) => {
                pairs.iter().for_each(|(from, to)| self.derives(&[plain_column(from)], [to]));
            }
            Stage::Keep { fields, .. } => self.columns(FieldRole::Shown, fields),
            Stage::Sort { keys, .. } => self.keys(keys),
            Stage::Dedup { fields, sort, .. } => {
                self.decides(fields);
                self.keys(sort);
            }
            Stage::Frequent { fields, by, count_field, percent_field, .. } => {
                self.decides(fields.iter().chain(by));
                self.makes(count_field.iter().chain(percent_field));
            }
            Stage::Lookup(join) => self.lookup(join),
            Stage::Join { right, keys, .. } => {
                self.decides(keys);
                self.pipeline(right);
            }
            Stage::Append(right) | Stage::SemiJoin { right, .. } => self.pipeline(right),
            Stage::AppendPipe(inner) => self.stages(inner),
            Stage::Correlate(correlation) => self.correlation(correlation),
            other => self.one_field(other),
        }
    }

    /// Stages that read one field and make others of it.
    fn one_field(&mut self, stage: &Stage) {
        match stage {
            Stage::Extract { field, regex, .. } => {
                self.derives(&[plain_column(field)], groups(regex).iter());
            }
            Stage::Bin { field, target, .. } => self.derives(&[plain_column(field)], [target]),
            Stage::ParseJson { field, path, output } => {
                self.derives(&[plain_column(field)], output.iter().chain(path));
            }
            Stage::Rewrite { field, .. }
            | Stage::Expand { field, .. }
            | Stage::MakeMulti { field, .. }
            | Stage::JoinMulti { field, .. }
            | Stage::ParsePairs { field } => self.columns(FieldRole::Shown, [field]),
            Stage::GeoIp { field, prefix, .. } => {
                let names = ["Country", "City", "Region", "lat", "lon", "Continent", "MetroCode", "Timezone"];
                self.derives(&[plain_column(field)], names.map(|name| format!("{prefix}{name}")).iter());
            }
            Stage::ForEach { body, .. } => {
                body.assignments.iter().for_each(|(field, expr)| self.computes(expr, field));
            }
            _ => {}
        }
    }

    fn lookup(&mut self, join: &LookupJoin) {
        let keys: Vec<String> = join.keys.iter().map(|(_, field)| plain_column(field)).collect();
        self.derives(&keys, join.outputs.iter().map(|(_, field)| field));
    }

    fn correlation(&mut self, correlation: &Correlation) {
        match &correlation.kind {
            CorrelationKind::Threshold { aggregates, condition } => {
                self.aggregates(aggregates);
                self.expr(condition);
            }
            CorrelationKind::Periods { aggregate, condition, .. } => {
                self.aggregates(std::slice::from_ref(aggregate));
                self.expr(condition);
            }
            CorrelationKind::Steps { steps, until, .. } => {
                for step in steps {
                    self.expr(&step.filter);
                    self.decides(&step.by);
                }
                until.iter().for_each(|until| self.expr(until));
                // The fields of the group may be names that steps give their own fields.
                if steps.iter().all(|step| !step.by.is_empty()) {
                    self.makes(&correlation.by);
                }
            }
            CorrelationKind::New { fields } => self.decides(fields),
        }
        self.decides(&correlation.by);
    }

    fn aggregates(&mut self, aggregates: &[Aggregate]) {
        for aggregate in aggregates {
            match &aggregate.input {
                AggregateInput::Rows => self.makes([&aggregate.name]),
                AggregateInput::Field(field) => self.derives(&[plain_column(field)], [&aggregate.name]),
                AggregateInput::Expr(expr) => self.computes(expr, &aggregate.name),
            }
        }
    }

    fn keys(&mut self, keys: &[SortKey]) {
        self.columns(FieldRole::Shown, keys.iter().map(|key| &key.field));
    }

    fn expr(&mut self, expr: &Expr) {
        for field in expr.fields() {
            self.field(FieldRole::Decides, plain(&field));
        }
    }

    fn computes(&mut self, expr: &Expr, target: &String) {
        let from: Vec<String> = expr.fields().iter().map(plain).collect();
        self.derives(&from, [target]);
    }

    /// Columns are made of fields: these decide once one of the columns does.
    fn derives<'n>(&mut self, from: &[String], targets: impl IntoIterator<Item = &'n String>) {
        from.iter().for_each(|field| self.field(FieldRole::Shown, field.clone()));
        for target in targets {
            self.sources.entry(plain_column(target)).or_default().extend_from_slice(from);
            self.makes([target]);
        }
    }

    fn decides<'n>(&mut self, names: impl IntoIterator<Item = &'n String>) {
        self.columns(FieldRole::Decides, names);
    }

    fn columns<'n>(&mut self, role: FieldRole, names: impl IntoIterator<Item = &'n String>) {
        for name in names {
            let field = FieldPath::of_column(name);
            self.field(role, plain(&field));
        }
    }

    fn field(&mut self, role: FieldRole, field: String) {
        if role == FieldRole::Decides {
            // Taken out, so that columns made of themselves end the walk.
            let sources = self.sources.remove(&field).unwrap_or_default();
            sources.into_iter().for_each(|source| self.field(FieldRole::Decides, source));
        }
        if field.is_empty() || field.contains('*') || field.contains("<<") || self.made.contains(&field) {
            return;
        }
        match self.found.iter_mut().find(|known| known.field == field) {
            Some(known) if role == FieldRole::Decides => known.role = role,
            Some(_) => {}
            None => self.found.push(FieldUse { level: level(&field), field, role }),
        }
    }

    fn makes<'n>(&mut self, names: impl IntoIterator<Item = &'n String>) {
        // What is read as a field of events already stays one.
        let new = names.into_iter().map(|name| plain_column(name));
        let known: BTreeSet<&String> = self.found.iter().map(|found| &found.field).collect();
        let new: Vec<String> = new.filter(|name| !known.contains(name)).collect();
        self.made.extend(new);
    }
}

/// The named groups of a regular expression, none if it is faulty.
fn groups(regex: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in regex.match_indices("(?") {
        let rest = regex.get(at + 2..).unwrap_or_default();
        let rest = rest.strip_prefix('P').unwrap_or(rest);
        let name = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')).map(|(name, _)| name);
        names.extend(name.filter(|name| !name.starts_with(['=', '!'])).map(str::to_owned));
    }
    names
}
