//! Detection items to expressions: fields, modifiers, values (Sigma specification 2.1, "Modifiers").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use masthead_ir::expr::{ArithOp, CompareOp, Func};
use masthead_ir::pattern::{Case, OrderOp, Pattern};
use masthead_ir::{Expr, FieldPath, Value};

use crate::ast::{Item, SigmaValue, Valued};
use crate::problem::Problem;
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
    "endswith",
    "exists",
    "expand",
    "fieldref",
    "gt",
    "gte",
    "hour",
    "i",
    "lt",
    "lte",
    "m",
    "minute",
    "month",
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

/// How deep the variants of one value may multiply.
const MAX_VARIANTS: usize = 1_000;

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

/// A value on its way through the modifiers: text, or bytes once it was encoded.
#[derive(Clone)]
enum Staged {
    Text(SigmaText),
    Bytes(Vec<u8>),
    Number(String),
    Bool(bool),
    Null,
}

/// Compiles an item. `values_of` gives the values of a placeholder.
pub(crate) fn compile(item: &Item, values_of: &dyn Fn(&str) -> Option<Vec<SigmaText>>) -> Result<Expr, Problem> {
    let mut reading = Reading::default();
    let mut values: Vec<(Staged, &Valued)> = item.values.iter().map(|valued| (staged(&valued.value), valued)).collect();
    for name in &item.modifiers {
        values = reading.modifier(name, values, item, values_of)?;
    }
    if let Some(form @ (Form::Regex | Form::FieldRef)) = reading.form
        && item.field.is_none()
        && form == Form::FieldRef
    {
        return Err(Problem::invalid("sigma-modifier", "`fieldref` needs a field", &item.span));
    }
    let mut tests = Vec::with_capacity(values.len());
    for (value, valued) in &values {
        tests.push(reading.test(item, value, valued)?);
    }
    let joined = match (reading.all, tests.len()) {
        (_, 1) => tests.swap_remove(0),
        // An empty list asks for nothing that an event could have.
        (_, 0) => Expr::Or(Vec::new()),
        (true, _) => Expr::And(tests),
        (false, _) => Expr::Or(tests),
    };
    Ok(if reading.negated { Expr::Not(Box::new(joined)) } else { joined })
}

fn staged(value: &SigmaValue) -> Staged {
    match value {
        SigmaValue::Text(text) => Staged::Text(text.clone()),
        SigmaValue::Number(number) => Staged::Number(number.clone()),
        SigmaValue::Bool(truth) => Staged::Bool(*truth),
        SigmaValue::Null => Staged::Null,
    }
}

