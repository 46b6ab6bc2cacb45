//! Killed at any instant, it loses nothing that it has acknowledged and finds nothing twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::server::{Folder, Server, event, ids_of, request, wait};

/// How often it is killed; the whole test is bounded by time, too.
const KILLS: usize = 50;
const BOUND: Duration = Duration::from_secs(100);
/// Events of one batch.
const BATCH: usize = 5;

/// Posts numbered batches until it is told to stop, and gives the ids of the events that were acknowledged.
fn write(url: &str, first: usize, stop: &AtomicBool) -> (Vec<String>, usize) {
    let mut acknowledged = Vec::new();
    let mut number = first;
    while !stop.load(Ordering::Relaxed) {
        let ids: Vec<String> = (0..BATCH).map(|event| format!("{number:06}-{event}")).collect();
        let events: Vec<String> = ids.iter().map(|id| event(id, "delete")).collect();
        let body = format!(r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{}]}}"#, events.join(","));
        if request("POST", url, &[], body.into_bytes()).0 == 200 {
            acknowledged.extend(ids);
        }
        number += 1;
    }
    (acknowledged, number)
}

#[test]
fn every_acknowledged_event_is_found_once_after_fifty_kills() {
    let folder = Folder::new();
    folder.rule("each", "verb=delete | table objectRef.name");
    folder.rule("together", "verb=delete | stats dc(objectRef.name) as names by user.username");
    let (mut acknowledged, mut number) = (BTreeSet::new(), 0);
    let start = Instant::now();
    let mut dice = 7_u64;
    let mut kills = 0;
    while kills < KILLS && start.elapsed() < BOUND {
        let server = Server::start(&folder, &["-r", "rules"]);
        let (url, stop) = (server.url("/k8s/audit/prod"), Arc::new(AtomicBool::new(false)));
        let (own, first) = (stop.clone(), number);
        let writer = std::thread::spawn(move || write(&url, first, &own));
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_millis((dice >> 33) % 400));
        server.kill();
        stop.store(true, Ordering::Relaxed);
        let (ids, next) = writer.join().unwrap();
        acknowledged.extend(ids);
        number = next;
        kills += 1;
    }
    assert!(kills >= 10 && acknowledged.len() > 100, "{kills} kills, {} events", acknowledged.len());
    let server = Server::start(&folder, &["-r", "rules"]);
    wait("the queue is empty", || server.json("/api/v1/status")["queue"]["batches"] == 0);
    assert_eq!(server.stop(), 0);

    let findings = all(&folder);
    let found = ids_of(&findings, "each");
    let once: BTreeSet<String> = found.iter().cloned().collect();
    assert_eq!(found.len(), once.len(), "an event was found twice");
    let lost: Vec<&String> = acknowledged.difference(&once).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged events are lost: {lost:?}", lost.len(), acknowledged.len());
    // An event may be on the disk whose acknowledgement did not get through; it counts as well as the others.
    let together: Vec<u64> = findings
        .iter()
        .filter(|finding| finding["rule"]["id"] == "together")
        .map(|finding| finding["fields"]["names"].as_u64().unwrap())
        .collect();
    assert_eq!(together, [once.len() as u64], "the window must hold each event once");
}

/// All findings, page by page.
fn all(folder: &Folder) -> Vec<serde_json::Value> {
    let server = Server::start(folder, &["-r", "rules"]);
    let mut findings = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.json(&format!("/api/v1/findings?limit=1000{cursor}"));
        findings.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return findings,
        }
    }
}
