//! Detection items to expressions: fields, modifiers, values (Sigma specification 2.1, "Modifiers").

use ipnet::IpNet;
use masthead_ir::expr::{ArithOp, CompareOp, Func};
use masthead_ir::pattern::{Case, OrderOp, Pattern};
use masthead_ir::{Expr, FieldPath, Value};

use crate::ast::{Item, Valued};
use crate::problem::Problem;
use crate::staged::{self, Staged, Variants};
use crate::text::SigmaText;

/// Modifiers that change or decode values, and those that say how they are compared.
pub(crate) const MODIFIERS: &[&str] = &[
    "all",
    "base64",
    "base64offset",
    "cased",
    "cidr",
    "contains",
    "day",
    "dotall",
    "endswith",
    "exists",
    "expand",
    "fieldref",
    "gt",
    "gte",
    "hour",
    "i",
    "ignorecase",
    "lt",
    "lte",
    "m",
    "minute",
    "month",
    "multiline",
    "neq",
    "re",
    "s",
    "startswith",
    "utf16",
    "utf16be",
    "utf16le",
    "week",
    "wide",
    "windash",
    "year",
];

/// What reads as a number.
const NUMBER: &str = r"^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$";

/// What the modifiers of an item say, put together.
#[derive(Default)]
struct Reading {
    all: bool,
    cased: bool,
    before: bool,
    behind: bool,
    negated: bool,
    order: Option<OrderOp>,
    form: Option<Form>,
    flags: String,
    part_of_time: Option<&'static str>,
}

/// What a value is, if not a text to compare with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Regex,
    Cidr,
    Exists,
    FieldRef,
}

/// Compiles an item. `values_of` gives the values of a placeholder.
pub(crate) fn compile(item: &Item, values_of: &dyn Fn(&str) -> Option<Vec<SigmaText>>) -> Result<Expr, Problem> {
    let mut reading = Reading::default();
    let mut values = item.values.iter().map(Variants::read).collect::<Result<Vec<_>, Problem>>()?;
    for name in &item.modifiers {
        values = reading.modifier(name, values, item, values_of)?;
    }
    if reading.form == Some(Form::FieldRef) && item.field.is_none() {
        return Err(Problem::invalid("sigma-modifier", "`fieldref` needs a field", &item.span));
    }
    let mut groups = Vec::with_capacity(values.len());
    for value in &values {
        let tests = value.staged.iter().map(|staged| reading.test(item, staged, value.of));
        groups.push(tests.collect::<Result<Vec<_>, Problem>>()?);
    }
    // Of the ways to write one value any will do, also where `all` asks for every value. An empty list asks for nothing
    // that an event could have.
    let joined = if reading.all && groups.len() > 1 {
        Expr::And(groups.into_iter().map(any).collect())
    } else {
        any(groups.into_iter().flatten().collect())
    };
    Ok(if reading.negated { Expr::Not(Box::new(joined)) } else { joined })
}

fn any(mut tests: Vec<Expr>) -> Expr {
    if tests.len() == 1 { tests.swap_remove(0) } else { Expr::Or(tests) }
}

