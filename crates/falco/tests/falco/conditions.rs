//! What conditions mean.

use crate::support::{check, holds, rule_of};

const EVENT: &str = r#"{
    "auditID": "a-1", "stage": "ResponseComplete", "verb": "create", "requestURI": "/api/v1/pods?watch=1&command=sh&command=-c&x=a%20b+c&flag",
    "user": {"username": "Alice", "groups": ["dev", "system:authenticated"]},
    "sourceIPs": ["10.0.0.1", "192.168.1.2"],
    "objectRef": {"resource": "pods", "namespace": "kube-system"},
    "responseStatus": {"code": 201},
    "annotations": {"authorization.k8s.io/decision": "allow", "x/y": "slash"},
    "responseObject": {"metadata": {"name": "web-0"}},
    "requestObject": {
        "data": {"password": "x"},
        "subjects": [
            {"kind": "User", "name": "bob"},
            {"kind": "ServiceAccount", "name": "sa", "namespace": "ns"},
            {"kind": "Group", "name": "system:masters"}
        ],
        "rules": [{"verbs": ["get", "*"], "resources": ["pods"]}, {"verbs": ["list"], "resources": ["secrets"]}],
        "spec": {
            "hostNetwork": true,
            "type": "NodePort",
            "ports": [{"port": 80}],
            "securityContext": {"runAsUser": 1000, "supplementalGroups": [5, 6]},
            "containers": [
                {"name": "a", "image": "docker.io/nginx:1.2", "command": ["sh", "-c", "id"],
                 "securityContext": {"privileged": true, "capabilities": {"add": ["SYS_ADMIN", "NET_RAW"]}},
                 "ports": [{"hostPort": 8080, "containerPort": 80}, {"containerPort": 9090}]},
                {"name": "b", "image": "redis@sha256:00", "securityContext": {"runAsUser": 7}, "args": ["-x"]}
            ],
            "volumes": [{"name": "v", "hostPath": {"path": "/var/run/docker.sock"}}, {"name": "w", "emptyDir": {}}]
        }
    }
}"#;

fn all(expected: bool, conditions: &[&str]) {
    for condition in conditions {
        assert_eq!(holds(condition, EVENT), expected, "{condition}");
    }
}

#[test]
fn operators_compare_text() {
    all(
        true,
        &[
            "ka.verb=create",
            "ka.verb == 'create'",
            "ka.verb != get",
            "ka.response.code >= 200",
            "ka.response.code > 200 and ka.response.code < 300 and ka.response.code <= 201",
            "ka.user.name contains lic",
            "ka.user.name icontains ALIC",
            "ka.user.name startswith Al",
            "ka.response.code startswith 2",
            "ka.user.name endswith ice",
            "ka.user.name glob A*",
            "ka.user.name glob 'A?[h-j]c[!x]'",
            "ka.user.name iglob al*E",
            "ka.user.name regex '[A-Z][a-z]+'",
            "ka.verb in (get, create)",
            "ka.verb in(get,create)",
            "ka.verb in ('create')",
            "ka.verb intersects (create)",
            "ka.uri pmatch (/api/v1)",
            "ka.uri pmatch (/)",
            "ka.user.name exists",
            "tolower(ka.user.name) = alice",
            "toupper(ka.user.name) startswith AL",
            "len(ka.user.name) = 5",
            "basename(ka.uri) startswith pods",
        ],
    );
    all(
        false,
        &[
            "ka.verb=Create",
            "ka.verb != create",
            "ka.response.code < 200",
            "ka.user.name contains LIC",
            "ka.user.name startswith al",
            "ka.user.name endswith ICE",
            "ka.user.name glob a*",
            "ka.user.name regex 'lic'",
            "ka.verb in (get)",
            "ka.verb in ()",
            "ka.uri pmatch (/ap)",
            "tolower(ka.user.name) = Alice",
        ],
    );
}

#[test]
fn logic_binds_as_in_falco() {
    all(
        true,
        &[
            "ka.verb=create or ka.verb=get and ka.verb=list",
            "not ka.verb=get and ka.verb=create",
            "not not ka.verb=create",
            "not(ka.verb=get)",
            "((ka.verb=create))",
            "ka.verb=get or(ka.verb=create)",
        ],
    );
    all(false, &["(ka.verb=create or ka.verb=get) and ka.verb=list", "not (ka.verb=create or ka.verb=get)"]);
}

#[test]
fn a_missing_field_makes_every_comparison_false() {
    for comparison in [
        "= x",
        "!= x",
        "< 1",
        ">= 0",
        "contains x",
        "icontains x",
        "startswith x",
        "endswith x",
        "glob *",
        "regex .*",
        "in (x)",
        "intersects (x)",
        "pmatch (/)",
        "exists",
    ] {
        for field in ["ka.target.subresource", "ka.uri.param[none]", "tolower(ka.target.name)"] {
            all(false, &[&format!("{field} {comparison}")]);
            all(true, &[&format!("not {field} {comparison}")]);
        }
    }
}

