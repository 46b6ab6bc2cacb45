//! Conditions: where an expression is true, and where it is false.

use masthead_ir::expr::{CompareOp, Expr, FieldPath};
use masthead_ir::pattern::{Case, Differs, OrderOp, Pattern};
use sqlparser::ast::{BinaryOperator, Expr as Sql, Function, UnaryOperator};

use super::function::{arguments, name_of};
use super::pattern::{Literal, any_of, like, passes, rlike};
use super::scope::{Place, Scope, Step, dotted, path_of};
use super::value::{Translator, bare, literal};
use super::{Result, all, always, any};

/// The condition that never holds.
fn never() -> Expr {
    Expr::Or(Vec::new())
}

/// What a function does to the case of its argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fold {
    Lower,
    Upper,
}

impl Fold {
    /// Whether a text can be the result.
    fn gives(self, text: &str) -> bool {
        match self {
            Fold::Lower => text == text.to_lowercase(),
            Fold::Upper => text == text.to_uppercase(),
        }
    }
}

impl<'q> Translator<'q> {
    /// The condition under which an expression is true, or false; a null is neither.
    pub(super) fn condition(&mut self, sql: &'q Sql, want: bool) -> Result<Expr> {
        self.deeper(sql, |translator| translator.condition_inside(sql, want))
    }

    fn condition_inside(&mut self, sql: &'q Sql, want: bool) -> Result<Expr> {
        if let Some(literal) = literal(sql) {
            return Ok(match literal {
                Literal::Bool(truth) if truth == want => always(),
                Literal::Bool(_) | Literal::Null => never(),
                other => Expr::Literal(other.value()),
            });
        }
        match sql {
            Sql::Nested(inner) | Sql::Cast { expr: inner, .. } => self.condition(inner, want),
            Sql::UnaryOp { op: UnaryOperator::Not, expr } => self.condition(expr, !want),
            Sql::BinaryOp { left, op, right } => match op {
                BinaryOperator::And | BinaryOperator::Or => self.chain(sql, op, want),
                _ => self.compare(sql, left, op, right, want),
            },
            Sql::IsNull(inner) => self.null(inner, want),
            Sql::IsNotNull(inner) => self.null(inner, !want),
            Sql::IsTrue(inner) | Sql::IsNotFalse(inner) | Sql::IsFalse(inner) | Sql::IsNotTrue(inner) => {
                let truth = matches!(sql, Sql::IsTrue(_) | Sql::IsNotTrue(_));
                let negated = matches!(sql, Sql::IsNotTrue(_) | Sql::IsNotFalse(_));
                let condition = self.condition(inner, truth)?;
                Ok(if negated == want { Expr::Not(Box::new(condition)) } else { condition })
            }
            Sql::InList { expr, list, negated } => self.listed(expr, list, want != *negated),
            Sql::Between { expr, negated, low, high } => self.between(sql, expr, (low, high), want != *negated),
            Sql::Like { negated, expr, pattern, escape_char, .. } => {
                self.like(sql, expr, pattern, escape_char.as_deref(), Case::Sensitive, want != *negated)
            }
            Sql::ILike { negated, expr, pattern, escape_char, .. } => {
                self.like(sql, expr, pattern, escape_char.as_deref(), Case::Folded, want != *negated)
            }
            Sql::RLike { negated, expr, pattern, .. } => {
                let pattern = self.literal_text(pattern)?;
                self.tested(expr, |_| vec![rlike(&pattern, "")], want != *negated)
            }
            Sql::Function(function) => match self.predicate(sql, function, want)? {
                Some(condition) => Ok(condition),
                None => self.truthy(sql, want),
            },
            _ if path_of(sql).is_some() => {
                let truth = Literal::Bool(want);
                self.tested(sql, |_| truth.equal(Case::Folded).into_iter().collect(), true)
            }
            _ => self.truthy(sql, want),
        }
    }

