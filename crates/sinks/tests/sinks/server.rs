//! An HTTP server that keeps what it is sent and answers as it is told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value as Json;

/// No test waits longer for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Status(u16),
    Full(u16, Vec<(&'static str, String)>, String),
    /// It never answers.
    Hang,
}

type Rule = Arc<dyn Fn(&Request) -> Option<Answer> + Send + Sync>;

#[derive(Clone, Default)]
struct Shared {
    requests: Arc<Mutex<Vec<Request>>>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    rule: Option<Rule>,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shared: Shared,
}

impl Server {
    /// Gives these answers, one after the other, and 200 from then on.
    pub(crate) async fn start(answers: impl IntoIterator<Item = Answer>) -> Server {
        let answers = Arc::new(Mutex::new(answers.into_iter().collect()));
        Server::run(Shared { answers, ..Shared::default() }).await
    }

    /// Gives the answers of a rule, else 200.
    pub(crate) async fn by_rule(rule: impl Fn(&Request) -> Option<Answer> + Send + Sync + 'static) -> Server {
        Server::run(Shared { rule: Some(Arc::new(rule)), ..Shared::default() }).await
    }

    async fn run(shared: Shared) -> Server {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().fallback(answer).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Server { address, shared }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The only request there was.
    pub(crate) fn request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests[0].clone()
    }

    /// Waits for so many requests.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Request> {
        until(&format!("{count} requests"), || self.requests().len() >= count).await;
        self.requests()
    }
}

async fn answer(State(shared): State<Shared>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let request = Request { method, path: uri.to_string(), headers, body };
    let by_rule = shared.rule.as_ref().and_then(|rule| rule(&request));
    shared.requests.lock().unwrap().push(request);
    let next = by_rule.or_else(|| shared.answers.lock().unwrap().pop_front());
    match next.unwrap_or(Answer::Status(200)) {
        Answer::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Answer::Full(status, headers, body) => {
            let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        Answer::Hang => std::future::pending().await,
    }
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "waited in vain: {what}");
}
