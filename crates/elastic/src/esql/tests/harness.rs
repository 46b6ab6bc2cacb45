//! Compiling, rendering and running queries in tests.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use masthead_ir::eval::regex::CompiledRegex;
use masthead_ir::eval::{Context, Program, Row};
use masthead_ir::pattern::Pattern;
use masthead_ir::pipeline::{AggregateInput, Source, Stage};
use masthead_ir::{Expr, FieldPath, Value};

use super::super::{EsqlProblem, EsqlQuery, Resolved, compile};

/// Where fields are in tests.
pub(super) fn field(name: &str) -> Resolved {
    if let Some(name) = name.strip_prefix("kubernetes.audit.") {
        return Resolved::Path(masthead_schema::field(name));
    }
    match name {
        "user.name" => Resolved::Path(FieldPath::flat("user.username")),
        "user.keys" => Resolved::Path(FieldPath::keys(["user"])),
        "source.ip" => Resolved::Path(FieldPath::flat("sourceIPs{}")),
        "event.action" => Resolved::Path(FieldPath::flat("verb")),
        "event.dataset" => Resolved::Constant("kubernetes.audit_logs".to_owned()),
        _ => Resolved::Absent,
    }
}

/// Stands for the compiler of KQL: a field that is there.
fn kql(text: &str) -> Result<Expr, String> {
    match text.split_once(':') {
        Some((name, _)) => match field(name.trim()) {
            Resolved::Path(field) => Ok(Expr::Test { field, pattern: Pattern::Present }),
            _ => Err("no such field".to_owned()),
        },
        None => Err("there is no colon".to_owned()),
    }
}

pub(super) fn compiled(query: &str) -> Result<EsqlQuery, Vec<EsqlProblem>> {
    compile(query, &field, &kql)
}

pub(super) fn good(query: &str) -> EsqlQuery {
    compiled(query).unwrap_or_else(|problems| panic!("{query}: {problems:#?}"))
}

/// A row of columns.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Fields(pub(super) BTreeMap<String, Value>);

impl Row for Fields {
    fn get(&self, field: &FieldPath) -> Value {
        field.column().and_then(|column| self.0.get(&*column)).cloned().unwrap_or_default()
    }
}

pub(super) fn row(fields: &[(&str, Value)]) -> Fields {
    Fields(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

pub(super) fn s(text: &str) -> Value {
    Value::text(text)
}

/// The moment of the run: 1,000,000 seconds.
const CONTEXT: Context = Context { now: 1_000_000_000_000 };

fn program(expr: &Expr) -> Program {
    Program::compile(expr).unwrap()
}

/// Whether an event passes the condition of a query's source.
pub(super) fn passes(query: &str, event: &Fields) -> bool {
    let Source::Events { filter, .. } = good(query).pipeline.source else { panic!("{query}") };
    program(&filter).truth(event, &CONTEXT) == Some(true)
}

/// The row that a query makes of an event; none if it does not pass. Only for stages that look at one row.
pub(super) fn run(query: &str, event: &Fields) -> Option<Fields> {
    if !passes(query, event) {
        return None;
    }
    let mut row = event.clone();
    for stage in good(query).pipeline.stages {
        match stage {
            Stage::Filter(expr) if program(&expr).truth(&row, &CONTEXT) != Some(true) => return None,
            Stage::Filter(_) | Stage::Sort { .. } | Stage::FormatTime { .. } => {}
            Stage::Assign { field, expr } => {
                let value = program(&expr).value(&row, &CONTEXT);
                set(&mut row, field, value);
            }
            Stage::Extract { field, regex, .. } => {
                let text = row.get(&FieldPath::of_column(&field));
                let Value::Text(text) = text else { continue };
                let regex = CompiledRegex::new(&regex).unwrap();
                for name in regex.group_names() {
                    let found = Value::list(regex.group(Some(&name), &text, 1).into_iter().map(Value::text));
                    set(&mut row, name, found);
                }
            }
            Stage::Rename(pairs) => {
                for (from, to) in pairs {
                    let value = row.0.remove(&from).unwrap_or_default();
                    set(&mut row, to, value);
                }
            }
            Stage::Keep { fields, .. } => row.0.retain(|name, _| fields.contains(name)),
            other => panic!("{other:?}"),
        }
    }
    Some(row)
}

fn set(row: &mut Fields, field: String, value: Value) {
    row.0.remove(&field);
    if !value.is_absent() {
        row.0.insert(field, value);
    }
}

/// A pipeline in few lines.
pub(super) fn rendered(query: &str) -> String {
    let query = good(query);
    let mut out = String::new();
    if let Source::Events { filter, .. } = &query.pipeline.source {
        let _ = writeln!(out, "events {}", expr(filter));
    }
    for stage in &query.pipeline.stages {
        let _ = match stage {
            Stage::Filter(condition) => writeln!(out, "filter {}", expr(condition)),
            Stage::Assign { field, expr: value } => writeln!(out, "assign {field} = {}", expr(value)),
            Stage::Aggregate(aggregation) => {
                for aggregate in &aggregation.aggregates {
                    let input = match &aggregate.input {
                        AggregateInput::Rows => "*".to_owned(),
                        AggregateInput::Field(field) => field.clone(),
                        AggregateInput::Expr(value) => expr(value),
                    };
                    let _ = writeln!(out, "aggregate {} = {:?}({input})", aggregate.name, aggregate.func);
                }
                writeln!(out, "  by {:?}", aggregation.by)
            }
            Stage::Keep { fields, ordered: true } => writeln!(out, "keep {}", fields.join(", ")),
            other => writeln!(out, "{other:?}"),
        };
    }
    let _ = writeln!(out, "columns {}", query.columns.join(", "));
    out
}

/// An expression in one line.
pub(super) fn expr(shown: &Expr) -> String {
    let all = |exprs: &[Expr], between: &str| exprs.iter().map(expr).collect::<Vec<_>>().join(between);
    match shown {
        Expr::Literal(Value::Absent) => "null".to_owned(),
        Expr::Literal(Value::Text(text)) => format!("{text:?}"),
        Expr::Literal(Value::Int(int)) => int.to_string(),
        Expr::Literal(Value::Float(float)) => float.to_string(),
        Expr::Literal(Value::Bool(truth)) => truth.to_string(),
        Expr::Literal(other) => format!("{other:?}"),
        Expr::Field(field) => field.column().unwrap_or_default().into_owned(),
        Expr::Test { field, pattern: tested } => {
            format!("[{} {}]", field.column().unwrap_or_default(), pattern(tested))
        }
        Expr::Differs { field, pattern: tested, rule } => {
            format!("[{} differs ({rule:?}) {}]", field.column().unwrap_or_default(), pattern(tested))
        }
        Expr::And(parts) => format!("({})", all(parts, " and ")),
        Expr::Or(parts) => format!("({})", all(parts, " or ")),
        Expr::Xor(left, right) => format!("({} xor {})", expr(left), expr(right)),
        Expr::Not(part) => format!("not {}", expr(part)),
        Expr::Compare { op, left, right } => format!("({} {op:?} {})", expr(left), expr(right)),
        Expr::Arith { op, left, right } => format!("({} {op:?} {})", expr(left), expr(right)),
        Expr::Call { func, args } => format!("{func:?}({})", all(args, ", ")),
    }
}

fn pattern(shown: &Pattern) -> String {
    match shown {
        Pattern::Text { text, case, .. } => format!("= {text:?} {case:?}"),
        Pattern::AnyOf(patterns) => patterns.iter().map(pattern).collect::<Vec<_>>().join(" | "),
        other => format!("{other:?}"),
    }
}
