//! What a rule asks of an event, in a form in which rules of all languages can be compared.

use std::collections::BTreeSet;

use masthead_ir::eval::CompiledPattern;
use masthead_ir::expr::CompareOp;
use masthead_ir::pattern::{OrderOp, Pattern};
use masthead_ir::pipeline::{Source, Stage};
use masthead_ir::rule::{Body, Rule};
use masthead_ir::{Expr, FieldPath};

use crate::condition;

/// Fields that say how an event was logged or came here, not what happened.
const LOGGED: &[&str] =
    &["stage", "level", "log_type", "kind", "apiVersion", "source", "sourcetype", "index", "host", "eventtype"];
/// Fields that say whether a request was allowed.
const DECISION: &[&str] = &["annotations.authorization.k8s.io/decision", "responseStatus.code"];
/// What stands before conditions that cannot be told in short.
const OPAQUE: char = '\u{1}';

/// What a rule asks of an event. Rules of one shape look for the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
    /// Any of these; of none: any at all.
    pub(super) resources: BTreeSet<String>,
    subresources: BTreeSet<String>,
    verbs: BTreeSet<String>,
    /// Whether it looks for refused requests.
    refused: bool,
    /// The other tests, all of which an event must pass.
    pub(super) rest: BTreeSet<String>,
    /// Whether it looks at several events together.
    pub(super) joined: bool,
}

impl Shape {
    /// Whether every event of this shape is one of the other, exceptions aside.
    pub(super) fn is_within(&self, wide: &Shape) -> bool {
        let within = |narrow: &BTreeSet<String>, wide: &BTreeSet<String>| {
            wide.is_empty() || (!narrow.is_empty() && narrow.is_subset(wide))
        };
        self.refused == wide.refused
            && within(&self.resources, &wide.resources)
            && within(&self.subresources, &wide.subresources)
            && within(&self.verbs, &wide.verbs)
            && wide.rest.is_subset(&self.rest)
    }

    /// The shape in words.
    pub(super) fn what(&self) -> String {
        let list = |values: &BTreeSet<String>| values.iter().cloned().collect::<Vec<_>>().join(", ");
        let verbs = if self.verbs.is_empty() { "any verb".to_owned() } else { list(&self.verbs) };
        let resources = if self.resources.is_empty() { "anything".to_owned() } else { list(&self.resources) };
        let mut text = match (self.verbs.is_empty(), self.resources.is_empty()) {
            (true, true) => "any request".to_owned(),
            _ => format!("{verbs} on {resources}"),
        };
        if !self.subresources.is_empty() {
            text.push_str(&format!("/{}", list(&self.subresources)));
        }
        if self.refused {
            text.push_str(", refused");
        }
        let (opaque, told): (Vec<&String>, Vec<&String>) = self.rest.iter().partition(|test| test.starts_with(OPAQUE));
        for test in told {
            text.push_str(&format!("; {test}"));
        }
        if !opaque.is_empty() {
            text.push_str("; further conditions");
        }
        text
    }
}

/// The tests of a rule as they are needed to tell whether it excludes what another one asks for.
#[derive(Debug, Default)]
pub(super) struct Tests {
    /// Fields that must have one of these texts, or texts that begin, end or go on so.
    asked: Vec<(String, Vec<String>)>,
    /// Fields that must not pass; of one without a pattern: that must not be there.
    excluded: Vec<(String, Option<CompiledPattern>)>,
    /// Whether these are all tests that the rule makes.
    pub(super) whole: bool,
}

impl Tests {
    /// The fields of its exceptions.
    pub(super) fn exceptions(&self) -> BTreeSet<&str> {
        self.excluded.iter().map(|(field, _)| field.as_str()).collect()
    }

    /// Whether the exceptions of this rule leave out all that the other one asks for.
    pub(super) fn excludes(&self, other: &Tests) -> bool {
        self.excluded.iter().any(|(field, pattern)| {
            let mut asked = other.asked.iter().filter(|(name, _)| name == field);
            asked.any(|(_, texts)| match pattern {
                Some(pattern) => !texts.is_empty() && texts.iter().all(|text| pattern.matches_str(text)),
                None => true,
            })
        })
    }
}