impl Reading {
    fn modifier<'v>(
        &mut self,
        name: &str,
        values: Vec<(Staged, &'v Valued)>,
        item: &Item,
        values_of: &dyn Fn(&str) -> Option<Vec<SigmaText>>,
    ) -> Result<Vec<(Staged, &'v Valued)>, Problem> {
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
            "i" | "m" | "s" if self.form == Some(Form::Regex) => self.flags.push_str(name),
            "cidr" => self.form = Some(Form::Cidr),
            "exists" => self.form = Some(Form::Exists),
            "fieldref" => self.form = Some(Form::FieldRef),
            "minute" => self.part_of_time = Some("%M"),
            "hour" => self.part_of_time = Some("%H"),
            "day" => self.part_of_time = Some("%d"),
            "week" => self.part_of_time = Some("%V"),
            "month" => self.part_of_time = Some("%m"),
            "year" => self.part_of_time = Some("%Y"),
            "windash" => return Ok(each(values, &|value| on_text(value, &windash))),
            "expand" => return expand(values, values_of),
            "base64" => return encode(values, item, &|bytes| vec![STANDARD.encode(bytes)]),
            "base64offset" => return encode(values, item, &offsets),
            "wide" | "utf16le" => return Ok(each(values, &|value| bytes(value, |unit| unit.to_le_bytes(), false))),
            "utf16be" => return Ok(each(values, &|value| bytes(value, |unit| unit.to_be_bytes(), false))),
            "utf16" => return Ok(each(values, &|value| bytes(value, |unit| unit.to_le_bytes(), true))),
            other => {
                let message = format!("there is no modifier `{other}`");
                let problem = Problem::invalid("sigma-modifier", message, &item.span);
                return Err(match masthead_rulefile::suggest(other, MODIFIERS.iter().copied()) {
                    Some(meant) => problem.help(format!("did you mean `{meant}`?")),
                    None => problem,
                });
            }
        }
        Ok(values)
    }

    fn case(&self) -> Case {
        if self.cased { Case::Sensitive } else { Case::Folded }
    }

    fn test(&self, item: &Item, value: &Staged, valued: &Valued) -> Result<Expr, Problem> {
        let Some(name) = &item.field else { return self.keyword(value, valued) };
        let field = masthead_schema::field(name);
        if let Some(format) = self.part_of_time {
            return Ok(self.time_part(&field, format, value));
        }
        let pattern = match (self.form, value) {
            (Some(Form::Exists), Staged::Bool(truth)) => {
                let there = present(&field, name);
                return Ok(if *truth { there } else { Expr::Not(Box::new(there)) });
            }
            (Some(Form::Exists), _) => {
                return Err(Problem::invalid("sigma-value", "`exists` takes `true` or `false`", &valued.span));
            }
            (Some(Form::FieldRef), Staged::Text(other)) => return Ok(self.reference(&field, &other.shown())),
            (_, Staged::Null) => return Ok(Expr::Not(Box::new(present(&field, name)))),
            (form, value) => self.pattern(form, value, valued)?,
        };
        Ok(Expr::Test { field, pattern })
    }

    fn pattern(&self, form: Option<Form>, value: &Staged, valued: &Valued) -> Result<Pattern, Problem> {
        if let Some(op) = self.order {
            let literal = match value {
                Staged::Number(number) => number.clone(),
                Staged::Text(text) if text.as_plain().is_some_and(|text| text.parse::<f64>().is_ok()) => text.shown(),
                _ => return Err(Problem::invalid("sigma-value", "an order needs a number", &valued.span)),
            };
            return Ok(Pattern::Order { op, literal });
        }
        Ok(match (form, value) {
            (Some(Form::Cidr), value) => {
                let text = shown(value);
                let net = text.parse::<IpNet>().or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
                let net = net.map_err(|_| {
                    let message = format!("`{text}` is no network");
                    Problem::invalid("sigma-value", message, &valued.span).help("write it as 10.0.0.0/8 or fd00::/8")
                })?;
                Pattern::Cidr { net, literal: text }
            }
            (Some(Form::Regex), _) => {
                let text = raw(valued);
                let flags = if self.flags.is_empty() { String::new() } else { format!("(?{})", self.flags) };
                let pattern = Pattern::Regex(format!("{flags}{text}"));
                masthead_ir::eval::CompiledPattern::new(&pattern)
                    .map_err(|error| Problem::invalid("sigma-regex", error.to_string(), &valued.span))?;
                pattern
            }
            (_, Staged::Text(text)) => text.clone().within(self.before, self.behind).pattern(self.case()),
            (_, Staged::Number(number)) if self.before || self.behind => {
                SigmaText::plain(number).within(self.before, self.behind).pattern(self.case())
            }
            (_, Staged::Number(number)) => Pattern::Text { text: number.clone(), case: self.case(), numeric: true },
            (_, Staged::Bool(truth)) => Pattern::Text { text: truth.to_string(), case: Case::Folded, numeric: true },
            (_, Staged::Bytes(_)) => {
                return Err(Problem::invalid(
                    "sigma-value",
                    "encoded text needs `base64` or `base64offset`",
                    &valued.span,
                ));
            }
            (_, Staged::Null) => Pattern::Present,
        })
    }

    /// A text that stands anywhere in the event.
    fn keyword(&self, value: &Staged, valued: &Valued) -> Result<Expr, Problem> {
        let field = FieldPath::flat("_raw");
        let pattern = match (self.form, value) {
            (Some(Form::Regex), _) => self.pattern(self.form, value, valued)?,
            (None, Staged::Text(text)) => text.clone().within(true, true).pattern(self.case()),
            (None, Staged::Number(text)) => SigmaText::plain(text).within(true, true).pattern(self.case()),
            (None, Staged::Bool(truth)) => SigmaText::plain(&truth.to_string()).within(true, true).pattern(self.case()),
            _ => {
                return Err(Problem::invalid(
                    "sigma-value",
                    "this cannot be looked for in a whole event",
                    &valued.span,
                ));
            }
        };
        Ok(Expr::Test { field, pattern })
    }

    /// The value of another field.
    fn reference(&self, field: &FieldPath, other: &str) -> Expr {
        let read = |field: FieldPath| {
            let field = Expr::Field(field);
            if self.cased { field } else { Expr::Call { func: Func::Lower, args: vec![field] } }
        };
        let (left, right) = (read(field.clone()), read(masthead_schema::field(other)));
        let star = || Expr::Literal(Value::text("%"));
        let join =
            |left: Expr, right: Expr| Expr::Arith { op: ArithOp::Concat, left: Box::new(left), right: Box::new(right) };
        let test = match (self.before, self.behind) {
            (false, false) => Expr::Compare { op: CompareOp::Eq, left: Box::new(left), right: Box::new(right) },
            (before, behind) => {
                let right = if before { join(star(), right) } else { right };
                let right = if behind { join(right, star()) } else { right };
                Expr::Call { func: Func::Like, args: vec![left, right] }
            }
        };
        known(test)
    }

    /// A part of a time (`minute`, `hour`, …), in UTC.
    fn time_part(&self, field: &FieldPath, format: &str, value: &Staged) -> Expr {
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
        known(Expr::Compare { op, left: Box::new(part), right: Box::new(text(&shown(value))) })
    }
}

