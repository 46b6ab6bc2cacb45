//! Fields of a line that are parted by blanks: `[ip, user, ..., status = 4*, bytes > 1000]`.

use std::ops::Range;

use masthead_rulefile::suggest;

use super::lex::Cursor;
use super::{Fault, Literal, Logic, Op};
use crate::codes;

/// The fields of a line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Columns {
    /// They in order.
    pub(crate) cells: Vec<Cell>,
}

/// One place of [`Columns`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// `...`: any number of fields.
    Rest,
    /// A field.
    Field {
        /// Its name; empty if it has none.
        name: String,
        /// What it must meet.
        condition: Option<Logic<ColumnTest>>,
    },
}

/// A test of a field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ColumnTest {
    /// The comparison.
    pub(crate) op: Op,
    /// What it is compared with.
    pub(crate) literal: Literal,
}

/// How many fields a pattern may have.
const MAX_CELLS: usize = 64;

const PARTED: &str = "fields are parted by commas, and `]` closes the pattern";

/// A bare value ends here.
const STOP: &[char] = &['(', ')', '[', ']', ','];

pub(super) fn pattern(cursor: &mut Cursor<'_>) -> Result<Columns, Fault> {
    let start = cursor.at;
    cursor.eat("[");
    let mut cells = Vec::new();
    loop {
        cursor.white();
        let at = cursor.at;
        let cell = cell(cursor)?;
        let twice = cell == Cell::Rest && cells.contains(&Cell::Rest);
        if twice {
            let fault = Fault::new(codes::PATTERN, "`...` may stand only once", at..cursor.at);
            return Err(fault.help("with two of them it is open which fields are meant; name the fields between them"));
        }
        cells.push(cell);
        cursor.white();
        if cursor.eat("]") {
            break;
        }
        if !cursor.eat(",") {
            return Err(cursor.expected("`,` or `]`", PARTED));
        }
        if cells.len() >= MAX_CELLS {
            let message = format!("the pattern has more than {MAX_CELLS} fields");
            return Err(Fault::new(codes::PATTERN, message, start..cursor.at).help("write `...` for those not needed"));
        }
    }
    Ok(Columns { cells })
}

fn cell(cursor: &mut Cursor<'_>) -> Result<Cell, Fault> {
    if cursor.eat("...") || cursor.eat("…") {
        return Ok(Cell::Rest);
    }
    if matches!(cursor.peek(), Some(',' | ']')) {
        return Ok(Cell::Field { name: String::new(), condition: None });
    }
    let start = cursor.at;
    if cursor.peek() != Some('(') {
        let (name, _) = self::name(cursor)?;
        cursor.white();
        if matches!(cursor.peek(), Some(',' | ']')) {
            return Ok(Cell::Field { name, condition: None });
        }
        if !cursor.peek().is_some_and(|c| "=!<>~".contains(c)) {
            return Err(cursor.expected("an operator, `,` or `]`", PARTED));
        }
        cursor.at = start;
    }
    let mut named: Option<String> = None;
    let condition = cursor.logic(0, &mut |cursor| {
        let (name, range) = self::name(cursor)?;
        let first = named.get_or_insert_with(|| name.clone());
        if *first != name {
            let message = format!("`{name}` is tested in the place of the field `{first}`");
            let fault = Fault::new(codes::PATTERN, message, range);
            return Err(match suggest(&name, [first.as_str()]) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help("a condition tests the field in whose place it stands"),
            });
        }
        cursor.white();
        let op = cursor.op()?;
        cursor.white();
        let literal = cursor.literal(STOP)?;
        Cursor::ordered(op, &literal)?;
        Ok(ColumnTest { op, literal })
    })?;
    Ok(Cell::Field { name: named.unwrap_or_default(), condition: Some(condition) })
}

fn name(cursor: &mut Cursor<'_>) -> Result<(String, Range<usize>), Fault> {
    let start = cursor.at;
    let name = cursor.take_while(|c| c.is_alphanumeric() || c == '_' || c == '-');
    if name.is_empty() {
        return Err(cursor.expected("the name of a field", "a condition begins with the field's own name"));
    }
    Ok((name.to_owned(), start..cursor.at))
}
