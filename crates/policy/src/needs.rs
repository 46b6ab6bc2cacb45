//! What the condition of a rule needs of a log.
//!
//! A condition becomes alternatives ([`Branch`]): each says which requests it is about, as far as an audit policy could
//! tell them apart, and the least level at which it can be true. What cannot be said so is left out, so that a branch
//! takes rather too many requests than too few. A negated test needs no field: it holds where the field is missing.

use masthead_ir::eval::{CompiledPattern, truth_of};
use masthead_ir::expr::{CompareOp, DOTTED_COLUMN, Expr, Func};
use masthead_ir::pattern::{Case, Differs, OrderOp, Pattern};
use masthead_ir::{FieldPath, Value};

use crate::level::Level;

/// How many alternatives a condition may have.
pub const MAX_BRANCHES: usize = 256;
/// How deep a condition is looked into.
const MAX_DEPTH: usize = 128;

/// What of a request a policy can tell apart, or what says which requests are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Dimension {
    Verb,
    Resource,
    Subresource,
    ApiGroup,
    Namespace,
    Name,
    Username,
    Groups,
    Uri,
    Stage,
    Code,
}

const DIMENSIONS: &[(&str, Dimension)] = &[
    ("verb", Dimension::Verb),
    ("objectRef.resource", Dimension::Resource),
    ("objectRef.subresource", Dimension::Subresource),
    ("objectRef.apiGroup", Dimension::ApiGroup),
    ("objectRef.namespace", Dimension::Namespace),
    ("objectRef.name", Dimension::Name),
    ("user.username", Dimension::Username),
    ("user.groups", Dimension::Groups),
    ("requestURI", Dimension::Uri),
    ("stage", Dimension::Stage),
    ("responseStatus.code", Dimension::Code),
];

impl Dimension {
    /// The dimension that a field is.
    pub fn of(field: &FieldPath) -> Option<Dimension> {
        let name = plain(field);
        let walks = matches!(field, FieldPath::Keys(_));
        let same = |known: &str| if walks { known.eq_ignore_ascii_case(&name) } else { known == name };
        DIMENSIONS.iter().find(|(known, _)| same(known)).map(|(_, dimension)| *dimension)
    }
}

/// How a value must stand to a pattern.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Check {
    /// A value passes.
    Passes,
    /// No value passes; there may be none.
    Fails,
    /// A value differs, in this sense.
    Differs(Differs),
    /// No value differs, in this sense; there may be none.
    Agrees(Differs),
}

/// A restriction of the requests that a branch is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    /// What is restricted.
    pub dimension: Dimension,
    /// How.
    pub check: Check,
    /// By what.
    pub pattern: Pattern,
}

/// One way in which a condition can be true.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    /// Which requests it is about: all of these hold.
    pub constraints: Vec<Constraint>,
    /// The least level of an event for which it can be true.
    pub level: Level,
    /// The first field that needs this level, if it needs more than [`Level::Metadata`].
    pub field: Option<String>,
    /// Whether it reads what there is only once the request was handled.
    pub late: bool,
    /// Whether it reads `metadata.managedFields` of a body.
    pub managed_fields: bool,
    /// A field that it needs and that audit events do not have: it is about something else.
    pub foreign: Option<String>,
}

/// What an audit event has (Kubernetes, "Audit" API reference, `Event`).
const EVENT: &[&str] = &[
    "annotations",
    "apiVersion",
    "auditID",
    "authenticationMetadata",
    "impersonatedUser",
    "kind",
    "level",
    "objectRef",
    "requestObject",
    "requestReceivedTimestamp",
    "requestURI",
    "responseObject",
    "responseStatus",
    "sourceIPs",
    "stage",
    "stageTimestamp",
    "user",
    "userAgent",
    "verb",
];

/// What may be said of an event by what brought it, whatever it is.
const ENVELOPE: &[&str] =
    &["account", "cluster", "eventtype", "host", "index", "label", "log_type", "row_id", "source", "sourcetype", "tag"];

