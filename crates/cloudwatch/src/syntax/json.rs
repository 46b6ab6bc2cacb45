//! Conditions on JSON: `{ $.verb = "create" && $.objectRef.name != "kube-*" }`.

use std::ops::Range;

use masthead_rulefile::suggest;

use super::lex::Cursor;
use super::{Fault, Literal, Logic, Op};
use crate::codes;

/// A test of one property.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JsonTest {
    /// The property.
    pub(crate) selector: Selector,
    /// What is asked of it.
    pub(crate) check: JsonCheck,
}

/// What is asked of a property.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum JsonCheck {
    /// A comparison with a literal.
    Compare(Op, Literal),
    /// It is JSON null.
    IsNull,
    /// It is this truth value.
    Is(bool),
    /// It is not there at all.
    NotExists,
}

/// The way to a property.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Selector {
    /// The steps from the root; at least one.
    pub(crate) steps: Vec<Step>,
    /// Its bytes in the pattern.
    pub(crate) range: Range<usize>,
}

/// One step of a [`Selector`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// Into the member of an object.
    Key(String),
    /// Into one element of an array, counted from 0.
    Index(usize),
    /// Into every element of an array.
    Each,
}

/// A bare value ends here.
const STOP: &[char] = &['(', ')', '{', '}'];

pub(super) fn pattern(cursor: &mut Cursor<'_>) -> Result<Logic<JsonTest>, Fault> {
    let start = cursor.at;
    cursor.eat("{");
    cursor.white();
    if cursor.eat("}") {
        let fault = Fault::new(codes::PATTERN, "the pattern has no condition", start..cursor.at);
        return Err(fault.help("an empty text matches every event"));
    }
    let logic = cursor.logic(0, &mut test)?;
    cursor.white();
    if !cursor.eat("}") {
        return Err(
            cursor.expected("`&&`, `||` or `}`", "join conditions by `&&` or `||`, and close the pattern by `}`")
        );
    }
    Ok(logic)
}

fn test(cursor: &mut Cursor<'_>) -> Result<JsonTest, Fault> {
    if cursor.peek() == Some('!') {
        let fault = Fault::new(codes::OPERATOR, "conditions cannot be negated", cursor.here());
        return Err(fault.help("turn the comparison around: `!=` for `=`, `NOT EXISTS`, `IS FALSE`"));
    }
    let selector = read_selector(cursor)?;
    cursor.white();
    let start = cursor.at;
    if word(cursor, "IS") {
        return Ok(JsonTest { selector, check: is(cursor)? });
    }
    if word(cursor, "NOT") {
        cursor.white();
        if word(cursor, "EXISTS") {
            return Ok(JsonTest { selector, check: JsonCheck::NotExists });
        }
        let fault = Fault::new(codes::OPERATOR, "`NOT` must be followed by `EXISTS`", start..start + "NOT".len());
        return Err(fault.help("write `NOT EXISTS`, or `!=` with a value"));
    }
    let op = cursor.op()?;
    cursor.white();
    let literal = cursor.literal(STOP)?;
    Cursor::ordered(op, &literal)?;
    Ok(JsonTest { selector, check: JsonCheck::Compare(op, literal) })
}

/// Takes a whole word in any case.
fn word(cursor: &mut Cursor<'_>, wanted: &str) -> bool {
    let start = cursor.at;
    let found = cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '_').eq_ignore_ascii_case(wanted);
    if !found {
        cursor.at = start;
    }
    found
}

fn is(cursor: &mut Cursor<'_>) -> Result<JsonCheck, Fault> {
    cursor.white();
    let start = cursor.at;
    let what = cursor.take_while(|c| c.is_ascii_alphanumeric()).to_owned();
    match what.to_ascii_uppercase().as_str() {
        "NULL" => Ok(JsonCheck::IsNull),
        "TRUE" => Ok(JsonCheck::Is(true)),
        "FALSE" => Ok(JsonCheck::Is(false)),
        "" => Err(cursor.expected("`NULL`, `TRUE` or `FALSE`", "other values are compared by `=`")),
        upper => {
            let message = format!("`IS` must be followed by `NULL`, `TRUE` or `FALSE`, not `{what}`");
            let fault = Fault::new(codes::OPERATOR, message, start..cursor.at);
            Err(match (upper, suggest(upper, ["NULL", "TRUE", "FALSE"])) {
                ("NOT", _) => fault.help("`= *` asks whether there is a value"),
                (_, Some(near)) => fault.help(format!("did you mean `{near}`?")),
                (_, None) => fault.help("other values are compared by `=`"),
            })
        }
    }
}

