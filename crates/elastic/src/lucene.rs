//! Lucene's query syntax as Elasticsearch has it (Elasticsearch documentation, "Query string syntax").
//!
//! Terms without `AND` between them are joined by "or". Fields of audit events are keywords: a term must be the whole value,
//! and case counts. Fuzziness, boosts and proximity have no meaning for keywords and are refused.

use std::ops::Range;

use masthead_ir::Expr;
use masthead_ir::expr::FieldPath;
use masthead_ir::pattern::{Case, OrderOp, Pattern};

use crate::ecs;
use crate::problem::Problem;
use crate::wildcard::{self, Char};

const MAX_DEPTH: usize = 64;
const CODE: &str = "elastic-lucene";

/// Compiles a query to a condition.
pub(crate) fn compile(text: &str) -> Result<Expr, Problem> {
    let mut parser = Parser { text, at: 0 };
    parser.space();
    if parser.at == text.len() {
        return Ok(Expr::And(Vec::new()));
    }
    let expr = parser.clauses(None, 0)?;
    if parser.at < text.len() {
        return Err(Problem::invalid(CODE, "this does not go on with the query", parser.at..parser.at + 1));
    }
    Ok(expr)
}

/// A clause, and whether it must or must not hold.
enum Clause {
    Should(Expr),
    Must(Expr),
    MustNot(Expr),
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn accept(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn word(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let found = rest.starts_with(word)
            && rest[word.len()..].chars().next().is_none_or(|c| c.is_whitespace() || matches!(c, '(' | ')'));
        if found {
            self.at += word.len();
            self.space();
        }
        found
    }

    /// Clauses up to a closing bracket or the end. `AND` binds its neighbours as "must", as Lucene's parser does.
    fn clauses(&mut self, field: Option<&str>, depth: usize) -> Result<Expr, Problem> {
        let mut clauses: Vec<Clause> = Vec::new();
        loop {
            self.space();
            if self.rest().is_empty() || self.rest().starts_with(')') {
                break;
            }
            let and = !clauses.is_empty() && (self.word("AND") || self.word("&&"));
            let _or = !and && !clauses.is_empty() && (self.word("OR") || self.word("||"));
            let negated = self.word("NOT") || self.accept("!") || self.accept("-");
            let must = !negated && self.accept("+");
            let expr = self.clause(field, depth)?;
            if and
                && let Some(Clause::Should(_)) = clauses.last()
                && let Some(Clause::Should(last)) = clauses.pop()
            {
                clauses.push(Clause::Must(last));
            }
            clauses.push(match (negated, must || and) {
                (true, _) => Clause::MustNot(expr),
                (false, true) => Clause::Must(expr),
                (false, false) => Clause::Should(expr),
            });
        }
        if clauses.is_empty() {
            return Err(Problem::invalid(CODE, "a term is missing here", self.at..self.at));
        }
        Ok(joined(clauses))
    }

    fn clause(&mut self, field: Option<&str>, depth: usize) -> Result<Expr, Problem> {
        if depth > MAX_DEPTH {
            return Err(Problem::invalid(CODE, "the query is nested too deep", self.at..self.at));
        }
        let start = self.at;
        if self.accept("(") {
            let inner = self.clauses(field, depth + 1)?;
            if !self.accept(")") {
                return Err(Problem::invalid(CODE, "this bracket is not closed", start..start + 1));
            }
            self.boost()?;
            return Ok(inner);
        }
        if field.is_none() {
            let name = self.field_name();
            if let Some(name) = name {
                return self.of_field(&name, depth);
            }
        }
        let pattern = self.term()?;
        self.boost()?;
        Ok(match field {
            Some(field) => ecs::test(field, pattern),
            None => Expr::Test { field: FieldPath::flat("_raw"), pattern: anywhere(pattern) },
        })
    }

    /// A name and the colon behind it.
    fn field_name(&mut self) -> Option<String> {
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, ':' | '"' | '(' | ')' | '/' | '[' | '{'))?;
        let colon = rest[end..].starts_with(':') && end > 0 && !rest[..end].ends_with('\\');
        // A slash may be part of a name (`annotations.authorization_k8s_io/decision`).
        if !colon && rest[end..].starts_with('/') {
            let longer = rest[end..].find(|c: char| c.is_whitespace() || matches!(c, ':' | '"' | '(' | ')'))? + end;
            if !rest[longer..].starts_with(':') || end == 0 {
                return None;
            }
            let name = rest[..longer].to_owned();
            self.at += longer + 1;
            return Some(name);
        }
        if !colon {
            return None;
        }
        let name = rest[..end].to_owned();
        self.at += end + 1;
        Some(name)
    }

    fn of_field(&mut self, name: &str, depth: usize) -> Result<Expr, Problem> {
        self.space();
        if name == "_exists_" {
            let rest = self.rest();
            let end = rest.find(|c: char| c.is_whitespace() || c == ')').unwrap_or(rest.len());
            let field = rest[..end].to_owned();
            self.at += end;
            return Ok(ecs::test(&field, Pattern::Present));
        }
        if self.accept("(") {
            let inner = self.clauses(Some(name), depth + 1)?;
            if !self.accept(")") {
                return Err(Problem::invalid(CODE, "this list is not closed", self.at..self.at));
            }
            return Ok(inner);
        }
        if self.rest().starts_with(['[', '{']) {
            return self.range(name);
        }
        for (sign, op) in [(">=", OrderOp::Ge), ("<=", OrderOp::Le), (">", OrderOp::Gt), ("<", OrderOp::Lt)] {
            if self.accept(sign) {
                let literal = self.bare(|c| c.is_whitespace() || c == ')');
                return Ok(ecs::test(name, Pattern::Order { op, literal }));
            }
        }
        let pattern = self.term()?;
        self.boost()?;
        Ok(ecs::test(name, pattern))
    }

    fn bare(&mut self, ends: impl Fn(char) -> bool) -> String {
        let rest = self.rest();
        let end = rest.find(ends).unwrap_or(rest.len());
        let text = rest[..end].trim_matches('"').to_owned();
        self.at += end;
        text
    }

    /// `[low TO high]`, `{low TO high}`.
    fn range(&mut self, name: &str) -> Result<Expr, Problem> {
        let start = self.at;
        let inclusive = self.accept("[") || !self.accept("{");
        let broken = |at: usize| Problem::invalid(CODE, "a range is written as [low TO high]", start..at);
        let low = self.bare(char::is_whitespace);
        self.space();
        if !self.word("TO") {
            return Err(broken(self.at));
        }
        let high = self.bare(|c| c.is_whitespace() || matches!(c, ']' | '}'));
        self.space();
        let upper_inclusive = self.accept("]");
        if !upper_inclusive && !self.accept("}") {
            return Err(broken(self.at));
        }
        let mut bounds = Vec::new();
        if low != "*" {
            let op = if inclusive { OrderOp::Ge } else { OrderOp::Gt };
            bounds.push(ecs::test(name, Pattern::Order { op, literal: low }));
        }
        if high != "*" {
            let op = if upper_inclusive { OrderOp::Le } else { OrderOp::Lt };
            bounds.push(ecs::test(name, Pattern::Order { op, literal: high }));
        }
        Ok(if bounds.is_empty() { ecs::test(name, Pattern::Present) } else { Expr::And(bounds) })
    }

    fn term(&mut self) -> Result<Pattern, Problem> {
        let start = self.at;
        if self.accept("/") {
            let rest = self.rest();
            let Some(end) = unescaped(rest, '/') else {
                return Err(Problem::invalid(CODE, "this regular expression is not closed", start..start + 1));
            };
            let regex = rest[..end].replace("\\/", "/");
            self.at += end + 1;
            return Ok(Pattern::Regex(format!("\\A(?:{regex})\\z")));
        }
        if self.accept("\"") {
            let rest = self.rest();
            let Some(end) = unescaped(rest, '"') else {
                return Err(Problem::invalid(CODE, "this quotation mark is not closed", start..start + 1));
            };
            let chars = unescape(&rest[..end], false);
            self.at += end + 1;
            return Ok(wildcard::pattern(&chars, Case::Sensitive));
        }
        let rest = self.rest();
        let mut end = rest.len();
        let mut escaped = false;
        for (at, c) in rest.char_indices() {
            if !escaped && (c.is_whitespace() || matches!(c, '(' | ')' | '^' | '~' | '"')) {
                end = at;
                break;
            }
            escaped = !escaped && c == '\\';
        }
        if end == 0 {
            return Err(Problem::invalid(CODE, "a term is missing here", start..start));
        }
        let chars = unescape(&rest[..end], true);
        self.at += end;
        Ok(wildcard::pattern(&chars, Case::Sensitive))
    }

    /// `^2` says nothing of what matches; `~` would match what is only similar.
    fn boost(&mut self) -> Result<(), Problem> {
        if self.rest().starts_with('~') {
            let place: Range<usize> = self.at..self.at + 1;
            return Err(Problem::unsupported(CODE, "similar terms cannot be looked for here", place));
        }
        if self.accept("^") {
            self.bare(|c| c.is_whitespace() || c == ')');
        }
        Ok(())
    }
}

