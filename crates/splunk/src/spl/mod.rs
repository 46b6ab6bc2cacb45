//! SPL to pipelines: macros are written out, the search is split at its pipes, each command becomes stages.

mod aggregates;
mod commands;
mod eval;
mod expand;
mod lex;
mod search;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use masthead_ir::pattern::Differs;
use masthead_ir::pipeline::{Pipeline, Source, Stage};
use masthead_ir::{Expr, Level};

/// Options by name: values, default, meaning. Each stands for a point on which the manual is silent.
pub const OPTIONS: &[(&str, &str, &str, &str)] = &[(
    "splunk.mv-not-equal",
    "some, every",
    "some",
    "whether `field!=value` holds for a field of several values if some of them differ, or only if every one does",
)];

/// How long a search may be.
const MAX_SEARCH: usize = 256 << 10;

/// What a search may refer to.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Macros by name and number of arguments.
    pub macros: BTreeMap<(String, usize), Macro>,
    /// Columns of lookups by name.
    pub tables: BTreeMap<String, Vec<String>>,
    /// Options by name; see [`OPTIONS`].
    pub options: BTreeMap<String, String>,
    /// The definition of a macro that is not there.
    pub missing_macro: fn(&str) -> Option<String>,
}

/// A macro.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Macro {
    /// Names of arguments.
    pub args: Vec<String>,
    /// Its text.
    pub definition: String,
    /// Whether the text is an eval expression that gives the text.
    pub iseval: bool,
}

/// What became of a search.
#[derive(Debug, Clone, Default)]
pub struct Compilation {
    /// The pipeline; none if a problem keeps it from running.
    pub pipeline: Option<Pipeline>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Macros that were called.
    pub macros_used: BTreeSet<String>,
    /// Lookups that are read.
    pub lookups_used: BTreeSet<String>,
    /// Lookups that are written.
    pub lookups_written: BTreeSet<String>,
    /// The fields of the result, if they are known.
    pub output: Option<Vec<String>>,
}

/// What is wrong with a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A stable name.
    pub code: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What is wrong.
    pub message: String,
    /// A way out.
    pub help: Option<String>,
    /// Bytes of the search.
    pub range: Range<usize>,
    /// Whether it is right, but cannot run here.
    pub unsupported: bool,
}

impl Problem {
    fn syntax(message: impl Into<String>, range: Range<usize>) -> Problem {
        let message = message.into();
        Problem { code: "spl-syntax", level: Level::Error, message, help: None, range, unsupported: false }
    }
}

/// Options as they were chosen.
#[derive(Debug, Clone, Copy)]
struct Options {
    not_equal: Differs,
}

struct Compiler<'e> {
    env: &'e Environment,
    options: Options,
    lookups_used: BTreeSet<String>,
}

/// Compiles a search.
pub fn compile(text: &str, env: &Environment) -> Compilation {
    let mut result = Compilation::default();
    if text.len() > MAX_SEARCH {
        let message = format!("a search may have {MAX_SEARCH} bytes");
        result.problems.push(Problem::syntax(message, 0..0));
        return result;
    }
    let expanded = match expand::expand(text, env) {
        Ok(expanded) => expanded,
        Err(problem) => {
            result.problems.push(problem);
            return result;
        }
    };
    result.macros_used = expanded.macros.clone();
    let options = Options { not_equal: search::not_equal(env.options.get("splunk.mv-not-equal").map(String::as_str)) };
    let mut compiler = Compiler { env, options, lookups_used: BTreeSet::new() };
    match pipeline(&mut compiler, &expanded.text) {
        Ok(pipeline) => {
            result.output = output(&pipeline.stages);
            result.pipeline = Some(pipeline);
        }
        Err(problem) => {
            let range = expanded.original(&problem.range);
            result.problems.push(Problem { range, ..problem });
        }
    }
    result.lookups_used = compiler.lookups_used;
    result
}

fn pipeline(compiler: &mut Compiler<'_>, text: &str) -> Result<Pipeline, Problem> {
    let mut ranges = lex::stages(text, 0..text.len())?.into_iter();
    let first = ranges.next().unwrap_or(0..0);
    let mut source = Source::Events { filter: Expr::And(Vec::new()), range: None };
    let mut stages: Vec<Stage> = Vec::new();
    if !text[first.clone()].trim().is_empty() {
        let words = lex::tokens(text, first.clone(), search::SIGNS)?;
        let words = match words.split_first() {
            Some((word, rest)) if word.kind == lex::Kind::Word && word.text == "search" && !starts_comparison(rest) => {
                rest
            }
            _ => &words[..],
        };
        let parsed = search::parse(words, first.end, &compiler.options)?;
        if let Some((range, _)) = parsed.subsearches.first() {
            return Err(commands::subsearch(range.clone()));
        }
        let filter = parsed.filter.into_iter().next().unwrap_or(Expr::And(Vec::new()));
        source = Source::Events { filter, range: parsed.range };
    }
    for range in ranges {
        let words = lex::tokens(text, range.clone(), "=(")?;
        let Some(name) = words.first().filter(|word| word.kind == lex::Kind::Word) else {
            return Err(Problem::syntax("expected a command after `|`", range));
        };
        stages.extend(commands::compile(compiler, text, name, name.range.end..range.end)?);
    }
    Ok(Pipeline { source, stages })
}

fn starts_comparison(rest: &[lex::Token]) -> bool {
    rest.first().is_some_and(|token| token.kind == lex::Kind::Sign && token.text != "(")
}

/// The fields of the result, where an aggregation or a table says which there are.
fn output(stages: &[Stage]) -> Option<Vec<String>> {
    let mut known: Option<Vec<String>> = None;
    for stage in stages {
        match stage {
            Stage::Aggregate(aggregation) => {
                let names = aggregation.aggregates.iter().map(|aggregate| aggregate.name.clone());
                known = Some(aggregation.by.iter().cloned().chain(names).collect());
            }
            Stage::Keep { fields, ordered: true } => known = Some(fields.clone()),
            Stage::Rename(pairs) => {
                for (from, to) in pairs {
                    if from.contains('*') {
                        return None;
                    }
                    known.iter_mut().flatten().filter(|name| *name == from).for_each(|name| name.clone_from(to));
                }
            }
            Stage::Assign { field, .. } => known.iter_mut().for_each(|known| known.push(field.clone())),
            Stage::Annotate(aggregation) => {
                let names = aggregation.aggregates.iter().map(|aggregate| aggregate.name.clone());
                known.iter_mut().for_each(|known| known.extend(names.clone()));
            }
            Stage::Filter(_)
            | Stage::Sort { .. }
            | Stage::FormatTime { .. }
            | Stage::Head { .. }
            | Stage::Fill { .. } => {}
            _ => return None,
        }
    }
    known.filter(|known| !known.iter().any(|name| name.contains('*')))
}
