//! Commands of a query.

use std::ops::Range;

use super::EsqlProblem;
use super::ast::{Command, CommandKind, NamePattern, Named, Node, NodeKind, StatsItem};
use super::lexer::{Token, TokenKind, tokens};

/// Commands that ES|QL has and that are not compiled.
const OTHER_COMMANDS: &[&str] = &[
    "change_point",
    "completion",
    "enrich",
    "explain",
    "fork",
    "full",
    "fuse",
    "inline",
    "inlinestats",
    "insist",
    "left",
    "lookup",
    "metrics",
    "mmr",
    "promql",
    "registered_domain",
    "rerank",
    "right",
    "row",
    "sample",
    "set",
    "show",
    "ts",
    "uri_parts",
];

/// Parses a query.
pub(super) fn parse(text: &str) -> Result<Vec<Command>, Vec<EsqlProblem>> {
    let tokens = tokens(text).map_err(|fault| vec![fault])?;
    let mut parser = Parser { text, tokens, at: 0, depth: 0 };
    let (mut commands, mut problems) = (Vec::new(), Vec::new());
    loop {
        match parser.command(commands.is_empty() && problems.is_empty()) {
            Ok(command) => commands.push(command),
            Err(problem) => {
                problems.push(problem);
                while !parser.is("|") && parser.kind() != &TokenKind::End {
                    parser.at += 1;
                }
            }
        }
        if !parser.take("|") {
            break;
        }
    }
    if problems.is_empty() { Ok(commands) } else { Err(problems) }
}

pub(super) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    pub(super) depth: usize,
}

pub(super) type Parsed<T> = Result<T, EsqlProblem>;

