//! From queries to conditions.

use std::ops::Range;

use masthead_ir::Value;
use masthead_ir::expr::{ArithOp, CompareOp, Expr, Func};
use masthead_ir::pattern::{Case, OrderOp, Pattern};

use super::CODE;
use crate::ecs;
use crate::problem::Problem;
use crate::wildcard;

/// An expression as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ast {
    Or(Vec<Ast>),
    And(Vec<Ast>),
    Not(Box<Ast>),
    Compare {
        sign: &'static str,
        left: Box<Ast>,
        right: Box<Ast>,
    },
    /// `in`, `like`, `regex`, `:` with their values.
    Of {
        left: Box<Ast>,
        word: &'static str,
        folded: bool,
        values: Vec<Ast>,
        place: Range<usize>,
    },
    Arith {
        sign: &'static str,
        left: Box<Ast>,
        right: Box<Ast>,
    },
    Call {
        name: String,
        folded: bool,
        args: Vec<Ast>,
        place: Range<usize>,
    },
    Field(String),
    Text(String),
    Number(String),
    Bool(bool),
    Null,
}

impl Ast {
    /// The text of a literal.
    fn literal(&self) -> Option<String> {
        match self {
            Ast::Text(text) | Ast::Number(text) => Some(text.clone()),
            Ast::Bool(truth) => Some(truth.to_string()),
            _ => None,
        }
    }
}

/// What must hold. Nothing in it is unknown.
pub(super) fn condition(ast: Ast) -> Result<Expr, Problem> {
    Ok(match ast {
        Ast::Or(parts) => Expr::Or(parts.into_iter().map(condition).collect::<Result<_, _>>()?),
        Ast::And(parts) => Expr::And(parts.into_iter().map(condition).collect::<Result<_, _>>()?),
        Ast::Not(part) => Expr::Not(Box::new(condition(*part)?)),
        Ast::Compare { sign, left, right } => compare(sign, *left, *right)?,
        Ast::Of { left, word, folded, values, place } => of(*left, word, folded, &values, place)?,
        Ast::Call { name, folded, args, place } => call(&name, folded, args, place)?,
        Ast::Bool(truth) => Expr::Literal(Value::Bool(truth)),
        Ast::Field(name) => ecs::test(&name, equal("true", Case::Folded)),
        Ast::Null => Expr::Literal(Value::Bool(false)),
        value @ (Ast::Arith { .. } | Ast::Text(_) | Ast::Number(_)) => known(expression(value)?),
    })
}

fn known(test: Expr) -> Expr {
    Expr::Call { func: Func::Coalesce, args: vec![test, Expr::Literal(Value::Bool(false))] }
}

fn equal(text: &str, case: Case) -> Pattern {
    Pattern::Text { text: text.to_owned(), case, numeric: true }
}

fn compare(sign: &'static str, left: Ast, right: Ast) -> Result<Expr, Problem> {
    let not = |expr: Expr| Expr::Not(Box::new(expr));
    let (field, literal, sign) = match (&left, &right) {
        (Ast::Field(field), literal) if literal.literal().is_some() || *literal == Ast::Null => (field, literal, sign),
        (literal, Ast::Field(field)) if literal.literal().is_some() || *literal == Ast::Null => {
            let turned = match sign {
                "<" => ">",
                "<=" => ">=",
                ">" => "<",
                ">=" => "<=",
                other => other,
            };
            (field, literal, turned)
        }
        _ => return general(sign, left, right),
    };
    let Some(text) = literal.literal() else {
        let there = ecs::test(field, Pattern::Present);
        return Ok(if sign == "!=" { there } else { not(there) });
    };
    let order = |op| ecs::test(field, Pattern::Order { op, literal: text.clone() });
    Ok(match sign {
        "!=" => not(ecs::test(field, equal(&text, Case::Sensitive))),
        "<" => order(OrderOp::Lt),
        "<=" => order(OrderOp::Le),
        ">" => order(OrderOp::Gt),
        ">=" => order(OrderOp::Ge),
        _ => ecs::test(field, equal(&text, Case::Sensitive)),
    })
}

