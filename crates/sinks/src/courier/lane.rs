//! The task of one sink.

use std::sync::Arc;
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use masthead_ir::finding::Finding;
use tokio::sync::watch;

use super::dead::DeadLetters;
use super::gather::{Gatherer, Group};
use super::{CourierOptions, Shared, backoff};
use crate::error::DeliveryError;
use crate::outbox::{Outbox, Outgoing};
use crate::route::Grouping;
use crate::sinks::Sinks;

/// After a failure a sink is left alone for at most so long, unless the other side asks for more.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Brings findings to one sink, one message after the other.
pub(super) struct Lane {
    name: String,
    sinks: Arc<Sinks>,
    outbox: Arc<dyn Outbox>,
    options: CourierOptions,
    shared: Arc<Shared>,
    stopped: watch::Receiver<bool>,
    dead: Option<DeadLetters>,
    grouping: Grouping,
    limiter: Option<DefaultDirectRateLimiter>,
    gatherer: Gatherer,
    /// What the outbox does not know yet. Nothing is delivered until it does: it would be delivered again and again.
    unsettled: Vec<Settlement>,
    /// How often in a row the other side has failed.
    failures: u32,
    paused_until: Option<Instant>,
    /// The rate limit was reached: what is due goes as one message when it allows another.
    overflow: bool,
    outbox_failed: bool,
}

/// What became of findings.
enum Settlement {
    Sent(Vec<i64>),
    Later { id: i64, at: i64, error: String },
    Dead { id: i64, error: String },
}

impl Lane {
    pub(super) fn new(
        name: &str,
        sinks: Arc<Sinks>,
        outbox: Arc<dyn Outbox>,
        options: CourierOptions,
        shared: Arc<Shared>,
        stopped: watch::Receiver<bool>,
        dead: Option<DeadLetters>,
    ) -> Lane {
        let grouping = sinks.grouping(name);
        Lane {
            name: name.to_owned(),
            sinks,
            outbox,
            options,
            shared,
            stopped,
            dead,
            limiter: grouping.rate_per_minute.map(|rate| RateLimiter::direct(Quota::per_minute(rate))),
            grouping,
            gatherer: Gatherer::default(),
            unsettled: Vec::new(),
            failures: 0,
            paused_until: None,
            overflow: false,
            outbox_failed: false,
        }
    }

    pub(super) async fn run(mut self) {
        while !self.is_stopped() {
            let wait = self.round().await;
            self.sleep(wait).await;
        }
    }

    fn is_stopped(&self) -> bool {
        // A courier that is gone can stop nothing any more.
        *self.stopped.borrow() || self.stopped.has_changed().is_err()
    }

    /// Waits until the time is over, something new is told of, or the courier stops.
    async fn sleep(&mut self, wait: Duration) {
        if wait.is_zero() {
            return tokio::task::yield_now().await;
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = self.shared.nudge.notified() => {}
            _ = self.stopped.changed() => {}
        }
    }

    /// Looks once what is due and delivers what may go. Gives how long to wait until the next time.
    async fn round(&mut self) -> Duration {
        if let Err(error) = self.settle().await {
            return self.outbox_trouble(&error);
        }
        let now = Instant::now();
        if let Some(until) = self.paused_until.filter(|until| *until > now) {
            return until - now;
        }
        let limit = self.options.batch.max(1);
        let due = match self.outbox.due(&self.name, now_millis(), limit).await {
            Ok(due) => due,
            Err(error) => return self.outbox_trouble(&error),
        };
        self.outbox_failed = false;
        // With as many as can be taken at once, those behind would wait for those before.
        let full = due.len() >= limit as usize;
        let (mut ready, next) = self.gatherer.gather(due, &self.grouping, full, now);
        if ready.is_empty() {
            return next.map_or(self.options.poll, |next| next.min(self.options.poll));
        }
        if self.overflow {
            ready = vec![ready.into_iter().flatten().collect()];
        }
        for group in ready {
            if self.is_stopped() {
                break;
            }
            if let Some(wait) = self.over_the_limit() {
                self.overflow = true;
                return wait;
            }
            self.overflow = false;
            if !self.send(group).await {
                break;
            }
        }
        Duration::ZERO
    }

    /// How long to wait until another message is allowed; none: now, and it is counted.
    fn over_the_limit(&self) -> Option<Duration> {
        let limited = self.limiter.as_ref()?.check().err()?;
        // At least a little, or the time might be over before it is waited for.
        Some(limited.wait_time_from(DefaultClock::default().now()).max(Duration::from_millis(1)))
    }

