//! A tensor as a file holds it.

use std::path::Path;

use bytes::Bytes;
use pytorch_reader::Tensor as TorchTensor;

use super::{CheckpointError, Location, Storage, torch};

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
    /// Its name in the file.
    pub name: String,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its element type.
    pub element: ElementType,
    /// Its size in bytes, row-major without gaps.
    pub length: usize,
    /// Its elements.
    pub data: Data,
}

/// The bytes of a tensor, or the way to them.
pub(super) enum Data {
    /// Row-major bytes in a file that is mapped or in memory.
    Slice {
        /// The bytes.
        bytes: Bytes,
        /// Where they come from.
        location: Location,
    },
    /// Bytes that PyTorch's format scatters; gathered whenever they are asked for.
    Torch(TorchTensor),
}

impl Data {
    /// The row-major bytes; `path` is the file that errors name.
    pub fn bytes(&self, path: &Path) -> Result<Bytes, CheckpointError> {
        match self {
            Data::Slice { bytes, .. } => Ok(bytes.clone()),
            Data::Torch(tensor) => torch::read(tensor, path),
        }
    }
}
