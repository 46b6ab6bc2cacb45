//! Writing to the terminal.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

/// Usage, or nothing readable.
pub(crate) const TROUBLE: u8 = 2;

/// Standard output, with colours only where they are shown. What is written must be flushed.
pub(crate) fn out() -> impl Write {
    BufWriter::new(anstream::AutoStream::auto(io::stdout().lock()))
}

/// Tells something on standard error. If nobody can read it there, nobody can be told that either.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Tells an error on standard error.
pub(crate) fn tell_error(message: &str) {
    let style = Style::new().fg_color(Some(AnsiColor::Red.into())).bold();
    tell(&format!("{style}error:{style:#} {}", printable(message)));
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
    tell_error(&error.to_string());
    ExitCode::from(TROUBLE)
}

/// Text from outside as it may go to a terminal: on one line, and without characters that steer it or turn the
/// direction of writing. Whoever writes a log must not be able to hide or forge what is shown.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if steers(c) => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A number and what it counts: `1 event`, `2 events`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_written_out() {
        for (text, expected) in [
            ("plain é 漢 👍", "plain é 漢 👍"),
            ("a\nb\tc\r", "a b c "),
            ("\u{1b}[2Jgone", "\\u{1b}[2Jgone"),
            ("\u{9b}31mred", "\\u{9b}31mred"),
            ("evil\u{202e}txt.exe", "evil\\u{202e}txt.exe"),
            ("\0", "\\u{0}"),
        ] {
            assert_eq!(printable(text), expected);
        }
    }
}
