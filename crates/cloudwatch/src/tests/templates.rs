//! From templates to rules.

use masthead_ir::expr::{CompareOp, Expr};
use masthead_ir::pipeline::{
    AggregateFunc, AggregateInput, Correlation, CorrelationKind, MissingPeriod, Pipeline, Source, Stage,
};
use masthead_ir::rule::{Body, Kind, Rule, RuleSet, Severity, Status};
use masthead_ir::value::Value;
use masthead_ir::{FieldPath, Level};
use masthead_rulefile::{Corpus, Dialect as _};

use super::{compile, compiled, passes, told};
use crate::CloudWatch;

const EKS: &str = include_str!("../../tests/data/eks.yml");

fn rule<'s>(set: &'s RuleSet, id: &str) -> &'s Rule {
    compiled(set, id).rule.as_ref().unwrap_or_else(|| panic!("{}", told(set)))
}

fn pipeline<'s>(set: &'s RuleSet, id: &str) -> &'s Pipeline {
    match &rule(set, id).body {
        Body::Pipeline(pipeline) => pipeline,
        Body::Script(..) => panic!("{id} is no pipeline"),
    }
}

fn filter<'s>(set: &'s RuleSet, id: &str) -> &'s Expr {
    match &pipeline(set, id).source {
        Source::Events { filter, range: None } => filter,
        other => panic!("{other:?}"),
    }
}

fn correlation<'s>(set: &'s RuleSet, id: &str) -> &'s Correlation {
    let found = pipeline(set, id).stages.iter().find_map(|stage| match stage {
        Stage::Correlate(correlation) => Some(correlation),
        _ => None,
    });
    found.unwrap()
}

fn missing(set: &RuleSet, id: &str) -> MissingPeriod {
    match correlation(set, id).kind {
        CorrelationKind::Periods { missing, .. } => missing,
        _ => panic!("{id} has no periods"),
    }
}

/// A template of one filter and one alarm over it.
fn pair(pattern: &str, transformation: &str, alarm: &str) -> String {
    format!(
        "Resources:\n  F:\n    Type: AWS::Logs::MetricFilter\n    Properties:\n      FilterPattern: '{pattern}'\n      \
         MetricTransformations:\n        - {{MetricNamespace: N, MetricName: M, {transformation}}}\n  A:\n    \
         Type: AWS::CloudWatch::Alarm\n    Properties: {{Namespace: N, MetricName: M, Period: 60, EvaluationPeriods: 1, \
         ComparisonOperator: GreaterThanThreshold, Threshold: 2, {alarm}}}\n"
    )
}

#[test]
fn the_controls_for_eks_run() {
    let set = compile(&[("eks.yml", EKS)]);
    assert_eq!(set.rules.len(), 18);
    for rule in &set.rules {
        assert_eq!(rule.status, Status::Runs, "{}", told(&set));
        assert!(rule.diagnostics.iter().all(|fault| fault.level == Level::Note), "{}", told(&set));
        assert!(rule.rule.is_some());
    }
}

#[test]
fn a_filter_is_a_rule_of_signals() {
    let set = compile(&[("eks.yml", EKS)]);
    let rule = rule(&set, "ExecIntoPodFilter");
    assert_eq!((rule.id.as_str(), rule.name.as_str()), ("ExecIntoPodFilter", "exec-into-pod"));
    assert_eq!((rule.finding.kind, rule.finding.severity), (Kind::Signal, Severity::Informational));
    assert_eq!(rule.finding.message, "An event for KubernetesAudit/ExecIntoPod");
    assert!(rule.enabled);
    let stages = &pipeline(&set, "ExecIntoPodFilter").stages;
    assert!(matches!(stages.as_slice(), [Stage::Keep { ordered: true, .. }]), "{stages:?}");
}

