//! From a rule and an event to a trace.

use masthead_ir::eval::{Context, Program, Row as _, Truth};
use masthead_ir::pipeline::{CorrelationKind, Pipeline, Source, Stage};
use masthead_ir::rule::{Body, Rule, Script};
use masthead_ir::{Expr, FieldPath, Value};

use super::event::{EventRow, Origin};
use super::{Outcome, Seen, StepTrace, Trace, TraceError, TraceNode};
use crate::simplify::simplify;
use crate::words::condition::{ConditionKind, inline, kind_of};
use crate::words::predicate::value_text;
use crate::words::wording::{Wording, plain, quoted};

/// How much of a value is shown.
const SHOWN_CHARACTERS: usize = 200;

/// Holds one JSON event against a rule.
///
/// Truths are those of [`masthead_ir::eval`]; `now()` is 1970, as for the filters that the engine puts on events.
///
/// # Errors
/// If the event is no JSON, or a condition of the rule cannot be run.
pub fn trace(rule: &Rule, event: &[u8], origin: &Origin) -> Result<Trace, TraceError> {
    let mut judge = Judge { row: EventRow::new(paths(rule), event, origin)? };
    let mut trace = Trace {
        rule_id: rule.id.clone(),
        rule_name: rule.name.clone(),
        summary: String::new(),
        passes: Outcome::Unknown,
        failing: Vec::new(),
        root: None,
        steps: Vec::new(),
        notes: Vec::new(),
    };
    match &rule.body {
        Body::Pipeline(pipeline) => judge.pipeline(pipeline, &mut trace)?,
        Body::Script(script, trigger) => {
            judge.script(script, &mut trace, origin)?;
            if trigger.threshold > 1 && trace.passes != Outcome::False {
                let count = trigger.threshold;
                trace.notes.push(format!("One event alone makes no finding: it takes {count} matches."));
            }
        }
    }
    Ok(trace)
}

