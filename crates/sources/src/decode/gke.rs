//! GKE's audit log, as Cloud Logging writes it and Pub/Sub delivers it.
//!
//! A log entry gives two events: the native one as it came, and the same as an audit.k8s.io/v1 event, marked as rebuilt:
//! groups and stage are lost on the way.

use std::io::Read;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use masthead_event::{Envelope, Reason};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::{Item, Told, Undecodable, count, push, whole};
use crate::Delivery;

/// What a push request says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PubsubBody {
    /// The message's id.
    pub message_id: String,
    /// The subscription (`projects/P/subscriptions/S`).
    pub subscription: String,
    /// How often it was delivered, if it is told.
    pub attempt: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Push {
    message: Message,
    #[serde(default)]
    subscription: String,
    delivery_attempt: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    #[serde(default)]
    data: String,
    #[serde(default, alias = "message_id")]
    message_id: String,
}

/// Reads a push request, wrapped, or the payload alone.
///
/// # Errors
/// When it is neither.
pub fn pubsub(body: &mut dyn Read, told: &Told, out: &mut Delivery) -> Result<PubsubBody, Undecodable> {
    let bytes = whole(body)?;
    if let Ok(push) = serde_json::from_slice::<Push>(&bytes) {
        let data = STANDARD.decode(push.message.data.as_bytes());
        match data {
            Ok(data) => gke_entry(&data, told, out),
            Err(_) => count(out, Reason::BadEnvelope, 1),
        }
        return Ok(PubsubBody {
            message_id: push.message.message_id,
            subscription: push.subscription,
            attempt: push.delivery_attempt,
        });
    }
    match serde_json::from_slice::<Map<String, Json>>(&bytes) {
        Ok(entry) if entry.contains_key("protoPayload") || entry.contains_key("logName") => {
            gke_entry(&bytes, told, out);
            Ok(PubsubBody::default())
        }
        _ => Err(Undecodable::Form("this is neither a push request of Pub/Sub nor a log entry".to_owned())),
    }
}

/// Takes one log entry.
pub fn gke_entry(entry: &[u8], told: &Told, out: &mut Delivery) {
    let Ok(read) = serde_json::from_slice::<Json>(entry) else { return count(out, Reason::NotJson, 1) };
    let labels = &read["resource"]["labels"];
    let own = |value: &Json| value.as_str().map(Arc::<str>::from);
    let cluster = told.cluster.clone().or_else(|| own(&labels["cluster_name"]));
    let account = own(&labels["project_id"]);
    let id = read["insertId"].as_str();
    let native = Arc::new(Envelope {
        source: "pubsub".into(),
        sourcetype: "google:gcp:pubsub:message".into(),
        log_type: Some("GCP.AuditLog".into()),
        cluster: cluster.clone(),
        account: account.clone(),
        ..Envelope::default()
    });
    let item = Item { record: 1, id, ..Item::default() };
    push(out, &native, entry, item);
    if read["protoPayload"]["serviceName"] != "k8s.io" {
        return count(out, Reason::NotAudit, 1);
    }
    let canonical = Arc::new(Envelope { log_type: told.log_type.clone(), cluster, account, ..Envelope::raw() });
    if let Ok(raw) = serde_json::to_vec(&rebuilt(&read)) {
        push(out, &canonical, &raw, item);
    }
}

/// The entry as an audit event.
fn rebuilt(entry: &Json) -> Json {
    let payload = &entry["protoPayload"];
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let verb = text(&payload["methodName"]).rsplit('.').next().unwrap_or_default().to_owned();
    let resource = text(&payload["resourceName"]);
    let metadata = &payload["requestMetadata"];
    let received = text(&entry["timestamp"]);
    let staged = entry["receiveTimestamp"].as_str().map_or_else(|| received.clone(), str::to_owned);
    let mut annotations = Map::new();
    annotations.insert("masthead.io/rebuilt".to_owned(), json!("gke"));
    for (name, value) in entry["labels"].as_object().into_iter().flatten() {
        annotations.insert(name.clone(), value.clone());
    }
    let id = entry["insertId"].as_str().or(entry["operation"]["id"].as_str()).unwrap_or_default();
    let place = Place::of(&resource);
    let mut event = json!({
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": if payload["request"].is_object() { "RequestResponse" } else { "Metadata" },
        "auditID": id,
        "stage": "ResponseComplete",
        "requestURI": place.uri(),
        "verb": verb,
        "user": {"username": payload["authenticationInfo"]["principalEmail"]},
        "sourceIPs": metadata["callerIp"].as_str().map(|ip| vec![ip]).unwrap_or_default(),
        "userAgent": metadata["callerSuppliedUserAgent"],
        "objectRef": place.object(),
        "responseStatus": {"code": code(payload, &verb, &place)},
        "requestReceivedTimestamp": received,
        "stageTimestamp": staged,
        "annotations": annotations,
    });
    if let Some(message) = payload["status"]["message"].as_str() {
        event["responseStatus"]["message"] = json!(message);
    }
    for (from, to) in [("request", "requestObject"), ("response", "responseObject")] {
        if payload[from].is_object() {
            event[to] = payload[from].clone();
        }
    }
    event
}

