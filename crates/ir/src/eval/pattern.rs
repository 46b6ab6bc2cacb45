//! Compiled tests of values against literals.

use std::cmp::Ordering;
use std::net::IpAddr;

use ipnet::IpNet;

use super::fold::fold;
use super::glob::Glob;
use super::number::{self, Number};
use super::phrase::Phrase;
use super::regex::CompiledRegex;
use crate::pattern::{Case, OrderOp, Pattern};
use crate::value::Value;

/// How deep [`Pattern::AnyOf`] may nest.
const MAX_DEPTH: usize = 32;

/// Why a pattern cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The text is no regular expression.
    #[error("`{expression}` is no regular expression that can be run: {reason}")]
    Regex {
        /// The text.
        expression: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Absent or a list, which no single value equals.
    #[error("a test for equality needs a single value")]
    NotSingle,
    /// Alternatives nested too deep.
    #[error("alternatives are nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// A test of one value against a literal, ready to run.
#[derive(Debug, Clone)]
pub struct CompiledPattern {
    kind: Kind,
    needs_fold: bool,
}

#[derive(Debug, Clone)]
enum Kind {
    Present,
    Text { text: String, folded: bool, number: Option<Number> },
    Same(Value),
    Glob { glob: Glob, folded: bool },
    Prefix { text: String, folded: bool },
    Suffix { text: String, folded: bool },
    Contains { text: String, folded: bool },
    Cidr { net: IpNet, literal: String },
    Regex(CompiledRegex),
    Order { op: OrderOp, literal: String, number: Option<Number> },
    Phrase { phrase: Phrase, folded: bool },
    AnyOf(Vec<Kind>),
}

impl CompiledPattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// For a regular expression that is none, an equality with something that is no single value, and alternatives
    /// nested too deep.
    pub fn new(pattern: &Pattern) -> Result<CompiledPattern, PatternError> {
        let kind = compile(pattern, 0)?;
        let needs_fold = kind.needs_fold();
        Ok(CompiledPattern { kind, needs_fold })
    }

    /// Whether a value passes: of a list any member; absent never does. Numbers and truth values are read as text
    /// except by [`Pattern::Same`].
    pub fn matches(&self, value: &Value) -> bool {
        match value {
            Value::Absent => false,
            Value::List(members) => members.iter().any(|member| self.matches_single(member)),
            single => self.matches_single(single),
        }
    }

    /// Whether a text passes: the same as for [`Value::Text`].
    pub fn matches_str(&self, text: &str) -> bool {
        if self.needs_fold { self.kind.matches(text, &fold(text), None) } else { self.kind.matches(text, text, None) }
    }

    /// Like [`CompiledPattern::matches_str`] for callers that ask many patterns about one text: `folded` is the text as
    /// [`super::fold::fold`] gives it.
    pub fn matches_folded(&self, text: &str, folded: &str) -> bool {
        self.kind.matches(text, folded, None)
    }

    /// Whether raw bytes pass, read as text; what is no UTF-8 in them is replaced.
    pub fn matches_bytes(&self, bytes: &[u8]) -> bool {
        self.matches_str(&String::from_utf8_lossy(bytes))
    }

    /// Whether letter case does not count somewhere in the pattern.
    pub fn needs_fold(&self) -> bool {
        self.needs_fold
    }

    /// Whether one value that is no list passes.
    pub fn matches_single(&self, value: &Value) -> bool {
        match value {
            Value::Text(text) => self.matches_str(text),
            other => {
                let Some(text) = number::text(other) else { return false };
                let folded = if self.needs_fold { fold(&text) } else { (&*text).into() };
                self.kind.matches(&text, &folded, Some(other))
            }
        }
    }
}

