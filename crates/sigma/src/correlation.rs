//! Correlation rules (Sigma specification, "Correlation Rules").

use masthead_ir::expr::{CompareOp, Expr, Func};
use masthead_ir::pipeline::{
    Aggregate, AggregateFunc, AggregateInput, Correlation, CorrelationKind, Pipeline, Source, Stage, Step,
};
use masthead_ir::{FieldPath, Value};
use masthead_rulefile::Node;

use crate::ast::LogSource;
use crate::problem::Problem;
use crate::rule::first_key;
use crate::shared::Shared;

/// The name of the result of a count.
const RESULT: &str = "event_count";

/// The types of correlations.
const KINDS: [&str; 8] = [
    "event_count",
    "value_count",
    "value_sum",
    "value_avg",
    "value_median",
    "value_percentile",
    "temporal",
    "temporal_ordered",
];

/// A rule that a correlation refers to.
pub(crate) struct Referred {
    /// What an event must meet.
    pub(crate) filter: Expr,
    /// Its id and its name.
    pub(crate) names: Vec<String>,
    pub(crate) log_source: LogSource,
}

/// What a correlation says before its rules are looked up.
pub(crate) struct Plan<'n> {
    node: &'n Node,
    kind: &'n str,
    /// Ids or names of rules, with the nodes that name them.
    pub(crate) rules: Vec<(&'n str, &'n Node)>,
    /// Whether the rules fire by themselves, too.
    pub(crate) generates: bool,
}

