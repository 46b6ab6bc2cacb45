//! `masthead test`.

use std::io;
use std::process::ExitCode;

use masthead_engine::{EngineError, RuleOptions, ScanOptions, TestResult, TestStatus};

use crate::args::{Test, TestFormat};
use crate::output::{line, tell, trouble};
use crate::render::junit;

pub(crate) fn run(test: &Test) -> ExitCode {
    match try_run(test) {
        Ok(code) => code,
        Err(error) => trouble(&error),
    }
}

fn try_run(test: &Test) -> Result<ExitCode, EngineError> {
    let rules = masthead_engine::load_rules(&RuleOptions { paths: test.paths.clone(), ..RuleOptions::default() })?;
    let options = ScanOptions { worker: crate::scan::worker(), ..ScanOptions::default() };
    let mut results = Vec::new();
    masthead_engine::run_tests(&rules, &options, &mut |result| {
        match test.format {
            TestFormat::Jsonl => line(&serde_json::to_string(&result)?)?,
            TestFormat::Text if result.status != TestStatus::Passed => line(&failure(&result))?,
            TestFormat::Text | TestFormat::Junit => {}
        }
        results.push(result);
        Ok(())
    })?;
    if test.format == TestFormat::Junit {
        let xml = junit::report(&results).map_err(|error| EngineError::Output(io::Error::other(error)))?;
        line(&xml).map_err(EngineError::Output)?;
    }
    let passed = results.iter().filter(|result| result.status == TestStatus::Passed).count();
    let failed = results.len() - passed;
    let closing = format!("{passed} passed, {failed} failed");
    if test.format == TestFormat::Text {
        line(&closing).map_err(EngineError::Output)?;
    } else {
        tell(&closing);
    }
    if results.is_empty() {
        tell("masthead: the rules there carry no tests");
    }
    Ok(ExitCode::from(u8::from(failed > 0)))
}

fn failure(result: &TestResult) -> String {
    let status = if result.status == TestStatus::Failed { "FAILED" } else { "ERROR" };
    format!("{status} {} ({}): {}: {}", result.rule_id, result.path.display(), result.test, result.detail)
}
