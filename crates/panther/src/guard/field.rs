//! Values that the program read from the event, and what tests of fields say of them.

use std::sync::Arc;

use masthead_ir::expr::Expr;
use masthead_ir::pattern::{Case, OrderOp, Pattern};
use masthead_ir::value::Value;

use super::constant::Const;
use super::logic::{Cond, all, any, is_no, no, not, present, test, yes};
use super::schema::Kind;

/// A value read from the event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    /// Where it stands.
    pub(super) keys: Vec<Arc<str>>,
    /// What is known of its type.
    pub(super) kind: Kind,
    /// What the program may have instead where nothing stands: `None`, a default.
    pub(super) missing: Vec<Const>,
    /// What the program takes for a value that is false (`… or "x"`).
    pub(super) otherwise: Option<Const>,
    /// Whether the program works on its lower case.
    pub(super) lower: bool,
}

impl Field {
    /// Where a value stands. Null and the empty list are no values to a test of a field.
    pub(super) fn present(&self) -> Expr {
        present(&self.keys)
    }

    fn absent(&self) -> Expr {
        not(self.present())
    }

    /// All that the program may have where no test of the field finds a value.
    pub(super) fn absent_values(&self) -> Vec<Const> {
        let mut values = self.missing.clone();
        if matches!(self.kind, Kind::Any | Kind::Texts) {
            values.push(Const::List(Vec::new()));
        }
        if let Some(otherwise) = &self.otherwise {
            for value in &mut values {
                if !value.truthy() {
                    *value = otherwise.clone();
                }
            }
        }
        values
    }

    fn same(&self, pattern: Pattern) -> Expr {
        test(&self.keys, pattern)
    }

    /// What holds of a constant in the place of a missing value, put where nothing stands.
    fn where_absent(&self, decide: impl Fn(&Const) -> Option<bool>) -> Cond {
        let decided: Vec<Option<bool>> = self.absent_values().iter().map(decide).collect();
        let may = decided.iter().any(|holds| *holds != Some(false));
        let must = !decided.is_empty() && decided.iter().all(|holds| *holds == Some(true));
        Cond { may: if may { self.absent() } else { no() }, must: if must { self.absent() } else { no() } }
    }

    /// Where the value that stands is false.
    fn present_falsy(&self) -> Cond {
        match self.kind {
            Kind::Text => Cond::exact(self.same(Pattern::Same(Value::text("")))),
            Kind::Number => Cond::exact(self.same(zero())),
            Kind::Texts | Kind::Object => Cond::constant(false),
            Kind::Any => Cond::at_most(self.present()),
        }
    }

    /// The truth of the value.
    pub(super) fn truth(&self) -> Cond {
        let falsy = self.present_falsy();
        let standing =
            Cond { may: all([self.present(), not(falsy.must)]), must: all([self.present(), not(falsy.may)]) };
        let replaced = self.otherwise.as_ref().is_some_and(Const::truthy);
        let standing = if replaced { Cond::exact(self.present()) } else { standing };
        standing.or(&self.where_absent(|value| Some(value.truthy())))
    }

    /// `field == constant`.
    pub(super) fn equals(&self, constant: &Const) -> Cond {
        let standing = match equality(constant, self.lower) {
            Equality::Never => Cond::constant(false),
            Equality::Unknown => Cond::at_most(self.present()),
            Equality::Test(pattern) => {
                let found = self.same(pattern);
                // A list of one passes the test of its member, and is not equal to it.
                let certain = !self.lower && matches!(self.kind, Kind::Text | Kind::Number);
                Cond { must: if certain { found.clone() } else { no() }, may: found }
            }
        };
        let standing = match &self.otherwise {
            Some(otherwise) if constant.truthy() => match otherwise.equals(constant) {
                Some(false) => standing,
                _ => Cond { may: any([standing.may, self.present_falsy().may]), must: standing.must },
            },
            Some(_) => Cond::at_most(self.present()),
            None => standing,
        };
        standing.or(&self.where_absent(|value| value.equals(constant)))
    }

    /// `field in container`.
    pub(super) fn is_in(&self, container: &Const) -> Option<Cond> {
        let members = container.members()?;
        let found = members.iter().fold(Cond::constant(false), |found, member| found.or(&self.equals(member)));
        Some(Cond { may: merge_tests(found.may), must: merge_tests(found.must) })
    }

