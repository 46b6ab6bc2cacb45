//! Correlation rules to pipelines over the events that the rules they name match.

use std::collections::BTreeMap;
use std::sync::Arc;

use masthead_ir::diagnostic::{Diagnostic, Level};
use masthead_ir::expr::{CompareOp, Expr, FieldPath, Func};
use masthead_ir::pattern::Pattern;
use masthead_ir::pipeline::{
    Aggregate, AggregateFunc, AggregateInput, Correlation, CorrelationKind, Pipeline, Source, Stage, Step,
};
use masthead_ir::rule::{Body, Compiled, FindingTemplate, Kind, Rule, Status};
use masthead_ir::time::Micros;
use masthead_ir::value::Value;
use masthead_rulefile::{Corpus, Node, RuleFile};
use masthead_schema::field::{LISTS, SCALARS};
use masthead_schema::rows::{entities, shown};

use super::{Detection, Member, Shape, Transition, read};
use crate::columns::over_columns;
use crate::detection::{read_attack, read_severity};
use crate::guard::{self, LOG_TYPE_FIELD, Model, Modules};
use crate::keys::Keys;
use crate::shared::Shared;
use crate::{AnalysisType, DIALECT, python_file, schedule};

/// The log type of Kubernetes audit events.
const AUDIT: &str = "Amazon.EKS.Audit";
/// The column of the value in which matches agree, where its field differs by member.
const AGREED: &str = "match";
/// How often a member of a sequence may have to match.
const MAX_REPEATS: usize = 20;

/// Rules by id, for correlations to name them.
pub(crate) type Named<'a> = BTreeMap<&'a str, &'a RuleFile>;

/// The rules among files.
pub(crate) fn named_rules(files: &[Arc<RuleFile>]) -> Named<'_> {
    let mut found = Named::new();
    for file in files {
        if let Some(root) = file.mapping()
            && AnalysisType::of(root) == Some(AnalysisType::Rule)
            && let Some(id) = root.get("RuleID").and_then(Node::text)
        {
            found.entry(id.trim()).or_insert(file);
        }
    }
    found
}

/// What a compilation looks things up in.
struct Library<'a> {
    corpus: &'a Corpus,
    rules: &'a Named<'a>,
    shared: &'a Shared,
    modules: &'a Modules<'a>,
}

/// Compiles a file whose `AnalysisType` is `correlation_rule`.
pub(crate) fn compile(
    file: &RuleFile,
    root: &Node,
    corpus: &Corpus,
    rules: &Named<'_>,
    shared: &Shared,
    modules: &Modules<'_>,
) -> Compiled {
    let mut keys = Keys::new(file, root);
    let library = Library { corpus, rules, shared, modules };
    let rule = read_rule(&mut keys, root, &library);
    let worst = keys.diagnostics.iter().map(|diagnostic| diagnostic.level).max();
    let status = match (&rule, worst) {
        (_, Some(Level::Error)) => Status::Invalid,
        (None, _) => Status::Unsupported,
        (_, Some(Level::Warning)) => Status::Partial,
        _ => Status::Runs,
    };
    Compiled {
        path: file.path.clone(),
        rule_id: crate::rule_id(file, root),
        dialect: DIALECT,
        status,
        diagnostics: keys.diagnostics,
        rule: rule.filter(|_| status != Status::Invalid).map(Arc::new),
    }
}

fn read_rule(keys: &mut Keys<'_>, root: &Node, library: &Library<'_>) -> Option<Rule> {
    let id = keys.required_text("RuleID");
    let name = keys.text("DisplayName").filter(|name| !name.is_empty());
    let severity = read_severity(keys);
    let description = keys.text("Description").unwrap_or_default().to_owned();
    let enabled = keys.truth("Enabled", true);
    let alert = keys.truth("CreateAlert", true);
    let attack = read_attack(keys);
    let mut tags = keys.texts("Tags");
    tags.extend(keys.text("Reference").map(str::to_owned));
    let detection = match read::detection(root) {
        Ok(detection) => detection,
        Err((node, message)) => {
            keys.fault("bad-value", node, message);
            return None;
        }
    };
    let mut left_out = Vec::new();
    let pipeline = match pipeline(&detection, library, &mut left_out) {
        Ok(pipeline) => pipeline,
        Err(message) => {
            let diagnostic = Diagnostic::warning("unsupported-correlation", message);
            keys.diagnostics.push(diagnostic.at(keys.place("Detection")));
            return None;
        }
    };
    for (rule, log_type) in left_out {
        let message =
            format!("what `{rule}` matches of `{log_type}` cannot be read off its program: it is not correlated");
        keys.diagnostics.push(Diagnostic::warning("partial-correlation", message).at(keys.place("Detection")));
    }
    let node = root.get("Detection").and_then(|node| node.items().first().or(Some(node)));
    let range = Some(schedule::last_minutes(detection.lookback_minutes));
    let schedule = schedule::read(keys, node.and_then(|node| node.get("Schedule")), range);
    let (id, severity) = (id?, severity?);
    let title = name.unwrap_or(id).to_owned();
    Some(Rule {
        id: id.to_owned(),
        name: title.clone(),
        dialect: DIALECT,
        path: keys.file.path.clone(),
        description: description.clone(),
        enabled,
        attack,
        tags,
        finding: FindingTemplate {
            kind: if alert { Kind::Finding } else { Kind::Signal },
            severity,
            title,
            message: description,
            entities: entities(None),
            throttle: None,
        },
        schedule: Some(schedule),
        body: Body::Pipeline(pipeline),
        tests: Vec::new(),
        drilldowns: Vec::new(),
        guide: masthead_ir::rule::Guide::default(),
    })
}

