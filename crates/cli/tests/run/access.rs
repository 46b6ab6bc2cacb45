//! Who may do what.

use crate::server::{Folder, Server, event, request};

#[test]
fn tokens_allow_what_their_scope_says() {
    let folder = Folder::new();
    folder.rule("deletes", "verb=delete | table user.username");
    folder.write("secret", "from-the-file\n");
    let config = "[rules]\npaths = [\"rules\"]\n[[ingest.token]]\nname = \"a\"\nsecret = { file = \"secret\" }\ncluster = \"own\"\nhec_ack = true\n";
    folder.write("m.toml", config);
    let server = Server::start(&folder, &["-c", "m.toml"]);
    let mint = |scope: &str| {
        let (code, out, err) = folder.masthead(&["token", "create", "t", "--scope", scope, "-c", "m.toml"]);
        assert_eq!(code, 0, "{err}");
        format!("Bearer {}", out.trim())
    };
    let (ingest, read, write) = (mint("ingest"), mint("read"), mint("write"));
    let audit = "/k8s/audit/other";
    let with = |value: &str| vec![("authorization".to_owned(), value.to_owned())];
    let post = |value: &str, path: &str, body: String| {
        let headers = with(value);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        server.post(path, &headers, body)
    };
    assert_eq!(server.post(audit, &[], event("x", "delete")).0, 401);
    assert_eq!(post("Bearer wrong", audit, event("x", "delete")).0, 401);
    assert_eq!(post(&read, audit, event("x", "delete")).0, 401);
    assert_eq!(post(&ingest, audit, event("a", "delete")).0, 200);
    assert_eq!(post("Bearer from-the-file", audit, event("b", "delete")).0, 200);
    let hec = "/services/collector/event";
    let packet = format!("{{\"event\":{}}}", event("c", "delete"));
    assert_eq!(server.post(hec, &[], packet.clone()), (401, r#"{"code":2,"text":"Token is required"}"#.to_owned()));
    assert_eq!(post("Splunk wrong", hec, packet.clone()).0, 403);
    assert_eq!(
        post("Splunk from-the-file", hec, packet.clone()),
        (400, r#"{"code":10,"text":"Data channel is missing"}"#.to_owned())
    );
    let channel = "?channel=0a-1b";
    let (status, text) = post("Splunk from-the-file", &format!("{hec}{channel}"), packet);
    assert_eq!((status, text.as_str()), (200, r#"{"ackId":0,"code":0,"text":"Success"}"#));
    let ask = |ids: &str| {
        post("Splunk from-the-file", &format!("/services/collector/ack{channel}"), format!("{{\"acks\":[{ids}]}}")).1
    };
    assert_eq!(ask("0,1"), r#"{"acks":{"0":true,"1":false}}"#);
    assert_eq!(ask("0"), r#"{"acks":{"0":false}}"#);

    server.until("all are found", |_| folder.findings_of("m.toml").len() >= 3);
    let clusters: Vec<String> =
        folder.findings_of("m.toml").iter().map(|f| format!("{}{}", f["audit_ids"][0], f["cluster"])).collect();
    // Who is known for one cluster cannot speak for another.
    for expected in ["\"a\"\"other\"", "\"b\"\"own\"", "\"c\"\"own\""] {
        assert!(clusters.iter().any(|found| found == expected), "{expected}: {clusters:?}");
    }

    let api = server.url("/api/v1/findings");
    let id = folder.findings_of("m.toml")[0]["finding_id"].as_str().unwrap().to_owned();
    let ask = |method: &str, path: &str, token: &str, body: &str| {
        let headers = [("authorization", token), ("content-type", "application/json")];
        request(method, &format!("{api}{path}"), &headers, body.as_bytes().to_vec()).0
    };
    assert_eq!(request("GET", &api, &[], Vec::new()).0, 401);
    assert_eq!(
        [ask("GET", "", &read, ""), ask("GET", "", &ingest, ""), ask("GET", "?severity=nothing", &read, "")],
        [200, 403, 400]
    );
    let change = r#"{"status":"acknowledged","assignee":"ann"}"#;
    let path = format!("/{id}");
    assert_eq!([ask("PATCH", &path, &read, change), ask("PATCH", &path, &write, change)], [403, 200]);
    assert_eq!(
        [ask("PATCH", &path, &write, r#"{"status":"gone"}"#), ask("PATCH", "/none", &write, change)],
        [400, 404]
    );
    assert_eq!(ask("GET", "/none", &read, ""), 404);
}

impl Folder {
    pub(crate) fn findings_of(&self, config: &str) -> Vec<serde_json::Value> {
        let (code, out, err) = self.masthead(&["findings", "list", "-f", "jsonl", "-c", config]);
        assert_eq!(code, 0, "{err}");
        let all = out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        all.filter(|finding| finding["rule"]["dialect"] != "masthead").collect()
    }
}
