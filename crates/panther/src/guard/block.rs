//! Statements: under which conditions a function returns what.

use std::collections::BTreeMap;

use masthead_ir::expr::Expr;
use ruff_python_ast::{Expr as Py, Parameters, Stmt, StmtFunctionDef, StmtIf};

use super::constant::Const;
use super::evaluate::{Evaluator, Found, Scope, Val};
use super::logic::{Cond, all, any, no, yes};
use super::program::bound_names;

/// How deep calls of helper functions are followed.
const MAX_CALLS: u32 = 8;
/// How deep blocks are followed.
const MAX_BLOCKS: u32 = 60;

/// The local names of a function and what they hold.
pub(super) type Env<'a> = BTreeMap<&'a str, Val<'a>>;

/// What a block of statements does.
pub(super) struct Block<'a> {
    /// Its returns: under which condition, and what.
    pub(super) returns: Vec<(Cond, Val<'a>)>,
    /// When its end is reached.
    pub(super) falls: Cond,
    /// Where it may raise or do more than compute.
    pub(super) effect: Expr,
}

impl<'a> Block<'a> {
    fn empty() -> Block<'a> {
        Block { returns: Vec::new(), falls: Cond::constant(true), effect: no() }
    }

    /// One of which nothing is known.
    fn unknown() -> Block<'a> {
        Block { returns: vec![(Cond::unknown(), Val::Unknown)], falls: Cond::unknown(), effect: yes() }
    }

    /// What follows this one.
    fn then(&mut self, next: Block<'a>) {
        for (path, value) in next.returns {
            self.returns.push((self.falls.and(&path), value));
        }
        self.effect = any([self.effect.clone(), all([self.falls.may.clone(), next.effect])]);
        self.falls = self.falls.and(&next.falls);
    }

    /// When what it returns is true; its end counts as a return of `None`.
    pub(super) fn truth(&self) -> Cond {
        self.returns.iter().fold(Cond::constant(false), |found, (path, value)| found.or(&path.and(&value.truth())))
    }
}

