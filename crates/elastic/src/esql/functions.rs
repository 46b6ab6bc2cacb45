//! Functions of single rows.

use std::ops::Range;

use masthead_ir::expr::{ArithOp, CompareOp, Expr, Func};

use super::EsqlProblem;
use super::ast::{Call, Duration, Node, NodeKind};
use super::call::{date_literal, fault};
use super::condition::network;
use super::parser::Parsed;
use super::pattern::replacement;
use super::pieces::{all, any, arith, call, compare, int, not, text, truth};
use super::stages::Compiler;
use super::time;
use super::typed::{Mode, Type, Typed};

/// How a function is compiled.
#[derive(Clone, Copy)]
enum Shape {
    /// It is one of the pipeline's, with the same arguments.
    Same(Func),
    /// As `own` says.
    Own,
    /// By the compiler, since it looks at its arguments before they are compiled.
    Special,
}

const MANY: usize = usize::MAX;

/// Name, least and greatest number of arguments, and how the function is compiled.
const FUNCTIONS: &[(&str, usize, usize, Shape)] = &[
    ("abs", 1, 1, Shape::Same(Func::Abs)),
    ("bucket", 2, 2, Shape::Special),
    ("case", 2, MANY, Shape::Special),
    ("ceil", 1, 1, Shape::Same(Func::Ceiling)),
    ("cidr_match", 2, MANY, Shape::Own),
    ("coalesce", 1, MANY, Shape::Same(Func::Coalesce)),
    ("concat", 2, MANY, Shape::Own),
    ("contains", 2, 2, Shape::Own),
    ("date_diff", 3, 3, Shape::Special),
    ("date_extract", 2, 2, Shape::Special),
    ("date_trunc", 2, 2, Shape::Special),
    ("ends_with", 2, 2, Shape::Own),
    ("exp", 1, 1, Shape::Same(Func::Exp)),
    ("floor", 1, 1, Shape::Same(Func::Floor)),
    ("greatest", 1, MANY, Shape::Same(Func::Max)),
    ("hash", 2, 2, Shape::Special),
    ("kql", 1, 1, Shape::Special),
    ("least", 1, MANY, Shape::Same(Func::Min)),
    ("left", 2, 2, Shape::Own),
    ("length", 1, 1, Shape::Same(Func::Len)),
    ("log", 1, 2, Shape::Own),
    ("log10", 1, 1, Shape::Same(Func::Log)),
    ("ltrim", 1, 1, Shape::Same(Func::Ltrim)),
    ("match", 2, 2, Shape::Own),
    ("match_phrase", 2, 2, Shape::Own),
    ("md5", 1, 1, Shape::Same(Func::Md5)),
    ("mv_append", 2, 2, Shape::Own),
    ("mv_concat", 2, 2, Shape::Same(Func::MvJoin)),
    ("mv_contains", 2, 2, Shape::Own),
    ("mv_count", 1, 1, Shape::Same(Func::MvCount)),
    ("mv_dedupe", 1, 1, Shape::Same(Func::MvDedup)),
    ("mv_first", 1, 1, Shape::Own),
    ("mv_last", 1, 1, Shape::Own),
    ("mv_max", 1, 1, Shape::Same(Func::Max)),
    ("mv_min", 1, 1, Shape::Same(Func::Min)),
    ("mv_slice", 2, 3, Shape::Own),
    ("mv_sort", 1, 1, Shape::Same(Func::MvSort)),
    ("mv_zip", 2, 3, Shape::Same(Func::MvZip)),
    ("now", 0, 0, Shape::Special),
    ("pi", 0, 0, Shape::Same(Func::Pi)),
    ("pow", 2, 2, Shape::Same(Func::Pow)),
    ("replace", 3, 3, Shape::Own),
    ("right", 2, 2, Shape::Own),
    ("round", 1, 2, Shape::Same(Func::Round)),
    ("rtrim", 1, 1, Shape::Same(Func::Rtrim)),
    ("sha1", 1, 1, Shape::Same(Func::Sha1)),
    ("sha256", 1, 1, Shape::Same(Func::Sha256)),
    ("split", 2, 2, Shape::Same(Func::Split)),
    ("sqrt", 1, 1, Shape::Same(Func::Sqrt)),
    ("starts_with", 2, 2, Shape::Own),
    ("substring", 2, 3, Shape::Same(Func::Substr)),
    ("term", 2, 2, Shape::Own),
    ("to_bool", 1, 1, Shape::Own),
    ("to_boolean", 1, 1, Shape::Own),
    ("to_datetime", 1, 1, Shape::Special),
    ("to_dbl", 1, 1, Shape::Own),
    ("to_double", 1, 1, Shape::Own),
    ("to_dt", 1, 1, Shape::Special),
    ("to_int", 1, 1, Shape::Own),
    ("to_integer", 1, 1, Shape::Own),
    ("to_ip", 1, 1, Shape::Own),
    ("to_long", 1, 1, Shape::Own),
    ("to_lower", 1, 1, Shape::Same(Func::Lower)),
    ("to_str", 1, 1, Shape::Own),
    ("to_string", 1, 1, Shape::Own),
    ("to_unsigned_long", 1, 1, Shape::Own),
    ("to_upper", 1, 1, Shape::Same(Func::Upper)),
    ("to_ver", 1, 1, Shape::Own),
    ("to_version", 1, 1, Shape::Own),
    ("trim", 1, 1, Shape::Same(Func::Trim)),
    ("url_decode", 1, 1, Shape::Own),
];

