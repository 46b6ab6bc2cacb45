//! Findings as OCSF Detection Finding (class 2004, version 1.5).

use masthead_ir::finding::Finding;
use masthead_ir::rule::Severity;
use serde_json::{Value as Json, json};

/// A finding as OCSF.
pub(crate) fn detection_finding(finding: &Finding) -> Json {
    let millis = |time: &Option<String>| {
        time.as_deref().and_then(|time| time.parse::<jiff::Timestamp>().ok()).map(jiff::Timestamp::as_millisecond)
    };
    let attacks: Vec<Json> = finding.attack.iter().map(|id| json!({"technique": {"uid": id}})).collect();
    let observables: Vec<Json> = finding
        .entities
        .iter()
        .map(|entity| json!({"name": entity.entity_type, "value": entity.value, "type_id": 99}))
        .collect();
    let severity_id = match finding.severity {
        Severity::Informational => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    };
    json!({
        "activity_id": 1,
        "category_uid": 2,
        "class_uid": 2004,
        "type_uid": 200_401,
        "severity_id": severity_id,
        "status_id": 1,
        "time": millis(&finding.last_seen),
        "message": finding.message,
        "count": finding.count,
        "metadata": {
            "version": "1.5.0",
            "product": {"name": "masthead", "version": env!("CARGO_PKG_VERSION")},
        },
        "finding_info": {
            "uid": finding.finding_id,
            "title": finding.title,
            "desc": finding.message,
            "first_seen_time": millis(&finding.first_seen),
            "last_seen_time": millis(&finding.last_seen),
            "attacks": attacks,
            "analytic": {"uid": finding.rule.id, "name": finding.rule.name, "type_id": 1},
        },
        "evidences": finding.audit_ids.iter().map(|id| json!({"data": {"audit_id": id}})).collect::<Vec<_>>(),
        "observables": observables,
        "unmapped": {"kind": finding.kind, "fields": finding.fields, "rule": finding.rule},
    })
}
