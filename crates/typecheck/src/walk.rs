//! The walk over a condition: which tests no event can pass, and what that does to the rule.

use std::rc::Rc;

use masthead_ir::expr::FieldPath;
use masthead_ir::pattern::Pattern;
use masthead_ir::{Expr, Level};
use masthead_schema::audit;
use masthead_schema::types::Shape;

use crate::env::{Env, MAX_DEPTH, unwrap};
use crate::facts::{self, Fact};
use crate::field::{self, Read};
use crate::{Fault, literal, requests, resource};

/// Why a test cannot pass, without what follows from it.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) code: &'static str,
    pub(crate) level: Level,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) subject: String,
    /// Whether it could pass under another name or for another resource: a rule may look into several places of which one
    /// is there.
    pub(crate) elsewhere: bool,
}

/// What depends on a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Everything around it.
    All,
    /// One of several ways to match.
    Alternative,
    /// What is taken out.
    Exception,
}

/// A test that was walked over.
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) env: Rc<Env>,
    pub(crate) negated: bool,
}

#[derive(Default)]
struct Walk {
    problems: Vec<(Problem, Reach)>,
    seen: Vec<Seen>,
    facts: Vec<Fact>,
}

/// The faults of one condition, given as tests that must all pass.
pub(crate) fn check(condition: &[&Expr]) -> Vec<Fault> {
    let mut walk = Walk::default();
    let alive = walk.all(condition.iter().copied(), &Env::default(), false, 0);
    let told = walk.problems.into_iter().map(|(problem, reach)| fault(problem, reach, alive));
    told.chain(requests::check(&walk.seen)).collect()
}

fn fault(problem: Problem, reach: Reach, alive: bool) -> Fault {
    let Problem { code, level, message, help, subject, .. } = problem;
    let (end, level) = match reach {
        _ if level == Level::Note => ("", level),
        Reach::All if alive => ("", level),
        Reach::All => (", so the rule can never fire", level),
        Reach::Alternative => (", so this alternative never matches", level),
        // A value too many in an exception does no harm.
        Reach::Exception if code == "impossible-value" => (", so this exception never applies", Level::Note),
        Reach::Exception => (", so this exception never applies", level),
    };
    Fault { code, level, message: format!("{message}{end}"), help, subject }
}

impl Walk {
    /// Walks over an expression and says whether it can be true.
    fn go(&mut self, expr: &Expr, env: &Rc<Env>, negated: bool, depth: usize) -> bool {
        if depth > MAX_DEPTH {
            return true;
        }
        let start = self.problems.len();
        match unwrap(expr) {
            Expr::And(parts) => self.all(parts.iter(), env, negated, depth + 1),
            Expr::Or(parts) => {
                let mut alive = false;
                for part in parts {
                    alive |= self.go(part, env, negated, depth + 1);
                }
                if alive {
                    // A list of values of which another test takes some away narrows, and is no contradiction.
                    let list = facts::any_of(parts).is_some();
                    let below = self.problems.split_off(start);
                    let untold = |problem: &Problem| problem.elsewhere || (list && problem.code == "contradiction");
                    let below = below.into_iter().filter(|(problem, _)| !untold(problem));
                    self.problems.extend(below.map(|(problem, _)| (problem, Reach::Alternative)));
                }
                alive
            }
            Expr::Not(part) => {
                self.go(part, env, true, depth + 1);
                self.mark(start, Reach::Exception);
                true
            }
            leaf => self.leaf(leaf, &Rc::new(env.and(leaf)), negated),
        }
    }

    /// Walks over expressions that must all be true, each with what the others say.
    fn all<'e>(
        &mut self,
        parts: impl Iterator<Item = &'e Expr> + Clone,
        env: &Env,
        negated: bool,
        depth: usize,
    ) -> bool {
        let known = self.facts.len();
        let mut inner = env.clone();
        for part in parts.clone() {
            inner = inner.and(part);
            facts::collect(part, &mut self.facts);
        }
        let inner = Rc::new(inner);
        let mut alive = true;
        for part in parts {
            alive &= self.go(part, &inner, negated, depth);
        }
        self.facts.truncate(known);
        alive
    }

    fn mark(&mut self, start: usize, reach: Reach) {
        for (_, known) in &mut self.problems[start..] {
            *known = reach;
        }
    }

    fn leaf(&mut self, leaf: &Expr, env: &Rc<Env>, negated: bool) -> bool {
        match leaf {
            Expr::Test { field, pattern } => self.test(field, Some(pattern), leaf, env, negated),
            Expr::Differs { field, .. } => self.test(field, None, leaf, env, negated),
            Expr::Compare { left, right, .. } => match (&**left, &**right) {
                (Expr::Field(field), Expr::Literal(_)) => {
                    let pattern = facts::test(leaf).map(|(_, pattern)| pattern);
                    self.test(field, pattern.as_ref(), leaf, env, negated)
                }
                (Expr::Field(left), Expr::Field(right)) => {
                    let left = self.test(left, None, leaf, env, negated);
                    self.test(right, None, leaf, env, negated) && left
                }
                _ => true,
            },
            _ => true,
        }
    }

    /// Whether a test of a field can pass.
    fn test(
        &mut self,
        field: &FieldPath,
        pattern: Option<&Pattern>,
        leaf: &Expr,
        env: &Rc<Env>,
        negated: bool,
    ) -> bool {
        let read = match field::read(field, env) {
            Ok(read) => read,
            Err(problem) => return self.refuse(problem),
        };
        self.seen.push(Seen { name: read.name.clone(), env: env.clone(), negated });
        let asks_absence = negated && pattern == Some(&Pattern::Present);
        if let Some(problem) = held_back(&read.name, env)
            && !asks_absence
        {
            return self.refuse(problem);
        }
        if let Some(pattern) = pattern
            && !self.values(&read, pattern, env)
        {
            return false;
        }
        negated || !read.single() || self.agrees(&read.name, leaf)
    }

    fn refuse(&mut self, problem: Problem) -> bool {
        self.problems.push((problem, Reach::All));
        false
    }

    /// Whether one of the values that a test asks for is possible.
    fn values(&mut self, read: &Read, pattern: &Pattern, env: &Env) -> bool {
        let start = self.problems.len();
        let alive = match pattern {
            Pattern::AnyOf(parts) => {
                let mut alive = false;
                for part in parts {
                    alive |= self.values(read, part, env);
                }
                alive || parts.is_empty()
            }
            one => match resource::problem(read, one, env).or_else(|| impossible(read, one, env)) {
                Some(problem) => self.refuse(problem),
                None => true,
            },
        };
        if alive {
            self.mark(start, Reach::Alternative);
        }
        alive
    }

    /// Whether a test agrees with the other tests of its field that must hold.
    fn agrees(&mut self, name: &str, leaf: &Expr) -> bool {
        let known = self.facts.len();
        facts::collect(leaf, &mut self.facts);
        let conflict = facts::conflict(&self.facts, name);
        self.facts.truncate(known);
        let problem = || Problem {
            code: "contradiction",
            level: Level::Warning,
            message: format!("the tests of `{name}` exclude each other"),
            help: None,
            subject: name.to_owned(),
            elsewhere: false,
        };
        !conflict || self.refuse(problem())
    }
}

