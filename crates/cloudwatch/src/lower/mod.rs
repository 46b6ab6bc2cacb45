//! From trees of filter patterns to expressions of the intermediate representation.

mod columns;
mod json;
mod text;

use masthead_ir::FieldPath;
use masthead_ir::expr::{Expr, Func};
use masthead_ir::pattern::{Case, Pattern};
use masthead_ir::value::Value;

use crate::codes;
use crate::syntax::{Fault, FilterPattern, LiteralValue, Logic, selector};

/// The field that holds the event as it came.
const RAW: &str = "_raw";

/// Where the value of a metric or a dimension comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reading {
    /// A field of the event.
    Field(FieldPath),
    /// Something computed from the raw event.
    Computed(Expr),
}

impl Reading {
    /// It as an expression.
    pub(crate) fn expr(&self) -> Expr {
        match self {
            Reading::Field(field) => Expr::Field(field.clone()),
            Reading::Computed(expr) => expr.clone(),
        }
    }
}

/// The filter of a pattern.
pub(crate) fn filter(pattern: &FilterPattern) -> Result<Expr, Fault> {
    match pattern {
        FilterPattern::Everything => Ok(Expr::And(Vec::new())),
        FilterPattern::Text(terms) => Ok(text::filter(terms)),
        FilterPattern::Json(logic) => join(logic, &mut json::test),
        FilterPattern::Columns(columns) => columns::filter(columns),
    }
}

/// What `$.path` or `$name` means beside a pattern.
pub(crate) fn reading(text: &str, pattern: &FilterPattern) -> Result<Reading, Fault> {
    let text = text.trim();
    let name = text.strip_prefix('$').filter(|name| !name.starts_with('.'));
    match (pattern, name) {
        (FilterPattern::Columns(columns), Some(name)) => columns::reading(columns, name),
        (FilterPattern::Columns(_), None) => {
            let fault = Fault::new(codes::PATTERN, format!("`{text}` names no field of the pattern"), 0..text.len());
            Err(fault.help("a field of a line is written `$name`"))
        }
        (_, _) => json::reading(&selector(text)?),
    }
}

/// Joins tests as the pattern does.
fn join<T>(logic: &Logic<T>, leaf: &mut dyn FnMut(&T) -> Result<Expr, Fault>) -> Result<Expr, Fault> {
    Ok(match logic {
        Logic::All(parts) => Expr::And(parts.iter().map(|part| join(part, leaf)).collect::<Result<_, _>>()?),
        Logic::Any(parts) => Expr::Or(parts.iter().map(|part| join(part, leaf)).collect::<Result<_, _>>()?),
        Logic::Leaf(test) => leaf(test)?,
    })
}

/// The test that a literal of `=` stands for.
///
/// A star is a wildcard at the start and at the end only (CloudWatch Logs User Guide, "Filter pattern syntax": `Ev*ent`
/// matches nothing but itself).
fn literal_pattern(literal: &LiteralValue) -> Pattern {
    let case = Case::Sensitive;
    match literal {
        LiteralValue::Number(text) => Pattern::Text { text: text.clone(), case, numeric: true },
        LiteralValue::Regex(expression) => Pattern::Regex(expression.clone()),
        LiteralValue::Text(text) => {
            let core = text.trim_matches('*').to_owned();
            match (text.starts_with('*'), text.ends_with('*')) {
                (true, true) if core.is_empty() => Pattern::Present,
                (true, true) => Pattern::Contains { text: core, case },
                (true, false) => Pattern::Suffix { text: core, case },
                (false, true) => Pattern::Prefix { text: core, case },
                (false, false) => Pattern::Text { text: core, case, numeric: false },
            }
        }
    }
}

/// Whether a computed value equals a literal.
fn equals(value: &Expr, literal: &LiteralValue) -> Expr {
    let matches = |expression: String| call(Func::Match, vec![value.clone(), text_literal(expression)]);
    match literal {
        LiteralValue::Number(number) => compare(masthead_ir::expr::CompareOp::Eq, value.clone(), text_literal(number)),
        LiteralValue::Regex(expression) => matches(expression.clone()),
        LiteralValue::Text(text) => {
            let core = text.trim_matches('*');
            if core.is_empty() && !text.is_empty() {
                return call(Func::IsNotNull, vec![value.clone()]);
            }
            let start = if text.starts_with('*') { "" } else { r"\A" };
            let end = if text.ends_with('*') { "" } else { r"\z" };
            matches(format!("{start}{}{end}", regex::escape(core)))
        }
    }
}

fn call(func: Func, args: Vec<Expr>) -> Expr {
    Expr::Call { func, args }
}

fn text_literal(text: impl AsRef<str>) -> Expr {
    Expr::Literal(Value::text(text))
}

fn compare(op: masthead_ir::expr::CompareOp, left: Expr, right: Expr) -> Expr {
    Expr::Compare { op, left: Box::new(left), right: Box::new(right) }
}

fn raw() -> Expr {
    Expr::Field(FieldPath::flat(RAW))
}
