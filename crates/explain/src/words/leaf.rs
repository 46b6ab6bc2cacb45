//! Words for expressions without logic in them: tests, comparisons, calls.

use masthead_ir::expr::{CompareOp, Func};
use masthead_ir::pattern::{Differs, Pattern};
use masthead_ir::{Expr, FieldPath, Value};

use super::code::code;
use super::condition::inline;
use super::predicate::{groups, predicates, quoted_value, subject};
use super::wording::quote;

/// What must hold for the expression to be true, or with `negated` to be false.
pub(crate) fn leaf(expr: &Expr, negated: bool, limit: usize) -> String {
    match expr {
        Expr::Test { field, pattern } => test(field, pattern, negated, limit),
        Expr::Differs { field, pattern, rule } => differs(field, pattern, *rule, negated, limit),
        Expr::Compare { op, left, right } => {
            format!("{} {} {}", operand(left), comparison(*op, negated), operand(right))
        }
        Expr::Literal(value) => constant(value, negated),
        Expr::Xor(left, right) => {
            let parts = format!("{}; {}", inline(left, limit), inline(right, limit));
            let how = if negated { "both or none of these hold" } else { "exactly one of these holds" };
            format!("{how}: {parts}")
        }
        Expr::Call { func, args } => call(*func, args, expr, negated, limit),
        Expr::Field(_) | Expr::Arith { .. } => truth(expr, negated),
        Expr::And(_) | Expr::Or(_) | Expr::Not(_) => {
            let text = inline(expr, limit);
            if negated { format!("not ({text})") } else { text }
        }
    }
}

fn test(field: &FieldPath, pattern: &Pattern, negated: bool, limit: usize) -> String {
    format!("{} {}", subject(field), verbs(pattern, negated, limit))
}

/// What the values do, joined by "or", or with `negated` do not, joined by "and".
fn verbs(pattern: &Pattern, negated: bool, limit: usize) -> String {
    let verbs: Vec<String> = groups(pattern).iter().map(|group| group.verb(negated, limit)).collect();
    if verbs.is_empty() {
        return if negated { "passes no test".to_owned() } else { "passes a test that nothing passes".to_owned() };
    }
    verbs.join(if negated { " and " } else { " or " })
}

fn differs(field: &FieldPath, pattern: &Pattern, rule: Differs, negated: bool, limit: usize) -> String {
    let (name, positive, negative) = (subject(field), verbs(pattern, false, limit), verbs(pattern, true, limit));
    match (rule, negated) {
        (Differs::EveryValue, false) => format!("{name} is there and {negative}"),
        (Differs::EveryValue, true) => format!("{name} is absent or {positive}"),
        (Differs::SomeValue, false) => format!("some value of {name} {negative}"),
        (Differs::SomeValue, true) => format!("no value of {name} is there that {negative}"),
    }
}

fn comparison(op: CompareOp, negated: bool) -> &'static str {
    match (op, negated) {
        (CompareOp::Eq, false) | (CompareOp::Ne, true) => "is",
        (CompareOp::Ne, false) | (CompareOp::Eq, true) => "is not",
        (CompareOp::Lt, false) => "is less than",
        (CompareOp::Le, false) => "is at most",
        (CompareOp::Gt, false) => "is more than",
        (CompareOp::Ge, false) => "is at least",
        (CompareOp::Lt, true) => "is not less than",
        (CompareOp::Le, true) => "is not at most",
        (CompareOp::Gt, true) => "is not more than",
        (CompareOp::Ge, true) => "is not at least",
    }
}

/// One side of a comparison.
fn operand(expr: &Expr) -> String {
    match expr {
        Expr::Field(field) => subject(field),
        Expr::Literal(value) => quoted_value(value),
        other => quote(&code(other)),
    }
}

fn constant(value: &Value, negated: bool) -> String {
    match masthead_ir::eval::truth_of(value) {
        Some(truth) if truth != negated => "always".to_owned(),
        Some(_) => "never".to_owned(),
        None => "something that cannot be read off the rule".to_owned(),
    }
}

fn call(func: Func, args: &[Expr], expr: &Expr, negated: bool, limit: usize) -> String {
    match (func, args) {
        (Func::True, []) => return constant(&Value::Bool(true), negated),
        (Func::False, []) => return constant(&Value::Bool(false), negated),
        _ => {}
    }
    match predicates(expr, negated).as_slice() {
        [predicate] => {
            let group = super::predicate::Group {
                operator: predicate.operator,
                case_sensitive: false,
                values: predicate.values.clone(),
            };
            let name = subject(&FieldPath::flat(&predicate.field));
            format!("{name} {}", group.verb(predicate.negated, limit))
        }
        _ => match (func, args) {
            (Func::IsNull, [value]) => format!("{} {} null", operand(value), if negated { "is not" } else { "is" }),
            (Func::IsNotNull, [value]) => format!("{} {} null", operand(value), if negated { "is" } else { "is not" }),
            (Func::IsNum | Func::IsInt, [value]) => {
                format!("{} {} a number", operand(value), if negated { "is not" } else { "is" })
            }
            _ => truth(expr, negated),
        },
    }
}

fn truth(expr: &Expr, negated: bool) -> String {
    format!("{} is {}", operand(expr), if negated { "false" } else { "true" })
}
