//! The front-ends. A new dialect is a crate and one line here.

use std::sync::Arc;

use masthead_ir::diagnostic::{Diagnostic, Span};
use masthead_ir::rule::{CompileOptions, Compiled, RuleSet, Status};
use masthead_rulefile::{Content, Corpus, Dialect, RuleFile};

use crate::EngineError;
use crate::builtin;
use crate::options::RuleOptions;

static FRONT_ENDS: [FrontEnd; 6] = [
    FrontEnd {
        dialect: &masthead_splunk::Splunk,
        codes: masthead_splunk::CODES,
        options: masthead_splunk::spl::OPTIONS,
    },
    FrontEnd { dialect: &masthead_panther::Panther, codes: masthead_panther::DIAGNOSTICS, options: &[] },
    FrontEnd { dialect: &masthead_sigma::Sigma, codes: masthead_sigma::CODES, options: &[] },
    FrontEnd { dialect: &masthead_falco::Falco, codes: masthead_falco::CODES, options: &[] },
    FrontEnd { dialect: &masthead_cloudwatch::CloudWatch, codes: masthead_cloudwatch::CODES, options: &[] },
    FrontEnd { dialect: &masthead_elastic::Elastic, codes: masthead_elastic::CODES, options: &[] },
];

/// A front-end with what its users can look up.
struct FrontEnd {
    dialect: &'static dyn Dialect,
    /// Code and meaning.
    codes: &'static [(&'static str, &'static str)],
    /// Name, values, default, meaning.
    options: &'static [(&'static str, &'static str, &'static str, &'static str)],
}

/// A kind of diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Code {
    /// Its name.
    pub name: &'static str,
    /// The front-end that it comes from; none if it may come with any rule.
    pub dialect: Option<&'static str>,
    /// What it means.
    pub meaning: &'static str,
}

/// Every kind of diagnostic: those of all rules first, then front-end by front-end, by name.
pub fn codes() -> Vec<Code> {
    let mut general = [
        masthead_rulefile::CODES,
        masthead_policy::CODES,
        masthead_typecheck::CODES,
        crate::faults::CODES,
        crate::exceptions::CODES,
        crate::judge::CODES,
    ]
    .concat();
    // Whoever reads YAML of its own tells the same of it.
    general.sort_unstable();
    general.dedup_by_key(|(name, _)| *name);
    let tables = FRONT_ENDS.iter().map(|front_end| (Some(front_end.dialect.name()), front_end.codes.to_vec()));
    let all = std::iter::once((None, general)).chain(tables).flat_map(|(dialect, mut codes)| {
        codes.sort_unstable();
        codes.into_iter().map(move |(name, meaning)| Code { name, dialect, meaning })
    });
    all.collect()
}

/// A point of a rule language on which its manual is silent, and which a user may decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DialectOption {
    /// Its name, which begins with that of the front-end.
    pub name: &'static str,
    /// The values that it may have, separated by `, `.
    pub values: &'static str,
    /// The value that it has if nobody says otherwise.
    pub default: &'static str,
    /// What it decides.
    pub meaning: &'static str,
}

/// Every option.
pub fn dialect_options() -> Vec<DialectOption> {
    let all = FRONT_ENDS.iter().flat_map(|front_end| front_end.options);
    all.map(|&(name, values, default, meaning)| DialectOption { name, values, default, meaning }).collect()
}

/// Refuses options that no front-end has, and values that they do not take.
fn check_options(chosen: &std::collections::BTreeMap<String, String>) -> Result<(), EngineError> {
    let known = dialect_options();
    for (name, value) in chosen {
        let Some(option) = known.iter().find(|option| option.name == name) else {
            let names: Vec<&str> = known.iter().map(|option| option.name).collect();
            return Err(EngineError::Nothing(format!("there is no option `{name}`; there are: {}", names.join(", "))));
        };
        if !option.values.split(", ").any(|known| known == value) {
            return Err(EngineError::Nothing(format!(
                "the option `{name}` cannot be `{value}`, only one of: {}",
                option.values
            )));
        }
    }
    Ok(())
}

/// Reads and compiles rules. Faulty rules are entries of the result, not errors.
///
/// # Errors
/// When a path that was named cannot be read, or an option is not known.
pub fn load_rules(options: &RuleOptions) -> Result<RuleSet, EngineError> {
    check_options(&options.options)?;
    let corpus = if options.paths.is_empty() {
        Corpus::from_memory(builtin::files())
    } else {
        Corpus::read(&options.paths).map_err(|(path, source)| EngineError::Unreadable { path, source })?
    };
    let compile = CompileOptions { now: None, options: options.options.clone() };
    let mut all = RuleSet { diagnostics: corpus.warnings.clone(), ..RuleSet::default() };
    let mut claimed = vec![false; corpus.files.len()];
    for FrontEnd { dialect, .. } in &FRONT_ENDS {
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
    let unclaimed = corpus.files.iter().zip(claimed).filter(|(_, claimed)| !claimed).map(|(file, _)| file);
    all.rules.extend(unclaimed.filter_map(|file| refuse(file)));
    all.rules.sort_by(|a, b| (&a.path, &a.rule_id).cmp(&(&b.path, &b.rule_id)));
    select(&mut all, &options.only);
    Ok(all)
}

/// What is told of a file that no front-end claims: why it cannot be read, or if it was named itself, that it is no rule.
fn refuse(file: &RuleFile) -> Option<Compiled> {
    let diagnostic = match &file.content {
        Content::Invalid(diagnostic) => diagnostic.clone(),
        Content::Yaml(_) if file.named => {
            let names: Vec<&str> = FRONT_ENDS.iter().map(|front_end| front_end.dialect.name()).collect();
            let start = Span { path: file.path.clone(), text: file.text.clone(), start: 0, end: 0 };
            Diagnostic::error("no-rule", "this is no rule of a language that can be read here")
                .at(start)
                .help(format!("there are: {}", names.join(", ")))
        }
        _ => return None,
    };
    Some(Compiled {
        path: file.path.clone(),
        rule_id: file.stem().to_owned(),
        dialect: "unknown",
        status: Status::Invalid,
        diagnostics: vec![diagnostic],
        rule: None,
    })
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
