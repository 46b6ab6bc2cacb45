//! Writing to the terminal.

use std::io::{self, Write};
use std::process::ExitCode;

/// Usage, or nothing readable.
pub(crate) const TROUBLE: u8 = 2;

/// Writes a line to standard output.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")
}

/// Tells something on standard error. If nobody can read it there, nobody can be told that either.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Ends with an error; a reader that went away is none.
pub(crate) fn trouble(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    let mut source = Some(error);
    while let Some(error) = source {
        if error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        source = error.source();
    }
    tell(&format!("masthead: {error}"));
    ExitCode::from(TROUBLE)
}
