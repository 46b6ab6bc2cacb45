//! Where events come from and what is around them: the same findings whichever way.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value as Json, json};

use crate::fixture::{Folder, LISTS, Run, event, events};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn base64_gzip(bytes: &[u8]) -> String {
    STANDARD.encode(gzip(bytes))
}

/// An envelope as a CloudWatch Logs subscription delivers it.
fn envelope() -> String {
    let log_events: Vec<Json> = (0..6)
        .map(|number| json!({"id": number.to_string(), "timestamp": 1, "message": event(number, "list")}))
        .collect();
    json!({
        "messageType": "DATA_MESSAGE",
        "owner": "111122223333",
        "logGroup": "/aws/eks/demo/cluster",
        "logStream": "kube-apiserver-audit-0123",
        "subscriptionFilters": ["all"],
        "logEvents": log_events,
    })
    .to_string()
}

fn rules() -> Folder {
    let folder = Folder::new();
    folder.splunk("rules/search.yml", LISTS);
    folder.splunk("rules/place.yml", "source=* sourcetype=* | stats count by source sourcetype");
    folder.panther("rules/python", "def rule(event):\n    return event.get(\"verb\") == \"list\"\n");
    folder
}

fn scan(folder: &Folder, inputs: &[&str], stdin: &[u8]) -> Run {
    let args = [&["scan", "-r", "rules", "-f", "jsonl", "--summary", "json"], inputs].concat();
    let run = folder.run_with(&args, stdin);
    assert_eq!(run.code, 0, "{inputs:?}: {}", run.err);
    run
}

/// Findings by rule, with the number of events behind each and the place that they are said to come from.
fn told(run: &Run) -> Vec<(String, u64, Json)> {
    let mut told: Vec<_> = run
        .records()
        .iter()
        .map(|record| {
            let fields = &record["fields"];
            // A search tells the cluster only by the fields that it keeps.
            let script = record["rule"]["dialect"] == "panther";
            let cluster = if script { record["cluster"].clone() } else { Json::Null };
            let place = json!([fields["source"], fields["sourcetype"], cluster]);
            (record["rule"]["name"].as_str().unwrap().to_owned(), record["count"].as_u64().unwrap(), place)
        })
        .collect();
    told.sort_by(|a, b| a.0.cmp(&b.0));
    told
}

#[test]
fn raw_events_in_every_form() {
    let lines = events(0..6);
    let list: Vec<Json> = (0..6).map(|number| serde_json::from_str(&event(number, "list")).unwrap()).collect();
    let pretty: String = list.iter().map(|event| serde_json::to_string_pretty(event).unwrap() + "\n").collect();
    let forms = [
        ("lines", lines.clone().into_bytes()),
        ("lines without a last newline", lines.trim_end().as_bytes().to_vec()),
        ("lines as Windows ends them", lines.replace('\n', "\r\n").into_bytes()),
        ("objects over many lines", pretty.into_bytes()),
        ("an array", json!(list).to_string().into_bytes()),
        (
            "an EventList",
            json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": list}).to_string().into(),
        ),
        ("a byte order mark before lines", [b"\xef\xbb\xbf", lines.as_bytes()].concat()),
        ("gzip", gzip(lines.as_bytes())),
        ("two gzip members", [gzip(events(0..2).as_bytes()), gzip(events(2..6).as_bytes())].concat()),
        ("zstd", zstd::encode_all(lines.as_bytes(), 1).unwrap()),
        ("gzip in zstd", zstd::encode_all(gzip(lines.as_bytes()).as_slice(), 1).unwrap()),
    ];
    for (form, bytes) in forms {
        let folder = rules();
        folder.write("log", &bytes);
        let run = scan(&folder, &["log"], b"");
        let expected = [
            ("place".to_owned(), 6, json!(["kubernetes", "_json", null])),
            ("search".to_owned(), 6, json!([null, null, null])),
        ];
        assert_eq!(told(&run), expected, "{form}");
        assert_eq!(run.losses(), [], "{form}");
        let piped = scan(&folder, &["-"], &bytes);
        assert_eq!(piped.out, run.out, "{form} on standard input");
    }
}

