//! A checkpoint whose files are in memory, for fuzzing alone: a parser reads thousands of inputs in a
//! second, and a file system takes hundreds.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::config::Draft;
use super::files::Files;
use super::formats::{self, Format};
use super::{Checkpoint, CheckpointError, OpenOptions};

impl Checkpoint {
    /// Opens the checkpoint that would have this text as its config and these bytes as its one file
    /// of weights at `path`; where they are the index of a bundle, its shards are beside `path`.
    ///
    /// # Errors
    /// Those of [`Checkpoint::open`]; PyTorch's format is read from the file at `path`,
    /// which has to be there.
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