/// Sigma has no unknown: what cannot be told is not so.
fn known(test: Expr) -> Expr {
    Expr::Call { func: Func::Coalesce, args: vec![test, Expr::Literal(Value::Bool(false))] }
}

/// Whether a field is there, also as an object.
fn present(field: &FieldPath, name: &str) -> Expr {
    let there = |field: FieldPath| Expr::Test { field, pattern: Pattern::Present };
    match field {
        FieldPath::Dotted(_) => Expr::Or(vec![there(field.clone()), there(FieldPath::keys(name.split('.')))]),
        _ => there(field.clone()),
    }
}

fn shown(value: &Staged) -> String {
    match value {
        Staged::Text(text) => text.shown(),
        Staged::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Staged::Number(number) => number.clone(),
        Staged::Bool(truth) => truth.to_string(),
        Staged::Null => String::new(),
    }
}

/// The text of a value with its backslashes as they are written: expressions have escapes of their own.
fn raw(valued: &Valued) -> String {
    match &valued.value {
        SigmaValue::Text(text) => text.source(),
        SigmaValue::Number(number) => number.clone(),
        SigmaValue::Bool(truth) => truth.to_string(),
        SigmaValue::Null => String::new(),
    }
}

fn each<'v>(values: Vec<(Staged, &'v Valued)>, change: &dyn Fn(Staged) -> Vec<Staged>) -> Vec<(Staged, &'v Valued)> {
    values.into_iter().flat_map(|(value, valued)| change(value).into_iter().map(move |value| (value, valued))).collect()
}

fn on_text(value: Staged, change: &dyn Fn(SigmaText) -> Vec<SigmaText>) -> Vec<Staged> {
    match value {
        Staged::Text(text) => change(text).into_iter().map(Staged::Text).collect(),
        other => vec![other],
    }
}

