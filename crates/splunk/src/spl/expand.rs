//! Comments and macros, with a map from the expanded text back to the search.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Environment, Problem};

/// How deep macros may call macros.
const MAX_DEPTH: usize = 32;
/// How many macro calls a search may come to: macros that call each other twice come to many without growing.
const MAX_CALLS: usize = 10_000;
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
    let mut calls = Calls { env, chain: Vec::new(), count: 0, used: BTreeSet::new() };
    let mut at = 0;
    while let Some(start) = next_call(search, at) {
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
        calls.chain.clear();
        let text = calls.write_out(&search[start + 1..end - 1]).map_err(|message| unknown(message, start..end))?;
        out.push(&text, start..end, false);
        if out.text.len() > MAX_LENGTH {
            return Err(Problem::syntax("the search is too long once its macros are written out", start..end));
        }
        at = end;
    }
    out.push(&search[at..], at..search.len(), true);
    out.macros = calls.used;
    Ok(out)
}

/// The next backtick outside of double quotes: in them it is a letter like any other. A quote that is not closed is none.
fn next_call(search: &str, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let rest = search.get(at..)?;
        let found = at + rest.find(['`', '"', '\\'])?;
        at = match search.as_bytes()[found] {
            b'`' => return Some(found),
            b'"' => super::lex::quoted_end(search, found, search.len()).map_or(found + 1, |end| end + 1),
            // What a backslash stands before is no quote.
            _ => found + 1 + search[found + 1..].chars().next().map_or(0, char::len_utf8),
        };
    }
}

fn unknown(message: String, range: Range<usize>) -> Problem {
    Problem { code: "unknown-macro", ..Problem::syntax(message, range) }
}

/// The macro calls of a search.
struct Calls<'e> {
    env: &'e Environment,
    /// The macros that are being written out, the outermost first.
    chain: Vec<String>,
    count: usize,
    used: BTreeSet<String>,
}

impl Calls<'_> {
    /// The text of a macro call, macros in it written out.
    fn write_out(&mut self, text: &str) -> Result<String, String> {
        let text = text.trim();
        let (name, arguments) = match text.split_once('(') {
            Some((name, rest)) => (name.trim(), arguments(rest.strip_suffix(')').unwrap_or(rest))),
            None => (text, Vec::new()),
        };
        self.used.insert(name.to_owned());
        self.count += 1;
        if self.chain.iter().any(|outer| outer == name) {
            return Err(format!("the macro `{name}` calls itself ({} → {name})", self.chain.join(" → ")));
        }
        if self.chain.len() >= MAX_DEPTH || self.count > MAX_CALLS {
            return Err(format!("the macro `{name}` is one call too many: macros call macros without end"));
        }
        let mut body = self.body(name, &arguments)?;
        self.chain.push(name.to_owned());
        while let Some(start) = body.find('`') {
            if body.len() > MAX_LENGTH {
                break;
            }
            let Some(close) = body[start + 1..].find('`') else {
                return Err(format!("in the macro `{name}` a macro call is not closed"));
            };
            let inner = self.write_out(&body[start + 1..start + 1 + close])?;
            body.replace_range(start..start + close + 2, &inner);
        }
        if body.len() > MAX_LENGTH {
            return Err(format!("the macro `{name}` is too long once it is written out"));
        }
        self.chain.pop();
        Ok(body)
    }

    /// The definition of a macro with its arguments filled in.
    fn body(&self, name: &str, arguments: &[String]) -> Result<String, String> {
        let env = self.env;
        if let Some(found) = env.macros.get(&(name.to_owned(), arguments.len())) {
            let mut body = found.definition.clone();
            for (parameter, argument) in found.args.iter().zip(arguments) {
                let token = format!("${parameter}$");
                // Before it is written: a short definition and a long argument may come to gigabytes.
                if body.len() + body.matches(&token).count() * argument.len() > MAX_LENGTH {
                    return Err(format!("the macro `{name}` is too long once it is written out"));
                }
                body = body.replace(&token, argument);
            }
            return Ok(body);
        }
        (env.missing_macro)(name).ok_or_else(|| {
            let names = env.macros.keys().map(|(name, _)| name.as_str());
            let hint = masthead_rulefile::suggest(name, names);
            let hint = hint.map(|hint| format!("; did you mean `{hint}`?")).unwrap_or_default();
            let what = match arguments.len() {
                0 => "without arguments".to_owned(),
                1 => "with 1 argument".to_owned(),
                count => format!("with {count} arguments"),
            };
            format!("there is no macro `{name}` {what}{hint}")
        })
    }
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
