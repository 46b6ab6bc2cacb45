//! The HTTP server: TLS, limits, the endpoints of all parts.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum_server::accept::{Accept, DefaultAcceptor};
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use masthead_sources::http::ClientCert;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::server::TlsStream;
use tower::Layer as _;

use crate::config::ServerConfig;
use crate::service::Service;

/// A stream that counts as one of the connections that there may be.
pub(crate) struct Counted<S> {
    stream: S,
    _permit: OwnedSemaphorePermit,
}

/// Everything that is served.
pub(crate) fn router(service: Arc<Service>, ingest: Router) -> Router {
    let own = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(service.clone());
    own.merge(crate::api::router(service)).merge(ingest)
}

async fn ready(Shared(service): Shared<Arc<Service>>) -> Response {
    match service.ready().await {
        Ok(()) => "ready\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn metrics(Shared(service): Shared<Arc<Service>>) -> Response {
    service.refresh_metrics().await;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], service.metrics.text()).into_response()
}

/// The TLS side of a configuration, read from its files.
///
/// # Errors
/// When a file cannot be read, or certificate and key do not go together.
pub(crate) fn tls(server: &ServerConfig) -> Result<Option<Arc<rustls::ServerConfig>>, String> {
    let (Some(cert), Some(key)) = (&server.tls_cert, &server.tls_key) else { return Ok(None) };
    let chain = certificates(cert)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| format!("{}: {error}", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match &server.client_ca {
        Some(path) => {
            let mut roots = rustls::RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| format!("{}: {error}", path.display()))?;
            }
            // Those without a certificate may still come with a token.
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| format!("{}: {error}", path.display()))?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| format!("{}: {error}", cert.display()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let told = |error: rustls::pki_types::pem::Error| format!("{}: {error}", path.display());
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(told)?.collect();
    let found = found.map_err(told)?;
    if found.is_empty() { Err(format!("{} holds no certificate", path.display())) } else { Ok(found) }
}

/// Serves until the handle says otherwise.
///
/// # Errors
/// When the address cannot be listened on.
pub(crate) async fn serve(
    listener: std::net::TcpListener,
    server: &ServerConfig,
    tls: Option<RustlsConfig>,
    app: Router,
    handle: axum_server::Handle<SocketAddr>,
) -> io::Result<()> {
    let limit = Limited { permits: Arc::new(Semaphore::new(server.connections.max(1))) };
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    let timeout = server.header_timeout;
    match tls {
        Some(config) => {
            let acceptor = RustlsAcceptor::new(config).handshake_timeout(Duration::from_secs(10));
            let mut served = axum_server::from_tcp(listener)?.acceptor(Known { tls: acceptor, limit }).handle(handle);
            strict(served.http_builder(), timeout);
            served.serve(service).await
        }
        None => {
            let mut served = axum_server::from_tcp(listener)?.acceptor(limit).handle(handle);
            strict(served.http_builder(), timeout);
            served.serve(service).await
        }
    }
}

/// Clients that send the head of a request slowly are cut off.
fn strict(
    builder: &mut hyper_util::server::conn::auto::Builder<hyper_util::rt::TokioExecutor>,
    header_timeout: Duration,
) {
    builder.http1().timer(hyper_util::rt::TokioTimer::new()).header_read_timeout(header_timeout).max_buf_size(64 << 10);
    builder
        .http2()
        .timer(hyper_util::rt::TokioTimer::new())
        .max_concurrent_streams(64)
        .max_header_list_size(32 << 10)
        .keep_alive_interval(Some(Duration::from_secs(20)));
}

type Accepting<S, V> = Pin<Box<dyn Future<Output = io::Result<(S, V)>> + Send>>;

/// Bounds the number of connections; who comes beyond waits.
#[derive(Clone)]
struct Limited {
    permits: Arc<Semaphore>,
}

impl Limited {
    async fn admit(self) -> io::Result<OwnedSemaphorePermit> {
        self.permits.acquire_owned().await.map_err(io::Error::other)
    }
}

impl<V: Send + 'static> Accept<TcpStream, V> for Limited {
    type Stream = Counted<TcpStream>;
    type Service = V;
    type Future = Accepting<Counted<TcpStream>, V>;

    fn accept(&self, stream: TcpStream, service: V) -> Self::Future {
        let limit = self.clone();
        Box::pin(async move {
            let permit = limit.admit().await?;
            let (stream, service) = DefaultAcceptor::new().accept(stream, service).await?;
            Ok((Counted { stream, _permit: permit }, service))
        })
    }
}

/// Takes the name out of a client's certificate and hands it on with each request.
#[derive(Clone)]
struct Known {
    tls: RustlsAcceptor,
    limit: Limited,
}

impl<V: Send + 'static> Accept<TcpStream, V> for Known {
    type Stream = Counted<TlsStream<TcpStream>>;
    type Service = Named<V>;
    type Future = Accepting<Counted<TlsStream<TcpStream>>, Named<V>>;

    fn accept(&self, stream: TcpStream, service: V) -> Self::Future {
        let (tls, limit) = (self.tls.clone(), self.limit.clone());
        Box::pin(async move {
            let permit = limit.admit().await?;
            let (stream, service) = tls.accept(stream, service).await?;
            let subject = stream.get_ref().1.peer_certificates().and_then(|chain| common_name(chain.first()?));
            let service = Naming { subject }.layer(service);
            Ok((Counted { stream, _permit: permit }, service))
        })
    }
}

fn common_name(certificate: &CertificateDer<'_>) -> Option<ClientCert> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let name = certificate.subject().iter_common_name().next()?.as_str().ok()?;
    Some(ClientCert(name.to_owned()))
}

struct Naming {
    subject: Option<ClientCert>,
}

impl<V> tower::Layer<V> for Naming {
    type Service = Named<V>;

    fn layer(&self, inner: V) -> Named<V> {
        Named { inner, subject: self.subject.clone() }
    }
}

/// Puts the client's name into each request.
#[derive(Clone)]
pub(crate) struct Named<V> {
    inner: V,
    subject: Option<ClientCert>,
}

impl<V, B> tower::Service<Request<B>> for Named<V>
where
    V: tower::Service<Request<B>>,
{
    type Response = V::Response;
    type Error = V::Error;
    type Future = V::Future;

    fn poll_ready(&mut self, context: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), V::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> V::Future {
        if let Some(subject) = &self.subject {
            request.extensions_mut().insert(subject.clone());
        }
        self.inner.call(request)
    }
}

impl<S: tokio::io::AsyncRead + Unpin> tokio::io::AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: tokio::io::AsyncWrite + Unpin> tokio::io::AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
