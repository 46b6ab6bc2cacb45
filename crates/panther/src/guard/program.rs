//! The modules that a rule is made of, and what their names stand for.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr as Py, ExprContext, ModModule, Operator, Stmt, StmtFunctionDef};

use super::constant::Const;

/// How far a constant may refer to others.
const MAX_DEPTH: u32 = 8;
/// Methods that change a list, a set or a mapping.
const MUTATORS: &[&str] = &[
    "append",
    "extend",
    "insert",
    "add",
    "update",
    "remove",
    "discard",
    "pop",
    "popitem",
    "clear",
    "setdefault",
    "sort",
    "reverse",
];

/// What a name at the top level of a module stands for.
#[derive(Debug, Clone)]
enum Binding<'a> {
    Function(&'a StmtFunctionDef),
    Value(&'a Py),
    Module(&'a str),
    Member(&'a str, &'a str),
    /// Bound more than once, changed by a function, or in a way that is not followed.
    Opaque,
}

/// A module's top-level names.
#[derive(Debug)]
pub(crate) struct Names<'a> {
    bindings: BTreeMap<&'a str, Binding<'a>>,
}

/// What a name stands for, imports followed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Meaning<'a> {
    /// A function, and the module whose names it sees.
    Function(&'a StmtFunctionDef, &'a Names<'a>, &'a str),
    /// An expression, and the module whose names it sees.
    Value(&'a Py, &'a Names<'a>),
    /// A module of the library.
    Module(&'a str),
    /// Bound, and no more is known.
    Opaque,
    /// Not bound by the module: a builtin, if anything.
    Unbound,
}

/// The modules of a library by name.
pub(crate) type Modules<'a> = BTreeMap<&'a str, Names<'a>>;

impl<'a> Names<'a> {
    /// Reads a module's top level.
    pub(crate) fn of(module: &'a ModModule) -> Names<'a> {
        let mut names = Names { bindings: BTreeMap::new() };
        for stmt in &module.body {
            match stmt {
                Stmt::FunctionDef(def) if def.decorator_list.is_empty() && !def.is_async => {
                    names.bind(def.name.as_str(), Binding::Function(def));
                }
                Stmt::Assign(assign) => match assign.targets.as_slice() {
                    [Py::Name(target)] => names.bind(target.id.as_str(), Binding::Value(&assign.value)),
                    _ => names.opaque(stmt),
                },
                Stmt::AnnAssign(assign) => match (&*assign.target, &assign.value) {
                    (Py::Name(target), Some(value)) => names.bind(target.id.as_str(), Binding::Value(value)),
                    _ => names.opaque(stmt),
                },
                Stmt::Import(import) => {
                    for alias in &import.names {
                        match &alias.asname {
                            Some(name) => names.bind(name.as_str(), Binding::Module(alias.name.as_str())),
                            None if alias.name.contains('.') => {
                                let first = alias.name.split('.').next().unwrap_or_default();
                                names.bind(first, Binding::Opaque);
                            }
                            None => names.bind(alias.name.as_str(), Binding::Module(alias.name.as_str())),
                        }
                    }
                }
                Stmt::ImportFrom(import) => {
                    for alias in &import.names {
                        let name = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
                        match &import.module {
                            Some(module) if import.level == 0 => {
                                names.bind(name, Binding::Member(module.as_str(), alias.name.as_str()));
                            }
                            _ => names.bind(name, Binding::Opaque),
                        }
                    }
                }
                other => names.opaque(other),
            }
        }
        let mut changes = Changes::default();
        module.body.iter().for_each(|stmt| changes.visit_stmt(stmt));
        for name in changes.names {
            names.bindings.insert(name, Binding::Opaque);
        }
        names
    }

    fn bind(&mut self, name: &'a str, binding: Binding<'a>) {
        let binding = if self.bindings.contains_key(name) { Binding::Opaque } else { binding };
        self.bindings.insert(name, binding);
    }

    fn opaque(&mut self, stmt: &'a Stmt) {
        for name in bound_names(std::slice::from_ref(stmt)) {
            self.bindings.insert(name, Binding::Opaque);
        }
    }

    /// What a name stands for.
    pub(super) fn meaning(&'a self, name: &'a str, own: &'a str, modules: &'a Modules<'a>) -> Meaning<'a> {
        self.follow(name, own, modules, 0)
    }

    fn follow(&'a self, name: &'a str, own: &'a str, modules: &'a Modules<'a>, depth: u32) -> Meaning<'a> {
        if self.bindings.contains_key("*") {
            return Meaning::Opaque;
        }
        match self.bindings.get(name) {
            None => Meaning::Unbound,
            Some(Binding::Opaque) => Meaning::Opaque,
            Some(Binding::Function(def)) => Meaning::Function(def, self, own),
            Some(Binding::Value(value)) => Meaning::Value(value, self),
            Some(Binding::Module(module)) => match modules.get_key_value(module) {
                Some((name, _)) => Meaning::Module(name),
                None => Meaning::Opaque,
            },
            Some(Binding::Member(module, member)) => match modules.get_key_value(module) {
                Some((own, names)) if depth < MAX_DEPTH => match names.follow(member, own, modules, depth + 1) {
                    Meaning::Unbound => Meaning::Opaque,
                    meaning => meaning,
                },
                _ => Meaning::Opaque,
            },
        }
    }

    /// The value of an expression of constants; none if it is none, or no more is known.
    pub(super) fn constant(&'a self, expr: &'a Py, modules: &'a Modules<'a>, depth: u32) -> Option<Const> {
        if depth > MAX_DEPTH {
            return None;
        }
        let all = |elements: &'a [Py]| self.constants(elements, modules, depth);
        match expr {
            Py::Tuple(tuple) => Some(Const::Tuple(all(&tuple.elts)?)),
            Py::List(list) => Some(Const::List(all(&list.elts)?)),
            Py::Set(set) => Some(Const::Set(all(&set.elts)?)),
            Py::Dict(dict) => {
                let entry = |item: &'a ruff_python_ast::DictItem| {
                    let key = self.constant(item.key.as_ref()?, modules, depth + 1)?;
                    Some((key, self.constant(&item.value, modules, depth + 1)?))
                };
                Some(Const::Dict(dict.items.iter().map(entry).collect::<Option<_>>()?))
            }
            Py::Name(name) => match self.meaning(name.id.as_str(), "", modules) {
                Meaning::Value(value, names) => names.constant(value, modules, depth + 1),
                _ => None,
            },
            Py::Attribute(attribute) => {
                let Py::Name(base) = &*attribute.value else { return None };
                let Meaning::Module(module) = self.meaning(base.id.as_str(), "", modules) else { return None };
                match modules.get(module)?.meaning(attribute.attr.as_str(), module, modules) {
                    Meaning::Value(value, names) => names.constant(value, modules, depth + 1),
                    _ => None,
                }
            }
            Py::Call(call) => {
                let Py::Name(function) = &*call.func else { return None };
                let ([argument], []) = (&*call.arguments.args, &*call.arguments.keywords) else { return None };
                if !matches!(self.meaning(function.id.as_str(), "", modules), Meaning::Unbound) {
                    return None;
                }
                convert(function.id.as_str(), &self.constant(argument, modules, depth + 1)?)
            }
            Py::BinOp(operation) => {
                let left = self.constant(&operation.left, modules, depth + 1)?;
                let right = self.constant(&operation.right, modules, depth + 1)?;
                join(operation.op, left, right)
            }
            other => literal(other),
        }
    }

    fn constants(&'a self, elements: &'a [Py], modules: &'a Modules<'a>, depth: u32) -> Option<Vec<Const>> {
        let mut values = Vec::with_capacity(elements.len());
        for element in elements {
            match element {
                Py::Starred(starred) => values.extend(self.constant(&starred.value, modules, depth + 1)?.members()?),
                element => values.push(self.constant(element, modules, depth + 1)?),
            }
        }
        Some(values)
    }
}

/// `list`, `tuple`, `set` or `frozenset` of a constant. The order of a set is not known, so it makes no sequence.
pub(super) fn convert(function: &str, source: &Const) -> Option<Const> {
    let ordered = !matches!(source, Const::Set(_));
    match function {
        "list" if ordered => Some(Const::List(source.members()?)),
        "tuple" if ordered => Some(Const::Tuple(source.members()?)),
        "set" | "frozenset" => Some(Const::Set(source.members()?)),
        _ => None,
    }
}

/// Two constants joined by an operator.
fn join(op: Operator, left: Const, right: Const) -> Option<Const> {
    let joined = |mut left: Vec<Const>, right: Vec<Const>| {
        left.extend(right);
        left
    };
    match (op, left, right) {
        (Operator::Add, Const::Str(left), Const::Str(right)) => Some(Const::Str(left + &right)),
        (Operator::Add, Const::List(left), Const::List(right)) => Some(Const::List(joined(left, right))),
        (Operator::Add, Const::Tuple(left), Const::Tuple(right)) => Some(Const::Tuple(joined(left, right))),
        (Operator::BitOr, Const::Set(left), Const::Set(right)) => Some(Const::Set(joined(left, right))),
        _ => None,
    }
}

/// The value of a literal.
pub(super) fn literal(expr: &Py) -> Option<Const> {
    match expr {
        Py::NoneLiteral(_) => Some(Const::None),
        Py::BooleanLiteral(literal) => Some(Const::Bool(literal.value)),
        Py::StringLiteral(literal) => Some(Const::Str(literal.value.to_str().to_owned())),
        Py::NumberLiteral(literal) => match &literal.value {
            ruff_python_ast::Number::Int(value) => value.as_i64().map(Const::Int),
            ruff_python_ast::Number::Float(value) => Some(Const::Float(*value)),
            ruff_python_ast::Number::Complex { .. } => None,
        },
        _ => None,
    }
}

/// Every name that statements may bind in their own scope.
pub(super) fn bound_names(body: &[Stmt]) -> BTreeSet<&str> {
    let mut bound = Bound::default();
    body.iter().for_each(|stmt| bound.visit_stmt(stmt));
    bound.names
}

#[derive(Default)]
struct Bound<'a> {
    names: BTreeSet<&'a str>,
}

impl<'a> Visitor<'a> for Bound<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            // Their bodies are scopes of their own.
            Stmt::FunctionDef(def) => {
                self.names.insert(def.name.as_str());
            }
            Stmt::ClassDef(def) => {
                self.names.insert(def.name.as_str());
            }
            Stmt::Import(import) => {
                self.names.extend(import.names.iter().map(|alias| match &alias.asname {
                    Some(name) => name.as_str(),
                    None => alias.name.split('.').next().unwrap_or_default(),
                }));
            }
            Stmt::ImportFrom(import) => {
                self.names
                    .extend(import.names.iter().map(|alias| alias.asname.as_ref().unwrap_or(&alias.name).as_str()));
            }
            Stmt::Global(global) => self.names.extend(global.names.iter().map(|name| name.as_str())),
            Stmt::Nonlocal(nonlocal) => self.names.extend(nonlocal.names.iter().map(|name| name.as_str())),
            other => visitor::walk_stmt(self, other),
        }
    }

    fn visit_expr(&mut self, expr: &'a Py) {
        if let Py::Name(name) = expr
            && !matches!(name.ctx, ExprContext::Load)
        {
            self.names.insert(name.id.as_str());
        }
        visitor::walk_expr(self, expr);
    }

    fn visit_except_handler(&mut self, handler: &'a ruff_python_ast::ExceptHandler) {
        let ruff_python_ast::ExceptHandler::ExceptHandler(inner) = handler;
        self.names.extend(inner.name.as_ref().map(|name| name.as_str()));
        visitor::walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a ruff_python_ast::Pattern) {
        match pattern {
            ruff_python_ast::Pattern::MatchAs(inner) => {
                self.names.extend(inner.name.as_ref().map(|name| name.as_str()))
            }
            ruff_python_ast::Pattern::MatchStar(inner) => {
                self.names.extend(inner.name.as_ref().map(|name| name.as_str()));
            }
            ruff_python_ast::Pattern::MatchMapping(inner) => {
                self.names.extend(inner.rest.as_ref().map(|name| name.as_str()));
            }
            _ => {}
        }
        visitor::walk_pattern(self, pattern);
    }
}

/// Names whose values the code of a module changes in place or rebinds from within functions.
#[derive(Default)]
struct Changes<'a> {
    names: BTreeSet<&'a str>,
}

impl<'a> Visitor<'a> for Changes<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::Global(global) => self.names.extend(global.names.iter().map(|name| name.as_str())),
            Stmt::AugAssign(assign) => self.names.extend(assign.target.as_name_expr().map(|name| name.id.as_str())),
            _ => {}
        }
        visitor::walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Py) {
        match expr {
            Py::Subscript(subscript) if !matches!(subscript.ctx, ExprContext::Load) => {
                self.names.extend(subscript.value.as_name_expr().map(|name| name.id.as_str()));
            }
            Py::Attribute(attribute)
                if !matches!(attribute.ctx, ExprContext::Load) || MUTATORS.contains(&attribute.attr.as_str()) =>
            {
                self.names.extend(attribute.value.as_name_expr().map(|name| name.id.as_str()));
            }
            _ => {}
        }
        visitor::walk_expr(self, expr);
    }
}
