//! What a test asks, taken apart: field, operator, values.

use masthead_ir::expr::{CompareOp, Func};
use masthead_ir::pattern::{Case, OrderOp, Pattern};
use masthead_ir::{Expr, Value};
use serde::Serialize;

use super::wording::{column, plain, quote, quoted};

/// How a value is held against a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// There is a value.
    Present,
    /// It is equal.
    Is,
    /// It is equal in type and value.
    IsExactly,
    /// It is like a text with stars.
    Like,
    /// It begins with a text.
    BeginsWith,
    /// It ends with a text.
    EndsWith,
    /// It holds a text.
    Holds,
    /// It is an address of a network.
    InNetwork,
    /// A regular expression matches.
    MatchesRegex,
    /// It is less.
    LessThan,
    /// It is less or equal.
    AtMost,
    /// It is more.
    MoreThan,
    /// It is more or equal.
    AtLeast,
    /// It holds words, bounded as log search engines do.
    HoldsWords,
}

/// One test of a field against literals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Predicate {
    /// The field, as people write it.
    pub field: String,
    /// How its values are held against `values`.
    pub operator: Operator,
    /// The literals: one of them is enough.
    pub values: Vec<String>,
    /// Whether letter case counts.
    pub case_sensitive: bool,
    /// Whether the test must fail.
    pub negated: bool,
}

/// Patterns of one operator.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) operator: Operator,
    pub(crate) case_sensitive: bool,
    pub(crate) values: Vec<String>,
}

impl Group {
    /// What the values of a field do, as a verb with its object.
    pub(crate) fn verb(&self, negated: bool, limit: usize) -> String {
        let pick = |positive: &str, negative: &str| if negated { negative.to_owned() } else { positive.to_owned() };
        let verb = match self.operator {
            Operator::Present => return pick("is there", "is absent"),
            Operator::Is | Operator::IsExactly => return self.equality(negated, limit),
            Operator::Like => pick("is like", "is not like"),
            Operator::BeginsWith => pick("begins with", "does not begin with"),
            Operator::EndsWith => pick("ends with", "does not end with"),
            Operator::Holds => pick("holds", "does not hold"),
            Operator::HoldsWords if self.values.iter().any(|value| value.contains(char::is_whitespace)) => {
                pick("holds the words", "does not hold the words")
            }
            Operator::HoldsWords => pick("holds the word", "does not hold the word"),
            Operator::InNetwork => pick("is in the network", "is not in the network"),
            Operator::MatchesRegex => pick("matches the regular expression", "does not match the regular expression"),
            Operator::LessThan => pick("is less than", "is not less than"),
            Operator::AtMost => pick("is at most", "is not at most"),
            Operator::MoreThan => pick("is more than", "is not more than"),
            Operator::AtLeast => pick("is at least", "is not at least"),
        };
        format!("{verb} {}{}", quoted(&self.values, "or", limit), self.case_note())
    }

    fn equality(&self, negated: bool, limit: usize) -> String {
        let exactly = if self.operator == Operator::IsExactly { "exactly " } else { "" };
        let list = match (self.values.as_slice(), negated) {
            ([_], false) | ([_, _], false) => format!("is {exactly}{}", quoted(&self.values, "or", limit)),
            ([_], true) => format!("is not {exactly}{}", quoted(&self.values, "or", limit)),
            ([_, _], true) => format!("is neither {exactly}{}", quoted(&self.values, "nor", limit)),
            (_, false) => format!("is {exactly}one of {}", quoted(&self.values, "or", limit)),
            (_, true) => format!("is {exactly}none of {}", quoted(&self.values, "or", limit)),
        };
        list + self.case_note()
    }

    /// Said only where it can make a difference.
    fn case_note(&self) -> &'static str {
        let matters = matches!(
            self.operator,
            Operator::Is
                | Operator::Like
                | Operator::BeginsWith
                | Operator::EndsWith
                | Operator::Holds
                | Operator::HoldsWords
        );
        let has_letters = || self.values.iter().any(|value| value.chars().any(char::is_alphabetic));
        if matters && self.case_sensitive && has_letters() { " (letter case counts)" } else { "" }
    }
}

/// The patterns of a test, grouped by operator in the order of their first use.
pub(crate) fn groups(pattern: &Pattern) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut pending = vec![pattern];
    while let Some(pattern) = pending.pop() {
        if let Pattern::AnyOf(patterns) = pattern {
            pending.extend(patterns.iter().rev());
            continue;
        }
        let Some((operator, case_sensitive, value)) = single(pattern) else { continue };
        let same = |group: &&mut Group| group.operator == operator && group.case_sensitive == case_sensitive;
        match groups.iter_mut().find(same) {
            Some(group) => group.values.extend(value),
            None => groups.push(Group { operator, case_sensitive, values: value.into_iter().collect() }),
        }
    }
    groups
}