    /// A value that is a truth value.
    fn truthy(&mut self, sql: &'q Sql, want: bool) -> Result<Expr> {
        let is_condition = matches!(sql, Sql::Function(_) | Sql::Case { .. });
        if !is_condition {
            return self.unsupported(sql, "this is no condition that can be checked here");
        }
        let value = self.value(sql)?;
        Ok(if want { value } else { Expr::Not(Box::new(value)) })
    }

    /// Conditions joined by one operator, whose left sides hang below each other.
    fn chain(&mut self, sql: &'q Sql, op: &BinaryOperator, want: bool) -> Result<Expr> {
        let mut parts = Vec::new();
        for part in operands(sql, op) {
            parts.push(self.condition(part, want)?);
        }
        let conjunction = (*op == BinaryOperator::And) == want;
        Ok(if conjunction { all(parts) } else { any(parts) })
    }

    fn compare(
        &mut self,
        sql: &'q Sql,
        left: &'q Sql,
        op: &BinaryOperator,
        right: &'q Sql,
        want: bool,
    ) -> Result<Expr> {
        let (left, op, right) = match (literal(left), literal(right)) {
            (Some(_), None) => (right, turned(op), left),
            _ => (left, op.clone(), right),
        };
        match op {
            BinaryOperator::Eq => self.equal(left, right, want),
            BinaryOperator::NotEq => self.equal(left, right, !want),
            BinaryOperator::Lt => self.order(sql, left, OrderOp::Lt, right, want),
            BinaryOperator::LtEq => self.order(sql, left, OrderOp::Le, right, want),
            BinaryOperator::Gt => self.order(sql, left, OrderOp::Gt, right, want),
            BinaryOperator::GtEq => self.order(sql, left, OrderOp::Ge, right, want),
            _ => self.unsupported(sql, format!("the operator `{op}` has no counterpart here")),
        }
    }

    /// Equality.
    pub(super) fn equal(&mut self, left: &'q Sql, right: &'q Sql, want: bool) -> Result<Expr> {
        if is_empty_array(right)
            && let Sql::Function(function) = bare(left)
            && name_of(function) == "ARRAY_INTERSECTION"
            && let [array, others] = arguments(function).as_slice()
        {
            return self.overlap(left, array, others, !want);
        }
        if let Some(literal) = literal(right) {
            if literal == Literal::Null {
                return Ok(never());
            }
            return self.tested(left, |fold| equal_to(std::slice::from_ref(&literal), fold), want);
        }
        let (left, right) = (self.value(left)?, self.value(right)?);
        Ok(compared(CompareOp::Eq, left, right, want))
    }

    fn order(&mut self, sql: &'q Sql, left: &'q Sql, op: OrderOp, right: &'q Sql, want: bool) -> Result<Expr> {
        let compare = match op {
            OrderOp::Lt => CompareOp::Lt,
            OrderOp::Le => CompareOp::Le,
            OrderOp::Gt => CompareOp::Gt,
            OrderOp::Ge => CompareOp::Ge,
        };
        if let Some(literal) = literal(right) {
            let Some(text) = literal.text() else { return Ok(never()) };
            let value = self.value(left)?;
            if self.scope.is_time(&value) && matches!(literal, Literal::Text(_)) {
                return self.unsupported(sql, "a time can be compared with a date only as a condition of its own");
            }
            if let Expr::Field(field) = value {
                return Ok(of_field(field, Pattern::Order { op, literal: text }, want));
            }
            return Ok(compared(compare, value, Expr::Literal(literal.value()), want));
        }
        let (left, right) = (self.value(left)?, self.value(right)?);
        Ok(compared(compare, left, right, want))
    }

    fn between(&mut self, sql: &'q Sql, expr: &'q Sql, (low, high): (&'q Sql, &'q Sql), want: bool) -> Result<Expr> {
        let parts =
            vec![self.order(sql, expr, OrderOp::Ge, low, want)?, self.order(sql, expr, OrderOp::Le, high, want)?];
        Ok(if want { all(parts) } else { any(parts) })
    }

