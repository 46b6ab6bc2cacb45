//! Conditions as expressions: macros put in, lists spread out, fields looked up.

use std::collections::BTreeSet;
use std::ops::Range;

use masthead_ir::eval::regex::CompiledRegex;
use masthead_ir::expr::{CompareOp, Func};
use masthead_ir::pattern::{Differs, Pattern};
use masthead_ir::{Diagnostic, Expr, Span, Value};
use masthead_rulefile::suggest;

use super::pattern::{any_regex, pattern, regex};
use super::syntax::{Check, Condition, FieldUse, Operator, Transformer, Word};
use super::{SyntaxError, parse};
use crate::content::Library;
use crate::fields::{self, Access, FieldError, Place};
use crate::text::Text;

/// How many comparisons and macros a condition may have once all macros are put in.
const MAX_PARTS: usize = 20_000;

/// How many letters a word must have to be held for a slip in the name of a list.
const MIN_LIST_SLIP: usize = 8;

/// Whether an operator compares with a set.
pub(crate) fn is_list_operator(operator: Operator) -> bool {
    matches!(operator, Operator::In | Operator::Intersects | Operator::PMatch)
}

/// Where a range of the text at hand stands.
type Locate<'a> = &'a dyn Fn(Range<usize>) -> Option<Span>;

/// What is found while the conditions of one rule are lowered.
pub(crate) struct Lowering<'l> {
    library: &'l Library,
    /// What is wrong.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The macros that were put in.
    pub(crate) used: BTreeSet<String>,
    /// The macros that are being put in, outermost first.
    stack: Vec<String>,
    parts: usize,
}

