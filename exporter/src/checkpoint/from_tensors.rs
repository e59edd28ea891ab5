//! A checkpoint from tensors in memory, such as the model of a training script.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::config::Draft;
use super::files::Files;
use super::formats::Format;
use super::tensor::{Data, ElementType, StoredTensor};
use super::{Checkpoint, CheckpointError, OpenOptions, Storage};

/// A tensor of a state dict.
#[derive(Clone, Debug)]
pub struct MemoryTensor {
    /// Its name in the state dict.
    pub name: String,
    /// Its element type, as safetensors names it: `F32`, `BF16`, `I64`.
    pub dtype: String,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its elements, row-major without gaps, little-endian.
    pub bytes: Bytes,
}

impl Checkpoint {
    /// Makes a checkpoint of a state dict and the text of its config. If [`OpenOptions::config`]
    /// names a file, that file is read instead of the text.
    ///
    /// Everything else is as if the tensors were read from a file with these names. `folder` is
    /// where the tokenizer's files are looked for, and the name of the checkpoint in errors; it
    /// need not exist.
    ///
    /// # Errors
    /// Those of [`Checkpoint::open`] about tensors and config; [`CheckpointError::Malformed`] if
    /// the number of a tensor's bytes doesn't match its shape.
    pub fn from_tensors(
        tensors: impl IntoIterator<Item = MemoryTensor>,
        config: &str,
        folder: impl AsRef<Path>,
        options: &OpenOptions,
    ) -> Result<Self, CheckpointError> {
        let folder = folder.as_ref();
        let files = Files {
            folder: folder.to_owned(),
            config: folder.join("config.json"),
            weights: folder.to_owned(),
            notes: Vec::new(),
        };
        let draft = match &options.config {
            Some(file) => Draft::read(file, options)?,
            None => Draft::parse(config.to_owned(), &files.config, options)?,
        };
        let place: Arc<Path> = Arc::from(folder);
        let tensors = tensors.into_iter().map(|it| stored(it, &place));
        let mut tensors = tensors.collect::<Result<Vec<_>, _>>()?;
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        // Names and matrices are treated like those of a file without keys around its tensors.
        Self::of(files, draft, tensors, Format::Safetensors, options)
    }
}

fn stored(tensor: MemoryTensor, place: &Arc<Path>) -> Result<StoredTensor, CheckpointError> {
    let element = element(&tensor.dtype);
    let length = tensor.bytes.len();
    if let ElementType::Weight(storage) = &element {
        let sizes = tensor.shape.iter().copied().chain([storage.size()]);
        let expected = sizes.reduce(usize::saturating_mul);
        if expected != Some(length) {
            return Err(CheckpointError::Malformed {
                path: place.to_path_buf(),
                format: "state dict",
                reason: format!(
                    "'{}' has {length} bytes, expected {} of shape {:?}",
                    tensor.name, tensor.dtype, tensor.shape
                ),
            });
        }
    }
    let bytes = tensor.bytes;
    Ok(StoredTensor {
        name: tensor.name,
        keys: Vec::new(),
        file: Arc::clone(place),
        shape: tensor.shape,
        element,
        length,
        data: Data::reading(move || Ok(bytes.clone())),
    })
}

fn element(dtype: &str) -> ElementType {
    let weights = [Storage::F32, Storage::F16, Storage::BF16, Storage::F64];
    let integers = ["BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64"];
    match weights.into_iter().find(|it| it.name() == dtype) {
        Some(storage) => ElementType::Weight(storage),
        None if integers.contains(&dtype) => ElementType::Integer,
        None => ElementType::Other(dtype.to_owned()),
    }
}