/// The fields of everything that is asked of the event.
fn paths(rule: &Rule) -> Vec<FieldPath> {
    let mut paths = Vec::new();
    match &rule.body {
        Body::Script(script, _) => paths.extend(script.guard.fields()),
        Body::Pipeline(pipeline) => {
            if let Source::Events { filter, .. } = &pipeline.source {
                paths.extend(filter.fields());
            }
            for stage in &pipeline.stages {
                match stage {
                    Stage::Filter(expr) | Stage::Assign { expr, .. } => paths.extend(expr.fields()),
                    Stage::Correlate(correlation) => {
                        if let CorrelationKind::Steps { steps, until, .. } = &correlation.kind {
                            let asked = steps.iter().map(|step| &step.filter).chain(until);
                            paths.extend(asked.flat_map(Expr::fields));
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    paths
}

struct Judge {
    row: EventRow,
}

impl Judge {
    fn pipeline(&mut self, pipeline: &Pipeline, trace: &mut Trace) -> Result<(), TraceError> {
        let Source::Events { filter, .. } = &pipeline.source else {
            trace.summary = "The rule reads no events of its own: it cannot be held against one.".to_owned();
            return Ok(());
        };
        let root = self.condition(filter)?;
        trace.passes = root.truth;
        missing(&root, &mut trace.failing);
        trace.root = Some(root);
        self.stages(&pipeline.stages, trace)?;
        trace.summary = match trace.failing.split_first() {
            _ if trace.passes == Outcome::True && !trace.notes.is_empty() => {
                "It passes the rule's filter. One event alone does not complete the rule.".to_owned()
            }
            _ if trace.passes == Outcome::True => "It passes the rule's filter: the rule fires.".to_owned(),
            Some((first, _)) => {
                format!("It does not pass the rule's filter: the first part that fails is: {}.", first.short())
            }
            None => "It does not pass the rule's filter.".to_owned(),
        };
        Ok(())
    }

    /// Goes on over the stages as long as each only looks at one row.
    fn stages(&mut self, stages: &[Stage], trace: &mut Trace) -> Result<(), TraceError> {
        let mut at = 0;
        while let Some(stage) = stages.get(at) {
            match stage {
                Stage::Filter(expr) => {
                    let root = self.condition(expr)?;
                    if trace.passes == Outcome::True {
                        trace.passes = root.truth;
                        missing(&root, &mut trace.failing);
                    }
                    let name = format!("Filter in stage {}", at + 1);
                    trace.steps.push(StepTrace { name, truth: root.truth, root });
                }
                Stage::Assign { field, expr } => {
                    let value = Program::compile(expr)?.value(&self.row, &Context::default());
                    self.row.set(field, value);
                }
                _ => break,
            }
            at += 1;
        }
        let rest = stages.get(at..).unwrap_or_default();
        if let Some(Stage::Correlate(correlation)) = rest.first()
            && let CorrelationKind::Steps { steps, until, .. } = &correlation.kind
        {
            for (number, step) in steps.iter().enumerate() {
                self.step(format!("Step {}", number + 1), &step.filter, trace)?;
            }
            if let Some(until) = until {
                self.step("What ends a sequence".to_owned(), until, trace)?;
            }
        }
        notes(rest, trace);
        Ok(())
    }

    fn step(&self, name: String, filter: &Expr, trace: &mut Trace) -> Result<(), TraceError> {
        let root = self.condition(filter)?;
        trace.steps.push(StepTrace { name, truth: root.truth, root });
        Ok(())
    }

    fn script(&mut self, script: &Script, trace: &mut Trace, origin: &Origin) -> Result<(), TraceError> {
        let root = self.condition(&script.guard)?;
        trace.passes = root.truth;
        if root.truth == Outcome::False {
            false_parts(&root, &mut trace.failing);
        }
        trace.root = Some(root);
        let wanted = &script.log_types;
        if !wanted.is_empty() && !origin.log_type.as_ref().is_some_and(|have| wanted.contains(have)) {
            trace.passes = Outcome::False;
            let text = format!("the log type is {}", quoted(wanted, "or", usize::MAX));
            trace.failing.insert(0, text.into());
        }
        trace.summary = match (trace.passes, trace.failing.first()) {
            (Outcome::False, Some(first)) => {
                format!("The program need not be asked, because this does not hold: {}.", first.short())
            }
            (Outcome::False, None) => "The program need not be asked.".to_owned(),
            _ => "The program would be asked: nothing that can be read off it rules the event out.".to_owned(),
        };
        Ok(())
    }

    /// The tree of an expression, simplified as for pages, with what comes of each part.
    fn condition(&self, expr: &Expr) -> Result<TraceNode, TraceError> {
        // So that depth is checked once, and the walk below cannot go deeper than programs may.
        Program::compile(expr)?;
        self.node(&simplify(expr))
    }

    fn node(&self, expr: &Expr) -> Result<TraceNode, TraceError> {
        let kind = kind_of(expr);
        let parts: &[Expr] = match (kind, expr) {
            (_, Expr::And(parts) | Expr::Or(parts)) => parts,
            (ConditionKind::Not, Expr::Not(part)) => std::slice::from_ref(part),
            _ => &[],
        };
        let children = parts.iter().map(|part| self.node(part)).collect::<Result<Vec<_>, _>>()?;
        let truth = match kind {
            ConditionKind::All => all(&children),
            ConditionKind::Any => any(&children),
            ConditionKind::Not => children.first().map_or(Outcome::Unknown, |child| opposite(child.truth)),
            ConditionKind::Test | ConditionKind::Unknown => self.truth(expr)?.into(),
        };
        let seen = if kind == ConditionKind::Test { self.seen(expr) } else { Vec::new() };
        Ok(TraceNode { kind, text: Wording::of(|limit| inline(expr, limit)), truth, seen, children })
    }

    fn truth(&self, expr: &Expr) -> Result<Truth, TraceError> {
        Ok(Program::compile(expr)?.truth(&self.row, &Context::default()))
    }

    fn seen(&self, expr: &Expr) -> Vec<Seen> {
        let fields = expr.fields().into_iter();
        fields.map(|field| Seen { values: shown(&self.row.get(&field)), field: plain(&field) }).collect()
    }
}

/// The values as text, each cut.
fn shown(value: &Value) -> Vec<String> {
    let cut = |value: &Value| {
        let text = value_text(value);
        match text.char_indices().nth(SHOWN_CHARACTERS) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text,
        }
    };
    value.members().iter().map(cut).collect()
}

fn all(parts: &[TraceNode]) -> Outcome {
    if parts.iter().any(|part| part.truth == Outcome::False) {
        Outcome::False
    } else if parts.iter().all(|part| part.truth == Outcome::True) {
        Outcome::True
    } else {
        Outcome::Unknown
    }
}

fn any(parts: &[TraceNode]) -> Outcome {
    if parts.iter().any(|part| part.truth == Outcome::True) {
        Outcome::True
    } else if parts.iter().all(|part| part.truth == Outcome::False) {
        Outcome::False
    } else {
        Outcome::Unknown
    }
}

fn opposite(truth: Outcome) -> Outcome {
    match truth {
        Outcome::True => Outcome::False,
        Outcome::False => Outcome::True,
        Outcome::Unknown => Outcome::Unknown,
    }
}

/// The necessary parts that are not true.
fn missing(node: &TraceNode, failing: &mut Vec<Wording>) {
    necessary(node, &|truth| truth != Outcome::True, failing);
}

/// The necessary parts that are false: an unknown part lets an event through a guard.
fn false_parts(node: &TraceNode, failing: &mut Vec<Wording>) {
    necessary(node, &|truth| truth == Outcome::False, failing);
}

fn necessary(node: &TraceNode, fails: &dyn Fn(Outcome) -> bool, failing: &mut Vec<Wording>) {
    if !fails(node.truth) {
        return;
    }
    if node.kind == ConditionKind::All && !node.children.is_empty() {
        node.children.iter().for_each(|child| necessary(child, fails, failing));
    } else {
        failing.push(node.text.clone());
    }
}

/// What the stages that are left do that one event cannot show.
fn notes(rest: &[Stage], trace: &mut Trace) {
    for stage in rest {
        let note = match stage {
            Stage::Correlate(correlation) => crate::words::correlation::correlation(correlation, usize::MAX),
            Stage::Filter(expr) => format!("Then it keeps rows where {}.", inline(&simplify(expr), usize::MAX)),
            Stage::Aggregate(_)
            | Stage::Annotate(_)
            | Stage::Running { .. }
            | Stage::Pivot(_)
            | Stage::Dedup { .. }
            | Stage::Frequent { .. }
            | Stage::Head { .. }
            | Stage::Tail { .. }
            | Stage::Join { .. }
            | Stage::SemiJoin { .. }
            | Stage::Lookup(_) => {
                let words = crate::words::stage::stages(std::slice::from_ref(stage));
                words.iter().map(|words| words.text.full().to_owned()).collect()
            }
            _ => continue,
        };
        trace.notes.push(note);
    }
}
