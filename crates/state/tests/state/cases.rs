//! The cases, each with an empty database of its own.

use masthead_ir::finding::{Entity, Finding, RuleRef};
use masthead_ir::rule::{EntityRole, Kind, Severity};
use masthead_state::{
    Commit, FindingChange, FindingQuery, FindingWrite, RiskPolicy, RiskQuery, Scope, State, StateError, StoredFinding,
};
use serde_json::json;
use sqlx::Connection as _;

pub(crate) type Case = fn(&str);

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work)
}

pub(crate) const CASES: &[(&str, Case)] = &[
    ("a_finding_comes_back_as_it_was", comes_back),
    ("a_changed_finding_keeps_what_people_did", keeps),
    ("renames_take_everything_along", renames),
    ("everything_or_nothing_is_written", all_or_nothing),
    ("engine_state_is_of_its_node", engine_state),
    ("risk_adds_up_and_decays", risk),
    ("new_findings_alone_are_sent", outbox),
    ("lists_are_filtered", filters),
    ("pages_have_no_gaps_and_no_doubles", pages),
    ("changes_have_a_history", history),
    ("tokens", tokens),
    ("old_findings_go", expiry),
    ("many_writers_lose_nothing", writers),
    ("a_newer_schema_is_refused", newer),
];

const HOUR: i64 = 3_600_000_000;
/// 2026-11-20T12:00:00Z.
const NOON: i64 = 1_795_176_000_000_000;

fn time(micros: i64) -> Option<String> {
    Some(jiff::Timestamp::from_microsecond(micros).unwrap().to_string())
}

fn finding(id: &str, at: i64) -> Finding {
    Finding {
        finding_id: id.to_owned(),
        kind: Kind::Finding,
        rule: RuleRef {
            id: "r1".into(),
            name: "Rule One".into(),
            dialect: "splunk".into(),
            path: "rules/é.yml".into(),
        },
        severity: Severity::High,
        status: "new".into(),
        title: format!("title {id}"),
        message: "100% of _it_ 'quoted' \\ é".into(),
        first_seen: time(at - HOUR),
        last_seen: time(at),
        count: 3,
        entities: vec![
            Entity {
                entity_type: "user".into(),
                value: "eve".into(),
                role: EntityRole::Risk,
                risk_score: Some(40),
                message: None,
            },
            Entity {
                entity_type: "ip_address".into(),
                value: "192.0.2.1".into(),
                role: EntityRole::Threat,
                risk_score: None,
                message: None,
            },
        ],
        attack: vec!["T1552.007".into(), "T1613".into()],
        audit_ids: vec!["a".into(), "b".into()],
        audit_id_count: 2,
        cluster: Some("prod".into()),
        fields: json!({"n": 1.5, "l": ["x", null], "o": {"k": true}}).as_object().unwrap().clone(),
        details: serde_json::Map::new(),
    }
}

fn write(finding: Finding) -> FindingWrite {
    FindingWrite { finding, sinks: Vec::new() }
}

async fn open(url: &str) -> State {
    State::open(url, "n").await.unwrap()
}

async fn commit(state: &State, findings: Vec<FindingWrite>) -> masthead_state::Committed {
    state.commit(Commit { findings, ..Commit::default() }).await.unwrap()
}

async fn list(state: &State, query: FindingQuery) -> Vec<String> {
    state.findings(&query).await.unwrap().items.into_iter().map(|stored| stored.finding.finding_id).collect()
}

fn comes_back(url: &str) {
    block_on(async {
        let state = open(url).await;
        let one = finding("f1", NOON);
        let done = commit(&state, vec![write(one.clone())]).await;
        assert_eq!((done.inserted, done.updated.len()), (vec!["f1".to_owned()], 0));
        assert_eq!(state.finding("f1").await.unwrap().unwrap().finding, one);
        assert!(state.finding("f2").await.unwrap().is_none());
        // It is there for the next process, too.
        drop(state);
        assert_eq!(open(url).await.finding("f1").await.unwrap().unwrap().finding, one);
    });
}

