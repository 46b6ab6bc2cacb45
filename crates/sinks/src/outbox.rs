//! Where findings wait until they are sent.

use futures::future::BoxFuture;
use masthead_ir::finding::Finding;

/// A finding that waits for one sink.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// Its number in the outbox. Of findings that are equally urgent the lowest number goes first.
    pub id: i64,
    /// The finding.
    pub finding: Finding,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// When it was put into the outbox, in milliseconds since the Unix epoch.
    pub queued_at: i64,
}

/// What keeps findings until they are sent. All times are milliseconds since the Unix epoch; errors are told to the operator
/// and the call is made again later.
pub trait Outbox: Send + Sync + 'static {
    /// At most `limit` findings for a sink that are neither sent nor dead and not put off beyond `now`, in the order of
    /// their numbers. A finding is given again and again until it is settled by one of the other calls.
    fn due<'a>(&'a self, sink: &'a str, now: i64, limit: u32) -> BoxFuture<'a, Result<Vec<Outgoing>, String>>;

    /// These were accepted by the other side.
    fn sent<'a>(&'a self, ids: &'a [i64]) -> BoxFuture<'a, Result<(), String>>;

    /// This one was tried in vain (its `attempts` grow by one) and is due again at `at`.
    fn retry_later<'a>(&'a self, id: i64, at: i64, error: &'a str) -> BoxFuture<'a, Result<(), String>>;

    /// This one is given up.
    fn dead<'a>(&'a self, id: i64, error: &'a str) -> BoxFuture<'a, Result<(), String>>;
}
