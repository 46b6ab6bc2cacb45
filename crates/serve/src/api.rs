//! The HTTP API.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{ConnectInfo, FromRequestParts, Path, Query, Request, State as Shared};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use masthead_state::{FindingChange, FindingQuery, RiskQuery, Scope, StateError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::OpenApi;

use crate::gate::Denied;
use crate::service::Service;

/// What is wrong with a request: `{"error": "…"}`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct ApiError {
    #[serde(skip)]
    status: StatusCode,
    error: String,
}

impl ApiError {
    fn new(status: StatusCode, error: impl Into<String>) -> ApiError {
        ApiError { status, error: error.into() }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}

impl From<StateError> for ApiError {
    fn from(error: StateError) -> ApiError {
        tracing::error!(%error, "a request of the API failed");
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, rejection.body_text())
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> ApiError {
        ApiError::new(rejection.status(), rejection.body_text())
    }
}

/// Who asks.
#[derive(Debug, Clone)]
struct Caller(String);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, ApiError> {
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.ok_or_else(|| ApiError::new(StatusCode::UNAUTHORIZED, "a token is needed"))
    }
}

/// Lets through who has the scope that the method needs.
async fn admit(Shared(service): Shared<Arc<Service>>, mut request: Request, next: Next) -> Response {
    let scope = if request.method().is_safe() { Scope::Read } else { Scope::Write };
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let secret = given.and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let loopback = peer.is_some_and(|peer| peer.0.ip().is_loopback());
    // A page of another site that a browser on this machine has open must not be able to change findings.
    let foreign = request.headers().get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
    let allowed = if foreign { Err(Denied::Unknown) } else { service.gate.allows(secret, scope, loopback).await };
    match allowed {
        Ok(name) => {
            request.extensions_mut().insert(Caller(name));
            next.run(request).await
        }
        Err(Denied::Unknown) => {
            let error = ApiError::new(StatusCode::UNAUTHORIZED, "a token is needed: `masthead token create`");
            ([(header::WWW_AUTHENTICATE, "Bearer")], error).into_response()
        }
        Err(Denied::Scope) => {
            ApiError::new(StatusCode::FORBIDDEN, format!("the token lacks the scope `{}`", scope.as_str()))
                .into_response()
        }
        Err(Denied::Unavailable) => {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "tokens cannot be read now").into_response()
        }
    }
}

/// The routes under `/api/v1`.
pub(crate) fn router(service: Arc<Service>) -> Router {
    let api = Router::new()
        .route("/findings", get(findings))
        .route("/findings/{id}", get(finding).patch(change))
        .route("/risk", get(risk))
        .route("/rules", get(rules))
        .route("/sources", get(sources))
        .route("/exceptions", get(exceptions))
        .route("/status", get(status))
        .layer(axum::middleware::from_fn_with_state(service.clone(), admit))
        .layer(axum::extract::DefaultBodyLimit::max(256 << 10))
        .with_state(service);
    Router::new().nest("/api/v1", api).route("/api/v1/openapi.json", get(async || Json(Description::openapi())))
}

/// A page of findings, the newest first.
#[utoipa::path(get, path = "/api/v1/findings", params(
    ("status" = Option<String>, Query, description = "new, acknowledged or closed"),
    ("severity" = Option<String>, Query, description = "at least this severe"),
    ("kind" = Option<String>, Query, description = "finding, intermediate_finding, signal or hunt"),
    ("rule" = Option<String>, Query, description = "id or name of the rule"),
    ("cluster" = Option<String>, Query, description = "the cluster"),
    ("entity" = Option<String>, Query, description = "value of an entity"),
    ("since" = Option<i64>, Query, description = "last event not before, in microseconds since 1970"),
    ("until" = Option<i64>, Query, description = "last event before, in microseconds since 1970"),
    ("text" = Option<String>, Query, description = "words in title or message"),
    ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ("limit" = Option<u32>, Query, description = "at most 1,000"),
), responses((status = 200, description = "`items` and `next`", body = Value), (status = 400, body = ApiError)))]
async fn findings(
    Shared(service): Shared<Arc<Service>>,
    query: Result<Query<FindingQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(query) = query?;
    Ok(Json(service.state.findings(&query).await?).into_response())
}

