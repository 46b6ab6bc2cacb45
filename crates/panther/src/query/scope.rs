//! Names of a query, and what they stand for.

use std::collections::{BTreeMap, BTreeSet};

use masthead_ir::expr::{ArithOp, Expr, FieldPath, Func};
use masthead_ir::value::Value;
use sqlparser::ast::{AccessExpr, Expr as Sql, JsonPathElem, Subscript, Value as SqlValue};

use super::table::Table;

/// The field that holds an event's text.
const RAW: &str = "_raw";

/// What can be read in a `SELECT`.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// The table whose events can still be read, if any.
    pub(super) table: Option<Table>,
    /// Names, in lower case, by which its columns may be qualified.
    pub(super) names: BTreeSet<String>,
    /// Columns of an inner query, by their name in lower case.
    pub(super) columns: BTreeMap<String, Expr>,
    /// Arrays that are flattened.
    pub(super) elements: Vec<Element>,
    /// Columns of rows that hold times.
    pub(super) times: BTreeSet<String>,
}

/// An array of the event that is flattened: one row an element.
#[derive(Debug, Clone)]
pub(super) struct Element {
    /// The name that qualifies its columns, in lower case.
    pub(super) name: Option<String>,
    /// The column that holds the element.
    pub(super) column: String,
    /// The array's path in the event; none if it is no path.
    pub(super) path: Option<Vec<Step>>,
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(i64),
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    /// A path into the event.
    Event(Vec<Step>),
    /// Fields of the event that the platform adds.
    Added(Vec<FieldPath>),
    /// A computed value, and a path into it.
    Value(Expr, Vec<Step>),
    /// An element of a flattened array, and a path into it.
    Element(usize, Vec<Step>),
}

impl Scope {
    /// What a column and the path behind it stand for; none if there is no such column.
    pub(super) fn resolve(&self, mut path: Vec<Step>) -> Option<Place> {
        if path.len() > 1
            && let Some(Step::Key(first)) = path.first()
        {
            let name = first.to_ascii_lowercase();
            if let Some(at) = self.elements.iter().position(|element| element.name.as_ref() == Some(&name)) {
                path.remove(0);
                return self.element(at, path);
            }
            if self.names.contains(&name) {
                path.remove(0);
            }
        }
        let Some(Step::Key(column)) = path.first().cloned() else { return None };
        let lower = column.to_ascii_lowercase();
        if let Some(expr) = self.columns.get(&lower) {
            path.remove(0);
            return Some(Place::Value(expr.clone(), path));
        }
        let unnamed = || self.elements.iter().position(|element| element.name.is_none() || self.elements.len() == 1);
        if lower == "value"
            && let Some(at) = unnamed()
        {
            return self.element(at, path);
        }
        let table = self.table?;
        if path.len() == 1
            && let Some(fields) = table.added(&lower)
        {
            return Some(Place::Added(fields));
        }
        if let Some(spelled) = table.spelled(&lower) {
            path[0] = Step::Key(spelled.to_owned());
        }
        Some(Place::Event(path))
    }

    /// A column of a flattened array; only the element itself is known.
    fn element(&self, at: usize, mut path: Vec<Step>) -> Option<Place> {
        match path.first() {
            Some(Step::Key(key)) if key.eq_ignore_ascii_case("value") => {
                path.remove(0);
                Some(Place::Element(at, path))
            }
            _ => None,
        }
    }

    /// The single field of a place, if the event or row has one that holds exactly this.
    pub(super) fn field(&self, place: &Place) -> Option<FieldPath> {
        match place {
            Place::Event(path) => self.flat(path),
            Place::Added(fields) => match fields.as_slice() {
                [field] => Some(field.clone()),
                _ => None,
            },
            Place::Value(Expr::Field(field), path) if path.is_empty() => Some(field.clone()),
            Place::Element(at, path) if path.is_empty() => {
                self.elements.get(*at).map(|element| FieldPath::flat(&element.column))
            }
            _ => None,
        }
    }

    fn flat(&self, path: &[Step]) -> Option<FieldPath> {
        let name = dotted(path)?;
        let list = self.table.is_some_and(|table| table.is_list(&name));
        Some(FieldPath::flat(if list { name + "{}" } else { name }))
    }

    /// The field that holds the members of an array.
    pub(super) fn list_field(&self, place: &Place) -> Option<FieldPath> {
        match place {
            Place::Event(path) => Some(FieldPath::flat(dotted(path)? + "{}")),
            other => self.field(other),
        }
    }

    /// Fields one of which certainly has the value that stands at a place.
    pub(super) fn nearby(&self, place: &Place) -> Vec<FieldPath> {
        match place {
            Place::Event(path) => vec![FieldPath::flat(anywhere(path))],
            Place::Added(fields) => fields.clone(),
            Place::Element(at, path) => {
                let array = self.elements.get(*at).and_then(|element| element.path.clone());
                array.map_or_else(Vec::new, |mut whole| {
                    // The element's own step.
                    whole.push(Step::Index(0));
                    whole.extend(path.iter().cloned());
                    vec![FieldPath::flat(anywhere(&whole))]
                })
            }
            Place::Value(..) => Vec::new(),
        }
    }

    /// The value at a place.
    pub(super) fn value(&self, place: &Place) -> Expr {
        if let Some(field) = self.field(place) {
            return Expr::Field(field);
        }
        match place {
            Place::Event(path) => {
                self.indexed(path).unwrap_or_else(|| inside(&Expr::Field(FieldPath::flat(RAW)), path))
            }
            Place::Added(fields) => {
                let args = fields.iter().cloned().map(Expr::Field).collect();
                Expr::Call { func: Func::MvAppend, args }
            }
            Place::Value(expr, path) => inside(expr, path),
            Place::Element(at, path) => {
                let column = self.elements.get(*at).map(|element| element.column.clone()).unwrap_or_default();
                inside(&Expr::Field(FieldPath::flat(column)), path)
            }
        }
    }

