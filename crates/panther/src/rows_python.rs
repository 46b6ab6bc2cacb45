//! The Python of scheduled rules, which runs over rows of a query: what can be read off it.

use masthead_ir::expr::{Expr, FieldPath};
use masthead_ir::pattern::{Case, OrderOp, Pattern};
use ruff_python_ast::{
    BoolOp, CmpOp, Expr as Py, InterpolatedStringElement, ModModule, Number, Stmt, StmtFunctionDef, UnaryOp,
};

use crate::source::Source;

/// A part of a text that a function returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// As it is.
    Text(String),
    /// The value of a column; keys joined by dots where it is inside of an object.
    Column(String),
}

/// The last function of a name at the top of a module.
fn function<'a>(module: &'a ModModule, name: &str) -> Option<&'a StmtFunctionDef> {
    module.body.iter().rev().find_map(|stmt| match stmt {
        Stmt::FunctionDef(def) if def.name.as_str() == name => Some(def),
        _ => None,
    })
}

/// The value that a function of one statement returns.
fn returned(def: &StmtFunctionDef) -> Option<&Py> {
    let body = match def.body.as_slice() {
        [Stmt::Expr(first), rest @ ..] if first.value.is_string_literal_expr() => rest,
        body => body,
    };
    match body {
        [Stmt::Return(last)] if !def.is_async && def.decorator_list.is_empty() => last.value.as_deref(),
        _ => None,
    }
}

/// Whether every row counts.
pub(crate) fn always_true(source: &Source) -> bool {
    let value = function(&source.module, "rule").and_then(returned);
    value.and_then(Py::as_boolean_literal_expr).is_some_and(|literal| literal.value)
}

/// The names of functions that the module defines.
pub(crate) fn functions(source: &Source) -> Vec<&str> {
    let names = source.module.body.iter().filter_map(|stmt| match stmt {
        Stmt::FunctionDef(def) => Some(def.name.as_str()),
        _ => None,
    });
    names.collect()
}

/// The text that a function builds of columns; none if it does more than that.
pub(crate) fn text(source: &Source, name: &str) -> Option<Vec<Part>> {
    let def = function(&source.module, name)?;
    let [parameter] = def.parameters.args.as_slice() else { return None };
    parts(returned(def)?, parameter.parameter.name.as_str())
}

fn parts(value: &Py, event: &str) -> Option<Vec<Part>> {
    match value {
        Py::StringLiteral(literal) => Some(vec![Part::Text(literal.value.to_str().to_owned())]),
        Py::FString(formatted) => {
            let mut found = Vec::new();
            for part in formatted.value.iter() {
                match part {
                    ruff_python_ast::FStringPart::Literal(literal) => {
                        found.push(Part::Text(literal.value.to_string()));
                    }
                    ruff_python_ast::FStringPart::FString(inner) => {
                        for element in &inner.elements {
                            found.push(self::element(element, event)?);
                        }
                    }
                }
            }
            Some(found)
        }
        other => column(other, event).map(|name| vec![Part::Column(name)]),
    }
}

fn element(element: &InterpolatedStringElement, event: &str) -> Option<Part> {
    match element {
        InterpolatedStringElement::Literal(literal) => Some(Part::Text(literal.value.to_string())),
        InterpolatedStringElement::Interpolation(inner) => {
            let plain = inner.conversion.is_none() && inner.format_spec.is_none() && inner.debug_text.is_none();
            if plain { column(&inner.expression, event).map(Part::Column) } else { None }
        }
    }
}

