//! What scripts did wrong, as diagnostics: one for each kind of fault and line, with how often it happened.

use std::collections::HashMap;

use masthead_ir::diagnostic::{Diagnostic, Span};
use masthead_ir::rule::{Script, ScriptError};

/// How many different faults of one rule are told.
const TOLD: usize = 5;
/// The function that is shown where a call was ended by force.
const DECIDES: &str = "rule";

/// Codes of faults that only a run shows.
pub(crate) const CODES: &[(&str, &str)] = &[
    (
        "script-exception",
        "A function of the rule raised an exception; if it is the one that decides, the event is no match.",
    ),
    ("script-killed", "The rule took too long or too much memory for one event and is not called any more."),
    ("script-load", "The rule's Python could not be loaded, so that it saw no event."),
];

/// The faults of one script.
#[derive(Default)]
pub(crate) struct Faults {
    found: Vec<(Diagnostic, u64)>,
    places: HashMap<(&'static str, String, u32), usize>,
}

impl Faults {
    /// The program or its library could not be loaded.
    pub(crate) fn load(&mut self, script: &Script, error: &ScriptError) {
        let fault = Diagnostic::error("script-load", format!("the rule cannot be loaded ({})", error.message));
        self.add(fault.at(line(script, error.line)), "", error.line);
    }

    /// A function raised. Where the event is a match all the same, only a part of the finding is lost.
    pub(crate) fn exception(&mut self, script: &Script, error: &ScriptError, matched: bool) {
        let own = !error.function.is_empty() && script.source.contains(&format!("def {}(", error.function));
        let who = if own { format!("`{}`", error.function) } else { "the rule".to_owned() };
        let message = format!("{who} raised {}", error.message);
        let fault = if matched {
            Diagnostic::warning("script-exception", message).help("the finding has the default instead")
        } else {
            Diagnostic::error("script-exception", message).help("an event for which it raises is no match")
        };
        self.add(fault.at(line(script, error.line)), &error.function, error.line);
    }

    /// A call was ended by force; `how` is a sentence without its subject.
    pub(crate) fn killed(&mut self, script: &Script, how: &str) {
        let fault = Diagnostic::error("script-killed", format!("the rule was stopped at an event: it {how}"));
        let at = line(script, definition(&script.source));
        self.add(fault.at(at).help("it did not see the events after that one"), "", 0);
    }

    fn add(&mut self, fault: Diagnostic, function: &str, line: u32) {
        let key = (fault.code, function.to_owned(), line);
        if let Some(at) = self.places.get(&key) {
            self.found[*at].1 += 1;
        } else if self.found.len() < TOLD {
            self.places.insert(key, self.found.len());
            self.found.push((fault, 1));
        }
    }

    /// What came up first.
    pub(crate) fn first(&self) -> Option<String> {
        self.found.first().map(|(fault, _)| fault.message.clone())
    }

    /// The diagnostics, in the order in which the faults came up.
    pub(crate) fn finish(self) -> Vec<Diagnostic> {
        let told = |(mut fault, times): (Diagnostic, u64)| {
            if times > 1 {
                fault.message = format!("{}; {times} times at this line", fault.message);
            }
            fault
        };
        self.found.into_iter().map(told).collect()
    }
}

/// The line of the function that decides; 0 if there is none.
fn definition(source: &str) -> u32 {
    let head = format!("def {DECIDES}(");
    let found = source.lines().position(|line| line.starts_with(&head));
    found.map_or(0, |at| u32::try_from(at + 1).unwrap_or(0))
}

/// A line of a script without its indentation; the start of the file if it is not known.
fn line(script: &Script, number: u32) -> Span {
    let text = script.source.clone();
    let index = (number as usize).saturating_sub(1);
    let mut start = 0;
    let mut end = 0;
    if number > 0
        && let Some(line) = text.split_inclusive('\n').nth(index)
    {
        let before: usize = text.split_inclusive('\n').take(index).map(str::len).sum();
        start = before + (line.len() - line.trim_start().len());
        end = before + line.trim_end().len();
    }
    Span { path: script.source_path.clone(), text, start, end: end.max(start) }
}