fn keeps(url: &str) {
    block_on(async {
        let state = open(url).await;
        commit(&state, vec![write(finding("f", NOON))]).await;
        let close = FindingChange {
            status: Some("closed".into()),
            verdict: Some("benign".into()),
            reason: Some("a job".into()),
            ..FindingChange::default()
        };
        state.change("f", &close, "ann").await.unwrap().unwrap();
        let same = commit(&state, vec![write(finding("f", NOON))]).await;
        assert!(same.inserted.is_empty() && same.updated.is_empty() && same.risk.is_empty());
        let grown = Finding { count: 9, severity: Severity::Critical, ..finding("f", NOON + HOUR) };
        let done = commit(&state, vec![write(grown)]).await;
        assert_eq!((done.inserted.len(), done.updated), (0, vec!["f".to_owned()]));
        let StoredFinding { finding, verdict, reason, history, .. } = state.finding("f").await.unwrap().unwrap();
        assert_eq!((finding.count, finding.status.as_str(), finding.severity), (9, "closed", Severity::Critical));
        assert_eq!((verdict.as_deref(), reason.as_deref(), history.len()), (Some("benign"), Some("a job"), 1));
    });
}

fn renames(url: &str) {
    block_on(async {
        let state = open(url).await;
        let sink = |finding| FindingWrite { finding, sinks: vec!["s".into()] };
        commit(&state, vec![sink(finding("old", NOON)), sink(finding("gone", NOON)), write(finding("taken", NOON))])
            .await;
        let note = FindingChange { note: Some("mine".into()), ..FindingChange::default() };
        state.change("old", &note, "ann").await.unwrap().unwrap();
        state.change("gone", &note, "bob").await.unwrap().unwrap();
        let pairs =
            vec![("old".into(), "new".into()), ("gone".into(), "taken".into()), ("none".into(), "nothing".into())];
        let done =
            state.commit(Commit { renames: pairs, findings: vec![write(finding("new", NOON))], ..Commit::default() });
        let done = done.await.unwrap();
        assert!(done.inserted.is_empty(), "a finding under another id is no new one: {done:?}");
        let mut all = list(&state, FindingQuery::default()).await;
        all.sort();
        assert_eq!(all, ["new", "taken"]);
        assert_eq!(state.finding("new").await.unwrap().unwrap().history[0].what, "note: mine");
        assert_eq!(state.finding("taken").await.unwrap().unwrap().history[0].who, "bob");
        let waiting: Vec<i64> = state.outbox("s", i64::MAX, 10).await.unwrap().iter().map(|out| out.id).collect();
        assert_eq!(waiting.len(), 1, "what waited for the removed one went with it");
        let risk = state.entity_risk("user", "eve", NOON, RiskPolicy::Plain).await.unwrap().unwrap();
        assert_eq!((risk.score_24h, risk.findings.len()), (80.0, 2));
    });
}

fn all_or_nothing(url: &str) {
    block_on(async {
        let state = open(url).await;
        let put = |key: &str| (key.to_owned(), vec![0, 255, 1]);
        let first = Commit { position: Some(7), puts: vec![put("k")], ..Commit::default() };
        state.commit(first).await.unwrap();
        // A text with a NUL byte cannot be written by PostgreSQL; SQLite takes it, so that there the future is dropped.
        let bad = Finding { title: "a\0b".into(), ..finding("bad", NOON) };
        let broken =
            Commit { position: Some(8), puts: vec![put("l")], findings: vec![write(bad)], ..Commit::default() };
        if url.starts_with("sqlite") {
            let dropped = state.commit(broken);
            drop(tokio::time::timeout(std::time::Duration::ZERO, dropped).await);
            // What was already under way may still end: it holds the lock that this waits for.
            state.commit(Commit::default()).await.unwrap();
        } else {
            assert!(state.commit(broken).await.is_err());
        }
        let position = state.position().await.unwrap();
        let keys: Vec<String> = state.engine_state().await.unwrap().into_iter().map(|(key, _)| key).collect();
        let findings = list(&state, FindingQuery::default()).await;
        let nothing = position == Some(7) && keys == ["k"] && findings.is_empty();
        let all = position == Some(8) && keys == ["k", "l"] && findings == ["bad"];
        assert!(nothing || (all && url.starts_with("sqlite")), "{position:?} {keys:?} {findings:?}");
    });
}

