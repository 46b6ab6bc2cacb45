//! Which conditions are blind.

use masthead_ir::expr::{CompareOp, Expr};
use masthead_ir::pattern::{Case, Differs, Pattern};
use masthead_ir::pipeline::{Pipeline, Source, Stage};
use masthead_ir::rule::{Body, Script, Trigger};
use masthead_ir::{FieldPath, Value};
use masthead_policy::{Needs, Verdict, blind, blind_body, needs};

use crate::{MIXED, and, glob, has, is, not, one_of, or, policy, rules, test};

fn mixed(condition: &Expr) -> Verdict {
    blind(&policy(MIXED), condition)
}

fn blind_because(condition: &Expr, reason: &str) {
    assert_eq!(mixed(condition), Verdict::Blind(vec![reason.to_owned()]));
}

#[test]
fn bodies_of_secrets_are_not_logged() {
    let secrets = and([is("objectRef.resource", "secrets"), is("verb", "create"), has("requestObject.data")]);
    blind_because(
        &secrets,
        "policy rule 2 (line 7) logs create of secrets at Metadata; the rule reads requestObject.data, which needs Request",
    );
    let open = and([is("objectRef.resource", "secrets"), has("requestObject.type")]);
    blind_because(
        &open,
        "policy rule 2 (line 7) logs secrets at Metadata; the rule reads requestObject.type, which needs Request",
    );
    assert_eq!(mixed(&and([is("objectRef.resource", "secrets"), is("verb", "get")])), Verdict::Sees);
}

#[test]
fn answers_of_reads_are_not_logged() {
    blind_because(
        &and([is("objectRef.resource", "pods"), is("verb", "get"), is("responseObject.kind", "Pod")]),
        "policy rule 3 (line 13) logs get of pods at Request; the rule reads responseObject.kind, which needs RequestResponse",
    );
    assert_eq!(mixed(&and([is("objectRef.resource", "pods"), has("responseObject.kind")])), Verdict::Sees);
}

#[test]
fn what_a_rule_lists_must_be_seen_each() {
    let both = and([
        one_of("objectRef.resource", &["secrets", "pods"]),
        is("verb", "create"),
        has("requestObject.metadata.name"),
    ]);
    let reason = "policy rule 2 (line 7) logs create of secrets at Metadata; the rule reads \
                  requestObject.metadata.name, which needs Request";
    assert_eq!(mixed(&both), Verdict::Partly(vec![reason.to_owned()]));
    let spelled = and([
        or([is("objectRef.resource", "secrets"), is("objectRef.resource", "pods")]),
        is("verb", "create"),
        has("requestObject.metadata.name"),
    ]);
    assert_eq!(mixed(&spelled), mixed(&both));
    // Left open, something else will do.
    assert_eq!(mixed(&and([is("verb", "create"), has("requestObject.metadata.name")])), Verdict::Sees);
}

#[test]
fn a_negated_test_needs_no_field() {
    let secrets = is("objectRef.resource", "secrets");
    assert_eq!(mixed(&and([secrets.clone(), not(has("requestObject.data"))])), Verdict::Sees);
    let field = masthead_schema::field("requestObject.type");
    let differs = Expr::Differs { field, pattern: crate::text("Opaque"), rule: Differs::SomeValue };
    assert!(matches!(mixed(&and([secrets.clone(), differs.clone()])), Verdict::Blind(_)));
    assert_eq!(mixed(&and([secrets, not(differs)])), Verdict::Sees);
}

#[test]
fn a_path_that_is_dropped_for_a_user_is_not_seen_of_them() {
    let of = |user| and([test("requestURI", glob("/healthz*")), is("user.username", user)]);
    blind_because(&of("system:nobody"), "policy rule 1 (line 4) does not log /healthz (level None)");
    assert_eq!(mixed(&of("jane")), Verdict::Sees);
}

