//! Attacks of Stratus Red Team on Kubernetes, and which rules find them.
//!
//! What an attack does to the API server is read off its documentation and code (DataDog,
//! <https://stratus-red-team.cloud/attack-techniques/kubernetes/>). An attack counts as covered if a rule for its technique
//! tests the fields that tell it, and its condition on events holds for an event as the attack makes it.

mod events;

use masthead_ir::eval::{Context, Program};
use masthead_ir::pipeline::Stage;
use masthead_ir::rule::{Body, Rule};
use masthead_ir::{Expr, FieldPath, Value};
use serde::Serialize;
use serde_json::Value as Json;

use crate::condition;
use crate::coverage::{RuleName, named};
use crate::microsoft::Visibility;
use crate::row::EventRow;

/// An attack.
#[derive(Debug, Clone, Copy)]
pub struct Attack {
    /// Its id.
    pub id: &'static str,
    /// What the API server is asked to do.
    pub what: &'static str,
    /// Where it can be seen.
    pub visibility: Visibility,
    /// The ATT&CK techniques that a rule must name one of.
    pub techniques: &'static [&'static str],
    /// The fields that tell the attack, as dotted names; a rule must test one of them or a part of it.
    pub telling: &'static [&'static str],
    events: fn() -> Vec<Json>,
}

impl Attack {
    /// Audit events as the attack makes them; those that tell it, not all.
    pub fn events(&self) -> Vec<Json> {
        (self.events)()
    }
}

/// The attacks, by id.
pub const ATTACKS: &[Attack] = &[
    Attack {
        id: "eks.lateral-movement.create-access-entry",
        what: "nothing: access is given in the API of the cloud (CreateAccessEntry, AssociateAccessPolicy)",
        visibility: Visibility::Cloud,
        techniques: &["T1098", "T1098.006"],
        telling: &[],
        events: Vec::new,
    },
    Attack {
        id: "eks.persistence.backdoor-aws-auth-configmap",
        what: "updates the config map aws-auth with one more role",
        visibility: Visibility::Bodies,
        techniques: &["T1098", "T1098.001", "T1098.003", "T1098.006", "T1078", "T1078.004"],
        telling: &["objectRef.name", "requestObject.data"],
        events: events::backdoor_aws_auth,
    },
    Attack {
        id: "k8s.credential-access.dump-secrets",
        what: "lists the secrets of all namespaces",
        visibility: Visibility::Audit,
        techniques: &["T1552", "T1552.007", "T1555"],
        telling: &["objectRef.resource", "requestURI"],
        events: events::dump_secrets,
    },
    Attack {
        id: "k8s.credential-access.steal-serviceaccount-token",
        what: "reads the token of a pod by exec",
        visibility: Visibility::Audit,
        techniques: &["T1528", "T1552", "T1552.001", "T1552.007", "T1609"],
        telling: &["objectRef.subresource", "requestURI"],
        events: events::steal_token,
    },
    Attack {
        id: "k8s.persistence.create-admin-clusterrole",
        what: "makes a cluster role with all rights, a service account and a binding of both",
        visibility: Visibility::Bodies,
        techniques: &["T1098", "T1098.006", "T1136", "T1136.001", "T1078", "T1078.003"],
        telling: &["objectRef.resource", "requestObject.rules", "requestObject.roleRef"],
        events: events::create_admin_role,
    },
    Attack {
        id: "k8s.persistence.create-client-certificate",
        what: "asks for a client certificate and approves the request itself",
        visibility: Visibility::Bodies,
        techniques: &["T1098", "T1649", "T1136", "T1078", "T1550", "T1550.001", "T1552.004"],
        telling: &["objectRef.resource", "objectRef.subresource", "requestObject.spec.signerName"],
        events: events::create_certificate,
    },
    Attack {
        id: "k8s.persistence.create-token",
        what: "asks for a long-lived token of a service account of kube-system",
        visibility: Visibility::Bodies,
        techniques: &["T1528", "T1550", "T1550.001", "T1098", "T1078", "T1552", "T1552.007"],
        telling: &["objectRef.subresource", "requestObject.spec.expirationSeconds"],
        events: events::create_token,
    },
    Attack {
        id: "k8s.privilege-escalation.hostpath-volume",
        what: "makes a pod that mounts the root of the node",
        visibility: Visibility::Bodies,
        techniques: &["T1611", "T1610", "T1068", "T1552.001"],
        telling: &["requestObject.spec.volumes"],
        events: events::host_path,
    },
    Attack {
        id: "k8s.privilege-escalation.nodes-proxy",
        what: "asks the kubelet of a node for its pods, through the proxy of nodes",
        visibility: Visibility::Audit,
        techniques: &["T1613", "T1609", "T1611", "T1068", "T1078", "T1090", "T1552.007"],
        telling: &["objectRef.subresource", "requestURI"],
        events: events::nodes_proxy,
    },
    Attack {
        id: "k8s.privilege-escalation.privileged-pod",
        what: "makes a pod with a privileged container",
        visibility: Visibility::Bodies,
        techniques: &["T1611", "T1610", "T1068", "T1548"],
        telling: &["requestObject.spec.containers.securityContext"],
        events: events::privileged_pod,
    },
];

