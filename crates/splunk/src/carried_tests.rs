//! Tests that rules carry: recorded events that must, or must not, make the rule fire.

use std::collections::BTreeMap;

use masthead_ir::Diagnostic;
use masthead_ir::rule::{RuleTest, TestData, TestInput};
use masthead_rulefile::Node;

use crate::fields::Reader;

/// Reads `tests`. A rule that says `tags.manual_test` has none that a program can run.
pub(crate) fn tests(node: &Node, tags: &Node, reader: &mut Reader<'_>) -> Vec<RuleTest> {
    let manual = tags.get("manual_test").filter(|value| !value.is_null());
    if let Some(manual) = manual {
        let note = "the rule's tests are said to need a person; they are not run";
        reader.report(manual, Diagnostic::note("manual-test", note));
        return Vec::new();
    }
    let mut found = Vec::new();
    for (at, test) in reader.list(node, "tests").iter().enumerate() {
        if test.entries().is_empty() {
            reader.wrong_type(test, "tests", "a list of mappings");
            continue;
        }
        found.extend(one(test, at, reader));
    }
    found
}

fn one(test: &Node, at: usize, reader: &mut Reader<'_>) -> Option<RuleTest> {
    let name = reader.text(test, "name").map_or_else(|| format!("test {}", at + 1), str::to_owned);
    let expect_match = expect_match(test, reader);
    let mut data = Vec::new();
    for item in reader.list(test, "attack_data") {
        let Some(location) = reader.required(item, "data", "the test's data") else { continue };
        data.push(TestData {
            location: location.trim().to_owned(),
            source: reader.text(item, "source").map(str::to_owned),
            sourcetype: reader.text(item, "sourcetype").map(str::to_owned),
        });
    }
    if data.is_empty() {
        if test.get("attack_data").is_none() {
            let fault = format!("the test `{name}` has no `attack_data`; it is not run");
            reader
                .report(test.entries().first().map_or(test, |(key, _)| key), Diagnostic::warning("empty-test", fault));
        }
        return None;
    }
    let line = u32::try_from(reader.file.span(test).line_column().0).unwrap_or(u32::MAX);
    Some(RuleTest {
        name,
        input: TestInput::Data(data),
        expect_match,
        expect: BTreeMap::new(),
        mocks: Vec::new(),
        line,
    })
}

/// ESCU's tests always expect a match. `expect: none` is an addition for tests that the rule must stay silent on.
fn expect_match(test: &Node, reader: &mut Reader<'_>) -> bool {
    match reader.text(test, "expect") {
        None | Some("match") => true,
        Some("none") => false,
        Some(other) => {
            let fault = Diagnostic::error("wrong-type", format!("`expect` is `{other}`; it must be `match` or `none`"));
            if let Some(place) = test.get("expect") {
                reader.report(place, fault);
            }
            true
        }
    }
}
