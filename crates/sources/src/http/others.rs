//! Firehose, OTLP, Pub/Sub push, Event Hub bodies.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use prost::Message as _;
use serde_json::{Value, json};

use super::{ClientCert, Fault, Grant, Shared, admitted, body, cluster_named};
use crate::decode::{self, OtlpOutcome, Told, Undecodable};
use crate::{Delivery, Refused};

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/firehose", post(firehose))
        .route("/firehose/{*cluster}", post(firehose))
        .route("/v1/logs", post(otlp))
        .route("/gcp/pubsub", post(pubsub))
        .route("/gcp/pubsub/{*cluster}", post(pubsub))
        .route("/azure/eventhub", post(azure))
        .route("/azure/eventhub/{*cluster}", post(azure))
}

type Cluster = Option<Path<String>>;

/// Reads a body by a decoder, and submits what is in it.
async fn receive<T: Send + 'static>(
    shared: &Arc<Shared>,
    (name, headers): (&'static str, &HeaderMap),
    body: Body,
    told: Told,
    decode: impl FnOnce(&mut dyn std::io::Read, &Told, &mut Delivery) -> Result<T, Undecodable>,
) -> Result<T, Fault> {
    let taken = body::take(shared, headers, body).await?;
    let (result, delivery) = tokio::task::block_in_place(|| {
        let mut delivery = Delivery::new(name);
        let (result, more) = taken
            .read(|body| decode(body, &told, &mut delivery))
            .map_err(|error| Fault::Refused(Refused::Unwritable(error.to_string())))?;
        if more {
            return Err(Fault::TooLong);
        }
        Ok((result.map_err(|error| Fault::Broken(error.to_string()))?, delivery))
    })?;
    shared.intake.submit(delivery).await.map_err(Fault::Refused)?;
    Ok(result)
}

fn told(shared: &Shared, grant: &Grant, cluster: Cluster) -> Result<Told, Fault> {
    let cluster = cluster.map(|Path(name)| cluster_named(&name)).transpose()?;
    Ok(shared.told(grant, cluster))
}

/// The secret that Firehose is set up with comes in a header of its own; so do attributes that hold for all records.
async fn firehose_grant(
    shared: &Shared,
    headers: &HeaderMap,
    certificate: Option<Extension<ClientCert>>,
) -> Result<Grant, Fault> {
    let key = headers.get("x-amz-firehose-access-key").and_then(|value| value.to_str().ok());
    let mut grant = match key.filter(|key| !key.is_empty()) {
        Some(key) => shared.gate.by_secret(key).await,
        None => None,
    };
    if grant.is_none() {
        grant = Some(admitted(shared, headers, certificate).await?);
    }
    let mut grant = grant.unwrap_or_default();
    if grant.cluster.is_none() {
        let attributes = headers.get("x-amz-firehose-common-attributes").and_then(|value| value.to_str().ok());
        let attributes: Option<Value> = attributes.and_then(|text| serde_json::from_str(text).ok());
        let cluster = attributes.as_ref().and_then(|all| all["commonAttributes"]["cluster"].as_str());
        grant.cluster = cluster.and_then(|name| cluster_named(name).ok());
    }
    Ok(grant)
}

/// Firehose retries everything but 200, and 413 loses the batch for good, so that 413 is never sent.
async fn firehose(
    State(shared): State<Arc<Shared>>,
    cluster: Cluster,
    certificate: Option<Extension<ClientCert>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let id = headers.get("x-amz-firehose-request-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let done = async {
        let grant = firehose_grant(&shared, &headers, certificate).await?;
        let told = told(&shared, &grant, cluster)?;
        receive(&shared, ("firehose", &headers), body, told, |body, told, out| decode::firehose(body, told, out)).await
    };
    let (status, id, error) = match done.await {
        Ok(read) => (StatusCode::OK, id.unwrap_or(read.request_id), None),
        Err(fault) => {
            let status = match &fault {
                Fault::TooLong => StatusCode::INTERNAL_SERVER_ERROR,
                other => other.status(),
            };
            (status, id.unwrap_or_default(), Some(fault.text()))
        }
    };
    let mut answer = json!({"requestId": id, "timestamp": jiff::Timestamp::now().as_millisecond()});
    if let Some(error) = error {
        answer["errorMessage"] = json!(error);
    }
    (status, [(header::CONTENT_TYPE, "application/json")], answer.to_string()).into_response()
}

