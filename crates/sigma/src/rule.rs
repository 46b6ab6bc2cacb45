//! One rule: its YAML document to what it asks of events, and what it says of a match.

use std::collections::BTreeMap;

use masthead_ir::diagnostic::Level;
use masthead_ir::pattern::{Case, Pattern};
use masthead_ir::pipeline::Pipeline as IrPipeline;
use masthead_ir::rule::{
    Body, Compiled, EntityRole, EntityTemplate, FindingTemplate, Guide, Kind, Rule, RuleTest, Severity, Status,
    TestData, TestInput,
};
use masthead_ir::{Expr, FieldPath};
use masthead_rulefile::{Node, RuleFile};

use crate::ast::{Detection, LogSource};
use crate::condition;
use crate::correlation::Referred;
use crate::legacy;
use crate::modifiers;
use crate::pipeline::{Draft, Pipeline, Renamed};
use crate::problem::Problem;
use crate::shared::Shared;

/// The name of the front-end.
pub(crate) const DIALECT: &str = "sigma";

/// What every kind of document says of itself.
pub(crate) struct Header {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) title: String,
    pub(crate) severity: Severity,
    pub(crate) tags: Vec<String>,
    pub(crate) log_source: LogSource,
}

/// A rule that judges single events, compiled.
pub(crate) struct Judged {
    pub(crate) header: Header,
    /// What an event must meet, if the rule could be compiled.
    pub(crate) filter: Option<Expr>,
    pub(crate) pipeline: Option<IrPipeline>,
    pub(crate) problems: Vec<Problem>,
}

impl Judged {
    /// What a correlation needs of the rule; none if it does not run.
    pub(crate) fn referred(&self) -> Option<Referred> {
        Some(Referred {
            filter: self.filter.clone()?,
            names: [Some(&self.header.id), self.header.name.as_ref()].into_iter().flatten().cloned().collect(),
            log_source: self.header.log_source.clone(),
        })
    }
}

impl Header {
    /// Reads what a document says of itself. `at` tells documents of one file apart.
    pub(crate) fn read(node: &Node, file: &RuleFile, at: usize, problems: &mut Vec<Problem>) -> Header {
        let text = |key: &str| node.get(key).and_then(Node::text).map(str::trim).filter(|text| !text.is_empty());
        let stem = if at == 0 { file.stem().to_owned() } else { format!("{}-{}", file.stem(), at + 1) };
        let title = match text("title") {
            Some(title) => title.to_owned(),
            None => {
                problems.push(Problem::invalid("sigma-missing", "the rule has no `title`", &first_key(node)));
                stem.clone()
            }
        };
        let level = node.get("level").filter(|level| !level.is_null());
        let severity = level.map(|level| (severity(level.text().unwrap_or_default()), level));
        if let Some((None, level)) = severity {
            let told = level.text().unwrap_or_default();
            let problem = Problem::invalid("sigma-level", format!("`{told}` is no level"), &level.span);
            problems.push(problem.help("there are informational, low, medium, high and critical"));
        }
        Header {
            id: text("id").or(text("name")).map_or(stem, str::to_owned),
            name: text("name").map(str::to_owned),
            title,
            severity: severity.and_then(|(severity, _)| severity).unwrap_or(Severity::Medium),
            tags: node.get("tags").map(Node::texts).unwrap_or_default().into_iter().map(str::to_owned).collect(),
            log_source: node.get("logsource").map(LogSource::read).unwrap_or_default(),
        }
    }

    /// ATT&CK technique ids among the tags (`attack.t1609`).
    fn attack(&self) -> Vec<String> {
        let id = |tag: &String| {
            let id = tag.to_ascii_lowercase().strip_prefix("attack.")?.to_ascii_uppercase();
            let digits = id.strip_prefix('T')?;
            digits.starts_with(|c: char| c.is_ascii_digit()).then_some(id)
        };
        self.tags.iter().filter_map(id).collect()
    }
}

fn severity(level: &str) -> Option<Severity> {
    Some(match level.trim().to_ascii_lowercase().as_str() {
        "informational" | "info" => Severity::Informational,
        "low" => Severity::Low,
        "medium" => Severity::Medium,
        "high" => Severity::High,
        "critical" => Severity::Critical,
        _ => return None,
    })
}

/// Where to point if a key is missing.
pub(crate) fn first_key(node: &Node) -> std::ops::Range<usize> {
    node.entries().first().map_or(node.span.clone(), |(key, _)| key.span.clone())
}

