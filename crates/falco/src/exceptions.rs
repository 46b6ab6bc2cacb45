//! Exceptions of rules: values of fields for which a rule does not fire (Falco, "Rule Exceptions").

use std::sync::Arc;

use masthead_ir::{Diagnostic, Span};
use masthead_rulefile::{Node, NodeValue, RuleFile, suggest};

use crate::condition::{Check, Condition, FieldUse, Operator, Word, is_list_operator, operator, parse};
use crate::content::unquoted;

/// The operators of an exception over a single field.
const SET_OPERATORS: [&str; 3] = ["in", "intersects", "pmatch"];

/// An exception.
#[derive(Debug, Clone)]
pub(crate) struct Exception {
    name: String,
    /// Where it stands.
    pub(crate) span: Span,
    /// Its fields; none if it only adds values to an earlier exception of this name.
    fields: Option<Fields>,
    /// Its values, each with its place.
    values: Vec<(Node, Span)>,
}

/// The fields of an exception.
#[derive(Debug, Clone)]
enum Fields {
    /// One field, whose values are one set.
    One(FieldUse, Operator),
    /// Several fields, of which each value has one of its own.
    Several(Vec<(FieldUse, Operator)>),
}

fn fault(span: &Span, message: String) -> Diagnostic {
    Diagnostic::error("falco-exception", message).at(span.clone())
}

/// The exceptions of an item.
pub(crate) fn read(file: &Arc<RuleFile>, item: &Node, faults: &mut Vec<Diagnostic>) -> Vec<Exception> {
    let Some(list) = item.get("exceptions") else { return Vec::new() };
    let mut exceptions = Vec::new();
    for node in list.items() {
        let span = file.span(node.get("name").unwrap_or(node));
        let Some(name) = node.get("name").and_then(Node::text) else {
            faults.push(fault(&span, "an exception has no `name`".to_owned()));
            continue;
        };
        let name = name.to_owned();
        let values = node.get("values").map_or(&[][..], Node::items);
        let values = values.iter().map(|value| (value.clone(), file.span(value))).collect();
        match fields_of(&name, node, &span) {
            Ok(fields) => exceptions.push(Exception { name, span, fields, values }),
            Err(found) => faults.push(*found),
        }
    }
    exceptions
}

/// Adds exceptions to those that a rule has: values to one of the same name, or a new one.
pub(crate) fn append(exceptions: &mut Vec<Exception>, added: Vec<Exception>, faults: &mut Vec<Diagnostic>) {
    for new in added {
        match exceptions.iter_mut().find(|known| known.name == new.name) {
            Some(_) if new.fields.is_some() => {
                let message = format!("the exception `{}` is there already; only values can be added to it", new.name);
                faults.push(fault(&new.span, message).help("leave out `fields` and `comps`, or use another name"));
            }
            Some(known) => known.values.extend(new.values),
            None => exceptions.push(new),
        }
    }
}

fn fields_of(name: &str, node: &Node, span: &Span) -> Result<Option<Fields>, Box<Diagnostic>> {
    let wrong = |message: String| Box::new(fault(span, message));
    let Some(fields) = node.get("fields") else {
        let alone = format!("the exception `{name}` has `comps` but no `fields`");
        return if node.get("comps").is_some() { Err(wrong(alone)) } else { Ok(None) };
    };
    let comps = node.get("comps");
    if !matches!(fields.value, NodeValue::Sequence(_)) {
        let written = comps.map_or(Some("in"), Node::text).unwrap_or_default();
        let Some(operator) = operator(written).filter(|_| SET_OPERATORS.contains(&written)) else {
            let message = format!("the exception `{name}` compares one field with `{written}`");
            return Err(Box::new(fault(span, message).help(format!("use one of: {}", SET_OPERATORS.join(", ")))));
        };
        let field = field_use(fields.text().unwrap_or_default()).ok_or_else(|| no_field(name, fields, span))?;
        return Ok(Some(Fields::One(field, operator)));
    }
    let comps = comps.map_or_else(|| vec!["="; fields.items().len()], Node::texts);
    if comps.len() != fields.items().len() {
        let message =
            format!("the exception `{name}` has {} fields, but {} `comps`", fields.items().len(), comps.len());
        return Err(wrong(message));
    }
    let mut pairs = Vec::new();
    for (node, written) in fields.items().iter().zip(comps) {
        let field = field_use(node.text().unwrap_or_default()).ok_or_else(|| no_field(name, node, span))?;
        let Some(operator) = operator(written).filter(|operator| *operator != Operator::Exists) else {
            let fault =
                fault(span, format!("the exception `{name}` compares with `{written}`, which is no comparison"));
            let near = suggest(written, ["=", "!=", "in", "contains", "startswith", "endswith", "glob", "pmatch"]);
            return Err(Box::new(match near {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault,
            }));
        };
        pairs.push((field, operator));
    }
    Ok(Some(Fields::Several(pairs)))
}