/// Whether audit events have no such field.
fn is_foreign(name: &str) -> bool {
    let top = name.split('.').next().unwrap_or_default();
    let known = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(top));
    !known(EVENT) && !known(ENVELOPE) && !top.is_empty() && !top.starts_with('_') && !top.starts_with("p_")
}

impl Branch {
    fn any() -> Branch {
        Branch {
            constraints: Vec::new(),
            level: Level::Metadata,
            field: None,
            late: false,
            managed_fields: false,
            foreign: None,
        }
    }

    fn reading(field: &FieldPath) -> Branch {
        let name = plain(field);
        let level = Level::of_field(&name);
        let body = level > Level::Metadata;
        Branch {
            level,
            late: body || name.starts_with("responseStatus") || name.starts_with("annotations"),
            managed_fields: body && name.contains(".metadata.managedFields"),
            foreign: is_foreign(&name).then(|| name.clone()),
            field: body.then_some(name),
            ..Branch::any()
        }
    }

    fn both(&self, other: &Branch) -> Branch {
        let mut constraints = self.constraints.clone();
        for constraint in &other.constraints {
            if !constraints.contains(constraint) {
                constraints.push(constraint.clone());
            }
        }
        Branch {
            constraints,
            level: self.level.max(other.level),
            field: if other.level > self.level { other.field.clone() } else { self.field.clone() },
            late: self.late || other.late,
            managed_fields: self.managed_fields || other.managed_fields,
            foreign: self.foreign.clone().or_else(|| other.foreign.clone()),
        }
    }

    /// Equal but for the fields that are named.
    fn same(&self, other: &Branch) -> bool {
        self.level == other.level
            && self.foreign.is_some() == other.foreign.is_some()
            && self.late == other.late
            && self.managed_fields == other.managed_fields
            && self.constraints == other.constraints
    }
}

/// What a condition needs.
#[derive(Debug, Clone, PartialEq)]
pub enum Needs {
    /// It can be true in these ways; none: never.
    Branches(Vec<Branch>),
    /// It is too large to say.
    Unknown,
}

/// What a condition needs of a log.
pub fn needs(condition: &Expr) -> Needs {
    disjuncts(condition, true, 0).map_or(Needs::Unknown, Needs::Branches)
}

/// The name of a field with dots and without marks for lists.
pub(crate) fn plain(field: &FieldPath) -> String {
    let name = field.to_string().replace("{}", "");
    let name = name.strip_prefix(DOTTED_COLUMN).unwrap_or(&name);
    name.strip_prefix("kubernetes.audit.").unwrap_or(name).to_owned()
}

/// The ways in which the expression is true (or false, unless `truth`); none if there are too many.
fn disjuncts(expr: &Expr, truth: bool, depth: usize) -> Option<Vec<Branch>> {
    if depth > MAX_DEPTH {
        return None;
    }
    match expr {
        Expr::And(parts) if truth => Some(all(parts, truth, depth)),
        Expr::Or(parts) if !truth => Some(all(parts, truth, depth)),
        Expr::Or(parts) if truth => any(&merged(parts), truth, depth),
        Expr::And(parts) | Expr::Or(parts) => any(parts, truth, depth),
        Expr::Not(part) => disjuncts(part, !truth, depth + 1),
        Expr::Xor(left, right) => {
            let side = |expr, truth| disjuncts(expr, truth, depth + 1);
            let mut branches = product(&side(left, true)?, &side(right, !truth)?)?;
            for branch in product(&side(left, false)?, &side(right, truth)?)? {
                add(&mut branches, branch);
            }
            Some(branches)
        }
        leaf => Some(leaf_branches(leaf, truth)),
    }
}

/// All parts hold. A part that would make too many ways is left out: that takes more requests, never fewer.
fn all(parts: &[Expr], truth: bool, depth: usize) -> Vec<Branch> {
    let mut branches = vec![Branch::any()];
    for part in parts {
        if let Some(next) = disjuncts(part, truth, depth + 1).and_then(|part| product(&branches, &part)) {
            branches = next;
        }
    }
    branches
}