    fn listed(&mut self, expr: &'q Sql, list: &'q [Sql], want: bool) -> Result<Expr> {
        let literals: Option<Vec<Literal>> = list.iter().map(literal).collect();
        if let Some(literals) = literals {
            if !want && literals.contains(&Literal::Null) {
                return Ok(never());
            }
            return self.tested(expr, |fold| equal_to(&literals, fold), want);
        }
        let parts = list.iter().map(|member| self.equal(expr, member, want)).collect::<Result<Vec<_>>>()?;
        Ok(if want { any(parts) } else { all(parts) })
    }

    fn like(
        &mut self,
        sql: &'q Sql,
        expr: &'q Sql,
        pattern: &'q Sql,
        escape: Option<&'q Sql>,
        case: Case,
        want: bool,
    ) -> Result<Expr> {
        let escape = match escape {
            None => None,
            Some(escape) => self.literal_text(escape)?.chars().next(),
        };
        let patterns: Vec<&Sql> = match pattern {
            Sql::Tuple(patterns) => patterns.iter().collect(),
            Sql::Nested(inner) => vec![inner],
            other => vec![other],
        };
        let texts = patterns.into_iter().map(|pattern| self.literal_text(pattern)).collect::<Result<Vec<_>>>();
        let Ok(texts) = texts else { return self.unsupported(sql, "the pattern must be a literal") };
        let made = |fold: Option<Fold>| {
            let case = if fold.is_some() { Case::Folded } else { case };
            let given = texts.iter().filter(|text| fold.is_none_or(|fold| fold.gives(text)));
            given.map(|text| like(text, escape, case)).collect()
        };
        self.tested(expr, made, want)
    }

    fn literal_text(&self, sql: &'q Sql) -> Result<String> {
        match literal(sql).and_then(|literal| literal.text()) {
            Some(text) => Ok(text),
            None => self.unsupported(sql, "this must be a literal text"),
        }
    }

    /// Whether a value is null, or is not.
    pub(super) fn null(&mut self, sql: &'q Sql, want: bool) -> Result<Expr> {
        let sql = bare(sql);
        let present = if path_of(sql).is_some() && self.grouped(sql).is_none() {
            let place = self.place_of(sql)?;
            self.present(&place)
        } else {
            match self.value(sql)? {
                Expr::Field(field) => Expr::Test { field, pattern: Pattern::Present },
                value => passes(&value, &Pattern::Present),
            }
        };
        Ok(if want { Expr::Not(Box::new(present)) } else { present })
    }

    /// Whether there is a value, be it an object.
    fn present(&self, place: &Place) -> Expr {
        let test = |field| Expr::Test { field, pattern: Pattern::Present };
        let (Place::Event(path), Some(table)) = (place, self.scope.table) else {
            return match self.scope.field(place) {
                Some(field) => test(field),
                None => passes(&self.scope.value(place), &Pattern::Present),
            };
        };
        let keys: Option<Vec<&str>> = path
            .iter()
            .map(|step| match step {
                Step::Key(key) => Some(key.as_str()),
                Step::Index(_) => None,
            })
            .collect();
        match (keys, self.scope.field(place), dotted(path)) {
            (_, Some(field), Some(name)) if table.is_scalar(&name) || table.is_list(&name) => test(field),
            (Some(keys), ..) if self.at_source => test(FieldPath::keys(keys)),
            (None, ..) => passes(&self.scope.value(place), &Pattern::Present),
            _ => passes(&Scope::raw(path), &Pattern::Present),
        }
    }

