//! Queries, and scheduled rules over their rows.
//!
//! A scheduled rule names queries; its Python says of each row whether it counts. Here the query is the rule: what its Python
//! says is read where that is possible, and told where it is not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use masthead_ir::diagnostic::{Diagnostic, Level};
use masthead_ir::expr::{Expr, FieldPath};
use masthead_ir::pipeline::{Pipeline, Source as Rows, Stage};
use masthead_ir::rule::{
    Body, Compiled, EntityRole, EntityTemplate, FindingTemplate, Kind, Rule, Schedule, Severity, Status,
};
use masthead_ir::time::TimeRange;
use masthead_rulefile::{Corpus, Node, RuleFile};

use crate::detection::{read_attack, read_severity};
use crate::keys::Keys;
use crate::query::{self, Translated};
use crate::rows_python::{self, Part};
use crate::source::Source;
use crate::{DIALECT, python_file, schedule};

/// How long rows of one dedup string belong together unless the rule says, in minutes.
const DEDUP_MINUTES: u64 = 60;
/// Functions of the Python that are read.
const READ: &[&str] = &["rule", "title", "dedup"];
/// Functions that the platform calls (Panther's documentation, "Python detections").
const CALLED: &[&str] =
    &["severity", "description", "reference", "runbook", "destinations", "alert_context", "summary_attributes"];

/// The files of queries by name; of two with one name the first counts.
pub(crate) type Queries<'a> = BTreeMap<&'a str, &'a RuleFile>;

/// The queries among files.
pub(crate) fn queries(files: &[Arc<RuleFile>]) -> Queries<'_> {
    let mut found = Queries::new();
    for file in files {
        if let Some(root) = file.mapping()
            && crate::AnalysisType::of(root) == Some(crate::AnalysisType::Query)
            && let Some(name) = root.get("QueryName").and_then(Node::text)
        {
            found.entry(name.trim()).or_insert(file);
        }
    }
    found
}

/// The names of queries that scheduled rules run over.
pub(crate) fn used(files: &[Arc<RuleFile>]) -> BTreeSet<String> {
    let roots = files.iter().filter_map(|file| file.mapping());
    let rules = roots.filter(|root| crate::AnalysisType::of(root) == Some(crate::AnalysisType::ScheduledRule));
    let names = rules.filter_map(|root| root.get("ScheduledQueries")).flat_map(Node::texts);
    names.map(|name| name.trim().to_owned()).collect()
}

/// A query with when it runs.
struct Read {
    translated: Translated,
    schedule: Option<Schedule>,
    enabled: bool,
}

/// Reads a query's file; what is wrong is told in `keys`. The second is whether it is known and cannot run here.
fn read_query(keys: &mut Keys<'_>) -> Result<Read, Status> {
    let key =
        if keys.get("Query").is_none() && keys.get("SnowflakeQuery").is_some() { "SnowflakeQuery" } else { "Query" };
    let (Some(sql), Some(node)) = (keys.required_text(key), keys.get(key)) else { return Err(Status::Invalid) };
    let enabled = keys.truth("Enabled", true);
    let translated = match query::translate(sql) {
        Ok(translated) => translated,
        Err(fault) => {
            // `required_text` left white space out before the text.
            let lead = node.text().map_or(0, |text| text.len() - text.trim_start().len());
            let place = match fault.place {
                Some(place) => keys.file.span_within(node, place.start + lead..place.end + lead),
                None => keys.place(key),
            };
            let (diagnostic, status) = match fault.syntax {
                true => (Diagnostic::error("sql-syntax", fault.message), Status::Invalid),
                false => (Diagnostic::warning("unsupported-sql", fault.message), Status::Unsupported),
            };
            keys.diagnostics.push(diagnostic.at(place));
            return Err(status);
        }
    };
    let node = keys.get("Schedule");
    let schedule = node.map(|node| schedule::read(keys, Some(node), translated.range.clone()));
    Ok(Read { translated, schedule, enabled })
}

/// Compiles a query that no rule runs over: what it finds is for a hunter.
pub(crate) fn compile_query(file: &RuleFile, root: &Node) -> Compiled {
    let mut keys = Keys::new(file, root);
    let id = crate::rule_id(file, root);
    let description = keys.text("Description").unwrap_or_default().to_owned();
    let tags = keys.texts("Tags");
    let read = read_query(&mut keys);
    let (read, failed) = match read {
        Ok(read) => (Some(read), None),
        Err(status) => (None, Some(status)),
    };
    let rule = read.map(|read| {
        let enabled = read.enabled && read.schedule.is_some();
        let entities = entities(&read.translated);
        let pipeline = with_range(read.translated.pipeline, read.translated.range, read.schedule.is_none());
        Rule {
            id: id.clone(),
            name: id.clone(),
            dialect: DIALECT,
            path: file.path.clone(),
            description: description.clone(),
            enabled,
            attack: Vec::new(),
            tags,
            finding: FindingTemplate {
                kind: Kind::Hunt,
                severity: Severity::Informational,
                title: id.clone(),
                message: description,
                entities,
                throttle: None,
            },
            schedule: read.schedule,
            body: Body::Pipeline(pipeline),
            tests: Vec::new(),
            drilldowns: Vec::new(),
            guide: masthead_ir::rule::Guide::default(),
        }
    });
    compiled(file, id, keys.diagnostics, rule, failed)
}

