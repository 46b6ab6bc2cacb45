//! A stream gives what a scan gives: whatever the order in which events come, however often they come, wherever the batches
//! end, and however often the process is killed. The test binary is its own worker for scripts, hence the harness of its own.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use masthead_engine::{
    Changes, Live, LiveOptions, OriginOverride, Progress, RuleOptions, ScanOptions, WindowChoice, Windows, load_rules,
    scan,
};
use masthead_event::decode::{Batch, DecodeOptions, Decoder};
use masthead_event::{Envelope, Ledger};
use masthead_ir::finding::Finding;
use masthead_ir::rule::RuleSet;
use serde_json::{Value, json};

const WORKER: &str = "--script-worker";
const MINUTE: i64 = 60_000_000;
/// 2026-11-20T00:00:00Z.
const MIDNIGHT: i64 = 1_795_132_800_000_000;

struct Quiet;
impl Progress for Quiet {
    fn bytes(&self, _: u64, _: u64) {}
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(WORKER) {
        return masthead_engine::script_worker();
    }
    let trials = vec![
        Trial::test("as_scheduled_a_stream_gives_exactly_what_a_scan_gives", || {
            streams_equal_scans(WindowChoice::AsScheduled)
        }),
        Trial::test("live_a_stream_gives_it_too_and_never_later", || streams_equal_scans(WindowChoice::Live)),
        Trial::test("a_finding_goes_on_while_windows_overlap_and_is_new_after_a_gap", goes_on),
        Trial::test("correlations_of_a_stream_in_order_are_those_of_a_scan", correlations_in_order),
        Trial::test("correlations_are_found_whatever_the_order_of_arrival", correlations_in_any_order),
        Trial::test("a_rule_that_was_edited_begins_anew_and_leaves_nothing_behind", edited),
        Trial::test("what_a_rule_wrote_to_a_lookup_is_there_after_a_restart", lookups),
        Trial::test("windows_over_their_memory_give_the_same", little_memory),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Numbers without a pattern that a rule could follow, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides.max(1)
    }
}

fn search(name: &str, cron: &str, earliest: &str, latest: &str, text: &str) -> (String, String) {
    let rule = format!(
        "name: {name}\nid: {name}\nversion: 1\ntype: TTP\nsearch: '{text}'\ntags: {{}}\n\
         scheduling: {{cron_schedule: '{cron}', earliest_time: '{earliest}', latest_time: '{latest}'}}\n"
    );
    (format!("detections/{name}.yml"), rule)
}

fn rules(folder: &Path, files: &[(String, String)]) -> Result<RuleSet, Failed> {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().ok_or("no parent")?)?;
        std::fs::write(path, text)?;
    }
    let set = load_rules(&RuleOptions { paths: vec![folder.to_owned()], ..RuleOptions::default() })?;
    match set.rules.iter().find(|rule| rule.rule.is_none()) {
        Some(refused) => Err(format!("{}: {:?}", refused.path.display(), refused.diagnostics).into()),
        None => Ok(set),
    }
}

/// Every form that a rule can have: rows, groupings with and without fills, what needs the whole window, scripts.
fn all_forms() -> Vec<(String, String)> {
    let hourly = ("0 * * * *", "-60m@m", "@m");
    let mut files = vec![
        search(
            "many",
            hourly.0,
            hourly.1,
            hourly.2,
            "verb=get | stats count values(objectRef.name) as names min(_time) as firstTime by user.username | where count > 4",
        ),
        search(
            "filled",
            hourly.0,
            "-70m@m",
            "-10m@m",
            "verb=list | fillnull | stats count dc(objectRef.name) as names by user.username objectRef.namespace sourceIPs{}",
        ),
        search(
            "overlapping",
            "*/15 * * * *",
            "-60m@m",
            "@m",
            "verb=* | stats count max(responseStatus.code) as worst by user.username | where worst >= 403 AND count > 9",
        ),
        search(
            "rows",
            "*/10 * * * *",
            "-60m@m",
            "@m",
            "verb=delete | rename user.username as user | table _time user objectRef.name",
        ),
        search(
            "latest",
            hourly.0,
            hourly.1,
            hourly.2,
            "verb=patch | dedup user.username | table user.username objectRef.name",
        ),
        search(
            "twice",
            hourly.0,
            hourly.1,
            hourly.2,
            "verb=create | stats count by user.username objectRef.namespace | eventstats sum(count) as all by user.username | where all > 2",
        ),
        search("seldom", "30 */2 * * *", "-20m@m", "@m", "verb=get user.username=eve | stats count by objectRef.name"),
    ];
    files.push(("p.yml".to_owned(), "AnalysisType: rule\nRuleID: p\nFilename: p.py\nLogTypes: [Amazon.EKS.Audit]\nEnabled: true\nSeverity: High\nThreshold: 3\nDedupPeriodMinutes: 30\n".to_owned()));
    files.push(("p.py".to_owned(), "def rule(event):\n    return event.get('verb') == 'delete'\n\ndef title(event):\n    return 'deleted by ' + event.deep_get('user', 'username', default='')\n".to_owned()));
    files
}

