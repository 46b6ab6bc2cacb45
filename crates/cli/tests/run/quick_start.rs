//! What somebody sees who starts it for the first time.

use std::time::Duration;

use crate::server::{Folder, PATIENCE, Server, event};

fn example() -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let log = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let log = log.into_iter().find(|path| path.to_string_lossy().contains(".jsonl")).unwrap();
    std::fs::read(log).unwrap()
}

#[test]
fn one_post_shows_the_finding_at_once_and_keeps_it() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let (status, text) = server.post("/k8s/audit/prod", &[], example());
    assert_eq!((status, text.as_str()), (200, ""));
    let line = server.out.recv_timeout(PATIENCE).unwrap();
    let finding: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(finding["cluster"], "prod");
    let id = finding["finding_id"].as_str().unwrap().to_owned();
    assert!(folder.findings().iter().any(|kept| kept["finding_id"] == *id));

    server.until("its events are counted", |server| server.events("webhook") > 0);
    let (code, status, err) = folder.masthead(&["status", "--server", &server.address]);
    assert_eq!(code, 0, "{err}");
    assert!(status.contains("webhook") && status.contains(" run, 0 refused, "), "{status}");
    let (_, metrics) = server.get("/metrics");
    assert!(metrics.contains("masthead_events_total{source=\"webhook\"}"), "{metrics}");
    assert_eq!(server.get("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(server.get("/readyz"), (200, "ready\n".to_owned()));
    assert_eq!(server.json("/api/v1/openapi.json")["openapi"].as_str().map(|v| &v[..2]), Some("3."));
    assert_eq!(server.stop(), 0);

    let (code, _, err) = folder.masthead(&["findings", "close", &id, "--verdict", "benign", "--reason", "a test"]);
    assert_eq!((code, err.contains("closed")), (0, true), "{err}");
    let (_, shown, _) = folder.masthead(&["findings", "show", &id]);
    assert!(shown.contains("\"status\": \"closed\"") && shown.contains("status closed as benign: a test"), "{shown}");
}

/// The API server repeats what it believes lost; a finding must not come twice.
#[test]
fn what_is_posted_twice_is_found_once_also_after_a_restart() {
    let folder = Folder::new();
    folder.rule("deletes", "verb=delete | table user.username objectRef.name");
    let body = format!("{}\n{}\n", event("a", "delete"), event("b", "delete"));
    for round in 0..2 {
        let server = Server::start(&folder, &["-r", "rules"]);
        for _ in 0..2 {
            assert_eq!(server.post("/k8s/audit/prod", &[], body.clone()).0, 200);
        }
        let doubles = |server: &Server| server.json("/api/v1/sources")["items"]["webhook"]["losses"]["double"].as_u64();
        server.until("doubles are counted", |server| doubles(server) == Some(if round == 0 { 2 } else { 4 }));
        assert_eq!(server.stop(), 0);
    }
    assert_eq!(folder.findings().len(), 3, "two findings, and one of the risk that they add up to");
}

#[test]
fn the_configuration_is_checked_with_place_and_nearest_name() {
    let folder = Folder::new();
    folder.write("bad.toml", "[server]\nlistn = \"127.0.0.1:1\"\n");
    let (code, _, err) = folder.masthead(&["config", "check", "bad.toml"]);
    assert_eq!(code, 1);
    assert!(err.contains("bad.toml:2:1: unknown key `listn`: did you mean `listen`?"), "{err}");
    assert_eq!(folder.masthead(&["run", "-c", "bad.toml"]).0, 2);
    let (code, default, _) = folder.masthead(&["config", "print-default"]);
    folder.write("good.toml", default);
    assert_eq!((code, folder.masthead(&["config", "check", "good.toml"]).0), (0, 0));
    let (code, _, err) = folder.masthead(&["run", "--listen", "0.0.0.0:0"]);
    assert_eq!((code, err.contains("--insecure")), (2, true), "{err}");
}

#[test]
fn files_are_followed_and_standard_input_is_read() {
    let folder = Folder::new();
    folder.rule("deletes", "verb=delete | table user.username objectRef.name");
    let log = folder.write("logs/audit.log", format!("{}\n", event("a", "delete")));
    let config =
        "[rules]\npaths = [\"rules\"]\n[[files]]\nname = \"audit\"\npaths = [\"logs/*.log\"]\ncluster = \"edge\"\n";
    folder.write("m.toml", config);
    let server = Server::start(&folder, &["-c", "m.toml"]);
    server.out.recv_timeout(PATIENCE).unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
    std::io::Write::write_all(&mut file, format!("{}\n", event("b", "delete")).as_bytes()).unwrap();
    let line = server.out.recv_timeout(PATIENCE).unwrap();
    assert!(line.contains("\"audit_ids\":[\"b\"]") && line.contains("\"cluster\":\"edge\""), "{line}");
    server.kill();
    // It goes on where it was.
    std::io::Write::write_all(&mut file, format!("{}\n", event("c", "delete")).as_bytes()).unwrap();
    let server = Server::start(&folder, &["-c", "m.toml"]);
    let line = server.out.recv_timeout(PATIENCE).unwrap();
    assert!(line.contains("\"audit_ids\":[\"c\"]"), "{line}");
    assert!(server.out.recv_timeout(Duration::from_millis(500)).is_err());
}
