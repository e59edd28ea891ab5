//! A tensor as stored in a file.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::{CheckpointError, Location, Storage};

/// The element type of a stored tensor.
pub(super) enum ElementType {
    /// A floating-point number.
    Weight(Storage),
    /// An integer or a boolean; buffers have them, weights don't.
    Integer,
    /// Any other type, with its name in the file.
    Other(String),
}

/// A tensor that the reader of a format found.
pub(super) struct StoredTensor {
    /// Its name in the file; the keys of nested mappings are joined by dots.
    pub name: String,
    /// The offsets in the name where the keys of the enclosing mappings end, each after its dot.
    pub keys: Vec<usize>,
    /// The file that contains its elements.
    pub file: Arc<Path>,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its element type.
    pub element: ElementType,
    /// Its size in bytes, without gaps.
    pub length: usize,
    /// Its elements.
    pub data: Data,
}

/// Reads a tensor's row-major bytes.
type Read = dyn Fn() -> Result<Bytes, CheckpointError> + Send + Sync;

/// The bytes of a tensor, or a function that reads them.
pub(super) enum Data {
    /// Row-major bytes in a file that is mapped or in memory.
    Slice {
        /// The bytes.
        bytes: Bytes,
        /// Where they are in the file.
        location: Location,
    },
    /// Bytes that are gathered, verified or decompressed each time they are asked for.
    Read(Box<Read>),
}

impl Data {
    /// Data whose bytes `read` returns.
    pub(super) fn reading(
        read: impl Fn() -> Result<Bytes, CheckpointError> + Send + Sync + 'static,
    ) -> Self {
        Data::Read(Box::new(read))
    }

    /// The row-major bytes.
    pub(super) fn bytes(&self) -> Result<Bytes, CheckpointError> {
        match self {
            Data::Slice { bytes, .. } => Ok(bytes.clone()),
            Data::Read(read) => read(),
        }
    }
}