    /// `constant in field`, and where that may raise.
    pub(super) fn contains(&self, constant: &Const) -> (Cond, Expr) {
        let Const::Str(text) = constant else { return (Cond::unknown(), yes()) };
        let standing = match self.kind {
            Kind::Text => {
                let found = self.same(Pattern::Contains { text: text.clone(), case: self.case() });
                let replaced = self.otherwise.is_some() && text.is_empty();
                Cond { must: if self.lower || replaced { no() } else { found.clone() }, may: found }
            }
            Kind::Texts if !self.lower => Cond::exact(self.same(Pattern::Same(Value::text(text)))),
            _ => return (Cond::unknown(), yes()),
        };
        // What replaces an empty text may hold the constant.
        let replaced = match &self.otherwise {
            Some(otherwise) if constant.is_in(otherwise) != Some(false) => self.present_falsy().may,
            _ => no(),
        };
        let standing = Cond { may: any([standing.may, replaced]), must: standing.must };
        let raises = self.raises_where_absent(|value| constant.is_in(value).is_some());
        (standing.or(&self.where_absent(|value| constant.is_in(value))), raises)
    }

    /// `field.startswith(constant)` or `field.endswith(constant)`, and where that may raise.
    pub(super) fn affix(&self, constant: &Const, suffix: bool) -> (Cond, Expr) {
        let (Some(affixes), Kind::Text) = (constant.affixes(), self.kind) else { return (Cond::unknown(), yes()) };
        let patterns = affixes.iter().map(|text| {
            let (text, case) = ((*text).to_owned(), self.case());
            if suffix { Pattern::Suffix { text, case } } else { Pattern::Prefix { text, case } }
        });
        let found = match one_of(patterns.collect()) {
            Some(pattern) => self.same(pattern),
            None => no(),
        };
        let holds = |value: &Const| match value {
            Const::Str(text) => {
                Some(affixes.iter().any(|affix| if suffix { text.ends_with(affix) } else { text.starts_with(affix) }))
            }
            _ => None,
        };
        let replaced = match &self.otherwise {
            Some(otherwise) if holds(otherwise) != Some(false) => self.present_falsy().may,
            _ => no(),
        };
        let replaced_text = self.otherwise.is_some() && affixes.iter().any(|affix| affix.is_empty());
        let must = if self.lower || replaced_text { no() } else { found.clone() };
        let standing = Cond { may: any([found, replaced]), must };
        let raises = self.raises_where_absent(|value| holds(value).is_some());
        (standing.or(&self.where_absent(holds)), raises)
    }

    /// An order against a number, and where that may raise.
    pub(super) fn ordered(&self, op: OrderOp, constant: &Const) -> (Cond, Expr) {
        let (Const::Int(number), Kind::Number, None) = (constant, self.kind, &self.otherwise) else {
            return (Cond::unknown(), yes());
        };
        let standing = Cond::exact(self.same(Pattern::Order { op, literal: number.to_string() }));
        let decide = |value: &Const| match value {
            Const::Int(value) => Some(match op {
                OrderOp::Lt => value < number,
                OrderOp::Le => value <= number,
                OrderOp::Gt => value > number,
                OrderOp::Ge => value >= number,
            }),
            _ => None,
        };
        let raises = self.raises_where_absent(|value| decide(value).is_some());
        (standing.or(&self.where_absent(decide)), raises)
    }

    /// `isinstance(field, …)` of the names of types.
    pub(super) fn is_instance(&self, types: &[&str]) -> Cond {
        let standing = match self.kind {
            Kind::Text if self.otherwise.is_none() => Some(types.contains(&"str")),
            Kind::Number if self.otherwise.is_none() && !types.contains(&"float") => Some(types.contains(&"int")),
            _ => None,
        };
        let standing = match standing {
            Some(true) => Cond::exact(self.present()),
            Some(false) => Cond::constant(false),
            None => Cond::at_most(self.present()),
        };
        standing.or(&self
            .where_absent(|value| types.iter().try_fold(false, |found, name| Some(found || value.is_instance(name)?))))
    }

    /// Where a method that texts have may raise.
    pub(super) fn raises_unless_text(&self) -> Expr {
        if self.kind != Kind::Text || self.otherwise.as_ref().is_some_and(|value| !matches!(value, Const::Str(_))) {
            return yes();
        }
        self.raises_where_absent(|value| matches!(value, Const::Str(_)))
    }