impl<'n> Plan<'n> {
    /// Reads the mapping `correlation` of a document.
    pub(crate) fn read(document: &'n Node) -> Option<Plan<'n>> {
        let node = document.get("correlation")?;
        let rules = node.get("rules").or_else(|| node.get("rule"));
        let rules = match rules {
            Some(list) if !list.items().is_empty() => list.items().iter().collect(),
            Some(one) => vec![one],
            None => Vec::new(),
        };
        Some(Plan {
            node,
            kind: node.get("type").and_then(Node::text).unwrap_or_default(),
            rules: rules.into_iter().filter_map(|rule| Some((rule.text()?, rule))).collect(),
            generates: document.get("generate").or_else(|| node.get("generate")).and_then(Node::as_bool) == Some(true),
        })
    }

    /// The pipeline, once the rules are known, in the order of [`Plan::rules`].
    pub(crate) fn compile(&self, rules: &[Referred], shared: &Shared) -> Result<Pipeline, Problem> {
        let Some(first) = rules.first() else {
            return Err(Problem::invalid("sigma-missing", "the correlation names no `rules`", &first_key(self.node)));
        };
        let field = |name: &str| shared.field(name, &first.log_source);
        let by = self.groups(rules, shared)?;
        let within = self.within()?;
        let filters: Vec<Expr> = rules.iter().map(|rule| rule.filter.clone()).collect();
        let mut stages = Vec::new();
        let mut results = Vec::new();
        let kind = match self.kind {
            "event_count" | "value_count" | "value_sum" | "value_avg" | "value_percentile" | "value_median" => {
                for group in by.iter().filter(|group| group.alias) {
                    stages.push(group.assign(&filters));
                }
                results.push(FieldPath::flat(RESULT));
                self.threshold(&field)?
            }
            "temporal" | "temporal_ordered" => self.steps(&filters, &by)?,
            other => {
                return Err(self.unknown_type(other));
            }
        };
        let by_columns = by.iter().map(Group::column).collect();
        stages.push(Stage::Correlate(Correlation { kind, by: by_columns, within }));
        let filter = if filters.len() == 1 { filters[0].clone() } else { Expr::Or(filters) };
        let read = by.iter().flat_map(Group::paths).chain(results).chain(filter.fields());
        let read: Vec<FieldPath> = read.collect();
        stages.extend(masthead_schema::rows::shown(read));
        Ok(Pipeline { source: Source::Events { filter, range: None }, stages })
    }

    fn unknown_type(&self, kind: &str) -> Problem {
        let Some(node) = self.node.get("type") else {
            return Problem::invalid("sigma-missing", "the correlation has no `type`", &first_key(self.node));
        };
        let problem =
            Problem::invalid("sigma-correlation", format!("there is no correlation type `{kind}`"), &node.span);
        match masthead_rulefile::suggest(kind, KINDS.iter().copied()) {
            Some(meant) => problem.help(format!("did you mean `{meant}`?")),
            None => problem.help(format!("there are {}", KINDS.join(", "))),
        }
    }

    fn within(&self) -> Result<i64, Problem> {
        let node = self.node.get("timespan").or_else(|| self.node.get("timeframe"));
        let Some(node) = node else {
            return Err(Problem::invalid("sigma-missing", "the correlation has no `timespan`", &first_key(self.node)));
        };
        let text = node.text().unwrap_or_default();
        timespan(text).ok_or_else(|| {
            Problem::invalid("sigma-correlation", format!("`{text}` is no time span"), &node.span)
                .help("write a number and s, m, h, d, w, M or y: `10m`")
        })
    }

    fn groups(&self, rules: &[Referred], shared: &Shared) -> Result<Vec<Group>, Problem> {
        let names = self.node.get("group-by").map(Node::texts).unwrap_or_default();
        let aliases = self.node.get("aliases").map(Node::entries).unwrap_or_default();
        let group = |name: &str| {
            let alias = aliases.iter().find(|(key, _)| key.text() == Some(name));
            let Some((_, of)) = alias else {
                let fields: Vec<FieldPath> = rules.iter().map(|rule| shared.field(name, &rule.log_source)).collect();
                return Ok(match fields.first() {
                    Some(first) if fields.iter().all(|field| field == first) => {
                        Group { name: name.to_owned(), alias: false, fields: vec![first.clone()] }
                    }
                    _ => Group { name: name.to_owned(), alias: true, fields },
                });
            };
            let field = |((rule, place), referred): (&(&str, &Node), &Referred)| {
                let known = std::iter::once(*rule).chain(referred.names.iter().map(String::as_str));
                let field = known.filter_map(|rule| of.get(rule)).find_map(Node::text);
                let message = format!("the alias `{name}` says nothing of the rule `{rule}`");
                let missing = || Problem::invalid("sigma-correlation", message, &place.span);
                Ok(shared.field(field.ok_or_else(missing)?, &referred.log_source))
            };
            let fields = self.rules.iter().zip(rules).map(field).collect::<Result<_, Problem>>()?;
            Ok(Group { name: name.to_owned(), alias: true, fields })
        };
        names.into_iter().map(group).collect()
    }

    fn threshold(&self, field_of: &dyn Fn(&str) -> FieldPath) -> Result<CorrelationKind, Problem> {
        let Some(condition) = self.node.get("condition").filter(|node| !node.entries().is_empty()) else {
            return Err(Problem::invalid("sigma-missing", "the correlation has no `condition`", &first_key(self.node)));
        };
        let wrong = |message: &str| Problem::invalid("sigma-correlation", message, &first_key(condition));
        let fields: Vec<FieldPath> =
            condition.get("field").map(Node::texts).unwrap_or_default().into_iter().map(field_of).collect();
        let func = match self.kind {
            "event_count" => AggregateFunc::Count,
            "value_count" => AggregateFunc::DistinctCount,
            "value_sum" => AggregateFunc::Sum,
            "value_avg" => AggregateFunc::Avg,
            "value_median" => AggregateFunc::Median,
            _ => {
                let percentile = condition.get("percentile").and_then(Node::as_f64);
                let percentile = percentile.filter(|p| (0.0..=100.0).contains(p));
                AggregateFunc::Percentile(
                    percentile.ok_or_else(|| wrong("`value_percentile` needs a `percentile` from 0 to 100"))?,
                )
            }
        };
        let input = match (func, fields.as_slice()) {
            (AggregateFunc::Count, _) => AggregateInput::Rows,
            (_, []) => {
                return Err(Problem::invalid("sigma-missing", "the condition has no `field`", &first_key(condition)));
            }
            (_, [one]) => AggregateInput::Field(column(one)),
            (AggregateFunc::DistinctCount, several) => AggregateInput::Expr(combined(several)),
            _ => return Err(wrong("only values of one field can be computed with")),
        };
        let aggregates = vec![Aggregate { func, input, name: RESULT.to_owned() }];
        Ok(CorrelationKind::Threshold { aggregates, condition: Expr::And(comparisons(condition)?) })
    }

    fn steps(&self, filters: &[Expr], by: &[Group]) -> Result<CorrelationKind, Problem> {
        // All rules must have matched anyway.
        let all = |condition: &Node| match condition.entries() {
            [(key, count)] => {
                let least = if key.text() == Some("gt") { filters.len() - 1 } else { filters.len() };
                matches!(key.text(), Some("gt" | "gte" | "eq")) && count.as_i64() == i64::try_from(least).ok()
            }
            _ => condition.is_null(),
        };
        if let Some(condition) = self.node.get("condition").filter(|condition| !all(condition)) {
            let message = "a condition over the rules of a temporal correlation cannot be run here";
            return Err(Problem::unsupported("sigma-correlation", message, &condition.span)
                .help("every rule must match; leave the condition away"));
        }
        let step = |(at, filter): (usize, &Expr)| Step {
            filter: filter.clone(),
            by: by
                .iter()
                .map(|group| group.fields.get(at).or(group.fields.first()).map(column).unwrap_or_default())
                .collect(),
        };
        Ok(CorrelationKind::Steps {
            steps: filters.iter().enumerate().map(step).collect(),
            ordered: self.kind == "temporal_ordered",
            until: None,
        })
    }
}

/// What events are grouped by.
struct Group {
    name: String,
    alias: bool,
    /// The field, or of an alias that of each rule.
    fields: Vec<FieldPath>,
}

impl Group {
    fn column(&self) -> String {
        match self.fields.as_slice() {
            [field] if !self.alias => column(field),
            _ => self.name.clone(),
        }
    }

