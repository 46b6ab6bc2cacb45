//! What a test says of one value: yes, no, or unknown.

use masthead_ir::Value;
use masthead_ir::pattern::{Case, OrderOp, Pattern};

/// Whether a value passes a test; none if that cannot be said.
pub(crate) fn decide(pattern: &Pattern, value: &str) -> Option<bool> {
    Some(match pattern {
        Pattern::Present => true,
        Pattern::Text { text, case, numeric } => {
            same(text, value, *case) || (*numeric && number(text).is_some() && number(text) == number(value))
        }
        Pattern::Same(literal) => match shown(literal)? {
            text if number(&text).is_some() => number(&text) == number(value),
            text => text == value,
        },
        Pattern::Wildcard { glob, case } => match case {
            Case::Sensitive => glob_matches(glob, value),
            Case::Folded => glob_matches(&glob.to_lowercase(), &value.to_lowercase()),
        },
        Pattern::Prefix { text, case } => {
            value.get(..text.len()).is_some_and(|start| same(text, start, *case)) || text.is_empty()
        }
        Pattern::Suffix { text, case } => {
            let at = value.len().checked_sub(text.len());
            at.and_then(|at| value.get(at..)).is_some_and(|end| same(text, end, *case))
        }
        Pattern::Contains { text, case: Case::Sensitive } => value.contains(text),
        Pattern::Contains { text, case: Case::Folded } => value.to_lowercase().contains(&text.to_lowercase()),
        Pattern::Order { op, literal } => {
            let (left, right) = (number(value)?, number(literal)?);
            match op {
                OrderOp::Lt => left < right,
                OrderOp::Le => left <= right,
                OrderOp::Gt => left > right,
                OrderOp::Ge => left >= right,
            }
        }
        Pattern::AnyOf(parts) => {
            let decided: Vec<Option<bool>> = parts.iter().map(|part| decide(part, value)).collect();
            match (decided.contains(&Some(true)), decided.contains(&None)) {
                (true, _) => true,
                (false, true) => return None,
                (false, false) => false,
            }
        }
        Pattern::Cidr { .. } | Pattern::Regex(_) | Pattern::Phrase { .. } => return None,
    })
}

/// The values that pass a test, if it names them.
pub(crate) fn choices(pattern: &Pattern) -> Option<Vec<String>> {
    match pattern {
        Pattern::Text { text, .. } => Some(vec![text.clone()]),
        Pattern::Wildcard { glob, .. } if !glob.contains('*') => Some(vec![glob.clone()]),
        Pattern::Same(literal) => shown(literal).map(|text| vec![text]),
        Pattern::AnyOf(parts) => {
            parts.iter().map(choices).collect::<Option<Vec<_>>>().map(|parts| parts.into_iter().flatten().collect())
        }
        _ => None,
    }
}

/// The text of a test of text; none for tests of other kinds.
pub(crate) fn subject(pattern: &Pattern) -> Option<String> {
    match pattern {
        Pattern::Text { text, .. }
        | Pattern::Wildcard { glob: text, .. }
        | Pattern::Prefix { text, .. }
        | Pattern::Suffix { text, .. }
        | Pattern::Contains { text, .. } => Some(text.clone()),
        Pattern::Same(literal) => shown(literal),
        _ => None,
    }
}

/// A plain value as text.
pub(crate) fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Absent | Value::List(_) | Value::Json(_) => None,
    }
}

/// The number that a text reads as.
pub(crate) fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

fn same(left: &str, right: &str, case: Case) -> bool {
    match case {
        Case::Sensitive => left == right,
        Case::Folded => left.to_lowercase() == right.to_lowercase(),
    }
}

fn glob_matches(glob: &str, text: &str) -> bool {
    let mut parts = glob.split('*');
    let Some(mut rest) = parts.next().and_then(|start| text.strip_prefix(start)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, inner)) = parts.split_last() else { return rest.is_empty() };
    for part in inner {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decided() {
        let text = |text: &str, case, numeric| Pattern::Text { text: text.to_owned(), case, numeric };
        let glob = |glob: &str| Pattern::Wildcard { glob: glob.to_owned(), case: Case::Folded };
        let order = |op, literal: &str| Pattern::Order { op, literal: literal.to_owned() };
        for (pattern, value, expected) in [
            (text("GET", Case::Folded, false), "get", Some(true)),
            (text("GET", Case::Sensitive, false), "get", Some(false)),
            (text("403.0", Case::Sensitive, true), "403", Some(true)),
            (glob("Del*"), "deletecollection", Some(true)),
            (glob("*a*b"), "xaxb", Some(true)),
            (glob("a*a"), "a", Some(false)),
            (glob("get"), "gets", Some(false)),
            (order(OrderOp::Ge, "400"), "403", Some(true)),
            (order(OrderOp::Ge, "x"), "403", None),
            (Pattern::Prefix { text: "cre".to_owned(), case: Case::Sensitive }, "create", Some(true)),
            (Pattern::Suffix { text: "eate".to_owned(), case: Case::Sensitive }, "create", Some(true)),
            (Pattern::Regex("x".to_owned()), "x", None),
            (Pattern::AnyOf(vec![Pattern::Regex("x".to_owned()), glob("y")]), "x", None),
            (Pattern::AnyOf(vec![glob("x"), glob("y")]), "z", Some(false)),
        ] {
            assert_eq!(decide(&pattern, value), expected, "{pattern:?} {value}");
        }
    }
}
