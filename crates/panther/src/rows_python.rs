//! The Python of scheduled rules, which runs over rows of a query: what can be read off it.

use ruff_python_ast::{Expr as Py, InterpolatedStringElement, ModModule, Stmt, StmtFunctionDef};

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
                "deep_get" => {
                    let keys: Option<Vec<String>> = args.iter().map(literal).collect();
                    keys.filter(|keys| !keys.is_empty()).map(|keys| keys.join("."))
                }
                _ => None,
            }
        }
        _ => None,
    }
}
