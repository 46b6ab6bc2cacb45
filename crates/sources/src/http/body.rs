//! Bodies: taken in as they come, in memory if they are short, in a temporary file if they are long, bounded in both.

use std::io::{Read, Seek as _, SeekFrom, Write as _};

use axum::body::Body;
use axum::http::{HeaderMap, header};
use futures::StreamExt as _;
use tokio::sync::SemaphorePermit;

use super::{Fault, Shared};

/// Memory is handed out in pieces of this size.
pub(crate) const UNIT: u64 = 256 << 10;

/// Longer bodies go to a temporary file.
const IN_MEMORY: usize = 4 << 20;

/// A body that has come whole.
pub(crate) struct Taken<'s> {
    memory: Vec<u8>,
    file: Option<std::fs::File>,
    gzip: bool,
    limit: u64,
    _permit: SemaphorePermit<'s>,
}

/// Takes in a body.
///
/// # Errors
/// When it is too long, comes too slowly, breaks off, or is encoded otherwise than by gzip.
pub(crate) async fn take<'s>(shared: &'s Shared, headers: &HeaderMap, body: Body) -> Result<Taken<'s>, Fault> {
    let encoding = headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase());
    let gzip = match encoding.as_deref() {
        None | Some(b"identity" | b"") => false,
        Some(b"gzip" | b"x-gzip") => true,
        Some(_) => return Err(Fault::Encoding),
    };
    let limit = shared.options.max_body;
    let told = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if told.is_some_and(|length| length > limit) {
        pass_over(shared, body).await;
        return Err(Fault::TooLong);
    }
    // What a client says of the length only decides how much memory is set aside; what comes is counted.
    let share = told.unwrap_or(IN_MEMORY as u64).clamp(1, IN_MEMORY as u64).div_ceil(UNIT);
    let share = u32::try_from(share).unwrap_or(u32::MAX);
    let permit = shared.memory.acquire_many(share).await.map_err(|_| Fault::Refused(crate::Refused::Stopping))?;
    let mut taken = Taken { memory: Vec::new(), file: None, gzip, limit, _permit: permit };
    let mut length = 0_u64;
    let mut stream = body.into_data_stream();
    loop {
        let next = tokio::time::timeout(shared.options.body_timeout, stream.next()).await;
        let piece = match next {
            Err(_) => return Err(Fault::Slow),
            Ok(None) => break,
            Ok(Some(Err(error))) => return Err(Fault::Broken(format!("the body broke off: {error}"))),
            Ok(Some(Ok(piece))) => piece,
        };
        length += piece.len() as u64;
        if length > limit {
            pass_over(shared, Body::from_stream(stream)).await;
            return Err(Fault::TooLong);
        }
        taken.add(&piece).map_err(|error| Fault::Refused(crate::Refused::Unwritable(error.to_string())))?;
    }
    Ok(taken)
}

/// How much of a body that is too long is still taken off the wire.
const PASSED_OVER: usize = 256 << 20;

/// Reads on without keeping anything: a client that is still sending when it is answered sees a broken connection instead of
/// the answer.
async fn pass_over(shared: &Shared, body: Body) {
    let mut stream = body.into_data_stream();
    let mut passed = 0;
    while let Ok(Some(Ok(piece))) = tokio::time::timeout(shared.options.body_timeout, stream.next()).await {
        passed += piece.len();
        if passed > PASSED_OVER {
            return;
        }
    }
}

/// Takes in a body, unpacked and whole.
///
/// # Errors
/// As [`take`]; also when what it unpacks to is too long or damaged.
pub(crate) async fn whole(shared: &Shared, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Fault> {
    let taken = take(shared, headers, body).await?;
    tokio::task::block_in_place(|| {
        let mut bytes = Vec::new();
        let (read, more) = taken
            .read(|body| body.read_to_end(&mut bytes))
            .map_err(|error| Fault::Refused(crate::Refused::Unwritable(error.to_string())))?;
        if more {
            return Err(Fault::TooLong);
        }
        read.map_err(|error| Fault::Broken(format!("the body is damaged: {error}")))?;
        Ok(bytes)
    })
}

impl Taken<'_> {
    fn add(&mut self, piece: &[u8]) -> std::io::Result<()> {
        if self.file.is_none() && self.memory.len() + piece.len() > IN_MEMORY {
            let mut file = tempfile::tempfile()?;
            file.write_all(&self.memory)?;
            self.memory = Vec::new();
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(piece),
            None => {
                self.memory.extend_from_slice(piece);
                Ok(())
            }
        }
    }

    /// Hands the body, unpacked, to a decoder.
    pub(crate) fn read<T>(self, decode: impl FnOnce(&mut dyn Read) -> T) -> std::io::Result<(T, bool)> {
        let mut plain: Box<dyn Read> = match self.file {
            Some(mut file) => {
                file.seek(SeekFrom::Start(0))?;
                Box::new(std::io::BufReader::new(file))
            }
            None => Box::new(std::io::Cursor::new(self.memory)),
        };
        if self.gzip {
            plain = Box::new(flate2::read::MultiGzDecoder::new(plain));
        }
        // One byte more tells that there would have been more.
        let mut bounded = plain.take(self.limit + 1);
        let result = decode(&mut bounded);
        Ok((result, bounded.limit() == 0))
    }
}