    /// Where a method that mappings have may raise.
    pub(super) fn raises_unless_mapping(&self) -> Expr {
        let wrong_replacement = self.otherwise.as_ref().is_some_and(|value| !matches!(value, Const::Dict(_)));
        if wrong_replacement {
            return yes();
        }
        let standing = if self.kind == Kind::Object { no() } else { self.present() };
        any([standing, self.raises_where_absent(|value| matches!(value, Const::Dict(_)))])
    }

    /// What the absent value's own entry would be: none where an absent value could hold entries.
    pub(super) fn absent_has_no_entries(&self) -> bool {
        self.absent_values().iter().all(|value| !value.truthy() || matches!(value, Const::Str(_)))
    }

    fn raises_where_absent(&self, fine: impl Fn(&Const) -> bool) -> Expr {
        if self.absent_values().iter().all(fine) { no() } else { self.absent() }
    }

    fn case(&self) -> Case {
        if self.lower { Case::Folded } else { Case::Sensitive }
    }
}

enum Equality {
    Never,
    Unknown,
    Test(Pattern),
}

/// The test that every value passes that is equal to the constant, be it in a list of one.
fn equality(constant: &Const, lower: bool) -> Equality {
    match constant {
        Const::None => Equality::Never,
        Const::Str(text) if lower => {
            Equality::Test(Pattern::Text { text: text.clone(), case: Case::Folded, numeric: false })
        }
        Const::Str(text) => Equality::Test(Pattern::Same(Value::text(text))),
        Const::Bool(value) => Equality::Test(number(i64::from(*value), Some(*value))),
        Const::Int(value @ (0 | 1)) => Equality::Test(number(*value, Some(*value == 1))),
        Const::Int(value) if value.unsigned_abs() < 1 << 53 => Equality::Test(number(*value, None)),
        Const::List(members) => match members.as_slice() {
            [Const::Str(text)] if !lower => Equality::Test(Pattern::Same(Value::text(text))),
            _ => Equality::Unknown,
        },
        _ => Equality::Unknown,
    }
}

/// Python's `1 == 1.0 == True`.
fn number(value: i64, truth: Option<bool>) -> Pattern {
    let mut patterns = vec![Pattern::Same(Value::Int(value)), Pattern::Same(Value::Float(value as f64))];
    patterns.extend(truth.map(|truth| Pattern::Same(Value::Bool(truth))));
    Pattern::AnyOf(patterns)
}

fn zero() -> Pattern {
    Pattern::AnyOf(vec![Pattern::Same(Value::Int(0)), Pattern::Same(Value::Float(0.0))])
}

fn one_of(mut patterns: Vec<Pattern>) -> Option<Pattern> {
    match patterns.len() {
        0 => None,
        1 => Some(patterns.swap_remove(0)),
        _ => Some(Pattern::AnyOf(patterns)),
    }
}

/// Tests of one field joined to one test, where a disjunction holds several.
fn merge_tests(expr: Expr) -> Expr {
    let Expr::Or(parts) = expr else { return expr };
    let mut merged: Vec<Expr> = Vec::new();
    for part in parts {
        if let Expr::Test { field, pattern } = &part
            && *pattern != Pattern::Present
            && let Some(Expr::Test { pattern: Pattern::AnyOf(patterns), .. }) = merged
                .iter_mut()
                .find(|kept| matches!(kept, Expr::Test { field: other, pattern: Pattern::AnyOf(_) } if other == field))
        {
            match pattern {
                Pattern::AnyOf(more) => patterns.extend(more.iter().cloned()),
                one => patterns.push(one.clone()),
            }
            continue;
        }
        merged.push(match part {
            Expr::Test { field, pattern } if !matches!(pattern, Pattern::Present | Pattern::AnyOf(_)) => {
                Expr::Test { field, pattern: Pattern::AnyOf(vec![pattern]) }
            }
            other => other,
        });
    }
    let merged = merged.into_iter().map(|part| match part {
        Expr::Test { field, pattern: Pattern::AnyOf(mut patterns) } if patterns.len() == 1 => {
            Expr::Test { field, pattern: patterns.swap_remove(0) }
        }
        other => other,
    });
    any(merged.filter(|part| !is_no(part)))
}
