//! What an object is: an event, a list of events, an envelope or a carrier.

use super::Decoding;
use super::source::Source;

/// No first key of an envelope is longer, bracket and quotes included.
pub(super) const LONGEST_FIRST_KEY: usize = 40;

/// The values before the one that tells what an object is are short.
const LONGEST_HEAD_VALUE: usize = 64 * 1024;

/// Keys of lists, envelopes and carriers that may stand before the one that tells what it is.
const ENVELOPE_KEYS: [&[u8]; 19] = [
    b"kind",
    b"apiVersion",
    b"metadata",
    b"items",
    b"messageType",
    b"owner",
    b"logGroup",
    b"logStream",
    b"logEvents",
    b"subscriptionFilters",
    b"policyLevel",
    b"awslogs",
    b"Records",
    b"records",
    b"requestId",
    b"timestamp",
    b"invocationId",
    b"deliveryStreamArn",
    b"region",
];

/// Whether an object that begins so must be looked at more closely; false for what surely is an event.
#[inline]
pub(super) fn may_be_envelope(window: &[u8]) -> bool {
    let Some(rest) = window.strip_prefix(b"{\"") else { return true };
    let head = rest.get(..LONGEST_FIRST_KEY).unwrap_or(rest);
    let Some(length) = head.iter().position(|byte| *byte == b'"') else { return false };
    let (key, after) = rest.split_at(length);
    if key == b"kind" && after.starts_with(b"\":\"Event\"") {
        return false;
    }
    ENVELOPE_KEYS.contains(&key)
}

/// What an object is; the numbers are offsets of values.
#[derive(Debug)]
pub(super) enum Shape {
    /// An event, or at least no envelope.
    Event,
    /// A list of events, with its array.
    List(usize),
    /// A CloudWatch Logs envelope, with its array.
    LogEvents(Header, usize),
    /// What Lambda is called with, with its value.
    Lambda(usize),
    /// What Kinesis and Firehose deliver, with its array.
    Records(usize),
}

/// The texts at the head of a CloudWatch Logs envelope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) message_type: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) log_group: Option<String>,
    pub(super) log_stream: Option<String>,
}

impl Header {
    fn is_complete(&self) -> bool {
        self.message_type.is_some() && self.owner.is_some() && self.log_group.is_some() && self.log_stream.is_some()
    }

    fn field(&mut self, key: &[u8]) -> Option<&mut Option<String>> {
        match key {
            b"messageType" => Some(&mut self.message_type),
            b"owner" => Some(&mut self.owner),
            b"logGroup" => Some(&mut self.log_group),
            b"logStream" => Some(&mut self.log_stream),
            _ => None,
        }
    }
}

impl Decoding<'_> {
    /// Looks at the members of the object at the window's start until it is clear what it is. Nothing is consumed.
    pub(super) fn shape(&self, source: &mut Source<'_>) -> Shape {
        let _ = source.byte(LONGEST_FIRST_KEY);
        if !may_be_envelope(source.window()) {
            return Shape::Event;
        }
        self.envelope_shape(source).unwrap_or(Shape::Event)
    }

    fn envelope_shape(&self, source: &mut Source<'_>) -> Option<Shape> {
        let mut limit = LONGEST_HEAD_VALUE;
        let mut header = Header::default();
        let mut log_events = None;
        let mut at = 1;
        loop {
            let member = next_member(source, at, limit);
            let Some((key, value)) = member else { break };
            let first = source.byte(value)?;
            let key = source.window().get(key)?;
            if !ENVELOPE_KEYS.contains(&key) && log_events.is_none() {
                return None;
            }
            match (key, first) {
                (b"items", b'[') => return Some(Shape::List(value)),
                (b"Records" | b"records", b'[') => return Some(Shape::Records(value)),
                (b"awslogs", b'{') => return Some(Shape::Lambda(value)),
                (b"logEvents", b'[') if header.is_complete() => return Some(Shape::LogEvents(header, value)),
                (b"logEvents", b'[') => {
                    if source.far_looks == 0 {
                        return Some(Shape::LogEvents(header, value));
                    }
                    log_events = Some(value);
                    limit = self.options.max_record;
                }
                _ => {}
            }
            let field = key.to_vec();
            let Some(end) = source.value_end(value, limit) else {
                source.far_looks = source.far_looks.saturating_sub(u32::from(log_events.is_some()));
                break;
            };
            let text = source.window().get(value..end)?;
            if field == b"kind" && text == b"\"Event\"" {
                return None;
            }
            if let (Some(field), b'"') = (header.field(&field), first) {
                // The names that AWS gives hold nothing that needs an escape; what does is no such name.
                *field = serde_json::from_slice(text).ok();
            }
            match (source.skip_space(end), log_events) {
                (Some((comma, b',')), _) => at = comma + 1,
                _ => break,
            }
            // The head may follow the events: then it is looked for behind them.
            if let (true, Some(value)) = (header.is_complete(), log_events) {
                return Some(Shape::LogEvents(header, value));
            }
        }
        log_events.map(|value| Shape::LogEvents(header, value))
    }
}

/// The range of the next key, without its quotes, and the offset of its value.
fn next_member(source: &mut Source<'_>, at: usize, limit: usize) -> Option<(std::ops::Range<usize>, usize)> {
    let (quote, b'"') = source.skip_space(at)? else { return None };
    let end = source.value_end(quote, limit)?;
    let (colon, b':') = source.skip_space(end)? else { return None };
    let (value, _) = source.skip_space(colon + 1)?;
    Some((quote + 1..end - 1, value))
}
