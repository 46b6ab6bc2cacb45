//! What a host and its worker say to each other: length-prefixed JSON messages over the worker's standard streams.

use std::io::{self, Read, Write};
use std::sync::Arc;

use masthead_ir::rule::{ScriptError, ScriptVerdict};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The longest message, in bytes. Longer ones are refused by both sides.
pub(crate) const MAX_FRAME: usize = 64 << 20;

/// From the host to the worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// The first message: the limits, and whose child the worker is.
    Start { memory_limit: u64, parent: u32 },
    /// Modules and programs. Answered by [`Reply::Library`], then one [`Reply::Program`] a program.
    Load { modules: Vec<(String, Arc<str>)>, entry: (String, String), programs: Vec<(String, Arc<str>)> },
    /// Calls, in the order they are to be made. Answered by one [`Reply::Verdict`] or [`Reply::Failed`] a call.
    Evaluate { texts: Vec<Arc<str>>, calls: Vec<CallRecord> },
}

/// A call. The numbers are places in the message's `texts`, which hold JSON; calls share them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CallRecord {
    pub(crate) module: String,
    pub(crate) event: usize,
    pub(crate) envelope: usize,
    pub(crate) config: usize,
}

/// From the worker to the host.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// The limits are in force and the interpreter runs.
    Ready,
    /// The library's entry point was imported, or could not be.
    Library(Option<ScriptError>),
    /// The next program was loaded, or could not be.
    Program(Option<ScriptError>),
    /// The next call's verdict.
    Verdict(Box<ScriptVerdict>),
    /// The next call came to no verdict.
    Failed(ScriptError),
}

/// Writes one message and flushes.
pub(crate) fn write_frame<T: Serialize>(out: &mut impl Write, message: &T) -> io::Result<()> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = frame.len() - 4;
    if length > MAX_FRAME {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("a message of {length} bytes is too long")));
    }
    frame[..4].copy_from_slice(&(length as u32).to_le_bytes());
    out.write_all(&frame)?;
    out.flush()
}

/// Reads one message; none at the end of the stream.
pub(crate) fn read_frame<T: DeserializeOwned>(input: &mut impl Read) -> io::Result<Option<T>> {
    let mut prefix = [0; 4];
    let mut have = 0;
    while have < prefix.len() {
        match input.read(&mut prefix[have..])? {
            0 if have == 0 => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => have += count,
        }
    }
    let length = u32::from_le_bytes(prefix) as usize;
    if length > MAX_FRAME {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a message of {length} bytes is too long")));
    }
    let mut frame = vec![0; length];
    input.read_exact(&mut frame)?;
    serde_json::from_slice(&frame).map(Some).map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_the_wire_and_bad_ones_are_refused() {
        let mut wire = Vec::new();
        write_frame(&mut wire, &"one").unwrap();
        write_frame(&mut wire, &"two").unwrap();
        let mut reader = wire.as_slice();
        assert_eq!(read_frame::<String>(&mut reader).unwrap().as_deref(), Some("one"));
        assert_eq!(read_frame::<String>(&mut reader).unwrap().as_deref(), Some("two"));
        assert_eq!(read_frame::<String>(&mut reader).unwrap(), None);

        for (bad, kind) in [
            (&b"\x02\0"[..], io::ErrorKind::UnexpectedEof),
            (&b"\x05\0\0\0\"a"[..], io::ErrorKind::UnexpectedEof),
            (&b"\xff\xff\xff\xff"[..], io::ErrorKind::InvalidData),
            (&b"\x02\0\0\0{]"[..], io::ErrorKind::InvalidData),
        ] {
            let mut reader = bad;
            assert_eq!(read_frame::<String>(&mut reader).unwrap_err().kind(), kind, "{bad:?}");
        }
    }
}
