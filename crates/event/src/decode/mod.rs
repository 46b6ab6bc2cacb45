//! Decoders: from files and streams to events, in constant memory.
//!
//! The format is found by looking at the content, record by record: gzip and zstd (also one in the other), JSON lines,
//! objects over many lines, arrays, `EventList`s, CloudWatch Logs subscription envelopes, and the carriers that wrap them
//! in base64 (Lambda, Kinesis, Firehose). At most one record and a buffer are in memory; arrays of any length stream.
//!
//! Lines that are objects are given on after a look at their ends: that they are JSON is found by whoever reads their
//! fields ([`Projection`](crate::projection::Projection)), who counts [`JsonError::reason`](crate::JsonError::reason).

mod batch;
mod carrier;
mod cloudwatch;
mod layer;
mod record;
mod shape;
mod source;

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::event::{Envelope, EventRef, Location};
use crate::inputs::{discover, is_stdin};
use crate::ledger::{Ledger, Reason};
use crate::projection::{Projection, ProjectionBuffer};

pub use batch::{BATCH_BYTES, Batch};

/// How records are read.
#[derive(Debug, Clone)]
pub struct DecodeOptions {
    /// The envelope of events that came in none.
    pub raw: Arc<Envelope>,
    /// Gives lines that are no JSON as events instead of counting them.
    pub text_lines: bool,
    /// The longest record in bytes; longer ones are counted and passed over without being held in memory.
    pub max_record: usize,
    /// The most bytes that one embedded piece of data may unpack to.
    pub max_embedded: u64,
    /// How many layers of compression and carriers may lie in each other.
    pub max_layers: usize,
    /// Raised by the bytes read from inputs as they lie there, for a progress bar.
    pub progress: Option<Arc<AtomicU64>>,
}

impl Default for DecodeOptions {
    /// Raw events from `kubernetes` as `_json`, records up to 16 MiB, embedded data up to 256 MiB, 8 layers.
    fn default() -> DecodeOptions {
        DecodeOptions {
            raw: Arc::new(Envelope::raw()),
            text_lines: false,
            max_record: 16 << 20,
            max_embedded: 256 << 20,
            max_layers: 8,
            progress: None,
        }
    }
}

/// An input that could not be read to its end. What came before was given on.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct ReadError {
    /// The input.
    pub path: PathBuf,
    /// What the system says.
    #[source]
    pub source: io::Error,
}

/// Takes events; `Break` ends the reading.
pub type EventSink<'s> = dyn FnMut(EventRef<'_>, Location<'_>) -> ControlFlow<()> + 's;

