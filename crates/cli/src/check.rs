//! `masthead check`.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use masthead_engine::{EngineError, RuleOptions};
use masthead_ir::diagnostic::Diagnostic;
use masthead_ir::rule::{RuleSet, Status};
use serde_json::{Value as Json, json};

use crate::args::{Check, CheckFormat};
use crate::output::{line, tell, trouble};
use crate::render::{diagnostics, sarif};

pub(crate) fn run(check: &Check) -> ExitCode {
    let options =
        RuleOptions { paths: check.paths.clone(), options: check.options.iter().cloned().collect(), only: Vec::new() };
    match masthead_engine::load_rules(&options) {
        Ok(rules) => print(check.format, &rules),
        Err(error) => trouble(&error),
    }
}

fn print(format: CheckFormat, rules: &RuleSet) -> ExitCode {
    let written = match format {
        CheckFormat::Text => text(rules),
        CheckFormat::Jsonl => rules.rules.iter().try_for_each(|rule| {
            let record = json!({
                "path": rule.path.display().to_string(),
                "rule_id": rule.rule_id,
                "dialect": rule.dialect,
                "status": rule.status,
                "diagnostics": rule.diagnostics.iter().map(record).collect::<Vec<_>>(),
            });
            line(&record.to_string())
        }),
        CheckFormat::Sarif => {
            let all = rules.rules.iter().flat_map(|rule| &rule.diagnostics).chain(&rules.diagnostics);
            line(&sarif::log(all).to_string())
        }
    };
    if let Err(error) = written {
        return trouble(&EngineError::Output(error));
    }
    if rules.rules.is_empty() {
        tell("masthead: no rules there");
        return ExitCode::from(crate::output::TROUBLE);
    }
    let bad = rules.rules.iter().any(|rule| matches!(rule.status, Status::Invalid | Status::Unsupported));
    ExitCode::from(u8::from(bad))
}

fn record(diagnostic: &Diagnostic) -> Json {
    let (line, column) = diagnostic.span.as_ref().map(|span| span.line_column()).unzip();
    json!({
        "code": diagnostic.code,
        "severity": diagnostic.level,
        "message": diagnostic.message,
        "line": line,
        "column": column,
    })
}

fn text(rules: &RuleSet) -> io::Result<()> {
    use std::io::Write as _;
    let colour = io::stdout().is_terminal();
    let all = rules.rules.iter().flat_map(|rule| &rule.diagnostics).chain(&rules.diagnostics);
    for diagnostic in all {
        writeln!(anstream::stdout(), "{}\n", diagnostics::text(diagnostic, colour))?;
    }
    let count = |status| rules.rules.iter().filter(|rule| rule.status == status).count();
    line(&format!(
        "{} rules: {} run, {} partial, {} unsupported, {} invalid",
        rules.rules.len(),
        count(Status::Runs),
        count(Status::Partial),
        count(Status::Unsupported),
        count(Status::Invalid)
    ))
}
