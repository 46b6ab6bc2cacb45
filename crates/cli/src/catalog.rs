//! `masthead coverage`, `rules` and `docs`: what a set of rules is.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use masthead_engine::EngineError;
use masthead_ir::rule::Rule;
use serde::Serialize;

use crate::args::{Coverage, CoverageFormat, ListFormat, RuleArgs, Rules, RulesCommand};
use crate::output::{TROUBLE, out, tell, trouble};
use crate::policy::load;

/// Loads rules and prints what is made of them.
fn print(arguments: &RuleArgs, make: &dyn Fn(&[Arc<Rule>]) -> io::Result<String>) -> ExitCode {
    let rules = match load(arguments) {
        Ok(Some(rules)) => rules,
        Ok(None) => return ExitCode::from(TROUBLE),
        Err(error) => return trouble(&error),
    };
    let write = |text: String| {
        let mut stdout = out();
        stdout.write_all(text.as_bytes())?;
        if !text.is_empty() && !text.ends_with('\n') {
            stdout.write_all(b"\n")?;
        }
        stdout.flush()
    };
    match make(&rules).and_then(write) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => trouble(&EngineError::Output(error)),
    }
}

pub(crate) fn coverage(arguments: &Coverage) -> ExitCode {
    print(&arguments.rules, &|rules| {
        let coverage = masthead_catalog::Coverage::of(rules);
        Ok(match arguments.format {
            CoverageFormat::Text => coverage.text(),
            CoverageFormat::Markdown => coverage.markdown(),
            CoverageFormat::Json => serde_json::to_string_pretty(&coverage)?,
            CoverageFormat::Navigator => serde_json::to_string_pretty(&coverage.navigator("masthead"))?,
        })
    })
}

pub(crate) fn rules(arguments: &Rules) -> ExitCode {
    print(&arguments.rules, &|rules| match &arguments.what {
        RulesCommand::List => {
            let listed = masthead_catalog::list(rules);
            written(arguments.format, &listed, masthead_catalog::listing::text)
        }
        RulesCommand::Search { words } => {
            let hits = masthead_catalog::search(rules, &words.join(" "));
            if hits.is_empty() {
                tell("no rule has all of these words");
            }
            written(arguments.format, &hits, masthead_catalog::search::text)
        }
        RulesCommand::Overlap => {
            let overlaps = masthead_catalog::overlaps(rules);
            if overlaps.is_empty() {
                tell("no two rules look for the same thing");
            }
            written(arguments.format, &overlaps, masthead_catalog::overlap::text)
        }
    })
}

fn written<T: Serialize>(format: ListFormat, all: &[T], text: fn(&[T]) -> String) -> io::Result<String> {
    match format {
        ListFormat::Text => Ok(text(all)),
        ListFormat::Jsonl => {
            let lines = all.iter().map(|one| Ok(serde_json::to_string(one)? + "\n"));
            lines.collect()
        }
    }
}

pub(crate) fn docs(arguments: &RuleArgs) -> ExitCode {
    print(arguments, &|rules| Ok(masthead_catalog::catalogue(rules)))
}
