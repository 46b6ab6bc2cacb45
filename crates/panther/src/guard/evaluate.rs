//! Expressions: what they are known to give, and where evaluating them may raise.

use std::collections::BTreeSet;
use std::sync::Arc;

use masthead_ir::expr::Expr;
use ruff_python_ast::{BoolOp, Expr as Py, ExprBoolOp, ExprCompare, ExprGenerator, StmtFunctionDef, UnaryOp};

use super::block::Env;
use super::compare::{compare, none_if_unknown};
use super::constant::Const;
use super::field::Field;
use super::logic::{Cond, all, any, no, not, yes};
use super::program::{Meaning, Modules, Names, convert, literal};
use super::{Model, schema};

/// How many nodes of programs are evaluated for one guard.
const MAX_STEPS: u32 = 20_000;
/// How deep expressions are followed.
const MAX_DEPTH: u32 = 100;

/// What is known of a value of the program.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Val<'a> {
    /// A constant.
    Const(Const),
    /// The record, as it was given to the rule.
    Event,
    /// A value of the record.
    Field(Field),
    /// A value of which the truth is known.
    Truth(Cond),
    /// A function of the program, by the module whose names it sees.
    Function(Callable<'a>),
    /// A module of the library.
    Module(&'a str),
    /// A name of the interpreter's own.
    Builtin(&'a str),
    /// A local name that may have no value yet.
    Unbound,
    /// Nothing is known.
    Unknown,
}

/// A function of the program.
#[derive(Debug, Clone, Copy)]
pub(super) struct Callable<'a> {
    pub(super) def: &'a StmtFunctionDef,
    pub(super) scope: Scope<'a>,
}

impl PartialEq for Callable<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.def, other.def)
    }
}

/// The module in whose names code runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) names: &'a Names<'a>,
    pub(super) module: &'a str,
}

/// The result of evaluating an expression.
#[derive(Debug)]
pub(super) struct Found<'a> {
    /// What it gives.
    pub(super) value: Val<'a>,
    /// Where evaluating it may raise, or do more than compute.
    pub(super) effect: Expr,
}

impl<'a> Found<'a> {
    /// One that certainly neither raises nor changes anything.
    pub(super) fn pure(value: Val<'a>) -> Found<'a> {
        Found { value, effect: no() }
    }

    /// One that may do anything.
    pub(super) fn unknown() -> Found<'a> {
        Found { value: Val::Unknown, effect: yes() }
    }

    fn truth(cond: Cond, effect: Expr) -> Found<'a> {
        Found { value: Val::Truth(cond), effect }
    }
}

impl Val<'_> {
    /// The truth of the value.
    pub(super) fn truth(&self) -> Cond {
        match self {
            Val::Const(value) => Cond::constant(value.truthy()),
            Val::Field(field) => field.truth(),
            Val::Truth(cond) => cond.clone(),
            Val::Function(_) | Val::Module(_) | Val::Builtin(_) => Cond::constant(true),
            Val::Event | Val::Unbound | Val::Unknown => Cond::unknown(),
        }
    }
}

/// Evaluates a program over what is known of events of one log type.
pub(super) struct Evaluator<'a> {
    pub(super) modules: &'a Modules<'a>,
    pub(super) log_type: &'a str,
    pub(super) model: &'a Model,
    pub(super) calls: u32,
    /// Names that any function of the rule declares global.
    pub(super) globals: BTreeSet<&'a str>,
    pub(super) steps: u32,
    pub(super) depth: u32,
}

impl<'a> Evaluator<'a> {
    /// Counts a node; false when there were too many.
    pub(super) fn step(&mut self) -> bool {
        self.steps += 1;
        self.steps <= MAX_STEPS
    }

