//! Findings held back after a finding with the same values (Splunk, "Throttle alerts").

use std::collections::BTreeMap;

use masthead_ir::time::Micros;
use masthead_query::ResultRow;

use crate::finding::texts;

/// When a finding with these values was raised last.
pub(crate) type State = BTreeMap<Vec<String>, Micros>;

/// Holds back findings of one rule.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    fields: Vec<String>,
    period: Micros,
    raised: State,
}

impl Throttle {
    pub(crate) fn new(throttle: Option<&(Vec<String>, u64)>) -> Throttle {
        let Some((fields, seconds)) = throttle else { return Throttle::default() };
        let period = Micros::try_from(*seconds).unwrap_or(Micros::MAX).saturating_mul(1_000_000);
        Throttle { fields: fields.clone(), period, raised: State::new() }
    }

    /// Whether a finding of this row is held back at this moment; if not, it is remembered.
    pub(crate) fn holds_back(&mut self, row: &ResultRow, at: Micros) -> bool {
        if self.period == 0 {
            return false;
        }
        let value = |field: &String| {
            let found = row.fields.iter().find(|(name, _)| name == field);
            found.map(|(_, value)| texts(value).join("\n")).unwrap_or_default()
        };
        let values: Vec<String> = self.fields.iter().map(value).collect();
        if self.raised.get(&values).is_some_and(|last| *last <= at && at.saturating_sub(*last) < self.period) {
            return true;
        }
        self.raised.insert(values, at);
        false
    }

    /// What must be kept; none if nothing is ever held back.
    pub(crate) fn state(&self) -> Option<&State> {
        (self.period > 0).then_some(&self.raised)
    }

    pub(crate) fn restore(&mut self, state: State) {
        self.raised = state;
    }

    pub(crate) fn expire(&mut self, watermark: Micros) {
        let period = self.period;
        self.raised.retain(|_, last| last.saturating_add(period) >= watermark);
    }
}