fn any(parts: &[Expr], truth: bool, depth: usize) -> Option<Vec<Branch>> {
    let mut branches = Vec::new();
    for part in parts {
        for branch in disjuncts(part, truth, depth + 1)? {
            add(&mut branches, branch);
        }
    }
    (branches.len() <= MAX_BRANCHES).then_some(branches)
}

fn product(left: &[Branch], right: &[Branch]) -> Option<Vec<Branch>> {
    let mut branches = Vec::new();
    for one in left {
        for other in right {
            add(&mut branches, one.both(other));
            if branches.len() > MAX_BRANCHES {
                return None;
            }
        }
    }
    Some(branches)
}

fn add(branches: &mut Vec<Branch>, branch: Branch) {
    if !branches.iter().any(|known| known.same(&branch)) {
        branches.push(branch);
    }
}

/// The parts of a disjunction with the tests of one dimension made one, so that lists of values make no branches.
fn merged(parts: &[Expr]) -> Vec<Expr> {
    let mut merged: Vec<Expr> = Vec::new();
    for part in parts {
        let Expr::Test { field, pattern } = part else {
            merged.push(part.clone());
            continue;
        };
        let twin = merged.iter_mut().find_map(|known| match known {
            Expr::Test { field: known, pattern } if known == field => Some(pattern),
            _ => None,
        });
        match twin {
            Some(Pattern::AnyOf(patterns)) => patterns.push(pattern.clone()),
            Some(other) => *other = Pattern::AnyOf(vec![other.clone(), pattern.clone()]),
            None => merged.push(part.clone()),
        }
    }
    merged
}

fn leaf_branches(leaf: &Expr, truth: bool) -> Vec<Branch> {
    match leaf {
        Expr::Literal(value) => match truth_of(value) {
            Some(known) if known != truth => Vec::new(),
            _ => vec![Branch::any()],
        },
        Expr::Test { field, pattern } if of_log_type(field, pattern).is_some() => {
            let passes = of_log_type(field, pattern).unwrap_or_default();
            if passes == truth { vec![Branch::any()] } else { Vec::new() }
        }
        Expr::Test { field, pattern } => {
            vec![tested(field, pattern.clone(), if truth { Check::Passes } else { Check::Fails })]
        }
        Expr::Differs { field, pattern, rule } => {
            let check = if truth { Check::Differs(*rule) } else { Check::Agrees(*rule) };
            vec![tested(field, pattern.clone(), check)]
        }
        Expr::Field(field) if truth => vec![tested(field, Pattern::Present, Check::Passes)],
        Expr::Field(_) => vec![Branch::any()],
        Expr::Compare { op, left, right } => {
            vec![compared(*op, left, right, truth).unwrap_or_else(|| opaque(leaf))]
        }
        Expr::Call { func, args } => vec![called(*func, args, truth).unwrap_or_else(|| match truth {
            true => opaque(leaf),
            false => Branch::any(),
        })],
        _ => vec![opaque(leaf)],
    }
}

/// The log type that audit events have.
pub(crate) const LOG_TYPE: &str = "Amazon.EKS.Audit";

/// Whether an audit event passes a test of its log type, if it is one. Guards of scripts let everything else pass. A log
/// type inside the event (`p_log_type`) is that of a platform which the event has been through; an audit log has none.
fn of_log_type(field: &FieldPath, pattern: &Pattern) -> Option<bool> {
    match plain(field).as_str() {
        "log_type" => Some(CompiledPattern::new(pattern).is_ok_and(|compiled| compiled.matches_str(LOG_TYPE))),
        "p_log_type" => Some(false),
        _ => None,
    }
}

/// The branch of a test of one field.
fn tested(field: &FieldPath, pattern: Pattern, check: Check) -> Branch {
    let mut branch = match check {
        Check::Passes | Check::Differs(_) => Branch::reading(field),
        Check::Fails | Check::Agrees(_) => Branch::any(),
    };
    branch.constraints.extend(Dimension::of(field).map(|dimension| Constraint { dimension, check, pattern }));
    branch
}

