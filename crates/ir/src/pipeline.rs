//! Pipelines: a source of rows and the stages that they pass.
//!
//! A row is a set of named values plus what travels unseen: the ids of the events it came from, and the first and last
//! of their times. A name is a whole flattened path (`user.groups{}`); names are case-sensitive.

use serde::{Deserialize, Serialize};

use crate::expr::Expr;
use crate::time::{Micros, TimeRange};

/// A source and its stages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    /// Where rows come from.
    pub source: Source,
    /// What they pass, in order.
    pub stages: Vec<Stage>,
}

/// Where the rows of a pipeline come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Source {
    /// Events that pass a filter. The filter goes into the matcher.
    Events {
        /// What an event must pass.
        filter: Expr,
        /// A time range of its own, instead of the rule's window.
        range: Option<TimeRange>,
    },
    /// Measurements of a metrics table (`_time`, `metric_name`, `_value`, dimensions), aggregated.
    Metrics(MetricsSource),
    /// The rows of a lookup table.
    Table {
        /// Its name.
        name: String,
        /// What a row must pass.
        filter: Option<Expr>,
    },
    /// One row without fields (for pipelines that make their own).
    Once,
}

/// An aggregation over a metrics table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricsSource {
    /// What is computed. The input of each names a metric, and may hold `*`.
    pub aggregates: Vec<Aggregate>,
    /// What a measurement must pass (dimensions, `index`).
    pub filter: Expr,
    /// The dimensions to group by.
    pub by: Vec<String>,
    /// The length of the time buckets, in seconds, if `_time` is one of the groups.
    pub span: Option<f64>,
    /// A time range of its own, instead of the rule's window.
    pub range: Option<TimeRange>,
}

impl Pipeline {
    /// Whether it correlates.
    pub fn correlates(&self) -> bool {
        self.stages.iter().any(|stage| matches!(stage, Stage::Correlate(_)))
    }

    /// How long a time its correlations look at, in microseconds; none if it has none.
    pub fn correlation_span(&self) -> Option<Micros> {
        let spans = self.stages.iter().filter_map(|stage| match stage {
            Stage::Correlate(correlation) => Some(match &correlation.kind {
                CorrelationKind::Periods { of, .. } => correlation.within.saturating_mul(i64::from(*of) + 1),
                // What is found last needs as much before it.
                _ => correlation.within.saturating_mul(2),
            }),
            _ => None,
        });
        spans.max()
    }
}

