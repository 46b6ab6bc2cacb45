//! New combinations while events are read: only events that may be the first of their combination are kept.
//!
//! Of each combination stretches of time are known in which its events follow each other closely enough that only the
//! first of a stretch is new. They do not depend on the order in which events come, so that running
//! [`masthead_ir::pipeline::CorrelationKind::New`] over what is left gives the same as over everything.

use std::collections::HashMap;
use std::sync::Arc;

use masthead_ir::Value;
use masthead_ir::pipeline::{CorrelationKind, Pipeline, Stage};
use masthead_ir::time::Micros;

use crate::row_stages::{distinct_combinations, texts};

/// The fields of a row by name.
type Values = Vec<(Arc<str>, Value)>;

/// The first events of combinations.
#[derive(Debug)]
pub struct FirstSeen {
    fields: Vec<String>,
    within: Micros,
    stretches: HashMap<Vec<String>, Vec<Stretch>>,
}

/// Events of one combination, none of which is further than `within` from the next.
#[derive(Debug)]
struct Stretch {
    from: Micros,
    until: Micros,
    /// The first event.
    values: Values,
    mark: String,
}

impl FirstSeen {
    /// For a pipeline that looks for new combinations first of all; none for any other.
    pub fn of(pipeline: &Pipeline) -> Option<FirstSeen> {
        let Some(Stage::Correlate(correlation)) = pipeline.stages.first() else { return None };
        let CorrelationKind::New { fields } = &correlation.kind else { return None };
        let fields = correlation.by.iter().chain(fields).cloned().collect();
        Some(FirstSeen { fields, within: correlation.within, stretches: HashMap::new() })
    }

    /// Takes in an event. One without a time, or without a field of the combination, takes no part.
    pub fn add(&mut self, values: &[(Arc<str>, Value)], time: Option<Micros>, mark: &str) {
        let Some(time) = time else { return };
        let of = |field: &String| values.iter().find(|(name, _)| **name == **field).map(|(_, value)| value.clone());
        let key: Option<Vec<Value>> =
            self.fields.iter().map(|field| of(field).filter(|value| !value.is_absent())).collect();
        let Some(key) = key else { return };
        for combination in distinct_combinations(&key, true) {
            let stretches = self.stretches.entry(texts(&combination)).or_default();
            let row = || {
                // The row is of this combination alone, whatever other values its fields have.
                let own = |(name, value): &(Arc<str>, Value)| {
                    let at = self.fields.iter().position(|field| **field == **name);
                    (name.clone(), at.and_then(|at| combination.get(at)).unwrap_or(value).clone())
                };
                values.iter().map(own).collect()
            };
            extend(stretches, self.within, time, mark, &row);
        }
    }

    /// The first events, in the order of time: fields, time, and what stands for the event.
    pub fn finish(self) -> Vec<(Values, Micros, String)> {
        let stretches = self.stretches.into_values().flatten();
        let mut rows: Vec<_> = stretches.map(|stretch| (stretch.values, stretch.from, stretch.mark)).collect();
        rows.sort_by(|a, b| (a.1, &a.2).cmp(&(b.1, &b.2)));
        rows
    }
}

fn extend(stretches: &mut Vec<Stretch>, within: Micros, time: Micros, mark: &str, row: &dyn Fn() -> Values) {
    let near =
        |stretch: &Stretch| stretch.from.saturating_sub(within) <= time && time <= stretch.until.saturating_add(within);
    let Some(at) = stretches.iter().position(near) else {
        let place = stretches.partition_point(|stretch| stretch.from <= time);
        stretches.insert(place, Stretch { from: time, until: time, values: row(), mark: mark.to_owned() });
        return;
    };
    let Some(stretch) = stretches.get_mut(at) else { return };
    if (time, mark) < (stretch.from, stretch.mark.as_str()) {
        (stretch.from, stretch.values, stretch.mark) = (time, row(), mark.to_owned());
    }
    stretch.until = stretch.until.max(time);
    let until = stretch.until;
    // The first of two that have grown together is new, the other no longer.
    while stretches.get(at + 1).is_some_and(|next| next.from.saturating_sub(until) <= within) {
        let next = stretches.remove(at + 1);
        if let Some(stretch) = stretches.get_mut(at) {
            stretch.until = stretch.until.max(next.until);
        }
    }
}