/// Why a field is not there at the levels or stages that the conditions demand.
fn held_back(name: &str, env: &Env) -> Option<Problem> {
    let never = |field: &str, has: fn(&str, &str) -> bool| {
        let values = env.get(field)?;
        let none = !values.is_empty() && !values.iter().any(|value| has(name, value));
        none.then(|| values.join("` or `"))
    };
    let problem = |code, what: &str, values: String, help: String| Problem {
        code,
        level: Level::Warning,
        message: format!("events of {what} `{values}` have no `{}`", audit::root(name)),
        help: Some(help),
        subject: name.to_owned(),
        elsewhere: false,
    };
    if let Some(values) = never("level", audit::has_at_level) {
        let help = format!("it is logged from level `{}` on", audit::level_of(name));
        return Some(problem("level-excludes", "level", values, help));
    }
    let values = never("stage", audit::has_at_stage)?;
    Some(problem("stage-excludes", "stage", values, "it is there at stage `ResponseComplete`".to_owned()))
}

/// Why no event has a value that passes a test.
fn impossible(read: &Read, pattern: &Pattern, env: &Env) -> Option<Problem> {
    let text = literal::subject(pattern)?;
    let name = &read.name;
    let problem = |message: String, help: Option<String>| {
        let subject = text.clone();
        Some(Problem { code: "impossible-value", level: Level::Warning, message, help, subject, elsewhere: false })
    };
    if let Some(mut values) = audit::values_of(name) {
        let of_resource = name == "verb" && env.get("objectRef.resource").is_some_and(|names| !names.is_empty());
        if of_resource {
            values.retain(|value| audit::VERBS.contains(value) || matches!(*value, "proxy" | ""));
        }
        if values.iter().any(|value| literal::decide(pattern, value) != Some(false)) {
            return None;
        }
        let whose = if of_resource { " of a request for a resource" } else { "" };
        return problem(format!("`{name}`{whose} is never `{text}`"), Some(way_out(name, &text, &values)));
    }
    let reason = |shape: &Shape| no_value(shape, read.typed, pattern, &text);
    let reasons: Option<Vec<&str>> = read.places.iter().map(|place| reason(&place.shape)).collect();
    let kind = *reasons?.first()?;
    problem(format!("`{name}` is {kind}, and never `{text}`"), None)
}

/// What a field holds, if none of that can pass the test.
fn no_value(shape: &Shape, typed: bool, pattern: &Pattern, text: &str) -> Option<&'static str> {
    // Read as text, JSON null is this word.
    if text == "null" || text.chars().all(|c| c == '*') {
        return None;
    }
    match shape {
        Shape::Integer | Shape::Number => {
            let numeric = |c: char| c.is_ascii_digit() || matches!(c, '*' | '.' | '-' | '+' | 'e' | 'E' | ' ');
            (!text.chars().all(numeric)).then_some("a number")
        }
        Shape::Boolean => {
            let never = ["true", "false"].iter().all(|value| literal::decide(pattern, value) == Some(false));
            never.then_some("`true` or `false`")
        }
        Shape::Object(_) | Shape::Map(_) if !typed => Some("an object"),
        _ => None,
    }
}

fn way_out(name: &str, text: &str, values: &[&str]) -> String {
    let lower = text.to_ascii_lowercase();
    match (name, lower.as_str()) {
        ("verb", "impersonate") => "requests made as somebody else have `impersonatedUser.username`".to_owned(),
        ("verb", verb) if audit::STREAMS.contains(&verb) => {
            format!("it is a subresource: test `objectRef.subresource` for `{verb}`")
        }
        ("verb", "replace" | "put") => "the verb is `update`".to_owned(),
        ("verb", "post") => "the verb is `create`".to_owned(),
        ("verb", verb) if audit::RBAC_ONLY.contains(&verb) => {
            format!("`{verb}` is a verb of RBAC rules; no request has it")
        }
        ("verb", _) => format!("verbs are `{}`", audit::VERBS.join("`, `")),
        _ => format!("it can be `{}`", values.join("`, `")),
    }
}
