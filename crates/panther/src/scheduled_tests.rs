//! Queries and scheduled rules, compiled.

use std::path::PathBuf;

use masthead_ir::pipeline::{Pipeline, Source};
use masthead_ir::rule::{Body, CompileOptions, Kind, RuleSet, Status};
use masthead_ir::time::{TimeRange, TimeSpec, TimeStep, TimeUnit};
use masthead_rulefile::{Corpus, Dialect};

use crate::Panther;

const QUERY: &str = "AnalysisType: scheduled_query
QueryName: Secrets
Enabled: true
Query: |
  SELECT user:username AS who, sourceIPs, COUNT(*) AS n
  FROM panther_logs.public.amazon_eks_audit
  WHERE objectRef:resource = 'secrets' AND p_occurs_since('90 minutes')
  GROUP BY who, sourceIPs
Schedule:
  RateMinutes: 90
";

const RULE: &str = "AnalysisType: scheduled_rule
RuleID: R
DisplayName: Secrets are read
Filename: r.py
Severity: High
DedupPeriodMinutes: 30
ScheduledQueries:
  - Secrets
";

fn compile(files: &[(&str, &str)]) -> RuleSet {
    let files = files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect();
    let corpus = Corpus::from_memory(files);
    let claimed: Vec<_> = corpus.files.iter().filter(|file| Panther.claims(file)).cloned().collect();
    Panther.compile(&corpus, &claimed, &CompileOptions::default())
}

fn with(query: &str, rule: &str, python: &str) -> RuleSet {
    compile(&[("q.yml", query), ("r.yml", rule), ("r.py", python)])
}

/// The status of the only rule, and its diagnostics with their places.
fn told(set: &RuleSet) -> String {
    let [compiled] = set.rules.as_slice() else { panic!("{set:?}") };
    let mut lines = vec![format!("{} {:?}", compiled.rule_id, compiled.status)];
    for diagnostic in &compiled.diagnostics {
        let span = diagnostic.span.as_ref().unwrap();
        let (line, column) = span.line_column();
        let place = format!("{}:{line}:{column}", span.path.display());
        lines.push(format!("{} {place} {}", diagnostic.code, diagnostic.message));
    }
    lines.join("\n")
}

#[test]
fn a_rule_is_its_query() {
    let python = "def rule(event):\n    \"\"\"All.\"\"\"\n    return True\n\n\
                  def title(event):\n    return f\"{event.get('who', 'somebody')} reads \" f\"{event['n']} secrets\"\n\n\
                  def dedup(event):\n    return event.get('who')\n";
    let set = with(QUERY, RULE, python);
    assert_eq!(told(&set), "R Runs");
    let rule = set.rules[0].rule.clone().unwrap();
    assert_eq!(rule.finding.title, "$who$ reads $n$ secrets");
    assert_eq!(rule.finding.throttle, Some((vec!["who".to_owned()], 1_800)));
    assert_eq!(rule.finding.kind, Kind::Finding);
    let entities: Vec<_> = rule.finding.entities.iter().map(|entity| entity.field.as_str()).collect();
    assert_eq!(entities, ["who", "sourceIPs{}"]);
    let schedule = rule.schedule.clone().unwrap();
    assert_eq!(schedule.cron, "0 * * * *");
    assert_eq!(
        schedule.range,
        TimeRange { earliest: Some(TimeSpec::Relative(vec![TimeStep::Add(-90, TimeUnit::Minute)])), latest: None }
    );
}