    /// The value of an expression.
    pub(super) fn value(&mut self, expr: &'a Py, env: &Env<'a>, scope: Scope<'a>) -> Found<'a> {
        if !self.step() || self.depth >= MAX_DEPTH {
            return Found::unknown();
        }
        self.depth += 1;
        let found = self.node(expr, env, scope);
        self.depth -= 1;
        found
    }

    fn node(&mut self, expr: &'a Py, env: &Env<'a>, scope: Scope<'a>) -> Found<'a> {
        match expr {
            Py::Name(name) => self.name(name.id.as_str(), env, scope),
            Py::BoolOp(operation) => self.bool_op(operation, env, scope),
            Py::UnaryOp(operation) if operation.op == UnaryOp::Not => {
                let found = self.value(&operation.operand, env, scope);
                Found::truth(found.value.truth().not(), found.effect)
            }
            Py::UnaryOp(operation) if operation.op == UnaryOp::USub => {
                match self.value(&operation.operand, env, scope).value {
                    Val::Const(Const::Int(value)) => Found::pure(none_if_unknown(value.checked_neg().map(Const::Int))),
                    _ => Found::unknown(),
                }
            }
            Py::Compare(comparison) => self.comparison(comparison, env, scope),
            Py::If(inner) => self.conditional(&inner.test, &inner.body, &inner.orelse, env, scope),
            Py::Named(named) => {
                let found = self.value(&named.value, env, scope);
                // The name is bound where the operands before it let it be reached: not followed.
                Found { value: Val::Truth(found.value.truth()), effect: yes() }
            }
            Py::Tuple(_) | Py::List(_) | Py::Set(_) | Py::Dict(_) => self.display(expr, env, scope),
            Py::Attribute(attribute) => {
                let base = self.value(&attribute.value, env, scope);
                match base.value {
                    Val::Module(module) => self.global(attribute.attr.as_str(), module),
                    _ => Found::unknown(),
                }
            }
            Py::Call(call) => self.call_expr(call, env, scope),
            other => match literal(other) {
                Some(value) => Found::pure(Val::Const(value)),
                None => Found::unknown(),
            },
        }
    }

    fn name(&mut self, name: &'a str, env: &Env<'a>, scope: Scope<'a>) -> Found<'a> {
        match env.get(name) {
            Some(Val::Unbound) => Found::unknown(),
            Some(value) => Found::pure(value.clone()),
            None => match self.resolve(name, scope) {
                Val::Unbound => Found::pure(Val::Builtin(name)),
                value => Found::pure(value),
            },
        }
    }

    fn global(&mut self, name: &'a str, module: &'a str) -> Found<'a> {
        let Some(names) = self.modules.get(module) else { return Found::unknown() };
        match self.resolve(name, Scope { names, module }) {
            Val::Unbound => Found::unknown(),
            value => Found::pure(value),
        }
    }

    fn resolve(&self, name: &'a str, scope: Scope<'a>) -> Val<'a> {
        match scope.names.meaning(name, scope.module, self.modules) {
            Meaning::Function(def, names, module) => Val::Function(Callable { def, scope: Scope { names, module } }),
            Meaning::Value(value, names) => names.constant(value, self.modules, 0).map_or(Val::Unknown, Val::Const),
            Meaning::Module(module) => Val::Module(module),
            Meaning::Opaque => Val::Unknown,
            Meaning::Unbound => Val::Unbound,
        }
    }

    /// A list, tuple, set or mapping: a constant if its members are.
    fn display(&mut self, expr: &'a Py, env: &Env<'a>, scope: Scope<'a>) -> Found<'a> {
        if let Some(value) = scope.names.constant(expr, self.modules, 0)
            && !mentions_local(expr, env)
        {
            return Found::pure(Val::Const(value));
        }
        let elements: &'a [Py] = match expr {
            Py::Tuple(tuple) => &tuple.elts,
            Py::List(list) => &list.elts,
            _ => return Found::unknown(),
        };
        let mut members = Some(Vec::new());
        let mut effect = no();
        for element in elements {
            let found = self.value(element, env, scope);
            effect = any([effect, found.effect]);
            match (found.value, &mut members) {
                (Val::Const(value), Some(members)) => members.push(value),
                _ => members = None,
            }
        }
        let whole = |members| if matches!(expr, Py::Tuple(_)) { Const::Tuple(members) } else { Const::List(members) };
        let value = match members {
            Some(members) => Val::Const(whole(members)),
            // Not empty, so true; what it holds is not known.
            None if !elements.iter().any(Py::is_starred_expr) => Val::Truth(Cond::constant(true)),
            None => Val::Unknown,
        };
        Found { value, effect }
    }

    fn bool_op(&mut self, operation: &'a ExprBoolOp, env: &Env<'a>, scope: Scope<'a>) -> Found<'a> {
        let is_or = operation.op == BoolOp::Or;
        let mut values: Vec<Val<'a>> = Vec::new();
        let mut effect = no();
        let mut reached = Cond::constant(true);
        for operand in &operation.values {
            let found = self.value(operand, env, scope);
            effect = any([effect, all([reached.may.clone(), found.effect])]);
            let truth = found.value.truth();
            reached = reached.and(&if is_or { truth.not() } else { truth });
            values.push(found.value);
        }
        let value = match (is_or, values.as_mut_slice()) {
            (true, [Val::Field(field), Val::Const(otherwise)]) if field.otherwise.is_none() => {
                Val::Field(Field { otherwise: Some(otherwise.clone()), ..field.clone() })
            }
            (true, [Val::Const(first), second]) => {
                if first.truthy() {
                    Val::Const(first.clone())
                } else {
                    std::mem::replace(second, Val::Unknown)
                }
            }
            (false, [Val::Const(first), second]) => {
                if first.truthy() {
                    std::mem::replace(second, Val::Unknown)
                } else {
                    Val::Const(first.clone())
                }
            }
            // All operands were true for `and`, false for `or`: what is left is the condition to get past the last.
            _ => Val::Truth(if is_or { reached.not() } else { reached }),
        };
        Found { value, effect }
    }

    fn conditional(
        &mut self,
        test: &'a Py,
        body: &'a Py,
        orelse: &'a Py,
        env: &Env<'a>,
        scope: Scope<'a>,
    ) -> Found<'a> {
        let test = self.value(test, env, scope);
        let truth = test.value.truth();
        let (one, other) = (self.value(body, env, scope), self.value(orelse, env, scope));
        let effect =
            any([test.effect, all([truth.may.clone(), one.effect]), all([not(truth.must.clone()), other.effect])]);
        let value = if truth == Cond::constant(true) || one.value == other.value {
            one.value
        } else if truth == Cond::constant(false) {
            other.value
        } else {
            Val::Truth(truth.and(&one.value.truth()).or(&truth.not().and(&other.value.truth())))
        };
        Found { value, effect }
    }

    fn comparison(&mut self, comparison: &'a ExprCompare, env: &Env<'a>, scope: Scope<'a>) -> Found<'a> {
        let mut left = self.value(&comparison.left, env, scope);
        let mut effect = std::mem::replace(&mut left.effect, no());
        let mut holds = Cond::constant(true);
        for (op, right) in comparison.ops.iter().zip(&comparison.comparators) {
            let right = self.value(right, env, scope);
            let (truth, raises) = compare(*op, &left.value, &right.value);
            effect = any([effect, all([holds.may.clone(), any([right.effect, raises])])]);
            holds = holds.and(&truth);
            left.value = right.value;
        }
        Found::truth(holds, effect)
    }

    fn call_expr(&mut self, call: &'a ruff_python_ast::ExprCall, env: &Env<'a>, scope: Scope<'a>) -> Found<'a> {
        if let ([Py::Generator(generator)], []) = (&*call.arguments.args, &*call.arguments.keywords)
            && let Py::Name(name) = &*call.func
            && matches!(name.id.as_str(), "any" | "all")
            && matches!(self.name(name.id.as_str(), env, scope).value, Val::Builtin(_))
        {
            return self.quantified(generator, name.id.as_str() == "any", env, scope);
        }
        let mut effect = no();
        let mut positional = Vec::new();
        let mut named = Vec::new();
        for argument in &call.arguments.args {
            if argument.is_starred_expr() {
                return Found::unknown();
            }
            let found = self.value(argument, env, scope);
            effect = any([effect, found.effect]);
            positional.push(found.value);
        }
        for keyword in &call.arguments.keywords {
            let Some(name) = &keyword.arg else { return Found::unknown() };
            let found = self.value(&keyword.value, env, scope);
            effect = any([effect, found.effect]);
            named.push((name.as_str(), found.value));
        }
        let mut result = match &*call.func {
            Py::Attribute(attribute) => {
                let base = self.value(&attribute.value, env, scope);
                effect = any([effect, base.effect]);
                match base.value {
                    Val::Module(module) => match self.global(attribute.attr.as_str(), module).value {
                        Val::Function(function) => self.function(function, positional, named),
                        _ => Found::unknown(),
                    },
                    base => self.method(base, attribute.attr.as_str(), positional, named),
                }
            }
            function => {
                let function = self.value(function, env, scope);
                effect = any([effect, function.effect]);
                match function.value {
                    Val::Function(function) => self.function(function, positional, named),
                    Val::Builtin(name) if named.is_empty() => builtin(name, &positional),
                    _ => Found::unknown(),
                }
            }
        };
        result.effect = any([effect, result.effect]);
        result
    }

    fn function(
        &mut self,
        function: Callable<'a>,
        positional: Vec<Val<'a>>,
        named: Vec<(&'a str, Val<'a>)>,
    ) -> Found<'a> {
        // This one walks with `functools.reduce`; its meaning is that of the method.
        if (function.scope.module, function.def.name.as_str()) == ("panther_base_helpers", "deep_get") {
            let mut arguments = positional.into_iter();
            return match arguments.next() {
                Some(base @ (Val::Event | Val::Field(_))) => self.deep_get(base, arguments.collect(), named),
                _ => Found::unknown(),
            };
        }
        self.call(function.def, function.scope, positional, named)
    }

    fn method(
        &mut self,
        base: Val<'a>,
        name: &str,
        positional: Vec<Val<'a>>,
        named: Vec<(&'a str, Val<'a>)>,
    ) -> Found<'a> {
        match (base, name, positional.as_slice()) {
            (Val::Event, "udm", [Val::Const(Const::Str(mapped))]) => self.udm(mapped, &named),
            (base @ Val::Event, "deep_get", _) => self.deep_get(base, positional, named),
            (Val::Event, "get", [Val::Const(Const::Str(key)), rest @ ..]) if named.is_empty() => match rest {
                [] => self.under(&[], key, vec![Const::None]),
                [Val::Const(default)] => self.under(&[], key, vec![Const::None, default.clone()]),
                _ => Found::pure(Val::Unknown),
            },
            (Val::Field(field), "get", [Val::Const(Const::Str(key)), rest @ ..]) if named.is_empty() => {
                let effect = field.raises_unless_mapping();
                let mut found = match rest {
                    _ if field.lower || !field.absent_has_no_entries() => return Found { value: Val::Unknown, effect },
                    [] => self.under(&field.keys, key, vec![Const::None]),
                    [Val::Const(default)] => self.under(&field.keys, key, vec![Const::None, default.clone()]),
                    _ => return Found { value: Val::Unknown, effect },
                };
                found.effect = any([found.effect, effect]);
                found
            }
            (Val::Field(field), "startswith" | "endswith", [Val::Const(affix)]) => {
                let (cond, raises) = field.affix(affix, name == "endswith");
                Found::truth(cond, raises)
            }
            (Val::Field(field), "lower", []) => {
                let effect = field.raises_unless_text();
                Found { value: Val::Field(Field { lower: true, ..field }), effect }
            }
            (Val::Const(Const::Str(text)), "lower", []) if text.is_ascii() => {
                Found::pure(Val::Const(Const::Str(text.to_ascii_lowercase())))
            }
            _ => Found::unknown(),
        }
    }

    fn udm(&mut self, name: &str, named: &[(&'a str, Val<'a>)]) -> Found<'a> {
        let default = match named {
            [] => Const::None,
            [("default", Val::Const(default))] => default.clone(),
            _ => return Found::pure(Val::Unknown),
        };
        match self.model.get(name) {
            Some(Some(path)) => self.field(path.clone(), vec![default]),
            // A method of the data model may do anything.
            Some(None) => Found::unknown(),
            None => Found::pure(Val::Unknown),
        }
    }

