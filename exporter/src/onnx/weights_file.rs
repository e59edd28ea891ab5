use std::collections::HashSet;
use std::io::{self, Write};

use xxhash_rust::xxh3::Xxh3Default;

use super::content::write_content;
use super::lower;
use super::{Link, Links, WriteError};
use crate::checkpoint::Checkpoint;
use crate::graph::{Content, Graph};

/// Alignment of tensors of a page or more: they start at a page, so that an engine can map each one
/// separately, as the ONNX specification advises.
const PAGE: u64 = 4096;

/// Alignment of smaller tensors: they start at a cache line.
const LINE: u64 = 64;

/// The layout of a file of weights that one or more graphs share.
///
/// A weight that several graphs have in the same form is stored once. Small constants stay in the
/// messages.
#[derive(Debug)]
pub struct WeightsFile<'g> {
    ranges: Vec<Range<'g>>,
    size: u64,
}

#[derive(Debug)]
struct Range<'g> {
    content: &'g Content,
    offset: u64,
    length: u64,
}

impl<'g> WeightsFile<'g> {
    /// Lays out the weights of `graphs` in the order of first use.
    pub fn new(graphs: &'g [Graph]) -> Self {
        let mut file = Self {
            ranges: Vec::new(),
            size: 0,
        };
        let mut seen = HashSet::new();
        for graph in graphs {
            for initializer in &graph.initializers {
                let content = &initializer.content;
                if matches!(content, Content::Weight { .. }) && seen.insert(content) {
                    file.push(content, lower::tensor_bytes(graph, initializer));
                }
            }
        }
        file
    }

    fn push(&mut self, content: &'g Content, length: u64) {
        let alignment = if length < PAGE { LINE } else { PAGE };
        let offset = self.size.next_multiple_of(alignment);
        self.size = offset + length;
        self.ranges.push(Range {
            content,
            offset,
            length,
        });
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The places of its weights in a file named `location`.
    pub fn links(&self, location: &str) -> Links {
        let link = |range: &Range| Link {
            location: location.to_owned(),
            offset: range.offset,
            length: range.length,
        };
        let ranges = self.ranges.iter();
        ranges
            .map(|range| (range.content.clone(), link(range)))
            .collect()
    }

    /// Writes the file to `out`, and returns the XXH3-128 of its content, hexadecimal.
    ///
    /// # Errors
    /// [`WriteError::Io`], [`WriteError::Checkpoint`] and [`WriteError::Precision`].
    pub fn write(
        &self,
        checkpoint: &Checkpoint,
        out: &mut impl Write,
    ) -> Result<String, WriteError> {
        let mut out = Hashed {
            out,
            hash: Xxh3Default::new(),
        };
        let mut position = 0;
        for range in &self.ranges {
            out.write_all(&vec![0; (range.offset - position) as usize])?;
            write_content(checkpoint, range.content, &mut out)?;
            position = range.offset + range.length;
        }
        Ok(format!("{:032x}", out.hash.digest128()))
    }
}

/// A writer that hashes what is written.
struct Hashed<W> {
    out: W,
    hash: Xxh3Default,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