/// Functions that ES|QL has and that are not compiled; a `*` at the end stands for a family.
const OTHERS: &[&str] = &[
    "absent*",
    "acos",
    "asin",
    "atan*",
    "bit_length",
    "byte_length",
    "categorize",
    "cbrt",
    "chunk",
    "copy_sign",
    "cos*",
    "date_format",
    "date_parse",
    "day_name",
    "decay",
    "e",
    "from_base64",
    "hypot",
    "ip_prefix",
    "json_extract",
    "knn",
    "locate",
    "month_name",
    "multi_match",
    "mv_*",
    "network_direction",
    "qstr",
    "rate",
    "repeat",
    "reverse",
    "scalb",
    "score",
    "signum",
    "sin*",
    "space",
    "st_*",
    "tan*",
    "tau",
    "tbucket",
    "text_embedding",
    "to_*",
    "top_snippets",
    "trange",
    "url_encode*",
    "v_*",
];

impl Compiler<'_> {
    /// Compiles a call.
    pub(super) fn function(&mut self, called: &Call, range: &Range<usize>, mode: Mode) -> Parsed<Typed> {
        if super::stats::is_aggregate(&called.name) {
            return self.aggregate(called, range, mode, None);
        }
        let Some((name, least, most, shape)) = FUNCTIONS.iter().find(|(name, ..)| *name == called.name) else {
            return Err(unknown(called));
        };
        let given = called.args.len();
        if given < *least || given > *most || called.star {
            let expected = match (*least, *most) {
                (least, MANY) => format!("at least {least}"),
                (least, most) if least == most => least.to_string(),
                (least, most) => format!("{least} to {most}"),
            };
            let noun = if expected == "1" { "argument" } else { "arguments" };
            return Err(fault(range, format!("`{name}` takes {expected} {noun}, not {given}")));
        }
        if matches!(shape, Shape::Special) {
            return self.special(called, range, mode);
        }
        let args = called.args.iter().map(|arg| self.typed(arg, mode)).collect::<Parsed<Vec<_>>>()?;
        let dates = args.iter().all(Typed::is_date) && !args.is_empty();
        if let Shape::Same(func) = *shape {
            let keeps = matches!(func, Func::Coalesce | Func::Max | Func::Min | Func::MvDedup);
            return Ok(Typed::date_if(call(func, args.into_iter().map(|arg| arg.expr)), dates && keeps));
        }
        if let [arg] = args.as_slice()
            && let Some(converted) = convert(name, arg.clone())
        {
            return Ok(converted);
        }
        let exprs: Vec<Expr> = args.into_iter().map(|arg| arg.expr).collect();
        match *name {
            "replace" => self.replace(called, exprs).map(Typed::any),
            "cidr_match" => self.networks(called, exprs).map(Typed::any),
            _ => own(name, exprs).map(Typed::any).ok_or_else(|| unknown(called)),
        }
    }

    fn replace(&self, called: &Call, mut args: Vec<Expr>) -> Parsed<Expr> {
        if let Some(Node { kind: NodeKind::Text(expression), range }) = called.args.get(1) {
            self.check_regex(expression, range)?;
        }
        if let (Some(NodeKind::Text(java)), Some(arg)) = (called.args.get(2).map(|node| &node.kind), args.get_mut(2)) {
            *arg = text(replacement(java));
        }
        Ok(call(Func::Replace, args))
    }

    fn networks(&self, called: &Call, args: Vec<Expr>) -> Parsed<Expr> {
        for node in called.args.iter().skip(1) {
            if let NodeKind::Text(written) = &node.kind
                && network(written).is_none()
            {
                return Err(fault(&node.range, format!("`{written}` is no network")));
            }
        }
        let mut args = args.into_iter();
        let Some(address) = args.next() else { return Ok(truth(false)) };
        Ok(any(args.map(|net| call(Func::CidrMatch, [net, address.clone()]))))
    }

    /// Functions that look at their arguments before they are compiled.
    fn special(&mut self, called: &Call, range: &Range<usize>, mode: Mode) -> Parsed<Typed> {
        let args = called.args.as_slice();
        match (called.name.as_str(), args) {
            ("now", _) => Ok(Typed::date(call(Func::Now, []))),
            ("case", args) => self.case(args, mode),
            ("kql", [arg]) => self.kql_text(arg, range),
            ("date_trunc", [width, moment]) | ("bucket", [moment, width]) => self.bucket(moment, width, range, mode),
            ("date_diff", [unit, start, end]) => {
                let (start, end) = (self.moment(start, mode)?, self.moment(end, mode)?);
                let difference = unit.literal().and_then(|unit| time::difference(&unit, start, end));
                difference
                    .map(Typed::any)
                    .ok_or_else(|| EsqlProblem::unsupported(unit.range.clone(), "this unit of time"))
            }
            ("date_extract", [part, moment]) => {
                let moment = self.moment(moment, mode)?;
                let extracted = part.literal().and_then(|part| time::part(&part, moment));
                extracted
                    .map(Typed::any)
                    .ok_or_else(|| EsqlProblem::unsupported(part.range.clone(), "this part of a time"))
            }
            ("hash", [algorithm, value]) => {
                let func = match algorithm.literal().unwrap_or_default().to_ascii_lowercase().as_str() {
                    "md5" => Func::Md5,
                    "sha" | "sha1" | "sha-1" => Func::Sha1,
                    "sha256" | "sha-256" => Func::Sha256,
                    _ => return Err(EsqlProblem::unsupported(algorithm.range.clone(), "this algorithm")),
                };
                Ok(Typed::any(call(func, [self.plain(value, mode)?])))
            }
            (_, [value]) => self.as_date(value, mode),
            _ => Err(unknown(called)),
        }
    }

    fn case(&mut self, args: &[Node], mode: Mode) -> Parsed<Typed> {
        let mut parts = Vec::new();
        let mut dates = args.len() % 2 == 1;
        for pair in args.chunks(2) {
            let value = match pair {
                [condition, value] => {
                    parts.push(self.plain(condition, mode)?);
                    self.typed(value, mode)?
                }
                [value] => {
                    parts.push(truth(true));
                    self.typed(value, mode)?
                }
                _ => continue,
            };
            dates &= value.is_date();
            parts.push(value.expr);
        }
        Ok(Typed::date_if(call(Func::Case, parts), dates))
    }

    fn kql_text(&mut self, arg: &Node, range: &Range<usize>) -> Parsed<Typed> {
        let NodeKind::Text(written) = &arg.kind else {
            return Err(fault(&arg.range, "`kql` takes a string"));
        };
        if !self.sees_events() {
            return Err(fault(range, "`kql` asks for events, which an earlier command has not left"));
        }
        let condition = (self.kql)(written)
            .map_err(|reason| EsqlProblem::new("esql-kql", arg.range.clone(), format!("the KQL text: {reason}")))?;
        for path in condition.fields() {
            self.read(&path.to_string(), &path);
        }
        Ok(Typed::any(condition))
    }

    fn bucket(&mut self, moment: &Node, width: &Node, range: &Range<usize>, mode: Mode) -> Parsed<Typed> {
        let moment = self.typed(moment, mode)?;
        let period = match &width.kind {
            NodeKind::Text(written) => Duration::parse(written),
            _ => match self.typed(width, mode)? {
                Typed { ty: Type::Span(duration), .. } => Some(duration),
                _ if moment.is_date() => None,
                width => {
                    let whole = call(Func::Floor, [arith(ArithOp::Div, moment.expr, width.expr.clone())]);
                    return Ok(Typed::any(arith(ArithOp::Mul, whole, width.expr)));
                }
            },
        };
        let truncated = period.and_then(|period| time::truncated(moment.expr, period));
        truncated.map(Typed::date).ok_or_else(|| EsqlProblem::unsupported(range.clone(), "this division of time"))
    }

    fn moment(&mut self, node: &Node, mode: Mode) -> Parsed<Expr> {
        match &node.kind {
            NodeKind::Text(written) => date_literal(written, &node.range),
            _ => self.plain(node, mode),
        }
    }

    fn as_date(&mut self, node: &Node, mode: Mode) -> Parsed<Typed> {
        if let NodeKind::Text(written) = &node.kind {
            return date_literal(written, &node.range).map(Typed::date);
        }
        match self.typed(node, mode)? {
            date if date.is_date() => Ok(date),
            other => {
                let iso = call(Func::StrpTime, [other.expr.clone(), text("%Y-%m-%dT%H:%M:%S.%fZ")]);
                let millis = arith(ArithOp::Div, other.expr, int(1_000));
                Ok(Typed::date(call(Func::Coalesce, [millis, iso])))
            }
        }
    }
}