impl Reading {
    fn modifier<'v>(
        &mut self,
        name: &str,
        values: Vec<Variants<'v>>,
        item: &Item,
        values_of: &dyn Fn(&str) -> Option<Vec<SigmaText>>,
    ) -> Result<Vec<Variants<'v>>, Problem> {
        if self.reads(name) {
            return Ok(values);
        }
        let change: &staged::Change<'_> = match name {
            "windash" => &staged::windash,
            "expand" => &|value, valued| staged::expand(value, valued, values_of),
            "base64" => &|value, valued| staged::base64(&value, valued),
            "base64offset" => &|value, valued| staged::base64_offsets(&value, valued),
            "wide" | "utf16le" => &|value, valued| staged::utf16(&value, valued, u16::to_le_bytes, &[]),
            "utf16be" => &|value, valued| staged::utf16(&value, valued, u16::to_be_bytes, &[]),
            "utf16" => &|value, valued| staged::utf16(&value, valued, u16::to_le_bytes, &[0xff, 0xfe]),
            other => return Err(unknown(other, item)),
        };
        values.into_iter().map(|value| value.each(change)).collect()
    }

    /// Takes note of a modifier that says how values are compared; false if it is none.
    fn reads(&mut self, name: &str) -> bool {
        match name {
            "all" => self.all = true,
            "cased" => self.cased = true,
            "contains" => (self.before, self.behind) = (true, true),
            "startswith" => self.behind = true,
            "endswith" => self.before = true,
            "neq" => self.negated = true,
            "lt" => self.order = Some(OrderOp::Lt),
            "lte" => self.order = Some(OrderOp::Le),
            "gt" => self.order = Some(OrderOp::Gt),
            "gte" => self.order = Some(OrderOp::Ge),
            "re" => self.form = Some(Form::Regex),
            "i" | "ignorecase" if self.form == Some(Form::Regex) => self.flags.push('i'),
            "m" | "multiline" if self.form == Some(Form::Regex) => self.flags.push('m'),
            "s" | "dotall" if self.form == Some(Form::Regex) => self.flags.push('s'),
            "cidr" => self.form = Some(Form::Cidr),
            "exists" => self.form = Some(Form::Exists),
            "fieldref" => self.form = Some(Form::FieldRef),
            "minute" => self.part_of_time = Some("%M"),
            "hour" => self.part_of_time = Some("%H"),
            "day" => self.part_of_time = Some("%d"),
            "week" => self.part_of_time = Some("%V"),
            "month" => self.part_of_time = Some("%m"),
            "year" => self.part_of_time = Some("%Y"),
            _ => return false,
        }
        true
    }

    fn case(&self) -> Case {
        if self.cased { Case::Sensitive } else { Case::Folded }
    }

    fn test(&self, item: &Item, value: &Staged, valued: &Valued) -> Result<Expr, Problem> {
        let Some(name) = &item.field else { return self.keyword(value, valued) };
        let field = masthead_schema::field(name);
        let wrong = |message: &str| Problem::invalid("sigma-value", message, &valued.span);
        if let Some(format) = self.part_of_time {
            let number = value.number().ok_or_else(|| wrong("a part of a time is a number"))?;
            return Ok(self.time_part(&field, format, &number));
        }
        if let Some(op) = self.order {
            let literal = value.number().ok_or_else(|| wrong("an order needs a number"))?;
            return Ok(ordered(&field, op, literal));
        }
        match (self.form, value) {
            (Some(Form::Exists), Staged::Bool(truth)) => {
                let there = exists(&field, name);
                Ok(if *truth { there } else { Expr::Not(Box::new(there)) })
            }
            (Some(Form::Exists), _) => Err(wrong("`exists` takes `true` or `false`")),
            (Some(Form::FieldRef), Staged::Text(other)) if other.as_plain().is_some() => {
                Ok(self.reference(&field, &other.shown()))
            }
            (Some(Form::FieldRef), _) => Err(wrong("`fieldref` takes the name of a field")),
            (None, Staged::Null) => Ok(Expr::Not(Box::new(has_value(name)))),
            (form, value) => Ok(Expr::Test { field, pattern: self.pattern(form, value, valued)? }),
        }
    }

    fn pattern(&self, form: Option<Form>, value: &Staged, valued: &Valued) -> Result<Pattern, Problem> {
        let wrong = |message: &str| Problem::invalid("sigma-value", message, &valued.span);
        let around = |text: SigmaText| text.within(self.before, self.behind).pattern(self.case());
        Ok(match (form, value) {
            (_, Staged::Null) => return Err(wrong("this modifier needs a value")),
            (Some(Form::Cidr), value) => network(&value.shown(), valued)?,
            (Some(Form::Regex), Staged::Text(text)) => self.regex(text.source(), valued)?,
            (Some(Form::Regex), value) => self.regex(&value.shown(), valued)?,
            (_, Staged::Text(text)) => around(text.clone()),
            (_, Staged::Number(number)) if self.before || self.behind => around(SigmaText::plain(number)),
            (_, Staged::Number(number)) => Pattern::Text { text: number.clone(), case: self.case(), numeric: true },
            (_, Staged::Bool(truth)) => Pattern::Text { text: truth.to_string(), case: Case::Folded, numeric: true },
            (_, Staged::Bytes(bytes)) => match std::str::from_utf8(bytes) {
                Ok(text) => around(SigmaText::plain(text)),
                Err(_) => return Err(wrong("these bytes are no text without `base64` or `base64offset`")),
            },
        })
    }

    fn regex(&self, text: &str, valued: &Valued) -> Result<Pattern, Problem> {
        let flags = if self.flags.is_empty() { String::new() } else { format!("(?{})", self.flags) };
        let pattern = Pattern::Regex(format!("{flags}{text}"));
        match masthead_ir::eval::CompiledPattern::new(&pattern) {
            Ok(_) => Ok(pattern),
            Err(error) => Err(Problem::invalid("sigma-regex", error.to_string(), &valued.span)),
        }
    }

    /// A text that stands anywhere in the event.
    fn keyword(&self, value: &Staged, valued: &Valued) -> Result<Expr, Problem> {
        let anywhere = |text: SigmaText| text.within(true, true).pattern(self.case());
        let pattern = match (self.form, value) {
            (Some(Form::Regex), Staged::Text(_) | Staged::Number(_)) => self.pattern(self.form, value, valued)?,
            (None, Staged::Text(text)) if self.order.is_none() => anywhere(text.clone()),
            (None, Staged::Number(_) | Staged::Bool(_)) if self.order.is_none() => {
                anywhere(SigmaText::plain(&value.shown()))
            }
            _ => {
                return Err(Problem::invalid(
                    "sigma-value",
                    "this cannot be looked for in a whole event",
                    &valued.span,
                ));
            }
        };
        Ok(Expr::Test { field: FieldPath::flat("_raw"), pattern })
    }

    /// The value of another field.
    fn reference(&self, field: &FieldPath, other: &str) -> Expr {
        let read = |field: FieldPath| {
            let field = Expr::Field(field);
            if self.cased { field } else { Expr::Call { func: Func::Lower, args: vec![field] } }
        };
        let (left, right) = (read(field.clone()), read(masthead_schema::field(other)));
        let text = |text: &str| Expr::Literal(Value::text(text));
        // `%` and `_` of a value are no wildcards.
        let replace = |value: Expr, what: &str, with: &str| Expr::Call {
            func: Func::Replace,
            args: vec![value, text(what), text(with)],
        };
        let literal = |value: Expr| replace(replace(value, "%", "\u{1}"), "_", "\u{2}");
        let join =
            |left: Expr, right: Expr| Expr::Arith { op: ArithOp::Concat, left: Box::new(left), right: Box::new(right) };
        let test = match (self.before, self.behind) {
            (false, false) => Expr::Compare { op: CompareOp::Eq, left: Box::new(left), right: Box::new(right) },
            (before, behind) => {
                let (left, right) = (literal(left), literal(right));
                let right = if before { join(text("%"), right) } else { right };
                let right = if behind { join(right, text("%")) } else { right };
                Expr::Call { func: Func::Like, args: vec![left, right] }
            }
        };
        known(test)
    }

    /// A part of a time (`minute`, `hour`, …), in UTC.
    fn time_part(&self, field: &FieldPath, format: &str, number: &str) -> Expr {
        let text = |text: &str| Expr::Literal(Value::text(text));
        let read =
            |format: &str| Expr::Call { func: Func::StrpTime, args: vec![Expr::Field(field.clone()), text(format)] };
        let time = Expr::Call {
            func: Func::Coalesce,
            args: vec![read("%Y-%m-%dT%H:%M:%S.%6NZ"), read("%Y-%m-%dT%H:%M:%SZ"), Expr::Field(field.clone())],
        };
        let part = Expr::Call { func: Func::StrfTime, args: vec![time, text(format)] };
        let op = match self.order {
            None => CompareOp::Eq,
            Some(OrderOp::Lt) => CompareOp::Lt,
            Some(OrderOp::Le) => CompareOp::Le,
            Some(OrderOp::Gt) => CompareOp::Gt,
            Some(OrderOp::Ge) => CompareOp::Ge,
        };
        known(Expr::Compare { op, left: Box::new(part), right: Box::new(text(number)) })
    }
}

