//! How much a policy would log.

use masthead_policy::{Estimate, Sample};
use serde_json::json;

use crate::{MIXED, policy};

fn sample(verb: &str, resource: &str, level: &str, at: &str, bodies: bool) -> Sample {
    let mut event = json!({
        "verb": verb, "stage": "ResponseComplete", "level": level, "stageTimestamp": at,
        "user": {"username": "jane"}, "objectRef": {"resource": resource, "namespace": "a"},
        "requestURI": "/api/v1/namespaces/a/x",
    });
    if bodies {
        event["requestObject"] = json!({"a": 1});
        event["responseObject"] = json!({"b": [1, 2]});
    }
    Sample::from_audit(&event, 1000).unwrap()
}

#[test]
fn every_event_counts_with_the_bodies_that_the_policy_would_log() {
    let policy = policy(MIXED);
    let mut estimate = Estimate::new(&policy);
    let whole = sample("create", "pods", "RequestResponse", "2026-01-01T00:00:00Z", true);
    let (request, response) = (whole.request_object.unwrap(), whole.response_object.unwrap());
    assert_eq!(
        (request, response),
        (r#","requestObject":{"a":1}"#.len() as u64, r#","responseObject":{"b":[1,2]}"#.len() as u64)
    );
    estimate.add(&whole);
    estimate.add(&sample("create", "secrets", "RequestResponse", "2026-01-01T06:00:00Z", true));
    estimate.add(&sample("get", "pods", "RequestResponse", "2026-01-01T06:00:00Z", true));
    let forecast = estimate.finish();
    assert_eq!((forecast.read, forecast.events, forecast.unknown_bodies), (3, 3, 0));
    assert_eq!(forecast.bytes, 3000 - request - response - response);
    assert_eq!(forecast.events_per_day, Some(12.0));
}

#[test]
fn bodies_that_the_log_lacks_are_counted() {
    let policy = policy(MIXED);
    let mut estimate = Estimate::new(&policy);
    estimate.add(&sample("create", "pods", "Metadata", "", false));
    estimate.add(&sample("get", "pods", "Metadata", "", false));
    estimate.add(&sample("create", "secrets", "Metadata", "", false));
    estimate.add(&sample("create", "pods", "RequestResponse", "", false));
    let forecast = estimate.finish();
    assert_eq!((forecast.unknown_bodies, forecast.bytes), (2, 4000));
    assert_eq!((forecast.seconds, forecast.bytes_per_day), (0.0, None));
}