impl<'l> Lowering<'l> {
    /// Nothing yet.
    pub(crate) fn new(library: &'l Library) -> Lowering<'l> {
        Lowering { library, diagnostics: Vec::new(), used: BTreeSet::new(), stack: Vec::new(), parts: 0 }
    }

    /// The expression of a condition's text; none if something is wrong with it.
    pub(crate) fn text(&mut self, text: &Text) -> Option<Expr> {
        match parse(&text.text) {
            Ok(condition) => self.condition(&condition, &|range| text.span(range)),
            Err(SyntaxError { message, at, help }) => {
                let mut fault = Diagnostic::error("falco-syntax", format!("{}{message}", self.context()));
                fault.span = text.span(at);
                fault.help = help;
                self.report(fault);
                None
            }
        }
    }

    /// The expression of a parsed condition.
    pub(crate) fn condition(&mut self, condition: &Condition, locate: Locate<'_>) -> Option<Expr> {
        match condition {
            Condition::And(parts) => self.all(parts, locate).map(|parts| flat(parts, true)),
            Condition::Or(parts) => self.all(parts, locate).map(|parts| flat(parts, false)),
            Condition::Not(inner) => self.condition(inner, locate).map(|inner| Expr::Not(Box::new(inner))),
            Condition::Macro(name) => self.named(name, locate),
            Condition::Check(check) => self.check(check, locate),
        }
    }

    /// All parts, so that every fault is told.
    fn all(&mut self, parts: &[Condition], locate: Locate<'_>) -> Option<Vec<Expr>> {
        let lowered: Vec<Option<Expr>> = parts.iter().map(|part| self.condition(part, locate)).collect();
        lowered.into_iter().collect()
    }

    fn report(&mut self, fault: Diagnostic) {
        if !self.diagnostics.contains(&fault) {
            self.diagnostics.push(fault);
        }
    }

    fn fault(&mut self, code: &'static str, message: String, span: Option<Span>, help: Option<String>) {
        let mut fault = Diagnostic::error(code, format!("{}{message}", self.context()));
        fault.span = span;
        fault.help = help;
        self.report(fault);
    }

    /// What stands before a message about the text at hand.
    fn context(&self) -> String {
        self.stack.last().map_or(String::new(), |name| format!("in macro `{name}`: "))
    }

    /// Counts one more part; none if there are too many.
    fn count(&mut self, span: Option<Span>) -> Option<()> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            if self.parts == MAX_PARTS + 1 {
                let message = format!("with its macros put in, the condition has more than {MAX_PARTS} parts");
                self.fault("falco-too-large", message, span, None);
            }
            return None;
        }
        Some(())
    }

    /// The condition of a macro.
    fn named(&mut self, name: &Word, locate: Locate<'_>) -> Option<Expr> {
        let span = locate(name.at.clone());
        self.count(span.clone())?;
        let library = self.library;
        let Some(text) = library.macros.get(&name.text) else {
            let near = suggest(&name.text, library.macros.keys().map(String::as_str));
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "define it, or give the file that does so as well".to_owned(),
            };
            self.fault("falco-unknown-macro", format!("there is no macro `{}`", name.text), span, Some(help));
            return None;
        };
        if self.stack.contains(&name.text) {
            let mut round: Vec<&str> = self.stack.iter().map(String::as_str).collect();
            round.push(&name.text);
            let message = format!("macros go round in a circle: {}", round.join(" > "));
            self.fault("falco-macro-cycle", message, span, None);
            return None;
        }
        self.put_in(&name.text, text)
    }

    /// The expression of a macro.
    pub(crate) fn put_in(&mut self, name: &str, text: &Text) -> Option<Expr> {
        self.used.insert(name.to_owned());
        self.stack.push(name.to_owned());
        let expr = self.text(text);
        self.stack.pop();
        expr
    }

    fn check(&mut self, check: &Check, locate: Locate<'_>) -> Option<Expr> {
        self.count(locate(check.field.at.clone()))?;
        let access = self.access(&check.field, locate)?;
        self.allowed(check, &access, locate)?;
        self.regular(check, locate)?;
        let values = self.values(check, locate)?;
        let lowered = compare(&access, check.operator, &values);
        if lowered.is_none() {
            let message = format!("`{}` does not go with this value", check.operator.written());
            self.fault("falco-operator", message, locate(check.operator_at.clone()), None);
        }
        lowered
    }

    /// How the value of a field is had from an event.
    fn access(&mut self, field: &FieldUse, locate: Locate<'_>) -> Option<Access> {
        let found = fields::access(&field.name, field.argument.as_deref(), Place::Event);
        match found {
            Ok(access) => Some(transformed(access, &field.transformers)),
            Err(FieldError { code, message, help }) => {
                self.fault(code, message, locate(field.at.clone()), help);
                None
            }
        }
    }

    /// Whether the field can be compared so.
    fn allowed(&mut self, check: &Check, access: &Access, locate: Locate<'_>) -> Option<()> {
        let (name, written) = (&check.field.name, check.operator.written());
        let (message, help) = match check.operator {
            Operator::BContains | Operator::BStartsWith => {
                (format!("`{written}` compares bytes, and `{name}` is text"), format!("use `{}`", &written[1..]))
            }
            Operator::Exists | Operator::In | Operator::Intersects => return Some(()),
            _ if access.list => (
                format!("`{name}` is a list, which cannot be compared with `{written}`"),
                "use `intersects` for any of its values, `in` for all of them, or `exists`".to_owned(),
            ),
            _ => return Some(()),
        };
        self.fault("falco-operator", message, locate(check.operator_at.clone()), Some(help));
        None
    }

    /// Whether what is compared with `regex` is a regular expression.
    fn regular(&mut self, check: &Check, locate: Locate<'_>) -> Option<()> {
        let Some(word) = check.values.first().filter(|_| check.operator == Operator::Regex) else { return Some(()) };
        let Err(error) = CompiledRegex::new(&word.text) else { return Some(()) };
        self.fault("falco-condition", error.to_string(), locate(word.at.clone()), None);
        None
    }

    /// The values of a comparison, lists spread out.
    fn values(&mut self, check: &Check, locate: Locate<'_>) -> Option<Vec<String>> {
        if !is_list_operator(check.operator) {
            return Some(check.values.iter().map(|word| word.text.clone()).collect());
        }
        let mut values = Vec::new();
        for word in &check.values {
            if word.quoted || !self.library.lists.contains_key(&word.text) {
                self.doubt(word, locate);
                values.push(word.text.clone());
                continue;
            }
            if let Err(fault) = self.library.spread(&word.text, &mut values) {
                self.report(*fault);
                return None;
            }
        }
        Some(values)
    }

    /// Warns of a value that is nearly the name of a list.
    fn doubt(&mut self, word: &Word, locate: Locate<'_>) {
        if word.quoted || word.text.len() < MIN_LIST_SLIP || !word.text.contains('_') {
            return;
        }
        let Some(near) = suggest(&word.text, self.library.lists.keys().map(String::as_str)) else { return };
        let message = format!("{}there is no list `{}`; it is taken as a value", self.context(), word.text);
        let mut fault = Diagnostic::warning("falco-unknown-list", message);
        fault.span = locate(word.at.clone());
        self.report(fault.help(format!("did you mean `{near}`? Put it in quotes if not")));
    }
}