/// Compiles the detection of a document.
pub(crate) fn judge(node: &Node, file: &RuleFile, at: usize, shared: &Shared) -> Judged {
    let mut problems = Vec::new();
    let header = Header::read(node, file, at, &mut problems);
    let mut judged = Judged { header, filter: None, pipeline: None, problems };
    let Some(detection) = node.get("detection").filter(|detection| !detection.entries().is_empty()) else {
        judged.problems.push(Problem::invalid("sigma-missing", "the rule has no `detection`", &first_key(node)));
        return judged;
    };
    let Some(written) = detections(detection, &["condition", "timeframe"], &mut judged.problems) else {
        return judged;
    };
    let tags = judged.header.tags.clone();
    let mut draft = Draft { tags, ..Draft::new(&judged.header.log_source, written) };
    apply_pipelines(&mut draft, node, shared, &mut judged.problems);
    let Some((filter, aggregation)) = conditions(detection, &draft, shared, &mut judged.problems) else {
        return judged;
    };
    let filter = shared.filters.restrict(&judged.header, filter);
    let filter = routed(&draft.log_source, filter, node, &mut judged.problems);
    let field = |name: &str| shared.field(name, &judged.header.log_source);
    let more = node.get("fields").map(Node::texts).unwrap_or_default().into_iter().map(field);
    judged.pipeline = match aggregation {
        None => Some(masthead_schema::rows::single(filter.clone(), more)),
        Some((text, span)) => match legacy::pipeline(&text, detection, filter.clone(), more.collect(), &field) {
            Ok(pipeline) => Some(pipeline),
            Err(message) => {
                judged.problems.push(
                    Problem::unsupported("sigma-aggregation", message, &span)
                        .help("Sigma has correlation rules in the place of aggregations"),
                );
                None
            }
        },
    };
    judged.filter = Some(filter);
    judged
}

fn apply_pipelines(draft: &mut Draft, node: &Node, shared: &Shared, problems: &mut Vec<Problem>) {
    for pipeline in &shared.pipelines {
        match pipeline.apply(draft) {
            Ok(renamed) if pipeline.builtin => problems.extend(renamed.iter().map(alias)),
            Ok(_) => {}
            Err(message) => {
                problems.push(refused(pipeline, &message, node));
            }
        }
    }
}

/// A processing pipeline says that a document cannot be used.
pub(crate) fn refused(pipeline: &Pipeline, message: &str, node: &Node) -> Problem {
    let message = format!("the processing pipeline `{}` refuses the rule: {message}", pipeline.name);
    Problem::unsupported("sigma-refused", message, &first_key(node))
}

/// The search identifiers of a detection or filter: every key but `others`; none if one is empty.
pub(crate) fn detections(
    node: &Node,
    others: &[&str],
    problems: &mut Vec<Problem>,
) -> Option<Vec<(String, Detection)>> {
    let mut found = Vec::new();
    let before = problems.len();
    for (key, value) in node.entries() {
        let name = key.text().unwrap_or_default();
        if others.contains(&name) {
            continue;
        }
        let detection = Detection::read(value);
        if detection.is_hollow() {
            let message = format!("there is nothing in the search identifier `{name}`");
            problems.push(Problem::invalid("sigma-missing", message, &key.span));
        }
        found.push((name.to_owned(), detection));
    }
    (problems.len() == before).then_some(found)
}

/// What search identifiers mean.
pub(crate) fn identifiers(
    detections: &[(String, Detection)],
    shared: &Shared,
    problems: &mut Vec<Problem>,
) -> condition::Identifiers {
    let meaning = |(name, part): &(String, Detection)| {
        let expr = (!part.is_hollow()).then(|| expression(part, shared, problems));
        (name.clone(), expr)
    };
    detections.iter().map(meaning).collect()
}

fn alias(renamed: &Renamed) -> Problem {
    let read = match renamed.to.as_slice() {
        [one] => format!("`{one}`"),
        [first, rest @ ..] => format!("`{first}` and {} like it", rest.len()),
        [] => "nothing".to_owned(),
    };
    let message = format!("no audit event has `{}` as the rule means it; it is read as {read}", renamed.from);
    Problem::note("sigma-alias", message, &renamed.span).help(
        "the names are in the processing pipeline for Kubernetes; a pipeline beside the rules may map them otherwise",
    )
}