/// A comparison of two computed values.
fn general(sign: &str, left: Ast, right: Ast) -> Result<Expr, Problem> {
    let op = match sign {
        "!=" => CompareOp::Ne,
        "<" => CompareOp::Lt,
        "<=" => CompareOp::Le,
        ">" => CompareOp::Gt,
        ">=" => CompareOp::Ge,
        _ => CompareOp::Eq,
    };
    Ok(known(Expr::Compare { op, left: Box::new(expression(left)?), right: Box::new(expression(right)?) }))
}

fn of(left: Ast, word: &str, folded: bool, values: &[Ast], place: Range<usize>) -> Result<Expr, Problem> {
    let Ast::Field(field) = &left else {
        return Err(Problem::unsupported(CODE, format!("`{word}` needs a field on its left here"), place));
    };
    let case = if folded { Case::Folded } else { Case::Sensitive };
    let mut any = Vec::with_capacity(values.len());
    for value in values {
        let Some(text) = value.literal() else {
            return Err(Problem::unsupported(CODE, format!("`{word}` needs texts on its right here"), place));
        };
        let pattern = match word {
            "in" => equal(&text, case),
            "regex" => regex(&text, folded, &place)?,
            _ => wildcard::pattern(&wildcard::wild(&text), case),
        };
        any.push(ecs::test(field, pattern));
    }
    Ok(if any.len() == 1 { any.swap_remove(0) } else { Expr::Or(any) })
}

fn regex(text: &str, folded: bool, place: &Range<usize>) -> Result<Pattern, Problem> {
    let pattern = Pattern::Regex(format!("(?s{}:\\A(?:{text})\\z)", if folded { "i" } else { "" }));
    masthead_ir::eval::CompiledPattern::new(&pattern)
        .map_err(|error| Problem::invalid(CODE, error.to_string(), place.clone()))?;
    Ok(pattern)
}

/// A function as a condition.
fn call(name: &str, folded: bool, args: Vec<Ast>, place: Range<usize>) -> Result<Expr, Problem> {
    let case = if folded { Case::Folded } else { Case::Sensitive };
    let of_field = match args.as_slice() {
        [Ast::Field(field), rest @ ..] if rest.iter().all(|arg| arg.literal().is_some()) => {
            Some((field.clone(), rest.iter().filter_map(Ast::literal).collect::<Vec<_>>()))
        }
        _ => None,
    };
    let Some((field, texts)) = of_field else {
        return Ok(known(expression(Ast::Call { name: name.to_owned(), folded, args, place })?));
    };
    let pattern = |text: String| -> Result<Pattern, Problem> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "startswith" => Pattern::Prefix { text, case },
            "endswith" => Pattern::Suffix { text, case },
            "stringcontains" => Pattern::Contains { text, case },
            "wildcard" => wildcard::pattern(&wildcard::wild(&text), Case::Folded),
            "match" | "regex" => regex(&text, folded, &place)?,
            "cidrmatch" => {
                let net = text.parse().map_err(|_| {
                    Problem::invalid(CODE, format!("`{text}` is no network"), place.clone())
                        .help("write it as 10.0.0.0/8")
                })?;
                Pattern::Cidr { net, literal: text }
            }
            _ => return Err(unknown(name, &place)),
        })
    };
    let tests = texts.into_iter().map(|text| Ok(ecs::test(&field, pattern(text)?)));
    let mut tests = tests.collect::<Result<Vec<_>, Problem>>()?;
    Ok(if tests.len() == 1 { tests.swap_remove(0) } else { Expr::Or(tests) })
}

const FUNCTIONS: [&str; 17] = [
    "add",
    "cidrMatch",
    "concat",
    "divide",
    "endsWith",
    "length",
    "modulo",
    "multiply",
    "number",
    "regex",
    "startsWith",
    "string",
    "stringContains",
    "substring",
    "subtract",
    "wildcard",
    "match",
];

