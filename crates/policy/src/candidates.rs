//! Requests that stand for those a branch is about.
//!
//! A policy tells requests apart by plain names, so it is enough to ask it about examples: every verb and resource that
//! the branch can mean, with a few users, namespaces and names. Where a pattern gives no example (a regular expression
//! that no known name matches) nothing is said.

use masthead_ir::Value;
use masthead_ir::eval::CompiledPattern;
use masthead_ir::pattern::{Case, Differs, Pattern};

use crate::level::{Level, Stage};
use crate::needs::{Branch, Check, Dimension, literal_text};

/// A branch with its patterns compiled.
pub(crate) struct Tester<'b> {
    pub(crate) branch: &'b Branch,
    tests: Vec<Test<'b>>,
}

struct Test<'b> {
    dimension: Dimension,
    check: Check,
    pattern: &'b Pattern,
    /// None for what cannot be compiled: it passes.
    compiled: Option<CompiledPattern>,
}

impl Test<'_> {
    fn passes(&self, values: &[&str]) -> bool {
        let Some(compiled) = &self.compiled else { return true };
        let single = |value: &str| {
            compiled.matches_str(value) || value.parse().is_ok_and(|number| compiled.matches(&Value::Int(number)))
        };
        let differs = |rule| match rule {
            Differs::SomeValue => values.iter().any(|value| !single(value)),
            Differs::EveryValue => !values.is_empty() && !values.iter().any(|value| single(value)),
        };
        match self.check {
            Check::Passes => values.iter().any(|value| single(value)),
            Check::Fails => !values.iter().any(|value| single(value)),
            Check::Differs(rule) => differs(rule),
            Check::Agrees(rule) => !differs(rule),
        }
    }

    fn positive(&self) -> bool {
        let trivial = match self.pattern {
            Pattern::Present => true,
            Pattern::Wildcard { glob, .. } => glob.bytes().all(|byte| byte == b'*'),
            _ => false,
        };
        self.check == Check::Passes && !trivial
    }
}

/// A user with its groups; without a name: nobody could be made out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct User {
    pub(crate) name: Option<String>,
    pub(crate) groups: Vec<String>,
}

/// Examples, or why there are none.
pub(crate) enum Examples<T> {
    Some(Vec<T>),
    /// There can be none.
    Impossible,
    /// There may be some, but none is known.
    Unknown,
}

/// Names that are tried where a rule describes users by a pattern.
const USERS: &[&str] = &[
    "jane",
    "system:serviceaccount:default:default",
    "system:anonymous",
    "kubernetes-admin",
    "jane@example.com",
    "system:admin",
    "system:apiserver",
    "system:kube-controller-manager",
    "system:kube-scheduler",
    "system:kube-proxy",
    "system:node:node-1",
    "system:bootstrap:abcdef",
    "system:serviceaccount:kube-system:default",
    "eks:node-manager",
    "arn:aws:iam::123456789012:user/jane",
];
/// How many of [`USERS`] stand for everybody.
const EVERYBODY: usize = 3;

impl<'b> Tester<'b> {
    pub(crate) fn new(branch: &'b Branch) -> Tester<'b> {
        let test = |constraint: &'b crate::needs::Constraint| Test {
            dimension: constraint.dimension,
            check: constraint.check,
            pattern: &constraint.pattern,
            compiled: CompiledPattern::new(&constraint.pattern).ok(),
        };
        Tester { branch, tests: branch.constraints.iter().map(test).collect() }
    }

