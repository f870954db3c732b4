//! Writing: the one place where verbs print.
//!
//! Whoever reads the output may have enough before its end (`stats --follow | head -1`). That is no error:
//! [`print()`] passes it on like one, so that the verb stops, and [`is_closed`] tells it from others.

use std::io::{self, ErrorKind, Write as _};

use anyhow::{Context as _, Result};

/// Writes `text` to standard output as it is, and flushes.
///
/// # Errors
///
/// Where standard output cannot be written to; see [`is_closed`].
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write the output")
}

/// Writes a line to standard output.
///
/// # Errors
///
/// As [`print()`].
pub fn line(text: &str) -> Result<()> {
    print(&format!("{text}\n"))
}

/// Whether `error` says that nobody reads standard output any more.
pub fn is_closed(error: &anyhow::Error) -> bool {
    let kinds = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    kinds.into_iter().any(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// Writes a line of standard error anew. What a terminal makes of it changes nothing.
pub fn progress(text: &str) {
    let _ = write!(io::stderr(), "\r{text}");
}

/// Takes the last [`progress`] off the terminal.
pub fn clear_progress() {
    let _ = write!(io::stderr(), "\r\x1b[K");
}

/// Writes a line to standard error.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