fn single(pattern: &Pattern) -> Option<(Operator, bool, Option<String>)> {
    let sensitive = |case: &Case| *case == Case::Sensitive;
    Some(match pattern {
        Pattern::Present => (Operator::Present, true, None),
        Pattern::Text { text, case, .. } => (Operator::Is, sensitive(case), Some(text.clone())),
        Pattern::Same(value) => (Operator::IsExactly, true, Some(value_text(value))),
        Pattern::Wildcard { glob, case } => (Operator::Like, sensitive(case), Some(glob.clone())),
        Pattern::Prefix { text, case } => (Operator::BeginsWith, sensitive(case), Some(text.clone())),
        Pattern::Suffix { text, case } => (Operator::EndsWith, sensitive(case), Some(text.clone())),
        Pattern::Contains { text, case } => (Operator::Holds, sensitive(case), Some(text.clone())),
        Pattern::Cidr { literal, .. } => (Operator::InNetwork, true, Some(literal.clone())),
        Pattern::Regex(regex) => (Operator::MatchesRegex, true, Some(regex.clone())),
        Pattern::Order { op, literal } => {
            let operator = match op {
                OrderOp::Lt => Operator::LessThan,
                OrderOp::Le => Operator::AtMost,
                OrderOp::Gt => Operator::MoreThan,
                OrderOp::Ge => Operator::AtLeast,
            };
            (operator, true, Some(literal.clone()))
        }
        Pattern::Phrase { text, case, .. } => (Operator::HoldsWords, sensitive(case), Some(text.clone())),
        Pattern::AnyOf(_) => return None,
    })
}

/// A value as plain text.
pub(crate) fn value_text(value: &Value) -> String {
    match value {
        Value::Absent => "null".to_owned(),
        Value::Text(text) | Value::Json(text) => text.to_string(),
        Value::Int(int) => int.to_string(),
        Value::Float(float) => float.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::List(members) => members.iter().map(value_text).collect::<Vec<_>>().join(", "),
    }
}

/// The subject of a sentence about a field.
pub(crate) fn subject(field: &masthead_ir::FieldPath) -> String {
    match plain(field).as_str() {
        "_raw" => "the event's text".to_owned(),
        "_time" => "the event's time".to_owned(),
        name => column(name),
    }
}

/// What an expression without logic in it tests, as far as it holds a field against literals.
pub(crate) fn predicates(expr: &Expr, negated: bool) -> Vec<Predicate> {
    match expr {
        Expr::Test { field, pattern } => of_groups(&plain(field), groups(pattern), negated),
        Expr::Differs { field, pattern, .. } => of_groups(&plain(field), groups(pattern), !negated),
        Expr::Compare { op, left, right } => compared(*op, left, right, negated).into_iter().collect(),
        Expr::Call { func, args } => called(*func, args, negated).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn of_groups(field: &str, groups: Vec<Group>, negated: bool) -> Vec<Predicate> {
    let predicate = |Group { operator, case_sensitive, values }| Predicate {
        field: field.to_owned(),
        operator,
        values,
        case_sensitive,
        negated,
    };
    groups.into_iter().map(predicate).collect()
}

fn compared(op: CompareOp, left: &Expr, right: &Expr, negated: bool) -> Option<Predicate> {
    let (field, value, op) = match (left, right) {
        (Expr::Field(field), Expr::Literal(value)) => (field, value, op),
        (Expr::Literal(value), Expr::Field(field)) => (field, value, mirrored(op)),
        _ => return None,
    };
    let operator = match op {
        CompareOp::Eq | CompareOp::Ne => Operator::Is,
        CompareOp::Lt => Operator::LessThan,
        CompareOp::Le => Operator::AtMost,
        CompareOp::Gt => Operator::MoreThan,
        CompareOp::Ge => Operator::AtLeast,
    };
    let values = vec![value_text(value)];
    let negated = negated != (op == CompareOp::Ne);
    Some(Predicate { field: plain(field), operator, values, case_sensitive: true, negated })
}

fn mirrored(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Lt => CompareOp::Gt,
        CompareOp::Le => CompareOp::Ge,
        CompareOp::Gt => CompareOp::Lt,
        CompareOp::Ge => CompareOp::Le,
        same => same,
    }
}

fn called(func: Func, args: &[Expr], negated: bool) -> Option<Predicate> {
    let predicate = |field, operator, values| {
        Some(Predicate { field: plain(field), operator, values, case_sensitive: true, negated })
    };
    match (func, args) {
        (Func::Like, [Expr::Field(field), Expr::Literal(value)]) => {
            predicate(field, Operator::Like, vec![value_text(value)])
        }
        (Func::Match, [Expr::Field(field), Expr::Literal(value)]) => {
            predicate(field, Operator::MatchesRegex, vec![value_text(value)])
        }
        (Func::CidrMatch, [Expr::Literal(value), Expr::Field(field)]) => {
            predicate(field, Operator::InNetwork, vec![value_text(value)])
        }
        (Func::IsNotNull, [Expr::Field(field)]) => predicate(field, Operator::Present, Vec::new()),
        (Func::IsNull, [Expr::Field(field)]) => {
            predicate(field, Operator::Present, Vec::new()).map(|found| Predicate { negated: !negated, ..found })
        }
        (Func::In, [Expr::Field(field), list @ ..]) => {
            let values: Option<Vec<String>> = list.iter().map(literal).collect();
            predicate(field, Operator::Is, values?)
        }
        _ => None,
    }
}

fn literal(expr: &Expr) -> Option<String> {
    if let Expr::Literal(value) = expr { Some(value_text(value)) } else { None }
}

/// A value between backticks; what null is in a sentence.
pub(crate) fn quoted_value(value: &Value) -> String {
    if value.is_absent() { "null".to_owned() } else { quote(&value_text(value)) }
}
