//! Words for what looks for events that belong together in time.

use masthead_ir::pipeline::{Correlation, CorrelationKind, MissingPeriod, Step};

use super::aggregate::aggregates;
use super::condition::inline;
use super::time::duration;
use super::wording::{columns, counted};
use crate::simplify::simplify;

/// One sentence about a correlation.
pub(crate) fn correlation(correlation: &Correlation, limit: usize) -> String {
    let within = duration(correlation.within);
    let each = match correlation.by.as_slice() {
        [] => String::new(),
        by => format!(" for each {}", columns(by, limit)),
    };
    match &correlation.kind {
        CorrelationKind::Threshold { aggregates: computed, condition } => format!(
            "Over {within} up to each event it {}{each}; a finding where {}.",
            aggregates(computed, limit),
            inline(&simplify(condition), limit)
        ),
        CorrelationKind::Steps { steps, ordered, until } => {
            let order = if *ordered { "one after the other" } else { "in any order" };
            let each = if each.is_empty() {
                String::new()
            } else {
                format!(", all with the same {}", columns(&correlation.by, limit))
            };
            let until = until.as_ref().map_or_else(String::new, |until| {
                format!("; it starts anew when an event comes where {}", inline(&simplify(until), limit))
            });
            let count = counted(steps.len() as u64, "step");
            format!("Looks for {count} {order} within {within}{each}{until}.")
        }
        CorrelationKind::New { fields } => format!(
            "Keeps events with a combination of {} that no event had within {within} before it{each}.",
            columns(fields, limit)
        ),
        CorrelationKind::Periods { aggregate, condition, breaches, of, missing } => format!(
            "In every period of {within} it {}{each}; a finding when in {breaches} of {} {}. {}",
            aggregates(std::slice::from_ref(aggregate), limit),
            counted(u64::from(*of), "period"),
            inline(&simplify(condition), limit),
            missing_period(*missing)
        ),
    }
}

/// The words before what a step asks.
pub(crate) fn step_name(number: usize, step: &Step, correlation: &Correlation, limit: usize) -> String {
    if step.by.is_empty() || step.by == correlation.by {
        return format!("Step {number}");
    }
    format!("Step {number} (grouped by {})", columns(&step.by, limit))
}

fn missing_period(missing: MissingPeriod) -> &'static str {
    match missing {
        MissingPeriod::Breaching => "A period without events counts as a breach.",
        MissingPeriod::NotBreaching => "A period without events counts as none.",
        MissingPeriod::Ignore => "A period without events changes nothing.",
        MissingPeriod::Missing => "A period without events is passed over.",
    }
}
