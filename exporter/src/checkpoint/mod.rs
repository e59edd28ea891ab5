//! Reads a checkpoint's files as named tensors.
//!
//! Each [`Format`] is recognized by a file's first bytes; the file's name doesn't matter. Opening
//! reads only headers, and a weight's bytes are read when it is asked for, so the gigabytes of an
//! optimizer cost nothing. If tables of relative positions were saved, one of them is read to check
//! that it is NEZHA's.
//!
//! Weights have the names of transformers' head models, such as
//! `nezha.encoder.layer.0.attention.self.query.weight` or `cls.predictions.bias`, whatever their
//! names in the file: the encoder is found under any key and any prefix, each [`Dialect`] is
//! translated, and matrices are `[out, in]`. [`Note`]s tell what was found, translated, skipped or
//! assumed.
//!
//! A checkpoint is untrusted input. Each violated rule is a [`CheckpointError`], and no memory is
//! allocated for a tensor that claims more bytes than the file has. A compressed pickle may
//! decompress to at most 100 MiB.

mod collector;
mod config;
mod dialects;
mod encoders;
mod error;
pub(crate) mod file;
mod files;
mod formats;
mod from_tensors;
mod labels;
#[cfg(fuzzing)]
mod memory;
mod note;
mod options;
mod other_configs;
mod positions;
mod shards;
mod sizes;
mod storage;
mod tensor;
mod unique_map;
mod weights;

use std::collections::BTreeSet;
use std::fmt;
use std::mem;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use nezha_graphs::{Config, Head};
use xxhash_rust::xxh3::Xxh3Default;

pub use dialects::Dialect;
pub use encoders::Origin;
pub use error::CheckpointError;
pub use formats::Format;
pub use from_tensors::MemoryTensor;
pub use labels::read_labels;
pub use note::Note;
pub use options::OpenOptions;
pub use storage::Storage;

use config::Draft;
use files::Files;
use shards::Shards;
use tensor::StoredTensor;
use weights::Source;

/// Elements that are converted at a time: 64 KiB of f32, which fit in the cache.
const CHUNK: usize = 1 << 14;

/// What is known of a weight before it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightInfo {
    /// The canonical name.
    pub name: String,
    /// The dimensions.
    pub shape: Vec<usize>,
    /// The storage type of its elements.
    pub storage: Storage,
    /// Where its row-major bytes are in a file; `None` if they must be read or converted from
    /// another format than safetensors.
    pub location: Option<Location>,
}

impl WeightInfo {
    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A range of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file.
    pub file: PathBuf,
    /// Offset of the range in the file, in bytes.
    pub offset: u64,
    /// Length of the range, in bytes.
    pub length: u64,
}

/// An open checkpoint: a config and named weights.
pub struct Checkpoint {
    folder: PathBuf,
    format: Format,
    origin: Option<Origin>,
    config: Config,
    config_json: String,
    infos: Vec<WeightInfo>,
    /// The bytes of `infos`, in the same order.
    sources: Vec<Source>,
    notes: Vec<Note>,
}

/// Threads share a checkpoint.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Checkpoint>();
};

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint")
            .field("folder", &self.folder)
            .field("config", &self.config)
            .field("weights", &self.infos.len())
            .finish_non_exhaustive()
    }
}

impl Checkpoint {
    /// Opens the checkpoint at `path`: a folder (also a repository's folder in Hugging Face's
    /// cache), a file of weights, an index of shards, or the prefix of a TensorFlow checkpoint. The
    /// config is beside it or named in the options.
    ///
    /// If the config contradicts the rows of the embeddings or of the classifier, these rows
    /// decide. Sizes that the config lacks are read from the weights. [`Checkpoint::notes`] report
    /// both.
    ///
    /// # Errors
    /// Any [`CheckpointError`] except [`CheckpointError::NoSuchWeight`].
    pub fn open(path: impl AsRef<Path>, options: &OpenOptions) -> Result<Self, CheckpointError> {
        let files = Files::find(path.as_ref(), options)?;
        let draft = Draft::read(&files.config, options)?;
        let (tensors, format) = read(&files, options)?;
        Self::of(files, draft, tensors, format, options)
    }