fn compile(pattern: &Pattern, depth: usize) -> Result<Kind, PatternError> {
    let folded = |case: &Case| *case == Case::Folded;
    let literal = |text: &str, case: &Case| if folded(case) { fold(text).into_owned() } else { text.to_owned() };
    Ok(match pattern {
        Pattern::Present => Kind::Present,
        Pattern::Text { text, case, numeric } => Kind::Text {
            number: if *numeric { Number::parse(text) } else { None },
            folded: folded(case),
            text: literal(text, case),
        },
        Pattern::Same(Value::Absent | Value::List(_)) => return Err(PatternError::NotSingle),
        Pattern::Same(value) => Kind::Same(value.clone()),
        Pattern::Wildcard { glob, case } => Kind::Glob { glob: Glob::new(&literal(glob, case)), folded: folded(case) },
        Pattern::Prefix { text, case } => Kind::Prefix { text: literal(text, case), folded: folded(case) },
        Pattern::Suffix { text, case } => Kind::Suffix { text: literal(text, case), folded: folded(case) },
        Pattern::Contains { text, case } => Kind::Contains { text: literal(text, case), folded: folded(case) },
        Pattern::Cidr { net, literal } => Kind::Cidr { net: *net, literal: literal.clone() },
        Pattern::Regex(expression) => Kind::Regex(CompiledRegex::new(expression)?),
        Pattern::Order { op, literal } => {
            Kind::Order { op: *op, number: Number::parse(literal), literal: literal.clone() }
        }
        Pattern::Phrase { text, case, minor } => {
            Kind::Phrase { phrase: Phrase::new(&literal(text, case), *minor), folded: folded(case) }
        }
        Pattern::AnyOf(_) if depth >= MAX_DEPTH => return Err(PatternError::TooDeep),
        Pattern::AnyOf(patterns) => {
            Kind::AnyOf(patterns.iter().map(|p| compile(p, depth + 1)).collect::<Result<_, _>>()?)
        }
    })
}

impl Kind {
    fn needs_fold(&self) -> bool {
        match self {
            Kind::Text { folded, .. }
            | Kind::Glob { folded, .. }
            | Kind::Prefix { folded, .. }
            | Kind::Suffix { folded, .. }
            | Kind::Contains { folded, .. }
            | Kind::Phrase { folded, .. } => *folded,
            Kind::AnyOf(kinds) => kinds.iter().any(Kind::needs_fold),
            Kind::Present | Kind::Same(_) | Kind::Cidr { .. } | Kind::Regex(_) | Kind::Order { .. } => false,
        }
    }

    /// Whether a text passes; `lower` is the same text without case, `typed` the value it was read from unless that is
    /// text.
    fn matches(&self, text: &str, lower: &str, typed: Option<&Value>) -> bool {
        let pick = |folded: &bool| if *folded { lower } else { text };
        match self {
            Kind::Present => true,
            Kind::Text { text: literal, folded, number } => {
                pick(folded) == literal
                    || number.is_some_and(|number| {
                        let value = typed.map_or_else(|| Number::parse(text), Number::of);
                        value.is_some_and(|value| value.compare(number) == Ordering::Equal)
                    })
            }
            Kind::Same(value) => match typed {
                None => matches!(value, Value::Text(want) if **want == *text),
                Some(typed) => same(value, typed),
            },
            Kind::Glob { glob, folded } => glob.matches(pick(folded)),
            Kind::Prefix { text: literal, folded } => pick(folded).starts_with(literal.as_str()),
            Kind::Suffix { text: literal, folded } => pick(folded).ends_with(literal.as_str()),
            Kind::Contains { text: literal, folded } => pick(folded).contains(literal.as_str()),
            Kind::Cidr { net, literal } => in_network(net, text).unwrap_or_else(|| text.eq_ignore_ascii_case(literal)),
            Kind::Regex(regex) => regex.is_match(text),
            Kind::Order { op, literal, number } => {
                let value = typed.map_or_else(|| Number::parse(text), Number::of);
                let ordering = match (value, number) {
                    (Some(value), Some(number)) => value.compare(*number),
                    _ => text.as_bytes().cmp(literal.as_bytes()),
                };
                match op {
                    OrderOp::Lt => ordering.is_lt(),
                    OrderOp::Le => ordering.is_le(),
                    OrderOp::Gt => ordering.is_gt(),
                    OrderOp::Ge => ordering.is_ge(),
                }
            }
            Kind::Phrase { phrase, folded } => phrase.matches(pick(folded)),
            Kind::AnyOf(kinds) => kinds.iter().any(|kind| kind.matches(text, lower, typed)),
        }
    }
}

/// Equality of type and value: whole numbers and numbers with a fraction are one type.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            matches!((Number::of(a), Number::of(b)), (Some(a), Some(b)) if a.compare(b) == Ordering::Equal)
        }
        (a, b) => a == b,
    }
}

/// Whether the text is an address inside the network; none if it is no address. An IPv4 address written as IPv6
/// (`::ffff:10.0.0.1`) counts as IPv4.
pub fn in_network(net: &IpNet, text: &str) -> Option<bool> {
    let address: IpAddr = text.parse().ok()?;
    Some(net.contains(&address) || net.contains(&address.to_canonical()))
}