impl<'a> Evaluator<'a> {
    /// A call of a function of the program with evaluated arguments.
    pub(super) fn call(
        &mut self,
        function: &'a StmtFunctionDef,
        scope: Scope<'a>,
        positional: Vec<Val<'a>>,
        named: Vec<(&'a str, Val<'a>)>,
    ) -> Found<'a> {
        if self.calls >= MAX_CALLS || !self.step() || yields(&function.body) {
            return Found::unknown();
        }
        let Some(mut env) = self.bind(function, scope, positional, named) else { return Found::unknown() };
        for name in bound_names(&function.body) {
            env.entry(name).or_insert(Val::Unbound);
        }
        self.calls += 1;
        let mut block = self.block(&function.body, &mut env, scope, 0);
        self.calls -= 1;
        let value = match block.returns.as_mut_slice() {
            [(_, value)] if block.falls.never() => std::mem::replace(value, Val::Unknown),
            _ => Val::Truth(block.truth()),
        };
        Found { value, effect: block.effect }
    }

    fn bind(
        &mut self,
        function: &'a StmtFunctionDef,
        scope: Scope<'a>,
        positional: Vec<Val<'a>>,
        named: Vec<(&'a str, Val<'a>)>,
    ) -> Option<Env<'a>> {
        let Parameters { posonlyargs, args, vararg, kwonlyargs, kwarg, .. } = &*function.parameters;
        if vararg.is_some() || kwarg.is_some() || positional.len() > posonlyargs.len() + args.len() {
            return None;
        }
        let mut env = Env::new();
        let in_order = posonlyargs.iter().chain(args);
        for (parameter, value) in in_order.zip(positional) {
            env.insert(parameter.parameter.name.as_str(), value);
        }
        for (name, value) in named {
            let known = args.iter().chain(kwonlyargs).any(|parameter| parameter.parameter.name.as_str() == name);
            if !known || env.insert(name, value).is_some() {
                return None;
            }
        }
        for parameter in posonlyargs.iter().chain(args).chain(kwonlyargs) {
            let name = parameter.parameter.name.as_str();
            if !env.contains_key(name) {
                let default = scope.names.constant(parameter.default.as_deref()?, self.modules, 0);
                env.insert(name, default.map_or(Val::Unknown, Val::Const));
            }
        }
        Some(env)
    }

    /// A block of statements.
    pub(super) fn block(&mut self, body: &'a [Stmt], env: &mut Env<'a>, scope: Scope<'a>, depth: u32) -> Block<'a> {
        let mut done = Block::empty();
        for stmt in body {
            if done.falls.never() {
                break;
            }
            let next = if depth < MAX_BLOCKS && self.step() {
                self.statement(stmt, env, scope, depth)
            } else {
                forget(stmt, env);
                Block::unknown()
            };
            done.then(next);
        }
        done
    }

    fn statement(&mut self, stmt: &'a Stmt, env: &mut Env<'a>, scope: Scope<'a>, depth: u32) -> Block<'a> {
        match stmt {
            Stmt::Pass(_) => Block::empty(),
            Stmt::Return(inner) => {
                let found = match &inner.value {
                    Some(value) => self.value(value, env, scope),
                    None => Found::pure(Val::Const(Const::None)),
                };
                Block {
                    returns: vec![(Cond::constant(true), found.value)],
                    falls: Cond::constant(false),
                    effect: found.effect,
                }
            }
            Stmt::Expr(inner) => {
                let found = self.value(&inner.value, env, scope);
                Block { effect: found.effect, ..Block::empty() }
            }
            Stmt::Assign(assign) => match assign.targets.as_slice() {
                [Py::Name(target)] => self.assign(target.id.as_str(), &assign.value, env, scope),
                _ => {
                    forget(stmt, env);
                    Block { effect: yes(), ..Block::empty() }
                }
            },
            Stmt::AnnAssign(assign) => match (&*assign.target, &assign.value) {
                (Py::Name(target), Some(value)) => self.assign(target.id.as_str(), value, env, scope),
                (Py::Name(_), None) => Block::empty(),
                _ => Block::unknown(),
            },
            Stmt::If(inner) => self.branches(inner, env, scope, depth),
            other => {
                forget(other, env);
                Block::unknown()
            }
        }
    }

    fn assign(&mut self, name: &'a str, value: &'a Py, env: &mut Env<'a>, scope: Scope<'a>) -> Block<'a> {
        let found = self.value(value, env, scope);
        // An assignment to a name that the function declares global outlives the call.
        let escapes = self.globals.contains(name);
        env.insert(name, if escapes { Val::Unknown } else { found.value });
        Block { effect: if escapes { yes() } else { found.effect }, ..Block::empty() }
    }

    fn branches(&mut self, stmt: &'a StmtIf, env: &mut Env<'a>, scope: Scope<'a>, depth: u32) -> Block<'a> {
        let mut result = Block { returns: Vec::new(), falls: Cond::constant(false), effect: no() };
        let mut reached = Cond::constant(true);
        let mut merged: Option<Env<'a>> = None;
        let first = (Some(&*stmt.test), stmt.body.as_slice());
        let others = stmt.elif_else_clauses.iter().map(|clause| (clause.test.as_ref(), clause.body.as_slice()));
        let mut has_else = false;
        for (test, body) in std::iter::once(first).chain(others) {
            let taken = match test {
                Some(test) => {
                    let found = self.test(test, env, scope);
                    result.effect = any([result.effect, all([reached.may.clone(), found.effect])]);
                    let truth = found.value.truth();
                    let taken = reached.and(&truth);
                    reached = reached.and(&truth.not());
                    taken
                }
                None => {
                    has_else = true;
                    std::mem::replace(&mut reached, Cond::constant(false))
                }
            };
            if taken.never() {
                continue;
            }
            let mut own = env.clone();
            let block = self.block(body, &mut own, scope, depth + 1);
            for (path, value) in block.returns {
                result.returns.push((taken.and(&path), value));
            }
            result.effect = any([result.effect, all([taken.may.clone(), block.effect])]);
            if !block.falls.never() {
                result.falls = result.falls.or(&taken.and(&block.falls));
                merged = Some(merge(merged, own));
            }
        }
        if !has_else && !reached.never() {
            result.falls = result.falls.or(&reached);
            merged = Some(merge(merged, env.clone()));
        }
        if let Some(merged) = merged {
            *env = merged;
        }
        result
    }

    /// The test of an `if`, which may bind a name.
    fn test(&mut self, test: &'a Py, env: &mut Env<'a>, scope: Scope<'a>) -> Found<'a> {
        if let Py::Named(named) = test
            && let Py::Name(target) = &*named.target
        {
            let found = self.value(&named.value, env, scope);
            env.insert(target.id.as_str(), found.value.clone());
            return found;
        }
        self.value(test, env, scope)
    }
}

/// The names after either of two ways: what they agree on.
fn merge<'a>(one: Option<Env<'a>>, other: Env<'a>) -> Env<'a> {
    let Some(one) = one else { return other };
    let mut merged = Env::new();
    for (name, value) in one {
        let kept = match other.get(name) {
            Some(same) if *same == value => value,
            Some(Val::Unbound) | None => Val::Unbound,
            Some(_) if value == Val::Unbound => Val::Unbound,
            Some(_) => Val::Unknown,
        };
        merged.insert(name, kept);
    }
    merged
}

/// After a statement that is not followed, what it may have bound is not known.
fn forget<'a>(stmt: &'a Stmt, env: &mut Env<'a>) {
    for name in bound_names(std::slice::from_ref(stmt)) {
        env.insert(name, Val::Unknown);
    }
}

/// Whether a function's body makes it a generator.
fn yields(body: &[Stmt]) -> bool {
    use ruff_python_ast::visitor::{self, Visitor};
    #[derive(Default)]
    struct Yields(bool);
    impl<'a> Visitor<'a> for Yields {
        fn visit_expr(&mut self, expr: &'a Py) {
            self.0 |= matches!(expr, Py::Yield(_) | Py::YieldFrom(_) | Py::Await(_));
            visitor::walk_expr(self, expr);
        }
    }
    let mut found = Yields::default();
    body.iter().for_each(|stmt| found.visit_stmt(stmt));
    found.0
}
