//! Processing pipelines: what each step changes, and in which order.

use masthead_ir::rule::Status;

use crate::harness::{check_files, codes, compile_files, find, one, rule};

/// A pipeline of one step, given as lines.
fn step(lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    format!("name: p\npriority: 10\ntransformations:\n  -{}", &lines[3..])
}

/// Holds events against a rule of one item once a pipeline of one step changed it.
fn changed(lines: &str, item: &str, events: &[(&str, bool)]) {
    check_files(&[("rules/r.yml", &one(item)), ("pipelines/p.yml", &step(lines))], events);
}

const A_TO_B: &str = "type: field_name_mapping\nmapping: {a: b}\n";

#[test]
fn fields_are_renamed() {
    let b = &[(r#"{"b":"x"}"#, true), (r#"{"a":"x"}"#, false)];
    changed(A_TO_B, "a: x", b);
    changed(
        "type: field_name_mapping\nmapping: {a: [b, c]}",
        "a: x",
        &[(r#"{"c":"X"}"#, true), (r#"{"b":"x"}"#, true)],
    );
    changed("type: field_name_prefix\nprefix: 'o.'", "a: x", &[(r#"{"o":{"a":"x"}}"#, true), (r#"{"a":"x"}"#, false)]);
    changed("type: field_name_suffix\nsuffix: '.o'", "a: x", &[(r#"{"a":{"o":"x"}}"#, true)]);
    let prefixes = "type: field_name_prefix_mapping\nmapping: {win.: winlog.}";
    changed(prefixes, "win.a: x", &[(r#"{"winlog":{"a":"x"}}"#, true)]);
    changed(prefixes, "a: x", &[(r#"{"a":"x"}"#, true)]);
    changed(A_TO_B, "c|fieldref: a", &[(r#"{"c":1,"b":1}"#, true), (r#"{"c":1,"a":1}"#, false)]);
    changed(A_TO_B, "a|contains: x", &[(r#"{"b":"yxy"}"#, true)]);
}

#[test]
fn items_and_conditions_come_and_go() {
    let two = rule("sel:\n  a: x\n  b: y\nf:\n  a: z\ncondition: sel and not f");
    let drop = step("type: drop_detection_item\nfield_name_conditions:\n  - type: include_fields\n    fields: [a]");
    // Of `f` nothing is left, so that it asks for nothing.
    check_files(&[("r.yml", &two), ("p.yml", &drop)], &[(r#"{"b":"y"}"#, true), (r#"{"b":"y","a":"z"}"#, true)]);
    let all = step("type: drop_detection_item");
    assert_eq!(codes(&compile_files(&[("r.yml", &two), ("p.yml", &all)])), ["sigma-refused"]);
    let add = "type: add_condition\nconditions:\n  v: [p, q]\n  w: 5";
    changed(add, "a: x", &[(r#"{"a":"x","v":"q","w":5}"#, true), (r#"{"a":"x","v":"q"}"#, false)]);
    changed(
        &format!("{add}\nnegated: true"),
        "a: x",
        &[(r#"{"a":"x","v":"q","w":5}"#, false), (r#"{"a":"x","v":"q"}"#, true)],
    );
    let them = rule("sel:\n  a: x\ncondition: 1 of them");
    check_files(&[("r.yml", &them), ("p.yml", &step(add))], &[(r#"{"v":"q","w":5}"#, false)]);
}

#[test]
fn values_are_changed() {
    changed(
        "type: replace_string\nregex: '^a(.)'\nreplacement: 'b\\1'",
        "v: 'axc*'",
        &[(r#"{"v":"bxcd"}"#, true), (r#"{"v":"axc"}"#, false)],
    );
    changed(
        "type: map_string\nmapping: {a: [x, 'y*'], b: z}",
        "v: [a, b, c]",
        &[
            (r#"{"v":"x"}"#, true),
            (r#"{"v":"yy"}"#, true),
            (r#"{"v":"z"}"#, true),
            (r#"{"v":"c"}"#, true),
            (r#"{"v":"a"}"#, false),
        ],
    );
    changed("type: set_value\nvalue: new", "v: old", &[(r#"{"v":"new"}"#, true), (r#"{"v":"old"}"#, false)]);
}

#[test]
fn the_log_source_can_be_changed() {
    let windows = one("a: x").replace("product: kubernetes\n  service: audit", "product: windows");
    check_files(&[("r.yml", &windows)], &[(r#"{"a":"x"}"#, false)]);
    let change = step("type: change_logsource\nproduct: kubernetes\nservice: audit");
    check_files(&[("r.yml", &windows), ("p.yml", &change)], &[(r#"{"a":"x"}"#, true)]);
}

#[test]
fn a_pipeline_can_refuse_rules() {
    let refused = |lines: &str, item: &str| {
        let set = compile_files(&[("r.yml", &one(item)), ("p.yml", &step(lines))]);
        (find(&set, "r").status == Status::Unsupported, codes(&set) == ["sigma-refused"])
    };
    assert_eq!(refused("type: rule_failure\nmessage: not here", "a: x"), (true, true));
    let item =
        "type: detection_item_failure\nmessage: no\nfield_name_conditions:\n  - type: include_fields\n    fields: [a]";
    assert_eq!(refused(item, "a: x"), (true, true));
    assert_eq!(refused(item, "b: x"), (false, false));
}

#[test]
fn conditions_on_rules_hold_a_step_back() {
    let applied = &[(r#"{"b":"x"}"#, true), (r#"{"a":"x"}"#, false)];
    let held = &[(r#"{"b":"x"}"#, false), (r#"{"a":"x"}"#, true)];
    for (conditions, applies) in [
        ("rule_conditions:\n  - type: logsource\n    product: kubernetes", true),
        ("rule_conditions:\n  - type: logsource\n    product: windows", false),
        ("rule_conditions:\n  - type: logsource\n    product: windows\n    negated: true", true),
        ("rule_conditions:\n  - type: logsource\n    product: windows\nrule_cond_not: true", true),
        ("rule_conditions:\n  win:\n    type: logsource\n    product: windows", false),
        ("rule_conditions:\n  - type: contains_field\n    field: a", true),
        ("rule_conditions:\n  - type: contains_field\n    field: c", false),
        ("rule_conditions:\n  - type: contains_detection_item\n    field: a\n    value: x", true),
        ("rule_conditions:\n  - type: contains_detection_item\n    field: a\n    value: y", false),
        ("rule_conditions:\n  - type: is_sigma_rule", true),
        ("rule_conditions:\n  - type: is_sigma_correlation_rule", false),
        ("rule_conditions:\n  - type: tag\n    tag: attack.t1609", true),
        ("rule_conditions:\n  - type: tag\n    tag: attack.t1610", false),
        ("rule_conditions:\n  - type: contains_field\n    field: c\n  - type: is_sigma_rule", false),
        ("rule_conditions:\n  - type: contains_field\n    field: c\n  - type: is_sigma_rule\nrule_cond_op: or", true),
        ("field_name_conditions:\n  - type: include_fields\n    fields: [a, c]", true),
        ("field_name_conditions:\n  - type: exclude_fields\n    fields: [a, c]", false),
        ("field_name_conditions:\n  - type: include_fields\n    fields: ['^a$']\n    mode: re", true),
        ("field_name_conditions:\n  - type: include_fields\n    fields: ['^b']\n    mode: re", false),
        ("field_name_conditions:\n  - type: include_fields\n    fields: [b]\nfield_name_cond_not: true", true),
        ("detection_item_conditions:\n  - type: match_string\n    cond: any\n    pattern: '^x'", true),
        ("detection_item_conditions:\n  - type: match_string\n    cond: all\n    pattern: '^y'", false),
        ("detection_item_conditions:\n  - type: is_null", false),
    ] {
        let pipeline = step(&format!("{A_TO_B}{conditions}"));
        let text = format!("{}tags: [attack.t1609]\n", one("a: x"));
        check_files(&[("r.yml", &text), ("p.yml", &pipeline)], if applies { applied } else { held });
    }
}

#[test]
fn a_step_can_ask_for_an_earlier_one() {
    let text = "name: p\ntransformations:\n  - id: first\n    type: field_name_mapping\n    mapping: {a: b}\n    rule_conditions:\n      - type: contains_field\n        field: a\n  - type: set_value\n    value: new\n    rule_conditions:\n      - type: processing_item_applied\n        processing_item_id: first\n";
    check_files(&[("r.yml", &one("a: x")), ("p.yml", text)], &[(r#"{"b":"new"}"#, true)]);
    check_files(&[("r.yml", &one("c: x")), ("p.yml", text)], &[(r#"{"c":"x"}"#, true)]);
}

#[test]
fn pipelines_apply_by_priority_and_not_by_name() {
    let mapping = |priority: i64, from: &str, to: &str| {
        format!(
            "name: p\npriority: {priority}\ntransformations:\n  - type: field_name_mapping\n    mapping: {{{from}: {to}}}\n"
        )
    };
    let files = [("r.yml", &*one("a: x")), ("p1.yml", &*mapping(20, "b", "c")), ("p2.yml", &*mapping(10, "a", "b"))];
    check_files(&files, &[(r#"{"c":"x"}"#, true), (r#"{"b":"x"}"#, false)]);
    let files = [("r.yml", &*one("a: x")), ("p1.yml", &*mapping(10, "b", "c")), ("p2.yml", &*mapping(20, "a", "b"))];
    check_files(&files, &[(r#"{"c":"x"}"#, false), (r#"{"b":"x"}"#, true)]);
}

#[test]
fn vars_are_values_of_placeholders() {
    let text = "name: p\nvars:\n  admins: [root, 'adm*']\n  one: x\ntransformations:\n  - type: value_placeholders\n";
    let files = |item: &str| [("r.yml".to_owned(), one(item)), ("p.yml".to_owned(), text.to_owned())];
    for (item, event) in [("u|expand: '%admins%'", r#"{"u":"adm1"}"#), ("u|expand: '%one%'", r#"{"u":"x"}"#)] {
        let files = files(item);
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        check_files(&files, &[(event, true), (r#"{"u":"other"}"#, false)]);
    }
}

#[test]
fn what_has_no_effect_here_is_told() {
    for lines in [
        "type: query_expression_placeholders\nexpression: x",
        "type: hashes_fields\nvalid_hash_algos: [MD5]",
        "type: nothing_of_the_kind",
        "type: field_name_mapping\nmapping: {a: b}\nrule_conditions:\n  - type: processing_state\n    key: x",
        "type: field_name_mapping\nmapping: {a: b}\ndetection_item_conditions:\n  - type: contains_wildcard",
        "type: field_name_mapping\nmapping: {a: b}\nfield_name_conditions:\n  - type: processing_state",
        "type: field_name_mapping\nmapping: {a: b}\nrule_conditions:\n  x: {type: is_sigma_rule}\nrule_cond_expr: not x",
        "type: replace_string\nregex: '('\nreplacement: x",
    ] {
        let set = compile_files(&[("r.yml", &one("a: x")), ("p.yml", &step(lines))]);
        assert_eq!(codes(&set), ["sigma-pipeline"], "{lines}");
        assert!(set.rules[0].rule.is_some(), "{lines}");
        check_files(&[("r.yml", &one("a: x")), ("p.yml", &step(lines))], &[(r#"{"a":"x"}"#, true)]);
    }
}

#[test]
fn names_of_kubernetes_rules_are_read_as_fields_of_the_audit_event() {
    let spec = |spec: &str| format!(r#"{{"requestObject":{{"spec":{spec}}}}}"#);
    let pod = |inner: &str| spec(inner);
    let template = |inner: &str| spec(&format!(r#"{{"template":{{"spec":{inner}}}}}"#));
    let cron = |inner: &str| spec(&format!(r#"{{"jobTemplate":{{"spec":{{"template":{{"spec":{inner}}}}}}}}}"#));
    for (item, inner) in [
        ("hostPath: /", r#"{"volumes":[{"name":"x"},{"hostPath":{"path":"/"}}]}"#),
        ("hostNetwork: true", r#"{"hostNetwork":true}"#),
        ("hostPID: true", r#"{"hostPID":true}"#),
        ("serviceAccountName: admin", r#"{"serviceAccountName":"admin"}"#),
        ("image|startswith: evil/", r#"{"containers":[{"image":"evil/x"}]}"#),
        ("privileged: true", r#"{"containers":[{"securityContext":{"privileged":true}}]}"#),
        ("capabilities: SYS_ADMIN", r#"{"containers":[{"securityContext":{"capabilities":{"add":["SYS_ADMIN"]}}}]}"#),
    ] {
        let events = [pod(inner), template(inner), cron(inner)];
        let mut events: Vec<(&str, bool)> = events.iter().map(|event| (event.as_str(), true)).collect();
        events.push(("{}", false));
        check_files(&[("r.yml", &one(item))], &events);
    }
    for (item, event) in [
        ("apiGroup: apps", r#"{"objectRef":{"apiGroup":"apps"}}"#),
        ("username: x", r#"{"user":{"username":"x"}}"#),
        ("src_ip|cidr: 10.0.0.0/8", r#"{"sourceIPs":["10.0.0.1"]}"#),
        ("responseStatus.code: ALLOW", r#"{"annotations":{"authorization.k8s.io/decision":"allow"}}"#),
        ("responseStatus.code: 200", r#"{"responseStatus":{"code":200}}"#),
    ] {
        check_files(&[("r.yml", &one(item))], &[(event, true), ("{}", false)]);
    }
}

#[test]
fn a_pipeline_beside_the_rules_goes_before_the_names_that_are_built_in() {
    let own =
        "name: p\npriority: 5000\ntransformations:\n  - type: field_name_mapping\n    mapping: {user: actor.name}\n";
    let set = compile_files(&[("rules/r.yml", &one("user: x")), ("pipelines/p.yml", own)]);
    assert!(find(&set, "r").diagnostics.is_empty(), "no name was read as another by itself");
    check_files(
        &[("rules/r.yml", &one("user: x")), ("pipelines/p.yml", own)],
        &[(r#"{"actor":{"name":"x"}}"#, true), (r#"{"user":{"username":"x"}}"#, false)],
    );
    let windows = one("user: x").replace("product: kubernetes\n  service: audit", "category: x");
    let set = compile_files(&[("r.yml", &windows)]);
    assert!(
        find(&set, "r").diagnostics.iter().all(|told| told.code != "sigma-alias"),
        "other products keep their names"
    );
}
