//! What a scan runs: the rules that take part, their conditions in one matcher, the fields that each part reads.

mod tables;

use std::sync::Arc;

use masthead_event::projection::Projection;
use masthead_ir::FieldPath;
use masthead_ir::pipeline::Pipeline;
use masthead_ir::rule::{Body, Compiled, Rule, RuleSet, Script, Trigger};
use masthead_matcher::{ConditionKind, Matcher, MatcherBuilder};
use masthead_query::{Demand, EventSource, Form};

use crate::exceptions::{Exception, Exceptions};
use crate::finding::key_fields;
use crate::options::Windows as WindowMode;
use crate::windows::Windows;

/// Who is told when a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// The event source `source` of the pipeline `pipeline`.
    Source {
        /// Index in [`Plan::pipelines`].
        pipeline: usize,
        /// Index in [`PipelineRule::sources`].
        source: usize,
    },
    /// A script: index in [`Plan::scripts`].
    Script(usize),
}

/// A rule whose body is a pipeline.
#[derive(Debug)]
pub(crate) struct PipelineRule {
    pub(crate) rule: Arc<Rule>,
    pub(crate) pipeline: Pipeline,
    pub(crate) sources: Vec<EventSource>,
    /// By source, the columns that it demands by name; none for one that demands whole events.
    pub(crate) fetched: Vec<Option<Vec<Fetched>>>,
    /// Fields of the result that say what a row is about.
    pub(crate) key: Option<Vec<String>>,
    /// The windows of its schedule; none: it sees the whole input.
    pub(crate) windows: Option<Windows>,
    /// Exceptions that are of it.
    pub(crate) exceptions: Vec<Arc<Exception>>,
    /// What it can do as events come.
    pub(crate) form: Form,
    /// Whether it runs only to fill a lookup table that another rule reads: its rows are no findings.
    pub(crate) silent: bool,
}

/// A column that a source demands.
#[derive(Debug, Clone)]
pub(crate) struct Fetched {
    pub(crate) name: Arc<str>,
    /// The slot of [`Plan::wanted`]; none if the envelope has it.
    pub(crate) slot: Option<usize>,
    /// Whether JSON null is a value.
    pub(crate) nulls: bool,
}

/// A rule whose body is a script.
#[derive(Debug)]
pub(crate) struct ScriptRule {
    pub(crate) rule: Arc<Rule>,
    pub(crate) script: Script,
    pub(crate) trigger: Trigger,
    pub(crate) exceptions: Vec<Arc<Exception>>,
}

/// What a scan runs.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) pipelines: Vec<PipelineRule>,
    /// The pipelines in the order in which they run: what writes a lookup table before what reads it.
    pub(crate) order: Vec<usize>,
    pub(crate) scripts: Vec<ScriptRule>,
    /// By condition of the matcher.
    pub(crate) targets: Vec<Target>,
    pub(crate) matcher: Matcher,
    /// Fields of every event: what the matcher reads (its slots come first), then [`Identity`]'s.
    pub(crate) projection: Projection,
    pub(crate) identity: Identity,
    /// Fields of events that some pipeline wants.
    pub(crate) wanted: Projection,
    /// Rules that could not take part after all, with the reason.
    pub(crate) refused: Vec<(Arc<Rule>, String)>,
}

/// Slots of what tells an event from others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity {
    pub(crate) audit_id: usize,
    pub(crate) stage: usize,
    pub(crate) received: usize,
    pub(crate) staged: usize,
    pub(crate) verb: usize,
    pub(crate) uri: usize,
    pub(crate) user: usize,
    pub(crate) code: usize,
}

/// Names of [`Identity`]'s slots, in its order.
const IDENTITY: [&str; 8] = [
    "auditID",
    "stage",
    "requestReceivedTimestamp",
    "stageTimestamp",
    "verb",
    "requestURI",
    "user.username",
    "responseStatus.code",
];

/// Fields that no event has by itself: its envelope, time and text.
pub(crate) const ENVELOPE_FIELDS: [&str; 7] = ["source", "sourcetype", "host", "index", "_time", "_raw", "log_type"];

impl Plan {
    /// Takes the rules that run.
    pub(crate) fn new(rules: &RuleSet, include_disabled: bool, mode: WindowMode) -> Result<Plan, String> {
        let all: Vec<Arc<Rule>> = rules.rules.iter().filter_map(|compiled: &Compiled| compiled.rule.clone()).collect();
        let (running, off): (Vec<_>, Vec<_>) = all.into_iter().partition(|rule| include_disabled || rule.enabled);
        let mut builder = Builder::default();
        let feeding = tables::feeding(&running, off);
        for rule in running {
            builder.add(rule, mode);
        }
        for rule in feeding {
            builder.add(rule.clone(), mode);
            if let Some(added) = builder.pipelines.last_mut().filter(|added| Arc::ptr_eq(&added.rule, &rule)) {
                added.silent = true;
            }
        }
        builder.finish()
    }