#[test]
fn what_python_says_of_rows() {
    let all = "def rule(_):\n    return True\n";
    let cases = [
        ("all", all.to_owned()),
        ("named", "def rule(event):\n    return event.get('who') == 'root'\n".to_owned()),
        ("several", "def rule(event):\n    return event.get('n') >= 5 and event['who'] not in ['root', 'sa'] and event.get('who') is not None\n".to_owned()),
        ("default", "def rule(event):\n    return event.get('n', 9) >= 5\n".to_owned()),
        ("more", "def rule(event):\n    return len(event.get('who').split('-')) > 2\n".to_owned()),
        ("title", format!("{all}def title(event):\n    return event.get('who').upper()\n")),
        ("gone", format!("{all}def title(event):\n    return event.get('nothing')\n")),
        ("context", format!("{all}def alert_context(event):\n    return dict(event)\n\ndef helper():\n    pass\n")),
        ("none", "x = 1\n".to_owned()),
    ];
    let told = cases.map(|(name, python)| {
        let set = with(QUERY, RULE, &python);
        let stages = set.rules[0].rule.as_ref().map(|rule| match &rule.body {
            Body::Pipeline(pipeline) => pipeline.stages.last().map(|stage| serde_json::to_string(stage).unwrap()),
            Body::Script(..) => None,
        });
        format!("{name}: {}\n{}", told(&set), stages.flatten().unwrap_or_default())
    });
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn faults_of_queries_are_told_with_the_rule() {
    let all = "def rule(_):\n    return True\n";
    let tests = format!("{RULE}Threshold: 5\nTests:\n  - Name: t\n    ExpectedResult: true\n    Log: {{}}\n");
    let sets = [
        with(&QUERY.replace("COUNT(*)", "ODD(verb)"), RULE, all),
        with(&QUERY.replace("GROUP BY", "GROUPED"), RULE, all),
        with(&QUERY.replace("RateMinutes: 90", "RateMinutes: often"), RULE, all),
        with(&QUERY.replace("Query: |", "Text: |"), RULE, all),
        with(QUERY, &tests, all),
        with(QUERY, &RULE.replace("  - Secrets\n", "  []\n"), all),
    ];
    let mut told: Vec<String> = sets.iter().take(5).map(told).collect();
    // Nothing runs over the query then: it stands for itself.
    told.extend(sets[5].rules.iter().map(|compiled| format!("{} {:?}", compiled.rule_id, compiled.status)));
    let gone = compile(&[("r.yml", RULE), ("r.py", all)]);
    told.push(super::scheduled_tests::told(&gone));
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn queries_for_themselves_are_hunts() {
    let saved = QUERY.replace("scheduled_query", "saved_query").replace("Schedule:\n  RateMinutes: 90\n", "");
    let set = compile(&[("a.yml", QUERY), ("b.yml", &saved.replace("Secrets", "Other"))]);
    let hunts: Vec<_> = set
        .rules
        .iter()
        .map(|compiled| {
            let rule = compiled.rule.as_ref().unwrap();
            let Body::Pipeline(Pipeline { source: Source::Events { range, .. }, .. }) = &rule.body else { panic!() };
            assert_eq!((compiled.status, rule.finding.kind), (Status::Runs, Kind::Hunt));
            (rule.id.as_str(), rule.enabled, rule.schedule.is_some(), range.is_some())
        })
        .collect();
    assert_eq!(hunts, [("Secrets", true, true, false), ("Other", false, false, true)]);
}

#[test]
fn several_queries_are_one_set_of_rows() {
    let second = QUERY.replace("Secrets", "More").replace("'secrets'", "'configmaps'");
    let rule = RULE.replace("  - Secrets\n", "  - Secrets\n  - More\n");
    let all = "def rule(_):\n    return True\n";
    let set = compile(&[("q.yml", QUERY), ("more.yml", &second), ("r.yml", &rule), ("r.py", all)]);
    assert_eq!(told(&set), "R Runs");
    let rule = set.rules[0].rule.clone().unwrap();
    let Body::Pipeline(pipeline) = &rule.body else { panic!() };
    let Some(masthead_ir::pipeline::Stage::Append(right)) = pipeline.stages.last() else { panic!("{pipeline:?}") };
    let Source::Events { range, .. } = &right.source else { panic!("{right:?}") };
    assert!(range.is_some());
}