/// One step of a pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Stage {
    /// Keeps the rows for which the expression is true.
    Filter(Expr),
    /// Sets a field, replacing one of that name; a null result removes it. Later assignments see earlier ones.
    Assign {
        /// The field.
        field: String,
        /// Its value.
        expr: Expr,
    },
    /// Gives absent fields a value.
    Fill {
        /// Which fields: those named, or (empty) every field that some row of the current set has. A named field that
        /// no row has is created.
        fields: Vec<String>,
        /// The value.
        value: String,
    },
    /// Groups and aggregates: group fields and results are all that is left of a row. A row lacking a group field is
    /// left out. A group field of several values counts once for each. Without group fields one row comes out, also for
    /// no rows.
    Aggregate(Aggregation),
    /// Like `Aggregate`, but the results are added to every row of the group; rows lacking a group field stay as they are.
    Annotate(Aggregation),
    /// Like `Annotate`, but each row sees the rows up to it only.
    Running {
        /// What is computed.
        aggregation: Aggregation,
        /// Whether a row counts for itself.
        current: bool,
        /// How many rows (with the current one) count; 0: all.
        window: u64,
    },
    /// Aggregates into a table of one column per value of a field (chart, timechart).
    Pivot(Pivot),
    /// Renames fields; pairs apply in order. A `*` in both carries over. An existing target is replaced; if the source
    /// is absent in every row the target is removed.
    Rename(Vec<(String, String)>),
    /// Keeps only fields matching these patterns, in this order if `ordered` (a table). Names with a leading `_` are kept
    /// when not `ordered`.
    Keep {
        /// Names, with `*`.
        fields: Vec<String>,
        /// Whether the result is a table: its columns in this order, hidden ones too.
        ordered: bool,
    },
    /// Drops fields matching these patterns.
    Drop(Vec<String>),
    /// Orders rows.
    Sort {
        /// By what, most significant first.
        keys: Vec<SortKey>,
        /// How many rows are kept; 0: all.
        limit: u64,
    },
    /// Keeps the first rows.
    Head {
        /// How many.
        count: u64,
    },
    /// Keeps the last rows, the last first.
    Tail {
        /// How many.
        count: u64,
    },
    /// Turns the order of rows around.
    Reverse,
    /// Keeps the first rows of every combination of values.
    Dedup {
        /// The fields.
        fields: Vec<String>,
        /// How many rows of each combination.
        keep: u64,
        /// Whether rows lacking a field are kept.
        keep_empty: bool,
        /// Whether only neighbours count as doubles.
        consecutive: bool,
        /// An order to establish first.
        sort: Vec<SortKey>,
    },
    /// The most or least frequent combinations of values.
    Frequent {
        /// The fields combined.
        fields: Vec<String>,
        /// The groups they are counted in.
        by: Vec<String>,
        /// How many of each group; 0: all.
        limit: u64,
        /// Whether the least frequent come first.
        rare: bool,
        /// The name of the count.
        count_field: Option<String>,
        /// The name of the share in percent.
        percent_field: Option<String>,
    },
    /// Reads named groups of a regular expression out of a field.
    Extract {
        /// The field.
        field: String,
        /// The expression, with named groups.
        regex: String,
        /// How many matches are read; 0: all. More than one makes lists.
        max_match: u64,
    },
    /// Rewrites a field by a `s/…/…/` or `y/…/…/` command.
    Rewrite {
        /// The field.
        field: String,
        /// The command.
        sed: String,
    },
    /// Floors a number or time.
    Bin {
        /// The field.
        field: String,
        /// The width.
        span: Span,
        /// Where the result goes.
        target: String,
    },
    /// One row for every value of a field.
    Expand {
        /// The field.
        field: String,
        /// How many values are used; 0: all.
        limit: u64,
    },
    /// Splits a text into several values.
    MakeMulti {
        /// The field.
        field: String,
        /// By a text, or by what a regular expression matches (its first group).
        split: MultiSplit,
        /// Whether empty values are kept.
        allow_empty: bool,
    },
    /// Joins the values of a field by line feeds or a given text (nomv, mvcombine over equal rows).
    JoinMulti {
        /// The field.
        field: String,
        /// Between values.
        delimiter: String,
        /// Whether rows equal in all other fields are combined first.
        combine: bool,
    },
    /// Turns epoch seconds into text; what is no number stays.
    FormatTime {
        /// The fields; `*` allowed.
        fields: Vec<String>,
        /// strftime format.
        format: String,
    },
    /// Place of an IP address, from a geo-IP database.
    GeoIp {
        /// The field with the address; of several values the first counts.
        field: String,
        /// Put before the names of the result.
        prefix: String,
        /// Whether `Continent`, `MetroCode` and `Timezone` are given too.
        all: bool,
    },
    /// Adds columns of a lookup table.
    Lookup(LookupJoin),
    /// Parses JSON in a field and adds its members as fields, or one path of it.
    ParseJson {
        /// The field.
        field: String,
        /// One path of it.
        path: Option<String>,
        /// Where that goes (by default: the path).
        output: Option<String>,
    },
    /// `key=value` pairs of a text field as fields.
    ParsePairs {
        /// The field.
        field: String,
    },
    /// Runs stages once for every field whose name matches. `<<FIELD>>`, `<<MATCHSTR>>` and `<<MATCHSEG1>>`… are replaced
    /// in their text before it is compiled: the compiler is asked for stages when the names are known.
    ForEach {
        /// Patterns of names.
        fields: Vec<String>,
        /// The template.
        body: Template,
    },
    /// Joins with another pipeline.
    Join {
        /// The names that must be equal (as text); empty: all that both have.
        keys: Vec<String>,
        /// Whether rows without a partner stay.
        outer: bool,
        /// How many partners a row may have; 0: all.
        max: u64,
        /// Whether fields of the partner replace fields of the row.
        overwrite: bool,
        /// The other side.
        right: Box<Pipeline>,
    },
    /// Adds the rows of another pipeline at the end.
    Append(Box<Pipeline>),
    /// Runs stages over the current rows and adds their result at the end.
    AppendPipe(Vec<Stage>),
    /// Keeps rows that pass what another pipeline's rows say: each of its rows is a conjunction of equalities.
    SemiJoin {
        /// The other pipeline.
        right: Box<Pipeline>,
        /// Whether the test is negated.
        negated: bool,
    },
    /// Looks for what belongs together in time.
    Correlate(Correlation),
    /// Writes rows to a lookup table and passes them on.
    WriteTable {
        /// Its name.
        name: String,
        /// Whether they are added to what is there.
        append: bool,
    },
}

