//! Where findings go that cannot be delivered.

use std::path::Path;

use serde_json::json;

use crate::outbox::Outgoing;
use crate::rotating::RotatingFile;

/// The file of findings that were given up. Sinks share it.
#[derive(Debug, Clone)]
pub(super) struct DeadLetters(RotatingFile);

impl DeadLetters {
    /// `bytes` is the size of the file and the one before it together.
    pub(super) fn new(path: &Path, bytes: u64) -> DeadLetters {
        DeadLetters(RotatingFile::new(path, bytes / 2, 1))
    }

    /// Writes them down. A failure is told to the operator; the outbox knows of them as well.
    pub(super) async fn write(&self, sink: &str, letters: &[Outgoing], error: &str) {
        let mut lines = Vec::new();
        for letter in letters {
            let line = json!({
                "time": jiff::Timestamp::now().to_string(),
                "sink": sink,
                "attempts": letter.attempts.saturating_add(1),
                "error": error,
                "finding": letter.finding,
            });
            lines.extend_from_slice(line.to_string().as_bytes());
            lines.push(b'\n');
        }
        if let Err(error) = self.0.append(lines).await {
            tracing::error!(sink, %error, findings = letters.len(), "the dead-letter file cannot be written");
        }
    }
}
