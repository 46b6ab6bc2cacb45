//! Conditions on properties of a JSON event.
//!
//! A property without square brackets is the field that masthead knows by that name, and goes through arrays. One with an
//! index is read out of the raw event, where the field without the index has a value that can pass.

use masthead_ir::FieldPath;
use masthead_ir::expr::{CompareOp, Expr, Func};
use masthead_ir::pattern::{Case, Differs, OrderOp, Pattern};
use masthead_ir::value::Value;
use masthead_schema::field::SCALARS;

use super::{Reading, call, compare, equals, literal_pattern, raw, text_literal};
use crate::codes;
use crate::syntax::{Fault, JsonCheck, JsonTest, Literal, LiteralValue, Op, Selector, Step};

/// What a bare number may look like. Text has an order too, which CloudWatch does not know.
const NUMBER: &str = r"\A[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\z";

/// The fields of audit events that hold numbers and nothing else.
const NUMBERS: &[&str] = &["responseStatus.code"];

pub(super) fn test(test: &JsonTest) -> Result<Expr, Fault> {
    let selector = &test.selector;
    let indexed = match reading(selector)? {
        Reading::Field(_) => None,
        Reading::Computed(expr) => Some(expr),
    };
    Ok(match (&test.check, indexed) {
        (JsonCheck::Compare(op, literal), None) => compare_field(selector, *op, literal),
        (JsonCheck::Compare(op, literal), Some(value)) => compare_indexed(selector, &value, *op, literal),
        (JsonCheck::Is(truth), None) => Expr::Test { field: field(selector), pattern: exact(&truth.to_string()) },
        (JsonCheck::Is(truth), Some(value)) => compare(CompareOp::Eq, value, text_literal(truth.to_string())),
        (JsonCheck::IsNull, None) => Expr::Test { field: marked(selector), pattern: exact("null") },
        (JsonCheck::IsNull, Some(_)) => compare(CompareOp::Eq, extract(selector), text_literal("null")),
        (JsonCheck::NotExists, None) => not_exists(selector),
        (JsonCheck::NotExists, Some(_)) => call(Func::IsNull, vec![extract(selector)]),
    })
}

/// What a selector leads to.
pub(super) fn reading(selector: &Selector) -> Result<Reading, Fault> {
    let indices = selector.steps.iter().filter(|step| matches!(step, Step::Index(_))).count();
    if indices == 0 {
        return Ok(Reading::Field(field(selector)));
    }
    if selector.steps.iter().any(|step| matches!(step, Step::Key(key) if key.contains(['{', '}']))) {
        let message = "a name with braces and an index in one selector cannot be read here";
        return Err(Fault::new(codes::UNSUPPORTED, message, selector.range.clone()).help("leave the index out"));
    }
    if let (1, Some(Step::Index(index))) = (indices, selector.steps.last()) {
        let index = i64::try_from(*index).unwrap_or(i64::MAX);
        let list = Expr::Field(marked(selector));
        return Ok(Reading::Computed(call(Func::MvIndex, vec![list, Expr::Literal(Value::Int(index))])));
    }
    Ok(Reading::Computed(extract(selector)))
}

/// The field of a selector, whatever arrays it goes through.
fn field(selector: &Selector) -> FieldPath {
    let keys: Vec<&str> = keys(selector).collect();
    masthead_schema::field(&keys.join("."))
}

fn keys(selector: &Selector) -> impl Iterator<Item = &str> {
    selector.steps.iter().filter_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Index(_) | Step::Each => None,
    })
}

/// The flat name of a selector: arrays only where the selector has brackets. It tells JSON null from nothing.
fn marked(selector: &Selector) -> FieldPath {
    FieldPath::flat(path(selector, |_| "{}".to_owned()))
}

/// What a selector with indices leads to in the raw event.
fn extract(selector: &Selector) -> Expr {
    let path = path(selector, |step| match step {
        Step::Index(index) => format!("{{{index}}}"),
        Step::Key(_) | Step::Each => "{}".to_owned(),
    });
    call(Func::JsonExtract, vec![raw(), text_literal(path)])
}

fn path(selector: &Selector, bracket: impl Fn(&Step) -> String) -> String {
    let mut path = String::new();
    for step in &selector.steps {
        match step {
            Step::Key(key) if path.is_empty() => path.push_str(key),
            Step::Key(key) => {
                path.push('.');
                path.push_str(key);
            }
            step => path.push_str(&bracket(step)),
        }
    }
    path
}

