//! Outputs: a rule's message with fields in it (Falco, "Output").

use std::ops::Range;

use masthead_ir::expr::Func;
use masthead_ir::pipeline::Stage;
use masthead_ir::{Diagnostic, Expr, FieldPath, Value};

use crate::fields::{self, FieldError, Place};
use crate::text::Text;

/// What Falco prints for a field that the event lacks.
const MISSING: &str = "<NA>";

/// An output as a finding tells it.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// The message with tokens.
    pub(crate) message: String,
    /// The columns that the tokens stand for, each once.
    columns: Vec<(String, Expr)>,
    /// What is wrong with it. It can be shown all the same.
    pub(crate) faults: Vec<Diagnostic>,
}

impl Output {
    /// Reads an output.
    pub(crate) fn read(text: &Text) -> Output {
        let mut output = Output::default();
        let leading = text.text.len() - text.text.trim_start().len();
        // A star says that the output is wanted even if a field is missing, which Falco always does.
        let mut at = leading + usize::from(text.text[leading..].starts_with('*'));
        let end = text.text.trim_end().len();
        while at < end {
            let rest = &text.text[at..end];
            match field_at(rest) {
                Some(token) => {
                    let range = at..at + token.length;
                    output.field(&token, rest, text, range);
                    at += token.length;
                }
                None => {
                    let length = rest.chars().next().map_or(1, char::len_utf8);
                    output.message.push_str(&rest[..length]);
                    at += length;
                }
            }
        }
        output
    }

    fn field(&mut self, token: &Token<'_>, rest: &str, text: &Text, range: Range<usize>) {
        match fields::access(token.name, token.argument, Place::Row) {
            Ok(access) => {
                // A token has no blanks and ends with a dollar sign.
                let column: String = rest[1..token.length]
                    .chars()
                    .map(|c| if c.is_whitespace() || c == '$' { '_' } else { c })
                    .collect();
                self.message.push_str(&format!("${column}$"));
                if !self.columns.iter().any(|(known, _)| *known == column) {
                    let missing = Expr::Literal(Value::text(MISSING));
                    self.columns.push((column, fields::call(Func::Coalesce, [access.into_value(), missing])));
                }
            }
            Err(FieldError { message, help, .. }) => {
                let mut fault = Diagnostic::warning("falco-output-field", format!("in the output, {message}"));
                fault.span = text.span(range);
                fault.help = help;
                self.faults.push(fault);
                self.message.push_str(&rest[..token.length]);
            }
        }
    }

    /// The stages that fill the columns.
    pub(crate) fn stages(&self) -> Vec<Stage> {
        let assign = |(field, expr): &(String, Expr)| Stage::Assign { field: field.clone(), expr: expr.clone() };
        self.columns.iter().map(assign).collect()
    }

    /// The columns as fields.
    pub(crate) fn paths(&self) -> Vec<FieldPath> {
        self.columns.iter().map(|(column, _)| FieldPath::flat(column)).collect()
    }
}

/// A field in an output.
struct Token<'t> {
    name: &'t str,
    argument: Option<&'t str>,
    /// How many bytes it takes with the sign before it.
    length: usize,
}

/// The field that stands at the start of a text: `%name` or `%name[argument]`, where a name has dots in it.
fn field_at(text: &str) -> Option<Token<'_>> {
    let behind = text.strip_prefix('%')?;
    let mut end = 0;
    let mut dots = 0;
    loop {
        let part = &behind[end..];
        if !part.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        end += part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len());
        let more = behind[end..].strip_prefix('.').is_some_and(|m| m.starts_with(|c: char| c.is_ascii_alphabetic()));
        if !more {
            break;
        }
        dots += 1;
        end += 1;
    }
    if dots == 0 {
        return None;
    }
    let name = &behind[..end];
    let argument = behind[end..].strip_prefix('[').and_then(|inner| inner.split_once(']')).map(|(inner, _)| inner);
    let length = 1 + end + argument.map_or(0, |argument| argument.len() + 2);
    let quotes = ['"', '\''];
    let argument = argument.map(|argument| argument.trim_matches(quotes));
    Some(Token { name, argument, length })
}
