//! Findings from result rows and from groups of matches.

use jiff::Timestamp;
use masthead_ir::Value;
use masthead_ir::finding::{Entity, Finding, RuleRef};
use masthead_ir::pipeline::{CorrelationKind, Pipeline, Stage};
use masthead_ir::rule::{EntityRole, EntityTemplate, Kind, Rule, Severity};
use masthead_ir::time::Micros;
use masthead_query::ResultRow;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::trigger::Group;

/// The namespace of finding ids. Changing it changes every id.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d61_7374_6865_6164_8000_6669_6e64_6e67);

/// RFC 3339 in UTC with the fraction that the time has.
pub(crate) fn rfc3339(time: Micros) -> Option<String> {
    Timestamp::from_microsecond(time).ok().map(|t| t.to_string())
}

/// An id from its parts: the same parts give the same id.
pub(crate) fn finding_id(parts: &[&str]) -> String {
    let mut name = Vec::new();
    for part in parts {
        // Lengths keep ("ab", "c") and ("a", "bc") apart.
        name.extend_from_slice(&(part.len() as u64).to_le_bytes());
        name.extend_from_slice(part.as_bytes());
    }
    Uuid::new_v5(&NAMESPACE, &name).to_string()
}

/// The fields of a result row that say what it is about: the group fields of the last aggregation under the names they
/// end up with; none if there is no aggregation or one of them does not reach the result.
pub(crate) fn key_fields(pipeline: &Pipeline) -> Option<Vec<String>> {
    let mut keys: Option<Vec<String>> = None;
    // A correlation without group fields is about all events: what it finds goes on whatever its fields are.
    let mut correlated = false;
    for stage in &pipeline.stages {
        match stage {
            Stage::Aggregate(aggregation) => (keys, correlated) = (Some(aggregation.by.clone()), false),
            Stage::Correlate(correlation) => {
                let fields = match &correlation.kind {
                    CorrelationKind::New { fields } => fields,
                    _ => &correlation.by,
                };
                (keys, correlated) = (Some(fields.clone()), true);
            }
            Stage::Rename(pairs) => {
                for (from, to) in pairs {
                    for key in keys.iter_mut().flatten() {
                        if let Some(name) = renamed(key, from, to) {
                            *key = name;
                        }
                    }
                }
            }
            Stage::Append(_) | Stage::AppendPipe(_) | Stage::Expand { .. } | Stage::Pivot(_) => keys = None,
            _ => {}
        }
    }
    keys.filter(|keys| correlated || !keys.is_empty())
}

fn renamed(name: &str, from: &str, to: &str) -> Option<String> {
    match (from.split_once('*'), to.split_once('*')) {
        (None, None) => (name == from).then(|| to.to_owned()),
        (Some((head, tail)), Some((to_head, to_tail))) => {
            let star = name.strip_prefix(head)?.strip_suffix(tail)?;
            Some(format!("{to_head}{star}{to_tail}"))
        }
        _ => None,
    }
}

/// The texts of a value, one a member.
pub(crate) fn texts(value: &Value) -> Vec<String> {
    value
        .members()
        .iter()
        .map(|member| masthead_ir::eval::number::text(member).unwrap_or_default().into_owned())
        .collect()
}

fn json_of(value: &Value) -> Json {
    match value {
        Value::Absent => Json::Null,
        Value::Text(text) | Value::Json(text) => Json::from(&**text),
        Value::Int(number) => Json::from(*number),
        Value::Float(number) => Json::from(*number),
        Value::Bool(truth) => Json::from(*truth),
        Value::List(values) => Json::Array(values.iter().map(json_of).collect()),
    }
}