/// The condition over the search identifiers, and the aggregation behind it with its place.
#[expect(clippy::type_complexity, reason = "two things that belong to one condition")]
fn conditions(
    detection: &Node,
    draft: &Draft,
    shared: &Shared,
    problems: &mut Vec<Problem>,
) -> Option<(Expr, Option<(String, std::ops::Range<usize>)>)> {
    let before = problems.iter().filter(|problem| problem.level == Level::Error).count();
    let identifiers = identifiers(&draft.detections, shared, problems);
    let Some(node) = detection.get("condition").filter(|node| !node.is_null()) else {
        problems.push(Problem::invalid("sigma-missing", "the detection has no `condition`", &first_key(detection)));
        return None;
    };
    let nodes = if node.items().is_empty() { std::slice::from_ref(node) } else { node.items() };
    let mut any = Vec::new();
    let mut aggregation = None;
    for node in nodes {
        match condition::compile(node.text().unwrap_or_default(), &identifiers) {
            Ok(condition) => {
                any.push(condition.expr);
                aggregation = aggregation.or(condition.aggregation.map(|(text, _)| (text, node.span.clone())));
            }
            Err(problem) => problems.push(Problem { span: within(node, problem.span), ..problem }),
        }
    }
    if problems.iter().filter(|problem| problem.level == Level::Error).count() > before {
        return None;
    }
    let mut all = vec![if any.len() == 1 { any.swap_remove(0) } else { Expr::Or(any) }];
    for (name, negated) in &draft.added {
        let added = identifiers.iter().find(|(known, _)| known == name).and_then(|(_, expr)| expr.clone());
        all.extend(added.map(|expr| if *negated { Expr::Not(Box::new(expr)) } else { expr }));
    }
    Some((if all.len() == 1 { all.swap_remove(0) } else { Expr::And(all) }, aggregation))
}

/// A place inside of a condition that stands on one line.
fn within(node: &Node, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let length = node.text().map_or(0, str::len);
    if node.span.len() == length {
        node.span.start + range.start..node.span.start + range.end
    } else {
        node.span.clone()
    }
}

/// What a search identifier means.
fn expression(detection: &Detection, shared: &Shared, problems: &mut Vec<Problem>) -> Expr {
    match detection {
        Detection::Item(item) => match modifiers::compile(item, &|name| shared.placeholder(name)) {
            Ok(expr) => expr,
            Err(problem) => {
                problems.push(problem);
                Expr::Or(Vec::new())
            }
        },
        Detection::All(parts) => join(parts, Expr::And, shared, problems),
        Detection::Any(parts) => join(parts, Expr::Or, shared, problems),
    }
}

fn join(parts: &[Detection], with: fn(Vec<Expr>) -> Expr, shared: &Shared, problems: &mut Vec<Problem>) -> Expr {
    let mut parts: Vec<Expr> = parts.iter().map(|part| expression(part, shared, problems)).collect();
    if parts.len() == 1 { parts.swap_remove(0) } else { with(parts) }
}

/// Kubernetes audit events are known by what they are; everything else must come with its log type.
fn routed(log_source: &LogSource, filter: Expr, node: &Node, problems: &mut Vec<Problem>) -> Expr {
    let log_type = log_source.log_type();
    if log_source.is_kubernetes_audit() || log_type.is_empty() {
        return filter;
    }
    let place = node.key("logsource").map_or_else(|| first_key(node), |key| key.span.clone());
    let message = format!("it looks at events of the log type `{log_type}` alone");
    problems.push(Problem::note("sigma-log-source", message, &place).help("sources and `--log-type` name log types"));
    let pattern = Pattern::Text { text: log_type, case: Case::Folded, numeric: true };
    Expr::And(vec![Expr::Test { field: FieldPath::flat("log_type"), pattern }, filter])
}