    /// Gives each rule its exceptions.
    pub(crate) fn except(mut self, exceptions: &Exceptions) -> Plan {
        self.pipelines.iter_mut().for_each(|own| own.exceptions = exceptions.of(&own.rule));
        self.scripts.iter_mut().for_each(|own| own.exceptions = exceptions.of(&own.rule));
        self
    }
}

#[derive(Default)]
struct Builder {
    pipelines: Vec<PipelineRule>,
    scripts: Vec<ScriptRule>,
    targets: Vec<Target>,
    matcher: MatcherBuilder,
    refused: Vec<(Arc<Rule>, String)>,
}

impl Builder {
    fn add(&mut self, rule: Arc<Rule>, mode: WindowMode) {
        let added = match &rule.body {
            Body::Pipeline(pipeline) => self.add_pipeline(&rule, pipeline, mode),
            Body::Script(script, trigger) => self.add_script(&rule, script, trigger),
        };
        if let Err(reason) = added {
            self.refused.push((rule, reason));
        }
    }

    fn add_pipeline(&mut self, rule: &Arc<Rule>, pipeline: &Pipeline, mode: WindowMode) -> Result<(), String> {
        let windows = match (&rule.schedule, mode) {
            (Some(schedule), WindowMode::AsScheduled) => Some(Windows::new(schedule)?),
            _ => None,
        };
        let sources = masthead_query::sources(pipeline);
        // A condition that cannot be compiled must leave nothing of its rule behind.
        for source in &sources {
            masthead_ir::eval::Program::compile(&source.filter).map_err(|error| error.to_string())?;
        }
        for (index, source) in sources.iter().enumerate() {
            self.matcher.add(ConditionKind::Filter, &[], &source.filter).map_err(|error| error.to_string())?;
            self.targets.push(Target::Source { pipeline: self.pipelines.len(), source: index });
        }
        let key = key_fields(pipeline);
        self.pipelines.push(PipelineRule {
            rule: rule.clone(),
            pipeline: pipeline.clone(),
            fetched: Vec::new(),
            sources,
            key,
            windows,
            exceptions: Vec::new(),
            form: masthead_query::form(pipeline),
            silent: false,
        });
        Ok(())
    }

    fn add_script(&mut self, rule: &Arc<Rule>, script: &Script, trigger: &Trigger) -> Result<(), String> {
        self.matcher.add(ConditionKind::Guard, &script.log_types, &script.guard).map_err(|error| error.to_string())?;
        self.targets.push(Target::Script(self.scripts.len()));
        self.scripts.push(ScriptRule {
            rule: rule.clone(),
            script: script.clone(),
            trigger: trigger.clone(),
            exceptions: Vec::new(),
        });
        Ok(())
    }

    fn finish(self) -> Result<Plan, String> {
        let matcher = self.matcher.build().map_err(|error| error.to_string())?;
        let mut paths: Vec<FieldPath> = matcher.fields().to_vec();
        paths.extend(IDENTITY.map(FieldPath::flat));
        let projection = Projection::new(paths);
        let slot = |name: &str| projection.slot(&FieldPath::flat(name)).unwrap_or(usize::MAX);
        let [audit_id, stage, received, staged, verb, uri, user, code] = IDENTITY.map(slot);
        let identity = Identity { audit_id, stage, received, staged, verb, uri, user, code };
        let demands = self.pipelines.iter().flat_map(|p| &p.sources).map(|source| &source.demand);
        let mut wanted = Vec::new();
        for demand in demands {
            if let Demand::Fields(names) = demand {
                let of_event = names.iter().filter(|name| !ENVELOPE_FIELDS.contains(&name.as_str()));
                wanted.extend(of_event.map(|name| FieldPath::of_column(name)));
            }
        }
        let order = tables::order(&self.pipelines);
        let wanted = Projection::new(wanted);
        let mut pipelines = self.pipelines;
        for own in &mut pipelines {
            own.fetched = own.sources.iter().map(|source| fetched(&source.demand, &wanted)).collect();
        }
        Ok(Plan {
            order,
            pipelines,
            scripts: self.scripts,
            targets: self.targets,
            matcher,
            projection,
            identity,
            wanted,
            refused: self.refused,
        })
    }
}

/// Where the columns of a demand come from.
fn fetched(demand: &Demand, wanted: &Projection) -> Option<Vec<Fetched>> {
    let Demand::Fields(names) = demand else { return None };
    let column = |name: &String| {
        let path = FieldPath::of_column(name);
        let nulls = !matches!(path, FieldPath::Dotted(_));
        let slot = if ENVELOPE_FIELDS.contains(&name.as_str()) { None } else { wanted.slot(&path) };
        Fetched { name: Arc::from(name.as_str()), slot, nulls }
    };
    Some(names.iter().map(column).collect())
}
