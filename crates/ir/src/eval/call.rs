//! Functions: what they take, what is made of their literal arguments once, and where each is evaluated.
//!
//! Where a function is asked for a text or a number and given a list, text functions and tests of text go through its
//! members, number functions give null.

use super::glob::Like;
use super::program::{ExprError, Node, Prepared};
use super::regex::CompiledRegex;
use super::{Context, Row, choice, clock, json, multi, number, numeric, text};
use crate::expr::{Expr, Func};
use crate::time::parse_spec;
use crate::value::Value;

/// How many arguments a function takes: at least, and at most (none: any number).
fn arity(func: Func) -> (usize, Option<usize>) {
    use Func as F;
    match func {
        F::Null | F::True | F::False | F::Pi | F::Random | F::Now | F::Time => (0, Some(0)),
        F::IsNull | F::IsNotNull | F::IsNum | F::IsStr | F::IsInt | F::SearchMatch | F::TypeOf => (1, Some(1)),
        F::Abs | F::Ceiling | F::Exact | F::Exp | F::Floor | F::Ln | F::Sigfig | F::Sqrt => (1, Some(1)),
        F::Len | F::Lower | F::Upper | F::UrlDecode | F::Md5 | F::Sha1 | F::Sha256 | F::JsonValid => (1, Some(1)),
        F::MvCount | F::MvDedup | F::MvFilter | F::MvSort => (1, Some(1)),
        F::Log | F::Round | F::ToNumber | F::ToString | F::Ltrim | F::Rtrim | F::Trim => (1, Some(2)),
        F::NullIf | F::Like | F::Match | F::CidrMatch | F::Pow | F::Split => (2, Some(2)),
        F::MvFind | F::MvJoin | F::MvMap | F::RelativeTime | F::StrfTime | F::StrpTime | F::Spath => (2, Some(2)),
        F::Substr | F::MvIndex | F::MvRange | F::MvZip => (2, Some(3)),
        F::If | F::Replace => (3, Some(3)),
        F::Case | F::Validate | F::In => (2, None),
        F::Coalesce | F::Min | F::Max | F::Printf | F::MvAppend | F::JsonExtract => (1, None),
    }
}

/// Checks a call's arguments and compiles those literal ones that are patterns.
pub(super) fn prepare(func: Func, args: &[Expr]) -> Result<Prepared, ExprError> {
    check_arity(func, args.len())?;
    let literal = |at: usize| match args.get(at) {
        Some(Expr::Literal(value)) => number::text(value),
        _ => None,
    };
    Ok(match func {
        Func::Random => return Err(ExprError::NotDeterministic(func)),
        Func::SearchMatch => {
            return Err(ExprError::Unsupported { func, reason: "a search inside an expression has to be spelled out" });
        }
        Func::Sigfig => {
            return Err(ExprError::Unsupported { func, reason: "how precise a number was written is not kept" });
        }
        Func::Match | Func::Replace | Func::MvFind => match literal(1) {
            Some(expression) => Prepared::Regex(CompiledRegex::new(&expression)?),
            None => Prepared::Nothing,
        },
        Func::Like => literal(1).map_or(Prepared::Nothing, |pattern| Prepared::Like(Like::new(&pattern))),
        Func::CidrMatch => {
            match literal(0) {
                Some(network) => Prepared::Network(text::network(&network).ok_or_else(|| ExprError::Argument {
                    func,
                    argument: format!("`{network}`, which is no network"),
                })?),
                None => Prepared::Nothing,
            }
        }
        Func::RelativeTime => match literal(1) {
            Some(spec) => Prepared::Time(
                parse_spec(&spec).map_err(|error| ExprError::Argument { func, argument: error.to_string() })?,
            ),
            None => Prepared::Nothing,
        },
        Func::MvFilter => Prepared::Member(multi::only_field(func, args.first())?),
        Func::MvMap => match args.first() {
            Some(Expr::Field(field)) => Prepared::Member(field.clone()),
            _ => Prepared::Member(multi::only_field(func, args.get(1))?),
        },
        _ => Prepared::Nothing,
    })
}

fn check_arity(func: Func, given: usize) -> Result<(), ExprError> {
    let (least, most) = arity(func);
    let pairs = matches!(func, Func::Case | Func::Validate);
    if given >= least && most.is_none_or(|most| given <= most) && (!pairs || given.is_multiple_of(2)) {
        return Ok(());
    }
    let expected = match most {
        _ if pairs => "an even number of".to_owned(),
        Some(most) if most == least => most.to_string(),
        Some(most) => format!("{least} to {most}"),
        None => format!("at least {least}"),
    };
    Err(ExprError::Arity { func, expected, given })
}

/// The arguments of a call, evaluated when asked for.
#[derive(Clone, Copy)]
pub(super) struct Args<'a> {
    pub(super) nodes: &'a [Node],
    pub(super) prepared: &'a Prepared,
    pub(super) row: &'a dyn Row,
    pub(super) context: &'a Context,
}

impl Args<'_> {
    /// The value of an argument; absent if there is none.
    pub(super) fn value(&self, at: usize) -> Value {
        self.nodes.get(at).map_or(Value::Absent, |node| node.value(self.row, self.context))
    }

    /// The text of an argument; none if it is null or a list.
    pub(super) fn text(&self, at: usize) -> Option<String> {
        self.nodes.get(at)?.text(self.row, self.context)
    }

    /// The number that an argument reads as.
    pub(super) fn number(&self, at: usize) -> Option<number::Number> {
        number::Number::of(&self.value(at))
    }

    /// Whether there is such an argument.
    pub(super) fn has(&self, at: usize) -> bool {
        at < self.nodes.len()
    }
}

/// Evaluates a call.
pub(super) fn call(func: Func, nodes: &[Node], prepared: &Prepared, row: &dyn Row, context: &Context) -> Value {
    use Func as F;
    let args = Args { nodes, prepared, row, context };
    let value = match func {
        F::If | F::Case | F::Validate | F::Coalesce | F::Null | F::NullIf | F::True | F::False => {
            choice::call(func, args)
        }
        F::IsNull | F::IsNotNull | F::IsNum | F::IsStr | F::IsInt | F::In | F::TypeOf => choice::call(func, args),
        F::Abs | F::Ceiling | F::Exact | F::Exp | F::Floor | F::Ln | F::Log | F::Min | F::Max | F::Pi | F::Pow => {
            numeric::call(func, args)
        }
        F::Round | F::Sqrt | F::ToNumber => numeric::call(func, args),
        F::Like | F::Match | F::CidrMatch | F::Len | F::Lower | F::Upper | F::Ltrim | F::Rtrim | F::Trim => {
            text::call(func, args)
        }
        F::Replace | F::Substr | F::ToString | F::UrlDecode | F::Md5 | F::Sha1 | F::Sha256 | F::Printf => {
            text::call(func, args)
        }
        F::Split | F::MvAppend | F::MvCount | F::MvDedup | F::MvFilter | F::MvFind | F::MvIndex | F::MvJoin => {
            multi::call(func, args)
        }
        F::MvMap | F::MvRange | F::MvSort | F::MvZip => multi::call(func, args),
        F::Now | F::Time | F::RelativeTime | F::StrfTime | F::StrpTime => clock::call(func, args),
        F::JsonExtract | F::JsonValid | F::Spath => json::call(func, args),
        // Refused when the expression is compiled.
        F::SearchMatch | F::Random | F::Sigfig => None,
    };
    value.unwrap_or(Value::Absent)
}