/// Looks for events that belong together in time. Rows without a time are passed over.
///
/// What is found becomes one row: the group fields, the results of `kind`, and every other column with the distinct values
/// that the events behind it have, at most [`MAX_CORRELATED_VALUES`]. What is found for one group and overlaps in time is one
/// row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Correlation {
    /// What is looked for.
    pub kind: CorrelationKind,
    /// Events belong together only if they have the same values in these fields. A row that lacks one takes no part. A
    /// field of several values counts once for each.
    pub by: Vec<String>,
    /// How far the first and the last event may lie apart, in microseconds.
    pub within: Micros,
}

/// How many distinct values of a column a correlated row has.
pub const MAX_CORRELATED_VALUES: usize = 20;

/// What a [`Correlation`] looks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum CorrelationKind {
    /// Aggregates over the events of a sliding window meet a condition.
    Threshold {
        /// What is computed over the window that ends with each event.
        aggregates: Vec<Aggregate>,
        /// What it must meet: an expression over the results and group fields.
        condition: Expr,
    },
    /// An event for each step (Sigma, temporal and temporal_ordered; EQL, sequence).
    Steps {
        /// The steps.
        steps: Vec<Step>,
        /// Whether they must come in this order. Of one moment, the order in which events were read counts.
        ordered: bool,
        /// An event that ends what has begun: what is not complete by then is dropped.
        until: Option<Expr>,
    },
    /// A combination of values that no event had for `within` before (Elastic, new terms). The first event of all has a new
    /// combination.
    New {
        /// The fields of the combination. One of several values makes a combination of each.
        fields: Vec<String>,
    },
    /// An aggregate over periods, aligned to midnight UTC, breaches a condition in `breaches` of the last `of` periods
    /// (CloudWatch, alarms). `within` is the length of a period.
    Periods {
        /// What is computed over each period.
        aggregate: Aggregate,
        /// What breaches: an expression over the result.
        condition: Expr,
        /// How many periods must breach.
        breaches: u32,
        /// Of how many.
        of: u32,
        /// What a period without events counts as.
        missing: MissingPeriod,
    },
}

/// One step of [`CorrelationKind::Steps`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Which rows are such a step.
    pub filter: Expr,
    /// The fields that hold the values of the group here; empty: those of the correlation. As many as those.
    pub by: Vec<String>,
}

/// What a period without events counts as (CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MissingPeriod {
    /// As breaching.
    Breaching,
    /// As not breaching.
    NotBreaching,
    /// The alarm stays as it was.
    Ignore,
    /// As if it were not there: the periods before it are looked at instead.
    Missing,
}

/// A body that is compiled once its names are known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// Assignments as expressions in which the name of a field, wherever it stands, may hold the tokens.
    pub assignments: Vec<(String, Expr)>,
}

