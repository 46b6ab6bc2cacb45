//! How much a policy would log, by an existing log.
//!
//! Every event of the log is put before the policy. It counts with its size, with the bodies that the policy's level
//! includes and without the others. What the log does not hold cannot be counted: requests that its own policy left out,
//! and bodies below its own level ([`Forecast::unknown_bodies`]).

use serde::Serialize;
use serde_json::Value as Json;

use crate::known::{STREAMS, WRITES};
use crate::level::{Level, Stage};
use crate::policy::Policy;
use crate::request::Request;

/// An event of a log, with sizes in bytes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sample {
    /// The request.
    pub request: Request,
    /// The stage at which it was written.
    pub stage: Option<Stage>,
    /// The level at which it was written.
    pub level: Option<Level>,
    /// When, in microseconds since 1970.
    pub at: Option<i64>,
    /// The whole event.
    pub event: u64,
    /// Its `requestObject`, if it has one.
    pub request_object: Option<u64>,
    /// Its `responseObject`, if it has one.
    pub response_object: Option<u64>,
}

impl Sample {
    /// The sample that an event is; `bytes` is its size. None if it is no event of a request.
    pub fn from_audit(event: &Json, bytes: u64) -> Option<Sample> {
        let text = |key: &str| event.get(key).and_then(Json::as_str).unwrap_or_default();
        let size = |key: &str| {
            event.get(key).filter(|body| !body.is_null()).map(|body| {
                let key_and_colon = key.len() + 4;
                (body.to_string().len() + key_and_colon) as u64
            })
        };
        Some(Sample {
            request: Request::from_audit(event)?,
            stage: Stage::of_name(text("stage")),
            level: Level::of_name(text("level")),
            at: masthead_event::time::parse(text("stageTimestamp")),
            event: bytes,
            request_object: size("requestObject"),
            response_object: size("responseObject"),
        })
    }

    /// Whether there was a body that the level of the log left out, as far as one can tell.
    fn lacks(&self, level: Level) -> bool {
        if self.level.is_none_or(|own| own >= level) {
            return false;
        }
        let verb = self.request.verb.as_str();
        let stream = self.request.resource.as_ref().is_some_and(|at| STREAMS.contains(&at.subresource.as_str()));
        match level {
            Level::Request => {
                self.request_object.is_none() && self.stage != Some(Stage::RequestReceived) && WRITES.contains(&verb)
            }
            Level::RequestResponse => {
                let answered = self.stage == Some(Stage::ResponseComplete) && verb != "watch" && !stream;
                self.response_object.is_none() && answered && self.request.resource.is_some()
            }
            Level::None | Level::Metadata => false,
        }
    }
}

/// Counts what a policy would log.
#[derive(Debug, Clone)]
pub struct Estimate<'p> {
    policy: &'p Policy,
    first: Option<i64>,
    last: Option<i64>,
    read: u64,
    events: u64,
    bytes: u64,
    unknown_bodies: u64,
}

/// How much a policy would log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// Events of the log that were put before the policy.
    pub read: u64,
    /// Those that it would log.
    pub events: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bodies that it would log and that the log does not hold: `bytes` lacks them.
    pub unknown_bodies: u64,
    /// The time between the first and the last event, in seconds.
    pub seconds: f64,
    /// Events per day; none if the log has no length.
    pub events_per_day: Option<f64>,
    /// Bytes per day; none if the log has no length.
    pub bytes_per_day: Option<f64>,
}

impl<'p> Estimate<'p> {
    /// An estimate for a policy.
    pub fn new(policy: &'p Policy) -> Estimate<'p> {
        Estimate { policy, first: None, last: None, read: 0, events: 0, bytes: 0, unknown_bodies: 0 }
    }

    /// Puts an event before the policy.
    pub fn add(&mut self, sample: &Sample) {
        self.read += 1;
        if let Some(at) = sample.at {
            self.first = Some(self.first.map_or(at, |first| first.min(at)));
            self.last = Some(self.last.map_or(at, |last| last.max(at)));
        }
        let decision = self.policy.level(&sample.request);
        if !decision.logs(sample.stage.unwrap_or(Stage::ResponseComplete)) {
            return;
        }
        self.events += 1;
        let mut bytes = sample.event;
        for (level, body) in [(Level::Request, sample.request_object), (Level::RequestResponse, sample.response_object)]
        {
            if decision.level < level {
                bytes = bytes.saturating_sub(body.unwrap_or_default());
            } else if sample.lacks(level) {
                self.unknown_bodies += 1;
            }
        }
        self.bytes += bytes;
    }

    /// What came of it.
    pub fn finish(&self) -> Forecast {
        const DAY: f64 = 86_400.0;
        let micros = self.first.zip(self.last).map_or(0, |(first, last)| last.saturating_sub(first));
        let seconds = micros as f64 / 1e6;
        let per_day = |count: u64| (seconds > 0.0).then(|| count as f64 * DAY / seconds);
        Forecast {
            read: self.read,
            events: self.events,
            bytes: self.bytes,
            unknown_bodies: self.unknown_bodies,
            seconds,
            events_per_day: per_day(self.events),
            bytes_per_day: per_day(self.bytes),
        }
    }
}
