//! Front-end for Sigma: rules, correlations, filters and processing pipelines to IR (Sigma specification 2.1).
//!
//! A rule becomes the condition of a pipeline that judges single events; matching ignores case unless the rule says
//! otherwise. A correlation looks for the events of the rules that it names. Rules whose log source is Kubernetes see every
//! audit event; others see events of the log type that their log source says (`windows.process_creation`).
//!
//! Names that rules for Kubernetes use and that no audit event has are read as a processing pipeline says
//! ([`KUBERNETES_ALIASES`]), and a diagnostic tells.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod ast;
mod condition;
mod correlation;
mod legacy;
mod modifiers;
mod pipeline;
mod problem;
mod rule;
mod shared;
mod staged;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use masthead_ir::rule::{CompileOptions, Compiled, RuleSet, Status};
use masthead_ir::{Diagnostic, Span};
use masthead_rulefile::{Corpus, Dialect, Node, RuleFile};

use correlation::Plan;
use problem::Problem;
use rule::{DIALECT, Header, Judged};
use shared::{Document, Shared, classify, documents};

pub use pipeline::KUBERNETES_ALIASES;

/// The folders of shared files that stand beside folders of rules.
const SHARED_FOLDERS: [&str; 2] = ["pipelines", "placeholders"];

/// Code and meaning of every diagnostic of this front-end.
pub const CODES: &[(&str, &str)] = &[
    ("sigma-aggregation", "The condition ends with an aggregation that cannot be run."),
    ("sigma-alias", "The rule uses a name that no audit event has; it is read as a field that has what is meant."),
    ("sigma-collection", "The file is a collection of an older form (`action: global`), which is not read."),
    ("sigma-condition", "The condition is faulty, or names a search identifier that is not there."),
    ("sigma-correlation", "The correlation is faulty, or asks for what cannot be run."),
    ("sigma-duplicate-id", "Another rule has the id already; findings are told apart by it, so this one does not run."),
    ("sigma-level", "The level is none of Sigma's."),
    ("sigma-log-source", "The rule looks only at events of a log type that is not Kubernetes' own."),
    ("sigma-missing", "A key is missing."),
    ("sigma-modifier", "There is no such modifier, or it cannot stand here."),
    ("sigma-pipeline", "A step of a processing pipeline has no effect here."),
    ("sigma-placeholder", "A placeholder has no values, so that the rule cannot match."),
    ("sigma-referred", "A correlation names a rule that is not there or does not run."),
    ("sigma-refused", "A processing pipeline says that the rule cannot be used."),
    ("sigma-regex", "A regular expression is faulty."),
    ("sigma-test", "A test of the rule cannot be read."),
    ("sigma-value", "A value is not of the kind that its modifier needs."),
];

/// The front-end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sigma;

impl Dialect for Sigma {
    fn name(&self) -> &'static str {
        DIALECT
    }

    fn claims(&self, file: &RuleFile) -> bool {
        documents(file).iter().any(|node| classify(node).is_some())
    }

    fn compile(&self, corpus: &Corpus, files: &[Arc<RuleFile>], _options: &CompileOptions) -> RuleSet {
        let mut set = RuleSet::default();
        let builtin = Corpus::from_memory(vec![(PathBuf::from("kubernetes.yml"), KUBERNETES_ALIASES.to_owned())]);
        let Some(builtin) = builtin.files.first() else { return set };
        let around = files.iter().flat_map(|file| corpus.context(&file.path, &SHARED_FOLDERS));
        let mut all: BTreeMap<PathBuf, Arc<RuleFile>> = BTreeMap::new();
        all.extend(around.chain(files.iter().cloned()).map(|file| (file.path.clone(), file)));
        let (shared, problems) = Shared::read(all.values().map(|file| &**file), builtin);
        set.diagnostics = problems.into_iter().map(|(file, problem)| problem.diagnostic(file)).collect();
        set.rules = compile(files, &shared);
        refuse_doubles(&mut set.rules, files);
        set
    }
}

/// A document that is a rule.
struct Entry<'f> {
    file: &'f RuleFile,
    node: &'f Node,
    body: Part<'f>,
}

enum Part<'f> {
    Rule(Box<Judged>),
    Correlation(Header, Plan<'f>, Vec<Problem>),
    /// A collection of an older form.
    Collection(Header),
}

