//! Functions of values.

use masthead_ir::expr::{ArithOp, Expr, FieldPath, Func};
use masthead_ir::pattern::{Case, Pattern};
use masthead_ir::value::Value;
use sqlparser::ast::{Expr as Sql, Function, FunctionArg, FunctionArgExpr, FunctionArguments};

use super::Result;
use super::pattern::{Literal, any_of, escaped};
use super::scope::{Place, Step, inside};
use super::value::{Translator, arith, bare, literal};

/// Functions that are one of the intermediate representation, argument by argument.
const SAME: &[(&str, Func)] = &[
    ("ABS", Func::Abs),
    ("ARRAY_CAT", Func::MvAppend),
    ("ARRAY_CONSTRUCT", Func::MvAppend),
    ("ARRAY_CONSTRUCT_COMPACT", Func::MvAppend),
    ("ARRAY_DISTINCT", Func::MvDedup),
    ("CEIL", Func::Ceiling),
    ("COALESCE", Func::Coalesce),
    ("FLOOR", Func::Floor),
    ("GREATEST", Func::Max),
    ("IFNULL", Func::Coalesce),
    ("LEAST", Func::Min),
    ("LEN", Func::Len),
    ("LENGTH", Func::Len),
    ("LN", Func::Ln),
    ("LOWER", Func::Lower),
    ("LTRIM", Func::Ltrim),
    ("MD5", Func::Md5),
    ("NULLIF", Func::NullIf),
    ("NVL", Func::Coalesce),
    ("ROUND", Func::Round),
    ("RTRIM", Func::Rtrim),
    ("SHA1", Func::Sha1),
    ("SHA2", Func::Sha256),
    ("SPLIT", Func::Split),
    ("SQRT", Func::Sqrt),
    ("SUBSTR", Func::Substr),
    ("SUBSTRING", Func::Substr),
    ("TRIM", Func::Trim),
    ("UPPER", Func::Upper),
];

/// Functions that only change the type of their first argument.
const PLAIN: &[&str] = &[
    "AS_ARRAY",
    "AS_CHAR",
    "AS_INTEGER",
    "AS_OBJECT",
    "AS_VARCHAR",
    "PARSE_JSON",
    "TO_ARRAY",
    "TO_BOOLEAN",
    "TO_CHAR",
    "TO_DECIMAL",
    "TO_DOUBLE",
    "TO_JSON",
    "TO_NUMBER",
    "TO_OBJECT",
    "TO_VARCHAR",
    "TO_VARIANT",
    "TRY_PARSE_JSON",
    "TRY_TO_BOOLEAN",
    "TRY_TO_NUMBER",
];

/// The name of a function in upper case.
pub(super) fn name_of(function: &Function) -> String {
    let last = function.name.0.last().and_then(|part| part.as_ident());
    last.map(|ident| ident.value.to_ascii_uppercase()).unwrap_or_default()
}

/// The arguments of a function that are expressions.
pub(super) fn arguments(function: &Function) -> Vec<&Sql> {
    match &function.args {
        FunctionArguments::List(list) => list.args.iter().filter_map(argument).collect(),
        FunctionArguments::None | FunctionArguments::Subquery(_) => Vec::new(),
    }
}

/// The expression of an argument; none for a star.
pub(super) fn argument(arg: &FunctionArg) -> Option<&Sql> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
        | FunctionArg::Named { arg: FunctionArgExpr::Expr(expr), .. }
        | FunctionArg::ExprNamed { arg: FunctionArgExpr::Expr(expr), .. } => Some(expr),
        _ => None,
    }
}

/// The argument of a function that only changes its type.
pub(super) fn plain(function: &Function) -> Option<&Sql> {
    if PLAIN.contains(&name_of(function).as_str()) { arguments(function).first().copied() } else { None }
}

impl<'q> Translator<'q> {
    /// A function that is no aggregate.
    pub(super) fn function(&mut self, sql: &'q Sql, function: &'q Function) -> Result<Expr> {
        if function.over.is_some() {
            return self.unsupported(sql, "window functions (`OVER`) cannot run here");
        }
        let name = name_of(function);
        let args = arguments(function);
        if let Some(inner) = plain(function) {
            return self.value(inner);
        }
        if let Some((_, func)) = SAME.iter().find(|(known, _)| *known == name) {
            return self.call(*func, &args);
        }
        if let Some(expr) = self.time_function(sql, &name, &args)? {
            return Ok(expr);
        }
        if let Some(expr) = self.array_function(&name, &args)? {
            return Ok(expr);
        }
        if let Some(expr) = self.text_function(&name, &args)? {
            return Ok(expr);
        }
        match (name.as_str(), args.as_slice()) {
            ("IFF", [condition, then, otherwise]) => {
                let condition = self.condition(condition, true)?;
                let (then, otherwise) = (self.value(then)?, self.value(otherwise)?);
                Ok(Expr::Call { func: Func::If, args: vec![condition, then, otherwise] })
            }
            ("NVL2", [value, then, otherwise]) => {
                let condition = self.null(value, false)?;
                let (then, otherwise) = (self.value(then)?, self.value(otherwise)?);
                Ok(Expr::Call { func: Func::If, args: vec![condition, then, otherwise] })
            }
            ("ZEROIFNULL", [value]) => {
                let value = self.value(value)?;
                Ok(Expr::Call { func: Func::Coalesce, args: vec![value, Expr::Literal(Value::Int(0))] })
            }
            ("GET_PATH" | "GET", [value, path]) => self.path_function(sql, value, path),
            _ => match self.predicate(sql, function, true)? {
                Some(condition) => Ok(condition),
                None => self.unsupported(sql, format!("the function `{name}` has no counterpart here")),
            },
        }
    }