/// A template with its `$field$` tokens filled. A token of a field that the row lacks stays, so that its author sees it.
pub(crate) fn fill(template: &str, field: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(start) = rest.find('$') {
        let after = &rest[start + 1..];
        let end = after.find(|c: char| c == '$' || c.is_whitespace());
        match end.filter(|&end| end > 0 && after[end..].starts_with('$')) {
            Some(end) => {
                out.push_str(&rest[..start]);
                match field(&after[..end]) {
                    Some(value) => out.push_str(&value),
                    None => out.push_str(&rest[start..start + end + 2]),
                }
                rest = &after[end + 1..];
            }
            None => {
                out.push_str(&rest[..=start]);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn rule_ref(rule: &Rule) -> RuleRef {
    RuleRef {
        id: rule.id.clone(),
        name: rule.name.clone(),
        dialect: rule.dialect.to_owned(),
        path: rule.path.display().to_string(),
    }
}

/// The finding of one result row. `key` is that of [`row_key`], `window` tells runs of a schedule apart, `twin` rows with
/// one key.
pub(crate) fn from_row(rule: &Rule, row: &ResultRow, key: &str, window: &str, twin: u64) -> Finding {
    let get = |name: &str| row.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value);
    let token = |name: &str| get(name).filter(|v| !v.is_absent()).map(|v| texts(v).join(", "));
    let template = &rule.finding;
    let entities = template.entities.iter().flat_map(|entity| entities_of(entity, &get, &token)).collect();
    let start = row.first.map(|t| t.to_string()).unwrap_or_default();
    let window = if window.is_empty() { start.as_str() } else { window };
    Finding {
        finding_id: finding_id(&[&rule.id, &rule.name, key, window, &twin.to_string()]),
        kind: template.kind,
        rule: rule_ref(rule),
        severity: template.severity,
        status: "new".to_owned(),
        title: fill(&template.title, &token),
        message: fill(&template.message, &token),
        first_seen: row.first.and_then(rfc3339),
        last_seen: row.last.and_then(rfc3339),
        count: row.count,
        entities,
        attack: rule.attack.clone(),
        audit_ids: row.audit_ids.clone(),
        audit_id_count: row.audit_id_count,
        cluster: None,
        fields: row.fields.iter().filter(|(_, v)| !v.is_absent()).map(|(n, v)| (n.clone(), json_of(v))).collect(),
        details: drilldowns(rule, &token),
    }
}

/// What tells this row from others of its rule, as text.
pub(crate) fn row_key(row: &ResultRow, keys: Option<&[String]>) -> String {
    let mut key = Map::new();
    let kept = keys.filter(|keys| keys.iter().all(|key| row.fields.iter().any(|(name, _)| name == key)));
    for (name, value) in &row.fields {
        if kept.is_none_or(|keys| keys.contains(name)) {
            key.insert(name.clone(), json_of(value));
        }
    }
    Json::Object(key).to_string()
}

fn entities_of<'r>(
    template: &EntityTemplate,
    get: &dyn Fn(&str) -> Option<&'r Value>,
    token: &dyn Fn(&str) -> Option<String>,
) -> Vec<Entity> {
    let values = get(&template.field).map(texts).unwrap_or_default();
    let message = template.message.as_deref().map(|message| fill(message, token));
    values
        .into_iter()
        .filter(|value| !value.is_empty())
        .map(|value| Entity {
            entity_type: template.entity_type.clone(),
            value,
            role: template.role,
            risk_score: (template.role == EntityRole::Risk).then_some(template.score).flatten(),
            message: message.clone(),
        })
        .collect()
}

fn drilldowns(rule: &Rule, token: &dyn Fn(&str) -> Option<String>) -> Map<String, Json> {
    let mut details = Map::new();
    let filled: Vec<Json> = rule
        .drilldowns
        .iter()
        .map(|d| serde_json::json!({"name": fill(&d.name, token), "search": fill(&d.search, token)}))
        .collect();
    if !filled.is_empty() {
        details.insert("drilldowns".to_owned(), Json::Array(filled));
    }
    details
}

/// The id of the finding of a group of matches.
pub(crate) fn group_id(rule: &Rule, group: &Group) -> String {
    let first = group.first.map(|time| time.to_string()).unwrap_or_default();
    finding_id(&[&rule.id, &rule.name, &group.dedup, &first, "group"])
}

/// The finding of a group of matches of a script.
pub(crate) fn from_group(rule: &Rule, group: &Group, alert: bool) -> Finding {
    let verdict = &group.verdict;
    let severity = verdict.severity.as_deref().and_then(severity_named).unwrap_or(rule.finding.severity);
    let title = verdict.title.clone().unwrap_or_else(|| rule.finding.title.clone());
    let mut details = Map::new();
    let mut detail = |name: &str, value: Option<Json>| {
        if let Some(value) = value {
            details.insert(name.to_owned(), value);
        }
    };
    detail("dedup", Some(Json::from(group.dedup.as_str())));
    detail("description", verdict.description.clone().map(Json::from));
    detail("reference", verdict.reference.clone().map(Json::from));
    detail("runbook", verdict.runbook.clone().map(Json::from));
    detail("destinations", verdict.destinations.clone().map(Json::from));
    detail("summary", (!group.summary().is_empty()).then(|| serde_json::json!(group.summary())));
    Finding {
        finding_id: group_id(rule, group),
        kind: if alert { Kind::Finding } else { Kind::Signal },
        rule: rule_ref(rule),
        severity,
        status: "new".to_owned(),
        message: title.clone(),
        title,
        first_seen: group.first.and_then(rfc3339),
        last_seen: group.last.and_then(rfc3339),
        count: group.count,
        entities: group.entities.iter().map(indicator).collect(),
        attack: rule.attack.clone(),
        audit_ids: group.audit_ids(),
        audit_id_count: group.audit_id_count(),
        cluster: group.cluster.clone(),
        fields: verdict.context.clone().unwrap_or_default(),
        details,
    }
}

/// Users may be victims; addresses and the like point at somebody. A script gives no score.
fn indicator((kind, value): &(String, String)) -> Entity {
    let role = if kind == "user" { EntityRole::Risk } else { EntityRole::Threat };
    Entity { entity_type: kind.clone(), value: value.clone(), role, risk_score: None, message: None }
}

fn severity_named(name: &str) -> Option<Severity> {
    serde_json::from_value(Json::from(name.to_ascii_lowercase())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_filled_and_unknown_ones_stay() {
        let field = |name: &str| match name {
            "user" => Some("eve".to_owned()),
            "a.b{}" => Some("x, y".to_owned()),
            _ => None,
        };
        for (template, expected) in [
            ("by $user$ from $src$", "by eve from $src$"),
            ("$user$$user$", "eveeve"),
            ("cost $5 for $user$", "cost $5 for eve"),
            ("$a.b{}$!", "x, y!"),
            ("no end $user", "no end $user"),
            ("$$user$", "$eve"),
        ] {
            assert_eq!(fill(template, &field), expected, "{template}");
        }
    }

    #[test]
    fn ids_tell_parts_apart() {
        assert_ne!(finding_id(&["ab", "c"]), finding_id(&["a", "bc"]));
        assert_eq!(finding_id(&["a"]), finding_id(&["a"]));
    }

    #[test]
    fn keys_follow_renames() {
        assert_eq!(renamed("sourceIPs{}", "sourceIPs{}", "src_ip"), Some("src_ip".to_owned()));
        assert_eq!(renamed("object.name", "object.*", "*"), Some("name".to_owned()));
        assert_eq!(renamed("x", "y", "z"), None);
    }
}
