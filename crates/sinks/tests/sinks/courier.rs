//! From the outbox to the sinks.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use masthead_ir::finding::Finding;
use masthead_ir::rule::Severity;
use masthead_sinks::{Courier, CourierOptions, Outbox, Outgoing, SinkCounts};
use serde_json::Value as Json;

use crate::server::{Answer, PATIENCE, Server, until};
use crate::{finding, sinks};

/// An outbox in memory.
#[derive(Default)]
struct Memory {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What waits, by number: sink, finding, when it is due.
    waiting: BTreeMap<i64, (String, Outgoing, i64)>,
    sent: Vec<i64>,
    dead: Vec<(i64, String)>,
    /// When findings were put off to, and the error.
    put_off: Vec<(i64, i64, String)>,
    /// How many calls of `sent` fail before one works.
    sent_fails: u32,
}

impl Memory {
    fn put(&self, sink: &str, id: i64, finding: Finding) {
        let queued_at = jiff::Timestamp::now().as_millisecond();
        let outgoing = Outgoing { id, finding, attempts: 0, queued_at };
        self.state.lock().unwrap().waiting.insert(id, (sink.to_owned(), outgoing, 0));
    }

    fn sent_ids(&self) -> Vec<i64> {
        let mut ids = self.state.lock().unwrap().sent.clone();
        ids.sort_unstable();
        ids
    }

    fn is_empty(&self) -> bool {
        self.state.lock().unwrap().waiting.is_empty()
    }
}

impl Outbox for Memory {
    fn due<'a>(&'a self, sink: &'a str, now: i64, limit: u32) -> BoxFuture<'a, Result<Vec<Outgoing>, String>> {
        let state = self.state.lock().unwrap();
        let due = state.waiting.values().filter(|(to, _, at)| to == sink && *at <= now);
        let due = due.take(limit as usize).map(|(_, outgoing, _)| outgoing.clone()).collect();
        async move { Ok(due) }.boxed()
    }

    fn sent<'a>(&'a self, ids: &'a [i64]) -> BoxFuture<'a, Result<(), String>> {
        let mut state = self.state.lock().unwrap();
        if state.sent_fails > 0 {
            state.sent_fails -= 1;
            return async { Err("the database is away".to_owned()) }.boxed();
        }
        for id in ids {
            state.waiting.remove(id).unwrap();
            state.sent.push(*id);
        }
        async { Ok(()) }.boxed()
    }

    fn retry_later<'a>(&'a self, id: i64, at: i64, error: &'a str) -> BoxFuture<'a, Result<(), String>> {
        let mut state = self.state.lock().unwrap();
        state.put_off.push((id, at, error.to_owned()));
        let (_, outgoing, due) = state.waiting.get_mut(&id).unwrap();
        outgoing.attempts += 1;
        *due = at;
        async { Ok(()) }.boxed()
    }

    fn dead<'a>(&'a self, id: i64, error: &'a str) -> BoxFuture<'a, Result<(), String>> {
        let mut state = self.state.lock().unwrap();
        state.waiting.remove(&id).unwrap();
        state.dead.push((id, error.to_owned()));
        async { Ok(()) }.boxed()
    }
}

/// Quick ones, so that tests need not wait.
fn options() -> CourierOptions {
    CourierOptions {
        poll: Duration::from_millis(20),
        first_retry: Duration::from_millis(20),
        longest_retry: Duration::from_millis(100),
        ..CourierOptions::default()
    }
}

fn start(toml: &str, outbox: &Arc<Memory>, options: CourierOptions) -> Courier {
    Courier::start(Arc::new(sinks(toml)), Arc::clone(outbox) as Arc<dyn Outbox>, options)
}

fn hook(name: &str, server: &Server) -> String {
    format!("[sinks.{name}]\ntype = 'webhook'\nurl = '{}'\n", server.url(&format!("/{name}")))
}

fn ids(body: &Json) -> Vec<String> {
    body["findings"].as_array().unwrap().iter().map(|f| f["finding_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_fails_comes_again_with_the_same_key() {
    let server = Server::start([Answer::Status(500), Answer::Status(503)]).await;
    let outbox = Arc::new(Memory::default());
    outbox.put("it", 1, finding("id-1"));
    let courier = start(&hook("it", &server), &outbox, options());
    until("delivery", || outbox.is_empty()).await;
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| request.header("idempotency-key") == Some("id-1")));
    until("counts", || courier.counts()["it"].sent == 1).await;
    let expected = SinkCounts { sent: 1, messages: 1, failed: 2, dead: 0, last_error: None };
    assert_eq!(courier.counts()["it"], expected);
    assert_eq!(outbox.state.lock().unwrap().put_off[0].2, "answered 500 Internal Server Error");
    courier.stop().await;
}

