//! Expressions that give values.

use masthead_ir::expr::{ArithOp, Expr, FieldPath, Func};
use masthead_ir::value::Value;
use sqlparser::ast::{
    BinaryOperator, CaseWhen, DataType, Expr as Sql, Function, SelectItem, Spanned, UnaryOperator, Value as SqlValue,
    ValueWithSpan,
};

use super::aggregate::{Aggregates, has_aggregate};
use super::parse::place;
use super::pattern::Literal;
use super::scope::{Place, Scope, Step, dotted, inside, path_of};
use super::{Fault, Result};

/// How deep an expression may nest.
const MAX_DEPTH: usize = 200;

/// Translates the expressions of one `SELECT`.
pub(super) struct Translator<'q> {
    /// The text, for places.
    pub(super) sql: &'q str,
    pub(super) scope: Scope,
    /// Names that the select list gives, in lower case.
    pub(super) aliases: Vec<(String, &'q Sql)>,
    /// Names being looked up: such a name is a column in its own expression.
    open: Vec<String>,
    /// What groups are made by and aggregates that were met, in a query that has groups.
    pub(super) aggregates: Option<Aggregates>,
    /// Whether the expression is for the source's filter, which alone can walk events by keys.
    pub(super) at_source: bool,
    /// Whether values that are objects are wanted too.
    pub(super) whole: bool,
    depth: usize,
}

