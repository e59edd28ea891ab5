use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use crate::{Compression, ScoreError};

/// Opens a text file at a byte of its decompressed content.
pub(super) fn open_at(
    path: &Path,
    compression: Compression,
    start: u64,
) -> Result<Box<dyn Read + Send>, ScoreError> {
    if compression == Compression::None {
        let mut file = File::open(path).map_err(ScoreError::read(path))?;
        file.seek(SeekFrom::Start(start))
            .map_err(ScoreError::read(path))?;
        return Ok(Box::new(file));
    }
    let mut inside = compression.open(path)?;
    let skipped = io::copy(&mut (&mut inside).take(start), &mut io::sink());
    skipped.map_err(ScoreError::read(path))?;
    Ok(inside)
}

/// Lines, with the position of each.
pub(super) struct Lines {
    reader: Box<dyn BufRead + Send>,
    position: u64,
    line: Vec<u8>,
}

impl Lines {
    /// Opens the lines from this byte on.
    pub(super) fn open(
        path: &Path,
        compression: Compression,
        start: u64,
    ) -> Result<Self, ScoreError> {
        let reader = open_at(path, compression, start)?;
        Ok(Self {
            reader: Box::new(BufReader::with_capacity(1 << 18, reader)),
            position: start,
            line: Vec::new(),
        })
    }

    /// Where the next line starts.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next line, without its ending and without a byte order mark; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        let start = self.position;
        self.line.clear();
        let read = self.reader.read_until(b'\n', &mut self.line)?;
        self.position += read as u64;
        let line = self.line.trim_ascii();
        let mark: &[u8] = if start == 0 { b"\xef\xbb\xbf" } else { b"" };
        let line = line.strip_prefix(mark).unwrap_or(line);
        Ok((read > 0).then_some(line))
    }
}