    fn text_function(&mut self, name: &str, args: &[&'q Sql]) -> Result<Option<Expr>> {
        Ok(Some(match (name, args) {
            ("SPLIT_PART", [text, delimiter, at]) => {
                let Some(Literal::Number(number)) = literal(at) else { return Ok(None) };
                let Ok(number) = number.parse::<i64>() else { return Ok(None) };
                let parts = self.call(Func::Split, &[text, delimiter])?;
                // The first part is the first, and so is that before it.
                let at = if number > 0 { number - 1 } else { number };
                Expr::Call { func: Func::MvIndex, args: vec![parts, Expr::Literal(Value::Int(at))] }
            }
            ("CONCAT", args) => {
                let mut parts = args.iter();
                let Some(first) = parts.next() else { return Ok(None) };
                let mut whole = self.value(first)?;
                for part in parts {
                    let part = self.value(part)?;
                    whole = arith(ArithOp::Concat, whole, part);
                }
                whole
            }
            ("REPLACE", [text, from, rest @ ..]) => {
                let Some(from) = literal(from).and_then(|from| from.text()) else { return Ok(None) };
                let to = rest.first().and_then(|to| literal(to)).and_then(|to| to.text()).unwrap_or_default();
                let text = self.value(text)?;
                let replaced = [escaped(&from), to.replace('\\', "\\\\")];
                let literals = replaced.into_iter().map(|text| Expr::Literal(Value::text(text)));
                Expr::Call { func: Func::Replace, args: std::iter::once(text).chain(literals).collect() }
            }
            _ => return Ok(None),
        }))
    }

    fn array_function(&mut self, name: &str, args: &[&'q Sql]) -> Result<Option<Expr>> {
        Ok(Some(match (name, args) {
            ("ARRAY_SIZE", [array]) => Expr::Call { func: Func::MvCount, args: vec![self.list(array)?] },
            ("ARRAY_TO_STRING", [array, delimiter]) => {
                let (array, delimiter) = (self.list(array)?, self.value(delimiter)?);
                Expr::Call { func: Func::MvJoin, args: vec![array, delimiter] }
            }
            ("ARRAY_SLICE", [array, from, to]) => {
                let (Some(from), Some(to)) = (whole(from), whole(to)) else { return Ok(None) };
                // The end is not a part of it.
                let places = [from, to - 1].map(|at| Expr::Literal(Value::Int(at)));
                let args = std::iter::once(self.list(array)?).chain(places).collect();
                Expr::Call { func: Func::MvIndex, args }
            }
            ("ARRAY_COMPACT", [array]) => self.list(array)?,
            ("ARRAY_INTERSECTION", [array, others]) => match self.members_of(others) {
                Some(pattern) => members(self.list(array)?, pattern, true),
                None => return Ok(None),
            },
            ("ARRAY_EXCEPT", [array, others]) => match self.members_of(others) {
                Some(pattern) => members(self.list(array)?, pattern, false),
                None => return Ok(None),
            },
            _ => return Ok(None),
        }))
    }

    /// What equals a member of an array of literals.
    pub(super) fn members_of(&self, sql: &Sql) -> Option<Pattern> {
        let members: Vec<&Sql> = match bare(sql) {
            Sql::Array(array) => array.elem.iter().collect(),
            Sql::Function(function) if name_of(function) == "ARRAY_CONSTRUCT" => arguments(function),
            _ => return None,
        };
        let literals: Option<Vec<Literal>> = members.into_iter().map(literal).collect();
        let patterns: Vec<Pattern> = literals?.iter().filter_map(|literal| literal.equal(Case::Sensitive)).collect();
        (!patterns.is_empty()).then(|| any_of(patterns))
    }

    fn path_function(&mut self, sql: &'q Sql, value: &'q Sql, path: &'q Sql) -> Result<Expr> {
        let steps: Option<Vec<Step>> = match literal(path) {
            Some(Literal::Number(text)) => text.parse().ok().map(|at| vec![Step::Index(at)]),
            Some(Literal::Text(text)) => Some(text.split(['.', ':']).map(|key| Step::Key(key.to_owned())).collect()),
            _ => None,
        };
        let Some(steps) = steps else { return self.unsupported(sql, "the path must be a literal") };
        match self.place_of(value)? {
            Place::Event(mut path) => {
                path.extend(steps);
                Ok(self.scope.value(&Place::Event(path)))
            }
            other => Ok(inside(&self.scope.value(&other), &steps)),
        }
    }
}

/// A whole number.
fn whole(sql: &Sql) -> Option<i64> {
    match literal(sql)? {
        Literal::Number(text) => text.parse().ok(),
        _ => None,
    }
}

/// The members of a list that pass a test, or those that do not.
fn members(list: Expr, pattern: Pattern, wanted: bool) -> Expr {
    let (field, first) = match &list {
        Expr::Field(field) => (field.clone(), None),
        // The only field of the expression stands for the member.
        _ => (FieldPath::flat("member"), Some(list)),
    };
    let test = Expr::Test { field: field.clone(), pattern };
    let condition = if wanted { test } else { Expr::Not(Box::new(test)) };
    match first {
        None => Expr::Call { func: Func::MvFilter, args: vec![condition] },
        Some(list) => {
            let member = vec![condition, Expr::Field(field), Expr::Literal(Value::Absent)];
            Expr::Call { func: Func::MvMap, args: vec![list, Expr::Call { func: Func::If, args: member }] }
        }
    }
}
