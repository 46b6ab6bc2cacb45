//! The syntax tree of a condition. Ranges are bytes of the condition's text.

use std::ops::Range;

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    /// True if one is.
    Or(Vec<Condition>),
    /// True if all are.
    And(Vec<Condition>),
    /// True if it is not.
    Not(Box<Condition>),
    /// The condition of this name.
    Macro(Word),
    /// A comparison.
    Check(Check),
}

/// A comparison of a field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Check {
    /// What is compared.
    pub(crate) field: FieldUse,
    /// How.
    pub(crate) operator: Operator,
    /// Where the operator stands.
    pub(crate) operator_at: Range<usize>,
    /// With what: none for `exists`, one for operators that take a single value.
    pub(crate) values: Vec<Word>,
}

/// A field as a condition uses it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FieldUse {
    /// What is done to its value, innermost first.
    pub(crate) transformers: Vec<Transformer>,
    /// Its name.
    pub(crate) name: String,
    /// What stands in brackets behind it.
    pub(crate) argument: Option<String>,
    /// Where it stands.
    pub(crate) at: Range<usize>,
}

/// A function of a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transformer {
    /// In lower case.
    ToLower,
    /// In upper case.
    ToUpper,
    /// Behind the last slash.
    Basename,
    /// The number of its characters.
    Len,
}

/// A name or value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Word {
    /// Its text, quotes and escapes undone.
    pub(crate) text: String,
    /// Whether it stood in quotes: then it is never the name of a list.
    pub(crate) quoted: bool,
    /// Where it stands.
    pub(crate) at: Range<usize>,
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Contains,
    IContains,
    BContains,
    StartsWith,
    BStartsWith,
    EndsWith,
    Glob,
    IGlob,
    Regex,
    In,
    Intersects,
    PMatch,
    Exists,
}

/// Operators as they are written. A longer one stands before those that it begins with.
pub(crate) const OPERATORS: &[(&str, Operator)] = &[
    ("<=", Operator::Le),
    ("<", Operator::Lt),
    (">=", Operator::Ge),
    (">", Operator::Gt),
    ("==", Operator::Eq),
    ("=", Operator::Eq),
    ("!=", Operator::Ne),
    ("contains", Operator::Contains),
    ("icontains", Operator::IContains),
    ("bcontains", Operator::BContains),
    ("startswith", Operator::StartsWith),
    ("bstartswith", Operator::BStartsWith),
    ("endswith", Operator::EndsWith),
    ("glob", Operator::Glob),
    ("iglob", Operator::IGlob),
    ("regex", Operator::Regex),
    ("intersects", Operator::Intersects),
    ("in", Operator::In),
    ("pmatch", Operator::PMatch),
    ("exists", Operator::Exists),
];

impl Operator {
    /// How it is written.
    pub(crate) fn written(self) -> &'static str {
        // Of two spellings the shorter stands last.
        OPERATORS.iter().rev().find(|(_, operator)| *operator == self).map_or("", |(written, _)| written)
    }
}
