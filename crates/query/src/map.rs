//! What is computed for each row by itself: expressions, lookups, places, extractions.
//!
//! A [`Map`] is plain data, so that it can travel inside a plan as text; [`Map::compile`] makes it run.

use std::collections::HashMap;
use std::sync::Arc;

use masthead_ir::Value;
use masthead_ir::eval::number::{self, Number};
use masthead_ir::eval::regex::CompiledRegex;
use masthead_ir::eval::{Context, Program, Row, clock, json};
use masthead_ir::expr::{ArithOp, Expr, FieldPath, Func};
use masthead_ir::pipeline::{MultiSplit, Span};
use masthead_ir::table::TableIndex;
use masthead_ir::time::Micros;
use serde::{Deserialize, Serialize};

use crate::geoip::GeoIp;
use crate::kind::{Kind, text_of};
use crate::rows::Column;
use crate::sed::Sed;

/// What maps need beside the row.
#[derive(Debug, Default)]
pub(crate) struct Tools {
    pub(crate) tables: HashMap<String, Arc<TableIndex>>,
    pub(crate) geoip: Option<Arc<GeoIp>>,
    pub(crate) now: Micros,
}

/// A value computed from a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Map {
    /// The value of an expression.
    Expr(Expr),
    /// 1 where an expression is true, else absent.
    CountIf(Expr),
    /// A field, or a text where it is absent.
    Fill {
        field: String,
        value: String,
    },
    /// A field, or another where it is absent.
    Or {
        field: String,
        other: String,
    },
    /// The distinct members of a list.
    Distinct(String),
    GeoIp {
        field: String,
        name: String,
    },
    Lookup {
        table: String,
        keys: Vec<(String, String)>,
        output: String,
    },
    /// A named group; absent where there is no match.
    Extract {
        field: String,
        regex: String,
        group: String,
        max: u64,
    },
    Rewrite {
        field: String,
        sed: String,
    },
    Bin {
        field: String,
        span: Span,
    },
    Split {
        field: String,
        split: MultiSplit,
        allow_empty: bool,
    },
    Join {
        field: String,
        delimiter: String,
    },
    FormatTime {
        field: String,
        format: String,
    },
    JsonPath {
        field: String,
        path: String,
    },
}

/// A map that can be run.
pub(crate) type Compiled = Box<dyn Fn(&dyn Row) -> Value + Send + Sync>;

fn flat(name: &str) -> FieldPath {
    FieldPath::flat(name)
}

impl Map {
    /// The fields that it reads.
    pub(crate) fn fields(&self) -> Vec<String> {
        match self {
            Map::Expr(expr) | Map::CountIf(expr) => {
                let names = expr.fields().into_iter().map(|field| field.to_string());
                let mut names: Vec<String> = names.collect();
                names.sort();
                names.dedup();
                names
            }
            Map::Or { field, other } => vec![field.clone(), other.clone()],
            Map::Lookup { keys, .. } => keys.iter().map(|(_, field)| field.clone()).collect(),
            Map::Distinct(field)
            | Map::Fill { field, .. }
            | Map::GeoIp { field, .. }
            | Map::Extract { field, .. }
            | Map::Rewrite { field, .. }
            | Map::Bin { field, .. }
            | Map::Split { field, .. }
            | Map::Join { field, .. }
            | Map::FormatTime { field, .. }
            | Map::JsonPath { field, .. } => vec![field.clone()],
        }
    }

    /// The kind of its value over rows of these columns.
    pub(crate) fn kind(&self, columns: &[Column]) -> Kind {
        let of = |name: &str| columns.iter().find(|c| c.name == name).map_or(Kind::Text, |c| c.kind);
        match self {
            Map::Expr(expr) => expr_kind(expr, &of),
            Map::CountIf(_) => Kind::Int,
            Map::Fill { field, value } => match of(field) {
                Kind::List => Kind::List,
                kind @ (Kind::Int | Kind::Float) if value.parse::<f64>().is_ok() => kind.join(Kind::Float),
                _ => Kind::Text,
            },
            Map::Or { field, other } => of(field).join(of(other)),
            Map::Extract { max: 1, .. } => Kind::Text,
            Map::Distinct(_) | Map::Lookup { .. } | Map::Extract { .. } | Map::Split { .. } | Map::JsonPath { .. } => {
                Kind::List
            }
            Map::Rewrite { field, .. } if of(field) == Kind::List => Kind::List,
            Map::FormatTime { field, .. } if of(field) == Kind::List => Kind::List,
            Map::GeoIp { .. } | Map::Rewrite { .. } | Map::Join { .. } | Map::FormatTime { .. } => Kind::Text,
            Map::Bin { span: Span::Number(_), .. } => Kind::Text,
            Map::Bin { .. } => Kind::Float,
        }
    }