impl<'q> Translator<'q> {
    /// For a select list and what can be read.
    pub(super) fn new(sql: &'q str, scope: Scope, items: &'q [SelectItem]) -> Translator<'q> {
        let aliases = items.iter().filter_map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias } => Some((alias.value.to_ascii_lowercase(), expr)),
            _ => None,
        });
        Translator {
            sql,
            scope,
            aliases: aliases.collect(),
            open: Vec::new(),
            aggregates: None,
            at_source: false,
            whole: false,
            depth: 0,
        }
    }

    /// What cannot run here, at its place.
    pub(super) fn unsupported<T>(&self, part: &impl Spanned, message: impl Into<String>) -> Result<T> {
        Err(Fault { message: message.into(), place: place(self.sql, part), syntax: false })
    }

    /// The expression of an item of the select list, in which the item's own name is a column.
    pub(super) fn item(&mut self, alias: Option<&str>, sql: &'q Sql) -> Result<Expr> {
        self.open.extend(alias.map(str::to_ascii_lowercase));
        let value = self.value(sql);
        self.open.clear();
        value
    }

    /// Keeps an expression from nesting too deeply.
    pub(super) fn deeper<T>(&mut self, sql: &Sql, step: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= MAX_DEPTH {
            return self.unsupported(sql, "the expression nests too deeply");
        }
        self.depth += 1;
        let result = step(self);
        self.depth -= 1;
        result
    }

    /// An expression as a value.
    pub(super) fn value(&mut self, sql: &'q Sql) -> Result<Expr> {
        self.deeper(sql, |translator| translator.value_inside(sql))
    }

    fn value_inside(&mut self, sql: &'q Sql) -> Result<Expr> {
        if let Some(literal) = literal(sql) {
            return Ok(Expr::Literal(literal.value()));
        }
        if let Some(expr) = self.grouped(sql) {
            return Ok(expr);
        }
        if path_of(sql).is_some() {
            let place = self.place_of(sql)?;
            return Ok(if self.whole { self.scope.whole(&place) } else { self.scope.value(&place) });
        }
        match sql {
            Sql::Nested(inner) | Sql::Collate { expr: inner, .. } => self.value(inner),
            Sql::Cast { expr, data_type, .. } => self.cast(expr, data_type),
            Sql::BinaryOp { left, op, right } => self.operation(sql, left, op, right),
            Sql::UnaryOp { op: UnaryOperator::Minus, expr } => {
                let right = self.value(expr)?;
                Ok(arith(ArithOp::Sub, Expr::Literal(Value::Int(0)), right))
            }
            Sql::UnaryOp { op: UnaryOperator::Plus, expr } => self.value(expr),
            Sql::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            Sql::Function(function) => self.function_value(sql, function),
            Sql::Array(array) => self.call(Func::MvAppend, &array.elem.iter().collect::<Vec<_>>()),
            Sql::Floor { expr, .. } => self.call(Func::Floor, &[&**expr]),
            Sql::Ceil { expr, .. } => self.call(Func::Ceiling, &[&**expr]),
            Sql::Trim { expr, trim_what: None, trim_characters: None, .. } => self.call(Func::Trim, &[&**expr]),
            Sql::Substring { expr, substring_from: Some(from), substring_for, .. } => {
                let mut args = vec![&**expr, &**from];
                args.extend(substring_for.as_deref());
                self.call(Func::Substr, &args)
            }
            Sql::IsNull(_)
            | Sql::IsNotNull(_)
            | Sql::IsTrue(_)
            | Sql::IsFalse(_)
            | Sql::IsNotTrue(_)
            | Sql::IsNotFalse(_)
            | Sql::InList { .. }
            | Sql::Between { .. }
            | Sql::Like { .. }
            | Sql::ILike { .. }
            | Sql::RLike { .. }
            | Sql::UnaryOp { op: UnaryOperator::Not, .. } => self.condition(sql, true),
            _ => self.unsupported(sql, format!("`{}` has no counterpart here", shortened(sql))),
        }
    }

    /// What a chain of names stands for.
    pub(super) fn place_of(&mut self, sql: &'q Sql) -> Result<Place> {
        let Some((root, path)) = path_of(sql) else {
            return Ok(Place::Value(self.value(sql)?, Vec::new()));
        };
        if let Some(root) = root {
            return Ok(Place::Value(self.value(root)?, path));
        }
        let name = match path.first() {
            Some(Step::Key(name)) => name.to_ascii_lowercase(),
            _ => String::new(),
        };
        let column = self.scope.columns.contains_key(&name)
            || self.scope.table.is_some_and(|table| table.spelled(&name).is_some());
        let alias = self.aliases.iter().find(|(alias, _)| *alias == name).map(|(_, expr)| *expr);
        if let Some(expr) = alias
            && (self.behind_groups() || !(column || self.aggregates.is_some() && has_aggregate(expr)))
            && !self.open.contains(&name)
        {
            self.open.push(name);
            let value = self.value(expr);
            self.open.pop();
            return Ok(Place::Value(value?, path[1..].to_vec()));
        }
        if self.behind_groups() {
            let message = format!("`{}` is neither grouped by nor aggregated", shortened(sql));
            return self.unsupported(sql, message);
        }
        match self.scope.resolve(path) {
            Some(place) => Ok(place),
            None => self.unsupported(sql, format!("`{}` is no column here", shortened(sql))),
        }
    }

    fn function_value(&mut self, sql: &'q Sql, function: &'q Function) -> Result<Expr> {
        match self.aggregate(sql, function)? {
            Some(column) => Ok(column),
            None => self.function(sql, function),
        }
    }

    /// Casts change no value: what reads as a number acts as one.
    fn cast(&mut self, expr: &'q Sql, data_type: &DataType) -> Result<Expr> {
        let value = self.value(expr)?;
        Ok(match data_type {
            DataType::Date if self.scope.is_time(&value) => {
                super::time::truncated("day", value.clone()).unwrap_or(value)
            }
            _ => value,
        })
    }

    fn operation(&mut self, sql: &'q Sql, left: &'q Sql, op: &BinaryOperator, right: &'q Sql) -> Result<Expr> {
        let op = match op {
            BinaryOperator::Plus => ArithOp::Add,
            BinaryOperator::Minus => ArithOp::Sub,
            BinaryOperator::Multiply => ArithOp::Mul,
            BinaryOperator::Divide => ArithOp::Div,
            BinaryOperator::Modulo => ArithOp::Rem,
            BinaryOperator::StringConcat => ArithOp::Concat,
            _ => return self.condition(sql, true),
        };
        if let Some(moment) = self.shifted(left, op, right)? {
            return Ok(moment);
        }
        let (left, right) = (self.value(left)?, self.value(right)?);
        Ok(arith(op, left, right))
    }

    fn case(
        &mut self,
        operand: Option<&'q Sql>,
        conditions: &'q [CaseWhen],
        otherwise: Option<&'q Sql>,
    ) -> Result<Expr> {
        let mut expr = match otherwise {
            Some(otherwise) => self.value(otherwise)?,
            None => Expr::Literal(Value::Absent),
        };
        for when in conditions.iter().rev() {
            let condition = match operand {
                Some(operand) => self.equal(operand, &when.condition, true)?,
                None => self.condition(&when.condition, true)?,
            };
            let result = self.value(&when.result)?;
            expr = Expr::Call { func: Func::If, args: vec![condition, result, expr] };
        }
        Ok(expr)
    }

    /// A function of values.
    pub(super) fn call(&mut self, func: Func, args: &[&'q Sql]) -> Result<Expr> {
        let args = args.iter().map(|arg| self.value(arg)).collect::<Result<Vec<_>>>()?;
        Ok(Expr::Call { func, args })
    }

    /// The elements of an array that is flattened, objects too, and its path if it is one of the event.
    pub(super) fn elements(&mut self, sql: &'q Sql) -> Result<(Expr, Option<Vec<Step>>)> {
        let array = bare(sql);
        if path_of(array).is_none() {
            return Ok((self.value(array)?, None));
        }
        let place = self.place_of(array)?;
        let Place::Event(path) = &place else { return Ok((self.list(array)?, None)) };
        let known = dotted(path).zip(self.scope.table).is_some_and(|(name, table)| table.is_list(&name));
        let elements = if known { self.scope.value(&place) } else { members(Scope::raw(path), path) };
        Ok((elements, Some(path.clone())))
    }

    /// The members of an array: a field of the event whose members count one by one.
    pub(super) fn list(&mut self, sql: &'q Sql) -> Result<Expr> {
        let sql = bare(sql);
        if path_of(sql).is_none() || self.grouped(sql).is_some() {
            return self.value(sql);
        }
        let place = self.place_of(sql)?;
        if let Some(field) = self.scope.list_field(&place) {
            return Ok(Expr::Field(field));
        }
        Ok(match &place {
            Place::Event(path) => members(Scope::raw(path), path),
            Place::Element(at, path) if !path.is_empty() => {
                let element = self.scope.value(&Place::Element(*at, Vec::new()));
                members(inside(&element, path), path)
            }
            other => self.scope.value(other),
        })
    }
}

