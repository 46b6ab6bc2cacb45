//! For tests: guards as text, and their truth over a JSON event.

use masthead_ir::expr::{Expr, FieldPath};
use masthead_ir::pattern::{Case, OrderOp, Pattern};
use masthead_ir::value::Value;
use serde_json::Value as Json;

/// A guard as one reads it.
pub(crate) fn show(expr: &Expr) -> String {
    let joined = |parts: &[Expr], word: &str| {
        let parts: Vec<String> = parts.iter().map(show).collect();
        format!("({})", parts.join(word))
    };
    match expr {
        Expr::Literal(Value::Bool(value)) => value.to_string(),
        Expr::And(parts) => joined(parts, " and "),
        Expr::Or(parts) => joined(parts, " or "),
        Expr::Not(inner) => format!("not {}", show(inner)),
        Expr::Test { field, pattern } => format!("{field} {}", show_pattern(pattern)),
        other => format!("{other:?}"),
    }
}

fn show_pattern(pattern: &Pattern) -> String {
    let cased = |case: &Case| if *case == Case::Folded { "~" } else { "" };
    match pattern {
        Pattern::Present => "present".to_owned(),
        Pattern::Same(Value::Text(text)) => format!("= {text:?}"),
        Pattern::Same(Value::Int(number)) => format!("= {number}"),
        Pattern::Same(Value::Float(number)) => format!("= {number:?}"),
        Pattern::Same(Value::Bool(value)) => format!("= {value}"),
        Pattern::Text { text, case, .. } => format!("={} {text:?}", cased(case)),
        Pattern::Prefix { text, case } => format!("^={} {text:?}", cased(case)),
        Pattern::Suffix { text, case } => format!("$={} {text:?}", cased(case)),
        Pattern::Contains { text, case } => format!("*={} {text:?}", cased(case)),
        Pattern::Order { op, literal } => format!("{op:?} {literal}"),
        Pattern::AnyOf(patterns) => {
            let patterns: Vec<String> = patterns.iter().map(show_pattern).collect();
            format!("[{}]", patterns.join(" | "))
        }
        other => format!("{other:?}"),
    }
}

/// The truth of a guard over an event of a log type.
pub(crate) fn holds(expr: &Expr, event: &Json, log_type: &str) -> bool {
    match expr {
        Expr::Literal(value) => *value != Value::Bool(false),
        Expr::And(parts) => parts.iter().all(|part| holds(part, event, log_type)),
        Expr::Or(parts) => parts.iter().any(|part| holds(part, event, log_type)),
        Expr::Not(inner) => !holds(inner, event, log_type),
        Expr::Test { field, pattern } => match field {
            FieldPath::Flat(name) if &**name == super::LOG_TYPE_FIELD => {
                passes(pattern, &Json::String(log_type.to_owned()))
            }
            FieldPath::Flat(_) => false,
            FieldPath::Keys(keys) => {
                let mut at = Some(event);
                for key in keys.iter() {
                    at = at.and_then(Json::as_object).and_then(|object| {
                        object.get(&**key).or_else(|| {
                            object.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
                        })
                    });
                }
                match at {
                    None | Some(Json::Null) => false,
                    Some(Json::Array(members)) => members.iter().any(|member| passes(pattern, member)),
                    Some(value) => passes(pattern, value),
                }
            }
        },
        other => unreachable!("no guard holds {other:?}"),
    }
}

fn passes(pattern: &Pattern, value: &Json) -> bool {
    let text = value.as_str();
    let cased = |text: &str, case: &Case| if *case == Case::Folded { text.to_lowercase() } else { text.to_owned() };
    match pattern {
        Pattern::Present => true,
        Pattern::AnyOf(patterns) => patterns.iter().any(|pattern| passes(pattern, value)),
        Pattern::Same(Value::Text(wanted)) => text == Some(wanted),
        Pattern::Same(Value::Int(number)) => value.as_f64() == Some(*number as f64),
        Pattern::Same(Value::Float(number)) => value.as_f64() == Some(*number),
        Pattern::Same(Value::Bool(truth)) => value.as_bool() == Some(*truth),
        Pattern::Text { text: wanted, case, .. } => text.is_some_and(|text| cased(text, case) == cased(wanted, case)),
        Pattern::Prefix { text: wanted, case } => {
            text.is_some_and(|text| cased(text, case).starts_with(&cased(wanted, case)))
        }
        Pattern::Suffix { text: wanted, case } => {
            text.is_some_and(|text| cased(text, case).ends_with(&cased(wanted, case)))
        }
        Pattern::Contains { text: wanted, case } => {
            text.is_some_and(|text| cased(text, case).contains(&cased(wanted, case)))
        }
        Pattern::Order { op, literal } => {
            let (Some(number), Ok(literal)) = (value.as_f64(), literal.parse::<f64>()) else { return false };
            match op {
                OrderOp::Lt => number < literal,
                OrderOp::Le => number <= literal,
                OrderOp::Gt => number > literal,
                OrderOp::Ge => number >= literal,
            }
        }
        other => unreachable!("no guard holds {other:?}"),
    }
}