/// Events of some hours, with what belongs to them: their times.
fn events(count: usize, dice: &mut Dice) -> Vec<(i64, Value)> {
    let mut events: Vec<(i64, Value)> = (0..count)
        .map(|index| {
            let time = MIDNIGHT + dice.roll(6 * 60 * 60 * 1_000) as i64 * 1_000;
            let stamp = jiff::Timestamp::from_microsecond(time).map(|t| t.to_string()).unwrap_or_default();
            let user = ["alice", "bob", "carol", "eve", "system:node:a"][dice.roll(5)];
            let mut event = json!({
                "kind": "Event", "apiVersion": "audit.k8s.io/v1", "stage": "ResponseComplete",
                "auditID": format!("{index:08}"), "requestReceivedTimestamp": stamp, "stageTimestamp": stamp,
                "verb": (["get", "get", "list", "create", "patch", "delete"][dice.roll(6)]),
                "user": {"username": user},
                "sourceIPs": (0..=dice.roll(2)).map(|n| format!("10.0.0.{}", n + dice.roll(3))).collect::<Vec<_>>(),
                "responseStatus": {"code": ([200, 201, 403, 404][dice.roll(4)])},
                "objectRef": {"resource": "secrets", "name": format!("s{}", dice.roll(4))},
            });
            if dice.roll(3) == 0 {
                event["objectRef"]["namespace"] = json!(["kube-system", "default"][dice.roll(2)]);
            }
            (time, event)
        })
        .collect();
    events.sort_by_key(|(time, event)| (*time, event["auditID"].to_string()));
    events
}

fn scan_options() -> Result<ScanOptions, Failed> {
    Ok(ScanOptions {
        origin: OriginOverride {
            log_type: Some("Amazon.EKS.Audit".to_owned()),
            cluster: Some("prod".to_owned()),
            ..OriginOverride::default()
        },
        windows: Windows::AsScheduled,
        worker: (std::env::current_exe()?, vec![WORKER.into()]),
        ..ScanOptions::default()
    })
}

fn scanned(rules: &RuleSet, events: &[(i64, Value)], folder: &Path) -> Result<BTreeMap<String, Finding>, Failed> {
    let log = folder.join("sorted.log");
    std::fs::write(&log, events.iter().map(|(_, event)| format!("{event}\n")).collect::<String>())?;
    let mut found = BTreeMap::new();
    let _summary = scan(rules, &[log], &scan_options()?, &Quiet, &mut |finding| {
        found.insert(finding.finding_id.clone(), finding);
        Ok(())
    })?;
    Ok(found)
}

fn batches(lines: &[&Value]) -> Result<Vec<Batch>, Failed> {
    let raw = Envelope { log_type: Some("Amazon.EKS.Audit".into()), cluster: Some("prod".into()), ..Envelope::raw() };
    let mut decoder = Decoder::new(DecodeOptions { raw: Arc::new(raw), ..DecodeOptions::default() });
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("batch");
    std::fs::write(&path, lines.iter().map(|event| format!("{event}\n")).collect::<String>())?;
    let mut all = Vec::new();
    let _flow = decoder.read_batches(&path, &mut Ledger::default(), &mut |batch| {
        all.push(batch);
        ControlFlow::Continue(())
    })?;
    Ok(all)
}

/// What a caller keeps: findings and state, written together.
#[derive(Default, Clone)]
struct Kept {
    findings: BTreeMap<String, Finding>,
    /// At which step a finding was there first.
    raised: BTreeMap<String, usize>,
    state: BTreeMap<String, Vec<u8>>,
}