fn exact(text: &str) -> Pattern {
    Pattern::Text { text: text.to_owned(), case: Case::Sensitive, numeric: false }
}

/// A comparison is false where there is nothing to compare, `!=` too. CloudWatch applies a test to a single value that is
/// there (CloudWatch Logs User Guide, "Filter pattern syntax", special considerations: `{ $.users != 1 }` fails to match an
/// array); of an absent property the guide is silent, and public reports of its pattern tester say that it matches nothing.
///
/// Of several values, one that is equal is enough for `=`. `!=` means that none is, unless the selector says `[*]`.
fn compare_field(selector: &Selector, op: Op, literal: &Literal) -> Expr {
    let field = field(selector);
    let LiteralValue::Number(number) = &literal.value else {
        return equality(selector, field, op, literal);
    };
    let Some(order) = order(op) else {
        return equality(selector, field, op, literal);
    };
    let ordered = Expr::Test { field: field.clone(), pattern: Pattern::Order { op: order, literal: number.clone() } };
    if matches!(&field, FieldPath::Flat(name) if NUMBERS.contains(&&**name)) {
        return ordered;
    }
    Expr::And(vec![ordered, Expr::Test { field, pattern: Pattern::Regex(NUMBER.to_owned()) }])
}

fn equality(selector: &Selector, field: FieldPath, op: Op, literal: &Literal) -> Expr {
    let pattern = literal_pattern(&literal.value);
    if op != Op::Ne {
        return Expr::Test { field, pattern };
    }
    let rule = if selector.steps.contains(&Step::Each) { Differs::SomeValue } else { Differs::EveryValue };
    Expr::Differs { field, pattern, rule }
}

fn order(op: Op) -> Option<OrderOp> {
    match op {
        Op::Lt => Some(OrderOp::Lt),
        Op::Le => Some(OrderOp::Le),
        Op::Gt => Some(OrderOp::Gt),
        Op::Ge => Some(OrderOp::Ge),
        Op::Eq | Op::Ne => None,
    }
}

/// The cheap test of the field without its index comes first: where that fails, the exact one does.
fn compare_indexed(selector: &Selector, value: &Expr, op: Op, literal: &Literal) -> Expr {
    let pattern = if op == Op::Eq { literal_pattern(&literal.value) } else { Pattern::Present };
    let mut all = vec![Expr::Test { field: field(selector), pattern }];
    match op {
        Op::Ne => {
            all.push(call(Func::IsNotNull, vec![value.clone()]));
            all.push(Expr::Not(Box::new(equals(value, &literal.value))));
        }
        op => all.extend(compare_computed(value, op, literal)),
    }
    Expr::And(all)
}

/// A comparison of something computed that is there.
pub(super) fn compare_computed(value: &Expr, op: Op, literal: &Literal) -> Vec<Expr> {
    let op = match (op, &literal.value) {
        (Op::Lt, _) => CompareOp::Lt,
        (Op::Le, _) => CompareOp::Le,
        (Op::Gt, _) => CompareOp::Gt,
        (Op::Ge, _) => CompareOp::Ge,
        (Op::Eq, literal) => return vec![equals(value, literal)],
        (Op::Ne, literal) => return vec![Expr::Not(Box::new(equals(value, literal)))],
    };
    let LiteralValue::Number(number) = &literal.value else { return vec![Expr::Or(Vec::new())] };
    vec![call(Func::IsNum, vec![value.clone()]), compare(op, value.clone(), text_literal(number))]
}

/// Whether nothing stands there: no value, no null, no object, and no array but an empty one, which the walk by keys does
/// not tell from nothing.
fn not_exists(selector: &Selector) -> Expr {
    let field = field(selector);
    let scalar = matches!(&field, FieldPath::Flat(name) if SCALARS.contains(&&**name));
    let mut paths = vec![field];
    if !scalar {
        for path in [marked(selector), FieldPath::keys(keys(selector))] {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    let mut there: Vec<Expr> = paths.into_iter().map(|field| Expr::Test { field, pattern: Pattern::Present }).collect();
    Expr::Not(Box::new(if there.len() == 1 { there.swap_remove(0) } else { Expr::Or(there) }))
}
