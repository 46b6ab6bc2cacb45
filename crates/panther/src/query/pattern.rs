//! Patterns of SQL: literals, `LIKE`, regular expressions.

use masthead_ir::expr::{CompareOp, Expr, Func};
use masthead_ir::pattern::{Case, Pattern};
use masthead_ir::value::Value;

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Text(String),
    Number(String),
    Bool(bool),
    Null,
}

impl Literal {
    /// The literal as a value of the intermediate representation.
    pub(super) fn value(&self) -> Value {
        match self {
            Literal::Text(text) => Value::text(text),
            Literal::Number(text) => match (text.parse::<i64>(), text.parse::<f64>()) {
                (Ok(int), _) => Value::Int(int),
                (_, Ok(float)) => Value::Float(float),
                _ => Value::text(text),
            },
            Literal::Bool(truth) => Value::Bool(*truth),
            Literal::Null => Value::Absent,
        }
    }

    /// The literal as text; none for null.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Literal::Text(text) | Literal::Number(text) => Some(text.clone()),
            Literal::Bool(truth) => Some(truth.to_string()),
            Literal::Null => None,
        }
    }

    /// What equals the literal; none for null, which equals nothing.
    pub(super) fn equal(&self, case: Case) -> Option<Pattern> {
        let (text, case, numeric) = match self {
            Literal::Text(text) => (text.clone(), case, false),
            Literal::Number(text) => (text.clone(), Case::Sensitive, true),
            Literal::Bool(truth) => (truth.to_string(), Case::Folded, false),
            Literal::Null => return None,
        };
        Some(Pattern::Text { text, case, numeric })
    }
}

/// What one of these matches; one pattern stands for itself.
pub(super) fn any_of(mut patterns: Vec<Pattern>) -> Pattern {
    if patterns.len() == 1 { patterns.swap_remove(0) } else { Pattern::AnyOf(patterns) }
}

/// The pattern of `LIKE`: `%` stands for any run of characters, `_` for one.
pub(super) fn like(pattern: &str, escape: Option<char>, case: Case) -> Pattern {
    let mut pieces = vec![String::new()];
    let mut regex = false;
    let mut source = String::from(if case == Case::Folded { "(?is)^" } else { "(?s)^" });
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        let literal = match c {
            c if Some(c) == escape => chars.next(),
            '%' => {
                pieces.push(String::new());
                source.push_str(".*");
                None
            }
            '_' => {
                regex = true;
                source.push('.');
                None
            }
            c => Some(c),
        };
        if let Some(literal) = literal {
            // A star of the text would be one of the pattern.
            regex |= literal == '*';
            pieces.iter_mut().last().into_iter().for_each(|piece| piece.push(literal));
            source.push_str(&escaped(literal.encode_utf8(&mut [0; 4])));
        }
    }
    source.push('$');
    if regex { Pattern::Regex(source) } else { of_pieces(pieces, case) }
}

/// Texts with any run of characters between them.
fn of_pieces(pieces: Vec<String>, case: Case) -> Pattern {
    match pieces.as_slice() {
        [whole] => Pattern::Text { text: whole.clone(), case, numeric: false },
        [start, end] if end.is_empty() && !start.is_empty() => Pattern::Prefix { text: start.clone(), case },
        [start, end] if start.is_empty() && !end.is_empty() => Pattern::Suffix { text: end.clone(), case },
        [start, middle, end] if start.is_empty() && end.is_empty() && !middle.is_empty() => {
            Pattern::Contains { text: middle.clone(), case }
        }
        pieces if pieces.iter().all(String::is_empty) => Pattern::Present,
        pieces => Pattern::Wildcard { glob: pieces.join("*"), case },
    }
}

/// The regular expression of `RLIKE`, which must match the whole text; `parameters` are its letters for case and lines.
pub(super) fn rlike(pattern: &str, parameters: &str) -> Pattern {
    Pattern::Regex(format!("{}^(?:{pattern})$", flags(parameters)))
}

/// The flags of a regular expression as a prefix of it.
fn flags(parameters: &str) -> String {
    let flags: String = parameters.chars().filter(|c| matches!(c, 'i' | 'm' | 's')).collect();
    if flags.is_empty() { flags } else { format!("(?{flags})") }
}

/// A text in which nothing is special to a regular expression.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation() && c != '_' {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Whether a computed value passes a test: what [`Expr::Test`] says of a field.
pub(super) fn passes(value: &Expr, pattern: &Pattern) -> Expr {
    let call = |func, args| Expr::Call { func, args };
    let literal = |text: &str| Expr::Literal(Value::text(text));
    let equal =
        |left, text: &str| Expr::Compare { op: CompareOp::Eq, left: Box::new(left), right: Box::new(literal(text)) };
    let matches = |source: String| call(Func::Match, vec![value.clone(), literal(&source)]);
    let folded = |case: &Case| if *case == Case::Folded { "(?is)" } else { "(?s)" };
    match pattern {
        Pattern::Present => call(Func::IsNotNull, vec![value.clone()]),
        Pattern::Text { text, case: Case::Folded, .. } => {
            equal(call(Func::Lower, vec![value.clone()]), &text.to_lowercase())
        }
        Pattern::Text { text, .. } => equal(value.clone(), text),
        Pattern::Prefix { text, case } => matches(format!("{}^{}", folded(case), escaped(text))),
        Pattern::Suffix { text, case } => matches(format!("{}{}$", folded(case), escaped(text))),
        Pattern::Contains { text, case } => matches(format!("{}{}", folded(case), escaped(text))),
        Pattern::Wildcard { glob, case } => {
            let parts: Vec<String> = glob.split('*').map(escaped).collect();
            matches(format!("{}^{}$", folded(case), parts.join(".*")))
        }
        Pattern::Regex(source) => matches(source.clone()),
        Pattern::AnyOf(patterns) => super::any(patterns.iter().map(|pattern| passes(value, pattern)).collect()),
        // Not made by queries.
        Pattern::Same(_) | Pattern::Cidr { .. } | Pattern::Order { .. } | Pattern::Phrase { .. } => {
            Expr::Literal(Value::Absent)
        }
    }
}
