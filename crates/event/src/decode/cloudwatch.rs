//! The subscription envelope of CloudWatch Logs.

use std::sync::Arc;

use crate::event::Envelope;
use crate::ledger::Reason;

use super::carrier::{ID, MESSAGE};
use super::record::Item;
use super::shape::Header;
use super::{Decoding, Meta, Origin, Reading};

/// The log stream whose events are read.
#[derive(Debug)]
pub(super) struct Stream {
    header: Header,
    pub(super) envelope: Arc<Envelope>,
    content: Content,
}

/// What a log stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Audit events of an EKS cluster.
    Audit,
    /// What other components of an EKS control plane log: text.
    OtherComponent,
    /// Something else.
    Unknown,
}

impl Decoding<'_> {
    /// Takes the head of an envelope in; gives what its events are to be read as.
    pub(super) fn log_stream(&mut self, header: Header, line: u64) -> Item {
        if header.message_type.as_deref() == Some("CONTROL_MESSAGE") {
            self.count(Reason::Control, line);
            return Item::Ignored;
        }
        if header.log_group.is_none() || header.log_stream.is_none() {
            self.count(Reason::BadEnvelope, line);
        }
        if self.envelope.as_ref().is_none_or(|known| known.header != header) {
            self.envelope = Some(Stream::new(header));
        }
        Item::LogEvent
    }

    /// Reads one of `logEvents`.
    pub(super) fn log_event(&mut self, item: &[u8], line: u64) -> Reading {
        self.next_record();
        let fields = self.fields;
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = match fields.project(item, &mut buffer) {
            Err(error) => {
                self.count(error.reason(), line);
                Ok(())
            }
            Ok(row) => match row.first(MESSAGE) {
                None => {
                    self.count(Reason::BadEnvelope, line);
                    Ok(())
                }
                Some(message) => {
                    let other = self.envelope.as_ref().is_some_and(|known| known.content == Content::OtherComponent);
                    if other {
                        self.count(Reason::NotAudit, line);
                    }
                    let id = row.first(ID).map(|id| id.text);
                    let meta = Meta { line, origin: Origin::CloudWatch, id, truncated: false, text: other };
                    self.message(message.text, meta)
                }
            },
        };
        self.buffer = buffer;
        result
    }
}

impl Stream {
    fn new(header: Header) -> Stream {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let (group, stream) = (text(&header.log_group), text(&header.log_stream));
        let cluster = group
            .strip_prefix("/aws/eks/")
            .and_then(|rest| rest.strip_suffix("/cluster"))
            .filter(|name| !name.is_empty() && !name.contains('/'));
        let content = match cluster {
            Some(_) if stream.starts_with("kube-apiserver-audit") => Content::Audit,
            Some(_) => Content::OtherComponent,
            None => Content::Unknown,
        };
        let sourcetype = if cluster.is_some() { "aws:cloudwatchlogs:eks" } else { "aws:cloudwatchlogs" };
        let envelope = Envelope {
            source: format!("{group}:{stream}").into(),
            sourcetype: sourcetype.into(),
            host: None,
            log_type: (content == Content::Audit).then(|| "Amazon.EKS.Audit".into()),
            cluster: cluster.map(Arc::from),
            account: header.owner.as_deref().map(Arc::from),
            label: None,
        };
        Stream { header, envelope: Arc::new(envelope), content }
    }
}