impl Kept {
    fn write(&mut self, changes: Changes, step: usize) {
        for (old, new) in changes.renames {
            if let Some(finding) = self.findings.remove(&old) {
                self.findings.insert(new.clone(), finding);
            }
            if let Some(at) = self.raised.remove(&old) {
                self.raised.insert(new, at);
            }
        }
        for raised in changes.findings {
            self.raised.entry(raised.finding.finding_id.clone()).or_insert(step);
            self.findings.insert(raised.finding.finding_id.clone(), raised.finding);
        }
        changes.deletes.iter().for_each(|key| drop(self.state.remove(key)));
        self.state.extend(changes.puts);
    }
}

fn options(windows: WindowChoice) -> Result<LiveOptions, Failed> {
    Ok(LiveOptions { scan: scan_options()?, windows, lateness: 5 * MINUTE, ..LiveOptions::default() })
}

/// A delivery of events, and what happens after it.
struct Step<'e> {
    events: Vec<&'e Value>,
    received: i64,
    tick: bool,
    /// The process dies: before what came last was written, or after.
    dies: bool,
}

/// Events out of order by at most the lateness that is allowed, in deliveries of any size, some of them twice.
fn steps<'e>(events: &'e [(i64, Value)], dice: &mut Dice) -> Vec<Step<'e>> {
    let mut arriving: Vec<(i64, &Value)> =
        events.iter().map(|(time, event)| (time + dice.roll(5 * MINUTE as usize) as i64, event)).collect();
    for (time, event) in events.iter().step_by(7) {
        arriving.push((time + dice.roll(20 * MINUTE as usize) as i64, event));
    }
    arriving.sort_by_key(|(at, _)| *at);
    let mut steps = Vec::new();
    while !arriving.is_empty() {
        let size = (1 + dice.roll(60)).min(arriving.len());
        let taken: Vec<_> = arriving.drain(..size).collect();
        let received = taken.last().map_or(0, |(at, _)| *at);
        let events = taken.into_iter().map(|(_, event)| event).collect();
        steps.push(Step { events, received, tick: dice.roll(3) > 0, dies: dice.roll(12) == 0 });
    }
    steps
}

/// Runs steps. A process that dies is given again what came after it had written last.
fn streamed(rules: &RuleSet, steps: &[Step<'_>], options: &LiveOptions) -> Result<Kept, Failed> {
    let mut kept = Kept::default();
    let source: Arc<str> = "test".into();
    let mut live = Live::new(rules, options.clone(), [])?;
    let mut unwritten: Vec<usize> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        unwritten.push(index);
        for batch in batches(&step.events)? {
            live.take(&source, &batch, step.received, &Ledger::default());
        }
        if step.dies {
            live = Live::new(rules, options.clone(), kept.state.clone())?;
            for &again in &unwritten {
                for batch in batches(&steps[again].events)? {
                    live.take(&source, &batch, steps[again].received, &Ledger::default());
                }
            }
        }
        if step.tick {
            kept.write(live.tick(true), index);
            unwritten.clear();
        }
    }
    live.advance(MIDNIGHT + 24 * 60 * MINUTE);
    kept.write(live.tick(true), steps.len());
    Ok(kept)
}

/// A finding without what only says when it was looked at.
fn shown(finding: &Finding) -> String {
    format!("{} {} {}", finding.rule.id, finding.finding_id, serde_json::to_string(finding).unwrap_or_default())
}

