//! Sources that have sent events and send none any more.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use masthead_engine::LiveReport;
use masthead_ir::finding::Finding;
use masthead_ir::rule::{Kind, Severity};
use masthead_ir::time::Micros;
use serde_json::{Map, json};

use crate::risk::{own_id, own_rule};

/// Finds sources that have fallen silent. A source is told once, until it speaks again.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    told: BTreeMap<String, Micros>,
}

impl Silence {
    /// What is silent now, and was not told.
    pub(crate) fn look(&mut self, report: &LiveReport, after: Duration, now: Micros) -> Vec<Finding> {
        let after = Micros::try_from(after.as_micros()).unwrap_or(Micros::MAX);
        if after == 0 {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (name, figures) in &report.sources {
            let Some(last) = figures.last_received.filter(|last| now.saturating_sub(*last) >= after) else { continue };
            if self.told.insert(name.clone(), last) != Some(last) {
                found.push(finding(name, last, now));
            }
        }
        found
    }
}

fn finding(source: &str, last: Micros, now: Micros) -> Finding {
    let time = |time: Micros| Timestamp::from_microsecond(time).ok().map(|time| time.to_string());
    let minutes = now.saturating_sub(last) / 60_000_000;
    let mut fields = Map::new();
    fields.insert("source".to_owned(), json!(source));
    fields.insert("last_received".to_owned(), json!(time(last)));
    Finding {
        finding_id: own_id(&["masthead-silent-source", source, &last.to_string()]),
        kind: Kind::Finding,
        rule: own_rule("masthead-silent-source", "Source without events"),
        severity: Severity::Medium,
        status: "new".to_owned(),
        title: format!("no events from `{source}`"),
        message: format!(
            "the source `{source}` has sent nothing for {minutes} minutes: detections over it see nothing"
        ),
        first_seen: time(last),
        last_seen: time(now),
        count: 0,
        entities: Vec::new(),
        attack: Vec::new(),
        audit_ids: Vec::new(),
        audit_id_count: 0,
        cluster: None,
        fields,
        details: Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use masthead_engine::SourceFigures;

    use super::*;

    #[test]
    fn a_source_is_told_once_until_it_speaks_again() {
        let mut silence = Silence::default();
        let report = |last| LiveReport {
            sources: BTreeMap::from([
                ("a".to_owned(), SourceFigures { last_received: Some(last), ..SourceFigures::default() }),
                ("never".to_owned(), SourceFigures::default()),
            ]),
            ..LiveReport::default()
        };
        let minute = 60_000_000;
        let after = Duration::from_secs(600);
        let mut look = |last: i64, now: i64| silence.look(&report(last * minute), after, now * minute).len();
        assert_eq!([look(0, 9), look(0, 10), look(0, 30), look(31, 32), look(31, 41)], [0, 1, 0, 0, 1]);
        assert!(silence.look(&report(0), Duration::ZERO, i64::MAX).is_empty());
    }
}