/// One finding with its history.
#[utoipa::path(get, path = "/api/v1/findings/{id}", params(("id" = String, Path)),
    responses((status = 200, body = Value), (status = 404, body = ApiError)))]
async fn finding(Shared(service): Shared<Arc<Service>>, Path(id): Path<String>) -> Result<Response, ApiError> {
    match service.state.finding(&id).await? {
        Some(finding) => Ok(Json(finding).into_response()),
        None => Err(ApiError::new(StatusCode::NOT_FOUND, "there is no such finding")),
    }
}

/// Changes status, verdict, assignee, or adds a note.
#[utoipa::path(patch, path = "/api/v1/findings/{id}", params(("id" = String, Path)), request_body = Value,
    responses((status = 200, body = Value), (status = 400, body = ApiError), (status = 404, body = ApiError)))]
async fn change(
    Shared(service): Shared<Arc<Service>>,
    Path(id): Path<String>,
    Caller(by): Caller,
    change: Result<Json<FindingChange>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(change) = change?;
    if let Some(fault) = change.fault() {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, fault));
    }
    match service.state.change(&id, &change, &by).await? {
        Some(finding) => Ok(Json(finding).into_response()),
        None => Err(ApiError::new(StatusCode::NOT_FOUND, "there is no such finding")),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RiskParameters {
    limit: Option<u32>,
    cursor: Option<u32>,
    as_of: Option<i64>,
}

/// Entities by risk, the highest first.
#[utoipa::path(get, path = "/api/v1/risk", params(
    ("limit" = Option<u32>, Query), ("cursor" = Option<u32>, Query),
    ("as_of" = Option<i64>, Query, description = "microseconds since 1970; now if not given"),
), responses((status = 200, description = "`items` and `next`", body = Value)))]
async fn risk(
    Shared(service): Shared<Arc<Service>>,
    query: Result<Query<RiskParameters>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(asked) = query?;
    let policy = service.risk.policy();
    let query = RiskQuery { as_of: asked.as_of, policy, limit: asked.limit, offset: asked.cursor.unwrap_or(0) };
    Ok(Json(service.state.risk(&query).await?).into_response())
}

/// The rules that are loaded, what they did, and those that are not, with the reason.
#[utoipa::path(get, path = "/api/v1/rules", responses((status = 200, body = Value)))]
async fn rules(Shared(service): Shared<Arc<Service>>) -> Json<Value> {
    let report = service.report();
    Json(json!({"items": report.rules, "refused": service.refused()}))
}

/// The sources: events, losses by reason, the last event.
#[utoipa::path(get, path = "/api/v1/sources", responses((status = 200, body = Value)))]
async fn sources(Shared(service): Shared<Arc<Service>>) -> Json<Value> {
    Json(json!({"items": service.report().sources, "files": service.files()}))
}

/// The exceptions and what they suppressed.
#[utoipa::path(get, path = "/api/v1/exceptions", responses((status = 200, body = Value)))]
async fn exceptions(Shared(service): Shared<Arc<Service>>) -> Json<Value> {
    let now = jiff::Timestamp::now().as_microsecond();
    Json(json!({"items": service.exceptions().report(now)}))
}

/// Everything on one screen.
#[utoipa::path(get, path = "/api/v1/status", responses((status = 200, body = Value)))]
async fn status(Shared(service): Shared<Arc<Service>>) -> Result<Json<Value>, ApiError> {
    Ok(Json(service.status().await?))
}

/// The description of the API.
#[derive(OpenApi)]
#[openapi(
    info(title = "masthead", description = "Findings, risk, rules, sources and status of a running masthead."),
    paths(findings, finding, change, risk, rules, sources, exceptions, status),
    components(schemas(ApiError))
)]
pub(crate) struct Description;