const PROTOBUF: &str = "application/x-protobuf";

/// The code of gRPC that goes with a status, for the body of an error.
fn grpc(status: StatusCode) -> i32 {
    match status.as_u16() {
        400 | 413 | 415 => 3,
        401 => 16,
        403 => 7,
        408 => 4,
        429 => 8,
        _ => 14,
    }
}

/// google.rpc.Status.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

async fn otlp(
    State(shared): State<Arc<Shared>>,
    certificate: Option<Extension<ClientCert>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let json = match kind.split(';').next().unwrap_or_default().trim() {
        PROTOBUF => false,
        "application/json" => true,
        _ => {
            return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "application/x-protobuf or application/json\n")
                .into_response();
        }
    };
    let done = async {
        let grant = admitted(&shared, &headers, certificate).await?;
        let told = shared.told(&grant, None);
        let bytes = body::whole(&shared, &headers, body).await?;
        let mut delivery = Delivery::new("otlp");
        let read = tokio::task::block_in_place(|| match json {
            true => decode::otlp_json(&bytes, &told, &mut delivery),
            false => decode::otlp_protobuf(&bytes, &told, &mut delivery),
        });
        let outcome = read.map_err(|error| Fault::Broken(error.to_string()))?;
        shared.intake.submit(delivery).await.map_err(Fault::Refused)?;
        Ok(outcome)
    };
    match done.await {
        Ok(outcome) => answered(json, outcome),
        Err(fault) => failed(json, fault),
    }
}

fn answered(json: bool, outcome: OtlpOutcome) -> Response {
    let partial = (outcome.rejected > 0)
        .then_some(ExportLogsPartialSuccess { rejected_log_records: outcome.rejected, error_message: outcome.message });
    if json {
        // By hand: 64-bit numbers are text in this form.
        let body = partial.map_or(json!({}), |partial| {
            json!({"partialSuccess": {"rejectedLogRecords": partial.rejected_log_records.to_string(),
                "errorMessage": partial.error_message}})
        });
        return ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response();
    }
    let body = ExportLogsServiceResponse { partial_success: partial }.encode_to_vec();
    ([(header::CONTENT_TYPE, PROTOBUF)], body).into_response()
}

fn failed(json: bool, fault: Fault) -> Response {
    let status = match fault.status() {
        // Of these a client tries again only what the protocol calls retryable.
        StatusCode::REQUEST_TIMEOUT => StatusCode::SERVICE_UNAVAILABLE,
        other => other,
    };
    let (wait, message) = (fault.retry_after(), fault.text());
    let mut response = if json {
        let body = json!({"code": grpc(status), "message": message}).to_string();
        (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    } else {
        let body = RpcStatus { code: grpc(status), message }.encode_to_vec();
        (status, [(header::CONTENT_TYPE, PROTOBUF)], body).into_response()
    };
    if let Some(seconds) = wait {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

async fn pubsub(
    State(shared): State<Arc<Shared>>,
    cluster: Cluster,
    certificate: Option<Extension<ClientCert>>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Fault> {
    let grant = admitted(&shared, &headers, certificate).await?;
    let told = told(&shared, &grant, cluster)?;
    receive(&shared, ("pubsub", &headers), body, told, |body, told, out| decode::pubsub(body, told, out)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn azure(
    State(shared): State<Arc<Shared>>,
    cluster: Cluster,
    certificate: Option<Extension<ClientCert>>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Fault> {
    let grant = admitted(&shared, &headers, certificate).await?;
    let told = told(&shared, &grant, cluster)?;
    receive(&shared, ("azure", &headers), body, told, |body, told, out| decode::azure(body, told, out)).await?;
    Ok(StatusCode::OK)
}
