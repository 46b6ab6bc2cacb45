//! The Kubernetes content of ESCU, where it is at hand: `../shared` beside the workspace, or `MASTHEAD_SHARED`.

#![allow(clippy::unwrap_used, clippy::type_complexity, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use masthead_ir::Level;
use masthead_ir::rule::{CompileOptions, Kind, RuleSet, Status};
use masthead_rulefile::{Corpus, Dialect, RuleFile};
use masthead_splunk::Splunk;

/// Compiles a folder or file; none if the shared data is not there.
fn compile(path: &str) -> Option<(Corpus, RuleSet)> {
    let shared = std::env::var_os("MASTHEAD_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"));
    let path = shared.join("rules/escu").join(path);
    if !path.exists() {
        eprintln!("skipped: no {}", path.display());
        return None;
    }
    let corpus = Corpus::read(&[path]).expect("readable");
    let claimed: Vec<Arc<RuleFile>> = corpus.files.iter().filter(|file| Splunk.claims(file)).cloned().collect();
    let set = Splunk.compile(&corpus, &claimed, &CompileOptions::default());
    Some((corpus, set))
}

#[test]
fn every_file_of_the_folder_is_claimed() {
    let Some((corpus, _)) = compile("") else { return };
    let left: Vec<&Path> =
        corpus.files.iter().filter(|file| !Splunk.claims(file)).map(|file| file.path.as_path()).collect();
    assert!(left.iter().all(|path| path.extension().is_some_and(|ending| ending == "csv")), "{left:?}");
}

#[test]
fn no_document_of_the_folder_is_faulty() {
    let Some((_, set)) = compile("") else { return };
    assert_eq!(set.rules.len(), 62);
    assert_eq!(set.diagnostics, []);
    let mut statuses: BTreeMap<String, usize> = BTreeMap::new();
    let mut faults = Vec::new();
    for compiled in &set.rules {
        *statuses.entry(format!("{:?}", compiled.status)).or_default() += 1;
        for diagnostic in compiled.diagnostics.iter().filter(|d| d.level == Level::Error) {
            let at = diagnostic.span.as_ref().map(masthead_ir::Span::line_column);
            let name = compiled.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            faults.push(format!("{name}:{at:?} {} {}", diagnostic.code, diagnostic.message));
        }
        assert!(compiled.rule.is_some() || !compiled.diagnostics.is_empty(), "{}", compiled.path.display());
    }
    let invalid = set.rules.iter().filter(|compiled| compiled.status == Status::Invalid).count();
    assert_eq!(invalid, 0, "{statuses:?}\n{}", faults.join("\n"));
}

#[test]
fn kinds_tests_and_entities_are_read() {
    let Some((_, set)) = compile("detections/cloud") else { return };
    let rules: Vec<_> = set.rules.iter().filter_map(|compiled| compiled.rule.as_ref()).collect();
    let of = |kind: Kind| rules.iter().filter(|rule| rule.finding.kind == kind).count();
    let total = of(Kind::Finding) + of(Kind::IntermediateFinding) + of(Kind::Hunt);
    assert_eq!(total, rules.len(), "no other kind");
    let tested = rules.iter().filter(|rule| !rule.tests.is_empty()).count();
    assert_eq!(tested, 18, "the production rules carry data");
    assert!(rules.iter().all(|rule| rule.enabled && !rule.finding.entities.is_empty()));
}

#[test]
fn shared_content_is_found_beside_a_single_file() {
    let Some((_, set)) = compile("detections/cloud/kubernetes_nginx_ingress_lfi.yml") else { return };
    assert_eq!(set.rules.len(), 1);
    let table = set.tables.get("local_file_inclusion_paths").expect("the lookup");
    assert_eq!((table.rows.len(), table.case_sensitive, table.default.as_deref()), (1_008, false, Some("false")));
    assert_eq!(table.columns, ["local_file_inclusion_paths", "lfi_path"]);
}
