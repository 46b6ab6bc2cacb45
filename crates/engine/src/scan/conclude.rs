//! After the last event: searches run over what was kept, scripts' matches become findings.

use masthead_ir::rule::Rule;
use masthead_ir::time::{Micros, TimeRange, TimeSpec};
use masthead_query::{EventRow, Form, Input, InputBuilder, Output, Resources, ResultRow, RunContext};

use super::{Kept, Scan};
use crate::evidence::Twins;
use crate::exceptions::{self, Fields};
use crate::plan::PipelineRule;
use crate::report::RuleReport;
use crate::store::Store;
use crate::throttle::Throttle;
use crate::windows::Window;
use crate::{EngineError, evidence, finding};

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
        self.keep_first_seen();
        self.run_pipelines(&mut resources, now, &mut conclusion)?;
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

    /// Runs every window of every pipeline, in the order of time: what one writes to a table, a later one reads.
    fn run_pipelines(
        &mut self,
        resources: &mut Resources,
        now: Micros,
        conclusion: &mut Conclusion,
    ) -> Result<(), EngineError> {
        let plan = self.plan;
        let mut states: Vec<Found<'_>> = Vec::new();
        let mut runs: Vec<(Micros, usize, Option<Window>)> = Vec::new();
        for &index in &plan.order {
            let Some(rule) = plan.pipelines.get(index) else { continue };
            let found = self.found(index, rule);
            let at = |window: &Option<Window>| window.map_or(Micros::MAX, |window| window.run_at);
            runs.extend(found.windows().into_iter().map(|window| (at(&window), states.len(), window)));
            states.push(found);
        }
        runs.sort();
        for (_, at, window) in runs {
            let Some(found) = states.get_mut(at) else { continue };
            found.run(window, resources, now, conclusion)?;
        }
        for mut found in states {
            if found.candidates == 0 && found.count == 0 {
                found.problems.extend(found.rule.sources.iter().find_map(|source| self.seen.blocker(&source.filter)));
            }
            found.problems.dedup();
            let findings = if found.rule.silent { 0 } else { found.findings };
            conclusion.reports.push(report(&found.rule.rule, found.candidates, found.count, findings, found.problems));
        }
        Ok(())
    }

    /// Puts the first events of combinations where the rows of other pipelines are.
    fn keep_first_seen(&mut self) {
        for (index, first_seen) in std::mem::take(&mut self.first_seen) {
            let Some(source) = self.plan.pipelines.get(index).and_then(|own| own.sources.first()) else { continue };
            let mut builder = InputBuilder::new(&source.demand, self.budget);
            for (values, time, mark) in first_seen.finish() {
                let row = EventRow { time: Some(time), audit_id: &mark, values: &values };
                if let Err(error) = builder.push(&row) {
                    self.faults.entry(index).or_insert_with(|| error.to_string());
                }
            }
            self.kept.entry((index, 0)).or_default().insert(None, builder);
        }
    }

    fn found<'r>(&mut self, index: usize, rule: &'r PipelineRule) -> Found<'r> {
        let kept = (0..rule.sources.len()).map(|source| self.kept.remove(&(index, source)).unwrap_or_default());
        Found {
            rule,
            kept: kept.collect(),
            candidates: self.candidates.get(&index).copied().unwrap_or(0),
            problems: self.faults.remove(&index).into_iter().collect(),
            throttle: Throttle::new(rule.rule.finding.throttle.as_ref()),
            count: 0,
            findings: 0,
        }
    }
}

/// One pipeline: what was kept for it, and what it finds.
struct Found<'r> {
    rule: &'r PipelineRule,
    kept: Vec<Kept>,
    candidates: u64,
    problems: Vec<String>,
    throttle: Throttle,
    /// Rows that came out.
    count: u64,
    findings: u64,
}

impl Found<'_> {
    fn windows(&self) -> Vec<Option<Window>> {
        let mut windows: Vec<Option<Window>> = self.kept.iter().flat_map(|kept| kept.keys().copied()).collect();
        windows.sort();
        windows.dedup();
        if windows.is_empty() && (self.rule.windows.is_none() || self.rule.sources.is_empty()) {
            windows.push(None);
        }
        windows
    }

    fn run(
        &mut self,
        window: Option<Window>,
        resources: &mut Resources,
        now: Micros,
        conclusion: &mut Conclusion,
    ) -> Result<(), EngineError> {
        let rule = self.rule;
        if window.is_none() && rule.windows.is_some() && rule.sources.is_empty() {
            let told = "it reads no events, whose times tell when it runs: it ran once, over everything";
            self.problems.push(told.to_owned());
        }
        let inputs: Result<Vec<Input>, _> = self
            .kept
            .iter_mut()
            .zip(&rule.sources)
            .map(|(kept, source)| match kept.remove(&window) {
                Some(builder) => builder.finish(),
                None => Ok(Input::empty(&source.demand)),
            })
            .collect();
        let context = context(window, now);
        let mut taken = Taken { found: self, window, twins: Twins::default(), failed: None };
        let output = inputs.map_err(|error| error.to_string()).and_then(|inputs| {
            let mut each = |row| taken.take(&row, &mut conclusion.findings);
            masthead_query::run_each(&rule.pipeline, inputs, resources, &context, &mut each)
                .map_err(|error| error.to_string())
        });
        if let Some(failed) = taken.failed.take() {
            return Err(EngineError::Output(failed));
        }
        match output {
            Ok(output) => tell(output, resources, &mut self.problems, conclusion),
            Err(error) => self.problems.push(error),
        }
        Ok(())
    }
}

/// Takes the rows of one run.
struct Taken<'f, 'r> {
    found: &'f mut Found<'r>,
    window: Option<Window>,
    twins: Twins,
    failed: Option<std::io::Error>,
}

impl Taken<'_, '_> {
    fn take(&mut self, row: &ResultRow, findings: &mut Store) {
        let rule = self.found.rule;
        self.found.count += 1;
        if rule.silent || self.failed.is_some() {
            return;
        }
        if exceptions::suppressed(&rule.exceptions, &Fields(row), row.last) {
            return;
        }
        let name = match self.window {
            _ if rule.form == Form::Rows => evidence::own_window(row),
            // A group may be found several times, each with a beginning of its own.
            _ if rule.pipeline.correlates() => row.first.map(|t| t.to_string()).unwrap_or_default(),
            Some(window) => window.run_at.to_string(),
            None => String::new(),
        };
        let finding = evidence::finding(rule, row, &name, &mut self.twins);
        if self.window.is_some_and(|window| self.found.throttle.holds_back(row, window.run_at)) {
            return;
        }
        self.found.findings += 1;
        self.failed = findings.add(finding).err();
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
