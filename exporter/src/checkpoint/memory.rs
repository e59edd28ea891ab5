//! A checkpoint with its files in memory, only for fuzzing: parsing takes thousands of inputs per
//! second, but a file system only hundreds.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::config::Draft;
use super::files::Files;
use super::formats::{self, Format};
use super::{Checkpoint, CheckpointError, OpenOptions};

impl Checkpoint {
    /// Opens a checkpoint with the text of its config and the bytes of its single file of weights,
    /// as if they were at `path`. If the bytes are the index of a bundle, its shards are read
    /// beside `path`.
    ///
    /// # Errors
    /// Those of [`Checkpoint::open`]; PyTorch's format is read from the file at `path`, which must
    /// exist.
    pub fn from_memory(
        path: &Path,
        config: &str,
        weights: Bytes,
        format: Format,
        options: &OpenOptions,
    ) -> Result<Self, CheckpointError> {
        let files = Files {
            folder: path.parent().map(PathBuf::from).unwrap_or_default(),
            config: path.with_file_name("config.json"),
            weights: path.to_owned(),
            notes: Vec::new(),
        };
        let draft = Draft::parse(config.to_owned(), &files.config, options)?;
        let tensors = formats::tensors_of(weights, path, format, options)?;
        Self::of(files, draft, tensors, format, options)
    }
}