#[test]
fn no_policy_helps_against_what_never_happens() {
    for (condition, reason) in [
        (
            is("verb", "impersonate"),
            "no request has the verb impersonate: an impersonated request has a verb of its own",
        ),
        (and([is("verb", "get"), is("verb", "list")]), "no request has such a verb"),
        (is("objectRef.resource", "pods/exec"), "no request is about the resource pods/exec, as the rule has it"),
        (
            and([is("stage", "RequestReceived"), has("requestObject.spec")]),
            "no event holds what the rule reads at the stage that it asks for",
        ),
        (
            and([is("responseStatus.code", "401"), has("requestObject.spec")]),
            "the event of a request whose user is not known has no bodies",
        ),
        (Expr::Or(Vec::new()), "the condition is never true"),
    ] {
        blind_because(&condition, reason);
    }
    // Another way in is enough.
    assert_eq!(mixed(&or([is("verb", "impersonate"), has("impersonatedUser.username")])), Verdict::Sees);
}

#[test]
fn nothing_is_seen_that_no_rule_matches() {
    let policy = rules("  - {level: Metadata, verbs: [create], resources: [{group: '', resources: [pods/exec]}]}\n");
    let exec = and([is("objectRef.resource", "pods"), is("objectRef.subresource", "exec")]);
    // Clients ask with get or with create.
    let reason = "no policy rule matches pods/exec, so it is not logged".to_owned();
    assert_eq!(blind(&policy, &exec), Verdict::Partly(vec![reason]));
    assert_eq!(blind(&policy, &and([exec, is("verb", "create")])), Verdict::Sees);
    let reason = "no policy rule matches pods, so it is not logged".to_owned();
    assert_eq!(blind(&policy, &is("objectRef.resource", "pods")), Verdict::Blind(vec![reason]));
    let uri = test("requestURI", glob("*/exec?*"));
    assert!(matches!(blind(&policy, &uri), Verdict::Partly(_)), "{:?}", blind(&policy, &uri));
}

#[test]
fn stages_that_are_left_out_are_not_seen() {
    let policy = policy(
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived, ResponseComplete]\nrules:\n- level: Metadata\n",
    );
    let reason = |what: &str| Verdict::Blind(vec![format!("policy rule 1 (line 5) logs {what}, which the rule needs")]);
    let pods = is("objectRef.resource", "pods");
    let both = "get of pods without the stage RequestReceived or ResponseComplete";
    assert_eq!(blind(&policy, &and([pods.clone(), is("verb", "get")])), reason(both));
    assert_eq!(blind(&policy, &and([pods.clone(), is("verb", "watch")])), Verdict::Sees);
    let one = "get of pods without the stage ResponseComplete";
    let done = and([pods, is("verb", "get"), is("responseStatus.code", "200")]);
    assert_eq!(blind(&policy, &done), reason(one));
    // Nobody: its only event is of another stage.
    assert_eq!(blind(&policy, &is("responseStatus.code", "401")), Verdict::Sees);
}

#[test]
fn managed_fields_may_be_left_out() {
    let policy = rules("  - {level: RequestResponse, omitManagedFields: true}\n");
    let reads = and([is("objectRef.resource", "pods"), has("requestObject.metadata.managedFields.manager")]);
    let reason = "policy rule 1 (line 4) logs pods without metadata.managedFields, which the rule reads";
    assert_eq!(blind(&policy, &reads), Verdict::Blind(vec![reason.to_owned()]));
}

#[test]
fn a_policy_for_some_is_seen_in_part() {
    let secrets = is("objectRef.resource", "secrets");
    for only in ["namespaces: [prod]", "users: [bob]", "userGroups: [devs]"] {
        let policy = rules(&format!("  - {{level: Metadata, {only}}}\n"));
        assert!(matches!(blind(&policy, &secrets), Verdict::Partly(_)), "{only}");
    }
    let named = rules("  - {level: Metadata, resources: [{group: '', resources: [secrets], resourceNames: [db]}]}\n");
    assert!(matches!(blind(&named, &secrets), Verdict::Partly(_)));
    assert_eq!(blind(&named, &and([secrets.clone(), is("objectRef.name", "db")])), Verdict::Sees);
    assert!(matches!(blind(&named, &and([secrets, is("objectRef.name", "web")])), Verdict::Blind(_)));
}