    fn deep_get(&mut self, base: Val<'a>, keys: Vec<Val<'a>>, named: Vec<(&'a str, Val<'a>)>) -> Found<'a> {
        let default = match named.as_slice() {
            [] => Const::None,
            [("default", Val::Const(default))] => default.clone(),
            [("default", _)] => return Found::pure(Val::Unknown),
            _ => return Found::unknown(),
        };
        let mut path = match base {
            Val::Field(field) if field.lower || !field.absent_has_no_entries() => return Found::pure(Val::Unknown),
            Val::Field(field) => field.keys,
            _ => Vec::new(),
        };
        for key in keys {
            let Val::Const(Const::Str(key)) = key else { return Found::pure(Val::Unknown) };
            path.push(Arc::from(key));
        }
        self.field(path, vec![default])
    }

    fn under(&mut self, keys: &[Arc<str>], key: &str, missing: Vec<Const>) -> Found<'a> {
        let mut path = keys.to_vec();
        path.push(Arc::from(key));
        self.field(path, missing)
    }

    /// A value of the event. Fields that the platform adds are not in the event when the guard is asked.
    fn field(&self, keys: Vec<Arc<str>>, missing: Vec<Const>) -> Found<'a> {
        let added = keys.first().is_none_or(|key| key.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("p_")));
        if added {
            return Found::pure(Val::Unknown);
        }
        let kind = schema::kind(self.log_type, &keys);
        Found::pure(Val::Field(Field { keys, kind, missing, otherwise: None, lower: false }))
    }

    /// `any(… for x in constants)` and `all(…)`.
    fn quantified(&mut self, generator: &'a ExprGenerator, is_any: bool, env: &Env<'a>, scope: Scope<'a>) -> Found<'a> {
        let [comprehension] = generator.generators.as_slice() else { return Found::unknown() };
        let Py::Name(target) = &comprehension.target else { return Found::unknown() };
        let members = match self.value(&comprehension.iter, env, scope).value {
            Val::Const(value) if comprehension.ifs.is_empty() && !comprehension.is_async => value.members(),
            _ => None,
        };
        let Some(members) = members else { return Found::unknown() };
        let mut own = env.clone();
        let mut effect = no();
        let mut holds = Cond::constant(!is_any);
        for member in members {
            own.insert(target.id.as_str(), Val::Const(member));
            let found = self.value(&generator.elt, &own, scope);
            effect = any([effect, found.effect]);
            let truth = found.value.truth();
            holds = if is_any { holds.or(&truth) } else { holds.and(&truth) };
        }
        Found::truth(holds, effect)
    }
}

