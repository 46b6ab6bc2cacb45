//! Nothing that anybody sends makes a decoder panic.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may stop where it stands")]

use masthead_sources::Delivery;
use masthead_sources::decode::{self, HecMetadata, Told};
use proptest::prelude::*;

fn all(body: &[u8]) {
    let told = Told::default();
    let mut out = Delivery::new("t");
    let _refused = decode::audit(&mut &*body, &told, &mut out);
    let _refused = decode::firehose(&mut &*body, &told, &mut out);
    let _refused = decode::pubsub(&mut &*body, &told, &mut out);
    let _refused = decode::azure(&mut &*body, &told, &mut out);
    let _refused = decode::otlp_json(body, &told, &mut out);
    let _refused = decode::otlp_protobuf(body, &told, &mut out);
    let _refused = decode::hec_events(body, &told, &mut out);
    let _refused = decode::hec_raw(body, &HecMetadata::default(), &told, &mut out);
    decode::gke_entry(body, &told, &mut out);
    for (event, _) in out.batch.iter() {
        assert!(!event.raw.is_empty());
    }
}

const SEEDS: [&str; 7] = [
    r#"{"kind":"EventList","items":[{"auditID":"a","verb":"get"}]}"#,
    r#"{"requestId":"r","timestamp":1,"records":[{"data":"H4sIAAAAAAAA/w=="},{"data":"e30="}]}"#,
    r#"{"message":{"data":"eyJwcm90b1BheWxvYWQiOnt9fQ==","messageId":"1"},"subscription":"s"}"#,
    r#"{"records":[{"category":"kube-audit","resourceId":"/a/b","properties":{"log":"{\"verb\":\"get\",\"user\":{"}}]}"#,
    r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"kvlistValue":{"values":[{"key":"a","value":{"intValue":"1"}}]}}}]}]}]}"#,
    r#"{"event":{"verb":"get"},"host":"h"}{"event":"text","time":1.5}"#,
    r#"{"insertId":"i","protoPayload":{"serviceName":"k8s.io","methodName":"io.k8s.core.v1.pods.get","resourceName":"core/v1/pods","status":{"code":7}}}"#,
];

/// Bodies that are nearly right.
fn near() -> impl Strategy<Value = String> {
    let index = any::<prop::sample::Index>;
    (prop::sample::select(SEEDS.to_vec()), index(), index(), ".{0,4}").prop_map(|(seed, start, end, put)| {
        let (a, b) = (start.index(seed.len() + 1), end.index(seed.len() + 1));
        let (a, b) = (a.min(b), a.max(b));
        format!("{}{put}{}", &seed[..a], &seed[b..])
    })
}

proptest! {
    #[test]
    fn bytes(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        all(&body);
    }

    #[test]
    fn bodies_that_are_nearly_right(body in near()) {
        all(body.as_bytes());
    }
}

#[test]
fn deep_bodies_are_bounded() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        all(format!("{}1{}", open.repeat(100_000), close.repeat(100_000)).as_bytes());
    }
}
