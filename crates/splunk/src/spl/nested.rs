//! Commands with searches or stages in brackets.

use std::ops::Range;

use masthead_ir::pipeline::{Stage, Template};

use super::lex::{self, Kind};
use super::words::Words;
use super::{Compiler, Problem, generate, search};

/// `join [type=…] [max=…] [overwrite=…] FIELDS [SEARCH]` (Splunk Search Reference, "join").
pub(super) fn join(compiler: &mut Compiler<'_>, text: &str, range: Range<usize>) -> Result<Vec<Stage>, Problem> {
    let mut words = Words::new(text, range, "=,")?;
    let inside = words.bracket("join")?;
    let given = words.options(&["type", "max", "overwrite", "usetime", "earlier", "left", "right"]);
    if let Some(option) = given.first_of(&["usetime", "left"]) {
        return Err(Problem::unsupported(format!("`join {option}=` is not built"), inside));
    }
    let outer = match given.text("type").as_deref() {
        None | Some("inner") => false,
        Some("left" | "outer") => true,
        Some(other) => {
            return Err(Problem::syntax(format!("there is no join of type `{other}`"), words.end..words.end));
        }
    };
    let (max, overwrite) = (given.number("max", 1, &words)?, given.on("overwrite", true));
    let right = Box::new(compiler.inner(text, inside)?);
    Ok(vec![Stage::Join { keys: words.names(), outer, max, overwrite, right }])
}

/// `append [SEARCH]`.
pub(super) fn append(compiler: &mut Compiler<'_>, text: &str, range: Range<usize>) -> Result<Vec<Stage>, Problem> {
    let mut words = Words::new(text, range, "=,")?;
    let inside = words.bracket("append")?;
    words.options(&["extendtimerange", "maxtime", "maxout", "timeout"]);
    words.finish()?;
    Ok(vec![Stage::Append(Box::new(compiler.inner(text, inside)?))])
}

/// `appendpipe [STAGES]`.
pub(super) fn append_pipe(compiler: &mut Compiler<'_>, text: &str, range: Range<usize>) -> Result<Vec<Stage>, Problem> {
    let mut words = Words::new(text, range, "=,")?;
    let inside = words.bracket("appendpipe")?;
    words.options(&["run_in_preview"]);
    words.finish()?;
    Ok(vec![Stage::AppendPipe(compiler.inner_stages(text, inside)?)])
}

/// `foreach PATTERNS [eval …]`: the body is a template, filled for every field that matches.
pub(super) fn for_each(text: &str, range: Range<usize>) -> Result<Vec<Stage>, Problem> {
    let mut words = Words::new(text, range, "=,")?;
    let inside = words.bracket("foreach")?;
    let given = words.options(&["mode", "fieldstr", "matchstr", "matchseg1", "matchseg2", "matchseg3", "itemstr"]);
    if let Some(mode) = given.text("mode").filter(|mode| mode != "multifield") {
        return Err(Problem::unsupported(format!("`foreach mode={mode}` is not built"), inside));
    }
    if given.first_of(&["fieldstr", "matchstr", "matchseg1", "matchseg2", "matchseg3"]).is_some() {
        return Err(Problem::unsupported("`foreach` with tokens of other names is not built", inside));
    }
    let mut body = Template { assignments: Vec::new() };
    for stage in lex::stages(text, inside)? {
        let name = lex::tokens(text, stage.clone(), "=(")?.into_iter().next();
        let Some(name) = name.filter(|word| word.kind == Kind::Word) else { continue };
        if !name.text.eq_ignore_ascii_case("eval") {
            let message = format!("`foreach` runs `eval` only, not `{}`", name.text);
            return Err(Problem::unsupported(message, name.range));
        }
        body.assignments.extend(generate::assignments(text, name.range.end..stage.end)?);
    }
    if body.assignments.is_empty() {
        return Err(Problem::syntax("`foreach` needs an `eval` in brackets", words.end..words.end));
    }
    Ok(vec![Stage::ForEach { fields: words.names(), body }])
}

/// The subsearches of a search expression: rows pass that agree with one of their rows.
pub(super) fn filters(compiler: &mut Compiler<'_>, text: &str, parsed: &search::Parsed) -> Result<Vec<Stage>, Problem> {
    let stage = |(range, negated): &(Range<usize>, bool)| {
        let right = Box::new(compiler.inner(text, range.clone())?);
        Ok(Stage::SemiJoin { right, negated: *negated })
    };
    parsed.subsearches.iter().map(stage).collect()
}

/// `outputlookup NAME`.
pub(super) fn output_lookup(compiler: &mut Compiler<'_>, words: &mut Words<'_>) -> Result<Vec<Stage>, Problem> {
    let given = words.options(&[
        "append",
        "create_empty",
        "createinapp",
        "create_context",
        "key_field",
        "max",
        "override_if_empty",
        "output_format",
    ]);
    let name = words.required("the name of a lookup")?;
    words.finish()?;
    compiler.lookups_written.insert(name.clone());
    Ok(vec![Stage::WriteTable { name, append: given.on("append", false) }])
}
