//! AKS' audit log, as Azure Monitor writes it to an Event Hub or a storage account.
//!
//! A record gives two events: the native one as it came, and the audit event that it carries as text. Azure cuts that text
//! at 16 KiB: what is there is read, and marked.

use std::io::Read;
use std::sync::Arc;

use masthead_event::salvage::salvage;
use masthead_event::{Envelope, Reason};
use serde::Deserialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::{Item, Told, Undecodable, count, push, whole};
use crate::Delivery;

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    records: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(default)]
    category: String,
    #[serde(default)]
    resource_id: String,
    #[serde(default)]
    properties: Json,
}

/// Reads records: `{"records": […]}`, an array, or one record a line. Tells how many there were.
///
/// # Errors
/// When it is none of these.
pub fn azure(body: &mut dyn Read, told: &Told, out: &mut Delivery) -> Result<u64, Undecodable> {
    let bytes = whole(body)?;
    let mut number = 0;
    if let Ok(body) = serde_json::from_slice::<Body<'_>>(&bytes) {
        body.records.iter().for_each(|record| take(record.get(), told, &mut number, out));
    } else if let Ok(records) = serde_json::from_slice::<Vec<&RawValue>>(&bytes) {
        for record in records {
            match serde_json::from_str::<Body<'_>>(record.get()) {
                Ok(body) => body.records.iter().for_each(|record| take(record.get(), told, &mut number, out)),
                Err(_) => take(record.get(), told, &mut number, out),
            }
        }
    } else {
        let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
        for line in lines {
            match serde_json::from_slice::<&RawValue>(line) {
                Ok(record) => take(record.get(), told, &mut number, out),
                Err(_) => {
                    number += 1;
                    count(out, Reason::NotJson, number);
                }
            }
        }
        if out.batch.is_empty() {
            return Err(Undecodable::Form("nothing in the body is a record of Azure Monitor".to_owned()));
        }
    }
    Ok(number)
}

fn take(raw: &str, told: &Told, number: &mut u64, out: &mut Delivery) {
    *number += 1;
    let Ok(record) = serde_json::from_str::<Record>(raw) else { return count(out, Reason::BadEnvelope, *number) };
    let own = record.resource_id.rsplit('/').next().filter(|name| !name.is_empty());
    let cluster = told.cluster.clone().or_else(|| own.map(|name| Arc::from(name.to_lowercase())));
    let account = record.resource_id.split('/').nth(2).map(|id| Arc::from(id.to_lowercase()));
    let native = Arc::new(Envelope {
        source: "azure".into(),
        sourcetype: "mscs:azure:eventhub".into(),
        log_type: Some("Azure.MonitorActivity".into()),
        cluster: cluster.clone(),
        account: account.clone(),
        ..Envelope::default()
    });
    let item = Item { record: *number, ..Item::default() };
    push(out, &native, raw.as_bytes(), item);
    if !matches!(record.category.as_str(), "kube-audit" | "kube-audit-admin") {
        return count(out, Reason::NotAudit, *number);
    }
    // Some exports carry the properties as text, too.
    let properties = match &record.properties {
        Json::String(text) => serde_json::from_str(text).unwrap_or(Json::Null),
        other => other.clone(),
    };
    let canonical = Arc::new(Envelope { log_type: told.log_type.clone(), cluster, account, ..Envelope::raw() });
    match &properties["log"] {
        Json::String(log) => audit_event(log.trim(), &canonical, item, out),
        Json::Object(event) => {
            let event = Json::Object(event.clone()).to_string();
            push(out, &canonical, event.as_bytes(), item);
        }
        _ => count(out, Reason::BadEnvelope, *number),
    }
}

fn audit_event(log: &str, envelope: &Arc<Envelope>, item: Item<'_>, out: &mut Delivery) {
    match serde_json::from_str::<&RawValue>(log) {
        Ok(_) if log.starts_with('{') => push(out, envelope, log.as_bytes(), item),
        Ok(_) => count(out, Reason::NotAudit, item.record),
        Err(_) => {
            let mut saved = Vec::new();
            if salvage(log.as_bytes(), &mut saved) {
                count(out, Reason::Truncated, item.record);
                push(out, envelope, &saved, Item { truncated: true, ..item });
            } else {
                count(out, Reason::NotJson, item.record);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(category: &str, log: &str) -> Json {
        json!({"time": "2026-11-20T10:00:00Z", "category": category, "properties": {"log": log, "pod": "kube-apiserver"},
            "resourceId": "/SUBSCRIPTIONS/S1/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/PROD"})
    }

    fn read(body: &str) -> Delivery {
        let mut out = Delivery::new("azure");
        azure(&mut body.as_bytes(), &Told::default(), &mut out).unwrap();
        out
    }

    #[test]
    fn the_audit_event_in_a_record_comes_out_as_it_went_in() {
        let event = r#"{"kind":"Event","auditID":"a","verb":"get", "user":{"username":"é"}}"#;
        let one = record("kube-audit", event);
        for body in [json!({"records": [one]}).to_string(), json!([one]).to_string(), format!("{one}\n{one}\n")] {
            let out = read(&body);
            let (found, _) = out.batch.get(1).unwrap();
            assert_eq!(found.raw, event.as_bytes());
            assert_eq!(
                (found.envelope.cluster.as_deref(), found.envelope.account.as_deref()),
                (Some("prod"), Some("s1"))
            );
            assert_eq!(out.batch.get(0).unwrap().0.envelope.log_type.as_deref(), Some("Azure.MonitorActivity"));
        }
    }

    #[test]
    fn a_cut_event_is_read_as_far_as_it_goes_and_marked() {
        let event = json!({"auditID": "a", "verb": "create", "user": {"username": "eve"}, "requestObject": {"x": "y"}})
            .to_string();
        for cut in 0..event.len() {
            let out = read(&json!({"records": [record("kube-audit", &event[..cut])]}).to_string());
            if let Some((found, _)) = out.batch.get(1) {
                assert!(found.truncated && out.ledger.of(Reason::Truncated) == 1, "{cut}");
                assert!(serde_json::from_slice::<Json>(found.raw).is_ok(), "{cut}");
            } else {
                assert!(out.ledger.lost() == 1, "{cut}: {:?}", out.ledger);
            }
        }
    }

    #[test]
    fn other_categories_are_counted_and_not_read_as_audit_events() {
        let out = read(&json!({"records": [record("kube-scheduler", "I1120 klog"), record("guard", "x")]}).to_string());
        assert_eq!((out.batch.len(), out.ledger.of(Reason::NotAudit)), (2, 2));
    }
}
