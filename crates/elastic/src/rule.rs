//! One rule: its TOML to a rule of the intermediate representation.

use std::ops::Range;
use std::sync::Arc;

use masthead_ir::Value;
use masthead_ir::diagnostic::{Diagnostic, Level};
use masthead_ir::expr::{CompareOp, Expr, FieldPath};
use masthead_ir::pipeline::{
    Aggregate, AggregateFunc, AggregateInput, Correlation, CorrelationKind, Pipeline, Source, Stage, Step,
};
use masthead_ir::rule::{Body, Compiled, FindingTemplate, Guide, Kind, Rule, Schedule, Severity, Status};
use masthead_ir::time::{TimeRange, TimeSpec, TimeStep, TimeUnit};
use masthead_rulefile::{Node, RuleFile};

use crate::ecs;
use crate::eql::{self, Eql, Sequence};
use crate::esql::{self, Resolved};
use crate::exceptions::Exceptions;
use crate::problem::Problem;
use crate::{DIALECT, kql, lucene, span};

/// How long a sequence without `maxspan` looks.
const DEFAULT_MAXSPAN: i64 = 86_400_000_000;
/// How far back a rule looks unless it says (Elastic Security: `now-6m`).
const DEFAULT_FROM: i64 = 360_000_000;
/// How far back the values of a new-terms rule are known unless it says.
const DEFAULT_HISTORY: i64 = 604_800_000_000;
/// The name of the result of a threshold.
const COUNT: &str = "event_count";

struct Reader<'f> {
    file: &'f RuleFile,
    node: &'f Node,
    diagnostics: Vec<Diagnostic>,
    unsupported: bool,
}

/// Compiles the rule of a document.
pub(crate) fn compile(file: &RuleFile, document: &Node, exceptions: &Exceptions) -> Compiled {
    let node = document.get("rule").unwrap_or(document);
    let mut reader = Reader { file, node, diagnostics: Vec::new(), unsupported: false };
    let id = reader.text("rule_id").unwrap_or(file.stem()).to_owned();
    let name = reader.required("name").unwrap_or(file.stem()).to_owned();
    let pipeline = reader.pipeline(exceptions, [&id, &name]);
    let rule = pipeline.and_then(|(pipeline, schedule)| reader.rule(document, &id, &name, pipeline, schedule));
    let Reader { diagnostics, unsupported, .. } = reader;
    let errors = diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error);
    let status = match (&rule, unsupported) {
        (_, true) => Status::Unsupported,
        (None, _) => Status::Invalid,
        _ if errors => Status::Invalid,
        _ => Status::Runs,
    };
    let rule = rule.filter(|_| status == Status::Runs).map(Arc::new);
    Compiled { path: file.path.clone(), rule_id: id, dialect: DIALECT, status, diagnostics, rule }
}

