//! Splunk's HTTP Event Collector: the codes and forms that its clients know.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ClientCert, Fault, Grant, Shared, admitted, body, secret_of};
use crate::decode::{self, HecFault, HecMetadata, Told};
use crate::{Delivery, Refused};

/// How many acknowledgements of one channel are remembered, and how many channels.
const ACKS: usize = 10_000;
const CHANNELS: usize = 1_000;

/// Acknowledgements by channel: those that were given and not asked for yet.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    channels: Mutex<BTreeMap<String, Channel>>,
}

#[derive(Debug, Default)]
struct Channel {
    next: u64,
    done: VecDeque<u64>,
}

impl Acks {
    fn give(&self, channel: &str) -> u64 {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if !channels.contains_key(channel) && channels.len() >= CHANNELS {
            // A client that polls no more must not keep others from being served.
            channels.pop_first();
        }
        let channel = channels.entry(channel.to_owned()).or_default();
        let id = channel.next;
        channel.next += 1;
        channel.done.push_back(id);
        if channel.done.len() > ACKS {
            channel.done.pop_front();
        }
        id
    }

    /// Whether these are done; each is told once.
    fn ask(&self, channel: &str, ids: &[u64]) -> BTreeMap<String, bool> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let mut done = channels.get_mut(channel).map(|channel| &mut channel.done);
        let mut ask = |id: &u64| {
            let at = done.as_ref().and_then(|done| done.iter().position(|known| known == id));
            let found = at.and_then(|at| done.as_mut()?.remove(at)).is_some();
            (id.to_string(), found)
        };
        ids.iter().map(&mut ask).collect()
    }
}

/// Parameters of the address.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parameters {
    channel: Option<String>,
    token: Option<String>,
    host: Option<String>,
    source: Option<String>,
    sourcetype: Option<String>,
}

pub(crate) fn routes() -> Router<Arc<Shared>> {
    let base = "/services/collector";
    let mut router = Router::new();
    for path in ["", "/event", "/event/1.0"] {
        router = router.route(&format!("{base}{path}"), post(events));
    }
    for path in ["/raw", "/raw/1.0"] {
        router = router.route(&format!("{base}{path}"), post(raw));
    }
    router = router.route(&format!("{base}/ack"), post(ack));
    for path in ["/health", "/health/1.0"] {
        router = router.route(&format!("{base}{path}"), get(health));
    }
    router.route(&format!("{base}/{{*other}}"), any(async || StatusCode::NOT_FOUND))
}

/// An answer of the collector.
fn answer(code: u16, more: Value) -> Response {
    let (status, text) = match code {
        0 => (200, "Success"),
        2 => (401, "Token is required"),
        3 => (401, "Invalid authorization"),
        4 => (403, "Invalid token"),
        5 => (400, "No data"),
        6 => (400, "Invalid data format"),
        8 => (500, "Internal server error"),
        9 => (503, "Server is busy"),
        10 => (400, "Data channel is missing"),
        11 => (400, "Invalid data channel"),
        12 => (400, "Event field is required"),
        13 => (400, "Event field cannot be blank"),
        14 => (400, "ACK is disabled"),
        16 => (400, "Query string authorization is not enabled"),
        17 => (200, "HEC is healthy"),
        _ => (503, "HEC is unhealthy, queues are full"),
    };
    let mut body = json!({"text": text, "code": code});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Json(body)).into_response()
}

fn told_fault(fault: HecFault) -> Response {
    let more = fault.invalid_event_number.map_or(json!({}), |number| json!({"invalid-event-number": number}));
    answer(fault.code, more)
}

fn told_refusal(refused: &Refused) -> Response {
    let busy = answer(9, json!({}));
    let seconds = match refused {
        Refused::Busy { retry_after } => retry_after.as_secs().max(1),
        _ => 2,
    };
    ([(header::RETRY_AFTER, seconds.to_string())], busy).into_response()
}