/// A builtin function.
fn builtin<'a>(name: &str, arguments: &[Val<'a>]) -> Found<'a> {
    match (name, arguments) {
        ("bool", [value]) => Found::pure(Val::Truth(value.truth())),
        ("isinstance", [value, types]) => match type_names(types) {
            Some(types) => {
                let cond = match value {
                    Val::Field(field) => field.is_instance(&types),
                    Val::Const(value) => {
                        let decided =
                            types.iter().try_fold(false, |found, name| Some(found || value.is_instance(name)?));
                        decided.map_or_else(Cond::unknown, Cond::constant)
                    }
                    _ => Cond::unknown(),
                };
                Found::truth(cond, no())
            }
            None => Found::unknown(),
        },
        (name, [Val::Const(value)]) => match convert(name, value) {
            Some(value) => Found::pure(Val::Const(value)),
            None => Found::unknown(),
        },
        _ => Found::unknown(),
    }
}

fn type_names<'a>(types: &Val<'a>) -> Option<Vec<&'a str>> {
    match types {
        Val::Builtin(name @ ("str" | "int" | "float" | "bool" | "list" | "tuple" | "set" | "dict")) => Some(vec![name]),
        _ => None,
    }
}

/// Whether a display names a local of the function, which hides the module's name.
fn mentions_local(expr: &Py, env: &Env<'_>) -> bool {
    use ruff_python_ast::visitor::{self, Visitor};
    struct Locals<'e, 'a>(&'e Env<'a>, bool);
    impl<'a> Visitor<'a> for Locals<'_, '_> {
        fn visit_expr(&mut self, expr: &'a Py) {
            if let Py::Name(name) = expr {
                self.1 |= self.0.contains_key(name.id.as_str());
            }
            visitor::walk_expr(self, expr);
        }
    }
    let mut locals = Locals(env, false);
    locals.visit_expr(expr);
    locals.1
}
