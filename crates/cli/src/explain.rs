//! `masthead explain`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use masthead_engine::{EngineError, RuleOptions, ScanOptions};
use masthead_explain::{Origin, Page, Trace};
use masthead_ir::rule::Rule;

use crate::args::{Explain, PageFormat};
use crate::output::{TROUBLE, out, tell_error, trouble};
use crate::scan::Bar;

/// How many rules one name may stand for.
const MAX_RULES: usize = 20;

pub(crate) fn run(explain: &Explain) -> ExitCode {
    match try_run(explain) {
        Ok(code) => code,
        Err(error) => trouble(&error),
    }
}

fn try_run(explain: &Explain) -> Result<ExitCode, EngineError> {
    let file = PathBuf::from(&explain.rule);
    let load = |paths: Vec<PathBuf>, only: Vec<String>| {
        let set = masthead_engine::load_rules(&RuleOptions { paths, only, ..RuleOptions::default() })?;
        let rules: Vec<Arc<Rule>> = set.rules.iter().filter_map(|compiled| compiled.rule.clone()).collect();
        Ok::<_, EngineError>((set.rules.len(), rules))
    };
    let (known, meant) = if file.is_file() {
        load(vec![file], Vec::new())?
    } else {
        load(explain.rules.clone(), vec![explain.rule.clone()])?
    };
    if meant.is_empty() {
        let of = if known == 0 { "there is no rule" } else { "nothing that can run is called" };
        tell_error(&format!("{of} `{}`; `masthead rules search WORDS` finds rules", explain.rule));
        return Ok(ExitCode::from(TROUBLE));
    }
    if meant.len() > MAX_RULES {
        tell_error(&format!("`{}` stands for {} rules; say which", explain.rule, meant.len()));
        return Ok(ExitCode::from(TROUBLE));
    }
    let shown = match &explain.event {
        Some(events) => traces(&meant, events, explain.format)?,
        None => {
            let (_, others) = load(explain.rules.clone(), Vec::new())?;
            let pages: Vec<Page> = meant.iter().map(|rule| masthead_explain::explain(rule, &others)).collect();
            pages.iter().map(|page| written(explain.format, page, Page::text, Page::markdown)).collect::<Result<_, _>>()
        }
        .map_err(EngineError::Output)?,
    };
    print(&shown).map_err(EngineError::Output)?;
    Ok(ExitCode::SUCCESS)
}

fn written<T: serde::Serialize>(
    format: PageFormat,
    what: &T,
    text: fn(&T) -> String,
    markdown: fn(&T) -> String,
) -> io::Result<String> {
    Ok(match format {
        PageFormat::Text => text(what),
        PageFormat::Markdown => markdown(what),
        PageFormat::Json => serde_json::to_string_pretty(what)?,
    })
}

/// Why each rule did or did not fire on each event of a file.
fn traces(rules: &[Arc<Rule>], events: &PathBuf, format: PageFormat) -> Result<Vec<String>, EngineError> {
    let mut shown = Vec::new();
    let mut failed: Option<io::Error> = None;
    let bar = Bar::new();
    masthead_engine::each_event(std::slice::from_ref(events), &ScanOptions::default(), &bar, &mut |event| {
        let envelope = event.envelope;
        let owned = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
        let origin = Origin {
            source: Some(envelope.source.to_string()),
            sourcetype: Some(envelope.sourcetype.to_string()),
            host: owned(&envelope.host),
            log_type: owned(&envelope.log_type),
        };
        for rule in rules {
            let trace = match masthead_explain::trace(rule, event.raw, &origin) {
                Ok(trace) => written(format, &trace, Trace::text, Trace::markdown),
                Err(error) => Ok(format!("{}: {error}\n", rule.name)),
            };
            match trace {
                Ok(text) => shown.push(text),
                Err(error) => failed = Some(error),
            }
        }
    })?;
    bar.finish();
    match failed {
        Some(error) => Err(EngineError::Output(error)),
        None if shown.is_empty() => Err(EngineError::Nothing(format!("nothing in {} is an event", events.display()))),
        None => Ok(shown),
    }
}

fn print(shown: &[String]) -> io::Result<()> {
    let mut stdout = out();
    for (at, text) in shown.iter().enumerate() {
        if at > 0 {
            writeln!(stdout)?;
        }
        writeln!(stdout, "{}", text.trim_end())?;
    }
    stdout.flush()
}
