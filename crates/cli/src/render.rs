//! Results as people and machines read them.

pub(crate) mod diagnostics;
pub(crate) mod junit;
pub(crate) mod ocsf;
pub(crate) mod sarif;
pub(crate) mod summary;
pub(crate) mod table;

use masthead_ir::rule::Compiled;
use serde_json::{Value as Json, json};

/// What became of a rule, as the contract's record.
pub(crate) fn rule_record(rule: &Compiled) -> Json {
    json!({
        "path": rule.path.display().to_string(),
        "rule_id": rule.rule_id,
        "dialect": rule.dialect,
        "status": rule.status,
        "diagnostics": rule.diagnostics,
    })
}
