//! `masthead test`.

use std::io::{self, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use masthead_engine::{EngineError, RuleOptions, ScanOptions, TestResult, TestStatus};
use masthead_ir::rule::{RuleSet, Status};

use crate::args::{Test, TestFormat};
use crate::output::{TROUBLE, counted, out, printable, tell, tell_error, trouble};
use crate::render::junit;

pub(crate) fn run(test: &Test) -> ExitCode {
    match try_run(test) {
        Ok(code) => code,
        Err(error) => trouble(&error),
    }
}

fn try_run(test: &Test) -> Result<ExitCode, EngineError> {
    let rules = masthead_engine::load_rules(&RuleOptions {
        paths: test.paths.clone(),
        options: test.options.iter().cloned().collect(),
        only: test.only.clone(),
    })?;
    if rules.rules.is_empty() {
        tell_error("there are no rules there");
        return Ok(ExitCode::from(TROUBLE));
    }
    let options = ScanOptions { worker: crate::scan::worker(), ..ScanOptions::default() };
    let mut results = Vec::new();
    let mut out = out();
    masthead_engine::run_tests(&rules, &options, &mut |result| {
        match test.format {
            TestFormat::Jsonl => writeln!(out, "{}", serde_json::to_string(&result)?)?,
            TestFormat::Text if result.status != TestStatus::Passed => writeln!(out, "{}", failure(&result))?,
            TestFormat::Text | TestFormat::Junit => {}
        }
        // Tests can take a while: each is told when it is known.
        out.flush()?;
        results.push(result);
        Ok(())
    })?;
    close(&mut out, test.format, &rules, &results).map_err(EngineError::Output)?;
    Ok(ExitCode::from(u8::from(results.iter().any(|result| result.status != TestStatus::Passed))))
}

fn close(out: &mut impl Write, format: TestFormat, rules: &RuleSet, results: &[TestResult]) -> io::Result<()> {
    if format == TestFormat::Junit {
        writeln!(out, "{}", junit::report(results).map_err(io::Error::other)?)?;
    }
    let count = |status| results.iter().filter(|result| result.status == status).count();
    let closing = format!(
        "{}: {} passed, {} failed, {} could not be run",
        counted(results.len() as u64, "test"),
        count(TestStatus::Passed),
        count(TestStatus::Failed),
        count(TestStatus::Error)
    );
    match format {
        TestFormat::Text => writeln!(out, "{closing}")?,
        TestFormat::Jsonl | TestFormat::Junit => tell(&closing),
    }
    out.flush()?;
    let without = |compiled: &&masthead_ir::rule::Compiled| compiled.rule.as_ref().is_some_and(|r| r.tests.is_empty());
    let without = rules.rules.iter().filter(without).count() as u64;
    if without > 0 {
        tell(&format!("{} without a test", counted(without, "rule")));
    }
    let unsupported = rules.rules.iter().filter(|rule| rule.status == Status::Unsupported).count() as u64;
    if unsupported > 0 {
        tell(&format!("{} that cannot run here, with what tests they have", counted(unsupported, "rule")));
    }
    Ok(())
}

fn failure(result: &TestResult) -> String {
    let (word, colour) = match result.status {
        TestStatus::Failed => ("FAILED", AnsiColor::Red),
        TestStatus::Error | TestStatus::Passed => ("ERROR", AnsiColor::Yellow),
    };
    let style = Style::new().fg_color(Some(colour.into())).bold();
    let path = result.path.display().to_string();
    let (rule, path, test) = (printable(&result.rule_id), printable(&path), printable(&result.test));
    format!("{style}{word}{style:#} {test}\n  {}\n  rule {rule} in {path}\n", printable(&result.detail))
}
