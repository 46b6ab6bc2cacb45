//! SPL to pipelines: macros are written out, the search is split at its pipes, each command becomes stages.

mod aggregates;
mod commands;
mod eval;
mod expand;
mod generate;
mod known;
mod lex;
mod nested;
mod options;
mod search;
mod series;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use masthead_ir::pipeline::{Pipeline, Source, Stage};
use masthead_ir::{Expr, Level};

pub use options::OPTIONS;
use options::Options;

/// How long a search may be.
const MAX_SEARCH: usize = 256 << 10;
/// How deep searches in brackets may nest.
const MAX_NESTING: usize = 16;

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

    fn unsupported(message: impl Into<String>, range: Range<usize>) -> Problem {
        Problem { code: "spl-unsupported", unsupported: true, ..Problem::syntax(message, range) }
    }
}

struct Compiler<'e> {
    env: &'e Environment,
    options: Options,
    lookups_used: BTreeSet<String>,
    lookups_written: BTreeSet<String>,
    /// How many searches in brackets are open.
    depth: usize,
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
    let options = Options::of(&env.options);
    let mut compiler =
        Compiler { env, options, lookups_used: BTreeSet::new(), lookups_written: BTreeSet::new(), depth: 0 };
    match compiler.pipeline(&expanded.text, 0..expanded.text.len()) {
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
    result.lookups_written = compiler.lookups_written;
    result
}

impl Compiler<'_> {
    /// A search: its first part filters events unless it is empty; then the next command makes the rows.
    fn pipeline(&mut self, text: &str, range: Range<usize>) -> Result<Pipeline, Problem> {
        let stages = lex::stages(text, range)?;
        let Some((first, rest)) = stages.split_first() else { return self.events(text, 0..0) };
        if !text[first.clone()].trim().is_empty() {
            let mut pipeline = self.events(text, first.clone())?;
            self.stages(text, rest, &mut pipeline.stages)?;
            return Ok(pipeline);
        }
        let Some((second, rest)) = rest.split_first() else { return self.events(text, first.clone()) };
        let name = command_name(text, second)?;
        let range = name.range.end..second.end;
        let lower = name.text.to_ascii_lowercase();
        let mut pipeline = if lower == "search" {
            self.events(text, range)?
        } else if generate::COMMANDS.contains(&lower.as_str()) {
            generate::compile(self, text, &name, range)?
        } else {
            // What cannot run at all says so itself.
            commands::compile(self, text, &name, range)?;
            let message = format!("`{lower}` needs rows, and stands first");
            return Err(Problem::syntax(message, name.range));
        };
        self.stages(text, rest, &mut pipeline.stages)?;
        Ok(pipeline)
    }

    /// A search in brackets. Its first word is a command, with a pipe before it or not.
    fn inner(&mut self, text: &str, range: Range<usize>) -> Result<Pipeline, Problem> {
        self.deeper(&range)?;
        let stages = lex::stages(text, range.clone())?;
        let first = stages.first().cloned().unwrap_or(range.clone());
        let blank = text[first.clone()].trim().is_empty();
        let generated = !blank && {
            let name = command_name(text, &first)?;
            generate::COMMANDS.iter().any(|known| name.text.eq_ignore_ascii_case(known))
        };
        let pipeline = if generated {
            let name = command_name(text, &first)?;
            let mut pipeline = generate::compile(self, text, &name, name.range.end..first.end)?;
            self.stages(text, stages.get(1..).unwrap_or_default(), &mut pipeline.stages)?;
            pipeline
        } else {
            self.known_start(text, &first, blank)?;
            self.pipeline(text, range)?
        };
        self.depth -= 1;
        Ok(pipeline)
    }

    /// Splunk wants a command at the start of a search in brackets; one that cannot run must say so.
    fn known_start(&mut self, text: &str, first: &Range<usize>, blank: bool) -> Result<(), Problem> {
        if blank {
            return Ok(());
        }
        let name = command_name(text, first)?;
        if name.text.eq_ignore_ascii_case("search") || !known::is_known(&name.text) {
            return Ok(());
        }
        commands::compile(self, text, &name, name.range.end..first.end)?;
        Err(Problem::syntax(format!("`{}` needs rows, and stands first", name.text), name.range))
    }

    /// Stages in brackets that have no source of their own.
    fn inner_stages(&mut self, text: &str, range: Range<usize>) -> Result<Vec<Stage>, Problem> {
        self.deeper(&range)?;
        let mut found = Vec::new();
        let stages = lex::stages(text, range)?;
        let blank = stages.first().is_some_and(|first| text[first.clone()].trim().is_empty());
        self.stages(text, &stages[usize::from(blank)..], &mut found)?;
        self.depth -= 1;
        Ok(found)
    }

    fn deeper(&mut self, range: &Range<usize>) -> Result<(), Problem> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err(Problem::syntax("searches in brackets are nested too deep", range.start..range.start));
        }
        Ok(())
    }

    fn events(&mut self, text: &str, range: Range<usize>) -> Result<Pipeline, Problem> {
        let words = lex::tokens(text, range.clone(), search::SIGNS)?;
        let words = match words.split_first() {
            Some((word, rest)) if word.kind == lex::Kind::Word && word.text == "search" && !starts_comparison(rest) => {
                rest
            }
            _ => &words[..],
        };
        let parsed = search::parse(words, range.end, &self.options)?;
        let stages = nested::filters(self, text, &parsed)?;
        let filter = parsed.filter.into_iter().next().unwrap_or(Expr::And(Vec::new()));
        Ok(Pipeline { source: Source::Events { filter, range: parsed.range }, stages })
    }

    fn stages(&mut self, text: &str, ranges: &[Range<usize>], stages: &mut Vec<Stage>) -> Result<(), Problem> {
        for range in ranges {
            let name = command_name(text, range)?;
            stages.extend(commands::compile(self, text, &name, name.range.end..range.end)?);
        }
        *stages = self.options.apply(std::mem::take(stages));
        Ok(())
    }

    /// The lookup that is named next; it must be there, or be written by this search.
    fn table(&mut self, words: &mut words::Words<'_>) -> Result<String, Problem> {
        let start = words.words.get(words.at).map_or(words.end..words.end, |token| token.range.clone());
        let table = words.required("the name of a lookup")?;
        self.lookups_used.insert(table.clone());
        if !self.env.tables.contains_key(&table) && !self.lookups_written.contains(&table) {
            let hint = masthead_rulefile::suggest(&table, self.env.tables.keys().map(String::as_str));
            let hint = hint.map(|hint| format!("; did you mean `{hint}`?")).unwrap_or_default();
            let problem = Problem::syntax(format!("there is no lookup `{table}`{hint}"), start);
            return Err(Problem { code: "missing-lookup", ..problem });
        }
        Ok(table)
    }
}

fn command_name(text: &str, range: &Range<usize>) -> Result<lex::Token, Problem> {
    let words = lex::tokens(text, range.clone(), "=(")?;
    let name = words.into_iter().next().filter(|word| word.kind == lex::Kind::Word);
    name.ok_or_else(|| Problem::syntax("expected a command after `|`", range.clone()))
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