    /// Makes it run.
    ///
    /// # Errors
    /// What is wrong with its expression, regular expression or command.
    pub(crate) fn compile(&self, tools: &Arc<Tools>) -> Result<Compiled, String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let context = Context { now: tools.now };
        Ok(match self.clone() {
            Map::Expr(expr) => {
                let program = Program::compile(&expr).map_err(|error| said(&error))?;
                Box::new(move |row| program.value(row, &context))
            }
            Map::CountIf(expr) => {
                let program = Program::compile(&expr).map_err(|error| said(&error))?;
                Box::new(move |row| match program.truth(row, &context) {
                    Some(true) => Value::Int(1),
                    _ => Value::Absent,
                })
            }
            Map::Fill { field, value } => {
                let (field, value) = (flat(&field), Value::text(value));
                Box::new(move |row| Some(row.get(&field)).filter(|v| !v.is_absent()).unwrap_or_else(|| value.clone()))
            }
            Map::Or { field, other } => {
                let (field, other) = (flat(&field), flat(&other));
                Box::new(move |row| Some(row.get(&field)).filter(|v| !v.is_absent()).unwrap_or_else(|| row.get(&other)))
            }
            Map::Distinct(field) => distinct(&field),
            Map::GeoIp { field, name } => {
                let (field, tools) = (flat(&field), tools.clone());
                Box::new(move |row| match (&tools.geoip, text_of(&row.get(&field))) {
                    (Some(geoip), Some(address)) => geoip.field(&address, &name),
                    _ => Value::text(""),
                })
            }
            Map::Lookup { table, keys, output } => lookup(tools.tables.get(&table).cloned(), keys, output),
            Map::Extract { field, regex, group, max } => extractor(&field, &regex, group, max)?,
            Map::Rewrite { field, sed } => {
                let (sed, field) = (Sed::parse(&sed)?, flat(&field));
                Box::new(move |row| each_text(&row.get(&field), |text| Value::text(sed.apply(text))))
            }
            Map::Bin { field, span } => {
                let field = flat(&field);
                Box::new(move |row| bin(&row.get(&field), span))
            }
            Map::Split { field, split, allow_empty } => splitter(&field, split, allow_empty)?,
            Map::Join { field, delimiter } => joiner(&field, delimiter),
            Map::FormatTime { field, format } => formatter(&field, format),
            Map::JsonPath { field, path } => {
                let field = flat(&field);
                Box::new(move |row| {
                    text_of(&row.get(&field)).and_then(|text| json::extract(&text, &path)).unwrap_or_default()
                })
            }
        })
    }
}

fn distinct(field: &str) -> Compiled {
    let field = flat(field);
    Box::new(move |row| {
        let mut distinct: Vec<Value> = Vec::new();
        for member in row.get(&field).members() {
            if !distinct.contains(member) {
                distinct.push(member.clone());
            }
        }
        Value::list(distinct)
    })
}

fn extractor(field: &str, regex: &str, group: String, max: u64) -> Result<Compiled, String> {
    let regex = CompiledRegex::new(regex).map_err(|error| error.to_string())?;
    let field = flat(field);
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    Ok(Box::new(move |row| {
        let value = row.get(&field);
        let found = value.members().iter().filter_map(text_of).flat_map(|text| regex.group(Some(&group), &text, max));
        let limit = if max == 0 { usize::MAX } else { max };
        Value::list(found.take(limit).map(Value::text))
    }))
}

fn joiner(field: &str, delimiter: String) -> Compiled {
    let field = flat(field);
    Box::new(move |row| {
        let value = row.get(&field);
        if value.is_absent() {
            return Value::Absent;
        }
        let texts: Vec<String> = value.members().iter().filter_map(text_of).collect();
        Value::text(texts.join(&delimiter))
    })
}

fn formatter(field: &str, format: String) -> Compiled {
    let field = flat(field);
    Box::new(move |row| {
        each_text(&row.get(&field), |text| {
            let time = Number::parse(text).and_then(clock::micros);
            // Whole seconds, as the command gives them.
            let time = time.map(|t| t.div_euclid(1_000_000) * 1_000_000);
            let text = || Value::text(text);
            time.and_then(|t| clock::format_time(t, &format)).map_or_else(text, Value::text)
        })
    })
}

fn each_text(value: &Value, apply: impl Fn(&str) -> Value) -> Value {
    Value::list(value.members().iter().filter_map(text_of).map(|text| apply(&text)))
}

fn lookup(table: Option<Arc<TableIndex>>, keys: Vec<(String, String)>, output: String) -> Compiled {
    let keys: Vec<(String, FieldPath)> = keys.into_iter().map(|(column, field)| (column, flat(&field))).collect();
    Box::new(move |row| {
        let Some(table) = &table else { return Value::Absent };
        let values: Vec<Value> = keys.iter().map(|(_, field)| row.get(field)).collect();
        if values.iter().any(Value::is_absent) {
            return Value::Absent;
        }
        let wanted: Vec<(&str, &Value)> = keys.iter().map(|(column, _)| column.as_str()).zip(&values).collect();
        table.lookup(&wanted).values(&output)
    })
}