fn unescaped(text: &str, wanted: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == wanted && !escaped {
            return Some(at);
        }
        escaped = !escaped && c == '\\';
    }
    None
}

fn unescape(text: &str, wild: bool) -> Vec<Char> {
    let mut chars = text.chars();
    let mut out = Vec::new();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => Char::Plain(chars.next().unwrap_or('\\')),
            '*' if wild => Char::Star,
            '?' if wild => Char::One,
            other => Char::Plain(other),
        });
    }
    out
}

fn joined(clauses: Vec<Clause>) -> Expr {
    let (mut should, mut must) = (Vec::new(), Vec::new());
    for clause in clauses {
        match clause {
            Clause::Should(expr) => should.push(expr),
            Clause::Must(expr) => must.push(expr),
            Clause::MustNot(expr) => must.push(Expr::Not(Box::new(expr))),
        }
    }
    let only_not = must.iter().all(|expr| matches!(expr, Expr::Not(_)));
    // Where something must hold, what should hold only ranks what is found.
    if !should.is_empty() && (must.is_empty() || only_not) {
        must.insert(0, if should.len() == 1 { should.swap_remove(0) } else { Expr::Or(should) });
    }
    if must.len() == 1 { must.swap_remove(0) } else { Expr::And(must) }
}

/// A text that stands somewhere in the event.
fn anywhere(pattern: Pattern) -> Pattern {
    match pattern {
        Pattern::Text { text, .. } => Pattern::Phrase { text, case: Case::Folded, minor: true },
        Pattern::Prefix { text, .. } => Pattern::Phrase { text: format!("{text}*"), case: Case::Folded, minor: true },
        Pattern::Suffix { text, .. } => Pattern::Phrase { text: format!("*{text}"), case: Case::Folded, minor: true },
        Pattern::Contains { text, .. } => Pattern::Contains { text, case: Case::Folded },
        Pattern::Wildcard { glob, .. } => Pattern::Phrase { text: glob, case: Case::Folded, minor: true },
        other => other,
    }
}
