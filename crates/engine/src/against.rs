//! Rules against real logs: which of their fields and values any event ever had.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use masthead_event::projection::{Projection, ProjectionBuffer};
use masthead_ir::eval::Context;
use masthead_ir::pattern::Pattern;
use masthead_ir::pipeline::{Pipeline, Source, Stage};
use masthead_ir::rule::{Body, Rule, RuleSet};
use masthead_ir::{Expr, FieldPath};
use masthead_matcher::{ConditionKind, Matcher, MatcherBuilder, Scratch};

use crate::EngineError;
use crate::options::ScanOptions;
use crate::report::Progress;
use crate::sift::Matched;

/// What a log held of a rule.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The rule.
    pub rule: Arc<Rule>,
    /// How many events met its condition, or for scripts what could be read off it.
    pub events: u64,
    /// Fields that it reads and no event had.
    pub absent_fields: Vec<FieldPath>,
    /// Tests of fields that some event had, which no event passed.
    pub unmet: Vec<(FieldPath, Pattern)>,
}

/// Holds rules against logs. Gives how many events there were, and what was seen of each rule that can run.
///
/// # Errors
/// When an input cannot be read, or the rules cannot be run together.
pub fn against(
    rules: &RuleSet,
    inputs: &[PathBuf],
    options: &ScanOptions,
    progress: &dyn Progress,
) -> Result<(u64, Vec<Seen>), EngineError> {
    let mut asked = Asked::new(rules)?;
    let read = crate::events::each_event(inputs, options, progress, &mut |event| asked.look(event))?;
    Ok((read, asked.finish()))
}

/// The conditions of rules and every test in them, in one matcher.
struct Asked {
    rules: Vec<Own>,
    matcher: Matcher,
    projection: Projection,
    buffer: ProjectionBuffer,
    scratch: Scratch,
    /// By condition of the matcher.
    hits: Vec<u64>,
}

struct Own {
    rule: Arc<Rule>,
    /// Conditions that are its filters.
    filters: Vec<usize>,
    /// Its tests, and the conditions that ask for each, and for its field.
    tests: Vec<(FieldPath, Pattern, usize)>,
    fields: Vec<(FieldPath, usize)>,
}

impl Asked {
    fn new(rules: &RuleSet) -> Result<Asked, EngineError> {
        let mut builder = MatcherBuilder::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut count = 0_usize;
        let mut ask = |expr: &Expr, kind: ConditionKind| -> Option<usize> {
            let name = format!("{kind:?} {expr:?}");
            if let Some(at) = known.get(&name) {
                return Some(*at);
            }
            builder.add(kind, &[], expr).ok()?;
            known.insert(name, count);
            count += 1;
            Some(count - 1)
        };
        let mut own = Vec::new();
        for rule in rules.rules.iter().filter_map(|compiled| compiled.rule.clone()) {
            let (conditions, kind) = match &rule.body {
                Body::Pipeline(pipeline) => (filters(pipeline), ConditionKind::Filter),
                Body::Script(script, _) => (vec![script.guard.clone()], ConditionKind::Guard),
            };
            let (mut tests, mut fields) = (Vec::new(), Vec::new());
            for (field, pattern) in conditions.iter().flat_map(tests_of) {
                let there = Expr::Test { field: field.clone(), pattern: Pattern::Present };
                let test = Expr::Test { field: field.clone(), pattern: pattern.clone() };
                if let Some(at) = ask(&there, ConditionKind::Filter)
                    && !fields.iter().any(|(known, _)| *known == field)
                {
                    fields.push((field.clone(), at));
                }
                if let Some(at) = ask(&test, ConditionKind::Filter)
                    && !tests.iter().any(|(f, p, _)| *f == field && *p == pattern)
                {
                    tests.push((field, pattern, at));
                }
            }
            let filters = conditions.iter().filter_map(|condition| ask(condition, kind)).collect();
            own.push(Own { rule, filters, tests, fields });
        }
        let matcher = builder.build().map_err(|error| EngineError::Nothing(error.to_string()))?;
        let projection = Projection::new(matcher.fields().to_vec());
        Ok(Asked {
            rules: own,
            matcher,
            projection,
            buffer: ProjectionBuffer::default(),
            scratch: Scratch::new(Context { now: 0 }),
            hits: vec![0; count],
        })
    }

    fn look(&mut self, event: &masthead_event::EventRef<'_>) {
        let json = if event.text { b"{}" } else { event.raw };
        // What cannot be read passes nothing.
        let Ok(row) = self.projection.project(json, &mut self.buffer) else { return };
        let source = Matched::of(row, event);
        for condition in self.matcher.evaluate(&mut self.scratch, &source) {
            if let Some(hits) = self.hits.get_mut(condition.index()) {
                *hits += 1;
            }
        }
    }

    fn finish(self) -> Vec<Seen> {
        let hits = |at: usize| self.hits.get(at).copied().unwrap_or(0);
        let seen = |own: &Own| {
            let absent: Vec<FieldPath> =
                own.fields.iter().filter(|(_, at)| hits(*at) == 0).map(|(field, _)| field.clone()).collect();
            let unmet = own.tests.iter().filter(|(field, _, at)| hits(*at) == 0 && !absent.contains(field));
            Seen {
                rule: own.rule.clone(),
                events: own.filters.iter().map(|at| hits(*at)).sum(),
                unmet: unmet.map(|(field, pattern, _)| (field.clone(), pattern.clone())).collect(),
                absent_fields: absent,
            }
        };
        self.rules.iter().map(seen).collect()
    }
}

/// The conditions on events of a pipeline and of those inside of it.
fn filters(pipeline: &Pipeline) -> Vec<Expr> {
    let mut found = Vec::new();
    if let Source::Events { filter, .. } = &pipeline.source {
        found.push(filter.clone());
    }
    for stage in &pipeline.stages {
        match stage {
            Stage::Join { right, .. } | Stage::SemiJoin { right, .. } | Stage::Append(right) => {
                found.extend(filters(right));
            }
            _ => {}
        }
    }
    found
}

/// The tests that a condition needs to hold, with the single patterns of alternatives. What is negated must not be seen.
fn tests_of(condition: &Expr) -> Vec<(FieldPath, Pattern)> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![condition];
    while let Some(expr) = open.pop() {
        match expr {
            Expr::And(parts) | Expr::Or(parts) => open.extend(parts.iter().rev()),
            Expr::Test { field, pattern } => {
                let single = match pattern {
                    Pattern::AnyOf(patterns) => patterns.clone(),
                    one => vec![one.clone()],
                };
                for pattern in single {
                    if seen.insert(format!("{field:?} {pattern:?}")) {
                        found.push((field.clone(), pattern));
                    }
                }
            }
            _ => {}
        }
    }
    found
}
