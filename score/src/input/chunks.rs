use super::{Chunk, ChunkLimit};
use crate::digest::RowDigest;

/// Groups the rows of a file into chunks, each with a digest.
pub(super) struct Chunks {
    limit: ChunkLimit,
    /// The last chunk is open: it has no digest yet.
    chunks: Vec<Chunk>,
    digest: RowDigest,
    bytes: u64,
}

impl Chunks {
    pub(super) fn new(limit: ChunkLimit) -> Self {
        Self {
            limit,
            chunks: Vec::new(),
            digest: RowDigest::default(),
            bytes: 0,
        }
    }

    /// Adds a row that starts at this byte and has this many bytes. Its [`value`](Self::value)s
    /// must follow.
    pub(super) fn row(&mut self, start: u64, bytes: u64) {
        let (limit, before) = (self.limit, self.bytes);
        let size = bytes + limit.answer;
        let joins = |it: &&mut Chunk| it.rows < limit.rows && before + size <= limit.bytes;
        match self.chunks.last_mut().filter(joins) {
            Some(chunk) => chunk.rows += 1,
            None => {
                self.close();
                self.chunks.push(Chunk {
                    rows: 1,
                    start,
                    digest: None,
                });
            }
        }
        self.bytes += size;
    }

    /// Adds a value of the last row.
    pub(super) fn value(&mut self, value: &[u8]) {
        self.digest.add(value);
    }

    pub(super) fn finish(mut self) -> Vec<Chunk> {
        self.close();
        self.chunks
    }

    fn close(&mut self) {
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.digest = Some(self.digest.finish());
        }
        (self.digest, self.bytes) = (RowDigest::default(), 0);
    }
}
