//! Python constants, and what can be said of them before the program runs.

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Const {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    List(Vec<Const>),
    Tuple(Vec<Const>),
    Set(Vec<Const>),
    Dict(Vec<(Const, Const)>),
}

impl Const {
    /// Its truth.
    pub(super) fn truthy(&self) -> bool {
        match self {
            Const::None => false,
            Const::Bool(value) => *value,
            Const::Int(value) => *value != 0,
            Const::Float(value) => *value != 0.0,
            Const::Str(value) => !value.is_empty(),
            Const::List(values) | Const::Tuple(values) | Const::Set(values) => !values.is_empty(),
            Const::Dict(entries) => !entries.is_empty(),
        }
    }

    /// What iterating gives; none for what cannot be iterated, or is better not.
    pub(super) fn members(&self) -> Option<Vec<Const>> {
        match self {
            Const::List(values) | Const::Tuple(values) | Const::Set(values) => Some(values.clone()),
            Const::Dict(entries) => Some(entries.iter().map(|(key, _)| key.clone()).collect()),
            _ => None,
        }
    }

    /// `==`; none if it is not decided here.
    pub(super) fn equals(&self, other: &Const) -> Option<bool> {
        match (self, other) {
            (Const::None, Const::None) => Some(true),
            (Const::Int(left), Const::Int(right)) => Some(left == right),
            (Const::Str(left), Const::Str(right)) => Some(left == right),
            (Const::List(left), Const::List(right)) | (Const::Tuple(left), Const::Tuple(right)) => {
                if left.len() != right.len() {
                    return Some(false);
                }
                left.iter().zip(right).try_fold(true, |equal, (a, b)| Some(equal && a.equals(b)?))
            }
            (Const::Set(left), Const::Set(right)) if left.is_empty() || right.is_empty() => {
                Some(left.is_empty() && right.is_empty())
            }
            (Const::Dict(left), Const::Dict(right)) if left.is_empty() || right.is_empty() => {
                Some(left.is_empty() && right.is_empty())
            }
            (Const::Set(_), Const::Set(_)) | (Const::Dict(_), Const::Dict(_)) => None,
            (left, right) => match (left.number(), right.number()) {
                (Some(left), Some(right)) => Some(left == right),
                (None, None) => Some(false),
                _ => Some(false).filter(|_| !self.is_number() || !other.is_number()),
            },
        }
    }

    /// `self in container`; none if it raises or is not decided here.
    pub(super) fn is_in(&self, container: &Const) -> Option<bool> {
        if let (Const::Str(needle), Const::Str(text)) = (self, container) {
            return Some(text.contains(needle.as_str()));
        }
        let members = container.members()?;
        members.iter().try_fold(false, |found, member| Some(found || self.equals(member)?))
    }

    /// Whether its type is one of a Python type's name; none if the name is not known here.
    pub(super) fn is_instance(&self, type_name: &str) -> Option<bool> {
        Some(match type_name {
            "str" => matches!(self, Const::Str(_)),
            "bool" => matches!(self, Const::Bool(_)),
            "int" => matches!(self, Const::Int(_) | Const::Bool(_)),
            "float" => matches!(self, Const::Float(_)),
            "list" => matches!(self, Const::List(_)),
            "tuple" => matches!(self, Const::Tuple(_)),
            "set" => matches!(self, Const::Set(_)),
            "dict" => matches!(self, Const::Dict(_)),
            _ => return None,
        })
    }

    /// The value as a number: truth values are 0 and 1.
    fn number(&self) -> Option<f64> {
        match self {
            Const::Bool(value) => Some(f64::from(u8::from(*value))),
            // Beyond 2^53 whole numbers and floats would be confused.
            Const::Int(value) if value.unsigned_abs() <= 1 << 53 => Some(*value as f64),
            Const::Float(value) => Some(*value),
            _ => None,
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Const::Bool(_) | Const::Int(_) | Const::Float(_))
    }

    /// The texts of a text or a tuple of texts: what `startswith` takes.
    pub(super) fn affixes(&self) -> Option<Vec<&str>> {
        match self {
            Const::Str(text) => Some(vec![text]),
            Const::Tuple(members) => members
                .iter()
                .map(|member| match member {
                    Const::Str(text) => Some(text.as_str()),
                    _ => None,
                })
                .collect(),
            _ => None,
        }
    }
}