/// Sigma has no unknown: what cannot be told is not so.
fn known(test: Expr) -> Expr {
    Expr::Call { func: Func::Coalesce, args: vec![test, Expr::Literal(Value::Bool(false))] }
}

fn there(field: FieldPath) -> Expr {
    Expr::Test { field, pattern: Pattern::Present }
}

/// Whether a field has a value that is not null, also an object.
fn has_value(name: &str) -> Expr {
    Expr::Or(vec![there(FieldPath::dotted(name)), there(FieldPath::keys(name.split('.')))])
}

/// Whether a field is there, also as an object or null.
fn exists(field: &FieldPath, name: &str) -> Expr {
    match field {
        FieldPath::Flat(flat) if **flat == *name => there(field.clone()),
        _ => {
            let keys = FieldPath::keys(name.split('.'));
            Expr::Or(vec![there(field.clone()), there(FieldPath::flat(name)), there(keys)])
        }
    }
}

/// Whether a field holds a number of such an order.
fn ordered(field: &FieldPath, op: OrderOp, literal: String) -> Expr {
    let test = |pattern: Pattern| Expr::Test { field: field.clone(), pattern };
    Expr::And(vec![test(Pattern::Order { op, literal }), test(Pattern::Regex(NUMBER.to_owned()))])
}

fn network(text: &str, valued: &Valued) -> Result<Pattern, Problem> {
    let net = text.parse::<IpNet>().or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
    let net = net.map_err(|_| {
        let message = format!("`{text}` is no network");
        Problem::invalid("sigma-value", message, &valued.span).help("write it as 10.0.0.0/8 or fd00::/8")
    })?;
    Ok(Pattern::Cidr { net, literal: text.to_owned() })
}

fn unknown(name: &str, item: &Item) -> Problem {
    let message = if MODIFIERS.contains(&name) {
        format!("the modifier `{name}` cannot stand here")
    } else {
        format!("there is no modifier `{name}`")
    };
    let problem = Problem::invalid("sigma-modifier", message, &item.span);
    match masthead_rulefile::suggest(name, MODIFIERS.iter().copied()).filter(|meant| *meant != name) {
        Some(meant) => problem.help(format!("did you mean `{meant}`?")),
        None => problem,
    }
}