/// The shape of a rule; none if it asks for nothing that could be compared.
pub(super) fn of(rule: &Rule) -> Option<(Shape, Tests)> {
    let mut reader = Reader::default();
    match &rule.body {
        Body::Script(script, _) => reader.positive(&script.guard),
        // Rows of measurements and tables are told apart by what is computed of them, which is not compared here.
        Body::Pipeline(pipeline) if !matches!(pipeline.source, Source::Events { .. }) => return None,
        Body::Pipeline(pipeline) => {
            reader.tests.whole = true;
            let leading: Vec<&Expr> = condition::leading(pipeline).collect();
            for condition in condition::source(pipeline).into_iter().chain(leading.iter().copied()) {
                reader.positive(condition);
            }
            for stage in pipeline.stages.iter().skip(leading.len()) {
                match stage {
                    Stage::Filter(filter) if filter.fields().is_empty() => {}
                    // Counts and computed columns: equal ones are the same, others cannot be compared.
                    Stage::Filter(_) | Stage::Correlate(_) => {
                        reader.shape.joined = true;
                        reader.shape.rest.insert(format!("{OPAQUE}{stage:?}"));
                    }
                    _ => {}
                }
            }
        }
    }
    let Reader { shape, tests } = reader;
    let asks = !shape.resources.is_empty() || !shape.rest.is_empty();
    asks.then_some((shape, tests))
}

#[derive(Default)]
struct Reader {
    shape: Shape,
    tests: Tests,
}

impl Reader {
    /// A condition that must hold.
    fn positive(&mut self, expr: &Expr) {
        match expr {
            Expr::And(parts) => parts.iter().for_each(|part| self.positive(part)),
            Expr::Not(part) => self.negative(part),
            Expr::Differs { field, pattern, .. } => self.exclude(field, pattern),
            other => match one_field(other) {
                Some((field, patterns)) => self.ask(&field, &patterns),
                None if !other.fields().is_empty() => {
                    self.shape.rest.insert(format!("{OPAQUE}{}", canonical(other)));
                }
                None => {}
            },
        }
    }

    /// A condition that must not hold. Of several together, none can be told to be excluded.
    fn negative(&mut self, expr: &Expr) {
        match expr {
            Expr::Or(parts) => parts.iter().for_each(|part| self.negative(part)),
            Expr::Not(part) => self.positive(part),
            Expr::And(parts) => {
                if let [part] = parts.as_slice() {
                    self.negative(part);
                }
            }
            Expr::Test { field, pattern } => self.exclude(field, pattern),
            _ => {}
        }
    }

    fn exclude(&mut self, field: &FieldPath, pattern: &Pattern) {
        let excluded = match pattern {
            Pattern::Present => None,
            other => match CompiledPattern::new(other) {
                Ok(pattern) => Some(pattern),
                Err(_) => return,
            },
        };
        self.tests.excluded.push((condition::plain(field), excluded));
    }

    fn ask(&mut self, field: &str, patterns: &[Pattern]) {
        if LOGGED.contains(&field) {
            return;
        }
        if DECISION.contains(&field) {
            self.shape.refused |= patterns.iter().all(refuses);
            return;
        }
        let mut texts = Vec::new();
        patterns.iter().for_each(|pattern| condition::literals(pattern, &mut texts));
        let samples = texts.iter().map(|text| text.trim_matches('*').to_owned()).collect();
        self.tests.asked.push((field.to_owned(), samples));
        let tests: BTreeSet<String> = patterns.iter().flat_map(operators).collect();
        let exact: Option<BTreeSet<String>> =
            tests.iter().map(|test| test.strip_prefix("= ").map(str::to_owned)).collect();
        let key = match field {
            "objectRef.resource" => Some(&mut self.shape.resources),
            "objectRef.subresource" => Some(&mut self.shape.subresources),
            "verb" => Some(&mut self.shape.verbs),
            _ => None,
        };
        match (key, exact) {
            (Some(key), Some(exact)) if key.is_empty() => *key = exact,
            _ => {
                let tests: Vec<String> = tests.into_iter().collect();
                self.shape.rest.insert(format!("{field} {}", tests.join(" or ")));
            }
        }
    }
}

