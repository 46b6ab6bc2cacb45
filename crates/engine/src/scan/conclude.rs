//! After the last event: searches run over what was kept, scripts' matches become findings.

use std::hash::BuildHasher;

use masthead_ir::finding::Finding;
use masthead_ir::rule::Rule;
use masthead_ir::time::{Micros, TimeRange, TimeSpec};
use masthead_query::{Input, Output, Resources, ResultRow, RunContext};
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::{Kept, OneCluster, Scan};
use crate::EngineError;
use crate::finding;
use crate::plan::PipelineRule;
use crate::report::RuleReport;
use crate::store::Store;
use crate::windows::Window;

/// What became of a scan's rules.
#[derive(Default)]
pub(super) struct Conclusion {
    pub(super) findings: Store,
    pub(super) reports: Vec<RuleReport>,
    pub(super) notes: Vec<String>,
}

impl Conclusion {
    fn note(&mut self, text: &str) {
        if !self.notes.iter().any(|note| note == text) {
            self.notes.push(text.to_owned());
        }
    }
}

impl Scan<'_> {
    /// Runs what is kept.
    pub(super) fn conclude(&mut self, mut resources: Resources, now: Micros) -> Result<Conclusion, EngineError> {
        for (slot, path) in self.plan.projection.paths().iter().enumerate() {
            self.seen.projected.insert(path.clone());
            if self.seen_slots.get(slot) == Some(&true) {
                self.seen.fields.insert(path.clone());
            }
        }
        let mut conclusion = Conclusion::default();
        let plan = self.plan;
        for &index in &plan.order {
            let Some(rule) = plan.pipelines.get(index) else { continue };
            let told = self.run_pipeline(index, rule, &mut resources, now, &mut conclusion)?;
            conclusion.reports.push(told);
        }
        let running = std::mem::take(&mut self.scripts.running);
        for (rule, running) in plan.scripts.iter().zip(running) {
            let groups = running.grouping.finish();
            let mut problems: Vec<String> = running.problem.into_iter().collect();
            if running.candidates == 0 {
                problems.extend(self.seen.blocked_log_types(&rule.script.log_types));
            }
            let told = report(&rule.rule, running.candidates, running.matches, groups.len() as u64, problems);
            conclusion.reports.push(RuleReport { diagnostics: running.faults.finish(), ..told });
            for group in &groups {
                let found = finding::from_group(&rule.rule, group, rule.trigger.alert);
                conclusion.findings.add(found).map_err(EngineError::Output)?;
            }
        }
        for (rule, reason) in &plan.refused {
            conclusion.reports.push(report(rule, 0, 0, 0, vec![format!("cannot take part: {reason}")]));
        }
        conclusion.reports.sort_by(|a, b| (&a.path, &a.rule_id).cmp(&(&b.path, &b.rule_id)));
        Ok(conclusion)
    }

    fn run_pipeline(
        &mut self,
        index: usize,
        rule: &PipelineRule,
        resources: &mut Resources,
        now: Micros,
        conclusion: &mut Conclusion,
    ) -> Result<RuleReport, EngineError> {
        let candidates = self.candidates.get(&index).copied().unwrap_or(0);
        let mut problems: Vec<String> = self.faults.remove(&index).into_iter().collect();
        let mut kept: Vec<Kept> =
            (0..rule.sources.len()).map(|source| self.kept.remove(&(index, source)).unwrap_or_default()).collect();
        let mut windows: Vec<Option<Window>> = kept.iter().flat_map(|kept| kept.keys().copied()).collect();
        windows.sort();
        windows.dedup();
        if windows.is_empty() && (rule.windows.is_none() || rule.sources.is_empty()) {
            if rule.windows.is_some() {
                problems
                    .push("it reads no events, whose times tell when it runs: it ran once, over everything".to_owned());
            }
            windows.push(None);
        }
        let mut found = Found {
            rule,
            window: String::new(),
            cluster: self.clusters.get(&index).and_then(OneCluster::name),
            count: 0,
            twins: FxHashMap::default(),
            failed: None,
        };
        for window in windows {
            let inputs: Result<Vec<Input>, _> = kept
                .iter_mut()
                .zip(&rule.sources)
                .map(|(kept, source)| match kept.remove(&window) {
                    Some(builder) => builder.finish(),
                    None => Ok(Input::empty(&source.demand)),
                })
                .collect();
            found.window = window.map(|w| w.run_at.to_string()).unwrap_or_default();
            found.twins.clear();
            let context = context(window, now);
            let output = inputs.map_err(|error| error.to_string()).and_then(|inputs| {
                let mut each = |row| found.take(&row, &mut conclusion.findings);
                masthead_query::run_each(&rule.pipeline, inputs, resources, &context, &mut each)
                    .map_err(|error| error.to_string())
            });
            match output {
                Ok(output) => tell(output, resources, &mut problems, conclusion),
                Err(error) => problems.push(error),
            }
            if let Some(failed) = found.failed.take() {
                return Err(EngineError::Output(failed));
            }
        }
        if candidates == 0 && found.count == 0 {
            problems.extend(rule.sources.iter().find_map(|source| self.seen.blocker(&source.filter)));
        }
        problems.dedup();
        let findings = if rule.silent { 0 } else { found.count };
        Ok(report(&rule.rule, candidates, found.count, findings, problems))
    }
}

