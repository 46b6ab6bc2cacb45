//! Webhooks: body, headers, signature.

use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;

use crate::server::{Answer, Server};
use crate::{finding, sinks};

#[tokio::test]
async fn the_plain_body_and_its_key() {
    let server = Server::start([Answer::Status(204)]).await;
    let toml = format!(
        "[sinks.it]\ntype = 'webhook'\nurl = '{}'\nmethod = 'PUT'\nheaders = {{ X-Team = 'soc', Authorization = {{ env = 'PATH' }} }}",
        server.url("/hook?a=b")
    );
    let sinks = sinks(&toml);
    sinks.deliver("it", &[finding("id-1")]).await.unwrap();
    let request = server.request();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("PUT", "/hook?a=b"));
    assert_eq!(request.header("idempotency-key"), Some("id-1"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("x-team"), Some("soc"));
    assert_eq!(request.header("authorization"), Some(std::env::var("PATH").unwrap().as_str()));
    assert_eq!(request.header("x-masthead-signature"), None);
    assert_eq!(request.json(), json!({"findings": [finding("id-1")], "count": 1}));

    sinks.deliver("it", &[finding("id-1"), finding("id-2")]).await.unwrap();
    let second = server.requests().remove(1);
    assert_eq!(second.json()["count"], 2);
    let key = second.header("idempotency-key").unwrap().to_owned();
    assert_ne!(key, "id-1");
    sinks.deliver("it", &[finding("id-1"), finding("id-2")]).await.unwrap();
    assert_eq!(server.requests()[2].header("idempotency-key"), Some(key.as_str()));
}

#[tokio::test]
async fn the_signature_is_that_of_time_and_body() {
    let server = Server::start([]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, "signing key\n").unwrap();
    let toml = format!(
        "[sinks.it]\ntype = 'webhook'\nurl = '{}'\nhmac_secret = {{ file = '{}' }}",
        server.url("/"),
        file.display()
    );
    sinks(&toml).deliver("it", &[finding("id-1")]).await.unwrap();
    let request = server.request();
    let signature = request.header("x-masthead-signature").unwrap();
    let (time, given) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let age = jiff::Timestamp::now().as_second() - time.parse::<i64>().unwrap();
    assert!((0..300).contains(&age), "{age}");
    let given: Vec<u8> = given
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    let check = |body: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"signing key").unwrap();
        mac.update(&[time.as_bytes(), b".", body].concat());
        mac.verify_slice(&given)
    };
    check(&request.body).unwrap();
    let mut changed = request.body.to_vec();
    changed[10] ^= 1;
    check(&changed).unwrap_err();
}

#[tokio::test]
async fn a_template_makes_the_body() {
    let server = Server::start([]).await;
    let toml = format!(
        "[sinks.it]\ntype = 'webhook'\nurl = '{}'\nheaders = {{ content-type = 'text/plain' }}\ntemplate = '{}'",
        server.url("/"),
        "{{ finding.severity|upper }} {{ finding.title }} ({{ count }}){% for f in findings %} {{ f.finding_id }}{% endfor %}"
    );
    sinks(&toml).deliver("it", &[finding("a"), finding("b")]).await.unwrap();
    let request = server.request();
    assert_eq!(request.header("content-type"), Some("text/plain"));
    assert_eq!(request.body, "HIGH Exec & run by mallory (2) a b");
}