fn unknown(called: &Call) -> EsqlProblem {
    let name = called.name.as_str();
    let known = OTHERS.iter().any(|other| match other.strip_suffix('*') {
        Some(family) => name.starts_with(family),
        None => *other == name,
    });
    if known {
        return EsqlProblem::unsupported(
            called.name_range.clone(),
            &format!("the function `{}`", name.to_ascii_uppercase()),
        );
    }
    EsqlProblem::new("esql-unknown-function", called.name_range.clone(), format!("ES|QL has no function `{name}`"))
}

/// A value as another type; none if the function converts nothing.
pub(super) fn convert(function: &str, value: Typed) -> Option<Typed> {
    let date = value.is_date();
    let expr = value.expr;
    Some(Typed::any(match function {
        "to_string" | "to_str" if date => call(Func::StrfTime, [expr, text(time::FORMAT)]),
        // The pipeline writes truth values with a capital.
        "to_string" | "to_str" if is_logic(&expr) => {
            call(Func::Case, [expr.clone(), text("true"), not(expr), text("false")])
        }
        "to_string" | "to_str" => call(Func::ToString, [expr]),
        "to_int" | "to_integer" | "to_long" | "to_unsigned_long" if date => arith(ArithOp::Mul, expr, int(1_000)),
        "to_int" | "to_integer" | "to_long" | "to_unsigned_long" => call(Func::Round, [call(Func::ToNumber, [expr])]),
        "to_dbl" | "to_double" => call(Func::ToNumber, [expr]),
        "to_bool" | "to_boolean" => compare(CompareOp::Eq, call(Func::Lower, [expr]), text("true")),
        "to_ip" | "to_ver" | "to_version" => expr,
        _ => return None,
    }))
}