fn engine_state(url: &str) {
    block_on(async {
        let (one, other) = (open(url).await, State::open(url, "other").await.unwrap());
        assert_eq!(one.position().await.unwrap(), None);
        let value = |text: &str| text.as_bytes().to_vec();
        let puts = vec![("b".to_owned(), value("1")), ("a/é".to_owned(), value("")), ("a-".to_owned(), value("3"))];
        one.commit(Commit { position: Some(3), puts, ..Commit::default() }).await.unwrap();
        other
            .commit(Commit { position: Some(9), puts: vec![("b".into(), value("x"))], ..Commit::default() })
            .await
            .unwrap();
        let puts = vec![("b".to_owned(), value("2"))];
        let deletes = vec!["a-".to_owned(), "none".to_owned()];
        one.commit(Commit { position: Some(4), puts, deletes, ..Commit::default() }).await.unwrap();
        let expected = vec![("a/é".to_owned(), Vec::new()), ("b".to_owned(), value("2"))];
        assert_eq!((one.position().await.unwrap(), one.engine_state().await.unwrap()), (Some(4), expected));
        assert_eq!((other.position().await.unwrap(), other.engine_state().await.unwrap().len()), (Some(9), 1));
    });
}

fn risk(url: &str) {
    block_on(async {
        let state = open(url).await;
        let of = |id: &str, rule: &str, at: i64, score: i64, attack: &str| {
            let mut made = finding(id, at);
            made.rule.id = rule.to_owned();
            made.entities[0].risk_score = Some(score);
            made.attack = vec![attack.to_owned()];
            write(made)
        };
        let done = commit(
            &state,
            vec![
                of("f1", "r1", NOON - 30 * HOUR, 10, "T1613"),
                of("f2", "r2", NOON - HOUR, 20, "T1552"),
                of("f3", "r2", NOON, 30, "T9999"),
                of("f4", "r3", NOON - 8 * 24 * HOUR, 1_000, "T1609"),
            ],
        )
        .await;
        assert_eq!(done.risk.len(), 1);
        let risk = &done.risk[0];
        assert_eq!((risk.score_24h, risk.score_7d, risk.last), (50.0, 60.0, NOON));
        assert_eq!(
            (risk.tactics.join(" "), risk.rules.join(" ")),
            ("credential-access discovery".into(), "r1 r2".into())
        );
        assert_eq!(risk.findings, ["f3", "f2", "f1"]);
        // An update replaces.
        commit(&state, vec![of("f3", "r2", NOON, 5, "T9999")]).await;
        let asked = state.entity_risk("user", "eve", NOON, RiskPolicy::Plain).await.unwrap().unwrap();
        assert_eq!(asked.score_24h, 25.0);
        let decayed = state.entity_risk("user", "eve", NOON, RiskPolicy::HalfLife(1)).await.unwrap().unwrap();
        assert_eq!(decayed.score_24h, 15.0);
        assert!(state.entity_risk("user", "bob", NOON, RiskPolicy::Plain).await.unwrap().is_none());
        let page = state.risk(&RiskQuery { as_of: Some(NOON), ..RiskQuery::default() }).await.unwrap();
        assert_eq!((page.items.len(), page.next), (1, None));
    });
}

fn outbox(url: &str) {
    block_on(async {
        let state = open(url).await;
        let to = |id: &str| FindingWrite { finding: finding(id, NOON), sinks: vec!["a".into(), "b".into()] };
        commit(&state, vec![to("f1"), to("f2")]).await;
        commit(&state, vec![FindingWrite { finding: Finding { count: 4, ..finding("f1", NOON) }, ..to("f1") }]).await;
        let due = state.outbox("a", i64::MAX, 10).await.unwrap();
        let ids: Vec<&str> = due.iter().map(|out| out.finding.finding_id.as_str()).collect();
        assert_eq!(ids, ["f1", "f2"]);
        assert_eq!(state.outbox_lengths().await.unwrap(), [("a".to_owned(), 2), ("b".to_owned(), 2)].into());
        let now = jiff::Timestamp::now().as_microsecond();
        state.retry_later(due[0].id, now + HOUR, "later").await.unwrap();
        let due_now = state.outbox("a", now, 10).await.unwrap();
        assert_eq!(due_now.iter().map(|out| out.id).collect::<Vec<_>>(), [due[1].id]);
        assert_eq!(state.outbox("a", now + HOUR, 10).await.unwrap()[0].attempts, 1);
        state.sent(&[due[1].id]).await.unwrap();
        state.dead(due[0].id, "never").await.unwrap();
        assert!(state.outbox("a", i64::MAX, 10).await.unwrap().is_empty());
        assert_eq!(state.outbox_lengths().await.unwrap(), [("b".to_owned(), 2)].into());
    });
}