#[test]
fn resources_that_no_table_knows_are_taken_from_the_policy() {
    let policy = rules("  - {level: Metadata, resources: [{group: example.com, resources: [widgets]}]}\n");
    assert_eq!(blind(&policy, &is("objectRef.resource", "widgets")), Verdict::Sees);
    assert!(matches!(blind(&policy, &is("objectRef.resource", "gadgets")), Verdict::Blind(_)));
    let grouped = |group| and([is("objectRef.apiGroup", group), is("objectRef.resource", "widgets")]);
    assert_eq!(blind(&policy, &grouped("example.com")), Verdict::Sees);
    assert!(matches!(blind(&policy, &grouped("example.org")), Verdict::Blind(_)));
}

#[test]
fn what_cannot_be_told_counts_as_seen() {
    let policy = rules("  - {level: None}\n");
    let regex = |name, regex: &str| test(name, Pattern::Regex(regex.to_owned()));
    assert_eq!(blind(&policy, &regex("user.username", "^CORP-[0-9]+$")), Verdict::Sees);
    assert!(matches!(blind(&policy, &regex("user.username", "^system:serviceaccount:")), Verdict::Blind(_)));
    assert!(matches!(blind(&policy, &regex("objectRef.resource", "^(secrets|pods)$")), Verdict::Blind(_)));
    // Too many ways.
    let verbs = ["get", "list", "create", "update"];
    let ways: Vec<Expr> =
        (0..600).map(|at| and([is("objectRef.name", &at.to_string()), is("verb", verbs[at % 4])])).collect();
    assert_eq!(needs(&Expr::Or(ways.clone())), Needs::Unknown);
    assert_eq!(blind(&policy, &Expr::Or(ways.clone())), Verdict::Sees);
    // Beside something plain they are left out.
    let beside = and([is("objectRef.resource", "pods"), Expr::Or(ways)]);
    assert!(matches!(blind(&policy, &beside), Verdict::Blind(_)));
    let mut deep = is("verb", "get");
    for _ in 0..300 {
        deep = not(deep);
    }
    assert_eq!(blind(&policy, &deep), Verdict::Sees);
}

#[test]
fn fields_are_known_however_they_are_written() {
    let walk = |keys: &[&str]| FieldPath::keys(keys.iter().copied());
    let resource = Expr::Test { field: walk(&["objectref", "Resource"]), pattern: crate::text("secrets") };
    let groups = Expr::Test { field: FieldPath::flat("user.groups{}"), pattern: crate::text("devs") };
    for data in [
        walk(&["requestObject", "data"]),
        FieldPath::flat("requestObject.data{}.x"),
        FieldPath::flat("~requestObject.data"),
    ] {
        let reads = Expr::Test { field: data, pattern: Pattern::Present };
        let verdict = mixed(&and([resource.clone(), groups.clone(), reads]));
        assert!(matches!(verdict, Verdict::Blind(_)), "{verdict:?}");
    }
    let compare = |op, name: &str, value: &str| Expr::Compare {
        op,
        left: Box::new(Expr::Field(masthead_schema::field(name))),
        right: Box::new(Expr::Literal(Value::text(value))),
    };
    let secrets = compare(CompareOp::Eq, "objectRef.resource", "secrets");
    let other = compare(CompareOp::Ne, "requestObject.type", "Opaque");
    assert!(matches!(mixed(&and([secrets.clone(), other])), Verdict::Blind(_)));
    assert_eq!(mixed(&secrets), Verdict::Sees);
    let folded = Pattern::Text { text: "Secrets".into(), case: Case::Folded, numeric: true };
    let reads = and([test("objectRef.resource", folded), has("responseObject.data")]);
    assert!(matches!(mixed(&reads), Verdict::Blind(_)));
}