/// The status: gRPC's code in terms of HTTP. What was not granted was refused, whatever else is said.
fn code(payload: &Json, verb: &str, place: &Place<'_>) -> u16 {
    let refused = |entry: &Json| entry["granted"] == Json::Bool(false);
    if payload["authorizationInfo"].as_array().is_some_and(|entries| entries.iter().any(refused)) {
        return 403;
    }
    match payload["status"]["code"].as_i64().unwrap_or(0) {
        0 if matches!(place.subresource.as_str(), "exec" | "attach" | "portforward") => 101,
        0 if verb == "create" => 201,
        0 => 200,
        3 => 400,
        5 => 404,
        6 => 409,
        7 => 403,
        8 => 429,
        9 => 412,
        12 => 501,
        14 => 503,
        16 => 401,
        _ => 500,
    }
}

/// What a resource name says: `GROUP/VERSION/[namespaces/NS/]RESOURCE[/NAME[/SUBRESOURCE]]`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Place<'a> {
    group: &'a str,
    version: &'a str,
    namespace: &'a str,
    resource: &'a str,
    name: &'a str,
    subresource: String,
}

impl<'a> Place<'a> {
    fn of(resource: &'a str) -> Place<'a> {
        let parts: Vec<&str> = resource.split('/').filter(|part| !part.is_empty()).collect();
        let part = |at: usize| parts.get(at).copied().unwrap_or_default();
        let (group, version) = (part(0), part(1));
        let group = if group == "core" { "" } else { group };
        let rest = |from: usize| parts.get(from..).map(|rest| rest.join("/")).unwrap_or_default();
        if part(2) == "namespaces" && parts.len() > 4 {
            return Place {
                group,
                version,
                namespace: part(3),
                resource: part(4),
                name: part(5),
                subresource: rest(6),
            };
        }
        let namespace = if part(2) == "namespaces" { part(3) } else { "" };
        Place { group, version, namespace, resource: part(2), name: part(3), subresource: rest(4) }
    }

    fn uri(&self) -> String {
        let mut uri = match (self.group, self.version) {
            (_, "") => return String::new(),
            ("", version) => format!("/api/{version}"),
            (group, version) => format!("/apis/{group}/{version}"),
        };
        let namespaced = !self.namespace.is_empty() && self.resource != "namespaces";
        if namespaced {
            uri.push_str(&format!("/namespaces/{}", self.namespace));
        }
        for part in [self.resource, self.name, &self.subresource] {
            if !part.is_empty() {
                uri.push('/');
                uri.push_str(part);
            }
        }
        uri
    }

    fn object(&self) -> Json {
        let mut object = Map::new();
        let members = [
            ("resource", self.resource),
            ("namespace", self.namespace),
            ("name", self.name),
            ("apiGroup", self.group),
            ("apiVersion", self.version),
            ("subresource", &self.subresource),
        ];
        for (name, value) in members {
            if !value.is_empty() {
                object.insert(name.to_owned(), json!(value));
            }
        }
        Json::Object(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(method: &str, resource: &str, more: Json) -> Json {
        let mut entry = json!({
            "insertId": "i1", "timestamp": "2026-11-20T10:00:00.123Z", "receiveTimestamp": "2026-11-20T10:00:01Z",
            "resource": {"type": "k8s_cluster", "labels": {"cluster_name": "prod", "project_id": "p"}},
            "labels": {"authorization.k8s.io/decision": "allow"},
            "protoPayload": {"serviceName": "k8s.io", "methodName": method, "resourceName": resource,
                "authenticationInfo": {"principalEmail": "eve@example.com"},
                "requestMetadata": {"callerIp": "192.0.2.1", "callerSuppliedUserAgent": "kubectl"},
                "authorizationInfo": [{"granted": true}]},
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            entry["protoPayload"][name] = value.clone();
        }
        entry
    }

    fn events(entry: &Json) -> Vec<(Arc<Envelope>, Json)> {
        let mut out = Delivery::new("pubsub");
        gke_entry(entry.to_string().as_bytes(), &Told::default(), &mut out);
        out.batch.iter().map(|(e, _)| (e.envelope.clone(), serde_json::from_slice(e.raw).unwrap())).collect()
    }

    #[test]
    fn an_entry_is_given_natively_and_as_an_audit_event() {
        let entry =
            entry("io.k8s.core.v1.pods.exec.create", "core/v1/namespaces/ns/pods/web/exec", json!({"status": {}}));
        let found = events(&entry);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].0.log_type.as_deref(), Some("GCP.AuditLog"));
        assert_eq!(found[0].1, entry);
        let (envelope, event) = &found[1];
        assert_eq!((envelope.cluster.as_deref(), &*envelope.source), (Some("prod"), "kubernetes"));
        assert_eq!(event["verb"], "create");
        assert_eq!(event["auditID"], "i1");
        assert_eq!(event["user"]["username"], "eve@example.com");
        assert_eq!(event["sourceIPs"], json!(["192.0.2.1"]));
        assert_eq!(event["responseStatus"]["code"], 101);
        assert_eq!(event["requestURI"], "/api/v1/namespaces/ns/pods/web/exec");
        assert_eq!(event["annotations"]["masthead.io/rebuilt"], "gke");
        let object =
            json!({"resource": "pods", "namespace": "ns", "name": "web", "apiVersion": "v1", "subresource": "exec"});
        assert_eq!(event["objectRef"], object);
    }

    #[test]
    fn a_call_that_was_not_granted_is_never_shown_as_a_success() {
        for (more, code) in [
            (json!({"authorizationInfo": [{"granted": false}]}), 403),
            (json!({"authorizationInfo": [{"granted": true}, {"granted": false}], "status": {"code": 0}}), 403),
            (json!({"status": {"code": 7, "message": "forbidden"}}), 403),
            (json!({"status": {"code": 16}}), 401),
            (json!({"status": {"code": 5}}), 404),
            (json!({"status": {"code": 6}}), 409),
            (json!({"status": {"code": 99}}), 500),
            (json!({"status": {}}), 200),
        ] {
            let entry = entry("io.k8s.core.v1.secrets.list", "core/v1/namespaces/ns/secrets", more.clone());
            assert_eq!(events(&entry)[1].1["responseStatus"]["code"], code, "{more}");
        }
        let created = entry("io.k8s.apps.v1.deployments.create", "apps/v1/namespaces/ns/deployments/d", json!({}));
        assert_eq!(events(&created)[1].1["responseStatus"]["code"], 201);
    }

    #[test]
    fn resource_names_of_any_length() {
        for (name, uri) in [
            ("core/v1/nodes", "/api/v1/nodes"),
            ("core/v1/nodes/n", "/api/v1/nodes/n"),
            ("core/v1/nodes/n/proxy", "/api/v1/nodes/n/proxy"),
            ("core/v1/namespaces/ns", "/api/v1/namespaces/ns"),
            ("core/v1/namespaces/ns/pods", "/api/v1/namespaces/ns/pods"),
            ("rbac.authorization.k8s.io/v1/clusterroles/c", "/apis/rbac.authorization.k8s.io/v1/clusterroles/c"),
            ("apps/v1/namespaces/ns/deployments/d/scale", "/apis/apps/v1/namespaces/ns/deployments/d/scale"),
            ("", ""),
            ("core", ""),
        ] {
            assert_eq!(Place::of(name).uri(), uri, "{name}");
        }
    }

    #[test]
    fn a_push_request_is_wrapped_or_not() {
        let entry = entry("io.k8s.core.v1.pods.list", "core/v1/pods", json!({})).to_string();
        let wrapped = json!({"message": {"data": STANDARD.encode(&entry), "messageId": "7"}, "subscription": "s"});
        for (body, id) in [(wrapped.to_string(), "7"), (entry, "")] {
            let mut out = Delivery::new("pubsub");
            let read = pubsub(&mut body.as_bytes(), &Told::default(), &mut out).unwrap();
            assert_eq!((read.message_id.as_str(), out.batch.len()), (id, 2));
        }
        assert!(pubsub(&mut &b"{}"[..], &Told::default(), &mut Delivery::new("pubsub")).is_err());
    }
}