impl Parser<'_> {
    pub(super) fn kind(&self) -> &TokenKind {
        self.peek(0)
    }

    pub(super) fn peek(&self, ahead: usize) -> &TokenKind {
        self.tokens.get(self.at + ahead).map_or(&TokenKind::End, |token| &token.kind)
    }

    pub(super) fn range(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.text.len()..self.text.len(), |token| token.range.clone())
    }

    /// Where the last token ended.
    pub(super) fn end(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0, |token| token.range.end)
    }

    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    pub(super) fn is(&self, symbol: &str) -> bool {
        matches!(self.kind(), TokenKind::Symbol(found) if *found == symbol)
    }

    pub(super) fn take(&mut self, symbol: &str) -> bool {
        let found = self.is(symbol);
        self.at += usize::from(found);
        found
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self.kind(), TokenKind::Word(found) if found.eq_ignore_ascii_case(word))
    }

    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expected<T>(&self, what: &str) -> Parsed<T> {
        let found = match self.kind() {
            TokenKind::End => "the end of the query".to_owned(),
            _ => format!("`{}`", self.text.get(self.range()).unwrap_or("")),
        };
        Err(EsqlProblem::new("esql-syntax", self.range(), format!("expected {what}, found {found}")))
    }

    pub(super) fn expect(&mut self, symbol: &str) -> Parsed<()> {
        if self.take(symbol) { Ok(()) } else { self.expected(&format!("`{symbol}`")) }
    }

    pub(super) fn string(&mut self) -> Parsed<(String, Range<usize>)> {
        let range = self.range();
        match self.kind().clone() {
            TokenKind::Text(text) => {
                self.advance();
                Ok((text, range))
            }
            _ => self.expected("a string"),
        }
    }

    /// The word of a name; one in backquotes too.
    pub(super) fn name_part(&mut self) -> Option<String> {
        match self.kind().clone() {
            TokenKind::Word(word) | TokenKind::Quoted(word) => {
                self.advance();
                Some(word)
            }
            _ => None,
        }
    }

    /// A name: parts joined by dots.
    pub(super) fn name(&mut self) -> Parsed<String> {
        let Some(mut name) = self.name_part() else { return self.expected("a name") };
        while self.is(".") && matches!(self.peek(1), TokenKind::Word(_) | TokenKind::Quoted(_)) {
            self.advance();
            name.push('.');
            name.push_str(&self.name_part().unwrap_or_default());
        }
        Ok(name)
    }

    fn command(&mut self, first: bool) -> Parsed<Command> {
        let start = self.range();
        let TokenKind::Word(word) = self.kind().clone() else { return self.expected("a command") };
        self.advance();
        let word = word.to_ascii_lowercase();
        if first != (word == "from") && !OTHER_COMMANDS.contains(&word.as_str()) {
            let message = if first { "a query begins with `FROM`" } else { "`FROM` stands only at the start" };
            return Err(EsqlProblem::new("esql-syntax", start, message));
        }
        let kind = match word.as_str() {
            "from" => self.from(),
            "where" => self.expression().map(CommandKind::Where),
            "eval" => self.list(Self::named).map(CommandKind::Eval),
            "stats" => self.stats(),
            "keep" | "project" => self.list(Self::pattern).map(CommandKind::Keep),
            "drop" => self.list(Self::pattern).map(CommandKind::Drop),
            "rename" => self.list(Self::renaming).map(CommandKind::Rename),
            "sort" => self.list(Self::sort_key).map(CommandKind::Sort),
            "limit" => self.limit(),
            "mv_expand" => self.field().map(CommandKind::MvExpand),
            "grok" => self.grok(),
            "dissect" => self.dissect(),
            other if OTHER_COMMANDS.contains(&other) => {
                Err(EsqlProblem::unsupported(start.clone(), &format!("the command `{}`", other.to_ascii_uppercase())))
            }
            other => {
                let message = format!("ES|QL has no command `{other}`");
                Err(EsqlProblem::new("esql-unknown-command", start.clone(), message))
            }
        }?;
        if !self.is("|") && self.kind() != &TokenKind::End {
            return self.expected("`|` or the end of the query");
        }
        Ok(Command { kind, range: start.start..self.end() })
    }

    /// One or more, separated by commas.
    pub(super) fn list<T>(&mut self, item: fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.take(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Which indices are read is said by the rule's place, not by their names.
    fn from(&mut self) -> Parsed<CommandKind> {
        if self.is("|") || self.kind() == &TokenKind::End {
            return self.expected("the name of an index");
        }
        if self.is("(") {
            return Err(EsqlProblem::unsupported(self.range(), "a subquery in `FROM`"));
        }
        while !self.is("|") && self.kind() != &TokenKind::End && !self.is_word("metadata") {
            self.advance();
        }
        if self.take_word("metadata") {
            self.list(Self::name)?;
        }
        Ok(CommandKind::From)
    }

    /// `name = expression`, or an expression alone.
    fn named(&mut self) -> Parsed<Named> {
        let name = self.target();
        let node = self.expression()?;
        let name = name.unwrap_or_else(|| self.name_of(&node));
        Ok(Named { name, node })
    }

    /// The name before a `=`, if there is one.
    fn target(&mut self) -> Option<String> {
        let start = self.at;
        let name = self.name().ok();
        if name.is_some() && self.take("=") {
            return name;
        }
        self.at = start;
        None
    }

    fn name_of(&self, node: &Node) -> String {
        match &node.kind {
            NodeKind::Name(name) => name.clone(),
            _ => self.text.get(node.range.clone()).unwrap_or("").to_owned(),
        }
    }

    fn stats(&mut self) -> Parsed<CommandKind> {
        let aggregates = if self.is_word("by") { Vec::new() } else { self.list(Self::stats_item)? };
        let by = if self.take_word("by") { self.list(Self::named)? } else { Vec::new() };
        Ok(CommandKind::Stats { aggregates, by })
    }

    fn stats_item(&mut self) -> Parsed<StatsItem> {
        let name = self.target();
        let node = self.expression()?;
        let filter = if self.take_word("where") { Some(self.expression()?) } else { None };
        let name = name.unwrap_or_else(|| {
            let end = filter.as_ref().map_or(node.range.end, |filter| filter.range.end);
            self.text.get(node.range.start..end).unwrap_or("").to_owned()
        });
        Ok(StatsItem { name, node, filter })
    }

    /// A name in which stars may stand; its parts touch each other.
    fn pattern(&mut self) -> Parsed<NamePattern> {
        let start = self.range().start;
        let (mut text, mut star) = (String::new(), false);
        let mut end = start;
        while self.range().start == end {
            match self.kind() {
                TokenKind::Word(part) | TokenKind::Quoted(part) => text.push_str(part),
                TokenKind::Symbol(".") => text.push('.'),
                TokenKind::Symbol("*") => {
                    text.push('*');
                    star = true;
                }
                _ => break,
            }
            end = self.range().end;
            self.advance();
        }
        if text.is_empty() {
            return self.expected("the name of a column");
        }
        Ok(NamePattern { text, star, range: start..end })
    }

    /// `old AS new`, or `new = old`.
    fn renaming(&mut self) -> Parsed<(NamePattern, String)> {
        let start = self.range().start;
        let first = self.name()?;
        let first_range = start..self.end();
        if self.take("=") {
            let start = self.range().start;
            let text = self.name()?;
            return Ok((NamePattern { text, star: false, range: start..self.end() }, first));
        }
        if !self.take_word("as") {
            return self.expected("`AS`");
        }
        Ok((NamePattern { text: first, star: false, range: first_range }, self.name()?))
    }

    fn sort_key(&mut self) -> Parsed<(Node, bool)> {
        let node = self.expression()?;
        let descending = self.take_word("desc");
        if !descending {
            self.take_word("asc");
        }
        if self.take_word("nulls") && !self.take_word("first") && !self.take_word("last") {
            return self.expected("`FIRST` or `LAST`");
        }
        Ok((node, descending))
    }

    fn limit(&mut self) -> Parsed<CommandKind> {
        match *self.kind() {
            TokenKind::Int(count) => {
                self.advance();
                Ok(CommandKind::Limit(count.unsigned_abs()))
            }
            _ => self.expected("a whole number"),
        }
    }

    fn field(&mut self) -> Parsed<Node> {
        let start = self.range().start;
        let name = self.name()?;
        Ok(Node { kind: NodeKind::Name(name), range: start..self.end() })
    }

    fn grok(&mut self) -> Parsed<CommandKind> {
        let field = self.primary()?;
        let (pattern, pattern_range) = self.string()?;
        if self.is(",") {
            return Err(EsqlProblem::unsupported(self.range(), "`GROK` with several patterns"));
        }
        Ok(CommandKind::Grok { field, pattern, pattern_range })
    }

    fn dissect(&mut self) -> Parsed<CommandKind> {
        let field = self.primary()?;
        let (pattern, pattern_range) = self.string()?;
        let mut separator = String::new();
        if self.take_word("append_separator") {
            self.expect("=")?;
            separator = self.string()?.0;
        }
        Ok(CommandKind::Dissect { field, pattern, pattern_range, separator })
    }
}