/// Every way to write the dashes of command-line options: `-`, `/`, and the longer dashes.
fn windash(text: SigmaText) -> Vec<SigmaText> {
    const DASHES: [char; 5] = ['-', '/', '–', '—', '―'];
    let shown = text.shown();
    let chars: Vec<char> = shown.chars().collect();
    let is_word = |at: usize| chars.get(at).is_some_and(|c| c.is_alphanumeric() || *c == '_');
    let option = |at: &usize| matches!(chars[*at], '-' | '/') && (*at == 0 || !is_word(at - 1)) && is_word(at + 1);
    let places: Vec<usize> = (0..chars.len()).filter(option).collect();
    let mut variants = vec![chars.clone()];
    for place in places {
        if variants.len() * DASHES.len() > MAX_VARIANTS {
            break;
        }
        variants = variants
            .iter()
            .flat_map(|variant| {
                DASHES.iter().map(|dash| {
                    let mut variant = variant.clone();
                    variant[place] = *dash;
                    variant
                })
            })
            .collect();
    }
    variants.into_iter().map(|variant| text.with_shown(&variant.into_iter().collect::<String>())).collect()
}

fn expand<'v>(
    values: Vec<(Staged, &'v Valued)>,
    values_of: &dyn Fn(&str) -> Option<Vec<SigmaText>>,
) -> Result<Vec<(Staged, &'v Valued)>, Problem> {
    let mut expanded = Vec::new();
    for (value, valued) in values {
        let Staged::Text(text) = value else {
            expanded.push((value, valued));
            continue;
        };
        let mut open = vec![text.with_placeholders()];
        while let Some(text) = open.pop() {
            let Some(name) = text.placeholder() else {
                expanded.push((Staged::Text(text), valued));
                continue;
            };
            let Some(found) = values_of(name) else {
                let message = format!("the placeholder `%{name}%` has no values");
                return Err(Problem::unsupported("sigma-placeholder", message, &valued.span)
                    .help("give them in a file with the key `placeholders`, or in a processing pipeline's `vars`"));
            };
            open.extend(text.filled(&found).into_iter().rev());
        }
    }
    Ok(expanded)
}

/// The text of a value in two-byte units.
fn bytes(value: Staged, order: fn(u16) -> [u8; 2], mark: bool) -> Vec<Staged> {
    let text = shown(&value);
    let mark = if mark { vec![0xff, 0xfe] } else { Vec::new() };
    vec![Staged::Bytes(mark.into_iter().chain(text.encode_utf16().flat_map(order)).collect())]
}

fn encode<'v>(
    values: Vec<(Staged, &'v Valued)>,
    item: &Item,
    change: &dyn Fn(&[u8]) -> Vec<String>,
) -> Result<Vec<(Staged, &'v Valued)>, Problem> {
    let mut encoded = Vec::new();
    for (value, valued) in values {
        let plain = match &value {
            Staged::Text(text) => match text.as_plain() {
                Some(plain) => plain.as_bytes().to_vec(),
                None => {
                    let message = "text with wildcards cannot be encoded";
                    return Err(Problem::invalid("sigma-value", message, &valued.span));
                }
            },
            Staged::Bytes(bytes) => bytes.clone(),
            Staged::Number(number) => number.as_bytes().to_vec(),
            Staged::Bool(_) | Staged::Null => {
                return Err(Problem::invalid("sigma-value", "only text can be encoded", &item.span));
            }
        };
        encoded.extend(change(&plain).into_iter().map(|text| (Staged::Text(SigmaText::plain(&text)), valued)));
    }
    Ok(encoded)
}

/// What a text looks like inside of a longer text that is encoded, at each of the three places it may begin at.
fn offsets(bytes: &[u8]) -> Vec<String> {
    const START: [usize; 3] = [0, 2, 3];
    const END: [usize; 3] = [0, 3, 2];
    (0..3)
        .map(|offset| {
            let padded: Vec<u8> = std::iter::repeat_n(b' ', offset).chain(bytes.iter().copied()).collect();
            let text = STANDARD.encode(&padded);
            let end = text.len() - END[padded.len() % 3];
            text.get(START[offset]..end).unwrap_or_default().to_owned()
        })
        .collect()
}
