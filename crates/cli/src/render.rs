//! Results as people and machines read them.

pub(crate) mod diagnostics;
pub(crate) mod junit;
pub(crate) mod sarif;
pub(crate) mod summary;
pub(crate) mod table;

use masthead_ir::diagnostic::Diagnostic;
use masthead_ir::rule::{Compiled, Status};
use serde::Serialize;

/// What became of a rule, as the contract's record.
#[derive(Serialize)]
pub(crate) struct RuleRecord<'r> {
    path: String,
    rule_id: &'r str,
    dialect: &'r str,
    status: Status,
    diagnostics: &'r [Diagnostic],
}

impl<'r> From<&'r Compiled> for RuleRecord<'r> {
    fn from(rule: &'r Compiled) -> RuleRecord<'r> {
        RuleRecord {
            path: rule.path.display().to_string(),
            rule_id: &rule.rule_id,
            dialect: rule.dialect,
            status: rule.status,
            diagnostics: &rule.diagnostics,
        }
    }
}
