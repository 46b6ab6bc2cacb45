//! Words of a command's arguments, read one after another.

use std::ops::Range;

use super::Problem;
use super::lex::{Kind, Token, tokens};

/// The arguments of one command.
pub(super) struct Words<'t> {
    pub(super) words: Vec<Token>,
    pub(super) at: usize,
    pub(super) end: usize,
    pub(super) text: &'t str,
}

impl<'t> Words<'t> {
    /// The words in `range` of `text`; see [`tokens`] for `signs`.
    pub(super) fn new(text: &'t str, range: Range<usize>, signs: &str) -> Result<Words<'t>, Problem> {
        Ok(Words { words: tokens(text, range.clone(), signs)?, at: 0, end: range.end, text })
    }

    pub(super) fn next(&mut self) -> Option<Token> {
        let token = self.words.get(self.at).cloned();
        self.at += 1;
        token
    }

    pub(super) fn peek(&self, text: &str) -> bool {
        self.words.get(self.at).is_some_and(|token| token.kind != Kind::Quoted && token.text.eq_ignore_ascii_case(text))
    }

    /// The value of `name=value` if that stands here.
    pub(super) fn option(&mut self, name: &str) -> Option<String> {
        let [key, sign, value] = self.words.get(self.at..self.at + 3)? else { return None };
        let found = key.text.eq_ignore_ascii_case(name) && sign.text == "=" && sign.kind == Kind::Sign;
        let value = value.text.clone();
        found.then(|| {
            self.at += 3;
            value
        })
    }

    /// Every `name=value` of these names, wherever it stands.
    pub(super) fn options(&mut self, names: &[&str]) -> Given {
        let (mut found, mut rest, start) = (Vec::new(), Vec::new(), self.at);
        while self.at < self.words.len() {
            match names.iter().find_map(|name| Some(((*name).to_owned(), self.option(name)?))) {
                Some(option) => found.push(option),
                None => rest.extend(self.next()),
            }
        }
        self.words.truncate(start);
        self.words.extend(rest);
        self.at = start;
        Given(found)
    }

    pub(super) fn required(&mut self, what: &str) -> Result<String, Problem> {
        let end = self.end;
        let token = self.next().filter(|token| !matches!(token.kind, Kind::Sign | Kind::Bracket));
        token.map(|t| t.text).ok_or_else(|| Problem::syntax(format!("expected {what}"), end..end))
    }

    /// All that is left but commas.
    pub(super) fn names(&mut self) -> Vec<String> {
        let rest = self.words.get(self.at..).unwrap_or_default();
        let named = |token: &&Token| token.kind != Kind::Bracket && (token.kind != Kind::Sign || token.text != ",");
        let names = rest.iter().filter(named).map(|token| token.text.clone()).collect();
        self.at = self.words.len();
        names
    }

    /// Takes the only subsearch of the command out of its words; gives the place of its inside.
    pub(super) fn bracket(&mut self, command: &str) -> Result<Range<usize>, Problem> {
        let found = self.words.iter().position(|token| token.kind == Kind::Bracket);
        let Some(found) = found else {
            return Err(Problem::syntax(format!("`{command}` needs a search in brackets"), self.end..self.end));
        };
        Ok(self.words.remove(found).range)
    }

    /// Whole numbers.
    pub(super) fn number(&self, text: &str) -> Result<u64, Problem> {
        text.parse().map_err(|_| Problem::syntax(format!("`{text}` is no number"), self.end..self.end))
    }

    /// The first word that no one has read is one too many.
    pub(super) fn finish(&self) -> Result<(), Problem> {
        match self.words.get(self.at) {
            Some(token) => Err(Problem::syntax(format!("`{}` is not expected here", token.text), token.range.clone())),
            None => Ok(()),
        }
    }
}

/// Options as they were given.
pub(super) struct Given(Vec<(String, String)>);

impl Given {
    /// The value given last.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// Whether it is on; `default` if it was not given.
    pub(super) fn on(&self, name: &str, default: bool) -> bool {
        self.text(name).map_or(default, |value| yes(&value))
    }

    /// A number; `default` if it was not given.
    pub(super) fn number(&self, name: &str, default: u64, words: &Words<'_>) -> Result<u64, Problem> {
        self.text(name).map_or(Ok(default), |text| words.number(&text))
    }

    /// The first of these that was given.
    pub(super) fn first_of(&self, names: &[&str]) -> Option<&str> {
        self.0.iter().map(|(known, _)| known.as_str()).find(|known| names.contains(known))
    }
}

/// Whether a value of an option means "on".
pub(super) fn yes(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "t" | "true" | "1" | "yes")
}