/// The pipeline of a correlation, or why there is none.
fn pipeline(
    detection: &Detection,
    library: &Library<'_>,
    left_out: &mut Vec<(String, String)>,
) -> Result<Pipeline, String> {
    if let Some(absent) = detection.members().iter().find(|member| member.absent) {
        return Err(format!("that `{}` does not match cannot be waited for here", absent.rule));
    }
    let mut filters = Vec::new();
    for member in detection.members() {
        filters.push(condition(member, library, left_out)?);
    }
    let within = micros(detection.lookback_minutes);
    let mut stages = Vec::new();
    let correlation = match &detection.shape {
        Shape::Group { members, criteria } => {
            let by = group_by(members, criteria, &filters, &mut stages)?;
            group(members, &filters, by, within)
        }
        Shape::Sequence { members, transitions } => sequence(members, transitions, &filters, within)?,
    };
    let fields = filters.iter().flat_map(Expr::fields);
    let by = correlation.by.iter().map(|column| FieldPath::of_column(column));
    let shown = shown(fields.chain(by));
    stages.push(Stage::Correlate(correlation));
    stages.extend(shown);
    Ok(Pipeline { source: Source::Events { filter: Expr::Or(filters), range: None }, stages })
}

fn micros(minutes: u64) -> Micros {
    i64::try_from(minutes).unwrap_or(i64::MAX).saturating_mul(60_000_000)
}

/// The condition of a rule that is named, over columns of rows.
/// Log types for which it cannot be read are added to `left_out`.
fn condition(member: &Member, library: &Library<'_>, left_out: &mut Vec<(String, String)>) -> Result<Expr, String> {
    let rule = &member.rule;
    let Some(file) = library.rules.get(rule.as_str()) else {
        return Err(format!("the rule `{rule}` is not among the files"));
    };
    let unread = || format!("what `{rule}` matches cannot be read off its program for certain");
    let root = file.mapping().ok_or_else(unread)?;
    let mut keys = Keys::new(file, root);
    let log_types = keys.texts("LogTypes");
    let source = python_file::read(&mut keys, library.corpus).ok_or_else(unread)?;
    let empty = Model::new();
    let mut parts = Vec::new();
    for log_type in &log_types {
        let model = library.shared.models.get(log_type).unwrap_or(&empty);
        let exact = guard::exact(&source.module, library.modules, log_type, model);
        match exact.and_then(|exact| over_columns(&exact, &column)) {
            Some(exact) => parts.push(Expr::And(vec![of_log_type(log_type), exact])),
            None => left_out.push((rule.clone(), log_type.clone())),
        }
    }
    match parts.len() {
        0 => Err(unread()),
        1 => Ok(parts.swap_remove(0)),
        _ => Ok(Expr::Or(parts)),
    }
}

/// Whether an event is of a log type; audit events need not say so.
fn of_log_type(log_type: &str) -> Expr {
    let field = FieldPath::flat(LOG_TYPE_FIELD);
    let same = Expr::Test { field: field.clone(), pattern: Pattern::Same(Value::text(log_type)) };
    if log_type != AUDIT {
        return same;
    }
    let present = Expr::Test { field, pattern: Pattern::Present };
    Expr::Or(vec![Expr::Not(Box::new(present)), same])
}