    fn of(&self, dimension: Dimension) -> impl Iterator<Item = &Test<'b>> {
        self.tests.iter().filter(move |test| test.dimension == dimension)
    }

    /// Whether these values of a dimension are allowed; none: whether it may be missing.
    pub(crate) fn passes(&self, dimension: Dimension, values: &[&str]) -> bool {
        self.of(dimension).all(|test| test.passes(values))
    }

    /// The same of one value, of which the empty text stands for none.
    pub(crate) fn allows(&self, dimension: Dimension, value: &str) -> bool {
        let values = [value];
        self.passes(dimension, if value.is_empty() { &[] } else { &values })
    }

    /// Whether the branch names or describes the values that it wants.
    pub(crate) fn lists(&self, dimension: Dimension) -> bool {
        self.of(dimension).any(Test::positive)
    }

    /// Whether every wanted value is named as it is.
    pub(crate) fn exact(&self, dimension: Dimension) -> bool {
        let described = |pattern: &Pattern| !matches!(pattern, Pattern::Text { .. } | Pattern::Same(_));
        let mut positive = self.of(dimension).filter(|test| test.positive());
        self.lists(dimension) && positive.all(|test| !any_pattern(test.pattern, &described))
    }

    /// Whether a wanted value is described in a way that gives no example.
    pub(crate) fn opaque(&self, dimension: Dimension) -> bool {
        self.of(dimension).any(|test| {
            matches!(test.check, Check::Passes | Check::Differs(_))
                && (test.compiled.is_none() || any_pattern(test.pattern, &is_opaque))
        })
    }

    /// Whether a wanted value is described by something that may stand anywhere in it.
    pub(crate) fn loose(&self, dimension: Dimension) -> bool {
        let inside = |pattern: &Pattern| match pattern {
            Pattern::Contains { .. } | Pattern::Suffix { .. } => true,
            Pattern::Wildcard { glob, .. } => glob.starts_with('*'),
            other => is_opaque(other),
        };
        self.of(dimension).any(|test| test.check == Check::Passes && any_pattern(test.pattern, &inside))
    }

    /// The values that are named as they are.
    pub(crate) fn named(&self, dimension: Dimension) -> Vec<String> {
        self.collected(dimension, false)
    }

    /// Values that are named, and examples of those that are described.
    pub(crate) fn examples(&self, dimension: Dimension) -> Vec<String> {
        self.collected(dimension, true)
    }

    fn collected(&self, dimension: Dimension, described: bool) -> Vec<String> {
        let mut texts = Vec::new();
        for test in self.of(dimension).filter(|test| matches!(test.check, Check::Passes | Check::Agrees(_))) {
            examples_of(test.pattern, described, &mut texts);
        }
        texts.retain(|text| !text.is_empty() && self.passes(dimension, &[text]));
        texts.sort();
        texts.dedup();
        texts
    }

    /// Whether only a request without a known user (status 401) is meant.
    pub(crate) fn nobody(&self) -> bool {
        let codes = ["200", "201", "101", "204", "400", "403", "404", "409", "422", "429", "500", "503"];
        self.passes(Dimension::Code, &["401"]) && !codes.iter().any(|code| self.passes(Dimension::Code, &[code]))
    }

    /// Users that the branch can mean.
    pub(crate) fn users(&self) -> Examples<User> {
        let nobody = User { name: None, groups: Vec::new() };
        if self.nobody() {
            return self.users_of(vec![nobody], false);
        }
        let describes = self.lists(Dimension::Username) || self.lists(Dimension::Groups);
        let tried = if describes { USERS } else { &USERS[..EVERYBODY] };
        let mut names = self.examples(Dimension::Username);
        names.extend(tried.iter().map(|name| (*name).to_owned()));
        let mut users: Vec<User> = names.into_iter().map(user).collect();
        let known = users.clone();
        for group in self.examples(Dimension::Groups) {
            users.extend(known.iter().filter(|user| !user.groups.contains(&group)).map(|user| {
                let groups = user.groups.iter().chain([&group]).cloned().collect();
                User { name: user.name.clone(), groups }
            }));
        }
        match self.users_of(users, true) {
            Examples::Impossible => self.users_of(vec![nobody], false),
            users => users,
        }
    }

    fn users_of(&self, users: Vec<User>, guess: bool) -> Examples<User> {
        let users: Vec<User> = users.into_iter().filter(|user| self.fits(user)).collect();
        if !users.is_empty() {
            return Examples::Some(users);
        }
        let unclear = self.opaque(Dimension::Username) || self.opaque(Dimension::Groups);
        if guess && unclear { Examples::Unknown } else { Examples::Impossible }
    }

    /// Whether the branch can be about this user.
    pub(crate) fn fits(&self, user: &User) -> bool {
        let groups: Vec<&str> = user.groups.iter().map(String::as_str).collect();
        self.allows(Dimension::Username, user.name.as_deref().unwrap_or_default())
            && self.passes(Dimension::Groups, &groups)
    }

    /// The stages at which an event can be what the branch means, for a request that takes long or not.
    ///
    /// Bodies and status are there once the request was handled; the body of an answer only at the end.
    pub(crate) fn stages(&self, long: bool) -> Vec<Stage> {
        let usual: &[Stage] = match (self.nobody(), long) {
            (true, _) => &[Stage::ResponseStarted],
            (false, true) => &[Stage::RequestReceived, Stage::ResponseStarted, Stage::ResponseComplete],
            (false, false) => &[Stage::RequestReceived, Stage::ResponseComplete],
        };
        let allowed = |stage: &Stage| self.passes(Dimension::Stage, &[stage.name()]);
        let mut stages: Vec<Stage> = usual.iter().copied().filter(allowed).collect();
        if stages.is_empty() {
            stages = Stage::ALL.into_iter().filter(allowed).collect();
        }
        if self.branch.late {
            stages.retain(|stage| *stage != Stage::RequestReceived);
        }
        if self.branch.level == Level::RequestResponse {
            stages.retain(|stage| *stage == Stage::ResponseComplete);
        }
        stages
    }
}