#[test]
fn lists_want_all_values_in_a_set_or_any() {
    all(
        true,
        &[
            "ka.user.groups in (dev, 'system:authenticated', other)",
            "ka.user.groups intersects (dev)",
            "ka.user.groups exists",
            "ka.req.pod.containers.image.repository in (docker.io/nginx, redis)",
            "ka.req.pod.containers.image.repository intersects (redis, x)",
            "ka.req.pod.containers.image.repository[0] in (docker.io/nginx)",
            "ka.req.pod.containers.image[1] in ('redis@sha256:00')",
            "ka.req.pod.containers.command intersects ('sh -c id')",
            "ka.req.binding.subjects.user_names in (bob)",
        ],
    );
    all(
        false,
        &[
            "ka.user.groups in (dev)",
            "ka.user.groups in ()",
            "ka.user.groups intersects (ops)",
            "ka.req.pod.initContainers.image in (x)",
            "ka.req.pod.initContainers.image exists",
            "ka.req.pod.containers.image.repository in (docker.io/nginx)",
            "ka.req.pod.containers.image.repository in (docker.io/nginx, 'redis@sha256:00')",
            "ka.req.pod.containers.image[2] exists",
            "ka.req.binding.subjects.user_names in (x)",
        ],
    );
}

#[test]
fn fields_of_pods() {
    all(
        true,
        &[
            "ka.req.pod.containers.privileged intersects (true)",
            "ka.req.pod.containers.add_capabilities intersects (NET_RAW)",
            "ka.req.pod.containers.add_capabilities[0] in (SYS_ADMIN, NET_RAW)",
            "ka.req.pod.containers.host_port in (8080, 9090)",
            "ka.req.pod.containers.host_port[0] intersects (9090)",
            "ka.req.pod.containers.args in (-x)",
            "ka.req.pod.containers.run_as_user in (7)",
            "ka.req.pod.containers.eff_run_as_user in (7, 1000)",
            "ka.req.pod.containers.eff_run_as_user[0] in (1000)",
            "ka.req.pod.containers.eff_run_as_group in (0)",
            "ka.req.pod.run_as_user = 1000",
            "ka.req.pod.supplemental_groups in (5, 6)",
            "ka.req.pod.host_network = true and ka.req.pod.host_network intersects (true)",
            "not ka.req.pod.host_pid exists",
            "ka.req.pod.volumes.hostpath intersects (/var/run/docker.sock)",
            "ka.req.pod.volumes.hostpath[0] in (/var/run/docker.sock)",
            "not ka.req.pod.volumes.hostpath[1] exists",
            "ka.req.pod.volumes.volume_type in (hostPath, emptyDir)",
            "ka.req.pod.volumes.volume_type[1] in (emptyDir)",
            "ka.req.volume.hostpath[/var/run*] = true",
            "ka.req.volume.hostpath[/proc] = false",
            "ka.req.container.image = 'docker.io/nginx:1.2'",
            "ka.req.container.image.repository = docker.io/nginx",
            "ka.req.container.privileged = true",
            "ka.target.pod.name = web-0",
            "ka.resp.name = web-0",
        ],
    );
}

#[test]
fn fields_of_other_objects() {
    all(
        true,
        &[
            "ka.req.role.rules.verbs intersects ('*')",
            "ka.req.role.rules.verbs[1] in (list)",
            "ka.req.role.rules.resources in (pods, secrets)",
            "ka.req.role.rules exists",
            "ka.req.binding.subjects.serviceaccount_names in (sa)",
            "ka.req.binding.subjects.serviceaccount_ns_names in (ns:sa)",
            "ka.req.binding.subjects.group_names in (system:masters)",
            "ka.req.binding.subject.has_name[x] = true",
            "ka.req.configmap.obj contains password",
            "ka.req.service.type = NodePort",
            "ka.req.service.ports exists",
            "ka.auth.decision = allow",
            "ka.sourceips intersects (10.0.0.1)",
            "ka.sourceips[1] in (192.168.1.2)",
            "evt.source = k8s_audit",
        ],
    );
}

#[test]
fn json_pointers_and_parameters() {
    all(
        true,
        &[
            "jevt.value[/stage] in (ResponseComplete)",
            "jevt.value[/requestObject/spec/containers/1/name] = b",
            "jevt.value[/requestObject/spec/containers/0/ports/1/containerPort] = 9090",
            "jevt.value[/user/groups/0] = dev",
            "jevt.value[/annotations/x~1y] = slash",
            "jevt.value[/requestObject/spec/volumes] exists",
            "not json.value[/requestObject/spec/tls] exists",
            "jevt.rawtime exists and not jevt.rawtime=0",
            "jevt.obj contains hostPath",
            "ka.uri.param[command] = sh",
            "ka.uri.param['x'] = 'a b c'",
            "ka.uri.param[flag] = ''",
            "not ka.uri.param[comm] exists",
        ],
    );
    all(false, &["jevt.value[/requestObject/spec/containers/2/name] exists", "ka.uri.param[command] = '-c'"]);
}

#[test]
fn macros_and_lists_are_put_in() {
    let items = "
- list: inner
  items: [create, \"two words\"]
- list: verbs
  items: [get, inner]
- macro: base
  condition: ka.verb in (verbs)
- macro: either
  condition: ka.verb=x or base
";
    check(&rule_of(items, "either and ka.user.name=Alice"), EVENT, &["r"]);
    check(&rule_of(items, "ka.verb=nothing and either"), EVENT, &[]);
    check(&rule_of(items, "ka.verb in (\"inner\")"), EVENT, &[]);
    check(&rule_of(items, "ka.verb in inner"), EVENT, &["r"]);
    check(&rule_of(items, "not base"), EVENT, &[]);
}

#[test]
fn several_documents_and_texts_over_lines() {
    let rules = format!("- macro: m\n  condition: ka.verb=create\n---\n{}", rule_of("", "m\nand\nka.user.name=Alice"));
    check(&rules, EVENT, &["r"]);
}