#[test]
fn an_alarm_is_a_rule_of_findings_over_periods() {
    let set = compile(&[("eks.yml", EKS)]);
    let rule = rule(&set, "ExecIntoPod");
    assert_eq!((rule.name.as_str(), rule.finding.title.as_str()), ("Shell in a pod", "Shell in a pod"));
    assert_eq!(rule.description, "Somebody runs commands inside a running pod.");
    assert_eq!((rule.finding.kind, rule.finding.severity), (Kind::Finding, Severity::High));
    assert_eq!(rule.finding.message, "Sum of KubernetesAudit/ExecIntoPod >= 1 in 300 s: $value$");
    assert_eq!(rule.attack, ["T1609"]);
    assert_eq!(filter(&set, "ExecIntoPod"), filter(&set, "ExecIntoPodFilter"));
    let [Stage::Assign { field, expr }, Stage::Correlate(correlation), Stage::Keep { fields, ordered: true }] =
        pipeline(&set, "ExecIntoPod").stages.as_slice()
    else {
        panic!("{:?}", pipeline(&set, "ExecIntoPod").stages)
    };
    assert_eq!((field.as_str(), expr), ("metric_value", &Expr::Literal(Value::Int(1))));
    assert_eq!((correlation.by.as_slice(), correlation.within), (&[][..], 300_000_000));
    let CorrelationKind::Periods { aggregate, condition, breaches: 1, of: 1, missing: MissingPeriod::NotBreaching } =
        &correlation.kind
    else {
        panic!("{correlation:?}")
    };
    assert_eq!(aggregate.func, AggregateFunc::Sum);
    assert_eq!(aggregate.input, AggregateInput::Field("metric_value".to_owned()));
    let value = Box::new(Expr::Field(FieldPath::flat("value")));
    let threshold = Box::new(Expr::Literal(Value::Int(1)));
    assert_eq!(*condition, Expr::Compare { op: CompareOp::Ge, left: value, right: threshold });
    assert_eq!(fields.last().map(String::as_str), Some("value"));
}

#[test]
fn what_an_alarm_says_of_itself_is_kept() {
    let set = compile(&[("eks.yml", EKS)]);
    let anonymous = rule(&set, "AnonymousAccess");
    assert_eq!((anonymous.name.as_str(), anonymous.finding.severity), ("AnonymousAccess", Severity::Critical));
    assert_eq!(anonymous.tags, ["owner:platform"]);
    assert_eq!(anonymous.description, "SampleCount of KubernetesAudit/AnonymousAccess > 0 in 60 s.");
    assert_eq!(rule(&set, "DeniedBurst").finding.severity, Severity::Medium);
    assert!(!rule(&set, "Generation").enabled);
    let listed = rule(&set, "SecretsListed");
    assert_eq!(listed.finding.message, "Sum of KubernetesAudit/SecretsListed > 3 in 2 of 3 times 300 s: $value$");
}

#[test]
fn the_controls_for_eks_match_what_they_are_for() {
    let set = compile(&[("eks.yml", EKS)]);
    for (id, event, expected) in [
        (
            "ExecIntoPod",
            r#"{"verb": "get", "stage": "ResponseStarted", "objectRef": {"resource": "pods", "subresource":
          "exec"}, "responseStatus": {"code": 101}}"#,
            true,
        ),
        (
            "ExecIntoPod",
            r#"{"verb": "get", "stage": "ResponseStarted", "objectRef": {"resource": "pods", "subresource":
          "log"}, "responseStatus": {"code": 200}}"#,
            false,
        ),
        (
            "SecretsListed",
            r#"{"verb": "list", "objectRef": {"resource": "secrets"}, "user": {"username": "kim"},
          "responseStatus": {"code": 200}}"#,
            true,
        ),
        (
            "SecretsListed",
            r#"{"verb": "list", "objectRef": {"resource": "secrets"}, "user": {"username": "system:node:a"},
          "responseStatus": {"code": 200}}"#,
            false,
        ),
        (
            "AnonymousAccess",
            r#"{"user": {"username": "system:anonymous"}, "responseStatus": {"code": 200}, "requestURI":
          "/api/v1/pods"}"#,
            true,
        ),
        (
            "AnonymousAccess",
            r#"{"user": {"username": "system:anonymous"}, "responseStatus": {"code": 200}, "requestURI":
          "/livez?verbose"}"#,
            false,
        ),
        (
            "ClusterAdminBinding",
            r#"{"verb": "patch", "objectRef": {"resource": "clusterrolebindings"}, "requestObject":
          {"roleRef": {"name": "cluster-admin"}}}"#,
            true,
        ),
        ("DeniedBurst", r#"{"stage": "ResponseComplete", "responseStatus": {"code": 403}}"#, true),
        (
            "AwsAuthChanged",
            r#"{"verb": "patch", "objectRef": {"resource": "configmaps", "name": "aws-auth", "namespace":
          "kube-system"}}"#,
            true,
        ),
        (
            "PrivilegedPod",
            r#"{"objectRef": {"resource": "pods"}, "responseStatus": {"code": 201}, "requestObject": {"spec":
          {"containers": [{"name": "a"}, {"securityContext": {"privileged": true}}]}}}"#,
            true,
        ),
        (
            "PrivilegedPod",
            r#"{"objectRef": {"resource": "pods"}, "responseStatus": {"code": 201}, "requestObject": {"spec":
          {"containers": [{"name": "a"}]}}}"#,
            false,
        ),
        (
            "WebhookChanged",
            r#"{"verb": "delete", "objectRef": {"resource": "mutatingwebhookconfigurations"},
          "responseStatus": {"code": 200}}"#,
            true,
        ),
    ] {
        assert_eq!(passes(filter(&set, id), event), expected, "{id} {event}");
    }
}