    fn paths(&self) -> Vec<FieldPath> {
        if self.alias { vec![FieldPath::flat(&self.name)] } else { self.fields.clone() }
    }

    /// Sets an alias: the field of the first rule that an event meets.
    fn assign(&self, filters: &[Expr]) -> Stage {
        let pairs = filters.iter().zip(&self.fields);
        let args = pairs.flat_map(|(filter, field)| [filter.clone(), Expr::Field(field.clone())]).collect();
        Stage::Assign { field: self.name.clone(), expr: Expr::Call { func: Func::Case, args } }
    }
}

/// What the result is compared with.
fn comparisons(condition: &Node) -> Result<Vec<Expr>, Problem> {
    let mut all = Vec::new();
    for (key, value) in condition.entries() {
        let op = match key.text().unwrap_or_default() {
            "gt" => CompareOp::Gt,
            "gte" => CompareOp::Ge,
            "lt" => CompareOp::Lt,
            "lte" => CompareOp::Le,
            "eq" => CompareOp::Eq,
            "neq" => CompareOp::Ne,
            "field" | "percentile" => continue,
            other => {
                let message = format!("a condition of a correlation has no `{other}`");
                let help = "there are gt, gte, lt, lte, eq, neq and field";
                return Err(Problem::invalid("sigma-correlation", message, &key.span).help(help));
            }
        };
        let Some(number) = value.as_f64() else {
            return Err(Problem::invalid("sigma-correlation", "this must be a number", &value.span));
        };
        all.push(Expr::Compare {
            op,
            left: Box::new(Expr::Field(FieldPath::flat(RESULT))),
            right: Box::new(Expr::Literal(Value::Float(number))),
        });
    }
    if all.is_empty() {
        let message = "the condition compares with nothing";
        return Err(Problem::invalid("sigma-correlation", message, &first_key(condition)));
    }
    Ok(all)
}

/// Values of several fields as one text.
fn combined(fields: &[FieldPath]) -> Expr {
    let part = |field: &FieldPath| Expr::Call {
        func: Func::Coalesce,
        args: vec![Expr::Field(field.clone()), Expr::Literal(Value::text(""))],
    };
    let join = |left: Expr, right: Expr| Expr::Arith {
        op: masthead_ir::expr::ArithOp::Concat,
        left: Box::new(left),
        right: Box::new(right),
    };
    let separated = |left: Expr, right: Expr| join(join(left, Expr::Literal(Value::text("\u{1f}"))), right);
    fields.iter().map(part).reduce(separated).unwrap_or(Expr::Literal(Value::Absent))
}

/// The column of a field.
pub(crate) fn column(field: &FieldPath) -> String {
    field.column().unwrap_or_default().into_owned()
}

/// A number and a unit, in microseconds (Sigma specification, "Time Span").
pub(crate) fn timespan(text: &str) -> Option<i64> {
    let text = text.trim();
    let unit = text.chars().last()?;
    let number: i64 = text[..text.len() - unit.len_utf8()].trim().parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        'M' => 2_592_000,
        'y' => 31_536_000,
        _ => return None,
    };
    number.checked_mul(seconds)?.checked_mul(1_000_000).filter(|span| *span > 0)
}
