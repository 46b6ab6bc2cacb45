//! Test results as JUnit.

use std::collections::BTreeMap;

use masthead_engine::{TestResult, TestStatus};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

/// The report as XML, one suite a rule file; the error says why it cannot be written.
pub(crate) fn report(results: &[TestResult]) -> Result<String, String> {
    let mut report = Report::new(env!("CARGO_PKG_NAME"));
    let mut suites: BTreeMap<String, TestSuite> = BTreeMap::new();
    for result in results {
        let status = match result.status {
            TestStatus::Passed => TestCaseStatus::success(),
            TestStatus::Failed => non_success(NonSuccessKind::Failure, result),
            TestStatus::Error => non_success(NonSuccessKind::Error, result),
        };
        let mut case = TestCase::new(result.test.clone(), status);
        case.set_classname(result.rule_id.clone());
        let name = result.path.display().to_string();
        let suite = suites.entry(name.clone()).or_insert_with(|| TestSuite::new(name));
        suite.add_test_case(case);
    }
    report.add_test_suites(suites.into_values());
    report.to_string().map_err(|error| error.to_string())
}

fn non_success(kind: NonSuccessKind, result: &TestResult) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(result.detail.clone());
    if !result.expected.is_null() {
        status.set_description(format!("expected: {}\nactual: {}", result.expected, result.actual));
    }
    status
}