#[test]
fn a_body_is_blind_if_a_part_that_it_must_have_is() {
    let source = |filter: Expr| Source::Events { filter, range: None };
    let body = |filter: Expr, stages: Vec<Stage>| Body::Pipeline(Pipeline { source: source(filter), stages });
    let seen = is("objectRef.resource", "pods");
    let unseen = and([is("objectRef.resource", "secrets"), has("responseObject.data")]);
    let other = |filter: &Expr| Box::new(Pipeline { source: source(filter.clone()), stages: Vec::new() });
    let policy = policy(MIXED);
    let join = |outer| Stage::Join { keys: Vec::new(), outer, max: 1, overwrite: true, right: other(&unseen) };
    let verdict = |stages| blind_body(&policy, &body(seen.clone(), stages));
    assert_eq!(verdict(vec![]), Verdict::Sees);
    assert!(matches!(verdict(vec![join(false)]), Verdict::Blind(_)));
    assert!(matches!(verdict(vec![join(true)]), Verdict::Partly(_)));
    assert!(matches!(verdict(vec![Stage::Append(other(&unseen))]), Verdict::Partly(_)));
    assert!(matches!(verdict(vec![Stage::Filter(unseen.clone())]), Verdict::Blind(_)));
    assert_eq!(masthead_policy::conditions(&body(seen.clone(), vec![join(false)])), [seen, unseen]);
}

#[test]
fn guards_of_scripts_are_asked_for_audit_events() {
    let log_type =
        |value: &str| Expr::Test { field: FieldPath::flat("log_type"), pattern: Pattern::Same(Value::text(value)) };
    let own = |value: &str| {
        let field = || FieldPath::keys(["p_log_type"]);
        let present = Expr::Test { field: field(), pattern: Pattern::Present };
        and([present, not(Expr::Test { field: field(), pattern: Pattern::Same(Value::text(value)) })])
    };
    let unseen = and([is("objectRef.resource", "secrets"), has("responseObject.data"), Expr::Literal(Value::Absent)]);
    let part = |value: &str, guard: Expr| or([not(log_type(value)), own(value), guard]);
    let guard = and([part("GCP.AuditLog", is("verb", "get")), part("Amazon.EKS.Audit", unseen)]);
    assert!(matches!(mixed(&guard), Verdict::Blind(_)), "{:?}", mixed(&guard));

    let script = |log_types: &[&str]| {
        let script = Script {
            log_types: log_types.iter().map(|name| (*name).to_owned()).collect(),
            guard: guard.clone(),
            module: String::new(),
            source: "".into(),
            source_path: "rule.py".into(),
            library: Default::default(),
            config: serde_json::Value::Null,
        };
        let trigger = Trigger { threshold: 1, period_minutes: 60, summary: Vec::new(), alert: true };
        Body::Script(script, trigger)
    };
    let policy = policy(MIXED);
    assert!(matches!(blind_body(&policy, &script(&["Amazon.EKS.Audit", "GCP.AuditLog"])), Verdict::Blind(_)));
    assert_eq!(blind_body(&policy, &script(&["GCP.AuditLog"])), Verdict::Sees);
    assert_eq!(masthead_policy::conditions(&script(&["GCP.AuditLog"])), []);
}

#[test]
fn what_is_no_audit_event_is_not_blind() {
    let nothing = rules("  - {level: None}\n");
    assert_eq!(blind(&nothing, &is("output_fields.proc.name", "bash")), Verdict::Sees);
    assert!(matches!(blind(&nothing, &and([is("sourcetype", "kube:audit"), is("verb", "get")])), Verdict::Blind(_)));
}
