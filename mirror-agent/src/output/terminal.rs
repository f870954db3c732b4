//! Writing: the one place where verbs print.
//!
//! Whoever reads the output may have enough before its end (`stats --follow | head -1`). That is no error:
//! [`print()`] passes it on like one, so that the verb stops, and [`is_closed`] tells it from others. [`report`] is for
//! verbs that have more to do.

use std::{
    error::Error,
    fmt,
    io::{self, ErrorKind, Write as _},
};

use anyhow::{Context as _, Result};

/// Writes `text` to standard output as it is, and flushes.
///
/// # Errors
///
/// Where standard output cannot be written to; see [`is_closed`].
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Closed.into()),
        written => written.context("cannot write the output"),
    }
}

/// As [`print()`], for a verb that goes on when nobody reads its output any more.
///
/// # Errors
///
/// Where standard output cannot be written to for another reason.
pub fn report(text: &str) -> Result<()> {
    match print(text) {
        Err(error) if is_closed(&error) => Ok(()),
        written => written,
    }
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
    error.downcast_ref::<Closed>().is_some()
}

/// Nobody reads standard output any more. A type of its own, since the connection to a server can break, too.
#[derive(Debug)]
struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads the output")
    }
}

impl Error for Closed {}

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