fn streams_equal_scans(choice: WindowChoice) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let rules = rules(&folder.path().join("rules"), &all_forms())?;
    for seed in 1..=3 {
        let mut dice = Dice(seed);
        let events = events(700, &mut dice);
        let expected = scanned(&rules, &events, folder.path())?;
        for rule in ["many", "filled", "overlapping", "rows", "latest", "twice", "seldom", "p"] {
            if !expected.values().any(|finding| finding.rule.id == rule) {
                return Err(format!("the events of seed {seed} must make `{rule}` fire").into());
            }
        }
        let steps = steps(&events, &mut dice);
        let scheduled = streamed(&rules, &steps, &options(WindowChoice::AsScheduled)?)?;
        if choice == WindowChoice::AsScheduled {
            let lines = |findings: &BTreeMap<String, Finding>| findings.values().map(shown).collect::<Vec<_>>();
            let (wanted, got) = (lines(&expected), lines(&scheduled.findings));
            let missing: Vec<_> = wanted.iter().filter(|line| !got.contains(line)).take(3).collect();
            let extra: Vec<_> = got.iter().filter(|line| !wanted.contains(line)).take(3).collect();
            if !(missing.is_empty() && extra.is_empty()) {
                return Err(format!("seed {seed}: missing {missing:#?}\nextra {extra:#?}").into());
            }
            continue;
        }
        let live = streamed(&rules, &steps, &options(WindowChoice::Live)?)?;
        for (id, finding) in &scheduled.findings {
            let found = live.findings.iter().find(|(other, found)| {
                let same_window = found.first_seen <= finding.last_seen && found.last_seen >= finding.first_seen;
                let in_time = live.raised.get(*other) <= scheduled.raised.get(id);
                found.rule == finding.rule && about(found) == about(finding) && same_window && in_time
            });
            if found.is_none() {
                return Err(format!("seed {seed}: live has not, or later: {}", shown(finding)).into());
            }
        }
        for rule in ["rows", "p"] {
            let of = |findings: &BTreeMap<String, Finding>| {
                findings.values().filter(|f| f.rule.id == rule).map(shown).collect::<Vec<_>>()
            };
            if of(&live.findings) != of(&expected) {
                return Err(format!("seed {seed}: `{rule}` must be the same in a scan and live").into());
            }
        }
        let mut once: BTreeMap<_, &Finding> = BTreeMap::new();
        for finding in live.findings.values().filter(|finding| finding.rule.id != "rows") {
            let key = (&finding.rule.id, about(finding), &finding.first_seen);
            if let Some(twin) = once.insert(key, finding) {
                return Err(format!("seed {seed}: raised twice: {}\n{}", shown(twin), shown(finding)).into());
            }
        }
    }
    Ok(())
}

/// The key of a finding: its group fields.
fn about(finding: &Finding) -> Vec<String> {
    let keys = ["user.username", "objectRef.namespace", "objectRef.name", "sourceIPs{}", "user"];
    let keyed = finding.rule.id != "latest" && finding.rule.id != "rows";
    let keys = keys.iter().filter(|key| keyed || **key != "objectRef.name");
    keys.filter_map(|key| finding.fields.get(*key)).map(Value::to_string).collect()
}

fn at(minute: i64, id: &str, verb: &str) -> (i64, Value) {
    let time = MIDNIGHT + minute * MINUTE;
    let stamp = jiff::Timestamp::from_microsecond(time).map(|t| t.to_string()).unwrap_or_default();
    let event = json!({"kind": "Event", "auditID": id, "stage": "ResponseComplete", "verb": verb,
        "requestReceivedTimestamp": stamp, "user": {"username": "eve"}, "objectRef": {"name": id}});
    (time, event)
}

fn one_by_one<'e>(events: &'e [(i64, Value)]) -> Vec<Step<'e>> {
    let step = |(time, event): &'e (i64, Value)| Step { events: vec![event], received: *time, tick: true, dies: false };
    events.iter().map(step).collect()
}

fn goes_on() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let text = "verb=get | stats count values(objectRef.name) as names by user.username | where count > 1";
    let rules = rules(folder.path(), &[search("many", "0 0 * * *", "-60m", "now", text)])?;
    let events: Vec<_> =
        [(0, "a"), (10, "b"), (50, "c"), (100, "d"), (300, "e"), (310, "f")].map(|(m, id)| at(m, id, "get")).into();
    let kept = streamed(&rules, &one_by_one(&events), &options(WindowChoice::Live)?)?;
    let mut found: Vec<_> = kept.findings.values().map(|f| (f.first_seen.clone(), f.audit_ids.join(""))).collect();
    found.sort();
    let time = |text: &str| Some(format!("2026-11-20T{text}Z"));
    let expected = [(time("00:00:00"), "abcd".to_owned()), (time("05:00:00"), "ef".to_owned())];
    if found != expected { Err(format!("{found:?}").into()) } else { Ok(()) }
}

