use super::*;
use crate::expr::{ArithOp, CompareOp, Func};
use crate::pattern::{Case, Differs, OrderOp, Pattern};

/// A row of named values for tests.
#[derive(Debug, Default)]
struct Fields(Vec<(FieldPath, Value)>);

impl Row for Fields {
    fn get(&self, field: &FieldPath) -> Value {
        self.0.iter().find(|(name, _)| name == field).map_or(Value::Absent, |(_, value)| value.clone())
    }
}

fn row(fields: &[(&str, Value)]) -> Fields {
    Fields(fields.iter().map(|(name, value)| (FieldPath::flat(name), value.clone())).collect())
}

fn s(text: &str) -> Value {
    Value::text(text)
}

fn list(texts: &[&str]) -> Value {
    Value::list(texts.iter().map(Value::text))
}

fn i(int: i64) -> Value {
    Value::Int(int)
}

fn f(float: f64) -> Value {
    Value::Float(float)
}

const NULL: Value = Value::Absent;
const TRUE: Value = Value::Bool(true);
const FALSE: Value = Value::Bool(false);

fn lit(value: impl Into<Literal>) -> Expr {
    Expr::Literal(value.into().0)
}

struct Literal(Value);

impl From<&str> for Literal {
    fn from(text: &str) -> Literal {
        Literal(s(text))
    }
}

impl From<i64> for Literal {
    fn from(int: i64) -> Literal {
        Literal(i(int))
    }
}

impl From<f64> for Literal {
    fn from(float: f64) -> Literal {
        Literal(f(float))
    }
}

impl From<bool> for Literal {
    fn from(truth: bool) -> Literal {
        Literal(Value::Bool(truth))
    }
}

impl From<Value> for Literal {
    fn from(value: Value) -> Literal {
        Literal(value)
    }
}

fn field(name: &str) -> Expr {
    Expr::Field(FieldPath::flat(name))
}

fn call(func: Func, args: Vec<Expr>) -> Expr {
    Expr::Call { func, args }
}

fn cmp(op: CompareOp, left: Expr, right: Expr) -> Expr {
    Expr::Compare { op, left: Box::new(left), right: Box::new(right) }
}

fn arith(op: ArithOp, left: Expr, right: Expr) -> Expr {
    Expr::Arith { op, left: Box::new(left), right: Box::new(right) }
}

/// 2024-11-14T12:34:56.789Z, a Thursday.
const NOW: i64 = 1_731_587_696_789_000;

#[track_caller]
fn check(expr: Expr, row: &Fields, expect: Value) {
    let program = Program::compile(&expr).expect("the expression compiles");
    assert_eq!(program.value(row, &Context { now: NOW }), expect, "{expr:?}");
}

/// A call over literal arguments.
#[track_caller]
fn check_call(func: Func, args: Vec<Expr>, expect: Value) {
    check(call(func, args), &Fields::default(), expect);
}

#[track_caller]
fn check_error(expr: Expr, expect: &str) {
    let error = Program::compile(&expr).expect_err("the expression is refused").to_string();
    assert!(error.contains(expect), "{error}");
}

mod functions;
mod laws;
mod logic;
mod patterns;
