//! Every protocol, as its senders speak it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use crate::server::{Folder, Server, event, ids_of};

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn parse(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn an_event_is_found_whichever_way_it_comes() {
    let folder = Folder::new();
    folder.rule("deletes", "verb=delete | table user.username objectRef.name");
    let server = Server::start(&folder, &["-r", "rules"]);
    let one = |id: &str| event(id, "delete");
    let object = |id: &str| parse(&one(id));

    assert_eq!(server.post("/k8s/audit", &[], one("bare")).0, 200);
    assert_eq!(server.post("/k8s/audit/c", &[], format!("[{},{}]", one("array1"), one("array2"))).0, 200);
    let list = json!({"kind": "EventList", "items": [object("list")]}).to_string();
    assert_eq!(server.post("/k8s/audit/c?timeout=30s", &[("content-encoding", "gzip")], gzip(&list)).0, 200);

    let hec = format!("{}{}", json!({"event": object("hec1"), "source": "s"}), json!({"event": one("hec2")}));
    let (status, text) = server.post("/services/collector/event", &[], hec);
    assert_eq!((status, parse(&text)), (200, json!({"text": "Success", "code": 0})));
    assert_eq!(server.post("/services/collector/raw?channel=00-11", &[], one("hec3")).0, 200);

    let logs = json!({"messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "/aws/eks/prod/cluster",
        "logStream": "kube-apiserver-audit-1", "subscriptionFilters": [],
        "logEvents": [{"id": "e1", "timestamp": 1, "message": one("firehose")}]});
    let records =
        json!({"requestId": "r1", "timestamp": 1, "records": [{"data": STANDARD.encode(gzip(&logs.to_string()))}]});
    let (status, text) = server.post("/firehose", &[("x-amz-firehose-request-id", "r1")], records.to_string());
    assert_eq!((status, &parse(&text)["requestId"]), (200, &json!("r1")));

    let otlp = json!({"resourceLogs": [{"resource": {"attributes": [
            {"key": "k8s.cluster.name", "value": {"stringValue": "otel"}}]},
        "scopeLogs": [{"logRecords": [{"timeUnixNano": "1", "body": {"stringValue": one("otlp")}}, {"body": {"intValue": "7"}}]}]}]});
    let (status, text) = server.post("/v1/logs", &[("content-type", "application/json")], otlp.to_string());
    assert_eq!((status, &parse(&text)["partialSuccess"]["rejectedLogRecords"]), (200, &json!("1")));

    let entry = json!({"insertId": "gke", "logName": "l", "timestamp": jiff::Timestamp::now().to_string(),
        "resource": {"labels": {"cluster_name": "g"}},
        "protoPayload": {"serviceName": "k8s.io", "methodName": "io.k8s.core.v1.pods.delete",
            "resourceName": "core/v1/namespaces/n/pods/gke", "authenticationInfo": {"principalEmail": "eve"}}});
    let push = json!({"message": {"data": STANDARD.encode(entry.to_string()), "messageId": "1"}, "subscription": "s"});
    assert_eq!(server.post("/gcp/pubsub", &[], push.to_string()).0, 204);

    let azure =
        json!({"records": [{"category": "kube-audit", "resourceId": "/S/1/AKS", "properties": {"log": one("aks")}}]});
    assert_eq!(server.post("/azure/eventhub", &[], azure.to_string()).0, 200);

    let mut expected = ["aks", "array1", "array2", "bare", "firehose", "gke", "hec1", "hec2", "hec3", "list", "otlp"];
    expected.sort_unstable();
    server.until("all are found", |_| ids_of(&folder.findings(), "deletes") == expected);
    let clusters: std::collections::BTreeMap<String, Json> = folder
        .findings()
        .iter()
        .filter(|finding| finding["rule"]["id"] == "deletes")
        .map(|finding| (finding["audit_ids"][0].as_str().unwrap().to_owned(), finding["cluster"].clone()))
        .collect();
    for (id, cluster) in [("list", "c"), ("firehose", "prod"), ("otlp", "otel"), ("gke", "g"), ("aks", "aks")] {
        assert_eq!(clusters[id], json!(cluster), "{id}");
    }
}

#[test]
fn bodies_that_are_wrong_are_told_so_in_the_words_of_their_protocol() {
    let folder = Folder::new();
    folder.rule("deletes", "verb=delete | table user.username");
    folder.write("m.toml", "[rules]\npaths = [\"rules\"]\n[ingest]\nmax_body = \"1MiB\"\n");
    let server = Server::start(&folder, &["-c", "m.toml"]);
    let hec = "/services/collector/event";
    for (path, headers, body, status, code) in [
        ("/k8s/audit", &[][..], b"no event".to_vec(), 400, None),
        ("/k8s/audit/a%20b", &[], b"{}".to_vec(), 400, None),
        ("/k8s/audit", &[("content-encoding", "br")], b"{}".to_vec(), 415, None),
        ("/k8s/audit", &[], vec![b' '; 2 << 20], 413, None),
        ("/k8s/audit", &[("content-encoding", "gzip")], gzip(&" ".repeat(4 << 20)), 413, None),
        (hec, &[], Vec::new(), 400, Some(5)),
        (hec, &[], b"{".to_vec(), 400, Some(6)),
        (hec, &[], b"{\"source\":\"x\"}".to_vec(), 400, Some(12)),
        (hec, &[], b"{\"event\":\"\"}".to_vec(), 400, Some(13)),
        ("/services/collector/ack", &[], b"{\"acks\":[0]}".to_vec(), 400, Some(14)),
        ("/services/collector/raw?channel=zz", &[], b"x".to_vec(), 400, Some(11)),
        ("/firehose", &[], b"{}".to_vec(), 400, None),
        // 413 would lose the batch for good.
        ("/firehose", &[], vec![b' '; 2 << 20], 500, None),
        ("/v1/logs", &[("content-type", "text/plain")], b"x".to_vec(), 415, None),
        ("/v1/logs", &[("content-type", "application/json")], b"[".to_vec(), 400, Some(3)),
        ("/gcp/pubsub", &[], b"{}".to_vec(), 400, None),
        ("/azure/eventhub", &[], b"text".to_vec(), 400, None),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(30)]).into_owned();
        let (got, text) = server.post(path, headers, body);
        assert_eq!(got, status, "{path} {shown}: {text}");
        if let Some(code) = code {
            assert_eq!(parse(&text)["code"], code, "{path} {shown}");
        }
    }
    assert_eq!(server.get("/services/collector/health").0, 200);
    assert_eq!(server.get("/k8s/audit").0, 405);
}

/// Replays what a real kube-apiserver posted, where the recording is there.
#[test]
fn recorded_posts_of_a_kube_apiserver_are_taken() {
    let shared = std::env::var_os("MASTHEAD_SHARED").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        std::path::PathBuf::from,
    );
    let Ok(entries) = std::fs::read_dir(shared.join("data/webhook")) else {
        return eprintln!("not run: there are no recordings");
    };
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let mut sent = 0;
    for path in entries.map(|entry| entry.unwrap().path()).filter(|path| path.to_string_lossy().ends_with("body.json"))
    {
        let body = std::fs::read(path).unwrap();
        sent += parse(&String::from_utf8(body.clone()).unwrap())["items"].as_array().unwrap().len() as u64;
        assert_eq!(server.post("/k8s/audit/prod", &[("content-type", "application/json")], body).0, 200);
    }
    assert!(sent > 0);
    server.until("all are evaluated", |server| server.events("webhook") == sent);
}
