//! Regular expressions: the linear-time engine where it knows the syntax, else a backtracking one with a limit.

use std::borrow::Cow;

use super::PatternError;

/// How many steps the backtracking engine may take on one text. A text that needs more does not match.
const BACKTRACK_LIMIT: usize = 200_000;

/// A compiled regular expression.
#[derive(Debug, Clone)]
pub struct CompiledRegex(Engine);

#[derive(Debug, Clone)]
enum Engine {
    Linear(regex::Regex),
    Backtracking(Box<fancy_regex::Regex>),
}

impl CompiledRegex {
    /// Compiles an expression in PCRE syntax as far as `fancy-regex` knows it.
    ///
    /// # Errors
    /// [`PatternError::Regex`] if it is no such expression, or too large.
    pub fn new(expression: &str) -> Result<CompiledRegex, PatternError> {
        if let Ok(regex) = regex::Regex::new(expression) {
            return Ok(CompiledRegex(Engine::Linear(regex)));
        }
        fancy_regex::RegexBuilder::new(expression)
            .backtrack_limit(BACKTRACK_LIMIT)
            .build()
            .map(|regex| CompiledRegex(Engine::Backtracking(Box::new(regex))))
            .map_err(|error| PatternError::Regex { expression: expression.to_owned(), reason: error.to_string() })
    }

    /// Whether it matches somewhere in the text. A match that takes the backtracking engine too many steps is none.
    pub fn is_match(&self, text: &str) -> bool {
        match &self.0 {
            Engine::Linear(regex) => regex.is_match(text),
            Engine::Backtracking(regex) => regex.is_match(text).unwrap_or(false),
        }
    }

    /// The text with every match replaced. In the replacement `\0` stands for the match, `\1` to `\9` for its groups
    /// (nothing if a group took no part), `\\` for a backslash; any other backslash for itself.
    pub fn replace_all<'t>(&self, text: &'t str, replacement: &str) -> Cow<'t, str> {
        match &self.0 {
            Engine::Linear(regex) => regex.replace_all(text, |groups: &regex::Captures<'_>| {
                expand(replacement, |group| groups.get(group).map_or("", |g| g.as_str()))
            }),
            Engine::Backtracking(regex) => regex
                .try_replacen(text, 0, |groups: &fancy_regex::Captures<'_, str>| {
                    expand(replacement, |group| groups.get(group).map_or("", |g| g.as_str()))
                })
                .unwrap_or(Cow::Borrowed(text)),
        }
    }
}

fn expand<'g>(replacement: &str, group: impl Fn(usize) -> &'g str) -> String {
    let mut out = String::with_capacity(replacement.len());
    let mut chars = replacement.chars().peekable();
    while let Some(char) = chars.next() {
        if char != '\\' {
            out.push(char);
            continue;
        }
        match chars.peek().copied() {
            Some(digit @ '0'..='9') => {
                chars.next();
                out.push_str(group(digit as usize - '0' as usize));
            }
            Some('\\') => {
                chars.next();
                out.push('\\');
            }
            _ => out.push('\\'),
        }
    }
    out
}
