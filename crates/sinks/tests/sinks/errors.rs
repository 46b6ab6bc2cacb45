//! Faulty settings, refusals, and what errors must not tell.

use std::time::{Duration, Instant};

use masthead_sinks::{DeliveryError, Sinks, SinksConfig};

use crate::server::{Answer, Server};
use crate::{finding, sinks};

fn fault(toml: &str) -> String {
    match toml::from_str::<SinksConfig>(toml) {
        Ok(config) => Sinks::new(&config).unwrap_err().to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn faulty_settings_are_named() {
    let table = [
        ("[sinks.a]\ntype = 'pager'", "unknown variant `pager`"),
        ("[sinks.a]\ntype = 'stdout'\ncolour = true", "unknown field `colour`"),
        ("[sinks.a]\ntype = 'slack'", "missing field `url`"),
        ("sink = 1", "unknown field `sink`"),
        ("[[route]]\nsink = ['a']", "unknown field `sink`"),
        ("[sinks.'a b']\ntype = 'stdout'", "sink `a b`: a name has"),
        ("[sinks.a]\ntype = 'slack'\nurl = 'ftp://x/hush'", "sink `a`: url: an address must begin with http"),
        ("[sinks.a]\ntype = 'webhook'\nurl = 'no address'", "sink `a`: url: "),
        ("[sinks.a]\ntype = 'slack'\nurl = { env = 'MASTHEAD_NOT_SET' }", "sink `a`, url: the environment variable"),
        ("[sinks.a]\ntype = 'webhook'\nurl = 'http://x'\ntemplate = '{{'", "sink `a`, template line 1: "),
        ("[sinks.a]\ntype = 'webhook'\nurl = 'http://x'\nca_file = '/none.pem'", "sink `a`: ca_file /none.pem: "),
        ("[sinks.a]\ntype = 'file'\npath = 'x'\n[sinks.b]\ntype = 'file'\npath = 'x'", "sink `b`: another sink"),
        ("[sinks.a]\ntype = 'file'\npath = 'x'\nmax_bytes = 0", "max_bytes"),
        ("[sinks.a]\ntype = 'email'\nurl = 'smtp://x'\nfrom = 'a@b.c'\nto = ['a@b.c']\nusername = 'u'", "go together"),
        ("drilldown_url = 'https://x/{what}'", "drilldown_url: only {search}"),
        ("[[route]]\nsinks = ['a']", "route 1: there is no sink `a`; the sinks are: none"),
    ];
    for (toml, expected) in table {
        let error = fault(toml);
        assert!(error.contains(expected), "{toml}\n{error}");
    }
}

const SECRETS: &str = "
    [sinks.slack]
    type = 'slack'
    url = 'http://ADDRESS/services/hush-hush-slack'
    [sinks.hook]
    type = 'webhook'
    url = 'http://user:hush-basic@ADDRESS/x?token=hush-hush-query'
    hmac_secret = 'hush-hmac'
    headers = { Authorization = 'Bearer hush-header' }
    [sinks.pager]
    type = 'pagerduty'
    url = 'http://ADDRESS/enqueue'
    routing_key = 'hush-routing'
    [sinks.splunk]
    type = 'splunk_hec'
    url = 'http://ADDRESS'
    token = 'hush-token'
    [sinks.mail]
    type = 'email'
    url = 'smtps://ADDRESS'
    from = 'a@example.org'
    to = ['b@example.org']
    username = 'u'
    password = 'hush-password'
";

#[tokio::test]
async fn secrets_are_in_no_debug_output_and_no_error() {
    // The server tells all that it was told.
    let server = Server::by_rule(|request| {
        let told = format!("{} {:?} {}", request.path, request.headers, String::from_utf8_lossy(&request.body));
        Some(Answer::Full(403, vec![], told.replace('\n', " ")))
    })
    .await;
    let toml = SECRETS.replace("ADDRESS", &server.address.to_string());
    let config: SinksConfig = toml::from_str(&toml).unwrap();
    let debug = format!("{config:?}");
    // The routing key and others are `***`.
    assert!(debug.contains("routing_key: ***") && !debug.contains("hush"), "{debug}");
    let sinks = Sinks::new(&config).unwrap();
    assert_eq!(format!("{sinks:?}"), r#"Sinks { names: ["hook", "mail", "pager", "slack", "splunk"], .. }"#);
    for sink in sinks.names() {
        let error = sinks.deliver(&sink, &[finding("id")]).await.unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(!told.contains("hush"), "{sink}: {told}");
        if sink != "mail" {
            assert!(matches!(&error, DeliveryError::Permanent { about_content: false, .. }), "{told}");
            assert!(told.contains("answered 403") && told.chars().count() < 1000, "{sink}: {told}");
        }
    }
    // Nobody is there any more: the address is in the error of the library.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sinks = crate::sinks(&SECRETS.replace("ADDRESS", &nobody.to_string()));
    for sink in sinks.names() {
        let error = sinks.deliver(&sink, &[finding("id")]).await.unwrap_err();
        assert!(matches!(error, DeliveryError::Retry { after: None, .. }), "{sink}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("hush"), "{sink}: {error}");
    }
}

async fn refusal(answer: Answer) -> DeliveryError {
    let server = Server::start([answer]).await;
    let toml = format!("timeout_seconds = 1\n[sinks.it]\ntype = 'slack'\nurl = '{}'", server.url("/"));
    let error = sinks(&toml).deliver("it", &[finding("id")]).await.unwrap_err();
    assert_eq!(server.requests().len(), 1);
    error
}

#[tokio::test]
async fn answers_decide_whether_to_try_again() {
    let busy = Answer::Full(429, vec![("retry-after", "7".to_owned())], "slow down".to_owned());
    let expected = DeliveryError::Retry {
        after: Some(Duration::from_secs(7)),
        message: "answered 429 Too Many Requests: slow down".to_owned(),
    };
    assert_eq!(refusal(busy).await, expected);
    assert!(matches!(refusal(Answer::Status(503)).await, DeliveryError::Retry { after: None, .. }));
    let bad = Answer::Full(400, vec![], "invalid_payload".to_owned());
    let message = "answered 400 Bad Request: invalid_payload".to_owned();
    assert_eq!(refusal(bad).await, DeliveryError::Permanent { message, about_content: true });
    assert!(matches!(refusal(Answer::Status(404)).await, DeliveryError::Permanent { about_content: false, .. }));
}

#[tokio::test]
async fn a_server_that_hangs_is_left() {
    let start = Instant::now();
    assert!(matches!(refusal(Answer::Hang).await, DeliveryError::Retry { after: None, .. }));
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = Server::start([]).await;
    for status in [301, 302, 307, 308] {
        let answer = Answer::Full(status, vec![("location", other.url("/elsewhere"))], String::new());
        let error = refusal(answer).await;
        assert!(
            matches!(&error, DeliveryError::Permanent { message, .. } if message.contains("redirects")),
            "{error:?}"
        );
    }
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn an_unknown_sink_and_no_findings() {
    let sinks = sinks("[sinks.out]\ntype = 'stdout'");
    assert!(matches!(sinks.deliver("none", &[finding("a")]).await, Err(DeliveryError::Permanent { .. })));
    sinks.deliver("out", &[]).await.unwrap();
}
