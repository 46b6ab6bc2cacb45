//! A made-up finding.

use masthead_ir::finding::{Entity, Finding, RuleRef};
use masthead_ir::rule::{EntityRole, Kind, Severity};
use serde_json::json;

/// A made-up finding in which nothing is missing: what templates are checked with, and what a test message shows.
pub fn sample_finding() -> Finding {
    let entity = |entity_type: &str, value: &str, role, risk_score| Entity {
        entity_type: entity_type.to_owned(),
        value: value.to_owned(),
        role,
        risk_score,
        message: None,
    };
    let mut fields = serde_json::Map::new();
    fields.insert("verb".to_owned(), json!("create"));
    fields.insert("user.username".to_owned(), json!("sample-user"));
    let mut details = serde_json::Map::new();
    details.insert("reference".to_owned(), json!("https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/"));
    details.insert(
        "drilldowns".to_owned(),
        json!([{"name": "All of sample-user", "search": "user.username=sample-user"}]),
    );
    Finding {
        finding_id: "00000000-0000-5000-8000-000000000000".to_owned(),
        kind: Kind::Finding,
        rule: RuleRef {
            id: "masthead.sample".to_owned(),
            name: "Sample rule".to_owned(),
            dialect: "masthead".to_owned(),
            path: "sample.yml".to_owned(),
        },
        severity: Severity::Informational,
        status: "new".to_owned(),
        title: "Sample finding".to_owned(),
        message: "This is a test message of masthead. Nothing happened.".to_owned(),
        first_seen: Some("2026-01-01T00:00:00Z".to_owned()),
        last_seen: Some("2026-01-01T00:05:00Z".to_owned()),
        count: 2,
        entities: vec![
            entity("user", "sample-user", EntityRole::Risk, Some(10)),
            entity("ip_address", "192.0.2.1", EntityRole::Threat, None),
        ],
        attack: vec!["T1613".to_owned()],
        audit_ids: vec!["00000000-0000-4000-8000-000000000001".to_owned()],
        audit_id_count: 2,
        cluster: Some("sample-cluster".to_owned()),
        fields,
        details,
    }
}
