//! OTLP logs (opentelemetry-proto, `collector/logs/v1`).

use std::collections::BTreeMap;
use std::sync::Arc;

use masthead_event::Envelope;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message as _;
use serde_json::{Map, Value as Json};

use super::{Item, Told, Undecodable, push};
use crate::Delivery;

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OtlpOutcome {
    /// Records that are events now.
    pub accepted: u64,
    /// Records that are none.
    pub rejected: i64,
    /// Why; empty if none was rejected.
    pub message: String,
}

/// How deep a body may nest.
const MAX_DEPTH: usize = 64;

/// A request as protobuf.
///
/// # Errors
/// When it is none.
pub fn otlp_protobuf(body: &[u8], told: &Told, out: &mut Delivery) -> Result<OtlpOutcome, Undecodable> {
    let request = ExportLogsServiceRequest::decode(body)
        .map_err(|error| Undecodable::Form(format!("no ExportLogsServiceRequest: {error}")))?;
    Ok(take(request, told, out))
}

/// A request as JSON.
///
/// # Errors
/// When it is none.
pub fn otlp_json(body: &[u8], told: &Told, out: &mut Delivery) -> Result<OtlpOutcome, Undecodable> {
    let request = serde_json::from_slice(body)
        .map_err(|error| Undecodable::Form(format!("no ExportLogsServiceRequest: {error}")))?;
    Ok(take(request, told, out))
}

fn take(request: ExportLogsServiceRequest, told: &Told, out: &mut Delivery) -> OtlpOutcome {
    let mut outcome = OtlpOutcome::default();
    let mut record = 0;
    for resource in request.resource_logs {
        let attributes = resource.resource.map(|resource| resource.attributes).unwrap_or_default();
        let envelope = envelope(&attributes, told);
        for log in resource.scope_logs.into_iter().flat_map(|scope| scope.log_records) {
            record += 1;
            let body = log.body.and_then(|body| body.value);
            match body.and_then(event) {
                Some((raw, text)) => {
                    outcome.accepted += 1;
                    push(out, &envelope, &raw, Item { record, text, ..Item::default() });
                }
                None => {
                    outcome.rejected += 1;
                    outcome.message = "a record's body is neither a text nor a key-value list".to_owned();
                }
            }
        }
    }
    outcome
}

fn envelope(attributes: &[KeyValue], told: &Told) -> Arc<Envelope> {
    let text = |name: &str| {
        let found = attributes.iter().find(|attribute| attribute.key == name)?;
        match found.value.as_ref()?.value.as_ref()? {
            Any::StringValue(text) => Some(Arc::<str>::from(text.as_str())),
            _ => None,
        }
    };
    let base = told.envelope();
    Arc::new(Envelope {
        cluster: base.cluster.clone().or_else(|| text("k8s.cluster.name")),
        host: text("host.name").or(base.host.clone()),
        source: text("com.splunk.source").unwrap_or_else(|| base.source.clone()),
        sourcetype: text("com.splunk.sourcetype").unwrap_or_else(|| base.sourcetype.clone()),
        account: text("cloud.account.id"),
        ..base
    })
}

/// The event of a body, and whether it is text.
fn event(body: Any) -> Option<(Vec<u8>, bool)> {
    match body {
        Any::StringValue(text) => {
            let text = text.trim();
            (!text.is_empty()).then(|| (text.as_bytes().to_vec(), !text.starts_with('{')))
        }
        Any::KvlistValue(list) => {
            let object = Json::Object(object(list.values, 0)?);
            Some((serde_json::to_vec(&object).ok()?, false))
        }
        Any::BytesValue(bytes) => {
            let bytes = bytes.trim_ascii();
            bytes.starts_with(b"{").then(|| (bytes.to_vec(), false))
        }
        _ => None,
    }
}

fn object(values: Vec<KeyValue>, depth: usize) -> Option<Map<String, Json>> {
    // Of a key that is given twice the last counts, as in a map.
    let mut members = BTreeMap::new();
    for member in values {
        members.insert(member.key, json(member.value, depth + 1)?);
    }
    Some(members.into_iter().collect())
}

/// None if it is nested too deep.
fn json(value: Option<AnyValue>, depth: usize) -> Option<Json> {
    if depth > MAX_DEPTH {
        return None;
    }
    Some(match value.and_then(|value| value.value) {
        None => Json::Null,
        Some(Any::StringValue(text)) => Json::from(text),
        Some(Any::BoolValue(truth)) => Json::from(truth),
        Some(Any::IntValue(number)) => Json::from(number),
        Some(Any::DoubleValue(number)) => Json::from(number),
        Some(Any::ArrayValue(list)) => {
            let members: Option<Vec<Json>> =
                list.values.into_iter().map(|value| json(Some(value), depth + 1)).collect();
            Json::Array(members?)
        }
        Some(Any::KvlistValue(list)) => Json::Object(object(list.values, depth)?),
        Some(Any::BytesValue(bytes)) => Json::from(String::from_utf8_lossy(&bytes).into_owned()),
        #[allow(unreachable_patterns, reason = "newer versions of the protocol have more kinds")]
        Some(_) => Json::Null,
    })
}