impl<'f> Reader<'f> {
    fn text(&self, key: &str) -> Option<&'f str> {
        self.node.get(key).and_then(Node::text).map(str::trim).filter(|text| !text.is_empty())
    }

    fn texts(&self, key: &str) -> Vec<String> {
        let texts = self.node.get(key).map(Node::texts).unwrap_or_default();
        texts.into_iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
    }

    fn required(&mut self, key: &str) -> Option<&'f str> {
        let found = self.text(key);
        if found.is_none() {
            let first = self.node.entries().first().map_or(self.node, |(key, _)| key);
            self.error("elastic-missing", format!("the rule has no `{key}`"), first);
        }
        found
    }

    fn error(&mut self, code: &'static str, message: impl Into<String>, node: &Node) {
        self.diagnostics.push(Diagnostic::error(code, message).at(self.file.span(node)));
    }

    fn cannot(&mut self, code: &'static str, message: impl Into<String>, key: &str) {
        self.unsupported = true;
        let node = self.node;
        self.error(code, message, node.get(key).unwrap_or(node));
    }

    fn problem(&mut self, problem: Problem) {
        self.unsupported |= problem.unsupported;
        let Problem { code, message, range, help, .. } = problem;
        let diagnostic = match self.node.get("query") {
            Some(query) => Diagnostic::error(code, message).at(self.place(query, range)),
            None => Diagnostic::error(code, message),
        };
        self.diagnostics.push(Diagnostic { help, ..diagnostic });
    }

    fn place(&self, query: &Node, range: Range<usize>) -> masthead_ir::Span {
        self.file.span_within(query, range)
    }

    /// The pipeline and the schedule that the rule's type and language say.
    fn pipeline(&mut self, exceptions: &Exceptions, names: [&str; 2]) -> Option<(Pipeline, Option<Schedule>)> {
        let kind = self.required("type")?;
        if !self.reads_kubernetes() {
            return None;
        }
        let language = self.text("language").unwrap_or("kuery");
        match (kind, language) {
            ("esql", _) | (_, "esql") => self.esql(exceptions, names),
            ("query" | "saved_query", _) => {
                let filter = exceptions.restrict(names, self.condition(language)?);
                Some((masthead_schema::rows::single(filter, self.shown()), None))
            }
            ("eql", _) => self.eql(exceptions, names),
            ("threshold", _) => {
                let filter = exceptions.restrict(names, self.condition(language)?);
                self.threshold(filter).map(|pipeline| (pipeline, None))
            }
            ("new_terms", _) => {
                let filter = exceptions.restrict(names, self.condition(language)?);
                self.new_terms(filter).map(|pipeline| (pipeline, None))
            }
            ("machine_learning", _) => {
                self.cannot(
                    "elastic-type",
                    "a rule over the results of a machine-learning job cannot run here",
                    "type",
                );
                None
            }
            ("threat_match", _) => {
                self.cannot("elastic-type", "a rule over an index of indicators cannot run here", "type");
                None
            }
            (other, _) => {
                let known = ["query", "eql", "esql", "threshold", "new_terms"];
                let help = masthead_rulefile::suggest(other, known);
                let node = self.node.get("type")?;
                let diagnostic = Diagnostic::error("elastic-type", format!("`{other}` is no type of rule"));
                let diagnostic = diagnostic.at(self.file.span(node));
                self.diagnostics.push(match help {
                    Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
                    None => diagnostic.help(format!("there are {}", known.join(", "))),
                });
                None
            }
        }
    }

    /// Whether the rule reads what audit events become in Elasticsearch. Rules of other integrations have fields that no
    /// audit event has.
    fn reads_kubernetes(&mut self) -> bool {
        let patterns = self.texts("index");
        let query = self.text("query").unwrap_or_default();
        let known = |index: &str| {
            let index = index.trim_start_matches("*:").trim_start_matches('-');
            ["logs-kubernetes", "logs-*", "filebeat-*", "*", "auditbeat-*"].iter().any(|known| index.starts_with(known))
        };
        let from = query.trim_start().to_ascii_lowercase();
        let reads = match patterns.as_slice() {
            [] => !from.starts_with("from ") || query.contains("logs-kubernetes") || query.contains("from *"),
            some => some.iter().any(|index| known(index)),
        };
        let audit = query.contains("kubernetes.audit") || query.contains(ecs::DATASET);
        if reads && audit {
            return true;
        }
        let what = patterns.first().map_or_else(String::new, |index| format!(" (`{index}`)"));
        self.cannot(
            "elastic-index",
            format!("it reads other events than those of Kubernetes audit logs{what}"),
            "index",
        );
        false
    }

    fn condition(&mut self, language: &str) -> Option<Expr> {
        let query = self.node.get("query").and_then(Node::text).unwrap_or_default();
        let compiled = match language {
            "lucene" => lucene::compile(query),
            _ => kql::compile(query),
        };
        match compiled {
            Ok(expr) => Some(expr),
            Err(problem) => {
                self.problem(problem);
                None
            }
        }
    }

    fn eql(&mut self, exceptions: &Exceptions, names: [&str; 2]) -> Option<(Pipeline, Option<Schedule>)> {
        let query = self.node.get("query").and_then(Node::text).unwrap_or_default();
        match eql::compile(query) {
            Ok(Eql::Event(filter)) => {
                let filter = exceptions.restrict(names, filter);
                Some((masthead_schema::rows::single(filter, self.shown()), None))
            }
            Ok(Eql::Sequence(sequence)) => Some((self.sequence(sequence, exceptions, names), None)),
            Err(problem) => {
                self.problem(problem);
                None
            }
        }
    }

    fn sequence(&mut self, sequence: Sequence, exceptions: &Exceptions, names: [&str; 2]) -> Pipeline {
        let by = |fields: &[String]| -> Vec<String> { fields.iter().map(|field| column(field)).collect() };
        let filters: Vec<Expr> = sequence.steps.iter().map(|(filter, _)| filter.clone()).collect();
        let first = sequence.steps.first().map(|(_, fields)| fields.clone()).unwrap_or_default();
        let read = filters.iter().chain(&sequence.until).flat_map(Expr::fields).collect::<Vec<_>>();
        let steps =
            sequence.steps.iter().map(|(filter, fields)| Step { filter: filter.clone(), by: by(fields) }).collect();
        let kind = CorrelationKind::Steps { steps, ordered: sequence.ordered, until: sequence.until.clone() };
        let correlation = Correlation { kind, by: by(&first), within: sequence.maxspan.unwrap_or(DEFAULT_MAXSPAN) };
        let filter = exceptions.restrict(names, Expr::Or(filters.into_iter().chain(sequence.until).collect()));
        let mut stages = vec![Stage::Correlate(correlation)];
        stages.extend(masthead_schema::rows::shown(read));
        Pipeline { source: Source::Events { filter, range: None }, stages }
    }

    /// `[rule.threshold]`: so many events, or so many values, within the time that one run looks at.
    fn threshold(&mut self, filter: Expr) -> Option<Pipeline> {
        let Some(threshold) = self.node.get("threshold") else {
            self.required("threshold");
            return None;
        };
        let by: Vec<&str> = threshold.get("field").map(Node::texts).unwrap_or_default();
        let by: Vec<&str> = by.into_iter().filter(|field| !field.is_empty()).collect();
        let value = threshold.get("value").and_then(Node::as_i64).unwrap_or(1);
        let mut aggregates =
            vec![Aggregate { func: AggregateFunc::Count, input: AggregateInput::Rows, name: COUNT.to_owned() }];
        let mut conditions = vec![at_least(COUNT, value)];
        for (at, limit) in threshold.get("cardinality").map(Node::items).unwrap_or_default().iter().enumerate() {
            let Some(field) = limit.get("field").and_then(Node::text) else { continue };
            let name = format!("distinct_{}", at + 1);
            let input = AggregateInput::Field(column(field));
            aggregates.push(Aggregate { func: AggregateFunc::DistinctCount, input, name: name.clone() });
            conditions.push(at_least(&name, limit.get("value").and_then(Node::as_i64).unwrap_or(1)));
        }
        let results: Vec<FieldPath> = aggregates.iter().map(|aggregate| FieldPath::flat(&aggregate.name)).collect();
        let correlation = Correlation {
            kind: CorrelationKind::Threshold { aggregates, condition: Expr::And(conditions) },
            by: by.iter().map(|field| column(field)).collect(),
            within: self.lookback().max(1_000_000),
        };
        Some(self.correlated(filter, correlation, &by, results))
    }

    fn new_terms(&mut self, filter: Expr) -> Option<Pipeline> {
        let Some(terms) = self.node.get("new_terms") else {
            self.required("new_terms");
            return None;
        };
        let fields = terms.get("value").map(Node::texts).unwrap_or_default();
        let starts = terms.get("history_window_start").map(Node::items).unwrap_or_default();
        let start = starts.first().and_then(|start| start.get("value")).and_then(Node::text);
        let within = start.and_then(span::since_now).filter(|span| *span > 0).unwrap_or(DEFAULT_HISTORY);
        let columns: Vec<String> = fields.iter().map(|field| column(field)).collect();
        let kind = CorrelationKind::New { fields: columns };
        Some(self.correlated(filter, Correlation { kind, by: Vec::new(), within }, &fields, Vec::new()))
    }

    fn correlated(&self, filter: Expr, correlation: Correlation, fields: &[&str], results: Vec<FieldPath>) -> Pipeline {
        let named = fields.iter().filter_map(|field| match ecs::resolve(field) {
            Resolved::Path(path) => Some(path),
            _ => None,
        });
        let read: Vec<FieldPath> = named.chain(results).chain(filter.fields()).collect();
        let mut stages = vec![Stage::Correlate(correlation)];
        stages.extend(masthead_schema::rows::shown(read));
        Pipeline { source: Source::Events { filter, range: None }, stages }
    }

    fn esql(&mut self, exceptions: &Exceptions, names: [&str; 2]) -> Option<(Pipeline, Option<Schedule>)> {
        let query = self.node.get("query").and_then(Node::text).unwrap_or_default();
        let kql = |text: &str| kql::compile(text).map_err(|problem| problem.message);
        match esql::compile(query, &ecs::resolve, &kql) {
            Ok(compiled) => {
                let mut pipeline = compiled.pipeline;
                if let Source::Events { filter, .. } = &mut pipeline.source {
                    *filter = exceptions.restrict(names, filter.clone());
                }
                Some((pipeline, compiled.aggregates.then(|| self.schedule())))
            }
            Err(problems) => {
                for esql::EsqlProblem { range, code, message, help, unsupported } in problems {
                    self.problem(Problem { code, message, range, help, unsupported });
                }
                None
            }
        }
    }

    /// How far back one run looks.
    fn lookback(&self) -> i64 {
        self.text("from").and_then(span::since_now).filter(|span| *span > 0).unwrap_or(DEFAULT_FROM)
    }

    /// A run every `interval`, over what happened since `from`.
    fn schedule(&self) -> Schedule {
        let interval = self.text("interval").and_then(span::parse).unwrap_or(300_000_000) / 60_000_000;
        let cron = match interval.max(1) {
            minutes @ 1..60 => format!("*/{minutes} * * * *"),
            minutes if minutes < 1_440 => format!("0 */{} * * *", minutes / 60),
            _ => "0 0 * * *".to_owned(),
        };
        let seconds = self.lookback() / 1_000_000;
        let earliest = TimeSpec::Relative(vec![TimeStep::Add(-seconds, TimeUnit::Second)]);
        Schedule { cron, range: TimeRange { earliest: Some(earliest), latest: None } }
    }

    /// Fields that the author wants to be shown.
    fn shown(&self) -> Vec<FieldPath> {
        let fields = self.node.get("investigation_fields").and_then(|fields| fields.get("field_names"));
        let names = fields.map(Node::texts).unwrap_or_default();
        let path = |name: &str| match ecs::resolve(name) {
            Resolved::Path(path) if path != FieldPath::flat("_raw") && path != FieldPath::flat("_time") => Some(path),
            _ => None,
        };
        names.into_iter().filter_map(path).collect()
    }

    fn rule(
        &mut self,
        document: &Node,
        id: &str,
        name: &str,
        pipeline: Pipeline,
        schedule: Option<Schedule>,
    ) -> Option<Rule> {
        let severity = match self.required("severity")? {
            "low" => Severity::Low,
            "medium" => Severity::Medium,
            "high" => Severity::High,
            "critical" => Severity::Critical,
            other => {
                let message = format!("`{other}` is no severity; there are low, medium, high and critical");
                let node = self.node;
                self.error("elastic-severity", message, node.get("severity").unwrap_or(node));
                return None;
            }
        };
        let building_block = self.text("building_block_type").is_some();
        let score = self.node.get("risk_score").and_then(Node::as_i64);
        let maturity = document.get("metadata").and_then(|node| node.get("maturity")).and_then(Node::text);
        let description = self.text("description").unwrap_or_default().to_owned();
        Some(Rule {
            id: id.to_owned(),
            name: name.to_owned(),
            dialect: DIALECT,
            path: self.file.path.clone(),
            description,
            enabled: maturity != Some("deprecated"),
            attack: attack(self.node),
            tags: self.texts("tags"),
            finding: FindingTemplate {
                kind: if building_block { Kind::Signal } else { Kind::Finding },
                severity,
                title: name.to_owned(),
                message: name.to_owned(),
                entities: masthead_schema::rows::entities(score),
                throttle: None,
            },
            schedule,
            body: Body::Pipeline(pipeline),
            tests: Vec::new(),
            drilldowns: Vec::new(),
            guide: Guide {
                references: self.texts("references"),
                false_positives: self.texts("false_positives"),
                next_steps: self.texts("note"),
                audit_level: None,
            },
        })
    }
}