/// Reads a text that is a selector as a whole, as metric values and dimensions have it.
pub(crate) fn selector(text: &str) -> Result<Selector, Fault> {
    let mut cursor = Cursor::new(text);
    cursor.white();
    let selector = read_selector(&mut cursor)?;
    cursor.white();
    if cursor.peek().is_some() {
        return Err(cursor.expected("the end of the selector", "names with other characters are written `[\"name\"]`"));
    }
    Ok(selector)
}

fn read_selector(cursor: &mut Cursor<'_>) -> Result<Selector, Fault> {
    let start = cursor.at;
    if !cursor.eat("$") {
        let name = cursor.take_while(is_key).to_owned();
        let range = start..cursor.at;
        if name.is_empty() {
            return Err(cursor.expected("a property", "a condition begins with a property such as `$.verb`"));
        }
        let fault = Fault::new(codes::PATTERN, format!("`{name}` is no property: these begin with `$.`"), range);
        return Err(fault.help(format!("write `$.{name}`")));
    }
    let mut steps = Vec::new();
    loop {
        let dot = cursor.eat(".");
        if cursor.eat("[") {
            steps.push(bracket(cursor)?);
        } else if dot {
            let key = cursor.take_while(is_key);
            if key.is_empty() {
                return Err(cursor.expected("the name of a property", "write it behind the dot, as in `$.verb`"));
            }
            steps.push(Step::Key(key.to_owned()));
        } else {
            break;
        }
    }
    match steps.first() {
        Some(Step::Key(_)) => Ok(Selector { steps, range: start..cursor.at }),
        Some(_) => {
            let fault = Fault::new(codes::PATTERN, "an event is an object, not an array", start..cursor.at);
            Err(fault.help("begin with the name of a property: `$.items[0]`"))
        }
        None => {
            let fault = Fault::new(codes::PATTERN, "the selector names no property", start..cursor.at);
            Err(fault.help("write `$.` and the name of a property"))
        }
    }
}

/// Keys are taken more freely than CloudWatch does (letters, digits, `-` and `_`): names of annotations hold slashes.
fn is_key(c: char) -> bool {
    !c.is_whitespace() && !".[]=!<>(){}&|\"'%,$*".contains(c)
}

/// What stands in square brackets, behind the opening one.
fn bracket(cursor: &mut Cursor<'_>) -> Result<Step, Fault> {
    let start = cursor.at - 1;
    cursor.white();
    let step = match cursor.peek() {
        Some('*') => {
            cursor.at += 1;
            Step::Each
        }
        Some('"') => Step::Key(cursor.quoted()?),
        Some('\'') => {
            cursor.at += 1;
            let key = cursor.take_while(|c| c != '\'').to_owned();
            if !cursor.eat("'") {
                let fault = Fault::new(codes::PATTERN, "the quoted name has no end", start..cursor.text.len());
                return Err(fault.help("close it with `']`"));
            }
            Step::Key(key)
        }
        _ => {
            let digits = cursor.take_while(|c| c.is_ascii_digit());
            let Ok(index) = digits.parse() else {
                return Err(cursor.expected("a number, `*` or a quoted name", "a name is written `[\"name\"]`"));
            };
            Step::Index(index)
        }
    };
    cursor.white();
    if !cursor.eat("]") {
        return Err(cursor.expected("`]`", "close the bracket"));
    }
    match step {
        Step::Key(key) if key.is_empty() => {
            Err(Fault::new(codes::PATTERN, "the name is empty", start..cursor.at).help("write a name in the quotes"))
        }
        step => Ok(step),
    }
}