#[tokio::test]
async fn retry_after_is_kept() {
    let answer = || Answer::Full(429, vec![("retry-after", "2".to_owned())], String::new());
    let server = Server::start([answer()]).await;
    let outbox = Arc::new(Memory::default());
    outbox.put("it", 1, finding("id-1"));
    outbox.put("it", 2, finding("id-2"));
    let before = jiff::Timestamp::now().as_millisecond();
    let courier = start(&hook("it", &server), &outbox, options());
    until("delivery", || outbox.is_empty()).await;
    let after = jiff::Timestamp::now().as_millisecond();
    // The other one was not even tried before the time was over.
    assert!(after - before >= 2000, "{} ms", after - before);
    assert_eq!(server.requests().len(), 3);
    let put_off = outbox.state.lock().unwrap().put_off.clone();
    assert_eq!(put_off.len(), 1);
    assert!(put_off[0].1 - before >= 2000);
    courier.stop().await;
}

#[tokio::test]
async fn a_sink_that_hangs_holds_up_no_other() {
    let hanging = Server::by_rule(|_| Some(Answer::Hang)).await;
    let fine = Server::start([]).await;
    let outbox = Arc::new(Memory::default());
    let courier = start(&(hook("a", &hanging) + &hook("b", &fine)), &outbox, options());
    for id in 0..20 {
        outbox.put(if id % 2 == 0 { "a" } else { "b" }, id, finding(&id.to_string()));
    }
    courier.nudge();
    hanging.wait_for(1).await;
    fine.wait_for(10).await;
    until("the others", || outbox.sent_ids() == [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]).await;
    assert_eq!(hanging.requests().len(), 1);
    assert_eq!(courier.counts()["a"], SinkCounts::default());
}

