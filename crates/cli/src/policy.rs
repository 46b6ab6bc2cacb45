//! `masthead policy`, and what `check --policy` says.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use masthead_engine::{EngineError, RuleOptions, ScanOptions};
use masthead_ir::rule::{Rule, RuleSet};
use masthead_policy::{Estimate, Policy, Sample};

use crate::args::RuleArgs;
use crate::output::{TROUBLE, counted, out, tell, tell_error, trouble};
use crate::render::diagnostics;
use crate::scan::Bar;

/// The rules that a command is about; none if there are none, which is told.
pub(crate) fn load(arguments: &RuleArgs) -> Result<Option<Vec<Arc<Rule>>>, EngineError> {
    let options =
        RuleOptions { paths: arguments.rules.clone(), only: arguments.only.clone(), ..RuleOptions::default() };
    let set = masthead_engine::load_rules(&options)?;
    let rules: Vec<Arc<Rule>> = set.rules.into_iter().filter_map(|compiled| compiled.rule).collect();
    if rules.is_empty() {
        tell_error("there are no rules there that can run");
        return Ok(None);
    }
    Ok(Some(rules))
}

/// Prints the smallest policy under which the rules can fire; on standard error what it means.
pub(crate) fn suggest(arguments: &RuleArgs, logs: &[PathBuf]) -> ExitCode {
    match try_suggest(arguments, logs) {
        Ok(code) => code,
        Err(error) => trouble(&error),
    }
}

fn try_suggest(arguments: &RuleArgs, logs: &[PathBuf]) -> Result<ExitCode, EngineError> {
    let Some(rules) = load(arguments)? else { return Ok(ExitCode::from(TROUBLE)) };
    let conditions: Vec<(&str, masthead_ir::Expr)> = rules
        .iter()
        .flat_map(|rule| masthead_policy::conditions(&rule.body).into_iter().map(|expr| (rule.name.as_str(), expr)))
        .collect();
    let asked: Vec<(&str, &masthead_ir::Expr)> = conditions.iter().map(|(name, expr)| (*name, expr)).collect();
    let suggested = masthead_policy::suggest(&asked);
    let mut stdout = out();
    stdout.write_all(suggested.text.as_bytes()).and_then(|()| stdout.flush()).map_err(EngineError::Output)?;
    for (rule, reason) in &suggested.impossible {
        tell(&format!("{rule}: no policy lets it fire: {reason}"));
    }
    for rule in &suggested.unknown {
        tell(&format!("{rule}: what it needs cannot be read off it"));
    }
    let elsewhere = suggested.elsewhere.len() as u64;
    if elsewhere > 0 {
        tell(&format!("{} other logs than audit logs", counted(elsewhere, "rule") + " read"));
    }
    if let Some(policy) = suggested.policy.as_ref().filter(|_| !logs.is_empty()) {
        estimate(policy, logs)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// How much a policy would log, by logs that another policy made.
fn estimate(policy: &Policy, logs: &[PathBuf]) -> Result<(), EngineError> {
    let mut estimate = Estimate::new(policy);
    let bar = Bar::new();
    masthead_engine::each_event(logs, &ScanOptions::default(), &bar, &mut |event| {
        if let Ok(json) = serde_json::from_slice(event.raw)
            && let Some(sample) = Sample::from_audit(&json, event.raw.len() as u64)
        {
            estimate.add(&sample);
        }
    })?;
    bar.finish();
    let forecast = estimate.finish();
    let share = if forecast.read > 0 { 100.0 * forecast.events as f64 / forecast.read as f64 } else { 0.0 };
    tell(&format!(
        "of {} of the log it would keep {} ({share:.0} %), {:.1} MB",
        counted(forecast.read, "line"),
        forecast.events,
        forecast.bytes as f64 / 1e6
    ));
    if let (Some(events), Some(bytes)) = (forecast.events_per_day, forecast.bytes_per_day) {
        tell(&format!("at the log's pace: {events:.0} lines and {:.1} GB a day", bytes / 1e9));
    }
    if forecast.unknown_bodies > 0 {
        tell(&format!(
            "{} would have a body that the log does not hold: the policy's volume is larger",
            counted(forecast.unknown_bodies, "line")
        ));
    }
    Ok(())
}

/// Adds to every rule what an audit policy hides from it. The error tells what is wrong with the policy.
pub(crate) fn check(path: &Path, rules: &mut RuleSet) -> Result<(), EngineError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| EngineError::Unreadable { path: path.to_owned(), source })?;
    let policy = Policy::parse(path, &text).map_err(|faults| {
        for fault in &faults {
            tell(&format!("{}\n", diagnostics::text(fault, diagnostics::Stream::Err)));
        }
        EngineError::Nothing(format!("{} is no audit policy that can be used", path.display()))
    })?;
    rules.diagnostics.extend(policy.warnings.iter().cloned());
    masthead_engine::judge_policy(rules, &policy);
    Ok(())
}
