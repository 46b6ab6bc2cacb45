//! Findings as OCSF Detection Finding (class 2004, version 1.5).

use masthead_ir::finding::{Entity, Finding};
use masthead_ir::rule::{EntityRole, Kind, Severity};
use serde_json::{Value as Json, json};

/// A finding as an OCSF record: one JSON object, whose form is that of class 2004. Times are milliseconds since the Unix
/// epoch; what OCSF has no place for is under `unmapped`.
pub fn detection_finding(finding: &Finding) -> Json {
    let first = millis(finding.first_seen.as_deref());
    let last = millis(finding.last_seen.as_deref());
    let (severity_id, severity) = severity(finding.severity);
    let mut info = json!({
        "uid": finding.finding_id,
        "title": finding.title,
        "desc": finding.message,
        "attacks": finding.attack.iter().map(|id| attack(id)).collect::<Vec<_>>(),
        "analytic": {"uid": finding.rule.id, "name": finding.rule.name, "type": "Rule", "type_id": 1},
    });
    for (name, time) in [("first_seen_time", first), ("last_seen_time", last)] {
        if let Some(time) = time {
            info[name] = json!(time);
        }
    }
    let mut record = json!({
        "activity_id": 1,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "type_uid": 200_401,
        "type_name": "Detection Finding: Create",
        "severity_id": severity_id,
        "severity": severity,
        "status_id": 1,
        "status": "New",
        "is_alert": finding.kind == Kind::Finding,
        // The class asks for a time; an event without one is put at the beginning of the epoch.
        "time": last.or(first).unwrap_or(0),
        "message": finding.message_or_title(),
        "count": finding.count,
        "metadata": {
            "version": "1.5.0",
            "product": {"name": "masthead", "vendor_name": "masthead", "version": env!("CARGO_PKG_VERSION")},
        },
        "finding_info": info,
        "evidences": finding.audit_ids.iter().map(|id| json!({"data": {"audit_id": id}})).collect::<Vec<_>>(),
        "observables": finding.entities.iter().map(observable).collect::<Vec<_>>(),
        "unmapped": {
            "kind": finding.kind,
            "rule": finding.rule,
            "cluster": finding.cluster,
            "audit_id_count": finding.audit_id_count,
            "entities": finding.entities,
            "fields": finding.fields,
            "details": finding.details,
        },
    });
    let at_risk = finding.entities.iter().filter(|entity| entity.role == EntityRole::Risk);
    if let Some(score) = at_risk.filter_map(|entity| entity.risk_score).max() {
        record["risk_score"] = json!(score);
    }
    record
}

fn millis(time: Option<&str>) -> Option<i64> {
    time?.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

fn severity(severity: Severity) -> (u8, &'static str) {
    match severity {
        Severity::Informational => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}

/// A technique; that of `T1552.007` is T1552.
fn attack(id: &str) -> Json {
    match id.split_once('.') {
        Some((technique, _)) => json!({"technique": {"uid": technique}, "sub_technique": {"uid": id}}),
        None => json!({"technique": {"uid": id}}),
    }
}

fn observable(entity: &Entity) -> Json {
    let (type_id, type_name) = match entity.entity_type.as_str() {
        "hostname" | "system" => (1, "Hostname"),
        "ip_address" => (2, "IP Address"),
        "user" | "username" => (4, "User Name"),
        "email_address" => (5, "Email Address"),
        "url" | "domain" => (6, "URL String"),
        "file_name" => (7, "File Name"),
        "process_name" | "process" => (9, "Process Name"),
        other => (99, other),
    };
    json!({"name": entity.entity_type, "value": entity.value, "type_id": type_id, "type": type_name})
}