fn splitter(field: &str, split: MultiSplit, allow_empty: bool) -> Result<Compiled, String> {
    let field = flat(field);
    Ok(match split {
        MultiSplit::Delimiter(delimiter) => Box::new(move |row| {
            each_text(&row.get(&field), |text| {
                let parts = text.split(delimiter.as_str()).filter(|part| allow_empty || !part.is_empty());
                Value::list(parts.map(Value::text))
            })
        }),
        MultiSplit::Tokenizer(regex) => {
            let regex = CompiledRegex::new(&regex).map_err(|error| error.to_string())?;
            Box::new(move |row| {
                each_text(&row.get(&field), |text| Value::list(regex.group(None, text, 0).into_iter().map(Value::text)))
            })
        }
    })
}

/// A number floored to a bucket: a time gives the bucket's start, any other number its range as text.
fn bin(value: &Value, span: Span) -> Value {
    let Some(number) = Number::of(value).map(Number::as_f64) else { return value.clone() };
    match span {
        Span::Number(width) if width > 0.0 => {
            let start = (number / width).floor() * width;
            let text = |n: f64| text_of(&number::float(n)).unwrap_or_default();
            Value::text(format!("{}-{}", text(start), text(start + width)))
        }
        Span::Seconds(width) if width > 0.0 => number::float((number / width).floor() * width),
        Span::Months(months) => month_start(number, months).map_or_else(|| value.clone(), number::float),
        _ => value.clone(),
    }
}

/// The start of the run of so many calendar months, counted from January, that a time lies in.
fn month_start(seconds: f64, months: u32) -> Option<f64> {
    use masthead_ir::time::{TimeSpec, TimeStep, TimeUnit};
    let micros = clock::micros(Number::Float(seconds))?;
    let year = TimeSpec::Relative(vec![TimeStep::Snap(TimeUnit::Year)]).resolve(micros);
    let step = i64::from(months.clamp(1, 12));
    let starts = (0..).map(|n| TimeSpec::Relative(vec![TimeStep::Add(n * step, TimeUnit::Month)]).resolve(year));
    starts.take(13).take_while(|start| *start <= micros).last().map(|start| start as f64 / 1e6)
}

/// The kind of an expression's value. Where it depends on the row it is text, or a list if it may be one.
fn expr_kind(expr: &Expr, of: &dyn Fn(&str) -> Kind) -> Kind {
    let join = |parts: &[Expr]| {
        let kinds = parts.iter().filter(|part| !matches!(part, Expr::Literal(Value::Absent)));
        kinds.map(|part| expr_kind(part, of)).reduce(Kind::join).unwrap_or(Kind::Text)
    };
    match expr {
        Expr::Literal(Value::Int(_)) => Kind::Int,
        Expr::Literal(Value::Float(_)) => Kind::Float,
        Expr::Literal(Value::List(_)) => Kind::List,
        Expr::Field(field) => field.column().map_or(Kind::Text, |name| of(&name)),
        Expr::Arith { op: ArithOp::Concat, .. } => Kind::Text,
        Expr::Arith { op: ArithOp::Add, left, right } => {
            let numeric = |side: &Expr| matches!(expr_kind(side, of), Kind::Int | Kind::Float);
            if numeric(left) || numeric(right) { Kind::Float } else { Kind::Text }
        }
        Expr::Arith { .. } => Kind::Float,
        Expr::Call { func, args } => match func {
            Func::If => join(args.get(1..).unwrap_or_default()),
            Func::Case => {
                let results: Vec<Expr> = args.iter().skip(1).step_by(2).cloned().collect();
                join(&results)
            }
            Func::Coalesce | Func::Min | Func::Max => join(args),
            Func::NullIf => join(args.get(..1).unwrap_or_default()),
            Func::MvIndex if args.len() < 3 => Kind::Text,
            Func::Split
            | Func::MvAppend
            | Func::MvDedup
            | Func::MvFilter
            | Func::MvIndex
            | Func::MvMap
            | Func::MvRange
            | Func::MvSort
            | Func::MvZip
            | Func::JsonExtract
            | Func::Spath => Kind::List,
            Func::Abs
            | Func::Ceiling
            | Func::Exact
            | Func::Exp
            | Func::Floor
            | Func::Ln
            | Func::Log
            | Func::Pi
            | Func::Pow
            | Func::Round
            | Func::Sigfig
            | Func::Sqrt
            | Func::ToNumber
            | Func::Len
            | Func::MvCount
            | Func::MvFind
            | Func::Now
            | Func::RelativeTime
            | Func::StrpTime
            | Func::Time => Kind::Float,
            _ => Kind::Text,
        },
        _ => Kind::Text,
    }
}
