use std::io::{self, Write};

/// Counts bytes as they are written, and tells.
pub(super) struct Progress<'r> {
    report: &'r mut dyn FnMut(u64, u64),
    done: u64,
    total: u64,
}

impl<'r> Progress<'r> {
    /// Tells `report` how many bytes are written, and of how many.
    pub fn new(report: &'r mut dyn FnMut(u64, u64)) -> Self {
        Self {
            report,
            done: 0,
            total: 0,
        }
    }

    /// Says that `bytes` more are to come.
    pub fn expect(&mut self, bytes: u64) {
        self.total += bytes;
    }

    /// `out`, with everything counted that is written to it.
    pub fn watch<'p, W: Write>(&'p mut self, out: W) -> impl Write + use<'p, 'r, W> {
        Watched {
            out,
            progress: self,
        }
    }
}

struct Watched<'p, 'r, W> {
    out: W,
    progress: &'p mut Progress<'r>,
}

impl<W: Write> Write for Watched<'_, '_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.progress.done += written as u64;
        (self.progress.report)(self.progress.done, self.progress.total);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
