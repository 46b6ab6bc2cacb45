//! What stands around rules: helpers, data models, packages.

use crate::fixture::Folder;

/// A rule of a repository with its helpers and data models beside the folder of rules.
fn repository() -> Folder {
    let folder = Folder::new();
    let yaml = "AnalysisType: rule\nFilename: pods.py\nRuleID: Pods\nLogTypes: [Amazon.EKS.Audit]\nSeverity: Low\nTests:\n\
                - Name: t\n  ExpectedResult: true\n  Log: {p_log_type: Amazon.EKS.Audit, who: {name: eve}}\n";
    folder
        .write("content/rules/k8s/pods.yml", yaml)
        .write("content/rules/k8s/pods.py", "from ours import is_eve\n\ndef rule(event):\n    return is_eve(event)\n")
        .write("content/global_helpers/ours.yml", "AnalysisType: global\nFilename: ours.py\nGlobalID: ours\n")
        .write("content/global_helpers/ours.py", "def is_eve(event):\n    return event.udm('actor') == 'eve'\n")
        .write(
            "content/data_models/eks.yml",
            "AnalysisType: datamodel\nDataModelID: eks\nEnabled: true\nLogTypes: [Amazon.EKS.Audit]\nMappings:\n\
             - {Name: actor, Path: $.who.name}\n",
        );
    folder
}

#[test]
fn helpers_and_data_models_are_found_from_wherever_a_rule_is_named() {
    let folder = repository();
    for (inside, path) in [
        ("", "content"),
        ("", "content/rules"),
        ("", "content/rules/k8s/pods.yml"),
        ("", "./content/../content/rules"),
        ("content", "."),
        ("content", "rules/k8s"),
        ("content/rules", "."),
        ("content/rules", "k8s/pods.yml"),
        ("content/rules/k8s", "."),
        ("content/rules/k8s", "pods.yml"),
        ("content/rules/k8s", "./pods.yml"),
        ("content/global_helpers", "../rules"),
        ("content/rules/k8s", "../../rules/k8s/pods.yml"),
    ] {
        let run = folder.run_inside(inside, &["test", path]);
        assert_eq!(run.out, "1 test: 1 passed, 0 failed, 0 could not be run\n", "{path} in {inside}: {}", run.err);
        assert_eq!((run.err.as_str(), run.code), ("", 0), "{path} in {inside}");
    }
}

#[test]
fn a_package_that_does_not_exist_here_is_named() {
    let folder = Folder::new();
    let python = "import pycountry\n\ndef rule(event):\n    return pycountry.countries.get(alpha_2='XX') is None\n";
    folder.panther("rules/places", python);
    let tests = "Tests:\n- {Name: t, ExpectedResult: true, Log: {a: b}}\n";
    let yaml = std::fs::read_to_string(folder.path().join("rules/places.yml")).unwrap() + tests;
    folder.write("rules/places.yml", yaml);
    let run = folder.run(&["test", "rules", "-f", "jsonl"]);
    let detail = "`rule` raised NotImplementedError: the package `pycountry` is not available here, and the rule uses \
                  pycountry.countries.get (line 4)";
    assert_eq!((&run.records()[0]["detail"], run.code), (&serde_json::json!(detail), 1), "{}", run.err);
    let run = folder.run(&["check", "rules"]);
    assert!(run.out.contains("absent-package") && run.out.contains("1 partial"), "{}{}", run.out, run.err);
}