    /// Functions that are conditions; none if the function is none.
    pub(super) fn predicate(&mut self, sql: &'q Sql, function: &'q Function, want: bool) -> Result<Option<Expr>> {
        let name = name_of(function);
        let args = arguments(function);
        if name.starts_with("P_OCCURS_") {
            return self.unsupported(sql, "a time condition can only stand beside the other conditions of `WHERE`");
        }
        let made: fn(String) -> Pattern = match name.as_str() {
            "CONTAINS" => |text| Pattern::Contains { text, case: Case::Sensitive },
            "STARTSWITH" => |text| Pattern::Prefix { text, case: Case::Sensitive },
            "ENDSWITH" => |text| Pattern::Suffix { text, case: Case::Sensitive },
            "LIKE" => |text| like(&text, None, Case::Sensitive),
            "ILIKE" => |text| like(&text, None, Case::Folded),
            "RLIKE" | "REGEXP" | "REGEXP_LIKE" => |text| rlike(&text, ""),
            _ => return self.array_predicate(sql, &name, &args, want),
        };
        match args.as_slice() {
            [subject, pattern] => {
                let text = self.literal_text(pattern)?;
                let made = |fold: Option<Fold>| match fold {
                    None => vec![made(text.clone())],
                    Some(fold) if fold.gives(&text) => vec![folded(made(text.clone()))],
                    Some(_) => Vec::new(),
                };
                self.tested(subject, made, want).map(Some)
            }
            [subject, pattern, parameters] if name != "LIKE" && name != "ILIKE" => {
                let (text, parameters) = (self.literal_text(pattern)?, self.literal_text(parameters)?);
                self.tested(subject, |_| vec![rlike(&text, &parameters)], want).map(Some)
            }
            _ => self.unsupported(sql, format!("`{name}` takes two arguments")),
        }
    }