/// The findings of one rule's rows.
struct Found<'r> {
    rule: &'r PipelineRule,
    window: String,
    cluster: Option<String>,
    count: u64,
    /// How many rows had one key, by a hash of it.
    twins: FxHashMap<u64, u64>,
    failed: Option<std::io::Error>,
}

impl Found<'_> {
    fn take(&mut self, row: &ResultRow, findings: &mut Store) {
        self.count += 1;
        if self.rule.silent || self.failed.is_some() {
            return;
        }
        let keys = self.rule.key.as_deref();
        let key = finding::row_key(row, keys);
        let twin = self.twins.entry(FxBuildHasher.hash_one(&key)).or_default();
        let finding = finding::from_row(&self.rule.rule, row, &key, &self.window, *twin);
        *twin += 1;
        self.failed = findings.add(Finding { cluster: self.cluster.clone(), ..finding }).err();
    }
}

/// What a search says beside its rows; what it wrote is there for the searches after it.
fn tell(output: Output, resources: &mut Resources, problems: &mut Vec<String>, conclusion: &mut Conclusion) {
    if output.geoip_missing {
        conclusion.note("places of addresses are empty: no database was given with --geoip");
    }
    if output.metrics_missing {
        problems.push("it reads metrics, and none were given with --metrics".to_owned());
    }
    if let Some(patterns) = output.unmatched.as_ref().filter(|_| !output.metrics_missing) {
        problems.push(format!("no field matches `{patterns}`, for each of which it does something"));
    }
    if output.truncated {
        problems.push("an inner search gave more than 50,000 rows; the rest was not used".to_owned());
    }
    if let Some(field) = output.emptied_by.as_ref().filter(|_| !output.metrics_missing) {
        problems.push(format!("no row had `{field}`, by which it groups, so that every row was dropped"));
    }
    for (name, table, append) in output.written {
        resources.write(&name, table, append);
    }
}

fn context(window: Option<Window>, now: Micros) -> RunContext {
    match window {
        Some(window) => RunContext {
            now: window.run_at,
            range: TimeRange {
                earliest: Some(TimeSpec::At(window.earliest)),
                latest: Some(TimeSpec::At(window.latest)),
            },
        },
        None => RunContext { now, range: TimeRange { earliest: None, latest: None } },
    }
}

fn report(rule: &Rule, candidates: u64, matches: u64, findings: u64, problems: Vec<String>) -> RuleReport {
    RuleReport {
        rule_id: rule.id.clone(),
        name: rule.name.clone(),
        path: rule.path.clone(),
        candidates,
        matches,
        findings,
        problems,
        diagnostics: Vec::new(),
    }
}
