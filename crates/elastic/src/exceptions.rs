//! Exceptions as detection-rules keeps them in TOML beside rules: what they say is no finding.

use std::collections::BTreeMap;

use masthead_ir::Expr;
use masthead_ir::pattern::{Case, Pattern};
use masthead_rulefile::{Node, RuleFile};

use crate::{documents, ecs, wildcard};

/// Exceptions by id or name of the rule.
#[derive(Debug, Default)]
pub(crate) struct Exceptions {
    by_rule: BTreeMap<String, Vec<Expr>>,
}

/// Whether a document holds exceptions.
pub(crate) fn is_one(node: &Node) -> bool {
    node.get("exceptions").is_some_and(|list| !list.items().is_empty()) && node.get("rule").is_none()
}

impl Exceptions {
    pub(crate) fn read<'f>(files: impl Iterator<Item = &'f RuleFile>) -> Exceptions {
        let mut exceptions = Exceptions::default();
        for document in files.flat_map(documents).filter(|node| is_one(node)) {
            let metadata = document.get("metadata");
            let of = |key: &str| metadata.and_then(|node| node.get(key)).map(Node::texts).unwrap_or_default();
            let rules: Vec<&str> = of("rule_ids").into_iter().chain(of("rule_names")).collect();
            let lists = document.get("exceptions").map(Node::items).unwrap_or_default();
            let items = lists.iter().filter_map(|list| list.get("items")).flat_map(Node::items);
            for condition in items.filter_map(condition) {
                for rule in &rules {
                    exceptions.by_rule.entry((*rule).to_owned()).or_default().push(condition.clone());
                }
            }
        }
        exceptions
    }

    /// A rule's condition without what its exceptions say.
    pub(crate) fn restrict(&self, names: [&str; 2], condition: Expr) -> Expr {
        let own = names.iter().filter_map(|name| self.by_rule.get(*name)).flatten();
        let mut all: Vec<Expr> = own.map(|exception| Expr::Not(Box::new(exception.clone()))).collect();
        if all.is_empty() {
            return condition;
        }
        all.insert(0, condition);
        Expr::And(all)
    }
}

/// All entries of an item must hold (Elastic Security documentation, "Add and manage exceptions").
fn condition(item: &Node) -> Option<Expr> {
    let entries: Vec<Expr> = item.get("entries")?.items().iter().filter_map(entry).collect();
    (!entries.is_empty()).then_some(Expr::And(entries))
}

fn entry(node: &Node) -> Option<Expr> {
    let field = node.get("field")?.text()?;
    let values = node.get("value").map(Node::texts).unwrap_or_default();
    let test = match node.get("type")?.text()? {
        "exists" => ecs::test(field, Pattern::Present),
        "wildcard" => {
            any(values.iter().map(|v| ecs::test(field, wildcard::pattern(&wildcard::wild(v), Case::Sensitive))))
        }
        "match" | "match_any" => {
            any(values.iter().map(|v| ecs::test(field, wildcard::pattern(&wildcard::plain(v), Case::Sensitive))))
        }
        _ => return None,
    };
    let excluded = node.get("operator").and_then(Node::text) == Some("excluded");
    Some(if excluded { Expr::Not(Box::new(test)) } else { test })
}

fn any(tests: impl Iterator<Item = Expr>) -> Expr {
    Expr::Or(tests.collect())
}
