//! Which predicates a condition cannot hold without.

use masthead_ir::pattern::Pattern;

use crate::ConditionKind;
use crate::formula::Formula;

/// What must have fired before a condition is worth looking at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    /// At least one of these patterns. None at all: the condition never holds.
    AnyOf(Vec<u32>),
    /// Nothing in particular.
    Always,
}

/// Patterns of which one must fire, and how often events are likely to fire them (smaller is rarer).
struct Set {
    patterns: Vec<u32>,
    weight: u32,
}

/// The access of a condition. `weight` tells how common a pattern is, none for patterns that cannot be used because the
/// envelope decides them.
pub(crate) fn access(kind: ConditionKind, formula: &Formula, weight: &dyn Fn(u32) -> Option<u32>) -> Access {
    match needed(kind, formula, true, weight) {
        Some(mut set) => {
            set.patterns.sort_unstable();
            set.patterns.dedup();
            Access::AnyOf(set.patterns)
        }
        None => Access::Always,
    }
}

/// Patterns of which one must have fired if the formula (with `wanted` false: its opposite) passes. Unknown passes in a
/// guard and does not in a filter; since "and" passes only if all its parts pass and "or" only if a part does, the rest
/// is the same for both.
fn needed(kind: ConditionKind, formula: &Formula, wanted: bool, weight: &dyn Fn(u32) -> Option<u32>) -> Option<Set> {
    match formula {
        Formula::Constant(truth) => {
            let truth = if wanted { *truth } else { truth.map(|truth| !truth) };
            if kind.passes(truth) { None } else { Some(Set { patterns: Vec::new(), weight: 0 }) }
        }
        Formula::Test { pattern, .. } if wanted => {
            weight(*pattern).map(|weight| Set { patterns: vec![*pattern], weight })
        }
        Formula::Not(inner) => needed(kind, inner, !wanted, weight),
        Formula::And(parts) | Formula::Or(parts) => {
            let sets = parts.iter().map(|part| needed(kind, part, wanted, weight));
            if matches!(formula, Formula::And(_)) == wanted {
                sets.flatten().min_by_key(|set| set.weight)
            } else {
                let mut union = Set { patterns: Vec::new(), weight: 0 };
                for set in sets {
                    let set = set?;
                    union.weight = union.weight.saturating_add(set.weight);
                    union.patterns.extend(set.patterns);
                }
                Some(union)
            }
        }
        Formula::Test { .. } | Formula::Differs { .. } | Formula::Xor(_) | Formula::Residual(_) => None,
    }
}

/// How common a pattern is, by its looks and by how many conditions name it: what many rules ask for (`get`, `create`) is
/// what events have.
pub(crate) fn weight(pattern: &Pattern, uses: u32) -> u32 {
    commonness(pattern).saturating_add(uses.saturating_mul(2))
}

/// How common a pattern looks: equality with a long text is rarest.
fn commonness(pattern: &Pattern) -> u32 {
    let brevity = |text: &str| u32::try_from(16usize.saturating_sub(text.len())).unwrap_or(0);
    match pattern {
        Pattern::Text { text, .. } => 16 + brevity(text),
        Pattern::Same(masthead_ir::Value::Text(text)) => 16 + brevity(text),
        Pattern::Same(_) => 40,
        Pattern::Cidr { .. } => 48,
        Pattern::Prefix { text, .. } | Pattern::Suffix { text, .. } => 48 + brevity(text),
        Pattern::Phrase { text, .. } | Pattern::Contains { text, .. } => 64 + brevity(text),
        Pattern::Wildcard { glob, .. } => 64 + brevity(glob),
        Pattern::Regex(_) => 96,
        Pattern::Order { .. } => 112,
        Pattern::AnyOf(patterns) => patterns.iter().map(commonness).fold(0, u32::saturating_add),
        Pattern::Present => 256,
    }
}
