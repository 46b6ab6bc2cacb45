//! Conditions: how search identifiers are joined (Sigma specification, "Condition").

use std::ops::Range;

use masthead_ir::Expr;
use masthead_ir::eval::glob::Glob;

use crate::problem::Problem;

/// How deep parentheses may nest.
const MAX_DEPTH: usize = 64;

/// What a condition says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    pub(crate) expr: Expr,
    /// The aggregation behind a `|` of older rules, with its place in the condition.
    pub(crate) aggregation: Option<(String, Range<usize>)>,
}

/// Search identifiers with what they mean; nothing if processing pipelines left nothing of one.
pub(crate) type Identifiers = Vec<(String, Option<Expr>)>;

/// Compiles a condition; places are bytes of `text`.
pub(crate) fn compile(text: &str, identifiers: &Identifiers) -> Result<Condition, Problem> {
    let (logic, aggregation) = match text.find('|') {
        Some(at) => (&text[..at], Some((text[at + 1..].trim().to_owned(), at..text.len()))),
        None => (text, None),
    };
    let mut parser = Parser { tokens: lex(logic), at: 0, end: logic.len(), identifiers };
    let expr = parser.or(0)?;
    match parser.peek() {
        None => match expr {
            Some(expr) => Ok(Condition { expr, aggregation }),
            None => {
                let message = "the processing pipelines leave nothing of the condition";
                Err(Problem::unsupported("sigma-refused", message, &(0..logic.len())))
            }
        },
        Some((token, place)) => {
            let message = format!("`{token}` does not go on with the condition");
            Err(Problem::invalid("sigma-condition", message, &place))
        }
    }
}

type Token<'t> = (&'t str, Range<usize>);

fn lex(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut start = None;
    let mut close = |start: &mut Option<usize>, at: usize| {
        if let Some(from) = start.take() {
            tokens.push((from, at));
        }
    };
    for (at, c) in text.char_indices() {
        match c {
            '(' | ')' => {
                close(&mut start, at);
                start = Some(at);
                close(&mut start, at + 1);
            }
            c if c.is_whitespace() => close(&mut start, at),
            _ => start = start.or(Some(at)),
        }
    }
    close(&mut start, text.len());
    tokens.into_iter().map(|(from, to)| (&text[from..to], from..to)).collect()
}

struct Parser<'t> {
    tokens: Vec<Token<'t>>,
    at: usize,
    end: usize,
    identifiers: &'t Identifiers,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<Token<'t>> {
        self.tokens.get(self.at).cloned()
    }

    fn accept(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|(token, _)| token.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn or(&mut self, depth: usize) -> Result<Option<Expr>, Problem> {
        let mut parts = vec![self.and(depth)?];
        while self.accept("or") {
            parts.push(self.and(depth)?);
        }
        Ok(one_or(parts, Expr::Or))
    }

    fn and(&mut self, depth: usize) -> Result<Option<Expr>, Problem> {
        let mut parts = vec![self.not(depth)?];
        while self.accept("and") {
            parts.push(self.not(depth)?);
        }
        Ok(one_or(parts, Expr::And))
    }

    fn not(&mut self, depth: usize) -> Result<Option<Expr>, Problem> {
        if depth > MAX_DEPTH {
            return Err(Problem::invalid("sigma-condition", "the condition is nested too deep", &(0..self.end)));
        }
        if self.accept("not") {
            return Ok(self.not(depth + 1)?.map(|expr| Expr::Not(Box::new(expr))));
        }
        self.primary(depth)
    }

    fn primary(&mut self, depth: usize) -> Result<Option<Expr>, Problem> {
        let Some((token, place)) = self.peek() else {
            return Err(Problem::invalid("sigma-condition", "the condition ends too early", &(self.end..self.end)));
        };
        self.at += 1;
        if token == "(" {
            let inner = self.or(depth + 1)?;
            if !self.accept(")") {
                return Err(Problem::invalid("sigma-condition", "this bracket is not closed", &place));
            }
            return Ok(inner);
        }
        let of = self.peek().is_some_and(|(next, _)| next.eq_ignore_ascii_case("of"));
        let count = match token.to_ascii_lowercase().as_str() {
            "all" if of => Some(None),
            "any" if of => Some(Some(1)),
            number if of => number.parse::<usize>().ok().map(Some),
            _ => None,
        };
        match count {
            Some(count) => {
                self.at += 1;
                self.several(count, &place)
            }
            None => self.identifier(token, &place),
        }
    }

    fn identifier(&self, name: &str, place: &Range<usize>) -> Result<Option<Expr>, Problem> {
        if let Some((_, expr)) = self.identifiers.iter().find(|(known, _)| known == name) {
            return Ok(expr.clone());
        }
        let problem = Problem::invalid("sigma-condition", format!("there is no search identifier `{name}`"), place);
        Err(match masthead_rulefile::suggest(name, self.identifiers.iter().map(|(known, _)| known.as_str())) {
            Some(meant) => problem.help(format!("did you mean `{meant}`?")),
            None => problem,
        })
    }

    /// `1 of selection_*`, `all of them`; `count`: all if none.
    fn several(&mut self, count: Option<usize>, place: &Range<usize>) -> Result<Option<Expr>, Problem> {
        let Some((pattern, at)) = self.peek() else {
            return Err(Problem::invalid("sigma-condition", "of which search identifiers?", place));
        };
        self.at += 1;
        let glob = Glob::new(pattern);
        let them = pattern.eq_ignore_ascii_case("them");
        // What begins with an underscore is meant only by a pattern that does.
        let hidden = |name: &str| name.starts_with('_') && !pattern.starts_with('_');
        let meant = |name: &str| !hidden(name) && (them || glob.matches(name));
        let found: Vec<Option<Expr>> =
            self.identifiers.iter().filter(|(name, _)| meant(name)).map(|(_, expr)| expr.clone()).collect();
        if found.is_empty() {
            let message = format!("no search identifier is like `{pattern}`");
            return Err(Problem::invalid("sigma-condition", message, &at));
        }
        match count {
            None => Ok(one_or(found, Expr::And)),
            Some(1) => Ok(one_or(found, Expr::Or)),
            Some(count) => match at_least(count, found.into_iter().flatten().collect()) {
                Some(expr) => Ok(Some(expr)),
                None => Err(Problem::unsupported("sigma-condition", "too many ways to choose from", place)),
            },
        }
    }
}

/// At least `count` of some expressions; none if there are too many ways.
fn at_least(count: usize, of: Vec<Expr>) -> Option<Expr> {
    if count == 0 {
        return Some(Expr::And(Vec::new()));
    }
    if of.len() > 12 {
        return None;
    }
    let ways = (0_u32..1 << of.len()).filter(|way| way.count_ones() as usize == count);
    let way = |way: u32| Expr::And((0..of.len()).filter(|at| way >> at & 1 == 1).map(|at| of[at].clone()).collect());
    Some(Expr::Or(ways.map(way).collect()))
}

fn one_or(parts: Vec<Option<Expr>>, join: fn(Vec<Expr>) -> Expr) -> Option<Expr> {
    let mut parts: Vec<Expr> = parts.into_iter().flatten().collect();
    match parts.len() {
        0 => None,
        1 => Some(parts.swap_remove(0)),
        _ => Some(join(parts)),
    }
}