#[tokio::test]
async fn what_is_refused_for_good_is_a_dead_letter() {
    let server = Server::by_rule(|request| {
        let bad = request.body.windows(6).any(|part| part == b"poison");
        bad.then(|| Answer::Full(400, vec![], "no such field".to_owned()))
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let letters = folder.path().join("dead.jsonl");
    let outbox = Arc::new(Memory::default());
    for id in 0..8 {
        outbox.put("it", id, finding(&if id == 5 { "poison".to_owned() } else { format!("id-{id}") }));
    }
    // All of them go as one message at first.
    let toml = hook("it", &server) + "[[route]]\nsinks = ['it']\ngroup_by = []\ngroup_wait_seconds = 0";
    let courier = start(&toml, &outbox, CourierOptions { dead_letters: Some(letters.clone()), ..options() });
    until("delivery", || outbox.is_empty()).await;
    assert_eq!(outbox.sent_ids(), [0, 1, 2, 3, 4, 6, 7]);
    let error = "answered 400 Bad Request: no such field";
    assert_eq!(outbox.state.lock().unwrap().dead, [(5, error.to_owned())]);
    let letter = only_line(&letters);
    assert_eq!((&letter["sink"], &letter["attempts"], &letter["error"]), (&"it".into(), &1.into(), &error.into()));
    assert_eq!(serde_json::from_value::<Finding>(letter["finding"].clone()).unwrap(), finding("poison"));
    letter["time"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let counts = courier.counts()["it"].clone();
    assert_eq!((counts.sent, counts.dead), (7, 1));
    // 8, halves of 4, of 2, of 1.
    assert_eq!(ids(&server.requests()[0].json()).len(), 8);
    assert_eq!(server.requests().len(), 7);
    courier.stop().await;
}

fn only_line(path: &Path) -> Json {
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn a_finding_is_given_up_after_its_tries_and_its_time() {
    let server = Server::by_rule(|_| Some(Answer::Status(502))).await;
    let outbox = Arc::new(Memory::default());
    outbox.put("it", 1, finding("young"));
    outbox.put("it", 2, finding("old"));
    let hour = 3_600_000;
    outbox.state.lock().unwrap().waiting.get_mut(&2).unwrap().1.queued_at -= hour;
    let options = CourierOptions { max_attempts: 3, max_age: Duration::from_secs(3600), ..options() };
    let courier = start(&hook("it", &server), &outbox, options);
    until("many tries", || outbox.state.lock().unwrap().put_off.len() >= 7).await;
    courier.stop().await;
    let state = outbox.state.lock().unwrap();
    assert_eq!(state.dead, [(2, "answered 502 Bad Gateway".to_owned())]);
    let tries = |id: i64| state.put_off.iter().filter(|(other, _, _)| *other == id).count();
    assert_eq!(tries(2), 2);
    assert!(tries(1) >= 5 && state.waiting.contains_key(&1));
}

#[tokio::test]
async fn equal_findings_are_one_message() {
    let server = Server::start([]).await;
    let outbox = Arc::new(Memory::default());
    let toml =
        hook("it", &server) + "[[route]]\nsinks = ['it']\ngroup_by = ['rule', 'severity']\ngroup_wait_seconds = 1";
    let courier = start(&toml, &outbox, options());
    for id in 0..6 {
        let mut finding = finding(&format!("id-{id}"));
        finding.rule.id = if id % 2 == 0 { "even" } else { "odd" }.to_owned();
        finding.severity = if id == 4 { Severity::Critical } else { Severity::Low };
        outbox.put("it", id, finding);
        courier.nudge();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    until("delivery", || outbox.is_empty()).await;
    let mut messages: Vec<Vec<String>> = server.requests().iter().map(|request| ids(&request.json())).collect();
    messages.sort();
    assert_eq!(messages, [vec!["id-0", "id-2"], vec!["id-1", "id-3", "id-5"], vec!["id-4"]]);
    courier.stop().await;
}

#[tokio::test]
async fn what_is_over_the_rate_is_summed_up() {
    let server = Server::start([]).await;
    let outbox = Arc::new(Memory::default());
    for id in 0..107 {
        outbox.put("chat", id, finding(&id.to_string()));
    }
    let toml = format!(
        "[sinks.chat]\ntype = 'slack'\nurl = '{}'\n[[route]]\nsinks = ['chat']\nrate_per_minute = 60",
        server.url("/")
    );
    let courier = start(&toml, &outbox, options());
    until("delivery", || outbox.is_empty()).await;
    courier.stop().await;
    let requests = server.requests();
    // As many as a minute may have at once, and those that became due while they were sent; then the rest in one.
    assert!((61..107).contains(&requests.len()), "{}", requests.len());
    let last = requests.last().unwrap().json();
    let left = 107 - (requests.len() - 1);
    assert_eq!(last["text"], format!("HIGH: {left} findings: Exec &lt;into&gt; a pod"));
    let context =
        last["blocks"].as_array().unwrap().last().unwrap()["elements"][0]["text"].as_str().unwrap().to_owned();
    assert_eq!(context, format!("and {} more", left - 10));
}

#[tokio::test]
async fn files_take_all_that_is_due_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    let outbox = Arc::new(Memory::default());
    for id in 0..50 {
        outbox.put("file", id, finding(&id.to_string()));
    }
    let toml = format!("[sinks.file]\ntype = 'file'\npath = '{}'", path.display());
    let courier = start(&toml, &outbox, options());
    until("delivery", || outbox.is_empty()).await;
    until("counts", || courier.counts()["file"].sent == 50).await;
    assert_eq!(courier.counts()["file"].messages, 1);
    assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), 50);
    courier.stop().await;
}

#[tokio::test]
async fn nothing_is_sent_twice_because_the_outbox_cannot_be_written() {
    let server = Server::start([]).await;
    let outbox = Arc::new(Memory::default());
    outbox.state.lock().unwrap().sent_fails = 5;
    outbox.put("it", 1, finding("id-1"));
    outbox.put("it", 2, finding("id-2"));
    let courier = start(&hook("it", &server), &outbox, options());
    until("delivery", || outbox.is_empty()).await;
    assert_eq!(server.requests().len(), 2);
    courier.stop().await;
}

#[tokio::test]
async fn stopping_waits_for_what_is_under_way_and_no_longer() {
    let server = Server::by_rule(|_| Some(Answer::Hang)).await;
    let outbox = Arc::new(Memory::default());
    outbox.put("it", 1, finding("id-1"));
    let options = CourierOptions { stop_wait: Duration::from_millis(50), ..options() };
    let courier = start(&hook("it", &server), &outbox, options);
    server.wait_for(1).await;
    tokio::time::timeout(PATIENCE, courier.stop()).await.unwrap();
    assert!(!outbox.is_empty());
    // With nothing under way it ends at once, whatever the wait.
    let outbox = Arc::new(Memory::default());
    let idle =
        CourierOptions { poll: Duration::from_secs(3600), stop_wait: PATIENCE * 10, ..CourierOptions::default() };
    let courier = start(&hook("it", &server), &outbox, idle);
    tokio::time::timeout(PATIENCE, courier.stop()).await.unwrap();
}