fn is_logic(expr: &Expr) -> bool {
    matches!(expr, Expr::And(_) | Expr::Or(_) | Expr::Not(_) | Expr::Compare { .. } | Expr::Test { .. })
}

/// Functions that the pipeline spells in another way.
fn own(name: &str, args: Vec<Expr>) -> Option<Expr> {
    let mut args = args.into_iter();
    let first = args.next()?;
    let mut next = || args.next();
    Some(match name {
        "starts_with" => {
            let prefix = next()?;
            let start = call(Func::Substr, [first, int(1), call(Func::Len, [prefix.clone()])]);
            compare(CompareOp::Eq, start, prefix)
        }
        "ends_with" => {
            let suffix = next()?;
            let length = call(Func::Len, [suffix.clone()]);
            let from = arith(ArithOp::Sub, int(0), length.clone());
            compare(CompareOp::Eq, call(Func::Substr, [first, from, length]), suffix)
        }
        // A text that holds another is in parts when it is split by it.
        "contains" => {
            let part = next()?;
            let parts = call(Func::MvCount, [call(Func::Split, [first, part.clone()])]);
            any([compare(CompareOp::Eq, part, text("")), compare(CompareOp::Gt, parts, int(1))])
        }
        "concat" => args.fold(first, |left, right| arith(ArithOp::Concat, left, right)),
        "url_decode" => call(Func::UrlDecode, [call(Func::Replace, [first, text(r"\+"), text(" ")])]),
        "left" => call(Func::Substr, [first, int(1), next()?]),
        "right" => call(Func::Substr, [first, arith(ArithOp::Sub, int(0), next()?)]),
        "log" => match next() {
            Some(number) => call(Func::Log, [number, first]),
            None => call(Func::Ln, [first]),
        },
        "match" | "match_phrase" | "term" => compare(CompareOp::Eq, first, next()?),
        _ => return of_lists(name, first, args),
    })
}

/// Functions of several values.
fn of_lists(name: &str, first: Expr, mut args: impl Iterator<Item = Expr>) -> Option<Expr> {
    let mut next = || args.next();
    Some(match name {
        "mv_first" => call(Func::MvIndex, [first, int(0)]),
        "mv_last" => call(Func::MvIndex, [first, int(-1)]),
        "mv_slice" => {
            let start = next()?;
            let end = next().unwrap_or_else(|| start.clone());
            call(Func::MvIndex, [first, start, end])
        }
        "mv_append" => {
            let second = next()?;
            let there = [&first, &second].map(|list| call(Func::IsNotNull, [list.clone()]));
            call(Func::If, [all(there), call(Func::MvAppend, [first, second]), super::pieces::NULL])
        }
        // What is contained adds nothing new.
        "mv_contains" => {
            let count = |list| call(Func::Coalesce, [call(Func::MvCount, [call(Func::MvDedup, [list])]), int(0)]);
            let both = call(Func::MvAppend, [first.clone(), next()?]);
            compare(CompareOp::Eq, count(both), count(first))
        }
        _ => return None,
    })
}
