//! Correlation rules: groups and sequences of what other rules found.
//!
//! A group asks that each of its rules matched so often within the lookback window; a sequence asks that its rules matched
//! one after the other. Both may ask that matches agree in a value. Here a rule runs over events, where the conditions of
//! the rules that it names can be read off their programs. Its tests, which say what those rules found, run without events
//! ([`run_tests`]).

mod compile;
mod evaluate;
mod read;
#[cfg(test)]
mod tests;

use masthead_rulefile::Node;

pub(crate) use compile::{compile, named_rules};

/// How far back a correlation looks unless it says, in minutes.
const LOOKBACK_MINUTES: u64 = 60;

/// What a test of a correlation rule gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestOutcome {
    /// The test's name.
    pub name: String,
    /// Whether the rule must match.
    pub expected: bool,
    /// Whether it matches.
    pub matched: bool,
    /// The byte of the rule's file where the test begins.
    pub start: usize,
}

impl TestOutcome {
    /// Whether the rule does what the test expects.
    pub fn passed(&self) -> bool {
        self.expected == self.matched
    }
}

/// Runs the tests of a correlation rule, which is given as its file's first document. Tests that cannot be read are left
/// out; so are all of a rule that cannot be.
pub fn run_tests(root: &Node) -> Vec<TestOutcome> {
    let Ok(detection) = read::detection(root) else { return Vec::new() };
    let tests = root.get("Tests").map_or(&[][..], Node::items);
    let outcomes = tests.iter().enumerate().filter_map(|(at, test)| {
        let expected = test.get("ExpectedResult").and_then(Node::as_bool)?;
        let outputs = read::outputs(test.get("RuleOutputs"));
        let name = test.get("Name").and_then(Node::text).map_or_else(|| format!("test {}", at + 1), str::to_owned);
        let matched = evaluate::matches(&detection, &outputs);
        Some(TestOutcome { name, expected, matched, start: test.span.start })
    });
    outcomes.collect()
}

/// What a correlation rule asks for.
#[derive(Debug, Clone, PartialEq)]
struct Detection {
    shape: Shape,
    /// How far apart all that belongs together may lie.
    lookback_minutes: u64,
}

#[derive(Debug, Clone, PartialEq)]
enum Shape {
    /// All of these, in any order.
    Group {
        members: Vec<Member>,
        /// Values in which matches must agree: for each, the field by member. All must hold.
        criteria: Vec<Vec<(String, String)>>,
    },
    /// One after the other.
    Sequence { members: Vec<Member>, transitions: Vec<Transition> },
}

impl Detection {
    fn members(&self) -> &[Member] {
        match &self.shape {
            Shape::Group { members, .. } | Shape::Sequence { members, .. } => members,
        }
    }
}

/// A rule that must have matched.
#[derive(Debug, Clone, PartialEq)]
struct Member {
    /// Its name in this rule.
    id: String,
    /// The rule.
    rule: String,
    /// How often.
    count: usize,
    /// Whether it must not have matched instead.
    absent: bool,
}

/// How one member of a sequence follows another.
#[derive(Debug, Clone, PartialEq)]
struct Transition {
    from: String,
    to: String,
    /// How long after; none: anywhere in the lookback window.
    within_minutes: Option<u64>,
    /// Fields whose values must be equal: of the one before and of the one behind.
    fields: Vec<(String, String)>,
}

/// What a rule found, as a test tells it: the times, in seconds, of matches by field and value.
#[derive(Debug, Clone, PartialEq, Default)]
struct Output {
    id: String,
    matches: Vec<(String, String, Vec<f64>)>,
}
