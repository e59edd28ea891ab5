//! What a command prints: the one place that writes to standard output and standard error.
//!
//! Where the reader of standard output is gone, as in `nezha inspect … | head -1`, the text is dropped
//! and the work goes on: its exit code is the same with and without a reader. A command that does
//! nothing but print may look at [`is_unread`] and stop. Any other failure to print, such as a full
//! disk behind `> FILE`, is an error.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use serde::Serialize;

/// Whether the reader of standard output is gone.
static UNREAD: AtomicBool = AtomicBool::new(false);

/// Prints a text and ends the line.
///
/// # Errors
/// Where standard output can't be written, for another reason than that nobody reads it.
pub(crate) fn line(text: impl Display) -> Result<()> {
    write(format!("{text}\n").as_bytes())
}

/// Prints a text as it is.
///
/// # Errors
/// As [`line()`].
pub(crate) fn text(text: impl Display) -> Result<()> {
    write(text.to_string().as_bytes())
}

/// Prints one JSON document for people and programs.
///
/// # Errors
/// As [`line()`].
pub(crate) fn json(document: &impl Serialize) -> Result<()> {
    line(serde_json::to_string_pretty(document)?)
}

/// Prints what clap made of `--help` or `--version`.
///
/// # Errors
/// As [`line()`].
pub(crate) fn help(asked: &clap::Error) -> Result<()> {
    settle(asked.print().and_then(|()| io::stdout().flush()))
}

/// Says something on standard error. Where that can't be written, there is no place left to say so.
pub(crate) fn note(text: impl Display) {
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// Standard output for what is no text; flushed by who writes.
#[cfg(feature = "score")]
pub(crate) fn bytes() -> impl Write {
    io::BufWriter::new(io::stdout().lock())
}

/// Whether nobody reads what is printed any more.
pub(crate) fn is_unread() -> bool {
    UNREAD.load(Ordering::Relaxed)
}

/// Standard output, for who writes to it by themselves.
pub(crate) struct Output;

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write(bytes).map(|()| bytes.len()).map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(bytes: &[u8]) -> Result<()> {
    if is_unread() {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    settle(out.write_all(bytes).and_then(|()| out.flush()))
}

fn settle(written: io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            UNREAD.store(true, Ordering::Relaxed);
            Ok(())
        }
        written => written.context("standard output can't be written"),
    }
}