/// A pipeline whose source has the query's own window.
fn with_range(mut pipeline: Pipeline, range: Option<TimeRange>, own: bool) -> Pipeline {
    if let Rows::Events { range: window, .. } = &mut pipeline.source
        && own
    {
        *window = range;
    }
    pipeline
}

fn compiled(
    file: &RuleFile,
    rule_id: String,
    diagnostics: Vec<Diagnostic>,
    rule: Option<Rule>,
    failed: Option<Status>,
) -> Compiled {
    let worst = diagnostics.iter().map(|diagnostic| diagnostic.level).max();
    let status = match (&rule, worst, failed) {
        (_, Some(Level::Error), _) => Status::Invalid,
        (_, _, Some(status)) => status,
        (None, ..) => Status::Invalid,
        (_, Some(Level::Warning), _) => Status::Partial,
        _ => Status::Runs,
    };
    let runs = matches!(status, Status::Runs | Status::Partial);
    Compiled {
        path: file.path.clone(),
        rule_id,
        dialect: DIALECT,
        status,
        diagnostics,
        rule: rule.filter(|_| runs).map(Arc::new),
    }
}

/// Compiles a file whose `AnalysisType` is `scheduled_rule`.
pub(crate) fn compile_rule(file: &RuleFile, root: &Node, corpus: &Corpus, queries: &Queries<'_>) -> Compiled {
    let mut keys = Keys::new(file, root);
    let mut failed = None;
    let rule = read_rule(&mut keys, corpus, queries, &mut failed);
    compiled(file, crate::rule_id(file, root), keys.diagnostics, rule, failed)
}

fn read_rule(keys: &mut Keys<'_>, corpus: &Corpus, queries: &Queries<'_>, failed: &mut Option<Status>) -> Option<Rule> {
    let id = keys.required_text("RuleID");
    let name = keys.text("DisplayName").filter(|name| !name.is_empty());
    let severity = read_severity(keys);
    let description = keys.text("Description").unwrap_or_default().to_owned();
    let source = python_file::read(keys, corpus);
    let alert = keys.truth("CreateAlert", true);
    let enabled = keys.truth("Enabled", true);
    let minutes = keys.count("DedupPeriodMinutes", DEDUP_MINUTES);
    let mut tags = keys.texts("Tags");
    tags.extend(keys.text("Reference").map(str::to_owned));
    let attack = read_attack(keys);
    tell_what_is_left_out(keys);
    let reads = read_queries(keys, queries, failed)?;
    let (id, source, severity) = (id?, source?, severity?);
    let title = name.unwrap_or(id);
    let mut joined = join(reads)?;
    let python = read_python(keys, &source, &joined)?;
    joined.pipeline.stages.extend(python.filter.map(Stage::Filter));
    Some(Rule {
        id: id.to_owned(),
        name: title.to_owned(),
        dialect: DIALECT,
        path: keys.file.path.clone(),
        description: description.clone(),
        enabled: enabled && joined.enabled,
        attack,
        tags,
        finding: FindingTemplate {
            kind: if alert { Kind::Finding } else { Kind::Signal },
            severity,
            title: python.title.unwrap_or_else(|| title.to_owned()),
            message: description,
            entities: joined.entities,
            throttle: python.dedup.map(|fields| (fields, minutes.saturating_mul(60))),
        },
        schedule: joined.schedule,
        body: Body::Pipeline(joined.pipeline),
        tests: Vec::new(),
        drilldowns: Vec::new(),
        guide: masthead_ir::rule::Guide::default(),
    })
}

/// What the file says and what has no effect here.
fn tell_what_is_left_out(keys: &mut Keys<'_>) {
    if keys.count("Threshold", 1) > 1 {
        let message = "the threshold has no effect here: every row of the query is a finding";
        keys.diagnostics.push(Diagnostic::warning("row-threshold", message).at(keys.place("Threshold")));
    }
    if keys.get("Tests").is_some_and(|tests| !tests.items().is_empty()) {
        let message = "the rule's tests are rows of its query, and do not run here";
        keys.diagnostics.push(Diagnostic::note("row-tests", message).at(keys.place("Tests")));
    }
}

