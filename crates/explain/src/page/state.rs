//! What a rule keeps between events.

use masthead_ir::pipeline::{CorrelationKind, Pipeline, Source, Stage};
use masthead_ir::rule::{Body, Rule};
use masthead_ir::time::Micros;
use serde::Serialize;

use crate::words::time::duration;
use crate::words::wording::{columns, counted, plain_column, quoted};

/// What a rule keeps between events.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct State {
    /// Whether it judges single events and keeps nothing.
    pub single_events: bool,
    /// All of it in sentences.
    pub text: Vec<String>,
    /// How far it looks back, in seconds; none where its timetable says it.
    pub window_seconds: Option<f64>,
    /// What it keeps apart.
    pub groups: Vec<String>,
    /// The tables that it reads.
    pub tables_read: Vec<String>,
    /// The tables that it writes.
    pub tables_written: Vec<String>,
}

pub(super) fn state(rule: &Rule) -> State {
    let mut state = State::default();
    match &rule.body {
        Body::Script(_, trigger) => {
            if trigger.threshold > 1 {
                state.window_seconds = Some(trigger.period_minutes as f64 * 60.0);
                state.text.push(format!(
                    "It counts matches with the same dedup string: {} within {} make a finding.",
                    trigger.threshold,
                    counted(trigger.period_minutes, "minute")
                ));
            }
        }
        Body::Pipeline(pipeline) => {
            let mut keeps = Keeps::default();
            keeps.pipeline(pipeline);
            keeps.tell(rule.schedule.is_some(), &mut state);
        }
    }
    if state.text.is_empty() {
        state.single_events = true;
        state.text.push("It judges single events and keeps nothing between them.".to_owned());
    }
    state
}

#[derive(Default)]
struct Keeps {
    window: Option<Micros>,
    gathers: bool,
    groups: Vec<String>,
    read: Vec<String>,
    written: Vec<String>,
}

impl Keeps {
    fn pipeline(&mut self, pipeline: &Pipeline) {
        match &pipeline.source {
            Source::Events { .. } | Source::Once => {}
            Source::Metrics(metrics) => {
                self.gathers = true;
                self.group(&metrics.by);
            }
            Source::Table { name, .. } => add(&mut self.read, name),
        }
        pipeline.stages.iter().for_each(|stage| self.stage(stage));
    }

    fn stage(&mut self, stage: &Stage) {
        match stage {
            Stage::Aggregate(inner) | Stage::Annotate(inner) | Stage::Running { aggregation: inner, .. } => {
                self.gathers = true;
                self.group(&inner.by);
            }
            Stage::Pivot(pivot) => {
                self.gathers = true;
                pivot.over.iter().chain(&pivot.by).for_each(|name| self.group(std::slice::from_ref(name)));
            }
            Stage::Dedup { fields, .. } | Stage::Frequent { fields, .. } => {
                self.gathers = true;
                self.group(fields);
            }
            Stage::Correlate(correlation) => {
                let length = match &correlation.kind {
                    CorrelationKind::Periods { of, .. } => correlation.within.saturating_mul(i64::from(*of)),
                    _ => correlation.within,
                };
                self.window = self.window.max(Some(length));
                self.group(&correlation.by);
            }
            Stage::Lookup(join) => add(&mut self.read, &join.table),
            Stage::WriteTable { name, .. } => add(&mut self.written, name),
            Stage::Join { right, .. } => {
                self.gathers = true;
                self.pipeline(right);
            }
            Stage::Append(right) | Stage::SemiJoin { right, .. } => self.pipeline(right),
            Stage::AppendPipe(inner) => inner.iter().for_each(|stage| self.stage(stage)),
            _ => {}
        }
    }

    fn group(&mut self, names: &[String]) {
        names.iter().for_each(|name| add(&mut self.groups, &plain_column(name)));
    }

    fn tell(self, scheduled: bool, state: &mut State) {
        let apart = if self.groups.is_empty() {
            String::new()
        } else {
            format!(", apart for each {}", columns(&self.groups, usize::MAX))
        };
        if let Some(window) = self.window {
            state.text.push(format!("It keeps what happened within {}{apart}.", duration(window)));
        } else if self.gathers {
            let of = if scheduled { "of each run's window" } else { "of what it is run over" };
            state.text.push(format!("It gathers the events {of}{apart}."));
        }
        if !self.read.is_empty() {
            state.text.push(format!("It reads {}.", tables(&self.read)));
        }
        if !self.written.is_empty() {
            state.text.push(format!("It writes {}.", tables(&self.written)));
        }
        state.window_seconds = self.window.map(|micros| micros as f64 / 1e6);
        state.groups = self.groups;
        state.tables_read = self.read;
        state.tables_written = self.written;
    }
}

fn tables(names: &[String]) -> String {
    let word = if names.len() == 1 { "table" } else { "tables" };
    format!("the {word} {}", quoted(names, "and", usize::MAX))
}

fn add(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}
