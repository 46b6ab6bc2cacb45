//! What `check --against` says: fields and values of rules that no event of a log has.

use std::path::PathBuf;

use masthead_engine::{EngineError, ScanOptions};
use masthead_ir::rule::RuleSet;

use crate::output::{counted, tell};
use crate::scan::Bar;

/// Adds to every rule what logs did not have of it.
pub(crate) fn check(logs: &[PathBuf], rules: &mut RuleSet) -> Result<(), EngineError> {
    let bar = Bar::new();
    let (events, seen) = masthead_engine::against(rules, logs, &ScanOptions::default(), &bar)?;
    bar.finish();
    if events == 0 {
        return Err(EngineError::Nothing("nothing in the logs is an event".to_owned()));
    }
    tell(&format!("held against {}", counted(events, "event")));
    masthead_engine::judge_seen(rules, &seen);
    Ok(())
}
