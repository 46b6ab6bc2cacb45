//! The running service: what its parts share, and what is asked of it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use masthead_engine::LiveReport;
use masthead_engine::exceptions::Exceptions;
use masthead_sinks::Courier;
use masthead_sources::tail::TailReport;
use masthead_spool::Spool;
use masthead_state::State;
use serde::Serialize;
use serde_json::{Value, json};

use crate::gate::Gate;
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::risk::RiskRules;

/// What the parts of the service share.
pub(crate) struct Service {
    pub(crate) state: State,
    pub(crate) spool: Arc<Spool>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) courier: Arc<Courier>,
    pub(crate) risk: RiskRules,
    pub(crate) report: Arc<Mutex<LiveReport>>,
    pub(crate) loaded: RwLock<Loaded>,
    pub(crate) tails: Vec<(String, Arc<TailReport>)>,
    pub(crate) started: Instant,
    /// Events by source at an earlier moment, for rates.
    pub(crate) rates: Mutex<(Instant, BTreeMap<String, u64>)>,
}

/// What was loaded last.
#[derive(Default)]
pub(crate) struct Loaded {
    pub(crate) exceptions: Arc<Exceptions>,
    pub(crate) refused: Vec<Refused>,
    pub(crate) rules: usize,
    /// Why a newer set was not loaded.
    pub(crate) problem: Option<String>,
    pub(crate) at: Option<String>,
}

/// A rule that does not run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Refused {
    pub(crate) path: String,
    pub(crate) rule_id: String,
    pub(crate) status: masthead_ir::rule::Status,
    pub(crate) message: String,
}

impl Service {
    pub(crate) fn report(&self) -> LiveReport {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn refused(&self) -> Vec<Refused> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).refused.clone()
    }

    pub(crate) fn exceptions(&self) -> Arc<Exceptions> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).exceptions.clone()
    }

    pub(crate) fn files(&self) -> Value {
        let files = |(name, report): &(String, Arc<TailReport>)| json!({"name": name, "files": report.snapshot()});
        Value::Array(self.tails.iter().map(files).collect())
    }

    /// Whether events are accepted and findings can be written.
    pub(crate) async fn ready(&self) -> Result<(), String> {
        self.state.position().await.map_err(|error| error.to_string())?;
        self.spool.mark("\u{0}ready").map(drop).map_err(|error| error.to_string())
    }

    pub(crate) async fn refresh_metrics(&self) {
        let waiting = self.state.outbox_lengths().await.unwrap_or_default();
        let counts = self.courier.counts();
        let counts = counts.into_iter().map(|(sink, counts)| (sink, [counts.sent, counts.failed, counts.dead]));
        self.metrics.sinks(&counts.collect(), &waiting);
        let refused = self.queue.refused.load(Ordering::Relaxed);
        self.metrics.refused.inc_by(refused.saturating_sub(self.metrics.refused.get()));
    }

    /// Everything on one screen.
    pub(crate) async fn status(&self) -> Result<Value, masthead_state::StateError> {
        let report = self.report();
        let pending = self.spool.pending();
        let outbox = self.state.outbox_lengths().await?;
        let counts = self.courier.counts();
        let rates = self.rates(&report);
        let sources: Vec<Value> = report
            .sources
            .iter()
            .map(|(name, figures)| {
                let mut source = json!(figures);
                source["name"] = json!(name);
                source["events_per_second"] = json!(rates.get(name).copied().unwrap_or(0.0));
                source
            })
            .collect();
        let mut slow: Vec<_> = report.rules.iter().filter(|rule| rule.seconds > 0.0).collect();
        slow.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        let slow: Vec<Value> = slow
            .iter()
            .take(10)
            .map(|rule| json!({"name": rule.name, "seconds": rule.seconds, "candidates": rule.candidates}))
            .collect();
        let silent: Vec<&str> =
            report.rules.iter().filter(|rule| rule.candidates == 0).map(|rule| rule.name.as_str()).collect();
        let evicted: u64 = report.rules.iter().map(|rule| rule.evicted).sum();
        let broken: Vec<Value> = report
            .rules
            .iter()
            .filter_map(|rule| Some(json!({"name": rule.name, "problem": rule.problem.as_ref()?})))
            .collect();
        let sinks: Vec<Value> = counts
            .iter()
            .map(|(name, counts)| {
                json!({
                    "name": name, "sent": counts.sent, "failed": counts.failed, "dead": counts.dead,
                    "waiting": outbox.get(name).copied().unwrap_or(0), "last_error": counts.last_error,
                })
            })
            .collect();
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        let now = jiff::Timestamp::now().as_microsecond();
        let expired: Vec<String> = loaded
            .exceptions
            .report(now)
            .into_iter()
            .filter(|exception| exception.expired)
            .map(|exception| exception.name)
            .collect();
        Ok(json!({
            "version": env!("CARGO_PKG_VERSION"),
            "seconds": self.started.elapsed().as_secs(),
            "newest_event": report.newest,
            "complete_until": report.watermark,
            "sources": sources,
            "files": self.files(),
            "queue": {
                "batches": pending.batches, "bytes": pending.bytes,
                "refused": self.queue.refused.load(Ordering::Relaxed),
                "accepted": self.queue.accepted.load(Ordering::Relaxed),
            },
            "windows_bytes": report.window_bytes,
            "windows_evicted": evicted,
            "rules": {
                "loaded": loaded.rules, "refused": loaded.refused.len(), "loaded_at": loaded.at,
                "problem": loaded.problem, "slow": slow, "silent": silent, "broken": broken,
            },
            "exceptions": {"expired": expired},
            "sinks": sinks,
        }))
    }

    /// Events a second by source, since this was asked last or for a while.
    fn rates(&self, report: &LiveReport) -> BTreeMap<String, f64> {
        let mut before = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = before.0.elapsed().as_secs_f64().max(0.001);
        let rate = |(name, figures): (&String, &masthead_engine::SourceFigures)| {
            let earlier = before.1.get(name).copied().unwrap_or(0);
            (name.clone(), figures.events.saturating_sub(earlier) as f64 / seconds)
        };
        let rates = report.sources.iter().map(rate).collect();
        if seconds > 10.0 {
            let events = report.sources.iter().map(|(name, figures)| (name.clone(), figures.events));
            *before = (Instant::now(), events.collect());
        }
        rates
    }
}
