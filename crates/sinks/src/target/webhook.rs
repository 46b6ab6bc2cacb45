//! An HTTP request to any address, its body from a template or as it is, signed if wished.

use hmac::{Hmac, Mac};
use masthead_ir::finding::Finding;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Url};
use serde::de::IgnoredAny;
use serde_json::json;
use sha2::Sha256;

use crate::digest::{Digest, hex};
use crate::error::{DeliveryError, SinkError};
use crate::http;
use crate::sample::sample_finding;
use crate::secret::Resolved;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const SIGNATURE: HeaderName = HeaderName::from_static("x-masthead-signature");
/// No body is larger.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// How many steps a template may take.
const FUEL: u64 = 5_000_000;
const TEMPLATE: &str = "template";

/// A webhook, ready.
pub(crate) struct Webhook {
    pub(crate) client: Client,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) template: Option<Template>,
    pub(crate) hmac_secret: Option<Resolved>,
}

impl Webhook {
    pub(crate) async fn deliver(&self, digest: Digest<'_>) -> Result<(), DeliveryError> {
        let body = self.body(digest)?;
        if body.len() > MAX_BODY {
            return Err(DeliveryError::content(format!(
                "the message has {} bytes; {MAX_BODY} are allowed",
                body.len()
            )));
        }
        let mut headers = self.headers.clone();
        if let Ok(key) = HeaderValue::from_str(&digest.key()) {
            headers.insert(IDEMPOTENCY_KEY, key);
        }
        if let Some(secret) = &self.hmac_secret {
            let now = jiff::Timestamp::now().as_second();
            headers.insert(SIGNATURE, signature(secret, now, body.as_bytes())?);
        }
        http::send(self.client.request(self.method.clone(), self.url.clone()).headers(headers).body(body)).await
    }

    fn body(&self, digest: Digest<'_>) -> Result<String, DeliveryError> {
        let findings = digest.findings();
        match &self.template {
            None => Ok(json!({"findings": findings, "count": findings.len()}).to_string()),
            Some(template) => template
                .render(findings)
                .map_err(|(_, message)| DeliveryError::content(format!("the template fails: {message}"))),
        }
    }
}

/// `t=SECONDS,v1=HEX`, where HEX is the HMAC-SHA-256 of `SECONDS.BODY`. The time is under the signature, so that an old message
/// cannot be sent again as a new one.
fn signature(secret: &Resolved, seconds: i64, body: &[u8]) -> Result<HeaderValue, DeliveryError> {
    let failed = || DeliveryError::permanent("the message cannot be signed");
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).map_err(|_| failed())?;
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    let value = format!("t={seconds},v1={}", hex(&mac.finalize().into_bytes()));
    HeaderValue::from_str(&value).map_err(|_| failed())
}

/// The headers of a request. The content type is JSON unless it is given.
pub(crate) fn headers<'h>(given: impl Iterator<Item = (&'h str, &'h Resolved)>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in given {
        let wrong =
            || format!("the header `{name}` cannot be sent: its name or value has characters that no header may have");
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        if key == IDEMPOTENCY_KEY || key == SIGNATURE || key == reqwest::header::CONTENT_LENGTH {
            return Err(format!("the header `{name}` is set by masthead"));
        }
        let mut value = HeaderValue::from_str(value.expose()).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}

/// The template of a body.
pub(crate) struct Template {
    environment: Environment<'static>,
    json: bool,
}

/// The line and what is wrong.
type Fault = (Option<usize>, String);

impl Template {
    /// Compiles a template and tries it with a made-up finding.
    pub(crate) fn new(sink: &str, source: &str, headers: &HeaderMap) -> Result<Template, SinkError> {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let content_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let json = content_type.ends_with("/json") || content_type.ends_with("+json");
        let wrong = |(line, message): Fault| SinkError::Template { sink: sink.to_owned(), line, message };
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(move |_| if json { AutoEscape::Json } else { AutoEscape::None });
        // What a finding does not have is empty: fields differ from finding to finding.
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_fuel(Some(FUEL));
        environment.add_template_owned(TEMPLATE, source.to_owned()).map_err(|error| wrong(fault(&error)))?;
        let template = Template { environment, json };
        template.render(&[sample_finding()]).map_err(wrong)?;
        Ok(template)
    }

    fn render(&self, findings: &[Finding]) -> Result<String, Fault> {
        let template = self.environment.get_template(TEMPLATE).map_err(|error| fault(&error))?;
        let all = Value::from(Serde(findings));
        let first = all.get_item_by_index(0).unwrap_or_default();
        let values = context! { finding => first, findings => all, count => findings.len() };
        let text = template.render(values).map_err(|error| fault(&error))?;
        if self.json {
            serde_json::from_str::<IgnoredAny>(&text).map_err(|error| {
                let hint =
                    "values are written with their quotes, so write {{ finding.title }}, not \"{{ finding.title }}\"";
                (None, format!("the result is not JSON ({error}); {hint}"))
            })?;
        }
        Ok(text)
    }
}

fn fault(error: &minijinja::Error) -> Fault {
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    (error.line(), format!("{}{detail}", error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(source: &str) -> Result<Template, SinkError> {
        Template::new("hook", source, &headers(std::iter::empty()).unwrap())
    }

    #[test]
    fn json_templates_write_json_values() {
        let source = r#"{"text": {{ "[" ~ finding.severity ~ "] " ~ finding.title }}, "n": {{ count }}, "none": {{ finding.fields.none.at.all }}}"#;
        let mut finding = sample_finding();
        finding.title = "a \"quoted\" </title>".to_owned();
        let text = template(source).unwrap().render(&[finding.clone(), finding]).unwrap();
        let body: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(body, json!({"text": "[informational] a \"quoted\" </title>", "n": 2, "none": null}));
    }

    #[test]
    fn other_templates_write_text() {
        let plain = crate::Secret::plain("text/plain; charset=utf-8").resolve().unwrap();
        let headers = headers([("Content-Type", &plain)].into_iter()).unwrap();
        let template = Template::new("hook", "{% for f in findings %}{{ f.title }};{% endfor %}", &headers).unwrap();
        assert_eq!(template.render(&[sample_finding(), sample_finding()]).unwrap(), "Sample finding;Sample finding;");
    }

    #[test]
    fn faults_are_found_when_the_configuration_is_read() {
        let fault = |source: &str| template(source).err().unwrap().to_string();
        let text = fault("{\n\"a\": {{ finding.title }\n}");
        assert!(text.starts_with("sink `hook`, template line 2: syntax error"), "{text}");
        assert!(fault("{{ finding.title|nothing }}").contains("unknown filter"));
        assert!(fault(r#"{"a": "{{ finding.title }}"}"#).contains("not JSON"));
        assert!(
            fault("{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}").contains("fuel")
        );
    }

    #[test]
    fn headers_that_cannot_be_sent_are_refused() {
        let check = |name: &str, value: &str| {
            let value = crate::Secret::plain(value).resolve().unwrap();
            headers([(name, &value)].into_iter()).map(|_| ())
        };
        check("Authorization", "Bearer x").unwrap();
        for (name, value) in [("a b", "x"), ("x", "hush\nhush"), ("Idempotency-Key", "x"), ("content-length", "3")] {
            let error = check(name, value).unwrap_err();
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