    /// The value at a place, also where it is an object or an array: then its JSON text.
    pub(super) fn whole(&self, place: &Place) -> Expr {
        let value = self.value(place);
        match (place, self.table) {
            (Place::Event(path), Some(table)) => {
                let known = dotted(path).is_none_or(|name| table.is_scalar(&name) || table.is_list(&name));
                if known {
                    return value;
                }
                let raw = inside(&Expr::Field(FieldPath::flat(RAW)), path);
                Expr::Call { func: Func::Coalesce, args: vec![value, raw] }
            }
            _ => value,
        }
    }

    /// The JSON text or scalar at a path of the event, read from its text.
    pub(super) fn raw(path: &[Step]) -> Expr {
        inside(&Expr::Field(FieldPath::flat(RAW)), path)
    }

    /// A member of a known list.
    fn indexed(&self, path: &[Step]) -> Option<Expr> {
        let (Step::Index(at), list) = path.split_last()? else { return None };
        let name = dotted(list)?;
        self.table.filter(|table| table.is_list(&name))?;
        let field = Expr::Field(FieldPath::flat(name + "{}"));
        Some(Expr::Call { func: Func::MvIndex, args: vec![field, Expr::Literal(Value::Int(*at))] })
    }

    /// Whether a value is a time in seconds since 1970.
    pub(super) fn is_time(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Field(FieldPath::Flat(name)) => &**name == "_time" || self.times.contains(&**name),
            Expr::Call { func: Func::Now | Func::RelativeTime, .. } => true,
            // What `TIME_SLICE` makes of a time.
            Expr::Arith { op: ArithOp::Mul, left, .. } => match &**left {
                Expr::Call { func: Func::Floor, args } => {
                    args.iter().flat_map(Expr::fields).any(|field| self.is_time(&Expr::Field(field)))
                }
                _ => false,
            },
            Expr::Call { func: Func::Coalesce, args } => args.first().is_some_and(|first| self.is_time(first)),
            _ => false,
        }
    }
}

/// What a path leads to inside of a JSON text.
pub(super) fn inside(json: &Expr, path: &[Step]) -> Expr {
    if path.is_empty() {
        return json.clone();
    }
    // A member of a list of texts that was computed.
    if let ([Step::Index(at)], false) = (path, is_raw(json)) {
        return Expr::Call { func: Func::MvIndex, args: vec![json.clone(), Expr::Literal(Value::Int(*at))] };
    }
    let path = Expr::Literal(Value::text(spelled(path, |at| format!("{{{at}}}"))));
    Expr::Call { func: Func::JsonExtract, args: vec![json.clone(), path] }
}

fn is_raw(expr: &Expr) -> bool {
    matches!(expr, Expr::Field(FieldPath::Flat(name)) if &**name == RAW)
}

/// Keys joined by dots; none if the path has an index.
pub(super) fn dotted(path: &[Step]) -> Option<String> {
    let keys: Option<Vec<&str>> = path
        .iter()
        .map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        })
        .collect();
    keys.map(|keys| keys.join("."))
}

/// The flattened name of a path whose indexes may be any.
pub(super) fn anywhere(path: &[Step]) -> String {
    spelled(path, |_| "{}".to_owned())
}

fn spelled(path: &[Step], index: impl Fn(i64) -> String) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
            }
            Step::Index(at) => text.push_str(&index(*at)),
        }
    }
    text
}

/// The path of a chain of names, as `a:b.c[0]` and `t.a`; none if it is something else. What is not a name at its root is
/// given back beside the path behind it.
pub(super) fn path_of(sql: &Sql) -> Option<(Option<&Sql>, Vec<Step>)> {
    match sql {
        Sql::Identifier(name) => Some((None, vec![Step::Key(name.value.clone())])),
        Sql::CompoundIdentifier(names) => {
            Some((None, names.iter().map(|name| Step::Key(name.value.clone())).collect()))
        }
        Sql::Nested(inner) => path_of(inner),
        Sql::JsonAccess { value, path } => {
            let (root, mut steps) = path_of(value).unwrap_or((Some(value), Vec::new()));
            for element in &path.path {
                match element {
                    JsonPathElem::Dot { key, .. } => steps.push(Step::Key(key.clone())),
                    JsonPathElem::Bracket { key } | JsonPathElem::ColonBracket { key } => steps.push(step(key)?),
                }
            }
            Some((root, steps))
        }
        Sql::CompoundFieldAccess { root, access_chain } => {
            let (base, mut steps) = path_of(root).unwrap_or((Some(root), Vec::new()));
            for access in access_chain {
                match access {
                    AccessExpr::Dot(Sql::Identifier(name)) => steps.push(Step::Key(name.value.clone())),
                    AccessExpr::Subscript(Subscript::Index { index }) => steps.push(step(index)?),
                    _ => return None,
                }
            }
            Some((base, steps))
        }
        _ => None,
    }
}

/// A literal in brackets.
fn step(sql: &Sql) -> Option<Step> {
    let Sql::Value(value) = sql else { return None };
    match &value.value {
        SqlValue::Number(text, _) => text.parse().ok().map(Step::Index),
        SqlValue::SingleQuotedString(text) | SqlValue::DoubleQuotedString(text) => Some(Step::Key(text.clone())),
        _ => None,
    }
}