/// What becomes of a document.
pub(crate) fn compiled(
    node: &Node,
    file: &RuleFile,
    header: &Header,
    pipeline: Option<IrPipeline>,
    problems: Vec<Problem>,
    enabled: bool,
) -> Compiled {
    let mut problems = problems;
    let tests = read_tests(node, file, &mut problems);
    let finding = finding(node, header, &mut problems);
    let errors = |unsupported: bool| {
        problems.iter().any(|problem| problem.level == Level::Error && problem.unsupported == unsupported)
    };
    let status = match () {
        () if errors(false) => Status::Invalid,
        () if errors(true) || pipeline.is_none() => Status::Unsupported,
        () if problems.iter().any(|problem| problem.level == Level::Warning) => Status::Partial,
        () => Status::Runs,
    };
    let texts = |key: &str| -> Vec<String> {
        let texts = node.get(key).map(Node::texts).unwrap_or_default();
        texts.into_iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
    };
    let rule = pipeline.filter(|_| matches!(status, Status::Runs | Status::Partial)).map(|pipeline| Rule {
        id: header.id.clone(),
        name: header.title.clone(),
        dialect: DIALECT,
        path: file.path.clone(),
        description: node.get("description").and_then(Node::text).unwrap_or_default().trim().to_owned(),
        enabled: enabled && !matches!(node.get("status").and_then(Node::text), Some("deprecated" | "unsupported")),
        attack: header.attack(),
        tags: header.tags.clone(),
        finding,
        schedule: None,
        body: Body::Pipeline(pipeline),
        tests,
        drilldowns: Vec::new(),
        guide: Guide {
            references: texts("references"),
            false_positives: texts("falsepositives"),
            next_steps: texts("next_steps"),
            audit_level: node.get("audit_level").and_then(Node::text).map(str::to_owned),
        },
    });
    Compiled {
        path: file.path.clone(),
        rule_id: header.id.clone(),
        dialect: DIALECT,
        status,
        diagnostics: problems.into_iter().map(|problem| problem.diagnostic(file)).collect(),
        rule: rule.map(std::sync::Arc::new),
    }
}

/// What a match is told as. `risk` is a key of our own: Sigma has none for it.
fn finding(node: &Node, header: &Header, problems: &mut Vec<Problem>) -> FindingTemplate {
    let risk = node.get("risk");
    let score = risk.and_then(|risk| risk.get("score")).and_then(Node::as_i64);
    let named = risk.and_then(|risk| risk.get("entities")).map(Node::items).unwrap_or_default();
    let mut entities = Vec::new();
    for entity in named {
        let Some(field) = entity.get("field").and_then(Node::text) else {
            problems.push(Problem::invalid("sigma-missing", "the entity has no `field`", &entity.span));
            continue;
        };
        let path = masthead_schema::field(field);
        let entity_type = match entity.get("type").and_then(Node::text) {
            Some("ip") => "ip_address",
            Some(other) => other,
            None => "other",
        };
        // An address points at somebody unless the rule says that it is at risk.
        let threat = match entity.get("role").and_then(Node::text) {
            Some(role) => role == "threat",
            None => entity_type == "ip_address",
        };
        entities.push(EntityTemplate {
            field: path.to_string(),
            entity_type: entity_type.to_owned(),
            role: if threat { EntityRole::Threat } else { EntityRole::Risk },
            score: if threat { None } else { entity.get("score").and_then(Node::as_i64).or(score) },
            message: None,
        });
    }
    let of_all = masthead_schema::rows::entities(score);
    let threats = |entity: &EntityTemplate| entity.role == EntityRole::Threat;
    if entities.is_empty() {
        entities = of_all;
    } else if !entities.iter().any(threats) {
        entities.extend(of_all.into_iter().filter(threats));
    }
    let message = node.get("message").and_then(Node::text).map(|text| text.trim().to_owned());
    FindingTemplate {
        kind: Kind::Finding,
        severity: header.severity,
        title: header.title.clone(),
        message: message.unwrap_or_else(|| header.title.clone()),
        entities,
        throttle: None,
    }
}

/// The tests that a rule carries under `tests`, a key of our own: one `event`, several `events`, or a file of them (`data`).
fn read_tests(node: &Node, file: &RuleFile, problems: &mut Vec<Problem>) -> Vec<RuleTest> {
    let items = node.get("tests").map(Node::items).unwrap_or_default();
    let mut tests = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let events =
            ["event", "events"].iter().find_map(|key| item.get(key)).map(|node| TestInput::Inline(node.to_json()));
        let data = item.get("data").map(|data| {
            let of = |location: &str| TestData { location: location.to_owned(), source: None, sourcetype: None };
            TestInput::Data(data.texts().into_iter().map(of).collect())
        });
        let (Some(input), Some(expect_match)) = (events.or(data), item.get("match").and_then(Node::as_bool)) else {
            let message = "a test has `match: true` or `false`, and `event`, `events` or `data`";
            problems.push(Problem::invalid("sigma-test", message, &item.span));
            continue;
        };
        let name = item.get("name").and_then(Node::text).map_or_else(|| format!("test {}", at + 1), str::to_owned);
        let line = file.text.get(..item.span.start).map_or(0, |before| before.matches('\n').count()) + 1;
        tests.push(RuleTest {
            name,
            input,
            expect_match,
            expect: BTreeMap::new(),
            mocks: Vec::new(),
            line: u32::try_from(line).unwrap_or(u32::MAX),
        });
    }
    tests
}
