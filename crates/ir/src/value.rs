//! The values that expressions are made of.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A value of a field or an expression.
///
/// There are no types in most rule languages: what reads as a number acts as one. How a node treats text that reads as
/// a number is said by the node ([`crate::expr::Expr`]), never by the value.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub enum Value {
    /// The field is absent, or the result is null.
    #[default]
    Absent,
    /// Text. The empty text is a value.
    Text(Arc<str>),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// A truth value. A JSON `true` read through a flat field is the text `true`; read through keys it is this.
    Bool(bool),
    /// Several values in order. Never nested; a list of one is the same as its member; an empty one is `Absent`
    /// (constructors in [`Value::list`] keep both rules).
    List(Arc<[Value]>),
    /// A JSON object or array that holds more than scalars, as its JSON text. Only fields read through keys give it.
    Json(Arc<str>),
}

impl Value {
    /// Text from anything that can be borrowed as a string.
    pub fn text(text: impl AsRef<str>) -> Value {
        Value::Text(Arc::from(text.as_ref()))
    }

    /// A list in normal form: none gives `Absent`, one gives that value, lists within are flattened.
    pub fn list(values: impl IntoIterator<Item = Value>) -> Value {
        let mut flat: Vec<Value> = Vec::new();
        for value in values {
            match value {
                Value::Absent => {}
                Value::List(inner) => flat.extend(inner.iter().cloned()),
                other => flat.push(other),
            }
        }
        match flat.len() {
            0 => Value::Absent,
            1 => flat.swap_remove(0),
            _ => Value::List(flat.into()),
        }
    }

    /// Whether this is `Absent`.
    pub fn is_absent(&self) -> bool {
        matches!(self, Value::Absent)
    }

    /// The members: none for `Absent`, all of a list, else the value itself.
    pub fn members(&self) -> &[Value] {
        match self {
            Value::Absent => &[],
            Value::List(values) => values,
            other => std::slice::from_ref(other),
        }
    }
}