/// A user with the groups that the API server gives it by its name (Kubernetes, "Authenticating").
pub(crate) fn user(name: String) -> User {
    let mut groups = Vec::new();
    if name == "system:anonymous" {
        groups.push("system:unauthenticated".to_owned());
    } else {
        if let Some((namespace, _)) = name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'))
        {
            groups.push("system:serviceaccounts".to_owned());
            groups.push(format!("system:serviceaccounts:{namespace}"));
        } else if name.starts_with("system:node:") {
            groups.push("system:nodes".to_owned());
        }
        groups.push("system:authenticated".to_owned());
    }
    User { name: Some(name), groups }
}

fn is_opaque(pattern: &Pattern) -> bool {
    matches!(pattern, Pattern::Regex(_) | Pattern::Order { .. } | Pattern::Cidr { .. } | Pattern::Phrase { .. })
}

fn any_pattern(pattern: &Pattern, is: &dyn Fn(&Pattern) -> bool) -> bool {
    match pattern {
        Pattern::AnyOf(patterns) => patterns.iter().any(|pattern| any_pattern(pattern, is)),
        single => is(single),
    }
}

fn examples_of(pattern: &Pattern, described: bool, texts: &mut Vec<String>) {
    match pattern {
        Pattern::Text { text, case, .. } => {
            texts.push(text.clone());
            if *case == Case::Folded {
                texts.push(text.to_lowercase());
            }
        }
        Pattern::Same(value) => texts.extend(literal_text(value)),
        Pattern::AnyOf(patterns) => patterns.iter().for_each(|pattern| examples_of(pattern, described, texts)),
        Pattern::Wildcard { glob, .. } if !glob.contains('*') => texts.push(glob.clone()),
        _ if !described => {}
        Pattern::Wildcard { glob, .. } => texts.push(glob.replace('*', "x")),
        Pattern::Prefix { text, .. } => texts.extend([text.clone(), format!("{text}x")]),
        Pattern::Suffix { text, .. } => texts.extend([text.clone(), format!("x{text}")]),
        Pattern::Contains { text, .. } => texts.push(text.clone()),
        _ => {}
    }
}
