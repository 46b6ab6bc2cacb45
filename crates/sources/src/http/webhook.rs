//! The audit webhook of a kube-apiserver.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;

use super::{ClientCert, Fault, Shared, admitted, body, cluster_named};
use crate::Delivery;
use crate::decode::{self, Told};

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/k8s/audit", post(plain)).route("/k8s/audit/{*cluster}", post(of_cluster))
}

async fn plain(
    State(shared): State<Arc<Shared>>,
    certificate: Option<Extension<ClientCert>>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Fault> {
    let grant = admitted(&shared, &headers, certificate).await?;
    receive(&shared, &headers, body, shared.told(&grant, None)).await
}

async fn of_cluster(
    State(shared): State<Arc<Shared>>,
    certificate: Option<Extension<ClientCert>>,
    Path(cluster): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Fault> {
    let grant = admitted(&shared, &headers, certificate).await?;
    let cluster = cluster_named(&cluster)?;
    receive(&shared, &headers, body, shared.told(&grant, Some(cluster))).await
}

async fn receive(shared: &Arc<Shared>, headers: &HeaderMap, body: Body, told: Told) -> Result<StatusCode, Fault> {
    let taken = body::take(shared, headers, body).await?;
    let decode = move || {
        let mut delivery = Delivery::new("webhook");
        let (result, more) = taken
            .read(|body| decode::audit(body, &told, &mut delivery))
            .map_err(|error| Fault::Refused(crate::Refused::Unwritable(error.to_string())))?;
        if more {
            return Err(Fault::TooLong);
        }
        result.map_err(|error| Fault::Broken(error.to_string()))?;
        Ok(delivery)
    };
    let delivery = tokio::task::block_in_place(decode)?;
    shared.intake.submit(delivery).await.map_err(Fault::Refused)?;
    Ok(StatusCode::OK)
}