#[test]
fn dimensions_part_events() {
    let set = compile(&[("eks.yml", EKS)]);
    assert_eq!(correlation(&set, "SecretsListed").by, ["user.username"]);
    assert_eq!(correlation(&set, "DeniedBurst").by, ["Address"]);
    let stages = &pipeline(&set, "DeniedBurst").stages;
    assert!(stages.iter().any(|stage| matches!(stage, Stage::Assign { field, .. } if field == "Address")));
    assert!(told(&set).contains("every value of the dimension `User` of KubernetesAudit/SecretsListed"));
}

#[test]
fn a_parameter_with_a_default_is_filled_in() {
    let set = compile(&[("eks.yml", EKS)]);
    let CorrelationKind::Periods { condition: Expr::Compare { right, .. }, .. } =
        &correlation(&set, "DeniedBurst").kind
    else {
        panic!()
    };
    assert_eq!(**right, Expr::Literal(Value::Int(20)));
}

#[test]
fn an_alarm_names_one_value_of_a_dimension() {
    let dimension = "MetricValue: 1, Dimensions: [{Key: User, Value: $.user.username}]";
    let text = pair(r#"{ $.verb = "get" }"#, dimension, "Statistic: Sum, Dimensions: [{Name: User, Value: kim}]");
    let set = compile(&[("t.yml", &text)]);
    assert!(compiled(&set, "A").diagnostics.is_empty(), "{}", told(&set));
    assert_eq!(correlation(&set, "A").by, ["user.username"]);
    assert!(passes(filter(&set, "A"), r#"{"verb": "get", "user": {"username": "kim"}}"#));
    assert!(!passes(filter(&set, "A"), r#"{"verb": "get", "user": {"username": "lee"}}"#));
}

#[test]
fn a_default_value_decides_for_periods_without_matches() {
    for (transformation, alarm, expected) in [
        ("MetricValue: 1", "Statistic: Sum", MissingPeriod::Missing),
        ("MetricValue: 1", "Statistic: Sum, TreatMissingData: ignore", MissingPeriod::Ignore),
        ("MetricValue: 1", "Statistic: Sum, TreatMissingData: breaching", MissingPeriod::Breaching),
        ("MetricValue: 1, DefaultValue: 0", "Statistic: Sum", MissingPeriod::NotBreaching),
        ("MetricValue: 1, DefaultValue: 0", "Statistic: Sum, TreatMissingData: breaching", MissingPeriod::NotBreaching),
        ("MetricValue: 1, DefaultValue: 3", "Statistic: Minimum", MissingPeriod::Breaching),
        ("MetricValue: 1, DefaultValue: 3", "Statistic: SampleCount", MissingPeriod::Missing),
    ] {
        let set = compile(&[("t.yml", &pair("", transformation, alarm))]);
        assert_eq!(missing(&set, "A"), expected, "{transformation} {alarm}");
    }
}

#[test]
fn statistics_become_aggregates() {
    for (alarm, expected) in [
        ("Statistic: SampleCount", AggregateFunc::Count),
        ("Statistic: Average", AggregateFunc::Avg),
        ("Statistic: Minimum", AggregateFunc::Min),
        ("Statistic: Maximum", AggregateFunc::Max),
        ("ExtendedStatistic: p99.9", AggregateFunc::Percentile(99.9)),
    ] {
        let set = compile(&[("t.yml", &pair("", "MetricValue: 1", alarm))]);
        let CorrelationKind::Periods { aggregate, .. } = &correlation(&set, "A").kind else { panic!() };
        assert_eq!(aggregate.func, expected, "{alarm}");
    }
}

#[test]
fn filters_of_several_files_feed_one_alarm() {
    let one = pair(r#"{ $.verb = "get" }"#, "MetricValue: 1", "Statistic: Sum");
    let other = "Resources: {G: {Type: 'AWS::Logs::MetricFilter', Properties: {FilterPattern: '{ $.verb = \"list\" }', \
                 MetricTransformations: [{MetricNamespace: N, MetricName: M, MetricValue: $.items}]}}}";
    let set = compile(&[("a.yml", &one), ("b.yml", other)]);
    let filter = filter(&set, "A");
    for (event, expected) in [(r#"{"verb": "get"}"#, true), (r#"{"verb": "list"}"#, true), (r#"{"verb": "x"}"#, false)]
    {
        assert_eq!(passes(filter, event), expected, "{event}");
    }
    let Some(Stage::Assign { expr, .. }) = pipeline(&set, "A").stages.first() else { panic!() };
    let value = |event: &str| masthead_ir::eval::evaluate(expr, &super::Event::new(event), &Default::default());
    assert_eq!(value(r#"{"verb": "get", "items": 7}"#), Value::Int(1));
    assert_eq!(value(r#"{"verb": "list", "items": 7}"#), Value::text("7"));
    let ids: Vec<&str> = set.rules.iter().map(|rule| rule.rule_id.as_str()).collect();
    assert_eq!(ids, ["F", "A", "G"]);
}

#[test]
fn fields_of_lines_are_values_and_dimensions() {
    let text = pair(
        "[ip, id, status = 2*, bytes]",
        "MetricValue: $bytes, Dimensions: [{Key: Ip, Value: $ip}, {Key: Second, Value: $2}]",
        "Statistic: Sum",
    );
    let set = compile(&[("t.yml", &text)]);
    assert_eq!(correlation(&set, "A").by, ["Ip", "Second"]);
    let line = super::Event::new("192.0.2.1 [some id] 200 17");
    let values: Vec<Value> = pipeline(&set, "A")
        .stages
        .iter()
        .filter_map(|stage| match stage {
            Stage::Assign { expr, .. } => Some(masthead_ir::eval::evaluate(expr, &line, &Default::default())),
            _ => None,
        })
        .collect();
    assert_eq!(values, [Value::text("17"), Value::text("192.0.2.1"), Value::text("some id")]);
}

#[test]
fn only_templates_with_filters_or_alarms_are_claimed() {
    for (text, claimed) in [
        ("Resources: {A: {Type: 'AWS::CloudWatch::Alarm'}}", true),
        ("Resources: {A: {Type: 'AWS::Logs::MetricFilter'}}", true),
        ("Resources: {A: {Type: 'AWS::SNS::Topic'}}", false),
        ("Resources: [AWS::CloudWatch::Alarm]", false),
        ("title: x", false),
        ("", false),
    ] {
        let corpus = Corpus::from_memory(vec![("t.yml".into(), text.to_owned())]);
        assert_eq!(CloudWatch.claims(&corpus.files[0]), claimed, "{text}");
    }
}

#[test]
fn functions_of_both_spellings_are_one_name() {
    let text = "Resources:\n  F: {Type: 'AWS::Logs::MetricFilter', Properties: {FilterPattern: '', MetricTransformations: \
                [{MetricNamespace: {Ref: Space}, MetricName: {'Fn::Sub': '${Space}-x'}, MetricValue: 1}]}}\n  A:\n    \
                Type: AWS::CloudWatch::Alarm\n    Properties:\n      Namespace: !Ref Space\n      MetricName: !Sub\n        \
                \"${Space}-x\"\n      Statistic: Sum\n      Period: 60\n      EvaluationPeriods: 1\n      Threshold: 1\n      \
                ComparisonOperator: LessThanThreshold\n";
    let set = compile(&[("t.yml", text)]);
    assert_eq!(compiled(&set, "A").status, Status::Runs, "{}", told(&set));
    assert!(told(&set).contains("`MetricName` is known only to CloudFormation; here it is `${Space}-x`"));
}
