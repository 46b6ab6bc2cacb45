//! Reads events from a stream: lines, until it ends.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use masthead_event::Envelope;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Intake;
use crate::lines::{LONGEST_LINE, Lines, line_ends, whole_lines};
use crate::offer::{Offered, Offerer};

/// How a stream is read.
#[derive(Debug, Clone)]
pub struct StdinOptions {
    /// The name of its deliveries.
    pub name: Arc<str>,
    /// What events that come in no envelope are given: source, sourcetype, log type, cluster, host.
    pub envelope: Arc<Envelope>,
    /// Gives lines that are no JSON as events instead of counting them.
    pub text_lines: bool,
    /// How long a line may wait for others to be handed on with.
    pub flush: Duration,
    /// About the most bytes that one delivery holds. A longer line is still taken whole, up to 16 MiB.
    pub max_batch_bytes: usize,
}

impl Default for StdinOptions {
    /// Raw audit events under the name `stdin`, handed on after 200 ms or 1 MiB.
    fn default() -> StdinOptions {
        StdinOptions {
            name: "stdin".into(),
            envelope: Arc::new(Envelope::raw()),
            text_lines: false,
            flush: Duration::from_millis(200),
            max_batch_bytes: 1 << 20,
        }
    }
}

/// A stream that could not be read to its end. The lines before were handed on.
#[derive(Debug, thiserror::Error)]
#[error("the stream cannot be read further: {0}")]
pub struct StdinError(#[from] std::io::Error);

/// Hands on the lines of a stream until it ends, `stop` is cancelled or the intake stops. While the intake refuses, nothing
/// more is read, so that the writer waits. What was read and not accepted when the service stops is lost with the stream.
///
/// # Errors
///
/// When the stream fails.
pub async fn stdin(
    options: StdinOptions,
    intake: Arc<dyn Intake>,
    stop: CancellationToken,
    mut reader: impl AsyncRead + Unpin,
) -> Result<(), StdinError> {
    let lines = Lines::new(options.name.clone(), options.envelope, options.text_lines);
    let offerer = Offerer::new(options.name, intake, stop.clone());
    let limit = options.max_batch_bytes.max(1);
    let mut stream = Stream { lines, offerer, waiting: Vec::new(), searched: 0, line: 1, skipping: false };
    let mut flush_at: Option<Instant> = None;
    loop {
        let flush = async {
            match flush_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let room = limit.saturating_sub(stream.waiting.len()).clamp(64 * 1024, 256 * 1024);
        stream.waiting.reserve(room);
        let read = tokio::select! {
            biased;
            () = stop.cancelled() => {
                let _ = stream.hand_on(false).await;
                return Ok(());
            }
            () = flush => None,
            read = reader.read_buf(&mut stream.waiting) => Some(read),
        };
        let ended = matches!(read, Some(Ok(0) | Err(_)));
        let full = stream.waiting.len() >= limit
            && (stream.has_line() || stream.skipping || stream.waiting.len() > LONGEST_LINE);
        if read.is_none() || full || ended {
            flush_at = None;
            if stream.hand_on(ended).await == Offered::Stopping {
                return Ok(());
            }
        }
        match read {
            Some(Ok(0)) => return Ok(()),
            Some(Err(error)) => return Err(error.into()),
            _ => {}
        }
        if flush_at.is_none() && stream.has_line() {
            flush_at = Some(Instant::now() + options.flush);
        }
    }
}

/// What was read of a stream and is not yet handed on.
struct Stream {
    lines: Lines,
    offerer: Offerer,
    waiting: Vec<u8>,
    /// So many of the waiting bytes hold no line end.
    searched: usize,
    /// The number of the first waiting line.
    line: u64,
    /// Whether a line that is too long is passed over.
    skipping: bool,
}

impl Stream {
    /// Whether a whole line waits.
    fn has_line(&mut self) -> bool {
        let fresh = self.waiting.get(self.searched..).unwrap_or_default();
        let found = memchr::memchr(b'\n', fresh).is_some();
        if !found {
            self.searched = self.waiting.len();
        }
        found
    }

    /// Hands on the whole lines, and with `last` what follows them.
    async fn hand_on(&mut self, last: bool) -> Offered {
        let path = Path::new("-");
        if self.skipping && !self.pass_line() {
            return Offered::Accepted;
        }
        let whole = match whole_lines(&self.waiting) {
            whole if whole < self.waiting.len() && last => self.waiting.len(),
            whole => whole,
        };
        let mut offered = Offered::Accepted;
        if let Some(text) = self.waiting.get(..whole).filter(|text| !text.is_empty()) {
            let delivery = self.lines.deliver(path, text, self.line);
            self.line += line_ends(text);
            if !delivery.is_empty() {
                offered = self.offerer.offer(delivery).await;
            }
        }
        self.waiting.drain(..whole);
        self.searched = 0;
        if self.waiting.len() > LONGEST_LINE && offered == Offered::Accepted {
            self.skipping = true;
            offered = self.offerer.offer(self.lines.too_long(path, self.line)).await;
            self.pass_line();
        }
        offered
    }

    /// Goes on in a line that is too long. Tells whether its end was found.
    fn pass_line(&mut self) -> bool {
        let end = memchr::memchr(b'\n', &self.waiting);
        self.waiting.drain(..end.map_or(self.waiting.len(), |end| end + 1));
        self.searched = 0;
        self.line += u64::from(end.is_some());
        self.skipping = end.is_none();
        end.is_some()
    }
}

#[cfg(test)]
mod tests {
    use masthead_event::Reason;
    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::collector::Collector;

    fn options() -> StdinOptions {
        StdinOptions::default()
    }

    #[tokio::test]
    async fn all_lines_are_handed_on_up_to_the_end() {
        let intake = Collector::new();
        let text = b"{\"n\":1}\n{\"n\":2}\nno event\n\n{\"n\":3}";
        stdin(options(), intake.clone(), CancellationToken::new(), &text[..]).await.unwrap();
        assert_eq!(intake.numbers(), [1, 2, 3]);
        assert_eq!(intake.lines(), [1, 2, 5]);
        assert_eq!(intake.lost(Reason::NotJson), 1);
    }

    #[tokio::test]
    async fn a_line_is_handed_on_while_the_stream_is_open() {
        let intake = Collector::new();
        let (mut writer, reader) = tokio::io::duplex(1024);
        let reading = tokio::spawn(stdin(options(), intake.clone(), CancellationToken::new(), reader));
        writer.write_all(b"{\"n\":1}\n{\"n\":2}\n{\"n\"").await.unwrap();
        intake.wait_for(2).await;
        assert_eq!(intake.deliveries(), 1);
        writer.write_all(b":3}\n").await.unwrap();
        intake.wait_for(3).await;
        drop(writer);
        reading.await.unwrap().unwrap();
        assert_eq!(intake.numbers(), [1, 2, 3]);
    }

    #[tokio::test]
    async fn batches_are_bounded_and_refusals_make_the_writer_wait() {
        let intake = Collector::new();
        intake.refuse(3);
        let (mut writer, reader) = tokio::io::duplex(256);
        let small = StdinOptions { max_batch_bytes: 4096, ..options() };
        let reading = tokio::spawn(stdin(small, intake.clone(), CancellationToken::new(), reader));
        for n in 0..20_000 {
            writer.write_all(format!("{{\"n\":{n}}}\n").as_bytes()).await.unwrap();
        }
        drop(writer);
        reading.await.unwrap().unwrap();
        assert_eq!(intake.numbers(), (0..20_000).collect::<Vec<_>>());
        assert!(intake.deliveries() > 3, "{}", intake.deliveries());
        assert_eq!(intake.lines(), (1..=20_000).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_costs_only_itself() {
        let intake = Collector::new();
        let mut text = b"{\"n\":1}\n".to_vec();
        text.resize(text.len() + LONGEST_LINE + 300_000, b'x');
        text.extend_from_slice(b"\n{\"n\":2}\n");
        stdin(options(), intake.clone(), CancellationToken::new(), text.as_slice()).await.unwrap();
        assert_eq!(intake.numbers(), [1, 2]);
        assert_eq!(intake.lines(), [1, 3]);
        assert_eq!(intake.lost(Reason::TooLong), 1);
    }

    #[tokio::test]
    async fn stopping_hands_on_what_is_whole() {
        let intake = Collector::new();
        let (mut writer, reader) = tokio::io::duplex(4);
        let stop = CancellationToken::new();
        let slow = StdinOptions { flush: Duration::from_secs(3600), ..options() };
        let reading = tokio::spawn(stdin(slow, intake.clone(), stop.clone(), reader));
        // The pipe holds four bytes: when this is written, the first line was read.
        writer.write_all(b"{\"n\":1}\n{\"n\":2").await.unwrap();
        stop.cancel();
        reading.await.unwrap().unwrap();
        assert_eq!(intake.numbers(), [1]);
    }
}
