//! `masthead check`.

mod against;

use std::io::{self, Write};
use std::process::ExitCode;

use masthead_engine::{EngineError, RuleOptions};
use masthead_ir::diagnostic::Diagnostic;
use masthead_ir::rule::{RuleSet, Status};

use crate::args::{Check, CheckFormat};
use crate::output::{TROUBLE, counted, out, tell_error, trouble};
use crate::render::{RuleRecord, diagnostics, sarif, summary};

pub(crate) fn run(check: &Check) -> ExitCode {
    let options = RuleOptions {
        paths: check.paths.clone(),
        options: check.options.iter().cloned().collect(),
        only: check.only.clone(),
    };
    let mut rules = match masthead_engine::load_rules(&options) {
        Ok(rules) => rules,
        Err(error) => return trouble(&error),
    };
    if rules.rules.is_empty() && rules.diagnostics.is_empty() {
        tell_error("there are no rules there");
        return ExitCode::from(TROUBLE);
    }
    if let Err(error) = further(check, &mut rules) {
        return trouble(&error);
    }
    if let Err(error) = print(check.format, &rules, &mut out()) {
        return trouble(&EngineError::Output(error));
    }
    ExitCode::from(u8::from(rules.rules.iter().any(summary::refused)))
}

/// What is told beside what the front-ends found.
fn further(check: &Check, rules: &mut RuleSet) -> Result<(), EngineError> {
    masthead_engine::judge_types(rules);
    if let Some(policy) = &check.policy {
        crate::policy::check(policy, rules)?;
    }
    if !check.against.is_empty() {
        against::check(&check.against, rules)?;
    }
    Ok(())
}

fn print(format: CheckFormat, rules: &RuleSet, out: &mut impl Write) -> io::Result<()> {
    match format {
        CheckFormat::Text => text(rules, out)?,
        CheckFormat::Jsonl => {
            for rule in &rules.rules {
                writeln!(out, "{}", serde_json::to_string(&RuleRecord::from(rule))?)?;
            }
        }
        CheckFormat::Sarif => writeln!(out, "{}", sarif::log(&all(rules)))?,
    }
    out.flush()
}

/// Every diagnostic, those of a file together.
fn all(rules: &RuleSet) -> Vec<&Diagnostic> {
    let mut all: Vec<&Diagnostic> =
        rules.rules.iter().flat_map(|rule| &rule.diagnostics).chain(&rules.diagnostics).collect();
    all.sort_by_key(|diagnostic| diagnostic.span.as_ref().map(|span| (&span.path, span.start)));
    all
}

fn text(rules: &RuleSet, out: &mut impl Write) -> io::Result<()> {
    for diagnostic in all(rules) {
        writeln!(out, "{}\n", diagnostics::text(diagnostic, diagnostics::Stream::Out))?;
    }
    let count = |status| rules.rules.iter().filter(|rule| rule.status == status).count();
    let (runs, partial) = (count(Status::Runs), count(Status::Partial));
    let (unsupported, invalid) = (count(Status::Unsupported), count(Status::Invalid));
    let total = counted(rules.rules.len() as u64, "rule");
    writeln!(out, "{total}: {runs} run, {partial} partial, {unsupported} unsupported, {invalid} invalid")
}
