use std::path::PathBuf;
use std::sync::Arc;

use masthead_ir::expr::{CompareOp, FieldPath};
use masthead_ir::pattern::{Case, OrderOp, Pattern};
use masthead_ir::rule::{Body, CompileOptions, Rule};
use masthead_ir::{Expr, Level, Value};
use masthead_rulefile::{Corpus, Dialect as _};

use super::*;

fn compiled(corpus: &Corpus) -> Vec<Arc<Rule>> {
    let files: Vec<_> = corpus.files.iter().filter(|file| masthead_sigma::Sigma.claims(file)).cloned().collect();
    let set = masthead_sigma::Sigma.compile(corpus, &files, &CompileOptions::default());
    set.rules.into_iter().filter_map(|rule| rule.rule).collect()
}

/// A rule whose condition is that all search identifiers of `detection` (YAML in braces) hold, `not` none.
fn rule(source: &str, detection: &str, condition: &str) -> Rule {
    let text = format!(
        "title: t\nid: 5c1d07e0-8278-48ac-8152-d1d322883eb4\nlevel: low\nlogsource: {source}\n\
         detection: {{{detection}, condition: {condition}}}\n"
    );
    let rules = compiled(&Corpus::from_memory(vec![(PathBuf::from("r.yml"), text.clone())]));
    let [rule] = rules.as_slice() else { panic!("{} rules of {text}", rules.len()) };
    Rule::clone(rule)
}

const AUDIT: &str = "{product: kubernetes, service: audit}";

/// The faults of a rule of one selection, as text: level, code and message.
fn faults(selection: &str) -> String {
    told(&check(&rule(AUDIT, &format!("s: {{{selection}}}"), "s")))
}