/// Aggregates in groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Aggregation {
    /// What is computed.
    pub aggregates: Vec<Aggregate>,
    /// The group fields.
    pub by: Vec<String>,
    /// Whether a value that a list holds twice counts once (dedup_splitvals).
    pub dedup_values: bool,
}

/// One aggregate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Aggregate {
    /// Which.
    pub func: AggregateFunc,
    /// Over what.
    pub input: AggregateInput,
    /// The name of the result. Holds `*` where a wildcard input does.
    pub name: String,
}

/// What an aggregate is computed over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum AggregateInput {
    /// The rows (count).
    Rows,
    /// A field, or with `*` every field that matches and that some row has.
    Field(String),
    /// An expression. For a count: the rows for which it is true.
    Expr(Expr),
}

/// An aggregate function (Splunk Search Reference, "Statistical and charting functions").
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum AggregateFunc {
    /// Rows, or values of a field (each of a list).
    Count,
    /// Distinct values, by text.
    DistinctCount,
    /// Sum of what reads as a number.
    Sum,
    /// Sum of squares.
    SumSq,
    /// Mean of what reads as a number.
    Avg,
    /// Smallest: by number if all values read as numbers, else by bytes.
    Min,
    /// Largest: likewise.
    Max,
    /// Largest minus smallest, of numbers.
    Range,
    /// Sample standard deviation (n-1); of one value 0.
    Stdev,
    /// Population standard deviation.
    StdevP,
    /// Sample variance.
    Var,
    /// Population variance.
    VarP,
    /// Median.
    Median,
    /// Most frequent value.
    Mode,
    /// A percentile, 0 to 100 (nearest rank over all values).
    Percentile(f64),
    /// Distinct values, sorted by bytes.
    Values,
    /// All values in order, at most 100.
    List,
    /// The value of the row seen first (rows come newest first).
    First,
    /// The value of the row seen last.
    Last,
    /// The value of the row with the smallest `_time`.
    Earliest,
    /// The value of the row with the largest `_time`.
    Latest,
    /// The smallest `_time` of rows with a value.
    EarliestTime,
    /// The largest `_time` of rows with a value.
    LatestTime,
    /// Change per second between the earliest and latest value.
    Rate,
}

/// A table with a column per value of a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pivot {
    /// What is computed in each cell.
    pub aggregates: Vec<Aggregate>,
    /// The field of the rows (`_time` for a timechart).
    pub over: Option<String>,
    /// The width of buckets of that field.
    pub span: Option<Span>,
    /// The field whose values become columns.
    pub by: Option<String>,
    /// How many columns; the others are summed as OTHER. 0: all.
    pub limit: u64,
    /// Whether an OTHER column is made.
    pub use_other: bool,
    /// Whether rows lacking the column field go to a NULL column.
    pub use_null: bool,
}

/// The width of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Span {
    /// A number.
    Number(f64),
    /// Seconds; a whole number of days is counted from midnight UTC.
    Seconds(f64),
    /// Calendar months.
    Months(u32),
    /// Chosen from the data: at most this many buckets.
    Auto(u32),
}

/// How a text is split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum MultiSplit {
    /// By this text.
    Delimiter(String),
    /// Each match (its first group) of this regular expression is a value.
    Tokenizer(String),
}

/// One key of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SortKey {
    /// The field.
    pub field: String,
    /// Whether large comes first.
    pub descending: bool,
    /// How values compare.
    pub order: SortOrder,
}

/// How values of a sort key compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SortOrder {
    /// By number if both read as numbers, else by bytes.
    Auto,
    /// By number.
    Number,
    /// By bytes.
    Text,
    /// By IP address.
    Ip,
}

/// Columns of a lookup table added to rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LookupJoin {
    /// The table.
    pub table: String,
    /// Column of the table and field of the row that must match.
    pub keys: Vec<(String, String)>,
    /// Column of the table and field of the row that it goes to. Empty: every column that is no key.
    pub outputs: Vec<(String, String)>,
    /// Whether a field that a row has already is replaced.
    pub overwrite: bool,
}