/// The column that `event.get("x", …)`, `event.deep_get("x", "y", …)` or `event["x"]` reads.
fn column(value: &Py, event: &str) -> Option<String> {
    let is_event = |value: &Py| value.as_name_expr().is_some_and(|name| name.id.as_str() == event);
    let literal = |value: &Py| Some(value.as_string_literal_expr()?.value.to_str().to_owned());
    match value {
        Py::Subscript(subscript) if is_event(&subscript.value) => literal(&subscript.slice),
        Py::Call(call) => {
            let method = call.func.as_attribute_expr().filter(|method| is_event(&method.value))?;
            let args = &call.arguments.args;
            match method.attr.as_str() {
                "get" => literal(args.first()?),
                "deep_get"
                    if call.arguments.keywords.iter().all(|keyword| keyword.arg.as_deref() == Some("default")) =>
                {
                    let keys: Option<Vec<String>> = args.iter().map(literal).collect();
                    keys.filter(|keys| !keys.is_empty()).map(|keys| keys.join("."))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// The condition that `rule` puts on rows; `field` gives the column of a name. None if it does more than compare columns with
/// literals.
pub(crate) fn condition(source: &Source, field: &dyn Fn(&str) -> Option<FieldPath>) -> Option<Expr> {
    let def = function(&source.module, "rule")?;
    let [parameter] = def.parameters.args.as_slice() else { return None };
    let rows = Rows { event: parameter.parameter.name.as_str(), field };
    rows.holds(returned(def)?)
}

/// Reads conditions on rows.
struct Rows<'a> {
    /// The name of the row.
    event: &'a str,
    field: &'a dyn Fn(&str) -> Option<FieldPath>,
}

impl Rows<'_> {
    /// When an expression is true. A missing column equals nothing, and cannot be compared by order.
    fn holds(&self, value: &Py) -> Option<Expr> {
        match value {
            Py::BoolOp(joined) => {
                let parts = joined.values.iter().map(|part| self.holds(part)).collect::<Option<Vec<_>>>()?;
                Some(if joined.op == BoolOp::And { Expr::And(parts) } else { Expr::Or(parts) })
            }
            Py::UnaryOp(negated) if negated.op == UnaryOp::Not => match self.holds(&negated.operand)? {
                // A missing column makes an order an error, not false.
                Expr::Test { pattern: Pattern::Order { .. }, .. } | Expr::And(_) | Expr::Or(_) => None,
                test => Some(Expr::Not(Box::new(test))),
            },
            Py::BooleanLiteral(literal) => {
                Some(if literal.value { Expr::And(Vec::new()) } else { Expr::Or(Vec::new()) })
            }
            Py::Compare(compare) => match (&*compare.ops, &*compare.comparators) {
                ([op], [right]) => self.compared(&compare.left, *op, right),
                _ => None,
            },
            _ => None,
        }
    }

    fn compared(&self, left: &Py, op: CmpOp, right: &Py) -> Option<Expr> {
        let field = (self.field)(&self.column_alone(left)?)?;
        let order = |op| {
            let Py::NumberLiteral(_) = right else { return None };
            Some(Pattern::Order { op, literal: literal_text(right)?.0 })
        };
        let (pattern, negated) = match op {
            CmpOp::Eq => (equal(right)?, false),
            CmpOp::NotEq => (equal(right)?, true),
            CmpOp::In => (member_of(right)?, false),
            CmpOp::NotIn => (member_of(right)?, true),
            CmpOp::Lt => (order(OrderOp::Lt)?, false),
            CmpOp::LtE => (order(OrderOp::Le)?, false),
            CmpOp::Gt => (order(OrderOp::Gt)?, false),
            CmpOp::GtE => (order(OrderOp::Ge)?, false),
            CmpOp::Is | CmpOp::IsNot if right.is_none_literal_expr() => (Pattern::Present, op == CmpOp::Is),
            _ => return None,
        };
        let test = Expr::Test { field, pattern };
        Some(if negated { Expr::Not(Box::new(test)) } else { test })
    }

    /// A column that is read without a default, or with one that no condition here is true for.
    fn column_alone(&self, value: &Py) -> Option<String> {
        if let Py::Call(call) = value
            && call.func.as_attribute_expr().is_some_and(|method| method.attr.as_str() == "get")
        {
            let harmless = match call.arguments.args.get(1) {
                None => true,
                Some(default) => default.is_none_literal_expr(),
            };
            if !harmless || !call.arguments.keywords.is_empty() {
                return None;
            }
        }
        column(value, self.event)
    }
}

/// A literal as text, and whether it is a number.
fn literal_text(value: &Py) -> Option<(String, bool)> {
    match value {
        Py::StringLiteral(literal) => Some((literal.value.to_str().to_owned(), false)),
        Py::NumberLiteral(literal) => match &literal.value {
            Number::Int(int) => Some((int.to_string(), true)),
            Number::Float(float) => Some((float.to_string(), true)),
            Number::Complex { .. } => None,
        },
        Py::BooleanLiteral(literal) => Some((literal.value.to_string(), false)),
        _ => None,
    }
}

fn equal(value: &Py) -> Option<Pattern> {
    let (text, numeric) = literal_text(value)?;
    Some(Pattern::Text { text, case: Case::Sensitive, numeric })
}

fn member_of(value: &Py) -> Option<Pattern> {
    let members = match value {
        Py::List(list) => &list.elts,
        Py::Tuple(tuple) => &tuple.elts,
        Py::Set(set) => &set.elts,
        _ => return None,
    };
    members.iter().map(equal).collect::<Option<Vec<_>>>().map(Pattern::AnyOf)
}
