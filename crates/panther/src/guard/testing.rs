//! For tests: guards as text, and their truth over a JSON event.

use std::sync::Arc;

use masthead_ir::eval::{Context, Program, Row};
use masthead_ir::expr::{Expr, FieldPath};
use masthead_ir::pattern::{Case, Pattern};
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
    let program = Program::compile(expr).expect("guards are valid expressions");
    program.truth(&Event { event, log_type }, &Context::default()) != Some(false)
}

struct Event<'a> {
    event: &'a Json,
    log_type: &'a str,
}

impl Row for Event<'_> {
    fn get(&self, field: &FieldPath) -> Value {
        match field {
            FieldPath::Flat(name) if &**name == super::LOG_TYPE_FIELD => Value::text(self.log_type),
            FieldPath::Flat(_) | FieldPath::Dotted(_) => Value::Absent,
            FieldPath::Keys(keys) => {
                let mut at = Some(self.event);
                for key in keys.iter() {
                    let object = at.and_then(Json::as_object);
                    at = object.and_then(|object| {
                        object.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
                    });
                }
                at.map_or(Value::Absent, value)
            }
        }
    }
}

/// A JSON value as a walk by keys gives it.
fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Absent,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::text(text),
        Json::Array(members) if !members.iter().any(|member| member.is_array() || member.is_object()) => {
            Value::list(members.iter().map(value))
        }
        container => Value::Json(Arc::from(container.to_string())),
    }
}
