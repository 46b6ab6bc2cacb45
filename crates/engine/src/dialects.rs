//! The front-ends. A new dialect is a crate and one line here.

use std::sync::Arc;

use masthead_ir::rule::{CompileOptions, Compiled, RuleSet, Status};
use masthead_rulefile::{Content, Corpus, Dialect};

use crate::EngineError;
use crate::builtin;
use crate::options::RuleOptions;

static DIALECTS: [&dyn Dialect; 2] = [&masthead_splunk::Splunk, &masthead_panther::Panther];

/// Reads and compiles rules. Faulty rules are entries of the result, not errors.
///
/// # Errors
/// When a path that was named cannot be read.
pub fn load_rules(options: &RuleOptions) -> Result<RuleSet, EngineError> {
    let corpus = if options.paths.is_empty() {
        Corpus::from_memory(builtin::files())
    } else {
        Corpus::read(&options.paths).map_err(|(path, source)| EngineError::Unreadable { path, source })?
    };
    let compile = CompileOptions { now: None, options: options.options.clone() };
    let mut all = RuleSet { diagnostics: corpus.warnings.clone(), ..RuleSet::default() };
    let mut claimed = vec![false; corpus.files.len()];
    for dialect in DIALECTS {
        let mut files = Vec::new();
        for (file, claimed) in corpus.files.iter().zip(&mut claimed) {
            if !*claimed && dialect.claims(file) {
                *claimed = true;
                files.push(file.clone());
            }
        }
        if files.is_empty() {
            continue;
        }
        let set = dialect.compile(&corpus, &files, &compile);
        all.rules.extend(set.rules);
        all.tables.extend(set.tables);
        all.diagnostics.extend(set.diagnostics);
    }
    for (file, _) in corpus.files.iter().zip(claimed).filter(|(_, claimed)| !claimed) {
        if let Content::Invalid(diagnostic) = &file.content {
            all.rules.push(Compiled {
                path: file.path.clone(),
                rule_id: file.stem().to_owned(),
                dialect: "unknown",
                status: Status::Invalid,
                diagnostics: vec![diagnostic.clone()],
                rule: None,
            });
        }
    }
    all.rules.sort_by(|a, b| (&a.path, &a.rule_id).cmp(&(&b.path, &b.rule_id)));
    select(&mut all, &options.only);
    Ok(all)
}

/// Keeps the rules that were asked for.
fn select(rules: &mut RuleSet, only: &[String]) {
    if only.is_empty() {
        return;
    }
    rules.rules.retain(|compiled| {
        let name = compiled.rule.as_ref().map_or("", |rule: &Arc<_>| rule.name.as_str());
        let stem = compiled.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        only.iter().any(|pattern| {
            let glob = masthead_ir::eval::glob::Glob::new(pattern);
            [compiled.rule_id.as_str(), name, stem].iter().any(|text| glob.matches(text))
        })
    });
}
