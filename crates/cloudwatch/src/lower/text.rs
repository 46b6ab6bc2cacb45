//! Terms, looked for anywhere in the raw event.
//!
//! A term need not be a word of its own: CloudWatch finds `ERROR` in `ERRORCODE` too (CloudWatch Logs User Guide, "Filter
//! pattern syntax", matching terms).

use masthead_ir::FieldPath;
use masthead_ir::expr::Expr;
use masthead_ir::pattern::{Case, Pattern};

use super::RAW;
use crate::syntax::{Term, TermKind};

pub(super) fn filter(terms: &[Term]) -> Expr {
    let tests = |kind: TermKind| terms.iter().filter(move |term| term.kind == kind).map(test);
    let mut all: Vec<Expr> = tests(TermKind::Must).collect();
    all.extend(tests(TermKind::Not).map(|found| Expr::Not(Box::new(found))));
    let optional: Vec<Expr> = tests(TermKind::Optional).collect();
    if !optional.is_empty() {
        all.push(Expr::Or(optional));
    }
    if all.len() == 1 { all.swap_remove(0) } else { Expr::And(all) }
}

fn test(term: &Term) -> Expr {
    let text = term.text.clone();
    let pattern = if term.regex { Pattern::Regex(text) } else { Pattern::Contains { text, case: Case::Sensitive } };
    Expr::Test { field: FieldPath::flat(RAW), pattern }
}