fn edited() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let rule = |limit: u32| {
        let text = format!("verb=get | stats count by user.username | where count > {limit}");
        search("many", "0 * * * *", "-60m", "now", &text)
    };
    let before = rules(&folder.path().join("a"), &[rule(1)])?;
    let after = rules(&folder.path().join("b"), &[rule(2)])?;
    let events: Vec<_> = [(0, "a"), (1, "b"), (2, "c"), (3, "d")].map(|(m, id)| at(m, id, "get")).into();
    let mut kept = Kept::default();
    let source: Arc<str> = "test".into();
    let mut live = Live::new(&before, options(WindowChoice::Live)?, [])?;
    for (time, event) in &events[..2] {
        batches(&[event])?.iter().for_each(|batch| live.take(&source, batch, *time, &Ledger::default()));
        kept.write(live.tick(true), 0);
    }
    let mut live = Live::new(&after, options(WindowChoice::Live)?, kept.state.clone())?;
    for (time, event) in &events {
        batches(&[event])?.iter().for_each(|batch| live.take(&source, batch, *time, &Ledger::default()));
        kept.write(live.tick(true), 1);
    }
    let prints: std::collections::BTreeSet<_> =
        kept.state.keys().filter_map(|key| key.strip_prefix("rule/")?.split('/').next()).collect();
    // The two events that it did not see before are not enough for the rule as it is now.
    if kept.findings.len() == 1 && prints.len() == 1 {
        Ok(())
    } else {
        Err(format!("{} findings, state of {prints:?}", kept.findings.len()).into())
    }
}

fn lookups() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let mut files = vec![
        search(
            "learn",
            "0 * * * *",
            "-60m@m",
            "@m",
            "verb=get | stats count by objectRef.name | rename objectRef.name as name | outputlookup known",
        ),
        search(
            "new",
            "30 * * * *",
            "-30m@m",
            "@m",
            "verb=list | stats count by objectRef.name | rename objectRef.name as name | lookup known name OUTPUT count as before | where isnull(before)",
        ),
    ];
    files.push(("lookups/known.yml".to_owned(), "name: known\nfilename: known.csv\n".to_owned()));
    files.push(("lookups/known.csv".to_owned(), "name,count\n".to_owned()));
    let rules = rules(folder.path(), &files)?;
    let mut events: Vec<_> = [(10, "a"), (20, "b")].map(|(m, id)| at(m, id, "get")).into();
    events.extend([(65, "a"), (66, "x")].map(|(m, name)| {
        let (time, mut event) = at(m, &format!("{name}2"), "list");
        event["objectRef"]["name"] = json!(name);
        (time, event)
    }));
    events.push(at(70, "late", "watch"));
    let mut steps = one_by_one(&events);
    steps[4].dies = true;
    let kept = streamed(&rules, &steps, &options(WindowChoice::AsScheduled)?)?;
    let found: Vec<_> =
        kept.findings.values().filter(|f| f.rule.id == "new").map(|f| f.fields["name"].to_string()).collect();
    if found == ["\"x\""] { Ok(()) } else { Err(format!("{found:?}").into()) }
}

fn little_memory() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let rules = rules(&folder.path().join("rules"), &all_forms())?;
    let mut dice = Dice(7);
    let events = events(400, &mut dice);
    let steps = steps(&events, &mut dice);
    let roomy = options(WindowChoice::AsScheduled)?;
    let tight = LiveOptions { window_memory: 1, ..roomy.clone() };
    let lines = |kept: &Kept| kept.findings.values().map(shown).collect::<Vec<_>>();
    let one = streamed(&rules, &steps, &roomy)?;
    if one.findings.is_empty() || lines(&one) != lines(&streamed(&rules, &steps, &tight)?) {
        return Err("the memory for windows shows in what is found".into());
    }
    // Live groups are given up for want of memory; what the schedule looks at is found all the same.
    let live = streamed(&rules, &steps, &LiveOptions { window_memory: 1, ..options(WindowChoice::Live)? })?;
    for finding in one.findings.values() {
        let same = |found: &Finding| found.rule == finding.rule && about(found) == about(finding);
        if !live.findings.values().any(same) {
            return Err(format!("live has not: {}", shown(finding)).into());
        }
    }
    Ok(())
}