    /// The checkpoint of a config and tensors as they are in the files.
    fn of(
        files: Files,
        mut draft: Draft,
        tensors: Vec<StoredTensor>,
        format: Format,
        options: &OpenOptions,
    ) -> Result<Self, CheckpointError> {
        let mut found = collector::collect(tensors, &files.weights, format, options)?;
        if found.untied {
            draft.untie();
        }
        if draft.ties_word_embeddings() {
            found.take_words_from_decoder();
        }
        let dialect = found.origin.as_ref().map(|it| it.dialect);
        if dialect == Some(Dialect::Paddle) && draft.names(Head::QuestionAnswering) {
            found.take_answers_from_classifier();
        }
        if found.has_absolute_positions() {
            draft.refuse_other_model()?;
        }
        let tables = mem::take(&mut found.tables);
        let origin = found.origin.take();
        let noticed = mem::take(&mut found.notes);
        let weights = found.into_vec();
        if weights.is_empty() {
            return Err(CheckpointError::NoTensors {
                path: files.weights,
            });
        }
        let gelu = draft.gelu_is_ambiguous;
        let config = draft.fit(&weights)?;
        // The option may give another distance than the one for which the table was saved.
        if options.max_relative_position.is_none()
            && let Some(table) = tables.first()
        {
            positions::check(table, &config.config)?;
        }
        let mut notes = files.notes;
        notes.extend(config.notes);
        notes.extend(gelu.then_some(Note::AmbiguousGelu { format }));
        notes.extend(noticed);
        let (infos, sources) = weights
            .into_iter()
            .map(|weight| (weight.info, weight.source))
            .unzip();
        Ok(Self {
            folder: files.folder,
            format,
            origin,
            config: config.config,
            config_json: config.json,
            infos,
            sources,
            notes,
        })
    }

    /// The format that the weights were read from.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Where the encoder was found; `None` if the checkpoint doesn't even have its first query
    /// matrix.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// The config, validated.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The text of the config for an artifact. It is the text as found, unless the options override
    /// something, the weights have other sizes, or the config is in another dialect: then it is
    /// what transformers would write.
    pub fn config_json(&self) -> &str {
        &self.config_json
    }

    /// The folder that contains the checkpoint's files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files that contain the weights.
    pub fn files(&self) -> BTreeSet<&Path> {
        self.sources.iter().map(|it| &*it.file).collect()
    }

    /// The weights, sorted by name.
    pub fn weights(&self) -> &[WeightInfo] {
        &self.infos
    }

    /// The weight with the canonical name `name`.
    pub fn weight(&self, name: &str) -> Option<&WeightInfo> {
        self.find(name).map(|(info, _)| info)
    }

    /// The bytes of the weight `name`, row-major, little-endian and unaligned.
    ///
    /// If the row-major bytes are in a mapped file or in memory, this returns a view of them.
    /// Otherwise they are read or transposed at each call.
    ///
    /// # Errors
    /// [`CheckpointError::NoSuchWeight`], or the error of reading the file.
    pub fn bytes(&self, name: &str) -> Result<Bytes, CheckpointError> {
        let (info, source) = self.require(name)?;
        source.bytes(info.storage)
    }

    /// The column-major bytes of the matrix `name`, if the file stores it so.
    ///
    /// # Errors
    /// Those of [`bytes`](Self::bytes).
    pub(crate) fn columns(&self, name: &str) -> Result<Option<Bytes>, CheckpointError> {
        let (_, source) = self.require(name)?;
        let stored = source.stored_shape.map(|_| source.data.bytes());
        stored.transpose()
    }