/// A conjunction or disjunction without others of its kind directly in it: expressions may not nest deep.
fn flat(parts: Vec<Expr>, conjunction: bool) -> Expr {
    let mut all = Vec::new();
    for part in parts {
        match part {
            Expr::And(inner) if conjunction => all.extend(inner),
            Expr::Or(inner) if !conjunction => all.extend(inner),
            other => all.push(other),
        }
    }
    if conjunction { Expr::And(all) } else { Expr::Or(all) }
}

/// A field's value with functions applied to it.
fn transformed(access: Access, transformers: &[Transformer]) -> Access {
    if transformers.is_empty() {
        return access;
    }
    let text = |text: &str| Expr::Literal(Value::text(text));
    let (list, always) = (access.list, access.always);
    let value = transformers.iter().fold(access.into_value(), |value, transformer| match transformer {
        Transformer::ToLower => fields::call(Func::Lower, [value]),
        Transformer::ToUpper => fields::call(Func::Upper, [value]),
        Transformer::Len => fields::call(Func::Len, [value]),
        Transformer::Basename => fields::call(Func::Replace, [value, text(r"(?s)\A.*/"), text("")]),
    });
    Access { list, always, ..Access::computed(value) }
}

/// The comparison of a field with values: true or false, never unknown.
fn compare(access: &Access, operator: Operator, values: &[String]) -> Option<Expr> {
    if operator == Operator::Exists {
        return Some(access.exists());
    }
    if values.is_empty() {
        return Some(Expr::Or(Vec::new()));
    }
    let all = access.list && operator == Operator::In;
    match access {
        Access { path: Some((path, None)), .. } => {
            let tests = values.iter().map(|value| pattern(operator, value)).collect::<Option<Vec<_>>>()?;
            Some(test(path.clone(), any_of(tests), operator, all))
        }
        Access { path: Some((path, Some(suffix))), .. } => {
            // Of such a field only a part counts, which a regular expression tells from the rest.
            let possible = values.iter().filter(|value| !value.contains([':', '@']));
            let literal: Vec<String> = possible.map(|value| regex::escape(value)).collect();
            if literal.is_empty() {
                return Some(Expr::Or(Vec::new()));
            }
            let whole = format!(r"(?s)\A{}(?:{suffix})?\z", any_regex(&literal));
            Some(test(path.clone(), Pattern::Regex(whole), operator, all))
        }
        Access { path: None, value, .. } => computed(value, operator, values, all),
    }
}

fn any_of(mut patterns: Vec<Pattern>) -> Pattern {
    if patterns.len() == 1 { patterns.swap_remove(0) } else { Pattern::AnyOf(patterns) }
}

/// A comparison of a field that is read straight from the event.
fn test(field: masthead_ir::FieldPath, pattern: Pattern, operator: Operator, all: bool) -> Expr {
    if operator == Operator::Ne {
        return Expr::Differs { field, pattern, rule: Differs::EveryValue };
    }
    if !all {
        return Expr::Test { field, pattern };
    }
    let differs = Expr::Differs { field: field.clone(), pattern, rule: Differs::SomeValue };
    Expr::And(vec![Expr::Test { field, pattern: Pattern::Present }, Expr::Not(Box::new(differs))])
}

/// A comparison of a value that is computed.
fn computed(value: &Expr, operator: Operator, values: &[String], all: bool) -> Option<Expr> {
    let order = |op| {
        let right = Expr::Literal(Value::text(values.first()?));
        Some(known(Expr::Compare { op, left: Box::new(value.clone()), right: Box::new(right) }))
    };
    match operator {
        Operator::Lt => return order(CompareOp::Lt),
        Operator::Le => return order(CompareOp::Le),
        Operator::Gt => return order(CompareOp::Gt),
        Operator::Ge => return order(CompareOp::Ge),
        _ => {}
    }
    let expressions = values.iter().map(|text| regex(operator, text)).collect::<Option<Vec<_>>>()?;
    let one = any_regex(&expressions);
    let matches =
        |expression: String| known(fields::call(Func::Match, [value.clone(), Expr::Literal(Value::text(expression))]));
    let present = || fields::call(Func::IsNotNull, [value.clone()]);
    Some(match operator {
        Operator::Ne => Expr::And(vec![present(), Expr::Not(Box::new(matches(one)))]),
        _ if all => {
            let differs = matches(format!(r"\A(?!{one})"));
            Expr::And(vec![present(), Expr::Not(Box::new(differs))])
        }
        _ => matches(one),
    })
}

/// The same truth, but false where it is unknown.
fn known(expr: Expr) -> Expr {
    fields::call(Func::Coalesce, [expr, Expr::Literal(Value::Bool(false))])
}