fn told(faults: &[Fault]) -> String {
    let line = |fault: &Fault| {
        let level = if fault.level == Level::Warning { "" } else { "note " };
        format!("{level}{}: {}", fault.code, fault.message)
    };
    faults.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn condition(expr: Expr) -> Rule {
    let mut rule = rule(AUDIT, "s: {verb: get}", "s");
    let Body::Pipeline(pipeline) = &mut rule.body else { panic!() };
    pipeline.source = masthead_ir::pipeline::Source::Events { filter: expr, range: None };
    rule
}

#[test]
fn fields_must_be_there() {
    for (selection, expected) in [
        (
            "objectRef.kind: Pod",
            "unknown-field: `objectRef` of an audit event has no field `kind`, so the rule can never fire",
        ),
        ("nodeName: x", "unknown-field: no audit event has a field `nodeName`, so the rule can never fire"),
        (
            "verb.x: y",
            "unknown-field: `verb` of an audit event is a plain value and has no field `x`, so the rule can never fire",
        ),
        (
            "objectRef.resource: pods, requestObject.spec.hostPid: true",
            "unknown-field: no request for `pods` has a field `requestObject.spec.hostPid`, so the rule can never fire",
        ),
        (
            "objectRef.resource: deployments, requestObject.spec.containers.image: x",
            "unknown-field: no request for `deployments` has a field `requestObject.spec.containers.image`, so the rule can never fire",
        ),
        (
            "requestObject.spec.hostPid: true",
            "note unknown-field: no Kubernetes type has a field `requestObject.spec.hostPid`; only a custom resource could",
        ),
        ("objectRef.resource: widgets, requestObject.spec.hostPid: true", ""),
        ("objectRef.resource: deployments, objectRef.apiGroup: example.com, requestObject.x: true", ""),
        ("objectRef.resource: pods, requestObject.spec.hostPID: true", ""),
        ("objectRef.resource: pods, verb: patch, requestObject.path: /spec", ""),
        ("objectRef.resource: pods, verb: patch, requestObject.spec.$setElementOrder/containers.name: a", ""),
        ("objectRef.resource: pods, verb: delete, requestObject.gracePeriodSeconds: 0", ""),
        ("objectRef.resource: secrets, verb: list, responseObject.items.metadata.name: x", ""),
        ("objectRef.resource: pods, requestObject.metadata.labels.app.kubernetes.io/name: x", ""),
        ("annotations.example.com/any: x", ""),
        ("user.extra.authentication.kubernetes.io/pod-name: x", ""),
    ] {
        assert_eq!(faults(selection), expected, "{selection}");
    }
}

#[test]
fn near_names_are_told() {
    for (selection, expected) in [
        ("objectRef.Resource: pods", "there is `objectRef.resource`"),
        ("auditId: x", "there is `auditID`"),
        ("nodeName: x", "there is `requestObject.spec.nodeName`"),
        ("impersonationConstraint: x", "there is `authenticationMetadata.impersonationConstraint`"),
        ("securityContext.privileged: x", "there is `requestObject.spec.containers.securityContext.privileged`"),
        ("objectRef.resource: pods, requestObject.spec.hostPid: 1", "there is `requestObject.spec.hostPID`"),
        (
            "objectRef.resource: deployments, requestObject.spec.containers.image: x",
            "there is `requestObject.spec.template.spec.containers.image`",
        ),
        ("verb: replace", "the verb is `update`"),
        ("verb: exec", "it is a subresource: test `objectRef.subresource` for `exec`"),
        ("verb: impersonate", "requests made as somebody else have `impersonatedUser.username`"),
        ("verb: escalate", "`escalate` is a verb of RBAC rules; no request has it"),
        ("objectRef.resource: ClusterRole", "the resource is called `clusterroles`"),
        (
            "objectRef.resource: pods/exec",
            "test `objectRef.resource` for `pods` and `objectRef.subresource` for `exec`",
        ),
        ("objectRef.subresource: port-forward", "the subresource is called `portforward`"),
        ("annotations.authorization.k8s.io/decision: deny", "it can be `allow`, `forbid`"),
    ] {
        let found = check(&rule(AUDIT, &format!("s: {{{selection}}}"), "s"));
        assert_eq!(found[0].help.as_deref(), Some(expected), "{selection}: {found:?}");
    }
}

#[test]
fn values_must_be_possible() {
    for (selection, expected) in [
        ("verb: replace", "impossible-value: `verb` is never `replace`, so the rule can never fire"),
        ("verb: [create, replace]", "impossible-value: `verb` is never `replace`, so this alternative never matches"),
        (
            "verb: post, objectRef.resource: pods",
            "impossible-value: `verb` of a request for a resource is never `post`, so the rule can never fire",
        ),
        ("verb: post", ""),
        ("verb|startswith: del", ""),
        ("verb|startswith: rm", "impossible-value: `verb` is never `rm`, so the rule can never fire"),
        ("verb|re: ^rm$", ""),
        ("stage: Complete", "impossible-value: `stage` is never `Complete`, so the rule can never fire"),
        ("level: None", "impossible-value: `level` is never `None`, so the rule can never fire"),
        (
            "annotations.authorization.k8s.io/decision: deny",
            "impossible-value: `annotations.authorization.k8s.io/decision` is never `deny`, so the rule can never fire",
        ),
        (
            "responseStatus.code: Forbidden",
            "impossible-value: `responseStatus.code` is a number, and never `Forbidden`, so the rule can never fire",
        ),
        ("responseStatus.code: 4*", ""),
        (
            "objectRef.resource: pods, requestObject.spec.hostPID: 'yes'",
            "impossible-value: `requestObject.spec.hostPID` is `true` or `false`, and never `yes`, so the rule can never fire",
        ),
        (
            "objectRef.resource: pods, requestObject.spec.securityContext: privileged",
            "impossible-value: `requestObject.spec.securityContext` is an object, and never `privileged`, so the rule can never fire",
        ),
    ] {
        assert_eq!(faults(selection), expected, "{selection}");
    }
}

#[test]
fn resources_must_be_called_right() {
    for (selection, expected) in [
        ("objectRef.resource: secret", "unknown-resource: no resource is called `secret`, so the rule can never fire"),
        (
            "objectRef.resource: [Pod, secrets]",
            "unknown-resource: no resource is called `Pod`, so this alternative never matches",
        ),
        (
            "objectRef.resource|cased: Pods",
            "unknown-resource: no resource is called `Pods`, so the rule can never fire",
        ),
        ("objectRef.resource: Pods", ""),
        ("objectRef.resource: widgets", ""),
        ("objectRef.resource: secret, objectRef.apiGroup: example.com", ""),
        (
            "objectRef.resource: pods/exec",
            "wrong-subresource: `objectRef.resource` is never `pods/exec`: it holds no subresource, so the rule can never fire",
        ),
        (
            "objectRef.resource: pods, objectRef.subresource: logs",
            "wrong-subresource: `pods` has no subresource `logs`, so the rule can never fire",
        ),
        (
            "objectRef.subresource: logs",
            "wrong-subresource: there is no subresource `logs`, so the rule can never fire",
        ),
        ("objectRef.resource: pods, objectRef.subresource: log", ""),
        ("objectRef.resource: widgets, objectRef.subresource: any", ""),
    ] {
        assert_eq!(faults(selection), expected, "{selection}");
    }
}

#[test]
fn levels_and_stages_must_have_what_is_read() {
    for (selection, expected) in [
        (
            "level: Metadata, requestObject.metadata.name: x",
            "level-excludes: events of level `Metadata` have no `requestObject`, so the rule can never fire",
        ),
        (
            "level: [Metadata, Request], responseObject.metadata.name: x",
            "level-excludes: events of level `Metadata` or `Request` have no `responseObject`, so the rule can never fire",
        ),
        (
            "level: Request, requestObject.metadata.name: x",
            "note level-excludes: clusters that log these requests at `RequestResponse` are missed",
        ),
        ("level: RequestResponse, requestObject.metadata.name: x", ""),
        (
            "stage: RequestReceived, responseStatus.code: 403",
            "stage-excludes: events of stage `RequestReceived` have no `responseStatus`, so the rule can never fire",
        ),
        (
            "stage: RequestReceived, annotations.authorization.k8s.io/decision: allow",
            "stage-excludes: events of stage `RequestReceived` have no `annotations`, so the rule can never fire",
        ),
        (
            "stage: ResponseStarted, responseObject.metadata.name: x",
            "stage-excludes: events of stage `ResponseStarted` have no `responseObject`, so the rule can never fire",
        ),
        ("stage: [ResponseStarted, ResponseComplete], responseObject.metadata.name: x", ""),
        ("stage: RequestReceived, responseStatus.code: null", ""),
    ] {
        assert_eq!(faults(selection), expected, "{selection}");
    }
}

#[test]
fn what_is_left_out_is_told() {
    let exec =
        "note exec-create-only: only `create` is looked for, and today's clients open streams with `get` (WebSocket)";
    let apply = "note create-without-patch: objects that server-side apply creates are missed: its verb is `patch`";
    for (selection, expected) in [
        ("verb: create, objectRef.subresource: exec", exec),
        ("verb: [create, get], objectRef.subresource: [exec, attach]", ""),
        ("verb: create, objectRef.resource: pods, requestObject.spec.hostPID: true", apply),
        ("verb: [create, patch], objectRef.resource: pods, requestObject.spec.hostPID: true", ""),
        ("verb: create, objectRef.resource: pods, objectRef.subresource: eviction, requestObject.metadata.name: x", ""),
        ("verb: create, objectRef.resource: tokenreviews, requestObject.spec.audiences: x", ""),
        ("verb: create, objectRef.resource: pods", ""),
        (
            "responseStatus.code: 401, user.username: x",
            "note unauthenticated-user: events of code 401 have no `user.username`: nobody was known yet",
        ),
        ("responseStatus.code: [401, 403], user.username: x", ""),
    ] {
        assert_eq!(faults(selection), expected, "{selection}");
    }
}

#[test]
fn tests_of_one_field_must_agree() {
    let clash =
        |field: &str| format!("contradiction: the tests of `{field}` exclude each other, so the rule can never fire");
    for (detection, condition, expected) in [
        ("a: {verb: get}, b: {verb: list}", "a and b", clash("verb")),
        ("a: {verb: [get, list]}, b: {verb: list}", "a and b", String::new()),
        ("a: {verb: get}, b: {verb: [get, list]}", "a and not b", clash("verb")),
        ("a: {verb: [get, watch]}, b: {verb: [get, list]}", "a and not b", String::new()),
        ("a: {user.username: x}, b: {user.username: null}", "a and b", clash("user.username")),
        ("a: {user.username: system:x}, b: {user.username|startswith: 'system:'}", "a and b", String::new()),
        ("a: {user.username: alice}, b: {user.username|startswith: 'system:'}", "a and b", clash("user.username")),
        ("a: {user.username: 'a*'}, b: {user.username: 'b*'}", "a and b", clash("user.username")),
        ("a: {user.groups: x}, b: {user.groups: y}", "a and b", String::new()),
        (
            "a: {responseStatus.code|gte: 400}, b: {responseStatus.code|lt: 300}",
            "a and b",
            clash("responseStatus.code"),
        ),
        ("a: {responseStatus.code|gte: 400}, b: {responseStatus.code|lt: 500}", "a and b", String::new()),
        ("a: {responseStatus.code: 200}, b: {responseStatus.code|gte: 400}", "a and b", clash("responseStatus.code")),
    ] {
        assert_eq!(told(&check(&rule(AUDIT, detection, condition))), expected, "{detection}");
    }
}

#[test]
fn what_depends_on_a_test_is_told() {
    for (detection, condition, expected) in [
        (
            "a: {verb: get}, b: {verb: replace}",
            "a or b",
            "impossible-value: `verb` is never `replace`, so this alternative never matches",
        ),
        (
            "a: {verb: get}, b: {objectRef.kind: Pod}",
            "a and not b",
            "unknown-field: `objectRef` of an audit event has no field `kind`, so this exception never applies",
        ),
        (
            "a: {objectRef.resource: pods}, b: {verb: [get, replace]}",
            "a and not b",
            "note impossible-value: `verb` of a request for a resource is never `replace`, so this exception never applies",
        ),
        (
            "a: {verb: get}, b: {objectRef.resource: pods}, c: {verb: list, objectRef.name: x}",
            "a and (b or c)",
            "contradiction: the tests of `verb` exclude each other, so this alternative never matches",
        ),
        (
            "a: {verb: use}, b: {verb: bind}",
            "a or b",
            "impossible-value: `verb` is never `use`, so the rule can never fire\n\
             impossible-value: `verb` is never `bind`, so the rule can never fire",
        ),
        (
            "a: {objectRef.resource: [pods, deployments]}, b: {requestObject.spec.hostPID: true}, \
             c: {requestObject.spec.template.spec.hostPID: true}",
            "a and (b or c)",
            "",
        ),
        (
            "a: {objectRef.resource: pods}, b: {requestObject.spec.hostPID: true}, \
             c: {requestObject.spec.template.spec.hostPID: true}",
            "a and (b or c)",
            "",
        ),
    ] {
        assert_eq!(told(&check(&rule(AUDIT, detection, condition))), expected, "{detection}");
    }
}

#[test]
fn other_events_are_left_alone() {
    for source in ["{product: windows}", "{product: aws, service: cloudtrail}"] {
        assert_eq!(check(&rule(source, "s: {verb: replace, objectRef.kind: x}", "s")), [], "{source}");
    }
    let text = |field: &str, text: &str| Expr::Test {
        field: FieldPath::flat(field),
        pattern: Pattern::Text { text: text.to_owned(), case: Case::Sensitive, numeric: false },
    };
    for (origin, expected) in [
        (text("sourcetype", "aws:cloudtrail"), 0),
        (text("log_type", "GCP.Whatever"), 0),
        (text("log_type", "Amazon.EKS.Audit"), 1),
        (text("protoPayload.methodName", "x"), 0),
        (text("eventName", "x"), 0),
        (text("objectRef.resource", "pods"), 1),
    ] {
        let expr = Expr::And(vec![origin.clone(), text("verb", "replace")]);
        assert_eq!(check(&condition(expr)).len(), expected, "{origin:?}");
    }
}

#[test]
fn other_ways_to_write_a_test_are_read() {
    let field = |name: &str| Box::new(Expr::Field(FieldPath::flat(name)));
    let literal = |text: &str| Box::new(Expr::Literal(Value::text(text)));
    let compare = |op, name: &str, text: &str| Expr::Compare { op, left: field(name), right: literal(text) };
    let order = |op, text: &str| Expr::Test {
        field: FieldPath::flat("responseStatus.code"),
        pattern: Pattern::Order { op, literal: text.to_owned() },
    };
    let present = |path| Expr::Test { field: path, pattern: Pattern::Present };
    let of_pod = |path| {
        let pods = compare(CompareOp::Eq, "objectRef.resource", "pods");
        Expr::And(vec![pods, present(FieldPath::flat(path))])
    };
    for (expr, expected) in [
        (compare(CompareOp::Eq, "verb", "replace"), vec!["impossible-value"]),
        (
            Expr::And(vec![order(OrderOp::Gt, "400"), compare(CompareOp::Lt, "responseStatus.code", "400")]),
            vec!["contradiction"],
        ),
        (present(FieldPath::flat("user.groups")), vec!["unknown-field"]),
        (present(FieldPath::flat("user.groups{}")), vec![]),
        (of_pod("requestObject.spec.containers.image"), vec!["unknown-field"]),
        (of_pod("requestObject.spec.containers{}.image"), vec![]),
        (
            Expr::Or(vec![
                of_pod("requestObject.spec.containers.image"),
                of_pod("requestObject.spec.containers{}.image"),
            ]),
            vec![],
        ),
        (present(FieldPath::flat("requestObject{}.path")), vec![]),
        (present(FieldPath::keys(["objectref", "RESOURCE"])), vec![]),
        (present(FieldPath::keys(["objectRef", "kind"])), vec!["unknown-field"]),
        (
            Expr::Differs {
                field: FieldPath::dotted("objectRef.kind"),
                pattern: Pattern::Present,
                rule: masthead_ir::pattern::Differs::SomeValue,
            },
            vec!["unknown-field"],
        ),
    ] {
        let rule = condition(Expr::And(vec![compare(CompareOp::Ne, "userAgent", "x"), expr.clone()]));
        let codes: Vec<&str> = check(&rule).iter().map(|fault| fault.code).collect();
        assert_eq!(codes, expected, "{expr:?}");
    }
}

#[test]
fn depth_exhausts_nothing() {
    let mut expr = Expr::Test { field: FieldPath::flat("objectRef.kind"), pattern: Pattern::Present };
    for _ in 0..5_000 {
        expr = Expr::Not(Box::new(Expr::And(vec![expr])));
    }
    let rule = std::mem::ManuallyDrop::new(condition(Expr::And(vec![expr])));
    assert_eq!(check(&rule), []);
}

#[test]
fn length_exhausts_nothing() {
    let names: Vec<String> = (0..20_000).map(|at| format!("user{at}")).collect();
    let any = |names: &[String]| Expr::Test {
        field: FieldPath::flat("user.username"),
        pattern: Pattern::AnyOf(
            names.iter().map(|text| Pattern::Text { text: text.clone(), case: Case::Folded, numeric: false }).collect(),
        ),
    };
    let long = Expr::Test { field: FieldPath::dotted("requestObject.a".repeat(5_000)), pattern: Pattern::Present };
    let rule = condition(Expr::And(vec![any(&names), Expr::Not(Box::new(any(&names[1..]))), long]));
    assert!(check(&rule).is_empty());
}

#[test]
fn every_code_is_explained() {
    let codes: Vec<&str> = CODES.iter().map(|(code, _)| *code).collect();
    assert!(codes.is_sorted());
    for file in
        [include_str!("walk.rs"), include_str!("field.rs"), include_str!("resource.rs"), include_str!("requests.rs")]
    {
        for code in file
            .split('"')
            .filter(|text| text.contains('-') && text.bytes().all(|b| b == b'-' || b.is_ascii_lowercase()))
        {
            assert!(codes.contains(&code), "{code}");
        }
    }
}

#[test]
fn the_rules_that_come_along_can_fire() {
    let corpus = Corpus::read(&[PathBuf::from("../../rules")]).unwrap();
    let rules = compiled(&corpus);
    assert!(rules.len() > 100, "{}", rules.len());
    for rule in rules {
        let warnings: Vec<Fault> = check(&rule).into_iter().filter(|fault| fault.level == Level::Warning).collect();
        assert_eq!(warnings, [], "{}", rule.path.display());
    }
}