/// The column of a walk by keys; what is no field of the audit event itself goes through arrays.
fn column(keys: &[Arc<str>]) -> Option<FieldPath> {
    let name = keys.join(".");
    let known = |names: &[&'static str]| names.iter().find(|known| known.eq_ignore_ascii_case(&name)).copied();
    Some(match (known(SCALARS), known(LISTS)) {
        (Some(scalar), _) => FieldPath::flat(scalar),
        (None, Some(list)) => FieldPath::flat(format!("{list}{{}}")),
        (None, None) => FieldPath::dotted(name),
    })
}

/// The columns that a field of a match means, or why it means none.
fn fields(field: &str) -> Result<Vec<FieldPath>, String> {
    match field {
        "p_any_ip_addresses" => Ok(vec![FieldPath::flat("sourceIPs{}")]),
        "p_any_usernames" => Ok(vec![FieldPath::flat("user.username"), FieldPath::flat("impersonatedUser.username")]),
        _ if field.starts_with("p_") => Err(format!("`{field}` is no field of the event, and matches are events here")),
        _ => {
            let keys: Vec<Arc<str>> = field.split('.').map(Arc::from).collect();
            Ok(column(&keys).into_iter().collect())
        }
    }
}

fn column_name(field: &FieldPath) -> String {
    field.column().map(|name| name.into_owned()).unwrap_or_default()
}

/// The columns in which the matches of a group agree.
fn group_by(
    members: &[Member],
    criteria: &[Vec<(String, String)>],
    filters: &[Expr],
    stages: &mut Vec<Stage>,
) -> Result<Vec<String>, String> {
    let mut by = Vec::new();
    for (number, criterion) in criteria.iter().enumerate() {
        let mut values = Vec::new();
        let mut columns: Vec<Vec<FieldPath>> = Vec::new();
        for (member, filter) in members.iter().zip(filters) {
            let Some((_, field)) = criterion.iter().find(|(id, _)| *id == member.id) else {
                return Err(format!("`{}` is not among the fields to match", member.id));
            };
            let fields = fields(field)?;
            for field in &fields {
                let args = vec![filter.clone(), Expr::Field(field.clone()), Expr::Literal(Value::Absent)];
                values.push(Expr::Call { func: Func::If, args });
            }
            columns.push(fields);
        }
        if let Some([only]) = columns.first().map(Vec::as_slice)
            && columns.iter().all(|other| other.as_slice() == std::slice::from_ref(only))
        {
            by.push(column_name(only));
            continue;
        }
        let field = if number == 0 { AGREED.to_owned() } else { format!("{AGREED}_{}", number + 1) };
        let expr = Expr::Call { func: Func::MvDedup, args: vec![Expr::Call { func: Func::MvAppend, args: values }] };
        stages.push(Stage::Assign { field: field.clone(), expr });
        by.push(field);
    }
    Ok(by)
}

/// A group: in a sliding window each member is counted.
fn group(members: &[Member], filters: &[Expr], by: Vec<String>, within: Micros) -> Correlation {
    let mut aggregates = Vec::new();
    let mut enough = Vec::new();
    for (member, filter) in members.iter().zip(filters) {
        let name = format!("matches.{}", member.id);
        enough.push(Expr::Compare {
            op: CompareOp::Ge,
            left: Box::new(Expr::Field(FieldPath::flat(&name))),
            right: Box::new(Expr::Literal(Value::Int(i64::try_from(member.count).unwrap_or(i64::MAX)))),
        });
        aggregates.push(Aggregate { func: AggregateFunc::Count, input: AggregateInput::Expr(filter.clone()), name });
    }
    Correlation { kind: CorrelationKind::Threshold { aggregates, condition: Expr::And(enough) }, by, within }
}

/// A sequence: a step for each match of each member.
fn sequence(
    members: &[Member],
    transitions: &[Transition],
    filters: &[Expr],
    lookback: Micros,
) -> Result<Correlation, String> {
    let mut steps = Vec::new();
    let mut agreed: Option<Vec<String>> = None;
    for (at, (member, filter)) in members.iter().zip(filters).enumerate() {
        let before = at.checked_sub(1).and_then(|at| transitions.get(at)).map(|one| side(one, false)).transpose()?;
        let behind = transitions.get(at).map(|one| side(one, true)).transpose()?;
        let by = match (before, behind) {
            (Some(before), Some(behind)) if before != behind => {
                return Err("the transitions of a sequence must all match the same values here".to_owned());
            }
            (Some(by), _) | (None, Some(by)) => by,
            (None, None) => Vec::new(),
        };
        if member.count > MAX_REPEATS {
            return Err(format!("`{}` would have to match more than {MAX_REPEATS} times in a sequence", member.rule));
        }
        if agreed.as_ref().is_some_and(|agreed| agreed.len() != by.len()) {
            return Err("the transitions of a sequence must all match the same values here".to_owned());
        }
        agreed.get_or_insert_with(|| by.clone());
        for _ in 0..member.count {
            steps.push(Step { filter: filter.clone(), by: by.clone() });
        }
    }
    let within = match transitions {
        [Transition { within_minutes: Some(minutes), .. }] if members.iter().all(|member| member.count == 1) => {
            micros(*minutes).min(lookback)
        }
        several if several.iter().all(|transition| transition.within_minutes.is_none()) => lookback,
        _ => return Err("a time for a transition between more than two matches cannot be kept here".to_owned()),
    };
    let kind = CorrelationKind::Steps { steps, ordered: true, until: None };
    Ok(Correlation { kind, by: agreed.unwrap_or_default(), within })
}

/// The columns that one side of a transition must agree in.
fn side(transition: &Transition, from: bool) -> Result<Vec<String>, String> {
    let mut columns = Vec::new();
    for (before, behind) in &transition.fields {
        let field = if from { before } else { behind };
        match fields(field)?.as_slice() {
            [only] => columns.push(column_name(only)),
            _ => return Err(format!("`{field}` is more than one field of the event")),
        }
    }
    Ok(columns)
}