/// An attack and the rules that find it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttackCover {
    /// Its id.
    pub id: &'static str,
    /// What the API server is asked to do.
    pub what: &'static str,
    /// Where it can be seen.
    pub visibility: Visibility,
    /// Rules that find it by a single event.
    pub rules: Vec<RuleName>,
}

impl AttackCover {
    /// Whether there is a rule for it.
    pub fn is_covered(&self) -> bool {
        !self.rules.is_empty()
    }
}

/// Which of the rules find which attack.
pub(crate) fn cover(rules: &[&Rule]) -> Vec<AttackCover> {
    let candidates: Vec<(Candidate<'_>, std::collections::BTreeSet<String>)> =
        rules.iter().filter_map(|rule| Some((Candidate::of(rule)?, named(rule)))).collect();
    let mut covers = Vec::with_capacity(ATTACKS.len());
    for attack in ATTACKS {
        let rows: Vec<EventRow> = attack.events().into_iter().map(EventRow::new).collect();
        let mut found: Vec<RuleName> = Vec::new();
        for (candidate, named) in &candidates {
            if attack.techniques.iter().any(|id| named.contains(*id))
                && candidate.tests(attack.telling)
                && rows.iter().any(|row| candidate.finds(row))
            {
                found.push(RuleName::of(candidate.rule));
            }
        }
        found.sort();
        covers.push(AttackCover { id: attack.id, what: attack.what, visibility: attack.visibility, rules: found });
    }
    covers
}

/// A rule that may find something by a single event.
struct Candidate<'r> {
    rule: &'r Rule,
    fields: Vec<String>,
    programs: Vec<Program>,
    /// Whether what is unknown passes: a script runs for it, and of the envelope nothing is known here.
    lenient: bool,
}

impl<'r> Candidate<'r> {
    /// None for rules that look for several events, and for rules that do not look at events.
    fn of(rule: &'r Rule) -> Option<Candidate<'r>> {
        let (conditions, script) = match &rule.body {
            Body::Script(script, _) => (vec![&script.guard], true),
            Body::Pipeline(pipeline) => {
                if pipeline.stages.iter().any(|stage| matches!(stage, Stage::Correlate(_))) {
                    return None;
                }
                (condition::source(pipeline).into_iter().chain(condition::leading(pipeline)).collect(), false)
            }
        };
        let mut lenient = script;
        let mut programs = Vec::new();
        for condition in conditions {
            let open = without_envelope(condition.clone(), &mut lenient);
            programs.push(Program::compile(&open).ok()?);
        }
        Some(Candidate { rule, fields: condition::fields(rule), programs, lenient })
    }

    fn tests(&self, telling: &[&str]) -> bool {
        telling.iter().any(|name| {
            let part = format!("{name}.");
            self.fields.iter().any(|field| field == name || field.starts_with(&part))
        })
    }

    fn finds(&self, row: &EventRow) -> bool {
        let passes = |program: &Program| match program.truth(row, &Context::default()) {
            Some(truth) => truth,
            None => self.lenient,
        };
        !self.programs.is_empty() && self.programs.iter().all(passes)
    }
}

/// Fields of what an event came in. The events here come in nothing.
const ENVELOPE: &[&str] = &["log_type", "source", "sourcetype", "index", "host", "cluster", "account", "eventtype"];

/// The condition with tests of the envelope left open.
fn without_envelope(expr: Expr, open: &mut bool) -> Expr {
    let outside = |field: &FieldPath| ENVELOPE.contains(&condition::plain(field).as_str());
    match expr {
        Expr::Test { field, .. } | Expr::Differs { field, .. } if outside(&field) => {
            *open = true;
            Expr::Literal(Value::Absent)
        }
        Expr::And(parts) => Expr::And(parts.into_iter().map(|part| without_envelope(part, open)).collect()),
        Expr::Or(parts) => Expr::Or(parts.into_iter().map(|part| without_envelope(part, open)).collect()),
        Expr::Not(part) => Expr::Not(Box::new(without_envelope(*part, open))),
        other => other,
    }
}
