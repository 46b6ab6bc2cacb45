//! Rules to explain.

use std::path::PathBuf;
use std::sync::Arc;

use masthead_ir::pattern::{Case, Pattern};
use masthead_ir::pipeline::{Pipeline, Source, Stage};
use masthead_ir::rule::{
    Body, CompileOptions, FindingTemplate, Guide, Kind, Rule, Script, ScriptLibrary, Severity, Trigger,
};
use masthead_ir::{Expr, FieldPath};
use masthead_rulefile::{Corpus, Dialect};

/// The rules of a file, as a front-end compiles them.
pub(crate) fn compiled(dialect: &dyn Dialect, name: &str, text: &str) -> Vec<Arc<Rule>> {
    let corpus = Corpus::from_memory(vec![(PathBuf::from(name), text.to_owned())]);
    let set = dialect.compile(&corpus, &corpus.files, &CompileOptions::default());
    let told: Vec<String> =
        set.rules.iter().flat_map(|rule| &rule.diagnostics).map(|one| one.message.clone()).collect();
    let rules: Vec<Arc<Rule>> = set.rules.into_iter().filter_map(|rule| rule.rule).collect();
    assert!(!rules.is_empty(), "{told:?}");
    rules
}

/// A rule with nothing but a body.
pub(crate) fn rule(body: Body) -> Rule {
    Rule {
        id: "r1".to_owned(),
        name: "A rule".to_owned(),
        dialect: "sigma",
        path: "r.yml".into(),
        description: String::new(),
        enabled: true,
        attack: Vec::new(),
        tags: Vec::new(),
        finding: FindingTemplate {
            kind: Kind::Finding,
            severity: Severity::Low,
            title: "A rule".to_owned(),
            message: String::new(),
            entities: Vec::new(),
            throttle: None,
        },
        schedule: None,
        body,
        tests: Vec::new(),
        drilldowns: Vec::new(),
        guide: Guide::default(),
    }
}

/// A rule that judges single events.
pub(crate) fn single(filter: Expr) -> Rule {
    piped(filter, Vec::new())
}

/// A rule over events with stages.
pub(crate) fn piped(filter: Expr, stages: Vec<Stage>) -> Rule {
    rule(Body::Pipeline(Pipeline { source: Source::Events { filter, range: None }, stages }))
}

/// A rule that is a program.
pub(crate) fn program(guard: Expr, threshold: u64) -> Rule {
    let script = Script {
        log_types: vec!["Amazon.EKS.Audit".to_owned()],
        guard,
        module: "m".to_owned(),
        source: "def rule(event): return True".into(),
        source_path: "r.py".into(),
        library: Arc::new(ScriptLibrary::default()),
        config: serde_json::Value::Null,
    };
    rule(Body::Script(script, Trigger { threshold, period_minutes: 60, summary: Vec::new(), alert: true }))
}

/// A test of a flat field.
pub(crate) fn test(field: &str, pattern: Pattern) -> Expr {
    Expr::Test { field: FieldPath::flat(field), pattern }
}

/// Equality with letter case aside.
pub(crate) fn is(text: &str) -> Pattern {
    Pattern::Text { text: text.to_owned(), case: Case::Folded, numeric: true }
}

pub(crate) fn not(expr: Expr) -> Expr {
    Expr::Not(Box::new(expr))
}
