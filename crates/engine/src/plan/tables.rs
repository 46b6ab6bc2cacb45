//! Lookup tables between rules: who writes what others read.

use std::collections::BTreeSet;
use std::sync::Arc;

use masthead_ir::pipeline::{Pipeline, Source, Stage};
use masthead_ir::rule::{Body, Rule};

use super::PipelineRule;

/// The names of tables that a pipeline reads and writes.
#[derive(Debug, Default, PartialEq)]
struct Tables {
    read: BTreeSet<String>,
    written: BTreeSet<String>,
}

impl Tables {
    fn of(pipeline: &Pipeline) -> Tables {
        let mut tables = Tables::default();
        tables.pipeline(pipeline);
        tables
    }

    fn of_rule(rule: &Rule) -> Tables {
        match &rule.body {
            Body::Pipeline(pipeline) => Tables::of(pipeline),
            Body::Script(..) => Tables::default(),
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline) {
        if let Source::Table { name, .. } = &pipeline.source {
            self.read.insert(name.clone());
        }
        self.stages(&pipeline.stages);
    }

    fn stages(&mut self, stages: &[Stage]) {
        for stage in stages {
            match stage {
                Stage::Lookup(join) => {
                    self.read.insert(join.table.clone());
                }
                Stage::WriteTable { name, .. } => {
                    self.written.insert(name.clone());
                }
                Stage::Join { right, .. } | Stage::Append(right) | Stage::SemiJoin { right, .. } => {
                    self.pipeline(right)
                }
                Stage::AppendPipe(stages) => self.stages(stages),
                _ => {}
            }
        }
    }
}

/// Those of the rules that are off whose tables are read by the others.
pub(super) fn feeding(running: &[Arc<Rule>], off: Vec<Arc<Rule>>) -> Vec<Arc<Rule>> {
    let mut wanted: BTreeSet<String> = running.iter().flat_map(|rule| Tables::of_rule(rule).read).collect();
    let mut waiting = off;
    let mut feeding = Vec::new();
    loop {
        let feeds = |rule: &Arc<Rule>| !Tables::of_rule(rule).written.is_disjoint(&wanted);
        let (found, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(feeds);
        if found.is_empty() {
            return feeding;
        }
        wanted.extend(found.iter().flat_map(|rule| Tables::of_rule(rule).read));
        feeding.extend(found);
        waiting = rest;
    }
}

/// An order in which each table is written before it is read, where there is one; else that of the rules.
pub(super) fn order(pipelines: &[PipelineRule]) -> Vec<usize> {
    let tables: Vec<Tables> = pipelines.iter().map(|rule| Tables::of(&rule.pipeline)).collect();
    let mut waiting: Vec<usize> = (0..pipelines.len()).collect();
    let mut order = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let ready = |at: &usize| {
            let others = waiting.iter().filter(|other| *other != at);
            others.clone().all(|other| tables[*other].written.is_disjoint(&tables[*at].read))
        };
        let next = waiting.iter().position(ready).unwrap_or(0);
        order.push(waiting.remove(next));
    }
    order
}