/// The field and the tests of a condition that tests one field: any of them must pass.
fn one_field(expr: &Expr) -> Option<(String, Vec<Pattern>)> {
    match expr {
        Expr::Test { field, pattern } => Some((condition::plain(field), vec![pattern.clone()])),
        Expr::Compare { op: CompareOp::Eq, left, right } => match (&**left, &**right) {
            (Expr::Field(field), Expr::Literal(value)) => {
                Some((condition::plain(field), vec![Pattern::Same(value.clone())]))
            }
            _ => None,
        },
        Expr::Or(parts) => {
            let mut found: Option<(String, Vec<Pattern>)> = None;
            for part in parts {
                let (field, patterns) = one_field(part)?;
                match &mut found {
                    None => found = Some((field, patterns)),
                    Some((known, all)) if *known == field => all.extend(patterns),
                    Some(_) => return None,
                }
            }
            found
        }
        _ => None,
    }
}

/// Whether a test of a decision or a status asks for a refusal.
fn refuses(pattern: &Pattern) -> bool {
    let failed = |text: &str| text.parse::<f64>().is_ok_and(|code| code >= 400.0);
    match pattern {
        Pattern::AnyOf(patterns) => !patterns.is_empty() && patterns.iter().all(refuses),
        Pattern::Text { text, .. } => text.eq_ignore_ascii_case("forbid") || failed(text),
        Pattern::Same(value) => masthead_ir::eval::number::text(value)
            .is_some_and(|text| text.eq_ignore_ascii_case("forbid") || failed(&text)),
        Pattern::Order { op: OrderOp::Gt | OrderOp::Ge, literal } => {
            literal.parse::<f64>().is_ok_and(|code| code >= 399.0)
        }
        Pattern::Wildcard { glob, .. } | Pattern::Prefix { text: glob, .. } => glob.starts_with('4'),
        _ => false,
    }
}

/// A test as operator and literal in lower case; one text for each alternative.
fn operators(pattern: &Pattern) -> Vec<String> {
    let told = |operator: &str, text: &str| vec![format!("{operator} {}", text.to_lowercase())];
    match pattern {
        Pattern::Present => vec!["present".to_owned()],
        Pattern::Text { text, .. } => told("=", text),
        Pattern::Same(value) => told("=", &masthead_ir::eval::number::text(value).unwrap_or_default()),
        Pattern::Wildcard { glob, .. } => wildcard(glob),
        Pattern::Prefix { text, .. } => told("begins with", text),
        Pattern::Suffix { text, .. } => told("ends with", text),
        Pattern::Contains { text, .. } => told("contains", text),
        Pattern::Cidr { literal, .. } => told("in", literal),
        Pattern::Regex(regex) => vec![format!("matches {regex}")],
        Pattern::Order { op, literal } => told(order(*op), literal),
        Pattern::Phrase { text, .. } => told("has the words", text),
        Pattern::AnyOf(patterns) => patterns.iter().flat_map(operators).collect(),
    }
}

/// A wildcard as the plainest test that means the same.
fn wildcard(glob: &str) -> Vec<String> {
    let folded = glob.to_lowercase();
    let inner = folded.trim_matches('*');
    let told = match (folded.starts_with('*'), folded.ends_with('*')) {
        _ if inner.contains('*') => format!("like {folded}"),
        (true, _) if inner.is_empty() => "present".to_owned(),
        (false, false) => format!("= {inner}"),
        (false, true) => format!("begins with {inner}"),
        (true, false) => format!("ends with {inner}"),
        (true, true) => format!("contains {inner}"),
    };
    vec![told]
}

fn order(op: OrderOp) -> &'static str {
    match op {
        OrderOp::Lt => "<",
        OrderOp::Le => "<=",
        OrderOp::Gt => ">",
        OrderOp::Ge => ">=",
    }
}

/// A condition as a text that does not depend on the order of its parts.
fn canonical(expr: &Expr) -> String {
    let sorted = |parts: &[Expr]| -> String {
        let parts: BTreeSet<String> = parts.iter().map(canonical).collect();
        parts.into_iter().collect::<Vec<_>>().join(",")
    };
    match expr {
        Expr::And(parts) => format!("all({})", sorted(parts)),
        Expr::Or(parts) => format!("any({})", sorted(parts)),
        Expr::Not(part) => format!("not({})", canonical(part)),
        Expr::Test { field, pattern } => {
            let tests: BTreeSet<String> = operators(pattern).into_iter().collect();
            format!("{} {tests:?}", condition::plain(field))
        }
        other => format!("{other:?}"),
    }
}
