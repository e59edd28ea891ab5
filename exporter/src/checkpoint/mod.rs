//! A checkpoint's files as named tensors.
//!
//! Each [`Format`] is known by a file's first bytes, whatever the file is called. Opening reads
//! headers only; a weight's bytes are touched when it is asked for, so that an optimizer's
//! gigabytes cost nothing. Of saved tables of relative positions one is read, to see that it is
//! NEZHA's.
//!
//! Names are those of transformers' head models, `nezha.encoder.layer.0.attention.self.query.weight`
//! or `cls.predictions.bias`, whatever the file calls them: the encoder is found under any key and
//! any prefix, each [`Dialect`] is translated, matrices are [out, in], and [`Note`]s tell what was
//! found, translated, skipped or assumed.
//!
//! A checkpoint is untrusted input: each broken rule is a [`CheckpointError`], and no tensor is
//! allocated that claims more than the file's size. A compressed pickle may unfold to 100 MiB.

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

/// Elements that are widened at a time: 64 kB of f32, which stay in the cache.
const CHUNK: usize = 1 << 14;

/// What is known of a weight without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightInfo {
    /// The canonical name.
    pub name: String,
    /// The dimensions.
    pub shape: Vec<usize>,
    /// How its elements are stored.
    pub storage: Storage,
    /// Where its bytes lie row-major, or `None` where they have to be read out of another format
    /// than safetensors.
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
    /// Bytes before the range.
    pub offset: u64,
    /// Bytes of the range.
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

/// Threads share checkpoints.
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
    /// Opens the checkpoint at `path`: a folder (also a repository's in Hugging Face's cache), or a
    /// file of weights, an index of shards or a TensorFlow prefix, with the config beside it or named
    /// in the options.
    ///
    /// The rows of the embeddings and of the classifier decide over a config that says otherwise,
    /// and sizes that it lacks are read from the weights; [`Checkpoint::notes`] say so.
    ///
    /// # Errors
    /// Any [`CheckpointError`] but [`CheckpointError::NoSuchWeight`].
    pub fn open(path: impl AsRef<Path>, options: &OpenOptions) -> Result<Self, CheckpointError> {
        let files = Files::find(path.as_ref(), options)?;
        let draft = Draft::read(&files.config, options)?;
        let (tensors, format) = read(&files, options)?;
        Self::of(files, draft, tensors, format, options)
    }

    /// The checkpoint of a config and tensors, each as the files have them.
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
        // An option may say another reach than the one that the table was saved for.
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

    /// Where the encoder was found; `None` where not even its first query matrix is there.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// The config, validated.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The text of the config for an artifact to carry: as found, or, where the options override
    /// something, the weights have other sizes or the config is in Huawei's dialect, completed to
    /// what transformers would write.
    pub fn config_json(&self) -> &str {
        &self.config_json
    }

    /// The folder that the checkpoint's files are in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files that the weights are in.
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

    /// The row-major bytes of the weight `name`, little-endian and unaligned.
    ///
    /// They stay where they are mapped or in memory, if they lie there as they should; otherwise
    /// they are read or turned round each time.
    ///
    /// # Errors
    /// [`CheckpointError::NoSuchWeight`], or that of reading the file.
    pub fn bytes(&self, name: &str) -> Result<Bytes, CheckpointError> {
        let (info, source) = self.require(name)?;
        source.bytes(info.storage)
    }

    /// The bytes of the matrix `name` column after column, where the file has them so.
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
    /// [`CheckpointError::NoSuchWeight`], or that of reading the file.
    pub fn read_f32(&self, name: &str) -> Result<Vec<f32>, CheckpointError> {
        let (info, _) = self.require(name)?;
        let mut all = Vec::with_capacity(info.elements());
        self.read_f32_chunks(name, CHUNK, |chunk| {
            all.extend_from_slice(chunk);
            Ok::<(), CheckpointError>(())
        })?;
        Ok(all)
    }

    /// Hands the elements of the weight `name` to `sink` in row-major order, as f32, at most
    /// `elements_per_chunk` (at least one) at a time.
    ///
    /// # Errors
    /// [`CheckpointError::NoSuchWeight`], that of reading the file, and the first error of `sink`,
    /// which ends the reading.
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

    /// Bytes of all weights as they are stored.
    pub fn size(&self) -> u64 {
        self.infos
            .iter()
            .map(|info| info.elements() as u64 * info.storage.size() as u64)
            .sum()
    }

    /// XXH3-128 over the names, shapes, storage and bytes of all weights, hexadecimal.
    ///
    /// It tells checkpoints apart at the speed of memory and reads all of their bytes; it proves
    /// nothing against somebody who wants two to look alike. The format of the files makes no
    /// difference.
    ///
    /// # Errors
    /// That of reading a file.
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

    /// What was assumed, translated and skipped.
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

/// The tensors of all files, and their format.
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
