use std::io::{self, Write};
use std::ops::ControlFlow;

/// The progress of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes that were written.
    pub written: u64,
    /// Size of all models and weights, in bytes.
    pub total: u64,
}

/// Receives the progress of an export, and decides whether it continues.
pub(super) type Report<'r> = &'r mut dyn FnMut(Progress) -> ControlFlow<()>;

/// Counts bytes as they are written, and reports them.
pub(super) struct Counter<'r> {
    report: Report<'r>,
    progress: Progress,
    /// Whether the export was stopped.
    pub stopped: bool,
}

impl<'r> Counter<'r> {
    /// Will tell `report` how many of `total` bytes were written.
    pub(super) fn new(report: Report<'r>, total: u64) -> Self {
        let progress = Progress { written: 0, total };
        Self {
            report,
            progress,
            stopped: false,
        }
    }

    /// A writer to `out` that counts all bytes. It fails once the export is stopped.
    pub(super) fn watch<'p, W: Write>(&'p mut self, out: W) -> impl Write + use<'p, 'r, W> {
        Watched { out, counter: self }
    }

    fn add(&mut self, bytes: usize) -> io::Result<()> {
        self.progress.written += bytes as u64;
        self.stopped = (self.report)(self.progress).is_break();
        match self.stopped {
            true => Err(io::Error::other("stopped")),
            false => Ok(()),
        }
    }
}

struct Watched<'p, 'r, W> {
    out: W,
    counter: &'p mut Counter<'r>,
}

impl<W: Write> Write for Watched<'_, '_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.counter.add(written)?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