/// Sigma's correlations and Elastic's new terms: every kind of the stage that correlates.
fn correlating() -> Vec<(String, String)> {
    let base = |name: &str, verb: &str| {
        format!(
            "title: {name}\nid: base-{name}\nname: {name}\nlogsource: {{product: kubernetes, service: audit}}\n\
             detection: {{sel: {{verb: {verb}}}, condition: sel}}\nlevel: low\n---\n"
        )
    };
    let rule = |name: &str, correlation: &str| {
        format!("title: {name}\nid: {name}\nlevel: high\ncorrelation: {{{correlation}}}\n---\n")
    };
    let by = "group-by: [user.username]";
    let text = [
        base("gets", "get"),
        base("creates", "create"),
        base("deletes", "delete"),
        rule("burst", &format!("type: event_count, rules: [gets], {by}, timespan: 15m, condition: {{gte: 5}}")),
        rule(
            "spread",
            &format!(
                "type: value_count, rules: [gets], {by}, timespan: 20m, condition: {{gte: 3, field: objectRef.name}}"
            ),
        ),
        rule("chain", &format!("type: temporal_ordered, rules: [gets, creates, deletes], {by}, timespan: 10m")),
        rule("mix", &format!("type: temporal, rules: [creates, deletes], {by}, timespan: 5m")),
    ]
    .concat();
    let new = "[rule]\nrule_id = \"new\"\nname = \"new\"\ntype = \"new_terms\"\nlanguage = \"kuery\"\nseverity = \"low\"\nrisk_score = 21\n\
               query = \"kubernetes.audit.verb: patch\"\n[rule.new_terms]\nfield = \"new_terms_fields\"\n\
               value = [\"user.name\", \"kubernetes.audit.objectRef.name\"]\n\
               [[rule.new_terms.history_window_start]]\nfield = \"history_window_start\"\nvalue = \"now-1h\"\n";
    vec![("sigma.yml".to_owned(), text), ("new.toml".to_owned(), new.to_owned())]
}

const CORRELATING: [&str; 5] = ["burst", "spread", "chain", "mix", "new"];

/// Deliveries in the order of time, with kills in between.
fn in_order<'e>(events: &'e [(i64, Value)], dice: &mut Dice) -> Vec<Step<'e>> {
    let mut steps = Vec::new();
    let mut rest = events;
    while !rest.is_empty() {
        let (taken, left) = rest.split_at((1 + dice.roll(40)).min(rest.len()));
        let received = taken.last().map_or(0, |(at, _)| *at);
        let events = taken.iter().map(|(_, event)| event).collect();
        steps.push(Step { events, received, tick: true, dies: dice.roll(9) == 0 });
        rest = left;
    }
    steps
}

/// Whom a correlated finding is about.
fn who(finding: &Finding) -> String {
    finding.fields.get("user.username").map(Value::to_string).unwrap_or_default()
}

fn correlations_in_order() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let rules = rules(&folder.path().join("rules"), &correlating())?;
    for seed in 1..=4 {
        let mut dice = Dice(seed);
        let events = events(600, &mut dice);
        let expected = scanned(&rules, &events, folder.path())?;
        let kept = streamed(&rules, &in_order(&events, &mut dice), &options(WindowChoice::Live)?)?;
        for rule in CORRELATING {
            let of = |findings: &BTreeMap<String, Finding>| -> Vec<(String, String, Vec<String>)> {
                let own = findings.values().filter(|finding| finding.rule.id == rule);
                let mut all: Vec<_> = own
                    .map(|finding| {
                        let mut ids = finding.audit_ids.clone();
                        ids.sort();
                        (finding.finding_id.clone(), who(finding), ids)
                    })
                    .collect();
                all.sort();
                all
            };
            let (wanted, got) = (of(&expected), of(&kept.findings));
            if wanted.is_empty() {
                return Err(format!("the events of seed {seed} must make `{rule}` fire").into());
            }
            if wanted != got {
                let missing: Vec<_> = wanted.iter().filter(|one| !got.contains(one)).take(3).collect();
                let extra: Vec<_> = got.iter().filter(|one| !wanted.contains(one)).take(3).collect();
                return Err(format!("seed {seed}, `{rule}`: missing {missing:#?}\nextra {extra:#?}").into());
            }
        }
    }
    Ok(())
}

fn correlations_in_any_order() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let rules = rules(&folder.path().join("rules"), &correlating())?;
    for seed in 1..=3 {
        let mut dice = Dice(seed);
        let events = events(600, &mut dice);
        let expected = scanned(&rules, &events, folder.path())?;
        let kept = streamed(&rules, &steps(&events, &mut dice), &options(WindowChoice::Live)?)?;
        for finding in expected.values() {
            let found = kept.findings.values().any(|found| {
                found.rule == finding.rule
                    && who(found) == who(finding)
                    && finding.audit_ids.iter().all(|id| found.audit_ids.contains(id))
            });
            if !found {
                return Err(format!("seed {seed}: live has not {}", shown(finding)).into());
            }
        }
    }
    Ok(())
}
