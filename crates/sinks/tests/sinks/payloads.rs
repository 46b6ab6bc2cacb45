//! What exactly is sent.

use masthead_ir::finding::Finding;
use masthead_ir::rule::Severity;
use serde_json::{Value as Json, json};

use crate::server::{Answer, Server};
use crate::{finding, sinks};

async fn sent(sink: &str, path: &str, findings: &[Finding]) -> (Json, Server) {
    let server = Server::start([Answer::Status(202)]).await;
    let toml = format!(
        "drilldown_url = 'https://splunk.example/search?a=1&q={{search}}'\n[sinks.it]\n{}",
        sink.replace("URL", &server.url(path))
    );
    sinks(&toml).deliver("it", findings).await.unwrap();
    let request = server.request();
    assert_eq!(request.method, "POST");
    assert_eq!(request.header("content-type"), Some("application/json"));
    (request.json(), server)
}

const LINK: &str = "https://splunk.example/search?a=1&q=user%3Dmallory%20%7C%20head%205";

fn mrkdwn(text: &str) -> Json {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}

#[tokio::test]
async fn slack() {
    let (body, server) = sent("type = 'slack'\nurl = 'URL'", "/services/T0/B0/token", &[finding("id-1")]).await;
    assert_eq!(server.request().path, "/services/T0/B0/token");
    let expected = json!({
        "text": "HIGH: Exec &amp; run by mallory",
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": "🟠 HIGH: Exec &amp; run by mallory", "emoji": true}},
            {"type": "section", "text": mrkdwn("mallory ran &lt;!channel&gt; [click](http://evil.example) in a pod")},
            {"type": "section", "fields": [
                mrkdwn("*Rule*\nExec &lt;into&gt; a pod"),
                mrkdwn("*Cluster*\nprod"),
                mrkdwn("*Events*\n3"),
                mrkdwn("*First seen*\n2026-11-20T10:00:00Z"),
                mrkdwn("*Last seen*\n2026-11-20T10:05:00.25Z"),
                mrkdwn("*ATT&amp;CK*\nT1609"),
            ]},
            {"type": "section", "text": mrkdwn("*Entities*\n• user mallory (risk 40)\n• ip_address 192.0.2.7 (threat)")},
            {"type": "section", "text": mrkdwn(&format!("<{}|All of mallory>", LINK.replace('&', "&amp;")))},
            {"type": "context", "elements": [{"type": "plain_text", "text": "Finding id-1"}]},
        ],
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn slack_sums_many_up() {
    let mut findings: Vec<Finding> = (0..47).map(|n| finding(&n.to_string())).collect();
    findings[46].severity = Severity::Critical;
    let (body, _server) = sent("type = 'slack'\nurl = 'URL'", "/x", &findings).await;
    assert_eq!(body["text"], "CRITICAL: 47 findings: Exec &lt;into&gt; a pod");
    let blocks = body["blocks"].as_array().unwrap();
    assert_eq!(blocks.len(), 12);
    let text = blocks[1]["text"]["text"].as_str().unwrap();
    assert_eq!(
        text,
        format!(
            "*CRITICAL* Exec &amp; run by mallory\nmallory ran &lt;!channel&gt; [click](http://evil.example) in a pod\n\
             Rule: Exec &lt;into&gt; a pod · Cluster: prod · Events: 3 · First seen: 2026-11-20T10:00:00Z · \
             Last seen: 2026-11-20T10:05:00.25Z · ATT&amp;CK: T1609\n<{}|All of mallory>",
            LINK.replace('&', "&amp;")
        )
    );
    assert_eq!(blocks[11], json!({"type": "context", "elements": [{"type": "plain_text", "text": "and 37 more"}]}));
}

/// Every text with its length limit at Slack, found by walking the message.
fn texts(json: &Json, out: &mut Vec<usize>) {
    match json {
        Json::Object(map) => {
            if let Some(Json::String(text)) = map.get("text") {
                out.push(text.chars().count());
            }
            map.values().for_each(|value| texts(value, out));
        }
        Json::Array(values) => values.iter().for_each(|value| texts(value, out)),
        _ => {}
    }
}

#[tokio::test]
async fn chats_get_bounded_messages() {
    let long = "<&>\u{202e}x".repeat(20_000);
    let mut huge = finding("huge");
    huge.title.clone_from(&long);
    huge.message.clone_from(&long);
    huge.rule.name.clone_from(&long);
    huge.cluster = Some(long.clone());
    huge.attack = vec![long.clone(); 50];
    let mut entity = huge.entities[0].clone();
    entity.value.clone_from(&long);
    huge.entities = vec![entity; 300];
    let drilldown = json!({"name": long, "search": long});
    huge.details.insert("drilldowns".to_owned(), json!(vec![drilldown; 50]));
    huge.details.insert("runbook".to_owned(), json!(long));
    for findings in [vec![huge.clone()], vec![huge; 30]] {
        let (body, _server) = sent("type = 'slack'\nurl = 'URL'", "/x", &findings).await;
        let blocks = body["blocks"].as_array().unwrap();
        assert!(blocks.len() <= 50);
        assert!(blocks[0]["text"]["text"].as_str().unwrap().chars().count() <= 150);
        let mut lengths = Vec::new();
        texts(&body, &mut lengths);
        assert!(lengths.iter().all(|length| *length <= 3000), "{lengths:?}");
        assert!(!body.to_string().contains('\u{202e}'));
        let (body, _server) = sent("type = 'teams'\nurl = 'URL'", "/x", &findings).await;
        assert!(body.to_string().len() <= 28_000, "{}", body.to_string().len());
        let (body, _server) = sent("type = 'pagerduty'\nurl = 'URL'\nrouting_key = 'k'", "/x", &findings).await;
        assert!(body["payload"]["summary"].as_str().unwrap().chars().count() <= 1024);
        assert!(body.to_string().len() <= 500_000, "{}", body.to_string().len());
    }
}

#[tokio::test]
async fn teams() {
    let (body, _server) = sent("type = 'teams'\nurl = 'URL'", "/workflow", &[finding("id-1")]).await;
    let run = |text: &str, subtle: bool| json!({"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, "isSubtle": subtle}]});
    let expected = json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": {"width": "Full"},
                "body": [
                    {"type": "RichTextBlock", "inlines": [
                        {"type": "TextRun", "text": "HIGH: ", "weight": "Bolder", "size": "Large", "color": "Attention"},
                        {"type": "TextRun", "text": "Exec & run by mallory", "weight": "Bolder", "size": "Large"},
                    ]},
                    run("mallory ran <!channel> [click](http://evil.example) in a pod", false),
                    {"type": "FactSet", "facts": [
                        {"title": "Rule", "value": "Exec <into> a pod"},
                        {"title": "Cluster", "value": "prod"},
                        {"title": "Events", "value": "3"},
                        {"title": "First seen", "value": "2026-11-20T10:00:00Z"},
                        {"title": "Last seen", "value": "2026-11-20T10:05:00.25Z"},
                        {"title": "ATT&CK", "value": "T1609"},
                        {"title": "Entity", "value": "user mallory (risk 40)"},
                        {"title": "Entity", "value": "ip_address 192.0.2.7 (threat)"},
                    ]},
                    run("Finding id-1", true),
                ],
                "actions": [{"type": "Action.OpenUrl", "title": "All of mallory", "url": LINK}],
            },
        }],
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn facts_of_a_card_make_no_links() {
    let mut finding = finding("id-1");
    finding.entities[0].value = "[click](http://evil.example)".to_owned();
    let (body, _server) = sent("type = 'teams'\nurl = 'URL'", "/x", &[finding]).await;
    let facts = body["attachments"][0]["content"]["body"][2].to_string();
    assert!(facts.contains("[click]\u{200b}(http"), "{facts}");
}

#[tokio::test]
async fn pagerduty() {
    let sink = "type = 'pagerduty'\nurl = 'URL'\nrouting_key = 'routing-key-1'";
    let (body, _server) = sent(sink, "/v2/enqueue", &[finding("id-1")]).await;
    let expected = json!({
        "routing_key": "routing-key-1",
        "event_action": "trigger",
        "dedup_key": "id-1",
        "client": "masthead",
        "payload": {
            "summary": "Exec & run by mallory",
            "source": "prod",
            "severity": "error",
            "class": "k8s.exec",
            "group": "prod",
            "timestamp": "2026-11-20T10:05:00.25Z",
            "custom_details": {
                "finding_id": "id-1",
                "rule": {"id": "k8s.exec", "name": "Exec <into> a pod"},
                "severity": "high",
                "message": "mallory ran <!channel> [click](http://evil.example) in a pod",
                "count": 3,
                "first_seen": "2026-11-20T10:00:00Z",
                "last_seen": "2026-11-20T10:05:00.25Z",
                "entities": ["user mallory (risk 40)", "ip_address 192.0.2.7 (threat)"],
                "attack": ["T1609"],
                "audit_ids": ["a-1", "a-2"],
                "audit_id_count": 3,
                "fields": {"verb": "create"},
            },
        },
        "links": [{"href": LINK, "text": "All of mallory"}],
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn pagerduty_knows_four_severities() {
    let table = [
        (Severity::Critical, "critical"),
        (Severity::High, "error"),
        (Severity::Medium, "warning"),
        (Severity::Low, "info"),
        (Severity::Informational, "info"),
    ];
    for (severity, expected) in table {
        let finding = Finding { severity, ..finding("id") };
        let (body, _server) = sent("type = 'pagerduty'\nurl = 'URL'\nrouting_key = 'k'", "/", &[finding]).await;
        assert_eq!(body["payload"]["severity"], expected);
    }
}

#[tokio::test]
async fn splunk() {
    let sink = "type = 'splunk_hec'\nurl = 'URL'\ntoken = 'token-1'\nindex = 'security'";
    let (first, mut second) = (finding("id-1"), finding("id-2"));
    second.cluster = None;
    second.last_seen = None;
    second.first_seen = None;
    let server = Server::start([]).await;
    let sinks = sinks(&format!("[sinks.it]\n{}", sink.replace("URL", &server.url(""))));
    sinks.deliver("it", &[first.clone(), second.clone()]).await.unwrap();
    let request = server.request();
    assert_eq!(request.path, "/services/collector/event");
    assert_eq!(request.header("authorization"), Some("Splunk token-1"));
    let text = String::from_utf8(request.body.to_vec()).unwrap();
    let events: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = [
        json!({"time": 1_795_169_100.25, "host": "prod", "index": "security", "source": "masthead",
               "sourcetype": "masthead:finding", "event": first}),
        json!({"index": "security", "source": "masthead", "sourcetype": "masthead:finding", "event": second}),
    ];
    assert_eq!(events, expected);
}

#[tokio::test]
async fn splunk_gets_much_in_parts() {
    let server = Server::start([]).await;
    let toml = format!("[sinks.it]\ntype = 'splunk_hec'\nurl = '{}'\ntoken = 't'", server.url("/own/path"));
    let findings: Vec<Finding> =
        (0..30).map(|n| Finding { message: "x".repeat(50_000), ..finding(&n.to_string()) }).collect();
    sinks(&toml).deliver("it", &findings).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| request.body.len() <= 600_000 && request.path == "/own/path"));
    let lines: usize = requests.iter().map(|request| request.body.iter().filter(|byte| **byte == b'\n').count()).sum();
    assert_eq!(lines, 30);
}
