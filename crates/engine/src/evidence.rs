//! From result rows to findings, in a scan and live alike: who is behind them, and in which cluster.

use std::collections::BTreeSet;
use std::hash::BuildHasher;

use masthead_ir::finding::Finding;
use masthead_query::ResultRow;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::finding;
use crate::plan::PipelineRule;

/// Between the cluster and the audit id of an event on its way through a pipeline.
const BETWEEN: char = '\u{1f}';

/// What stands for an event on its way through a pipeline: its audit id, and the cluster it is of.
pub(crate) fn mark(cluster: Option<&str>, audit_id: &str) -> String {
    match cluster {
        Some(cluster) if !audit_id.is_empty() => format!("{cluster}{BETWEEN}{audit_id}"),
        _ => audit_id.to_owned(),
    }
}

/// How many rows had one key and window, by a hash of both.
#[derive(Debug, Default)]
pub(crate) struct Twins(FxHashMap<u64, u64>);

/// The finding of a row. `window` names the window it is of; empty: the time of its first event does.
pub(crate) fn finding(rule: &PipelineRule, row: &ResultRow, window: &str, twins: &mut Twins) -> Finding {
    let key = finding::row_key(row, rule.key.as_deref());
    let twin = twins.0.entry(FxBuildHasher.hash_one((&key, window))).or_default();
    let mut made = finding::from_row(&rule.rule, row, &key, window, *twin);
    *twin += 1;
    let mut clusters = BTreeSet::new();
    for id in &mut made.audit_ids {
        clusters.insert(id.split_once(BETWEEN).map(|(cluster, _)| cluster.to_owned()));
        if let Some((_, own)) = id.split_once(BETWEEN) {
            *id = own.to_owned();
        }
    }
    made.cluster = if clusters.len() == 1 { clusters.pop_first().flatten() } else { None };
    made
}

/// The window of a row that stands for itself, whatever windows hold it: its event.
pub(crate) fn own_window(row: &ResultRow) -> String {
    let time = row.first.map(|time| time.to_string()).unwrap_or_default();
    let id = row.audit_ids.first().map_or("", String::as_str);
    format!("{time} {id}")
}

/// Rows in an order that does not depend on how they were computed: twins must be told apart the same way each time.
pub(crate) fn in_order(mut rows: Vec<ResultRow>) -> Vec<ResultRow> {
    rows.sort_by(|a, b| (a.first, a.last, &a.audit_ids).cmp(&(b.first, b.last, &b.audit_ids)));
    rows
}