fn no_field(name: &str, node: &Node, span: &Span) -> Box<Diagnostic> {
    let written = node.text().unwrap_or_default();
    Box::new(fault(span, format!("the exception `{name}` names `{written}`, which is no field")))
}

/// A field as an exception writes it.
fn field_use(written: &str) -> Option<FieldUse> {
    match parse(&format!("{written} exists")) {
        Ok(Condition::Check(check)) if check.operator == Operator::Exists => Some(check.field),
        _ => None,
    }
}

impl Exception {
    /// The condition under which a rule does not fire; none if it has no values.
    ///
    /// # Errors
    /// If its values do not go with its fields.
    pub(crate) fn condition(&self) -> Result<Option<Condition>, Box<Diagnostic>> {
        if self.values.is_empty() {
            return Ok(None);
        }
        match &self.fields {
            None => {
                let message = format!("the exception `{}` has no `fields`, and no earlier one has its name", self.name);
                Err(Box::new(fault(&self.span, message)))
            }
            Some(Fields::One(field, operator)) => {
                let mut words = Vec::new();
                for (value, span) in &self.values {
                    let Some(text) = value.text() else {
                        let message = format!("a value of the exception `{}` is {}, not text", self.name, value.kind());
                        return Err(Box::new(fault(span, message)));
                    };
                    words.push(word(text));
                }
                Ok(Some(Condition::Check(check(field, *operator, words))))
            }
            Some(Fields::Several(pairs)) => {
                let tuples = self.values.iter().map(|(value, span)| self.tuple(pairs, value, span));
                Ok(Some(Condition::Or(tuples.collect::<Result<_, _>>()?)))
            }
        }
    }

    /// One value for each field.
    fn tuple(&self, pairs: &[(FieldUse, Operator)], value: &Node, span: &Span) -> Result<Condition, Box<Diagnostic>> {
        if value.items().len() != pairs.len() {
            let (name, fields, values) = (&self.name, pairs.len(), value.items().len());
            let message = format!("the exception `{name}` has {fields} fields, but a value of {values} parts");
            return Err(Box::new(fault(span, message)));
        }
        let checks = pairs.iter().zip(value.items()).map(|((field, operator), value)| {
            let words = self.words(*operator, value, span)?;
            Ok(Condition::Check(check(field, *operator, words)))
        });
        Ok(Condition::And(checks.collect::<Result<_, Box<Diagnostic>>>()?))
    }

    fn words(&self, operator: Operator, value: &Node, span: &Span) -> Result<Vec<Word>, Box<Diagnostic>> {
        let is_set = matches!(value.value, NodeValue::Sequence(_));
        match value.text() {
            Some(text) if is_list_operator(operator) && text.starts_with('(') => {
                // A set that is written as in a condition.
                match parse(&format!("x.x in {text}")) {
                    Ok(Condition::Check(check)) => Ok(check.values),
                    _ => Err(Box::new(fault(span, format!("`{text}` is no set of values")))),
                }
            }
            Some(text) => Ok(vec![word(text)]),
            None if is_set && is_list_operator(operator) => Ok(value.texts().into_iter().map(word).collect()),
            None => {
                let (name, written, kind) = (&self.name, operator.written(), value.kind());
                let message = format!("the exception `{name}` compares with `{written}`, but a value is {kind}");
                Err(Box::new(fault(span, message)))
            }
        }
    }
}

fn check(field: &FieldUse, operator: Operator, values: Vec<Word>) -> Check {
    Check { field: field.clone(), operator, operator_at: 0..0, values }
}

fn word(text: &str) -> Word {
    let (text, quoted) = unquoted(text);
    Word { text: text.to_owned(), quoted, at: 0..0 }
}