/// Who sends, or the collector's answer to somebody who may not.
async fn who(
    shared: &Shared,
    headers: &HeaderMap,
    parameters: &Parameters,
    certificate: Option<Extension<ClientCert>>,
) -> Result<Grant, Response> {
    if let Ok(grant) = admitted(shared, headers, certificate).await {
        return Ok(grant);
    }
    let given = headers.get(header::AUTHORIZATION);
    Err(match (given, &parameters.token) {
        (None, Some(_)) => answer(16, json!({})),
        (None, None) => answer(2, json!({})),
        (Some(_), _) if secret_of(headers).is_none() => answer(3, json!({})),
        (Some(_), _) => answer(4, json!({})),
    })
}

fn channel(headers: &HeaderMap, parameters: &Parameters) -> Option<String> {
    let header = headers.get("x-splunk-request-channel").and_then(|value| value.to_str().ok());
    header.or(parameters.channel.as_deref()).map(str::to_owned).filter(|name| !name.is_empty())
}

/// A channel is a GUID.
fn is_channel(name: &str) -> bool {
    name.len() <= 64 && name.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

async fn events(
    State(shared): State<Arc<Shared>>,
    Query(parameters): Query<Parameters>,
    certificate: Option<Extension<ClientCert>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let decode = |bytes: &[u8], told: &Told, out: &mut Delivery| decode::hec_events(bytes, told, out);
    receive(&shared, parameters, certificate, headers, body, decode).await
}

async fn raw(
    State(shared): State<Arc<Shared>>,
    Query(parameters): Query<Parameters>,
    certificate: Option<Extension<ClientCert>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let metadata = HecMetadata {
        host: parameters.host.clone(),
        source: parameters.source.clone(),
        sourcetype: parameters.sourcetype.clone(),
    };
    let decode = move |bytes: &[u8], told: &Told, out: &mut Delivery| decode::hec_raw(bytes, &metadata, told, out);
    receive(&shared, parameters, certificate, headers, body, decode).await
}

async fn receive(
    shared: &Arc<Shared>,
    parameters: Parameters,
    certificate: Option<Extension<ClientCert>>,
    headers: HeaderMap,
    body: Body,
    decode: impl FnOnce(&[u8], &Told, &mut Delivery) -> Result<u64, HecFault>,
) -> Response {
    let grant = match who(shared, &headers, &parameters, certificate).await {
        Ok(grant) => grant,
        Err(response) => return response,
    };
    let channel = channel(&headers, &parameters);
    match &channel {
        None if grant.hec_ack => return answer(10, json!({})),
        Some(name) if !is_channel(name) => return answer(11, json!({})),
        _ => {}
    }
    let bytes = match body::whole(shared, &headers, body).await {
        Ok(bytes) => bytes,
        Err(Fault::Refused(refused)) => return told_refusal(&refused),
        Err(Fault::Broken(_)) => return answer(6, json!({"invalid-event-number": 0})),
        Err(fault) => return fault.into_response(),
    };
    let mut delivery = Delivery::new("hec");
    let told = shared.told(&grant, None);
    if let Err(fault) = tokio::task::block_in_place(|| decode(&bytes, &told, &mut delivery)) {
        return told_fault(fault);
    }
    if let Err(refused) = shared.intake.submit(delivery).await {
        return told_refusal(&refused);
    }
    match channel.filter(|_| grant.hec_ack) {
        Some(channel) => answer(0, json!({"ackId": shared.acks.give(&channel)})),
        None => answer(0, json!({})),
    }
}

#[derive(Deserialize)]
struct Asked {
    acks: Vec<u64>,
}

async fn ack(
    State(shared): State<Arc<Shared>>,
    Query(parameters): Query<Parameters>,
    certificate: Option<Extension<ClientCert>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let grant = match who(&shared, &headers, &parameters, certificate).await {
        Ok(grant) => grant,
        Err(response) => return response,
    };
    if !grant.hec_ack {
        return answer(14, json!({}));
    }
    let Some(channel) = channel(&headers, &parameters) else { return answer(10, json!({})) };
    let bytes = match body::whole(&shared, &headers, body).await {
        Ok(bytes) => bytes,
        Err(fault) => return fault.into_response(),
    };
    match serde_json::from_slice::<Asked>(&bytes) {
        Ok(asked) => Json(json!({"acks": shared.acks.ask(&channel, &asked.acks)})).into_response(),
        Err(_) => answer(6, json!({})),
    }
}

async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let code = if shared.intake.has_room() { 17 } else { 18 };
    answer(code, json!({}))
}