#[test]
fn eks_envelopes_in_every_form() {
    let plain = envelope();
    let carried = base64_gzip(plain.as_bytes());
    let forms = [
        ("plain", plain.clone().into_bytes()),
        ("gzip", gzip(plain.as_bytes())),
        ("zstd", zstd::encode_all(plain.as_bytes(), 1).unwrap()),
        ("Lambda", json!({"awslogs": {"data": carried}}).to_string().into()),
        ("Kinesis", json!({"Records": [{"kinesis": {"data": carried, "partitionKey": "1"}}]}).to_string().into()),
        ("Firehose", json!({"requestId": "r", "timestamp": 1, "records": [{"data": carried}]}).to_string().into()),
        ("base64 alone", carried.into_bytes()),
    ];
    for (form, bytes) in forms {
        let folder = rules();
        folder.write("log", &bytes);
        let run = scan(&folder, &["log"], b"");
        let source = "/aws/eks/demo/cluster:kube-apiserver-audit-0123";
        let expected = [
            ("place".to_owned(), 6, json!([source, "aws:cloudwatchlogs:eks", null])),
            ("python".to_owned(), 6, json!([null, null, "demo"])),
            ("search".to_owned(), 6, json!([null, null, null])),
        ];
        assert_eq!(told(&run), expected, "{form}: {}", run.err);
        assert_eq!(run.losses(), [], "{form}");
        assert_eq!(scan(&folder, &["-"], &bytes).out, run.out, "{form} on standard input");
    }
}

#[test]
fn a_message_that_tests_the_delivery_is_no_event() {
    let control = envelope().replace("DATA_MESSAGE", "CONTROL_MESSAGE");
    let folder = rules();
    folder.write("log", control);
    let run = scan(&folder, &["log"], b"");
    assert_eq!((run.losses()[0].0.as_str(), run.out.as_str()), ("control", ""));
}

#[test]
fn a_folder_is_its_files_in_the_order_of_their_names() {
    let folder = rules();
    folder.write("logs/b/2.json", gzip(events(2..4).as_bytes())).write("logs/a.log", events(0..2));
    folder.write("logs/c", events(4..6)).write("logs/nothing", "");
    let whole = scan(&folder, &["logs"], b"");
    assert_eq!(told(&whole)[1].1, 6);
    let apart = scan(&folder, &["logs/a.log", "logs/b/2.json", "logs/c"], b"");
    assert_eq!(apart.out, whole.out);
    let order = scan(&folder, &["logs/c", "logs/b", "logs/a.log"], b"");
    let ids = |run: &Run| -> Vec<Json> { run.records().iter().map(|record| record["finding_id"].clone()).collect() };
    assert_eq!(ids(&order), ids(&whole), "findings do not depend on the order of the inputs");
    let twice = scan(&folder, &["logs", "logs/c"], b"");
    assert_eq!(twice.out, whole.out);
    assert_eq!(twice.losses(), [("double".to_owned(), 2, vec!["logs/c:1".to_owned(), "logs/c:2".to_owned()])]);
}

#[test]
fn damaged_compression_is_told_and_what_came_before_is_read() {
    let folder = rules();
    let whole = gzip(events(0..600).as_bytes());
    folder.write("logs/a.gz", &whole[..whole.len() - 20]).write("logs/b", event(900, "list"));
    let run = scan(&folder, &["logs"], b"");
    let losses = run.losses();
    assert!(losses.iter().any(|(reason, ..)| reason == "bad-compression"), "{losses:?}");
    let count = told(&run)[1].1;
    assert!(count > 1 && count <= 601, "{count}");
}

#[test]
fn what_raw_events_are_said_to_come_from_can_be_told() {
    let folder = rules();
    folder.write("log", events(0..6));
    let args = ["--source", "s", "--sourcetype", "t", "--log-type", "Amazon.EKS.Audit", "--cluster", "c", "log"];
    let run = scan(&folder, &args, b"");
    let expected = [
        ("place".to_owned(), 6, json!(["s", "t", null])),
        ("python".to_owned(), 6, json!([null, null, "c"])),
        ("search".to_owned(), 6, json!([null, null, null])),
    ];
    assert_eq!(told(&run), expected);
}

/// What cannot be read in a folder is counted, since nobody named it; links that lead nowhere are such.
#[cfg(unix)]
#[test]
fn a_link_that_leads_nowhere_is_counted() {
    let folder = rules();
    folder.write("logs/a", events(0..6));
    std::os::unix::fs::symlink("missing", folder.path().join("logs/link")).unwrap();
    let run = scan(&folder, &["logs"], b"");
    assert_eq!(run.losses(), [("unreadable".to_owned(), 1, vec!["logs/link:0".to_owned()])]);
    assert_eq!(told(&run)[1].1, 6);
}