    /// The elements of the weight `name` in row-major order, as f32.
    ///
    /// # Errors
    /// [`CheckpointError::NoSuchWeight`], or the error of reading the file.
    pub fn read_f32(&self, name: &str) -> Result<Vec<f32>, CheckpointError> {
        let (info, _) = self.require(name)?;
        let mut all = Vec::with_capacity(info.elements());
        self.read_f32_chunks(name, CHUNK, |chunk| {
            all.extend_from_slice(chunk);
            Ok::<(), CheckpointError>(())
        })?;
        Ok(all)
    }

    /// Passes the elements of the weight `name` to `sink`, in row-major order, as f32, in chunks of
    /// at most `elements_per_chunk` (at least one).
    ///
    /// # Errors
    /// [`CheckpointError::NoSuchWeight`], the error of reading the file, or the first error of
    /// `sink`, which ends the reading.
    pub fn read_f32_chunks<E: From<CheckpointError>>(
        &self,
        name: &str,
        elements_per_chunk: usize,
        mut sink: impl FnMut(&[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        let (info, source) = self.require(name)?;
        let bytes = source.bytes(info.storage)?;
        let mut widened = Vec::new();
        let bytes_per_chunk = elements_per_chunk
            .max(1)
            .saturating_mul(info.storage.size());
        for chunk in bytes.chunks(bytes_per_chunk) {
            info.storage.to_f32(chunk, &mut widened);
            sink(&widened)?;
        }
        Ok(())
    }

    /// Size of all weights as stored, in bytes.
    pub fn size(&self) -> u64 {
        self.infos
            .iter()
            .map(|info| info.elements() as u64 * info.storage.size() as u64)
            .sum()
    }

    /// XXH3-128 over the names, shapes, storage and bytes of all weights, hexadecimal.
    ///
    /// It distinguishes checkpoints. It reads all of their bytes, at about the speed of memory. It
    /// is not cryptographic: two checkpoints can be made to have the same digest. The format of the
    /// files doesn't affect it.
    ///
    /// # Errors
    /// The error of reading a file.
    pub fn digest(&self) -> Result<String, CheckpointError> {
        let mut hash = Xxh3Default::new();
        for (info, source) in self.infos.iter().zip(&self.sources) {
            for text in [info.name.as_str(), info.storage.name()] {
                hash.update(&(text.len() as u64).to_le_bytes());
                hash.update(text.as_bytes());
            }
            hash.update(&(info.shape.len() as u64).to_le_bytes());
            for &size in &info.shape {
                hash.update(&(size as u64).to_le_bytes());
            }
            hash.update(&source.bytes(info.storage)?);
        }
        Ok(format!("{:032x}", hash.digest128()))
    }

    /// What was found, translated, skipped or assumed.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    fn find(&self, name: &str) -> Option<(&WeightInfo, &Source)> {
        let index = self
            .infos
            .binary_search_by(|info| info.name.as_str().cmp(name))
            .ok()?;
        Some((self.infos.get(index)?, self.sources.get(index)?))
    }

    fn require(&self, name: &str) -> Result<(&WeightInfo, &Source), CheckpointError> {
        self.find(name)
            .ok_or_else(|| CheckpointError::NoSuchWeight {
                folder: self.folder.clone(),
                name: name.to_owned(),
            })
    }
}

/// The tensors of all files, and the files' format.
fn read(
    files: &Files,
    options: &OpenOptions,
) -> Result<(Vec<StoredTensor>, Format), CheckpointError> {
    if !files.sharded() {
        let format = files::format_of(&files.weights)?;
        return Ok((formats::tensors(&files.weights, format, options)?, format));
    }
    let shards = Shards::read(&files.weights)?;
    let mut all = Vec::new();
    let mut found = Format::Safetensors;
    for (shard, path) in shards.files() {
        let read = || {
            let format = files::format_of(&path)?;
            Ok((formats::tensors(&path, format, options)?, format))
        };
        let (tensors, format) = read().map_err(|error| match error {
            CheckpointError::NotFound { .. } => CheckpointError::MissingShard {
                index: files.weights.clone(),
                shard: shard.to_owned(),
            },
            other => other,
        })?;
        shards.verify(shard, &tensors)?;
        all.extend(tensors);
        found = format;
    }
    Ok((all, found))
}
