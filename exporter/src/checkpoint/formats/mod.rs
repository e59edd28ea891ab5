//! The formats of files of weights, one file for each. The first bytes of a file decide about its
//! format; its name doesn't matter.

mod keras;
mod paddle;
mod pickle;
mod refused;
mod safetensors;
mod table;
mod tensorflow;
mod torch;

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use bytes::Bytes;

use super::tensor::StoredTensor;
use super::{CheckpointError, OpenOptions, file};

pub(super) use refused::Refused;
pub(super) use tensorflow::{bundle_of, is_shard, newest_of};

/// Bytes at the start of a file that identify every format except TensorFlow's, which is identified
/// by its last bytes.
const START: u64 = 64;

/// The format of a checkpoint's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Format {
    /// safetensors.
    Safetensors,
    /// The zip or pickle that `torch.save` writes.
    Torch,
    /// TensorFlow's bundle: an `.index` with its `.data` files.
    TensorFlow,
    /// Keras' HDF5.
    Keras,
    /// Paddle's pickle of NumPy arrays.
    Paddle,
}

impl Format {
    /// The name of the format.
    pub fn name(self) -> &'static str {
        match self {
            Format::Safetensors => "safetensors",
            Format::Torch => "PyTorch",
            Format::TensorFlow => "TensorFlow",
            Format::Keras => "Keras HDF5",
            Format::Paddle => "Paddle",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The content of a file.
pub(super) enum Content {
    /// Weights in a format that can be read.
    Weights(Format),
    /// Weights in a format that can't be read.
    Refused(Refused),
    /// Anything else.
    Other,
}

/// Identifies the content of the file at `path` by its first and last bytes.
pub(super) fn content(path: &Path) -> Result<Content, CheckpointError> {
    file::refuse_lfs_pointer(path)?;
    let unreadable = |source| file::unreadable(path, source);
    let mut file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let mut start = Vec::new();
    let mut taken = (&mut file).take(START);
    taken.read_to_end(&mut start).map_err(unreadable)?;
    if safetensors::starts_like(&start, size) {
        return Ok(Content::Weights(Format::Safetensors));
    }
    if torch::starts_like(&start) {
        return Ok(Content::Weights(Format::Torch));
    }
    if keras::starts_like(&start) {
        return Ok(Content::Weights(Format::Keras));
    }
    let end = size.saturating_sub(table::MAGIC.len() as u64);
    let mut last = Vec::new();
    file.seek(SeekFrom::Start(end)).map_err(unreadable)?;
    file.read_to_end(&mut last).map_err(unreadable)?;
    if last == table::MAGIC {
        return Ok(Content::Weights(Format::TensorFlow));
    }
    if paddle::starts_like(&start) {
        return Ok(Content::Weights(Format::Paddle));
    }
    Ok(Refused::of(path, &start).map_or(Content::Other, Content::Refused))
}

/// Lists the tensors of the file at `path`, sorted by name, without reading their elements.
pub(super) fn tensors(
    path: &Path,
    format: Format,
    options: &OpenOptions,
) -> Result<Vec<StoredTensor>, CheckpointError> {
    let bytes = match format {
        // Its reader opens the file itself.
        Format::Torch => Bytes::new(),
        Format::TensorFlow => tensorflow::load_index(path)?,
        Format::Safetensors | Format::Keras | Format::Paddle => file::load(path, options.mmap)?,
    };
    tensors_of(bytes, path, format, options)
}

/// The same for the bytes of the file at `path`; PyTorch's format is read from the file itself.
pub(super) fn tensors_of(
    bytes: Bytes,
    path: &Path,
    format: Format,
    options: &OpenOptions,
) -> Result<Vec<StoredTensor>, CheckpointError> {
    let mut tensors = match format {
        Format::Safetensors => safetensors::tensors(&bytes, path)?,
        Format::Torch => torch::tensors(path)?,
        Format::TensorFlow => tensorflow::tensors(&bytes, path, options.mmap)?,
        Format::Keras => keras::tensors(bytes, path)?,
        Format::Paddle => paddle::tensors(&bytes, path)?,
    };
    // The libraries list tensors in any order, but errors and notes must be reproducible.
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tensors)
}
