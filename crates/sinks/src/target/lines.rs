//! Lines on the standard output or in a file.

use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;

use crate::config::Format;
use crate::digest::Digest;
use crate::error::DeliveryError;
use crate::ocsf;
use crate::rotating::RotatingFile;

/// One finding a line.
pub(crate) struct Lines {
    format: Format,
    out: Out,
}

enum Out {
    /// The lock keeps the lines of two messages apart.
    Stdout(Mutex<tokio::io::Stdout>),
    File(RotatingFile),
}

impl Lines {
    pub(crate) fn stdout(format: Format) -> Lines {
        Lines { format, out: Out::Stdout(Mutex::new(tokio::io::stdout())) }
    }

    pub(crate) fn file(format: Format, file: RotatingFile) -> Lines {
        Lines { format, out: Out::File(file) }
    }

    pub(crate) async fn deliver(&self, digest: Digest<'_>) -> Result<(), DeliveryError> {
        let lines = self.lines(digest).map_err(|error| DeliveryError::permanent(format!("no JSON: {error}")))?;
        let written = match &self.out {
            Out::File(file) => file.append(lines).await,
            Out::Stdout(out) => {
                let mut out = out.lock().await;
                match out.write_all(&lines).await {
                    Ok(()) => out.flush().await,
                    Err(error) => Err(error),
                }
            }
        };
        written.map_err(|error| DeliveryError::retry(format!("cannot write: {error}")))
    }

    fn lines(&self, digest: Digest<'_>) -> Result<Vec<u8>, serde_json::Error> {
        let mut lines = Vec::new();
        for finding in digest.findings() {
            match self.format {
                Format::Jsonl => serde_json::to_writer(&mut lines, finding)?,
                Format::Ocsf => serde_json::to_writer(&mut lines, &ocsf::detection_finding(finding))?,
            }
            lines.push(b'\n');
        }
        Ok(lines)
    }
}
