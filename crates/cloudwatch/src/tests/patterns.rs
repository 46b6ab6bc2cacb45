//! What patterns match, form by form and operator by operator.

use super::check;

const EVENT: &str = r#"{
  "kind": "Event", "verb": "create", "stage": "ResponseComplete",
  "user": {"username": "system:anonymous", "groups": ["system:unauthenticated", "dev"]},
  "sourceIPs": ["10.0.3.7", "192.0.2.44"],
  "objectRef": {"resource": "pods", "subresource": "exec", "namespace": "kube-system"},
  "responseStatus": {"code": 403},
  "annotations": {"authorization.k8s.io/decision": "forbid", "note": null, "odd": "a*b"},
  "latency": 12.5, "share": "about 50", "dryRun": true, "final": false, "empty": {}, "none": [],
  "requestObject": {"spec": {"hostNetwork": true, "containers": [
    {"name": "a", "image": "nginx", "ports": [80, 443], "securityContext": {"privileged": false}},
    {"name": "b", "image": "alpine", "securityContext": {"privileged": true}}]}},
  "matrix": [[1, 2], [3, 4]]
}"#;

fn all(cases: &[(&str, bool)]) {
    for (pattern, matches) in cases {
        check(pattern, EVENT, *matches);
    }
}

#[test]
fn text_is_compared_as_a_whole_and_case_counts() {
    all(&[
        (r#"{ $.verb = "create" }"#, true),
        (r#"{$.verb="create"}"#, true),
        ("{ $.verb = create }", true),
        (r#"{ $.verb = "Create" }"#, false),
        (r#"{ $.verb = "creat" }"#, false),
        (r#"{ $.Verb = "create" }"#, false),
        (r#"{ $.verb != "create" }"#, false),
        (r#"{ $.verb != "get" }"#, true),
        (r#"{ $.user.username = "system:*" }"#, true),
        (r#"{ $.user.username = "*:anonymous" }"#, true),
        (r#"{ $.user.username = "*anon*" }"#, true),
        ("{ $.user.username = *anon* }", true),
        (r#"{ $.user.username != "system:*" }"#, false),
        (r#"{ $.user.username != "admin*" }"#, true),
        ("{ $.verb = * }", true),
        (r#"{ $.verb = "*" }"#, true),
        ("{ $.absent = * }", false),
        (r#"{ $.annotations.odd = "a*b" }"#, true),
        (r#"{ $.verb = "cr*te" }"#, false),
        ("{ $.dryRun = true }", true),
    ]);
}

#[test]
fn numbers_are_compared_by_value() {
    all(&[
        ("{ $.responseStatus.code = 403 }", true),
        ("{ $.responseStatus.code = 403.0 }", true),
        ("{ $.responseStatus.code = 4.03e2 }", true),
        ("{ $.responseStatus.code = 4* }", true),
        ("{ $.responseStatus.code = 5* }", false),
        (r#"{ $.responseStatus.code = "403" }"#, true),
        (r#"{ $.responseStatus.code = "403.0" }"#, false),
        ("{ $.responseStatus.code != 403 }", false),
        ("{ $.responseStatus.code != 404 }", true),
        ("{ $.responseStatus.code > 402 }", true),
        ("{ $.responseStatus.code > 403 }", false),
        ("{ $.responseStatus.code >= 403 }", true),
        ("{ $.responseStatus.code < +500 }", true),
        ("{ $.responseStatus.code <= 402.9 }", false),
        ("{ $.latency > 10e0 }", true),
        ("{ $.latency < 1.25e1 }", false),
        ("{ $.latency > -1 }", true),
        ("{ $.share > 10 }", false),
        ("{ $.verb > 10 }", false),
    ]);
}

#[test]
fn nothing_passes_a_comparison_of_what_is_not_there() {
    all(&[
        (r#"{ $.absent = "x" }"#, false),
        (r#"{ $.absent != "x" }"#, false),
        ("{ $.absent != 1 }", false),
        ("{ $.absent < 1 }", false),
        ("{ $.absent IS TRUE }", false),
        ("{ $.absent IS NULL }", false),
        (r#"{ $.absent != %x% }"#, false),
        (r#"{ $.user != "x" }"#, false),
        ("{ $.absent[0] != 1 }", false),
    ]);
}

#[test]
fn existence_null_and_truth() {
    all(&[
        ("{ $.absent NOT EXISTS }", true),
        ("{ $.absent.deeper not exists }", true),
        ("{ $.verb NOT EXISTS }", false),
        ("{ $.impersonatedUser NOT EXISTS }", true),
        ("{ $.user NOT EXISTS }", false),
        ("{ $.empty NOT EXISTS }", false),
        ("{ $.none NOT EXISTS }", true),
        ("{ $.annotations.note NOT EXISTS }", false),
        ("{ $.annotations.note IS NULL }", true),
        ("{ $.verb IS NULL }", false),
        ("{ $.dryRun IS TRUE }", true),
        ("{ $.dryRun is false }", false),
        ("{ $.final IS FALSE }", true),
        ("{ $.final IS TRUE }", false),
        ("{ $.verb IS TRUE }", false),
        ("{ $.requestObject.spec.containers[5].name NOT EXISTS }", true),
        ("{ $.requestObject.spec.containers[1].name NOT EXISTS }", false),
    ]);
}

#[test]
fn regular_expressions_search() {
    all(&[
        ("{ $.user.username = %anon% }", true),
        ("{ $.user.username = %^anon% }", false),
        ("{ $.user.username = %^system:[a-z]+$% }", true),
        ("{ $.responseStatus.code = %4[0-9]{2}% }", true),
        ("{ $.user.username != %admin% }", true),
        ("{ $.user.username != %anon% }", false),
    ]);
}

#[test]
fn and_binds_tighter_than_or() {
    all(&[
        (r#"{ $.verb = "create" || $.verb = "get" && $.stage = "x" }"#, true),
        (r#"{ ($.verb = "create" || $.verb = "get") && $.stage = "x" }"#, false),
        (r#"{ ($.verb = "create") && (($.stage = "ResponseComplete")) }"#, true),
        (r#"{ $.verb = create&&$.stage=ResponseComplete }"#, true),
        (r#"{ $.verb = get || $.stage = x || $.responseStatus.code >= 400 }"#, true),
        (r#"{ $.verb = "create" && ($.user.username != "system:*" || $.responseStatus.code >= 400) }"#, true),
        ("{ $.absent = 1 || $.verb = create }", true),
    ]);
}

#[test]
fn selectors_reach_names_with_dots_and_elements() {
    all(&[
        (r#"{ $.annotations["authorization.k8s.io/decision"] = "forbid" }"#, true),
        (r#"{ $.annotations['authorization.k8s.io/decision'] = "forbid" }"#, true),
        (r#"{ $.annotations.['authorization.k8s.io/decision'] = "allow" }"#, false),
        (r#"{ $.sourceIPs[0] = "10.*" }"#, true),
        (r#"{ $.sourceIPs[0] = 10.0.3.7 }"#, true),
        (r#"{ $.sourceIPs[1] = "10.*" }"#, false),
        (r#"{ $.sourceIPs[1] != "10.*" }"#, true),
        (r#"{ $.sourceIPs[0] != "10.*" }"#, false),
        (r#"{ $.sourceIPs[7] != "10.*" }"#, false),
        (r#"{ $.sourceIPs[1] = %^192% }"#, true),
        (r#"{ $.sourceIPs[*] = "192.*" }"#, true),
        (r#"{ $.user.groups[*] = "dev" }"#, true),
        ("{ $.requestObject.spec.containers[1].image = alpine }", true),
        ("{ $.requestObject.spec.containers[0].image = alpine }", false),
        ("{ $.requestObject.spec.containers[0].ports[1] >= 443 }", true),
        ("{ $.requestObject.spec.containers[0].ports[0] >= 443 }", false),
        ("{ $.requestObject.spec.containers[0].image > 1 }", false),
        ("{ $.requestObject.spec.containers[1].securityContext.privileged IS TRUE }", true),
        ("{ $.requestObject.spec.containers[0].securityContext.privileged IS TRUE }", false),
        ("{ $.requestObject.spec.containers[*].securityContext.privileged IS TRUE }", true),
        ("{ $.matrix[0][1] = 2 }", true),
        ("{ $.matrix[1][1] = 2 }", false),
        ("{ $.verb[0] = create }", false),
    ]);
}

#[test]
fn fields_go_through_arrays() {
    all(&[
        (r#"{ $.user.groups = "dev" }"#, true),
        (r#"{ $.user.groups != "dev" }"#, false),
        (r#"{ $.user.groups != "system:masters" }"#, true),
        (r#"{ $.user.groups[*] != "dev" }"#, true),
        (r#"{ $.requestObject.spec.containers.image = "alpine" }"#, true),
        ("{ $.requestObject.spec.containers.securityContext.privileged IS TRUE }", true),
        ("{ $.requestObject.spec.hostNetwork IS TRUE }", true),
    ]);
}

#[test]
fn terms_are_looked_for_in_the_raw_event() {
    for (pattern, line, matches) in [
        ("", "anything", true),
        ("  ", "anything", true),
        (r#""""#, "anything", true),
        ("FAILED", "[FAILED 17] job", true),
        ("FAILED", "job FAILEDAGAIN", true),
        ("FAILED", "job failed", false),
        ("FAILED job", "job 3 FAILED", true),
        ("FAILED job", "run FAILED", false),
        (r#""job FAILED""#, "the job FAILED", true),
        (r#""job FAILED""#, "job 3 FAILED", false),
        ("FAILED -retry", "FAILED, will retry", false),
        ("FAILED -retry", "FAILED", true),
        (r#"FAILED -"will retry""#, "FAILED: retry later", true),
        ("?FAILED ?STUCK", "job STUCK", true),
        ("?FAILED ?STUCK", "job done", false),
        ("?FAILED ?STUCK job", "job done", true),
        ("%4[0-9]{2}%", "code 404", true),
        ("%4[0-9]{2}%", "code 504", false),
        ("-%[0-9]%", "no digits", true),
        (r#""\"verb\":\"create\"""#, r#"{"verb":"create"}"#, true),
        (r#""a\\b""#, r"x a\b y", true),
    ] {
        check(pattern, line, matches);
    }
}

const LINE: &str = r#"192.0.2.9 - kim [07/Mar/2024:10:15:30 +0100] "PUT /img/logo.html HTTP/2" 404 2326"#;

#[test]
fn fields_of_lines() {
    for (pattern, matches) in [
        ("[ip, id, user, time, request, status, bytes]", true),
        ("[ip, id, user, time, request, status]", false),
        ("[ip, id, user, time, request, status, bytes, more]", false),
        ("[]", false),
        ("[...]", true),
        ("[ip, ...]", true),
        ("[..., status, bytes]", true),
        ("[ip, ..., status = 404, bytes]", true),
        ("[..., status = 4*, bytes]", true),
        ("[..., status = 5*, bytes]", false),
        ("[..., status = 4* && status != 404, bytes]", false),
        ("[..., status = 500 || status = 404, bytes]", true),
        ("[..., (status = 500 || status = 404) && status != 4*, bytes]", false),
        ("[..., status = %4[0-9]4%, bytes]", true),
        ("[..., bytes > 2000]", true),
        ("[..., bytes > 2326]", false),
        ("[..., bytes >= 2326.0]", true),
        ("[ip = 192.0.2.*, ...]", true),
        ("[ip != 192.0.2.*, ...]", false),
        ("[ip, id, user = kim, ...]", true),
        ("[ip, id, user > 5, ...]", false),
        ("[ip, id, user, time = 07/Mar/*, ...]", true),
        ("[ip, id, user, time, request = *.html*, ...]", true),
        (r#"[ip, id, user, time, request = "PUT /img/logo.html HTTP/2", ...]"#, true),
        ("[,,,,, status = 404,]", true),
        ("[w1 = 192.0.2.9, ..., w7 = 2326]", true),
    ] {
        check(pattern, LINE, matches);
    }
    check("[w1 = FAILED || w1 = STUCK, w2]", "STUCK job", true);
    check("[w1 = FAILED || w1 = STUCK, w2]", "STUCK job 3", false);
    check("[w1 != FAILED && w1 != STUCK, w2]", "DONE job", true);
    check("[w1, w2]", r#"one "no end"#, false);
}
