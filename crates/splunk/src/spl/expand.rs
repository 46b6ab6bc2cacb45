//! Comments and macros, with a map from the expanded text back to the search.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Environment, Problem};

/// How deep macros may call macros.
const MAX_DEPTH: usize = 32;
/// How long a search may grow.
const MAX_LENGTH: usize = 1 << 20;

/// A search with its macros written out.
#[derive(Debug, Default)]
pub(super) struct Expanded {
    pub(super) text: String,
    /// Start in the expanded text, and the range of the search that it comes from.
    pieces: Vec<(usize, Range<usize>, bool)>,
    pub(super) macros: BTreeSet<String>,
}

impl Expanded {
    /// The bytes of the search that a range of the expanded text comes from; of a macro's text its call.
    pub(super) fn original(&self, range: &Range<usize>) -> Range<usize> {
        let place = |at: usize, end: bool| {
            let index = self.pieces.partition_point(|(start, ..)| *start <= at).saturating_sub(1);
            match self.pieces.get(index) {
                Some((start, source, true)) => (source.start + (at - start)).min(source.end),
                Some((_, source, false)) if end => source.end,
                Some((_, source, false)) => source.start,
                None => 0,
            }
        };
        let start = place(range.start, false);
        let end = if range.end > range.start { place(range.end - 1, true) } else { start };
        let plain = self.pieces.iter().any(|(_, source, plain)| *plain && source.contains(&end));
        start..(if plain && range.end > range.start { end + 1 } else { end }).max(start)
    }

    fn push(&mut self, text: &str, source: Range<usize>, plain: bool) {
        if !text.is_empty() {
            self.pieces.push((self.text.len(), source, plain));
            self.text.push_str(text);
        }
    }
}

/// Writes macros out and takes comments away.
pub(super) fn expand(search: &str, env: &Environment) -> Result<Expanded, Problem> {
    let mut out = Expanded::default();
    let mut at = 0;
    while let Some(found) = search[at..].find('`') {
        let start = at + found;
        out.push(&search[at..start], at..start, true);
        if search[start..].starts_with("```") {
            let close = search[start + 3..].find("```");
            let Some(close) = close else {
                return Err(Problem::syntax("this comment is not closed", start..start + 3));
            };
            at = start + 3 + close + 3;
            continue;
        }
        let Some(close) = search[start + 1..].find('`') else {
            return Err(Problem::syntax("this macro call is not closed", start..start + 1));
        };
        let end = start + 1 + close + 1;
        let mut chain = Vec::new();
        let text = call(&search[start + 1..end - 1], env, &mut chain, &mut out.macros)
            .map_err(|message| unknown(message, start..end))?;
        out.push(&text, start..end, false);
        if out.text.len() > MAX_LENGTH {
            return Err(Problem::syntax("the search is too long once its macros are written out", start..end));
        }
        at = end;
    }
    out.push(&search[at..], at..search.len(), true);
    Ok(out)
}

fn unknown(message: String, range: Range<usize>) -> Problem {
    Problem { code: "unknown-macro", ..Problem::syntax(message, range) }
}

/// The text of a macro call, macros in it written out.
fn call(text: &str, env: &Environment, chain: &mut Vec<String>, used: &mut BTreeSet<String>) -> Result<String, String> {
    let text = text.trim();
    let (name, arguments) = match text.split_once('(') {
        Some((name, rest)) => (name.trim(), arguments(rest.strip_suffix(')').unwrap_or(rest))),
        None => (text, Vec::new()),
    };
    used.insert(name.to_owned());
    if chain.len() >= MAX_DEPTH || chain.iter().any(|outer| outer == name) {
        return Err(format!("the macro `{name}` calls itself ({} → {name})", chain.join(" → ")));
    }
    let mut body = match env.macros.get(&(name.to_owned(), arguments.len())) {
        Some(found) => {
            let mut body = found.definition.clone();
            for (parameter, argument) in found.args.iter().zip(&arguments) {
                body = body.replace(&format!("${parameter}$"), argument);
            }
            body
        }
        None => match (env.missing_macro)(name) {
            Some(body) => body,
            None => {
                let names = env.macros.keys().map(|(name, _)| name.as_str());
                let hint = masthead_rulefile::suggest(name, names);
                let hint = hint.map(|hint| format!("; did you mean `{hint}`?")).unwrap_or_default();
                let count = arguments.len();
                return Err(format!("there is no macro `{name}` with {count} arguments{hint}"));
            }
        },
    };
    chain.push(name.to_owned());
    while let Some(start) = body.find('`') {
        let Some(close) = body[start + 1..].find('`') else {
            return Err(format!("in the macro `{name}` a macro call is not closed"));
        };
        let inner = call(&body[start + 1..start + 1 + close], env, chain, used)?;
        body.replace_range(start..start + close + 2, &inner);
        if body.len() > MAX_LENGTH {
            return Err(format!("the macro `{name}` is too long once it is written out"));
        }
    }
    chain.pop();
    Ok(body)
}

fn arguments(text: &str) -> Vec<String> {
    let (mut found, mut part, mut quoted) = (Vec::new(), String::new(), false);
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => found.push(std::mem::take(&mut part).trim().to_owned()),
            _ => part.push(letter),
        }
    }
    found.push(part.trim().to_owned());
    if found.len() == 1 && found[0].is_empty() { Vec::new() } else { found }
}