    fn array_predicate(&mut self, sql: &'q Sql, name: &str, args: &[&'q Sql], want: bool) -> Result<Option<Expr>> {
        match (name, args) {
            ("ARRAY_CONTAINS", [member, array]) => match literal(member) {
                Some(literal) => {
                    let Some(pattern) = literal.equal(Case::Sensitive) else { return Ok(Some(never())) };
                    self.any_member(array, pattern, want).map(Some)
                }
                None => match self.members_of(array) {
                    Some(pattern) => self.tested(member, |_| vec![pattern.clone()], want).map(Some),
                    None => self.unsupported(sql, "either the member or the array must be a literal"),
                },
            },
            ("ARRAYS_OVERLAP", [one, other]) => self.overlap(sql, one, other, want).map(Some),
            ("IS_NULL_VALUE", [value]) => {
                let null = Literal::Text("null".to_owned());
                self.tested(value, |fold| equal_to(std::slice::from_ref(&null), fold), want).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Whether an array has a member of another.
    fn overlap(&mut self, sql: &'q Sql, one: &'q Sql, other: &'q Sql, want: bool) -> Result<Expr> {
        match (self.members_of(one), self.members_of(other)) {
            (_, Some(pattern)) => self.any_member(one, pattern, want),
            (Some(pattern), None) => self.any_member(other, pattern, want),
            (None, None) => self.unsupported(sql, "one of the arrays must be a literal"),
        }
    }

    /// Whether a member of an array passes a test.
    fn any_member(&mut self, array: &'q Sql, pattern: Pattern, want: bool) -> Result<Expr> {
        let near = match path_of(bare(array)) {
            Some(_) if self.grouped(bare(array)).is_none() => match self.place_of(bare(array))? {
                Place::Event(mut path) => {
                    path.push(Step::Index(0));
                    self.scope.nearby(&Place::Event(path))
                }
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        match self.list(array)? {
            Expr::Field(field) => Ok(of_field(field, pattern, want)),
            list => Ok(of_value(&list, near, &pattern, want)),
        }
    }

    /// Whether a value passes one of the patterns that `made` gives, told what happens to its case.
    fn tested(&mut self, sql: &'q Sql, made: impl Fn(Option<Fold>) -> Vec<Pattern>, want: bool) -> Result<Expr> {
        let (subject, fold) = folding(sql);
        let patterns = made(fold);
        let place = match self.grouped(subject) {
            Some(expr) => Place::Value(expr, Vec::new()),
            None => self.place_of(subject)?,
        };
        if patterns.is_empty() {
            return Ok(if want { never() } else { self.present(&place) });
        }
        let pattern = any_of(patterns);
        if let Some(field) = self.scope.field(&place) {
            return Ok(of_field(field, pattern, want));
        }
        if let (Place::Added(fields), true) = (&place, want) {
            let tests = fields.iter().map(|field| of_field(field.clone(), pattern.clone(), true));
            return Ok(any(tests.collect()));
        }
        Ok(of_value(&self.scope.value(&place), self.scope.nearby(&place), &pattern, want))
    }
}

/// A test of a field.
fn of_field(field: FieldPath, pattern: Pattern, want: bool) -> Expr {
    match want {
        true => Expr::Test { field, pattern },
        false => Expr::Differs { field, pattern, rule: Differs::EveryValue },
    }
}

/// A test of a computed value; `near` are fields one of which passes if the value does, so that the matcher can look first.
fn of_value(value: &Expr, near: Vec<FieldPath>, pattern: &Pattern, want: bool) -> Expr {
    let exact = passes(value, pattern);
    if !want {
        return Expr::Not(Box::new(exact));
    }
    if near.is_empty() || *pattern == Pattern::Present {
        return exact;
    }
    let near = near.into_iter().map(|field| Expr::Test { field, pattern: pattern.clone() }).collect();
    all(vec![any(near), exact])
}

fn compared(op: CompareOp, left: Expr, right: Expr, want: bool) -> Expr {
    let compare = Expr::Compare { op, left: Box::new(left), right: Box::new(right) };
    if want { compare } else { Expr::Not(Box::new(compare)) }
}

/// The operands of a chain of one operator, from left to right.
pub(super) fn operands<'q>(sql: &'q Sql, op: &BinaryOperator) -> Vec<&'q Sql> {
    let mut parts = Vec::new();
    let mut rest = sql;
    while let Sql::BinaryOp { left, op: own, right } = rest {
        if own != op {
            break;
        }
        parts.push(&**right);
        rest = left;
    }
    parts.push(rest);
    parts.reverse();
    parts
}

/// The operator with its sides changed.
fn turned(op: &BinaryOperator) -> BinaryOperator {
    match op {
        BinaryOperator::Lt => BinaryOperator::Gt,
        BinaryOperator::LtEq => BinaryOperator::GtEq,
        BinaryOperator::Gt => BinaryOperator::Lt,
        BinaryOperator::GtEq => BinaryOperator::LtEq,
        other => other.clone(),
    }
}

/// An expression without a change of case around it.
fn folding(sql: &Sql) -> (&Sql, Option<Fold>) {
    let sql = bare(sql);
    if let Sql::Function(function) = sql
        && let [inner] = arguments(function).as_slice()
    {
        match name_of(function).as_str() {
            "LOWER" => return (bare(inner), Some(Fold::Lower)),
            "UPPER" => return (bare(inner), Some(Fold::Upper)),
            _ => {}
        }
    }
    (sql, None)
}

/// What equals one of these.
fn equal_to(literals: &[Literal], fold: Option<Fold>) -> Vec<Pattern> {
    let case = if fold.is_some() { Case::Folded } else { Case::Sensitive };
    let given = literals.iter().filter(|literal| match (fold, literal) {
        (Some(fold), Literal::Text(text)) => fold.gives(text),
        _ => true,
    });
    given.filter_map(|literal| literal.equal(case)).collect()
}

/// A pattern for which case does not count.
fn folded(pattern: Pattern) -> Pattern {
    let case = Case::Folded;
    match pattern {
        Pattern::Contains { text, .. } => Pattern::Contains { text, case },
        Pattern::Prefix { text, .. } => Pattern::Prefix { text, case },
        Pattern::Suffix { text, .. } => Pattern::Suffix { text, case },
        Pattern::Text { text, numeric, .. } => Pattern::Text { text, case, numeric },
        Pattern::Wildcard { glob, .. } => Pattern::Wildcard { glob, case },
        Pattern::Regex(source) => Pattern::Regex(format!("(?i){source}")),
        other => other,
    }
}

fn is_empty_array(sql: &Sql) -> bool {
    match bare(sql) {
        Sql::Array(array) => array.elem.is_empty(),
        Sql::Function(function) => name_of(function) == "ARRAY_CONSTRUCT" && arguments(function).is_empty(),
        _ => false,
    }
}