fn compile(files: &[Arc<RuleFile>], shared: &Shared) -> Vec<Compiled> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for file in files {
        let rules = documents(file).iter().filter_map(|node| Some((classify(node)?, node)));
        let rules = rules.filter(|(kind, _)| matches!(kind, Document::Rule | Document::Correlation | Document::Global));
        for (at, (kind, node)) in rules.enumerate() {
            let mut problems = Vec::new();
            let body = match kind {
                Document::Rule => Part::Rule(Box::new(rule::judge(node, file, at, shared))),
                Document::Correlation => {
                    let header = Header::read(node, file, at, &mut problems);
                    let Some(plan) = Plan::read(node) else { continue };
                    Part::Correlation(header, plan, problems)
                }
                _ => Part::Collection(Header::read(node, file, at, &mut Vec::new())),
            };
            entries.push(Entry { file, node, body });
        }
    }
    let by_name = names(&entries);
    // Rules that a correlation refers to do not fire by themselves unless it says so.
    let mut silent = BTreeSet::new();
    for entry in &entries {
        if let Part::Correlation(_, plan, _) = &entry.body
            && !plan.generates
        {
            silent.extend(plan.rules.iter().filter_map(|(name, _)| by_name.get(*name).copied()));
        }
    }
    let mut pipelines = Vec::with_capacity(entries.len());
    for entry in &entries {
        pipelines.push(match &entry.body {
            Part::Correlation(_, plan, _) => Some(correlate(plan, &entries, &by_name, shared)),
            _ => None,
        });
    }
    let finish = |(at, (entry, correlated)): (usize, (Entry<'_>, Option<Result<_, Problem>>))| {
        let Entry { file, node, body } = entry;
        match body {
            Part::Rule(judged) => {
                let Judged { header, pipeline, problems, .. } = *judged;
                rule::compiled(node, file, &header, pipeline, problems, !silent.contains(&at))
            }
            Part::Correlation(header, _, mut problems) => {
                let pipeline = match correlated {
                    Some(Ok(pipeline)) => Some(pipeline),
                    Some(Err(problem)) => {
                        problems.push(problem);
                        None
                    }
                    None => None,
                };
                rule::compiled(node, file, &header, pipeline, problems, true)
            }
            Part::Collection(header) => {
                let message = "collections with `action: global` are not read";
                let problem = Problem::unsupported("sigma-collection", message, &rule::first_key(node));
                let problem = problem.help("write each rule as a document of its own");
                rule::compiled(node, file, &header, None, vec![problem], true)
            }
        }
    };
    entries.into_iter().zip(pipelines).enumerate().map(finish).collect()
}

/// Places of rules by id and by name.
fn names<'e>(entries: &'e [Entry<'_>]) -> BTreeMap<&'e str, usize> {
    let mut by_name = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate() {
        let header = match &entry.body {
            Part::Rule(judged) => &judged.header,
            Part::Correlation(header, ..) | Part::Collection(header) => header,
        };
        for name in [Some(header.id.as_str()), header.name.as_deref()].into_iter().flatten() {
            by_name.entry(name).or_insert(at);
        }
    }
    by_name
}

fn correlate(
    plan: &Plan<'_>,
    entries: &[Entry<'_>],
    by_name: &BTreeMap<&str, usize>,
    shared: &Shared,
) -> Result<masthead_ir::pipeline::Pipeline, Problem> {
    let refer = |(name, place): &(&str, &Node)| {
        let entry = by_name.get(name).and_then(|at| entries.get(*at));
        match entry.map(|entry| &entry.body) {
            Some(Part::Rule(judged)) => judged.referred().ok_or_else(|| does_not_run(name, place)),
            Some(Part::Collection(_)) => Err(does_not_run(name, place)),
            Some(Part::Correlation(..)) => {
                let message = format!("`{name}` is a correlation itself, and those are not chained here");
                Err(Problem::unsupported("sigma-referred", message, &place.span))
            }
            None => {
                let problem = Problem::invalid("sigma-referred", format!("there is no rule `{name}`"), &place.span);
                Err(match masthead_rulefile::suggest(name, by_name.keys().copied()) {
                    Some(meant) => problem.help(format!("did you mean `{meant}`?")),
                    None => problem.help("give the folder of the rules that it names, too"),
                })
            }
        }
    };
    let rules = plan.rules.iter().map(refer).collect::<Result<Vec<_>, Problem>>()?;
    plan.compile(&rules, shared)
}

fn does_not_run(name: &str, place: &Node) -> Problem {
    Problem::unsupported("sigma-referred", format!("the rule `{name}` does not run"), &place.span)
}

/// Of rules with one id the first counts: findings are told apart by it.
fn refuse_doubles(rules: &mut [Compiled], files: &[Arc<RuleFile>]) {
    let mut first: BTreeMap<String, PathBuf> = BTreeMap::new();
    for compiled in rules {
        let Some(rule) = &compiled.rule else { continue };
        let Some(other) = first.get(&rule.id) else {
            first.insert(rule.id.clone(), compiled.path.clone());
            continue;
        };
        let message = format!("the id `{}` is taken by {}", rule.id, other.display());
        let diagnostic = Diagnostic::error("sigma-duplicate-id", message).help("give the rule another id");
        compiled.diagnostics.push(match place_of_id(files, compiled) {
            Some(span) => diagnostic.at(span),
            None => diagnostic,
        });
        compiled.status = Status::Invalid;
        compiled.rule = None;
    }
}

/// Where a file gives the id of a rule; of several places the last.
fn place_of_id(files: &[Arc<RuleFile>], compiled: &Compiled) -> Option<Span> {
    let file = files.iter().find(|file| file.path == compiled.path)?;
    let given = |node: &&Node| {
        let id = node.get("id").or_else(|| node.get("name")).and_then(Node::text);
        id == Some(compiled.rule_id.as_str())
    };
    let node = documents(file).iter().rev().find(given)?;
    node.get("id").or_else(|| node.get("name")).map(|id| file.span(id))
}
