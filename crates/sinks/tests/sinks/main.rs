//! Findings on their way to real servers on the loopback.

#![allow(clippy::unwrap_used)]

mod courier;
mod email;
mod errors;
mod lines;
mod payloads;
mod server;
mod tls;
mod webhook;

use masthead_ir::finding::{Entity, Finding, RuleRef};
use masthead_ir::rule::{EntityRole, Kind, Severity};
use masthead_sinks::{Sinks, SinksConfig};
use serde_json::json;

/// The sinks of a configuration in TOML.
fn sinks(toml: &str) -> Sinks {
    Sinks::new(&toml::from_str::<SinksConfig>(toml).unwrap()).unwrap()
}

/// The finding of the tests, with marks in its texts that a chat would act on.
fn finding(id: &str) -> Finding {
    let entity = |entity_type: &str, value: &str, role, risk_score| Entity {
        entity_type: entity_type.to_owned(),
        value: value.to_owned(),
        role,
        risk_score,
        message: None,
    };
    let details = json!({"drilldowns": [{"name": "All of mallory", "search": "user=mallory | head 5"}]});
    Finding {
        finding_id: id.to_owned(),
        kind: Kind::Finding,
        rule: RuleRef {
            id: "k8s.exec".to_owned(),
            name: "Exec <into> a pod".to_owned(),
            dialect: "splunk".to_owned(),
            path: "rules/exec.yml".to_owned(),
        },
        severity: Severity::High,
        status: "new".to_owned(),
        title: "Exec & run by mallory".to_owned(),
        message: "mallory ran <!channel> [click](http://evil.example) in a pod".to_owned(),
        first_seen: Some("2026-11-20T10:00:00Z".to_owned()),
        last_seen: Some("2026-11-20T10:05:00.25Z".to_owned()),
        count: 3,
        entities: vec![
            entity("user", "mallory", EntityRole::Risk, Some(40)),
            entity("ip_address", "192.0.2.7", EntityRole::Threat, None),
        ],
        attack: vec!["T1609".to_owned()],
        audit_ids: vec!["a-1".to_owned(), "a-2".to_owned()],
        audit_id_count: 3,
        cluster: Some("prod".to_owned()),
        fields: json!({"verb": "create"}).as_object().unwrap().clone(),
        details: details.as_object().unwrap().clone(),
    }
}
