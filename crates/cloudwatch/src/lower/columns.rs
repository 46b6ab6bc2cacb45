//! Fields of a line: one regular expression says where they are, and reads each out of the raw event.

use masthead_ir::FieldPath;
use masthead_ir::expr::{Expr, Func};
use masthead_ir::pattern::Pattern;
use masthead_rulefile::suggest;

use super::{RAW, Reading, call, join, json, raw, text_literal};
use crate::codes;
use crate::syntax::{Cell, Columns, Fault};

/// A field: what stands in quotes or square brackets, else up to the next blank. The three begin differently, so that a
/// line can be read in one way only.
const TOKEN: &str = r#"(?:"[^"]*"|\[[^\]]*\]|[^\s"\[]\S*)"#;
/// The same, read without quotes and brackets.
const CAPTURED: &str = r#"(?:"([^"]*)"|\[([^\]]*)\]|([^\s"\[]\S*))"#;
/// What must follow a field.
const END: &str = r"(?:\s+|$)";

pub(super) fn filter(columns: &Columns) -> Result<Expr, Fault> {
    let shape = Pattern::Regex(expression(columns, None));
    let mut all = vec![Expr::Test { field: FieldPath::flat(RAW), pattern: shape }];
    for (at, cell) in columns.cells.iter().enumerate() {
        let Cell::Field { condition: Some(condition), .. } = cell else { continue };
        let value = value(columns, at);
        all.push(join(condition, &mut |test| {
            let mut tests = json::compare_computed(&value, test.op, &test.literal);
            Ok(if tests.len() == 1 { tests.swap_remove(0) } else { Expr::And(tests) })
        })?);
    }
    Ok(if all.len() == 1 { all.swap_remove(0) } else { Expr::And(all) })
}

/// The field of a name, or of a place counted from 1 before any `...`.
pub(super) fn reading(columns: &Columns, name: &str) -> Result<Reading, Fault> {
    let named = |cell: &Cell| matches!(cell, Cell::Field { name: known, .. } if known == name);
    let rest = columns.cells.iter().position(|cell| *cell == Cell::Rest).unwrap_or(columns.cells.len());
    let place = name.parse::<usize>().ok().and_then(|place| place.checked_sub(1)).filter(|place| *place < rest);
    if let Some(at) = columns.cells.iter().position(named).or(place) {
        return Ok(Reading::Computed(value(columns, at)));
    }
    let fault = Fault::new(codes::PATTERN, format!("the pattern has no field `{name}`"), 0..name.len() + 1);
    let names = columns.cells.iter().filter_map(|cell| match cell {
        Cell::Field { name, .. } if !name.is_empty() => Some(name.as_str()),
        Cell::Field { .. } | Cell::Rest => None,
    });
    Err(match suggest(name, names) {
        Some(near) => fault.help(format!("did you mean `${near}`?")),
        None => fault.help("name the field in the pattern's square brackets"),
    })
}

/// The value of a field of a line that has the pattern's shape.
fn value(columns: &Columns, at: usize) -> Expr {
    call(Func::Replace, vec![raw(), text_literal(expression(columns, Some(at))), text_literal(r"\1\2\3")])
}

/// The expression for a whole line, with groups for one of its fields.
fn expression(columns: &Columns, captured: Option<usize>) -> String {
    let mut expression = r"^\s*".to_owned();
    for (at, cell) in columns.cells.iter().enumerate() {
        match cell {
            Cell::Rest => expression.push_str(&format!("(?:{TOKEN}{END})*")),
            Cell::Field { .. } if captured == Some(at) => expression.push_str(&format!("{CAPTURED}{END}")),
            Cell::Field { .. } => expression.push_str(&format!("{TOKEN}{END}")),
        }
    }
    expression.push('$');
    expression
}
