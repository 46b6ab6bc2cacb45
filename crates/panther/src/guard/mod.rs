//! Guards: what of a rule's program can be read off its syntax tree.
//!
//! The program is evaluated once per log type over what is known of such events before any is seen: a value of the event
//! is a path, a condition is a pair of conditions over paths that enclose it ([`logic::Cond`]). An event for which the
//! guard is false makes `rule()` return a false value, without an exception and without an effect that outlives the call;
//! whatever is not understood makes the guard true. Exceptions count as unknown, since they must be reported.

mod block;
mod compare;
mod constant;
mod evaluate;
mod field;
mod logic;
mod program;
mod schema;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use masthead_ir::expr::{Expr, FieldPath};
use masthead_ir::pattern::Pattern;
use masthead_ir::value::Value;
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{ModModule, Stmt};

use block::{Block, Env};
use evaluate::{Evaluator, Scope, Val};
use logic::{all, any, is_no, is_yes, no, not, present, test, yes};
use program::Meaning;
pub(crate) use program::{Modules, Names};

/// A data model: names and the path that each stands for; none for a method.
pub(crate) type Model = BTreeMap<String, Option<Vec<Arc<str>>>>;

/// The field of the envelope that names the log type of an event.
pub const LOG_TYPE_FIELD: &str = "log_type";
/// The same in an event that the platform has already been through.
const OWN_LOG_TYPE: &str = "p_log_type";

/// The guard of a rule: false only for events that it certainly does not match.
pub(crate) fn extract(
    rule: &ModModule,
    modules: &Modules<'_>,
    log_types: &[String],
    models: &BTreeMap<String, Model>,
) -> Expr {
    let names = Names::of(rule);
    let empty = Model::new();
    let parts = log_types.iter().map(|log_type| {
        let model = models.get(log_type).unwrap_or(&empty);
        let guard = of_log_type(rule, &names, modules, log_type, model);
        if is_yes(&guard) { yes() } else { any([other_log_type(log_type), guard]) }
    });
    if log_types.is_empty() { yes() } else { all(parts) }
}

/// Whether an event is, or says that it is, of another log type than this one.
fn other_log_type(log_type: &str) -> Expr {
    let same = || Pattern::Same(Value::text(log_type));
    let own: [Arc<str>; 1] = [Arc::from(OWN_LOG_TYPE)];
    let elsewhere = not(Expr::Test { field: FieldPath::flat(LOG_TYPE_FIELD), pattern: same() });
    any([elsewhere, all([present(&own), not(test(&own, same()))])])
}

/// The condition that decides for events of a log type; none where the program does not tell it for certain.
pub(crate) fn exact(rule: &ModModule, modules: &Modules<'_>, log_type: &str, model: &Model) -> Option<Expr> {
    let names = Names::of(rule);
    let block = evaluated(rule, &names, modules, log_type, model)?;
    let truth = block.truth();
    (truth.may == truth.must && is_no(&block.effect)).then_some(truth.may)
}

fn of_log_type<'a>(
    rule: &'a ModModule,
    names: &'a Names<'a>,
    modules: &'a Modules<'a>,
    log_type: &'a str,
    model: &'a Model,
) -> Expr {
    match evaluated(rule, names, modules, log_type, model) {
        Some(block) => any([block.truth().may, block.effect, no()]),
        None => yes(),
    }
}

/// What the function `rule` does; none if there is none that takes an event.
fn evaluated<'a>(
    rule: &'a ModModule,
    names: &'a Names<'a>,
    modules: &'a Modules<'a>,
    log_type: &'a str,
    model: &'a Model,
) -> Option<Block<'a>> {
    // A name that no module can have: the rule's own.
    let scope = Scope { names, module: "" };
    let Meaning::Function(def, ..) = names.meaning("rule", "", modules) else { return None };
    let [parameter] = def.parameters.args.as_slice() else { return None };
    if parameter.default.is_some() || def.parameters.len() != 1 {
        return None;
    }
    let mut evaluator =
        Evaluator { modules, log_type, model, calls: 0, globals: declared_global(rule), steps: 0, depth: 0 };
    let mut env = Env::new();
    for name in program::bound_names(&def.body) {
        env.insert(name, Val::Unbound);
    }
    env.insert(parameter.parameter.name.as_str(), Val::Event);
    Some(evaluator.block(&def.body, &mut env, scope, 0))
}

/// Names that functions of a module declare global.
fn declared_global(module: &ModModule) -> BTreeSet<&str> {
    #[derive(Default)]
    struct Globals<'a>(BTreeSet<&'a str>);
    impl<'a> Visitor<'a> for Globals<'a> {
        fn visit_stmt(&mut self, stmt: &'a Stmt) {
            if let Stmt::Global(global) = stmt {
                self.0.extend(global.names.iter().map(|name| name.as_str()));
            }
            visitor::walk_stmt(self, stmt);
        }
    }
    let mut globals = Globals::default();
    module.body.iter().for_each(|stmt| globals.visit_stmt(stmt));
    globals.0
}
