//! Front-end for Elastic's detection rules: TOML with KQL, Lucene, EQL and ES|QL to IR.
//!
//! Names of the Elastic Common Schema and of the Kubernetes integration are read as the fields of the audit event that they
//! were copied from. Fields are keywords: case counts, and a field of several values passes a test if one of them does.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod ecs;
mod eql;
pub mod esql;
mod exceptions;
mod kql;
mod lucene;
mod problem;
mod rule;
mod span;
#[cfg(test)]
mod tests;
mod wildcard;

use std::sync::Arc;

use masthead_ir::rule::{CompileOptions, RuleSet};
use masthead_rulefile::{Content, Corpus, Dialect, Node, RuleFile};

use exceptions::Exceptions;

/// The name of the front-end.
pub(crate) const DIALECT: &str = "elastic";

/// The front-end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Elastic;

/// Code and meaning of every diagnostic of this front-end.
pub const CODES: &[(&str, &str)] = &[
    ("elastic-eql", "The EQL query is faulty, or asks for what cannot be run."),
    ("elastic-index", "The rule reads other events than Kubernetes audit events."),
    ("elastic-kql", "The KQL query is faulty, or asks for what cannot be run."),
    ("elastic-lucene", "The Lucene query is faulty, or asks for what cannot be run."),
    ("elastic-missing", "A key is missing."),
    ("elastic-severity", "The severity is none of Elastic's."),
    ("elastic-type", "The type of the rule is not known, or cannot run here."),
    ("esql-arguments", "A function of an ES|QL query is given arguments that it cannot take."),
    ("esql-kql", "The KQL text inside an ES|QL query cannot be compiled."),
    ("esql-pattern", "A regular expression, GROK or DISSECT pattern of an ES|QL query cannot be compiled."),
    ("esql-syntax", "The ES|QL query cannot be parsed."),
    ("esql-unknown-column", "The ES|QL query uses a column that an earlier command has not left."),
    ("esql-unknown-command", "The ES|QL query uses a command that ES|QL does not have."),
    ("esql-unknown-function", "The ES|QL query uses a function that ES|QL does not have."),
    ("esql-unsupported", "The ES|QL query is right, but a part of it cannot run here."),
];

/// The documents of a file.
pub(crate) fn documents(file: &RuleFile) -> &[Node] {
    match &file.content {
        Content::Yaml(documents) => documents,
        _ => &[],
    }
}

fn is_rule(node: &Node) -> bool {
    node.get("rule").is_some_and(|rule| rule.get("type").is_some() && rule.get("name").is_some())
}

impl Dialect for Elastic {
    fn name(&self) -> &'static str {
        DIALECT
    }

    fn claims(&self, file: &RuleFile) -> bool {
        documents(file).iter().any(|node| is_rule(node) || exceptions::is_one(node))
    }

    fn compile(&self, _corpus: &Corpus, files: &[Arc<RuleFile>], _options: &CompileOptions) -> RuleSet {
        let exceptions = Exceptions::read(files.iter().map(|file| &**file));
        let rules = files.iter().flat_map(|file| {
            documents(file).iter().filter(|node| is_rule(node)).map(|node| rule::compile(file, node, &exceptions))
        });
        RuleSet { rules: rules.collect(), ..RuleSet::default() }
    }
}