/// The column of a field.
fn column(name: &str) -> String {
    match ecs::resolve(name) {
        Resolved::Path(path) => path.column().unwrap_or_default().into_owned(),
        // No row has it, so that no row is in a group.
        Resolved::Constant(_) | Resolved::Absent => name.to_owned(),
    }
}

fn at_least(name: &str, value: i64) -> Expr {
    Expr::Compare {
        op: CompareOp::Ge,
        left: Box::new(Expr::Field(FieldPath::flat(name))),
        right: Box::new(Expr::Literal(Value::Int(value))),
    }
}

/// Ids of techniques and subtechniques of `[[rule.threat]]`.
fn attack(rule: &Node) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let mut add = |node: &Node| {
        if let Some(id) = node.get("id").and_then(Node::text)
            && id.starts_with('T')
            && !ids.iter().any(|known| known == id)
        {
            ids.push(id.to_owned());
        }
    };
    for threat in rule.get("threat").map(Node::items).unwrap_or_default() {
        for technique in threat.get("technique").map(Node::items).unwrap_or_default() {
            let subtechniques = technique.get("subtechnique").map(Node::items).unwrap_or_default();
            if subtechniques.is_empty() {
                add(technique);
            }
            subtechniques.iter().for_each(&mut add);
        }
    }
    ids
}