/// The queries that the rule names.
fn read_queries(keys: &mut Keys<'_>, queries: &Queries<'_>, failed: &mut Option<Status>) -> Option<Vec<Read>> {
    let Some(names) = keys.get("ScheduledQueries") else {
        keys.required_text("ScheduledQueries");
        return None;
    };
    let mut reads = Vec::new();
    for (name, node) in names.items().iter().filter_map(|node| Some((node.text()?.trim(), node))) {
        let Some(file) = queries.get(name) else {
            let message = format!("the query `{name}` is not among the files");
            let diagnostic = Diagnostic::error("missing-query", message).at(keys.file.span(node));
            keys.diagnostics.push(diagnostic.help("give the file of the query beside that of the rule"));
            continue;
        };
        let Some(root) = file.mapping() else { continue };
        let mut inner = Keys::new(file, root);
        match read_query(&mut inner) {
            Ok(read) => reads.push(read),
            Err(status) => *failed = Some(status),
        }
        keys.diagnostics.append(&mut inner.diagnostics);
    }
    if names.items().is_empty() {
        keys.fault("bad-value", names, "`ScheduledQueries` must be a list of names of queries".to_owned());
    }
    (!reads.is_empty() && failed.is_none()).then_some(reads)
}

/// The rows of all queries of a rule.
struct Joined {
    pipeline: Pipeline,
    schedule: Option<Schedule>,
    columns: Vec<(String, FieldPath)>,
    open: bool,
    entities: Vec<EntityTemplate>,
    enabled: bool,
}

fn join(reads: Vec<Read>) -> Option<Joined> {
    let several = reads.len() > 1;
    let mut reads = reads.into_iter();
    let first = reads.next()?;
    let entities = entities(&first.translated);
    let own = several || first.schedule.is_none();
    let mut joined = Joined {
        pipeline: with_range(first.translated.pipeline, first.translated.range, own),
        schedule: first.schedule,
        columns: first.translated.columns,
        open: first.translated.open,
        entities,
        enabled: first.enabled,
    };
    for next in reads {
        let pipeline = with_range(next.translated.pipeline, next.translated.range, true);
        joined.pipeline.stages.push(Stage::Append(Box::new(pipeline)));
        joined.columns.retain(|column| next.translated.columns.contains(column));
        joined.enabled |= next.enabled;
    }
    Some(joined)
}

/// Users and addresses among the columns.
fn entities(translated: &Translated) -> Vec<EntityTemplate> {
    let mut found = Vec::new();
    let kinds = [("user.username", "user", EntityRole::Risk), ("sourceIPs{}", "ip_address", EntityRole::Threat)];
    for (field, entity_type, role) in kinds {
        let path = FieldPath::flat(field);
        let Some((name, _)) = translated.columns.iter().find(|(_, of)| *of == path) else { continue };
        found.push(EntityTemplate {
            field: name.clone(),
            entity_type: entity_type.to_owned(),
            role,
            score: None,
            message: None,
        });
    }
    found
}

/// What the Python says.
struct Python {
    filter: Option<Expr>,
    title: Option<String>,
    dedup: Option<Vec<String>>,
}

fn read_python(keys: &mut Keys<'_>, source: &Source, rows: &Joined) -> Option<Python> {
    if !source.binds("rule") {
        let message = "the Python file has no function `rule`";
        keys.diagnostics.push(Diagnostic::error("missing-function", message).at(source.start()));
        return None;
    }
    let filter = if rows_python::always_true(source) { None } else { row_filter(keys, source, rows) };
    let functions = rows_python::functions(source);
    let title = rows_python::text(source, "title").and_then(|parts| template(&parts, rows));
    let dedup = rows_python::text(source, "dedup").and_then(|parts| dedup_fields(&parts, rows));
    for name in functions {
        let unread = match name {
            "title" => title.is_none(),
            "dedup" => dedup.is_none(),
            _ => !READ.contains(&name) && CALLED.contains(&name),
        };
        if unread {
            let message = format!("the function `{name}` of the Python file has no effect here");
            keys.diagnostics.push(Diagnostic::note("row-function", message).at(source.start()));
        }
    }
    Some(Python { filter, title, dedup })
}

/// The condition that `rule` puts on rows.
fn row_filter(keys: &mut Keys<'_>, source: &Source, rows: &Joined) -> Option<Expr> {
    let filter = rows_python::condition(source, &|name| column(name, rows));
    if filter.is_none() {
        let message = "the function `rule` cannot be read: every row of the query counts";
        keys.diagnostics.push(Diagnostic::warning("row-rule", message).at(source.start()));
    }
    filter
}

/// The column of a name; names have no case.
fn column(name: &str, rows: &Joined) -> Option<FieldPath> {
    let plain = |column: &str| column.trim_end_matches("{}").eq_ignore_ascii_case(name);
    match rows.columns.iter().find(|(column, _)| plain(column)) {
        Some((column, _)) => Some(FieldPath::flat(column)),
        None => rows.open.then(|| FieldPath::flat(name)),
    }
}

/// A text of columns as a template; none if it has a column that there is not.
fn template(parts: &[Part], rows: &Joined) -> Option<String> {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Text(literal) if literal.contains('$') => return None,
            Part::Text(literal) => text.push_str(literal),
            Part::Column(name) => {
                let column = column(name, rows)?;
                text.push_str(&format!("${column}$"));
            }
        }
    }
    Some(text)
}

/// The columns that a dedup string is made of.
fn dedup_fields(parts: &[Part], rows: &Joined) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    for part in parts {
        if let Part::Column(name) = part {
            fields.push(column(name, rows)?.to_string());
        }
    }
    Some(fields)
}