/// Reads events out of inputs.
///
/// ```
/// use std::ops::ControlFlow;
/// use masthead_event::decode::{DecodeOptions, Decoder};
/// use masthead_event::Ledger;
///
/// let mut ledger = Ledger::default();
/// let mut seen = Vec::new();
/// let input = b"{\"verb\":\"get\"}\nno event\n";
/// Decoder::new(DecodeOptions::default()).read_stream("-".as_ref(), &mut &input[..], &mut ledger, &mut |event, place| {
///     seen.push((event.raw.to_vec(), place.line));
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!(seen, [(br#"{"verb":"get"}"#.to_vec(), 1)]);
/// assert_eq!(ledger.lost(), 1);
/// # Ok::<(), masthead_event::decode::ReadError>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    options: DecodeOptions,
    fields: Projection,
    ordinal: u64,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder::new(DecodeOptions::default())
    }
}

impl Decoder {
    /// A decoder whose events are numbered from 0.
    pub fn new(options: DecodeOptions) -> Decoder {
        Decoder { options, fields: carrier::fields(), ordinal: 0 }
    }

    /// Reads a file, the standard input (`-`), or all files of a folder in order. Files of a folder that cannot be read
    /// are counted as [`Reason::Unreadable`], and the rest is read. Gives `Break` if the sink did.
    ///
    /// # Errors
    ///
    /// When the path itself cannot be read.
    pub fn read_path(
        &mut self,
        path: &Path,
        ledger: &mut Ledger,
        sink: &mut EventSink<'_>,
    ) -> Result<ControlFlow<()>, ReadError> {
        if is_stdin(path) {
            return self.read_stream(path, &mut io::stdin().lock(), ledger, sink);
        }
        let failed = |source| ReadError { path: path.to_path_buf(), source };
        if !std::fs::metadata(path).map_err(failed)?.is_dir() {
            let mut file = File::open(path).map_err(failed)?;
            return self.read_stream(path, &mut file, ledger, sink);
        }
        let (inputs, errors) = discover([path]);
        for error in errors {
            ledger.count(Reason::Unreadable, &Location { path: &error.path, line: 0, record: 0 });
        }
        for input in inputs {
            let read = File::open(&input.path)
                .map_err(|source| ReadError { path: input.path.clone(), source })
                .and_then(|mut file| self.read_stream(&input.path, &mut file, ledger, sink));
            match read {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return Ok(ControlFlow::Break(())),
                Err(error) => ledger.count(Reason::Unreadable, &Location { path: &error.path, line: 0, record: 0 }),
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Reads a stream; `name` stands for it in places. Gives `Break` if the sink did.
    ///
    /// # Errors
    ///
    /// When the stream fails. Damaged compressed data is no error but counted.
    pub fn read_stream(
        &mut self,
        name: &Path,
        reader: &mut dyn Read,
        ledger: &mut Ledger,
        sink: &mut EventSink<'_>,
    ) -> Result<ControlFlow<()>, ReadError> {
        let mut counted = Counted { reader, bytes: 0, progress: self.options.progress.as_deref() };
        let mut decoding = Decoding {
            options: &self.options,
            path: name,
            ledger,
            sink,
            ordinal: &mut self.ordinal,
            envelope: None,
            layers: 0,
            at: None,
            fields: &self.fields,
            buffer: ProjectionBuffer::default(),
            salvaged: Vec::new(),
        };
        let result = decoding.stream(&mut counted, None);
        ledger.bytes_read += counted.bytes;
        match result {
            Ok(()) => Ok(ControlFlow::Continue(())),
            Err(Stop::Break) => Ok(ControlFlow::Break(())),
            Err(Stop::Failed(source)) => Err(ReadError { path: name.to_path_buf(), source }),
        }
    }
}

/// Counts what passes.
struct Counted<'r> {
    reader: &'r mut dyn Read,
    bytes: u64,
    progress: Option<&'r AtomicU64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.bytes += count as u64;
        if let Some(progress) = self.progress {
            progress.fetch_add(count as u64, Ordering::Relaxed);
        }
        Ok(count)
    }
}

/// Why reading ends before the end of the input.
enum Stop {
    /// The sink wants no more.
    Break,
    /// The input failed.
    Failed(io::Error),
}

type Reading<T = ()> = Result<T, Stop>;

/// The reading of one input.
struct Decoding<'d> {
    options: &'d DecodeOptions,
    path: &'d Path,
    ledger: &'d mut Ledger,
    sink: &'d mut EventSink<'d>,
    ordinal: &'d mut u64,
    /// The last CloudWatch envelope, and what it was made from.
    envelope: Option<cloudwatch::Stream>,
    layers: usize,
    /// The line of the outermost envelope that is being read, and how many records it has given.
    at: Option<(u64, u64)>,
    /// What is read of the items of envelopes.
    fields: &'d Projection,
    buffer: ProjectionBuffer,
    salvaged: Vec<u8>,
}

/// Whose envelope an event has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Raw,
    CloudWatch,
}

/// What an event is given on with.
#[derive(Debug, Clone, Copy)]
struct Meta<'m> {
    line: u64,
    origin: Origin,
    id: Option<&'m str>,
    truncated: bool,
    text: bool,
}

impl Meta<'_> {
    fn raw(line: u64) -> Meta<'static> {
        Meta { line, origin: Origin::Raw, id: None, truncated: false, text: false }
    }
}

impl Decoding<'_> {
    /// Begins the next record: in an envelope it gets the next number.
    fn next_record(&mut self) {
        if let Some((_, record)) = &mut self.at {
            *record += 1;
        }
    }

    fn count(&mut self, reason: Reason, line: u64) {
        let (line, record) = self.at.unwrap_or((line, 0));
        self.ledger.count(reason, &Location { path: self.path, line, record });
    }

    #[inline]
    fn emit(&mut self, raw: &[u8], meta: Meta<'_>) -> Reading {
        let envelope = match (meta.origin, &self.envelope) {
            (Origin::CloudWatch, Some(stream)) => &stream.envelope,
            _ => &self.options.raw,
        };
        let (line, record) = self.at.unwrap_or((meta.line, 0));
        let event = EventRef {
            raw,
            envelope,
            envelope_id: meta.id,
            truncated: meta.truncated,
            text: meta.text,
            ordinal: *self.ordinal,
        };
        *self.ordinal += 1;
        self.ledger.events += 1;
        match (self.sink)(event, Location { path: self.path, line, record }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Stop::Break),
        }
    }
}