fn filters(url: &str) {
    block_on(async {
        let state = open(url).await;
        let mut low = finding("low", NOON - HOUR);
        (low.severity, low.kind, low.cluster) = (Severity::Low, Kind::Hunt, None);
        (low.rule.id, low.title, low.message) = ("r2".into(), "Other Thing".into(), "plain".into());
        low.entities.clear();
        commit(&state, vec![write(finding("high", NOON)), write(low)]).await;
        let ack = FindingChange { status: Some("acknowledged".into()), ..FindingChange::default() };
        state.change("low", &ack, "ann").await.unwrap();
        let text = |text: &str| FindingQuery { text: Some(text.into()), ..FindingQuery::default() };
        let none = FindingQuery::default;
        let cases: Vec<(FindingQuery, &[&str])> = vec![
            (none(), &["high", "low"]),
            (FindingQuery { status: Some("new".into()), ..none() }, &["high"]),
            (FindingQuery { severity: Some(Severity::Medium), ..none() }, &["high"]),
            (FindingQuery { severity: Some(Severity::Low), ..none() }, &["high", "low"]),
            (FindingQuery { kind: Some(Kind::Hunt), ..none() }, &["low"]),
            (FindingQuery { rule: Some("r2".into()), ..none() }, &["low"]),
            (FindingQuery { rule: Some("Rule One".into()), ..none() }, &["high", "low"]),
            (FindingQuery { cluster: Some("prod".into()), ..none() }, &["high"]),
            (FindingQuery { entity: Some("192.0.2.1".into()), ..none() }, &["high"]),
            (FindingQuery { since: Some(NOON), ..none() }, &["high"]),
            (FindingQuery { until: Some(NOON), ..none() }, &["low"]),
            (text("OTHER thing"), &["low"]),
            (text("100%"), &["high"]),
            (text("_it_"), &["high"]),
            (text("1%0"), &[]),
            (text("x' OR 1=1 --"), &[]),
        ];
        for (query, expected) in cases {
            assert_eq!(list(&state, query.clone()).await, expected, "{query:?}");
        }
    });
}

fn pages(url: &str) {
    block_on(async {
        let state = open(url).await;
        // Many of one moment: the place in a list is time and id.
        let all: Vec<FindingWrite> =
            (0..25).map(|n| write(finding(&format!("f{n:02}"), NOON + i64::from(n / 10) * HOUR))).collect();
        commit(&state, all).await;
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let query = FindingQuery { limit: Some(7), cursor: cursor.take(), ..FindingQuery::default() };
            let page = state.findings(&query).await.unwrap();
            seen.extend(page.items.into_iter().map(|stored| stored.finding.finding_id));
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        let expected: Vec<String> =
            [20..25, 10..20, 0..10].into_iter().flat_map(|range| range.rev().map(|n| format!("f{n:02}"))).collect();
        assert_eq!(seen, expected);
    });
}