fn unknown(name: &str, place: &Range<usize>) -> Problem {
    let problem = Problem::unsupported(CODE, format!("the function `{name}` cannot be run here"), place.clone());
    match masthead_rulefile::suggest(name, FUNCTIONS) {
        Some(meant) if meant != name => problem.help(format!("did you mean `{meant}`?")),
        _ => problem.help(format!("there are {}", FUNCTIONS.join(", "))),
    }
}

/// A value.
fn expression(ast: Ast) -> Result<Expr, Problem> {
    let boxed = |ast: Ast| expression(ast).map(Box::new);
    Ok(match ast {
        Ast::Field(name) => ecs::value(&name),
        Ast::Text(text) => Expr::Literal(Value::text(text)),
        Ast::Number(text) => Expr::Literal(match text.parse::<i64>() {
            Ok(number) => Value::Int(number),
            Err(_) => text.parse().map_or(Value::Absent, Value::Float),
        }),
        Ast::Bool(truth) => Expr::Literal(Value::Bool(truth)),
        Ast::Null => Expr::Literal(Value::Absent),
        Ast::Arith { sign, left, right } => {
            let op = match sign {
                "+" => ArithOp::Add,
                "-" => ArithOp::Sub,
                "*" => ArithOp::Mul,
                "/" => ArithOp::Div,
                _ => ArithOp::Rem,
            };
            Expr::Arith { op, left: boxed(*left)?, right: boxed(*right)? }
        }
        Ast::Call { name, args, place, .. } => function(&name, args, &place)?,
        condition_like => condition(condition_like)?,
    })
}

fn function(name: &str, args: Vec<Ast>, place: &Range<usize>) -> Result<Expr, Problem> {
    let args = args.into_iter().map(expression).collect::<Result<Vec<_>, _>>()?;
    let two = |op: ArithOp, args: Vec<Expr>| match <[Expr; 2]>::try_from(args) {
        Ok([left, right]) => Ok(Expr::Arith { op, left: Box::new(left), right: Box::new(right) }),
        Err(_) => Err(Problem::invalid(CODE, format!("`{name}` takes two values"), place.clone())),
    };
    let func = match name.to_ascii_lowercase().as_str() {
        "add" => return two(ArithOp::Add, args),
        "subtract" => return two(ArithOp::Sub, args),
        "multiply" => return two(ArithOp::Mul, args),
        "divide" => return two(ArithOp::Div, args),
        "modulo" => return two(ArithOp::Rem, args),
        "concat" => {
            let join = |left, right| Expr::Arith { op: ArithOp::Concat, left: Box::new(left), right: Box::new(right) };
            return Ok(args.into_iter().reduce(join).unwrap_or(Expr::Literal(Value::text(""))));
        }
        "length" => Func::Len,
        "string" => Func::ToString,
        "number" => Func::ToNumber,
        "substring" => return substring(args, place),
        _ => return Err(unknown(name, place)),
    };
    Ok(Expr::Call { func, args })
}

/// `substring(text, start[, end])`: places count from 0, the end is not part of it.
fn substring(mut args: Vec<Expr>, place: &Range<usize>) -> Result<Expr, Problem> {
    let number = |expr: &Expr| match expr {
        Expr::Literal(Value::Int(number)) if *number >= 0 => Some(*number),
        _ => None,
    };
    let start = args.get(1).and_then(number);
    let end = args.get(2).map(number);
    let (Some(start), false) = (start, end == Some(None)) else {
        return Err(Problem::unsupported(CODE, "`substring` takes places from the start here", place.clone()));
    };
    args.truncate(1);
    args.push(Expr::Literal(Value::Int(start + 1)));
    if let Some(Some(end)) = end {
        args.push(Expr::Literal(Value::Int((end - start).max(0))));
    }
    Ok(Expr::Call { func: Func::Substr, args })
}
