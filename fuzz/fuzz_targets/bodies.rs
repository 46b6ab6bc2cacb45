//! Any bytes as the body of every protocol that the service takes. What becomes an event is not empty.
#![no_main]

use libfuzzer_sys::fuzz_target;
use masthead_sources::Delivery;
use masthead_sources::decode::{self, HecMetadata, Told};

fuzz_target!(|body: &[u8]| {
    let told = Told::default();
    let mut out = Delivery::new("fuzz");
    let _ = decode::audit(&mut &*body, &told, &mut out);
    let _ = decode::firehose(&mut &*body, &told, &mut out);
    let _ = decode::pubsub(&mut &*body, &told, &mut out);
    let _ = decode::azure(&mut &*body, &told, &mut out);
    let _ = decode::otlp_json(body, &told, &mut out);
    let _ = decode::otlp_protobuf(body, &told, &mut out);
    let _ = decode::hec_events(body, &told, &mut out);
    let _ = decode::hec_raw(body, &HecMetadata::default(), &told, &mut out);
    assert!(out.batch.iter().all(|(event, _)| !event.raw.is_empty()));
});