/// A comparison of a field with a literal. It is unknown, and so neither true nor false, where the field is missing.
fn compared(op: CompareOp, left: &Expr, right: &Expr, truth: bool) -> Option<Branch> {
    let (op, field, literal) = match (left, right) {
        (Expr::Field(field), Expr::Literal(literal)) => (op, field, literal),
        (Expr::Literal(literal), Expr::Field(field)) => (turned(op), field, literal),
        _ => return None,
    };
    let text = literal_text(literal)?;
    let op = if truth { op } else { opposite(op) };
    let equal = |text| Pattern::Text { text, case: Case::Sensitive, numeric: true };
    let order = |op, literal| Pattern::Order { op, literal };
    let pattern = match op {
        CompareOp::Eq => equal(text),
        // Of a list one member must differ; where the opposite of "equal" is asked for, every one.
        CompareOp::Ne => {
            let rule = if truth { Differs::SomeValue } else { Differs::EveryValue };
            return Some(tested(field, equal(text), Check::Differs(rule)));
        }
        CompareOp::Lt => order(OrderOp::Lt, text),
        CompareOp::Le => order(OrderOp::Le, text),
        CompareOp::Gt => order(OrderOp::Gt, text),
        CompareOp::Ge => order(OrderOp::Ge, text),
    };
    Some(tested(field, pattern, Check::Passes))
}

fn turned(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Lt => CompareOp::Gt,
        CompareOp::Le => CompareOp::Ge,
        CompareOp::Gt => CompareOp::Lt,
        CompareOp::Ge => CompareOp::Le,
        same => same,
    }
}

fn opposite(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Eq => CompareOp::Ne,
        CompareOp::Ne => CompareOp::Eq,
        CompareOp::Lt => CompareOp::Ge,
        CompareOp::Le => CompareOp::Gt,
        CompareOp::Gt => CompareOp::Le,
        CompareOp::Ge => CompareOp::Lt,
    }
}

/// The text of a literal that is one value.
pub(crate) fn literal_text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.to_string()),
        Value::Int(int) => Some(int.to_string()),
        Value::Float(float) => Some(float.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Absent | Value::List(_) | Value::Json(_) => None,
    }
}

/// A function of a field that says what a test says.
fn called(func: Func, args: &[Expr], truth: bool) -> Option<Branch> {
    let (Some(Expr::Field(field)), rest) = (args.first(), args.get(1..).unwrap_or_default()) else { return None };
    let texts: Vec<String> = rest
        .iter()
        .map(|arg| match arg {
            Expr::Literal(value) => literal_text(value),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let pattern = match func {
        Func::IsNull | Func::IsNotNull => Pattern::Present,
        Func::In => {
            let equal = |text| Pattern::Text { text, case: Case::Sensitive, numeric: true };
            Pattern::AnyOf(texts.into_iter().map(equal).collect())
        }
        Func::Match => Pattern::Regex(texts.into_iter().next()?),
        _ => return None,
    };
    let wanted = truth != (func == Func::IsNull);
    let absent_too = matches!(func, Func::IsNull | Func::IsNotNull);
    let check = match (wanted, absent_too) {
        (true, _) => Check::Passes,
        (false, true) => Check::Fails,
        (false, false) => Check::Differs(Differs::EveryValue),
    };
    Some(tested(field, pattern, check))
}

/// An expression that says nothing of requests. Functions of what is missing are null, so it needs every field that it
/// reads, unless it holds a function that can do without one.
fn opaque(expr: &Expr) -> Branch {
    let mut lenient = false;
    expr.visit(|part| {
        lenient |= matches!(
            part,
            Expr::Call {
                func: Func::Coalesce
                    | Func::If
                    | Func::Case
                    | Func::IsNull
                    | Func::MvAppend
                    | Func::NullIf
                    | Func::Validate
                    | Func::TypeOf
                    | Func::SearchMatch,
                ..
            }
        );
    });
    if lenient {
        return Branch::any();
    }
    expr.fields().iter().fold(Branch::any(), |branch, field| branch.both(&Branch::reading(field)))
}
