//! Asking a running service.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// Asks for a path of the API (`/api/v1/status`).
///
/// # Errors
/// When nobody answers, or not with what was asked for.
pub fn ask(server: &str, path: &str, token: Option<&str>, authority: Option<&Path>) -> Result<Value, String> {
    // A second provider would be refused; that one is there is all that is needed.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut builder =
        reqwest::Client::builder().timeout(Duration::from_secs(10)).connect_timeout(Duration::from_secs(3));
    if let Some(path) = authority {
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let pem = std::fs::read(path).map_err(|error| told(&error))?;
        let certificate = reqwest::Certificate::from_pem(&pem).map_err(|error| told(&error))?;
        builder = builder.tls_certs_merge([certificate]);
    }
    let client = builder.build().map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let mut request = client.get(format!("{}{path}", server.trim_end_matches('/')));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.map_err(|error| {
            format!("{server} does not answer ({}): is `masthead run` running there?", error.without_url())
        })?;
        let status = response.status();
        let body: Value = response.json().await.map_err(|error| error.without_url().to_string())?;
        if status.is_success() {
            return Ok(body);
        }
        let told = body.get("error").and_then(Value::as_str).unwrap_or("no reason given").to_owned();
        Err(format!("{server} answered {status}: {told}"))
    })
}
