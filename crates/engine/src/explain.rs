//! Why a rule could not fire: what its condition needs and no event had.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use masthead_ir::eval::CompiledPattern;
use masthead_ir::pattern::Pattern;
use masthead_ir::{Expr, FieldPath};

/// How many seen values a reason names.
const NAMED_VALUES: usize = 3;

/// What was seen in all events of a scan.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Values of fields that envelopes give (`source`, `sourcetype`, …).
    pub(crate) envelope: BTreeMap<&'static str, BTreeSet<String>>,
    /// Fields that some event had, of those that were looked for.
    pub(crate) fields: HashSet<FieldPath>,
    /// Fields that were looked for.
    pub(crate) projected: HashSet<FieldPath>,
    /// Log types.
    pub(crate) log_types: BTreeSet<String>,
}

impl Seen {
    /// What keeps a condition from being true of any event; none if nothing is known to.
    pub(crate) fn blocker(&self, condition: &Expr) -> Option<String> {
        match condition {
            Expr::Test { field, pattern } => self.blocked_test(field, pattern),
            Expr::Differs { field, .. } => self.missing(field),
            Expr::And(parts) => parts.iter().find_map(|part| self.blocker(part)),
            Expr::Or(parts) => {
                let reasons: Option<Vec<String>> = parts.iter().map(|part| self.blocker(part)).collect();
                reasons.and_then(|reasons| reasons.into_iter().next())
            }
            _ => None,
        }
    }

    fn blocked_test(&self, field: &FieldPath, pattern: &Pattern) -> Option<String> {
        let FieldPath::Flat(name) = field else { return self.missing(field) };
        let Some(values) = self.envelope.get(&**name) else { return self.missing(field) };
        let pattern = CompiledPattern::new(pattern).ok()?;
        if values.iter().any(|value| pattern.matches_str(value)) {
            return None;
        }
        let seen: Vec<String> = values.iter().take(NAMED_VALUES).map(|v| format!("`{v}`")).collect();
        let seen = if seen.is_empty() { "none".to_owned() } else { seen.join(", ") };
        Some(format!("no event has the `{name}` it asks for (seen: {seen})"))
    }

    fn missing(&self, field: &FieldPath) -> Option<String> {
        let looked_for_in_vain = self.projected.contains(field) && !self.fields.contains(field);
        looked_for_in_vain.then(|| format!("no event has the field `{field}`"))
    }

    /// Why a rule for these log types had nothing to look at.
    pub(crate) fn blocked_log_types(&self, wanted: &[String]) -> Option<String> {
        if wanted.is_empty() || wanted.iter().any(|wanted| self.log_types.contains(wanted)) {
            return None;
        }
        let wanted = wanted.join("`, `");
        let seen = if self.log_types.is_empty() {
            "no event has a log type; name it with --log-type".to_owned()
        } else {
            let seen: Vec<String> = self.log_types.iter().map(|t| format!("`{t}`")).collect();
            format!("seen: {}", seen.join(", "))
        };
        Some(format!("no event is of log type `{wanted}` ({seen})"))
    }
}

#[cfg(test)]
mod tests {
    use masthead_ir::pattern::Case;

    use super::*;

    fn test(field: &str, text: &str) -> Expr {
        let pattern = Pattern::Text { text: text.into(), case: Case::Folded, numeric: true };
        Expr::Test { field: FieldPath::flat(field), pattern }
    }

    fn seen() -> Seen {
        let mut seen = Seen::default();
        seen.envelope.insert("source", BTreeSet::from(["kubernetes".to_owned()]));
        seen.projected.extend([FieldPath::flat("verb"), FieldPath::flat("requestObject.spec.type")]);
        seen.fields.insert(FieldPath::flat("verb"));
        seen
    }

    #[test]
    fn the_first_unmet_need_is_named() {
        for (condition, expected) in [
            (Expr::And(vec![test("source", "Kubernetes"), test("verb", "get")]), None),
            (
                Expr::And(vec![test("source", "eks"), test("verb", "get")]),
                Some("no event has the `source` it asks for (seen: `kubernetes`)"),
            ),
            (test("requestObject.spec.type", "NodePort"), Some("no event has the field `requestObject.spec.type`")),
            (Expr::Or(vec![test("requestObject.spec.type", "NodePort"), test("verb", "get")]), None),
            (Expr::Not(Box::new(test("requestObject.spec.type", "x"))), None),
        ] {
            assert_eq!(seen().blocker(&condition).as_deref(), expected, "{condition:?}");
        }
    }

    #[test]
    fn a_missing_log_type_is_named_with_a_way_out() {
        let reason = seen().blocked_log_types(&["Amazon.EKS.Audit".to_owned()]).expect("it is missing");
        assert!(reason.contains("Amazon.EKS.Audit") && reason.contains("--log-type"), "{reason}");
        assert_eq!(seen().blocked_log_types(&[]), None);
    }
}
