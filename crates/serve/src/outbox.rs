//! The state's outbox as the courier sees it.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use masthead_sinks::{Outbox, Outgoing};
use masthead_state::State;

/// Findings that wait in the state.
pub(crate) struct StateOutbox(pub(crate) State);

/// The courier counts in milliseconds, the state in microseconds.
const MILLI: i64 = 1_000;

impl Outbox for StateOutbox {
    fn due<'a>(&'a self, sink: &'a str, now: i64, limit: u32) -> BoxFuture<'a, Result<Vec<Outgoing>, String>> {
        async move {
            let due = self.0.outbox(sink, now.saturating_mul(MILLI), limit).await.map_err(|error| error.to_string())?;
            let outgoing = |out: masthead_state::Outgoing| Outgoing {
                id: out.id,
                finding: out.finding,
                attempts: out.attempts,
                queued_at: out.queued / MILLI,
            };
            Ok(due.into_iter().map(outgoing).collect())
        }
        .boxed()
    }

    fn sent<'a>(&'a self, ids: &'a [i64]) -> BoxFuture<'a, Result<(), String>> {
        async move { self.0.sent(ids).await.map_err(|error| error.to_string()) }.boxed()
    }

    fn retry_later<'a>(&'a self, id: i64, at: i64, error: &'a str) -> BoxFuture<'a, Result<(), String>> {
        async move { self.0.retry_later(id, at.saturating_mul(MILLI), error).await.map_err(|error| error.to_string()) }
            .boxed()
    }

    fn dead<'a>(&'a self, id: i64, error: &'a str) -> BoxFuture<'a, Result<(), String>> {
        async move { self.0.dead(id, error).await.map_err(|error| error.to_string()) }.boxed()
    }
}
