//! A tensor as a file holds it.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::{CheckpointError, Location, Storage};

/// What one element of a stored tensor is.
pub(super) enum ElementType {
    /// A floating point number.
    Weight(Storage),
    /// A whole number or a truth value; buffers hold them, weights don't.
    Integer,
    /// Anything else, by its name in the file.
    Other(String),
}

/// A tensor that the reader of a format found.
pub(super) struct StoredTensor {
    /// Its name in the file; keys of nested mappings are joined by dots.
    pub name: String,
    /// Where in the name the keys of the mappings end that it is nested in, each behind its dot.
    pub keys: Vec<usize>,
    /// The file that its elements are in.
    pub file: Arc<Path>,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its element type.
    pub element: ElementType,
    /// Its size in bytes, row-major without gaps.
    pub length: usize,
    /// Its elements.
    pub data: Data,
}

/// Reads a tensor's row-major bytes.
type Read = dyn Fn() -> Result<Bytes, CheckpointError> + Send + Sync;

/// The bytes of a tensor, or the way to them.
pub(super) enum Data {
    /// Row-major bytes in a file that is mapped or in memory.
    Slice {
        /// The bytes.
        bytes: Bytes,
        /// Where they come from.
        location: Location,
    },
    /// Bytes that have to be gathered, checked or unpacked whenever they are asked for.
    Read(Box<Read>),
}

impl Data {
    /// Bytes that `read` gives.
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