/// A read of JSON, of the members of the array that stands there.
fn members(read: Expr, path: &[Step]) -> Expr {
    match read {
        Expr::Call { func: Func::JsonExtract, mut args } if !path.is_empty() => {
            if let Some(Expr::Literal(Value::Text(text))) = args.get_mut(1) {
                *text = format!("{text}{{}}").into();
            }
            Expr::Call { func: Func::JsonExtract, args }
        }
        other => other,
    }
}

/// An expression without brackets, casts and functions that only change its type.
pub(super) fn bare(sql: &Sql) -> &Sql {
    match sql {
        Sql::Nested(inner) | Sql::Cast { expr: inner, .. } | Sql::Collate { expr: inner, .. } => bare(inner),
        Sql::Function(function) => match super::function::plain(function) {
            Some(inner) => bare(inner),
            None => sql,
        },
        _ => sql,
    }
}

/// The literal that an expression is, if it is one.
pub(super) fn literal(sql: &Sql) -> Option<Literal> {
    match bare(sql) {
        Sql::Value(value) => of_value(value),
        Sql::TypedString(typed) => of_value(&typed.value),
        Sql::UnaryOp { op: UnaryOperator::Minus, expr } => match literal(expr)? {
            Literal::Number(text) => Some(Literal::Number(format!("-{text}"))),
            _ => None,
        },
        _ => None,
    }
}

fn of_value(value: &ValueWithSpan) -> Option<Literal> {
    Some(match &value.value {
        SqlValue::Number(text, _) => Literal::Number(text.clone()),
        SqlValue::SingleQuotedString(text)
        | SqlValue::EscapedStringLiteral(text)
        | SqlValue::SingleQuotedRawStringLiteral(text) => Literal::Text(text.clone()),
        SqlValue::DollarQuotedString(text) => Literal::Text(text.value.clone()),
        SqlValue::Boolean(truth) => Literal::Bool(*truth),
        SqlValue::Null => Literal::Null,
        _ => return None,
    })
}

/// Arithmetic.
pub(super) fn arith(op: ArithOp, left: Expr, right: Expr) -> Expr {
    Expr::Arith { op, left: Box::new(left), right: Box::new(right) }
}

/// A column of rows.
pub(super) fn column(name: impl AsRef<str>) -> Expr {
    Expr::Field(FieldPath::flat(name))
}

/// The start of an expression's text, for messages.
pub(super) fn shortened(sql: &impl ToString) -> String {
    let text = sql.to_string();
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
