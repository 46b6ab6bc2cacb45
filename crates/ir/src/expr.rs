//! Expressions with explicit semantics.
//!
//! Logic is Kleene's: `Absent` is "unknown". Tests of fields ([`Expr::Test`], [`Expr::Differs`]) are never unknown, so a
//! filter made of them alone is two-valued. A filter keeps a row if its expression is true; a guard
//! ([`crate::rule::Script`]) lets an event pass unless its expression is false.

use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

pub use masthead_event::path::{DOTTED_COLUMN, FieldPath};

use crate::pattern::{Differs, Pattern};
use crate::value::Value;

/// An expression over a row of fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Expr {
    /// A literal. `Literal(Absent)` is null, and "unknown" in a guard.
    Literal(Value),
    /// The value of a field, absent if the row has none.
    Field(FieldPath),
    /// Whether any value of the field passes the test; false if there is none. Never unknown.
    Test {
        /// The field.
        field: FieldPath,
        /// The test.
        pattern: Pattern,
    },
    /// Whether the field has a value that does not pass (how many must differ is said by `rule`); false if it has none.
    /// Never unknown.
    Differs {
        /// The field.
        field: FieldPath,
        /// The test.
        pattern: Pattern,
        /// How many values must differ.
        rule: Differs,
    },
    /// True if all are true, false if any is false, else unknown. Of none: true.
    And(Vec<Expr>),
    /// True if any is true, false if all are false, else unknown. Of none: false.
    Or(Vec<Expr>),
    /// Exclusive or; unknown if a side is.
    Xor(Box<Expr>, Box<Expr>),
    /// True for false, false for true, unknown for unknown.
    Not(Box<Expr>),
    /// A comparison of two expressions: by number if both sides read as numbers, else as text (bytes, case counts).
    /// Unknown if a side is absent. A list compares true if any of its members does.
    Compare {
        /// The operator.
        op: CompareOp,
        /// The left side.
        left: Box<Expr>,
        /// The right side.
        right: Box<Expr>,
    },
    /// Arithmetic over values that read as numbers; null if a side does not, and for a division by zero.
    Arith {
        /// The operator.
        op: ArithOp,
        /// The left side.
        left: Box<Expr>,
        /// The right side.
        right: Box<Expr>,
    },
    /// A function.
    Call {
        /// Which.
        func: Func,
        /// Its arguments, in order.
        args: Vec<Expr>,
    },
}

impl Expr {
    /// Calls `visit` with this expression and every expression inside it, an expression before its parts, parts from
    /// left to right. Keeps no stack of calls, so that depth does not matter.
    pub fn visit<'e>(&'e self, mut visit: impl FnMut(&'e Expr)) {
        let mut pending = vec![self];
        while let Some(expr) = pending.pop() {
            visit(expr);
            match expr {
                Expr::Literal(_) | Expr::Field(_) | Expr::Test { .. } | Expr::Differs { .. } => {}
                Expr::And(parts) | Expr::Or(parts) | Expr::Call { args: parts, .. } => {
                    pending.extend(parts.iter().rev())
                }
                Expr::Not(part) => pending.push(part),
                Expr::Xor(left, right) | Expr::Compare { left, right, .. } | Expr::Arith { left, right, .. } => {
                    pending.push(right);
                    pending.push(left);
                }
            }
        }
    }

    /// The fields that the expression reads, each once, in the order of their first use.
    pub fn fields(&self) -> Vec<FieldPath> {
        let mut fields = Vec::new();
        let mut seen = FxHashSet::default();
        self.visit(|expr| {
            if let Expr::Field(field) | Expr::Test { field, .. } | Expr::Differs { field, .. } = expr
                && seen.insert(field)
            {
                fields.push(field.clone());
            }
        });
        fields
    }

    /// The same expression with every field name and text literal passed through `change`: how a template is filled.
    #[must_use]
    pub fn map_text(self, change: &dyn Fn(&str) -> String) -> Expr {
        let boxed = |expr: Box<Expr>| Box::new(expr.map_text(change));
        let all = |parts: Vec<Expr>| parts.into_iter().map(|part| part.map_text(change)).collect();
        let field_of = |field: FieldPath| match field {
            FieldPath::Flat(name) => FieldPath::flat(change(&name)),
            FieldPath::Dotted(name) => FieldPath::dotted(change(&name)),
            keys @ FieldPath::Keys(_) => keys,
        };
        match self {
            Expr::Literal(Value::Text(text)) => Expr::Literal(Value::text(change(&text))),
            literal @ Expr::Literal(_) => literal,
            Expr::Field(field) => Expr::Field(field_of(field)),
            Expr::Test { field, pattern } => Expr::Test { field: field_of(field), pattern },
            Expr::Differs { field, pattern, rule } => Expr::Differs { field: field_of(field), pattern, rule },
            Expr::And(parts) => Expr::And(all(parts)),
            Expr::Or(parts) => Expr::Or(all(parts)),
            Expr::Xor(left, right) => Expr::Xor(boxed(left), boxed(right)),
            Expr::Not(part) => Expr::Not(boxed(part)),
            Expr::Compare { op, left, right } => Expr::Compare { op, left: boxed(left), right: boxed(right) },
            Expr::Arith { op, left, right } => Expr::Arith { op, left: boxed(left), right: boxed(right) },
            Expr::Call { func, args } => Expr::Call { func, args: all(args) },
        }
    }
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// Arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ArithOp {
    /// Adds two numbers; joins two texts of which at least one is no number; null if one side is null.
    Add,
    /// Subtracts.
    Sub,
    /// Multiplies.
    Mul,
    /// Divides; null by zero.
    Div,
    /// Remainder; null by zero.
    Rem,
    /// Joins as text, numbers too.
    Concat,
}

/// A function of [`Expr::Call`]. Semantics follow the Splunk Search Reference, "Evaluation functions", where a name is
/// shared with it; each is null for a null argument unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented where they are evaluated, in the modules of eval that call.rs names")]
pub enum Func {
    // Choice.
    If,
    Case,
    Validate,
    Coalesce,
    Null,
    NullIf,
    True,
    False,
    IsNull,
    IsNotNull,
    IsNum,
    IsStr,
    IsInt,
    In,
    // Tests.
    Like,
    Match,
    CidrMatch,
    SearchMatch,
    // Numbers.
    Abs,
    Ceiling,
    Exact,
    Exp,
    Floor,
    Ln,
    Log,
    Min,
    Max,
    Pi,
    Pow,
    Round,
    Sigfig,
    Sqrt,
    Random,
    ToNumber,
    // Text.
    Len,
    Lower,
    Upper,
    Ltrim,
    Rtrim,
    Trim,
    Replace,
    Substr,
    ToString,
    UrlDecode,
    Md5,
    Sha1,
    Sha256,
    Printf,
    TypeOf,
    // Several values.
    Split,
    MvAppend,
    MvCount,
    MvDedup,
    MvFilter,
    MvFind,
    MvIndex,
    MvJoin,
    MvMap,
    MvRange,
    MvSort,
    MvZip,
    // Time.
    Now,
    RelativeTime,
    StrfTime,
    StrpTime,
    Time,
    // JSON.
    JsonExtract,
    JsonValid,
    Spath,
}