    /// Delivers a group. When the other side objects to the content of many, the halves are tried, down to the one that is at fault.
    /// Gives whether to go on.
    async fn send(&mut self, group: Group) -> bool {
        let mut parts = vec![group];
        while let Some(part) = parts.pop() {
            let findings: Vec<Finding> = part.iter().map(|outgoing| outgoing.finding.clone()).collect();
            match self.sinks.deliver(&self.name, &findings).await {
                Ok(()) => self.accepted(&part),
                Err(DeliveryError::Permanent { about_content: true, message }) if part.len() > 1 => {
                    self.failed(&message);
                    let mut part = part;
                    let second = part.split_off(part.len() / 2);
                    parts.extend([second, part]);
                    self.wait_for_the_limit().await;
                    if self.is_stopped() {
                        return false;
                    }
                }
                Err(DeliveryError::Permanent { message, .. }) => {
                    self.failed(&message);
                    self.give_up(&part, &message).await;
                }
                Err(DeliveryError::Retry { after, message }) => {
                    self.failed(&message);
                    self.put_off(part, after, &message).await;
                    return false;
                }
            }
            if let Err(error) = self.settle().await {
                let wait = self.outbox_trouble(&error);
                self.pause(wait);
                return false;
            }
        }
        true
    }

    async fn wait_for_the_limit(&mut self) {
        while let Some(wait) = self.over_the_limit() {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = self.stopped.changed() => return,
            }
        }
    }

    fn accepted(&mut self, part: &[Outgoing]) {
        if self.failures > 0 {
            tracing::info!(sink = self.name, "the sink accepts findings again");
        }
        self.failures = 0;
        self.unsettled.push(Settlement::Sent(part.iter().map(|outgoing| outgoing.id).collect()));
        let mut counts = self.shared.counts();
        counts.sent += part.len() as u64;
        counts.messages += 1;
        counts.last_error = None;
    }

    fn failed(&mut self, message: &str) {
        if self.failures == 0 {
            tracing::warn!(sink = self.name, error = message, "a delivery failed");
        }
        self.failures = self.failures.saturating_add(1);
        let mut counts = self.shared.counts();
        counts.failed += 1;
        counts.last_error = Some(message.to_owned());
    }

    /// Puts findings off, or gives up those that have had their tries and their time.
    async fn put_off(&mut self, part: Group, after: Option<Duration>, error: &str) {
        let options = &self.options;
        let now = now_millis();
        let own = backoff::wait(
            options.first_retry,
            options.longest_retry.min(LONGEST_PAUSE),
            self.failures.saturating_sub(1),
        );
        let pause = after.unwrap_or(own);
        let spent = |outgoing: &Outgoing| {
            outgoing.attempts.saturating_add(1) >= options.max_attempts
                && now.saturating_sub(outgoing.queued_at) >= millis(options.max_age)
        };
        let (spent, rest): (Group, Group) = part.into_iter().partition(spent);
        // One time for all of them: they come again as the same group.
        let tries = rest.iter().map(|outgoing| outgoing.attempts).max().unwrap_or_default();
        let wait = backoff::wait(options.first_retry, options.longest_retry, tries);
        let at = now.saturating_add(millis(wait.max(after.unwrap_or_default())));
        let later = |outgoing: Outgoing| Settlement::Later { id: outgoing.id, at, error: error.to_owned() };
        self.unsettled.extend(rest.into_iter().map(later));
        self.give_up(&spent, error).await;
        self.pause(pause);
    }

    fn pause(&mut self, wait: Duration) {
        self.paused_until = Instant::now().checked_add(wait);
    }

    async fn give_up(&mut self, part: &[Outgoing], error: &str) {
        if part.is_empty() {
            return;
        }
        if let Some(dead) = &self.dead {
            dead.write(&self.name, part, error).await;
        }
        let letters = part.iter().map(|outgoing| Settlement::Dead { id: outgoing.id, error: error.to_owned() });
        self.unsettled.extend(letters);
        self.shared.counts().dead += part.len() as u64;
    }

    /// Tells the outbox what became of findings.
    async fn settle(&mut self) -> Result<(), String> {
        while let Some(settlement) = self.unsettled.last() {
            match settlement {
                Settlement::Sent(ids) => self.outbox.sent(ids).await?,
                Settlement::Later { id, at, error } => self.outbox.retry_later(*id, *at, error).await?,
                Settlement::Dead { id, error } => self.outbox.dead(*id, error).await?,
            }
            self.unsettled.pop();
        }
        Ok(())
    }

    /// Tells of it once, and gives how long to wait.
    fn outbox_trouble(&mut self, error: &str) -> Duration {
        if !std::mem::replace(&mut self.outbox_failed, true) {
            tracing::error!(sink = self.name, error, "the outbox cannot be used; deliveries wait");
        }
        self.shared.counts().last_error = Some(format!("outbox: {error}"));
        self.options.poll.max(Duration::from_millis(10))
    }
}

fn now_millis() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
