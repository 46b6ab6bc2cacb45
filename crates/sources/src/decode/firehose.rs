//! Amazon Data Firehose, HTTP endpoint delivery: records of CloudWatch Logs subscriptions in base64.

use std::io::Read;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Told, Undecodable, audit, whole};
use crate::Delivery;

/// What a request says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FirehoseBody {
    /// Its id, which the answer must repeat.
    pub request_id: String,
    /// When it was sent, in milliseconds since 1970.
    #[serde(default)]
    pub timestamp: i64,
    /// How many records it has.
    #[serde(rename = "records", deserialize_with = "count")]
    pub records: usize,
}

fn count<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    Ok(Vec::<IgnoredAny>::deserialize(deserializer)?.len())
}

/// Reads a request.
///
/// # Errors
/// When it breaks off, or is not of Firehose's form. Records that hold nothing are counted.
pub fn firehose(body: &mut dyn Read, told: &Told, out: &mut Delivery) -> Result<FirehoseBody, Undecodable> {
    let bytes = whole(body)?;
    let head: FirehoseBody =
        serde_json::from_slice(&bytes).map_err(|error| Undecodable::Form(format!("no Firehose request: {error}")))?;
    match audit(&mut bytes.as_slice(), told, out) {
        // What cannot be read will not get better by being sent again: it is counted, and the request is accepted.
        Ok(()) | Err(Undecodable::Form(_)) => Ok(head),
        Err(error) => Err(error),
    }
}
