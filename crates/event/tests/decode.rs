//! Every format in every wrapping, real files, and bad input.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod real;

use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use masthead_event::decode::{DecodeOptions, Decoder};
use masthead_event::projection::{Projection, ProjectionBuffer};
use masthead_event::{FieldPath, Ledger, Reason};

/// An event as a test looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    raw: String,
    source: String,
    sourcetype: String,
    log_type: Option<String>,
    cluster: Option<String>,
    account: Option<String>,
    id: Option<String>,
    line: u64,
    record: u64,
    truncated: bool,
    text: bool,
    ordinal: u64,
}

fn read(input: &[u8], options: DecodeOptions) -> (Vec<Seen>, Ledger) {
    read_from(&mut &input[..], options)
}

fn read_from(input: &mut dyn Read, options: DecodeOptions) -> (Vec<Seen>, Ledger) {
    let mut ledger = Ledger::default();
    let mut seen = Vec::new();
    let _ = Decoder::new(options)
        .read_stream(Path::new("-"), input, &mut ledger, &mut |event, place| {
            let text = |text: &Option<Arc<str>>| text.as_ref().map(|text| text.to_string());
            seen.push(Seen {
                raw: String::from_utf8_lossy(event.raw).into_owned(),
                source: event.envelope.source.to_string(),
                sourcetype: event.envelope.sourcetype.to_string(),
                log_type: text(&event.envelope.log_type),
                cluster: text(&event.envelope.cluster),
                account: text(&event.envelope.account),
                id: event.envelope_id.map(str::to_owned),
                line: place.line,
                record: place.record,
                truncated: event.truncated,
                text: event.text,
                ordinal: event.ordinal,
            });
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(ledger.events, seen.len() as u64);
    assert!(seen.iter().map(|event| event.ordinal).eq(0..seen.len() as u64));
    (seen, ledger)
}

fn raws(input: &[u8]) -> (Vec<String>, Ledger) {
    let (seen, ledger) = read(input, DecodeOptions::default());
    (seen.into_iter().map(|event| event.raw).collect(), ledger)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// Each way of compressing.
fn wrappings(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let (left, right) = bytes.split_at(bytes.len() / 2);
    vec![
        ("plain", bytes.to_vec()),
        ("gzip", gzip(bytes)),
        ("gzip in two members", [gzip(left), gzip(right)].concat()),
        ("zstd", zstd(bytes)),
        ("zstd in two frames", [zstd(left), zstd(right)].concat()),
        ("gzip in gzip", gzip(&gzip(bytes))),
        ("gzip in zstd", zstd(&gzip(bytes))),
    ]
}

const A: &str = r#"{"kind":"Event","auditID":"a","user":{"username":"x y"},"n":[1,{"b":"}]\""}]}"#;
const B: &str = r#"{"level":"Metadata","auditID":"b","annotations":{"k.io/r":"[{"}}"#;

fn pretty(event: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(event).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

fn cloudwatch(group: &str, stream: &str, messages: &[&str]) -> String {
    let events: Vec<_> = (1..)
        .zip(messages)
        .map(|(id, message)| serde_json::json!({"id": format!("id{id}"), "timestamp": 1, "message": message}))
        .collect();
    // As AWS writes it: the head before the events.
    format!(
        r#"{{"messageType":"DATA_MESSAGE","owner":"111122223333","logGroup":"{group}","logStream":"{stream}","subscriptionFilters":["f"],"logEvents":{}}}"#,
        serde_json::Value::from(events)
    )
}

fn eks(messages: &[&str]) -> String {
    cloudwatch("/aws/eks/prod/cluster", "kube-apiserver-audit-01", messages)
}

const CONTROL: &str = r#"{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"","subscriptionFilters":[],"logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: Checking health of destination Firehose."}]}"#;

#[test]
fn raw_events_in_every_format_and_wrapping() {
    let indented = |text: &str| text.replace('\n', "\n    ");
    let formats = [
        ("lines", format!("{A}\n{B}\n")),
        ("lines without a last end", format!("{A}\n{B}")),
        ("lines with CRLF, empty lines and a byte order mark", format!("\u{feff}\r\n{A}\r\n\r\n{B} \r\n")),
        ("objects one after another", format!("{A}{B}")),
        ("pretty objects", format!("{}\n{}\n", pretty(A), pretty(B))),
        ("pretty and one line", format!("{}\n{B}\n", pretty(A))),
        ("one line and pretty", format!("{A}\n{}", pretty(B))),
        ("array", format!("[{A},{B}]")),
        ("array over lines", format!("[\n{A},\n{B}\n]\n")),
        ("pretty array", format!("[\n    {},\n    {}\n]", indented(&pretty(A)), indented(&pretty(B)))),
        ("list", format!(r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":[{A},{B}]}}"#)),
        (
            "list with sorted keys",
            format!(r#"{{"apiVersion":"audit.k8s.io/v1","items":[{A},{B}],"kind":"EventList"}}"#),
        ),
        ("list over lines", format!("{{\n  \"items\": [\n    {},\n{B}\n  ]\n}}", indented(&pretty(A)))),
        ("two lists on two lines", format!("{{\"items\":[{A}]}}\n{{\"items\":[{B}],\"metadata\":{{\"x\":\"}}\"}}}}\n")),
        ("event and list", format!("{A}\n{{\"kind\":\"EventList\",\"items\":[{B}]}}\n")),
        ("array of lists", format!("[{{\"items\":[{A}]}},{{\"items\":[{B}]}}]")),
        ("Lambda", format!(r#"{{"awslogs":{{"data":"{}"}}}}"#, STANDARD.encode(gzip(format!("{A}\n{B}").as_bytes())))),
        ("records that carry nothing", format!(r#"{{"Records":[{A},{B}]}}"#)),
    ];
    let values = |events: &[String]| -> Vec<serde_json::Value> {
        events.iter().map(|event| serde_json::from_str(event).unwrap()).collect()
    };
    for (format, text) in formats {
        for (wrapping, bytes) in wrappings(text.as_bytes()) {
            let (seen, ledger) = read(&bytes, DecodeOptions::default());
            let raws: Vec<_> = seen.iter().map(|event| event.raw.clone()).collect();
            assert_eq!(values(&raws), values(&[A.into(), B.into()]), "{format}, {wrapping}");
            assert_eq!(ledger.reasons.len(), 0, "{format}, {wrapping}: {ledger:?}");
            assert_eq!(ledger.bytes_read, bytes.len() as u64, "{format}, {wrapping}");
            assert_eq!(ledger.bytes_decoded, text.len() as u64, "{format}, {wrapping}");
            for event in seen {
                assert_eq!((event.source.as_str(), event.sourcetype.as_str()), ("kubernetes", "_json"));
                assert_eq!((event.log_type, event.cluster, event.truncated, event.text), (None, None, false, false));
            }
        }
    }
}

#[test]
fn cloudwatch_envelopes_in_every_carrier_and_wrapping() {
    let envelope = eks(&[A, B]);
    let sorted: serde_json::Value = serde_json::from_str(&envelope).unwrap();
    let packed = STANDARD.encode(gzip(envelope.as_bytes()));
    let plain = STANDARD.encode(&envelope);
    let (first, second) = (eks(&[A]), eks(&[B]));
    let formats = [
        ("plain", envelope.clone()),
        ("with the head behind the events", sorted.to_string()),
        ("pretty", serde_json::to_string_pretty(&sorted).unwrap()),
        ("one after another", format!("{first}{second}")),
        ("line by line", format!("{first}\n{CONTROL}\n{second}\n")),
        ("Lambda", format!(r#"{{"awslogs":{{"data":"{packed}"}}}}"#)),
        ("Kinesis", format!(r#"{{"Records":[{{"eventSource":"aws:kinesis","kinesis":{{"data":"{packed}"}}}}]}}"#)),
        ("Firehose", format!(r#"{{"requestId":"r","timestamp":1,"records":[{{"data":"{packed}"}}]}}"#)),
        ("Firehose, unpacked", format!(r#"{{"requestId":"r","timestamp":1,"records":[{{"data":"{plain}"}}]}}"#)),
        (
            "Firehose, several records",
            format!(
                r#"{{"requestId":"r","records":[{{"data":"{}"}},{{"data":"{}"}}]}}"#,
                STANDARD.encode(gzip(first.as_bytes())),
                STANDARD.encode(gzip(second.as_bytes()))
            ),
        ),
    ];
    for (format, text) in formats {
        for (wrapping, bytes) in wrappings(text.as_bytes()) {
            let (seen, ledger) = read(&bytes, DecodeOptions::default());
            assert_eq!(seen.len(), 2, "{format}, {wrapping}: {ledger:?}");
            assert_eq!([&seen[0].raw, &seen[1].raw], [A, B], "{format}, {wrapping}");
            assert_eq!(ledger.lost(), 0, "{format}, {wrapping}: {ledger:?}");
            assert_eq!(ledger.of(Reason::Control), u64::from(format == "line by line"));
            for event in seen {
                assert_eq!(event.source, "/aws/eks/prod/cluster:kube-apiserver-audit-01");
                assert_eq!(event.sourcetype, "aws:cloudwatchlogs:eks");
                assert_eq!(event.log_type.as_deref(), Some("Amazon.EKS.Audit"));
                assert_eq!(event.cluster.as_deref(), Some("prod"));
                assert_eq!(event.account.as_deref(), Some("111122223333"));
                assert!(event.id.is_some_and(|id| id.starts_with("id")));
            }
        }
    }
}

#[test]
fn records_are_placed_at_the_line_of_their_envelope() {
    let input = format!("{A}\n{}\n\n{{\"items\":[\n{A},\n{B}\n]}}\n{B}\n", eks(&[A, B]));
    let (seen, _) = read(input.as_bytes(), DecodeOptions::default());
    let places: Vec<_> = seen.iter().map(|event| (event.line, event.record)).collect();
    assert_eq!(places, [(1, 0), (2, 1), (2, 2), (4, 1), (4, 2), (8, 0)]);
}

#[test]
fn other_streams_of_the_group_are_text() {
    let klog = "I1120 20:25:47.828008 1 scheduler.go:1] \"ok\"";
    let input = cloudwatch("/aws/eks/prod/cluster", "kube-scheduler-01", &[klog, A]);
    let (seen, ledger) = read(input.as_bytes(), DecodeOptions::default());
    assert_eq!(
        seen.iter().map(|event| (event.raw.as_str(), event.text)).collect::<Vec<_>>(),
        [(klog, true), (A, true)]
    );
    assert!(seen.iter().all(|event| event.log_type.is_none() && event.cluster.as_deref() == Some("prod")));
    assert_eq!((ledger.of(Reason::NotAudit), ledger.lost()), (2, 0));
}

#[test]
fn what_was_cut_is_salvaged_marked_and_counted() {
    let cut = r#"{"auditID":"c","user":{"username":"u","groups":["g","h"#;
    let saved = r#"{"auditID":"c","user":{"username":"u","groups":["g"]}}"#;
    let marked = format!("{cut}[Truncated...]");
    for (format, input, expected) in [
        ("message", eks(&[A, &marked, B]), vec![A, saved, B]),
        ("line", format!("{A}\n{marked}\n{B}\n"), vec![A, saved, B]),
        ("first line", format!("{marked}\n{B}\n{A}\n"), vec![saved, B, A]),
        ("line without a mark", format!("{A}\n{cut}\n{B}\n"), vec![A, saved, B]),
        ("first line without a mark", format!("{cut}\n{A}\n"), vec![saved, A]),
        (
            "between members",
            format!("{}\n{A}\n", r#"{"auditID":"c","x":{"y":1},"#),
            vec![r#"{"auditID":"c","x":{"y":1}}"#, A],
        ),
        ("last line", format!("{A}\n{cut}"), vec![A, saved]),
        ("in an array", format!("[{A},{cut}"), vec![A, saved]),
        ("in a list", format!("{{\"kind\":\"EventList\",\"items\":[{A},{cut}"), vec![A, saved]),
        (
            "pretty",
            "{\n  \"auditID\": \"c\",\n  \"x\": [\n    1,".to_owned(),
            vec!["{\n  \"auditID\": \"c\",\n  \"x\": [\n    1]}"],
        ),
    ] {
        let (seen, ledger) = read(input.as_bytes(), DecodeOptions::default());
        assert_eq!(seen.iter().map(|event| event.raw.as_str()).collect::<Vec<_>>(), expected, "{format}");
        assert_eq!(seen.iter().filter(|event| event.truncated).count(), 1, "{format}");
        assert_eq!((ledger.of(Reason::Truncated), ledger.lost()), (1, 0), "{format}: {ledger:?}");
    }
    let (seen, ledger) = raws(format!("{{\"items\":[{A},{B}").as_bytes());
    assert_eq!((seen.len(), ledger.of(Reason::Truncated)), (2, 1), "a list cut between items");
}

#[test]
fn bad_input_is_counted_and_the_rest_goes_on() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_object = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let deep_cut = "{\"a\":".repeat(10_000);
    let bytes = |text: &str| text.as_bytes().to_vec();
    let cases: Vec<(&str, Vec<u8>, Reason)> = vec![
        ("text", bytes("no json at all"), Reason::NotJson),
        ("text in brackets", bytes("[2024-01-01 00:00:00] no json"), Reason::NotJson),
        ("a string", bytes("\"x\""), Reason::NotJson),
        ("broken object", bytes("{\"a\" 1}"), Reason::NotJson),
        ("broken object without an end", bytes("{\"a\":1 \"b\""), Reason::NotJson),
        ("NUL bytes", bytes("\0\0\0\0"), Reason::NulByte),
        ("NUL in an object", bytes("{\"a\":\"\0\"}"), Reason::NulByte),
        ("broken UTF-8", b"\xff\xfe\xfd".to_vec(), Reason::InvalidUtf8),
        ("broken UTF-8 in an object", b"{\"a\":\"\xff\"}".to_vec(), Reason::InvalidUtf8),
        ("deep array", bytes(&deep), Reason::TooDeep),
        ("deep object", bytes(&deep_object), Reason::TooDeep),
        ("deep object that is cut", bytes(&deep_cut), Reason::TooDeep),
        ("not base64", bytes("{\"awslogs\":{\"data\":\"!\"}}"), Reason::BadEnvelope),
        (
            "no gzip",
            bytes(&format!("{{\"awslogs\":{{\"data\":\"{}\"}}}}", STANDARD.encode(b"\x1f\x8b\x08garbage"))),
            Reason::BadCompression,
        ),
        ("no message", bytes(&eks(&[]).replace("[]", "[{\"id\":\"1\"}]")), Reason::BadEnvelope),
        ("no group", bytes("{\"messageType\":\"DATA_MESSAGE\",\"logEvents\":[]}"), Reason::BadEnvelope),
        ("item that is no object", bytes("{\"items\":[1]}"), Reason::NotJson),
        ("too long", bytes(&format!("{{\"a\":\"{}\"}}", "x".repeat(300_000))), Reason::TooLong),
        ("too long text", bytes(&"x".repeat(300_000)), Reason::TooLong),
        ("too long item", bytes(&format!("{{\"items\":[{{\"a\":\"{}\"}}]}}", "x".repeat(300_000))), Reason::TooLong),
    ];
    let projection = Projection::new(vec![FieldPath::flat("auditID"), FieldPath::flat("a")]);
    let mut buffer = ProjectionBuffer::default();
    for (name, bad, reason) in &cases {
        for before in [&[][..], &[A][..]] {
            let mut input = before.join("\n").into_bytes();
            input.push(b'\n');
            input.extend_from_slice(bad);
            input.extend_from_slice(format!("\n{B}\n{A}\n").as_bytes());
            let options = DecodeOptions { max_record: 200_000, ..DecodeOptions::default() };
            let (mut ledger, mut own, mut good) = (Ledger::default(), Ledger::default(), 0);
            let _ = Decoder::new(options)
                .read_stream(Path::new("-"), &mut &input[..], &mut ledger, &mut |event, place| {
                    match projection.project(event.raw, &mut buffer) {
                        Ok(_) => good += 1,
                        Err(error) => own.count(error.reason(), &place),
                    }
                    ControlFlow::Continue(())
                })
                .unwrap();
            ledger.merge(own);
            let line = 1 + before.len() as u64 + u64::from(before.is_empty());
            assert_eq!(ledger.of(*reason), 1, "{name}: {ledger:?}");
            assert_eq!(ledger.lost(), 1, "{name}: {ledger:?}");
            assert_eq!(ledger.reasons[reason].first[0].line, line, "{name}");
            assert_eq!(good, 2 + before.len(), "{name}");
        }
    }
}

/// The same bytes again and again.
struct Repeated<'a> {
    piece: &'a [u8],
    left: usize,
}

impl Read for Repeated<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.left.min(buffer.len()).min(self.piece.len());
        buffer[..count].copy_from_slice(&self.piece[..count]);
        self.left -= count;
        Ok(count)
    }
}

#[test]
fn a_line_of_100_megabytes_is_counted_and_the_rest_goes_on() {
    for (start, end) in [("", ""), ("{\"a\":\"", "\"}"), ("[", "]"), ("{\"items\":[{\"a\":\"", "\"}]}")] {
        for before in ["", "{\"b\":1}\n"] {
            let head = format!("{before}{start}");
            let tail = format!("{end}\n{A}\n");
            let long = Repeated { piece: &[b'7'; 65_536], left: 100 << 20 };
            let mut input = head.as_bytes().chain(long).chain(tail.as_bytes());
            let (seen, ledger) = read_from(&mut input, DecodeOptions::default());
            assert_eq!(seen.last().map(|event| event.raw.as_str()), Some(A), "{start}");
            assert_eq!(seen.len(), 1 + usize::from(!before.is_empty()), "{start}");
            assert_eq!((ledger.of(Reason::TooLong), ledger.lost()), (1, 1), "{start}: {ledger:?}");
        }
    }
}

#[test]
fn damaged_compression_keeps_what_came_before() {
    let lines: String = (0..2_000).map(|n| format!("{{\"auditID\":\"{n}\",\"x\":{}}}\n", n * 7_919)).collect();
    for bytes in [gzip(lines.as_bytes()), zstd(lines.as_bytes())] {
        let (seen, ledger) = raws(&bytes[..bytes.len() * 9 / 10]);
        assert!(ledger.of(Reason::BadCompression) == 1, "{ledger:?}");
        assert!(seen.len() <= 2_000);
    }
    let (seen, ledger) = raws(&[gzip(A.as_bytes()), b"tail".to_vec()].concat());
    assert_eq!(seen, [A]);
    assert_eq!((ledger.of(Reason::BadCompression), ledger.lost()), (1, 1));
}

#[test]
fn embedded_data_is_bounded_in_depth_and_size() {
    let mut nested = A.to_owned();
    for _ in 0..20 {
        nested = format!(r#"{{"awslogs":{{"data":"{}"}}}}"#, STANDARD.encode(gzip(nested.as_bytes())));
    }
    let (seen, ledger) = raws(nested.as_bytes());
    assert_eq!((seen.len(), ledger.lost()), (0, 1), "{ledger:?}");

    let bomb = gzip(format!("{A}\n").repeat(100_000).as_bytes());
    let input = format!("{{\"awslogs\":{{\"data\":\"{}\"}}}}\n{B}\n", STANDARD.encode(bomb));
    let options = DecodeOptions { max_embedded: 10_000, ..DecodeOptions::default() };
    let (seen, ledger) = read(input.as_bytes(), options);
    assert_eq!(ledger.of(Reason::TooLong), 1);
    assert!(seen.len() < 200 && seen.last().is_some_and(|event| event.raw == B));
}

#[test]
fn text_lines_are_events_where_asked_for() {
    let falco = "20:25:47.1: Notice A shell was spawned (user=root)";
    let input = format!("{falco}\n{A}\n\n[x] y\n");
    let (seen, ledger) = read(input.as_bytes(), DecodeOptions { text_lines: true, ..DecodeOptions::default() });
    let found: Vec<_> = seen.iter().map(|event| (event.raw.as_str(), event.text)).collect();
    assert_eq!(found, [(falco, true), (A, false), ("[x] y", true)]);
    assert_eq!(ledger.lost(), 0);
}

#[test]
fn folders_batches_progress_and_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let lines = |prefix: &str| -> String {
        (0..3_000).map(|n| format!("{{\"auditID\":\"{prefix}{n}\",\"pad\":\"{}\"}}\n", "x".repeat(500))).collect()
    };
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    std::fs::write(folder.path().join("b.log"), lines("b")).unwrap();
    std::fs::write(folder.path().join("sub/c"), gzip(lines("c").as_bytes())).unwrap();
    std::fs::write(folder.path().join("a.json"), eks(&[A, B])).unwrap();

    let progress = Arc::new(AtomicU64::new(0));
    let options = DecodeOptions { progress: Some(progress.clone()), ..DecodeOptions::default() };
    let mut single = Vec::new();
    let mut ledger = Ledger::default();
    let mut decoder = Decoder::new(options.clone());
    let _ = decoder
        .read_path(folder.path(), &mut ledger, &mut |event, place| {
            single.push((
                event.raw.to_vec(),
                event.envelope.clone(),
                event.envelope_id.map(str::to_owned),
                event.ordinal,
                place.to_place(),
            ));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(single.len(), 6_002);
    assert_eq!(progress.load(Ordering::Relaxed), ledger.bytes_read);

    let (mut batched, mut batches) = (Vec::new(), 0);
    let mut again = Ledger::default();
    let _ = Decoder::new(DecodeOptions::default())
        .read_batches(folder.path(), &mut again, &mut |batch| {
            batches += 1;
            assert_eq!(batch.get(0).map(|(event, _)| event.ordinal), Some(batch.first_ordinal()));
            batched.extend(batch.iter().map(|(event, place)| {
                (
                    event.raw.to_vec(),
                    event.envelope.clone(),
                    event.envelope_id.map(str::to_owned),
                    event.ordinal,
                    place.to_place(),
                )
            }));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(batched, single);
    assert_eq!(again, ledger);
    assert!(batches > 6, "{batches}");

    let mut count = 0;
    let flow = Decoder::new(DecodeOptions::default())
        .read_path(folder.path(), &mut Ledger::default(), &mut |_, _| {
            count += 1;
            if count == 10 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!((flow, count), (ControlFlow::Break(()), 10));
    let missing = folder.path().join("missing");
    let error = Decoder::default().read_path(&missing, &mut Ledger::default(), &mut |_, _| ControlFlow::Continue(()));
    assert_eq!(error.err().map(|error| error.path), Some(missing));
}

#[test]
fn real_files() {
    for (name, events, sourcetype) in [
        ("audit.jsonl.gz", 13_382, "_json"),
        ("cloudwatch.json.gz", 102, "aws:cloudwatchlogs:eks"),
        ("public-ip.jsonl", 299, "_json"),
        ("cloudwatch-control.json", 0, ""),
    ] {
        let Some(path) = real::data(name) else { return };
        let mut file = std::fs::File::open(&path).unwrap();
        let (seen, ledger) = read_from(&mut file, DecodeOptions::default());
        assert_eq!(seen.len(), events, "{name}: {ledger:?}");
        assert_eq!(ledger.lost(), 0, "{name}: {ledger:?}");
        assert!(seen.iter().all(|event| event.sourcetype == sourcetype));
    }
    for name in [
        "webhook/post-0230.body.json",
        "webhook/post-0250.body.json",
        "webhook/post-0270.body.json",
        "webhook-tls/post-0140.body.json",
    ] {
        let Some(path) = real::data(name) else { return };
        let whole = std::fs::read(&path).unwrap();
        let items = serde_json::from_slice::<serde_json::Value>(&whole).unwrap()["items"].as_array().unwrap().clone();
        let (seen, ledger) = raws(&whole);
        let seen: Vec<serde_json::Value> = seen.iter().map(|event| serde_json::from_str(event).unwrap()).collect();
        assert_eq!(seen, items, "{name}");
        assert_eq!(ledger.reasons.len(), 0, "{name}");
    }
}