fn history(url: &str) {
    block_on(async {
        let state = open(url).await;
        commit(&state, vec![write(finding("f", NOON))]).await;
        let change = |status: &str, verdict: Option<&str>| FindingChange {
            status: Some(status.into()),
            verdict: verdict.map(str::to_owned),
            ..FindingChange::default()
        };
        state
            .change("f", &FindingChange { assignee: Some("ann".into()), ..change("acknowledged", None) }, "bob")
            .await
            .unwrap();
        state.change("f", &change("closed", Some("true_positive")), "ann").await.unwrap();
        state
            .change("f", &FindingChange { assignee: Some(String::new()), ..change("new", None) }, "ann")
            .await
            .unwrap();
        let found = state.finding("f").await.unwrap().unwrap();
        let told: Vec<String> = found.history.iter().map(|entry| format!("{}: {}", entry.who, entry.what)).collect();
        assert_eq!(
            told,
            [
                "bob: status acknowledged",
                "bob: assigned to ann",
                "ann: status closed as true_positive",
                "ann: status new",
                "ann: assigned to nobody",
            ]
        );
        assert_eq!((found.finding.status.as_str(), found.assignee, found.verdict), ("new", None, None));
        assert!(state.change("none", &change("new", None), "x").await.unwrap().is_none());
        for (change, faulty) in [
            (change("gone", None), true),
            (change("closed", Some("maybe")), true),
            (change("acknowledged", Some("benign")), true),
            (change("closed", Some("benign")), false),
            (FindingChange { note: Some("x".repeat(10_001)), ..FindingChange::default() }, true),
        ] {
            assert_eq!(change.fault().is_some(), faulty, "{change:?}");
        }
    });
}

fn tokens(url: &str) {
    block_on(async {
        let state = open(url).await;
        let made = state.create_token("dash", &[Scope::Read, Scope::Write], Some(NOON)).await.unwrap();
        assert!(!format!("{made:?}").contains(&made.secret));
        let found = state.check_token(&made.secret, NOON - 1).await.unwrap().unwrap();
        assert_eq!((found.name.as_str(), found.scopes), ("dash", vec![Scope::Read, Scope::Write]));
        let mut wrong = made.secret.clone();
        wrong.pop();
        for (secret, now) in [(wrong.as_str(), 0), (made.secret.as_str(), NOON), ("", 0), ("mh_x_y", 0), ("mh_", 0)] {
            assert!(state.check_token(secret, now).await.unwrap().is_none(), "{secret}");
        }
        let mut raw = sqlx::AnyConnection::connect(url).await.unwrap();
        let kept: (String, String) = sqlx::query_as("SELECT id, hash FROM tokens").fetch_one(&mut raw).await.unwrap();
        let key = made.secret.rsplit('_').next().unwrap();
        assert!(!kept.0.contains(key) && !kept.1.contains(key));
        assert_eq!(state.tokens().await.unwrap().len(), 1);
        assert!(
            state.revoke_token(&made.token.id).await.unwrap() && !state.revoke_token(&made.token.id).await.unwrap()
        );
        assert!(state.check_token(&made.secret, 0).await.unwrap().is_none());
    });
}

fn expiry(url: &str) {
    block_on(async {
        let state = open(url).await;
        commit(&state, vec![write(finding("old", NOON - 48 * HOUR)), write(finding("new", NOON))]).await;
        assert_eq!(state.expire(NOON - HOUR, NOON - HOUR).await.unwrap(), 1);
        assert_eq!(list(&state, FindingQuery::default()).await, ["new"]);
        let risk = state.entity_risk("user", "eve", NOON, RiskPolicy::Plain).await.unwrap().unwrap();
        assert_eq!(risk.findings, ["new"]);
    });
}

fn writers(url: &str) {
    block_on(async {
        let state = open(url).await;
        let tasks: Vec<_> = (0..8)
            .map(|task| {
                let state = state.clone();
                tokio::spawn(async move {
                    for number in 0..10 {
                        let id = format!("f{task}-{number}");
                        let done =
                            state.commit(Commit { findings: vec![write(finding(&id, NOON))], ..Commit::default() });
                        assert_eq!(done.await.unwrap().inserted, std::slice::from_ref(&id));
                        let note = FindingChange { note: Some("x".into()), ..FindingChange::default() };
                        state.change(&id, &note, "t").await.unwrap().unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(list(&state, FindingQuery { limit: Some(1_000), ..FindingQuery::default() }).await.len(), 80);
    });
}

fn newer(url: &str) {
    block_on(async {
        drop(open(url).await);
        let mut raw = sqlx::AnyConnection::connect(url).await.unwrap();
        sqlx::query("INSERT INTO schema_steps (step) VALUES (99)").execute(&mut raw).await.unwrap();
        drop(raw.close().await);
        assert!(matches!(State::open(url, "n").await, Err(StateError::Newer { found: 99, .. })));
    });
}
