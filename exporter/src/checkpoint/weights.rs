//! The tensors of all files under their canonical names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::tensor::{Data, ElementType, StoredTensor};
use super::{CheckpointError, Dialect, Note, WeightInfo, names};

/// Both names of the prediction head's bias; transformers ties them, and may save either or both.
const PREDICTION_BIAS: &str = "cls.predictions.bias";
const DECODER_BIAS: &str = "cls.predictions.decoder.bias";

/// Learned absolute positions, a sign of another model.
const POSITION_EMBEDDINGS: &str = "nezha.embeddings.position_embeddings.weight";

/// A weight under its canonical name.
pub(super) struct Weight {
    /// What is known of it.
    pub info: WeightInfo,
    /// Where its elements come from.
    pub source: Source,
}

/// Where a weight's elements come from.
pub(super) struct Source {
    /// The elements.
    pub data: Data,
    /// The file, for errors.
    pub file: PathBuf,
}

/// Collects tensors file by file.
#[derive(Default)]
pub(super) struct Collector {
    /// By canonical name, with the name in the file.
    weights: BTreeMap<String, (String, Weight)>,
    dialects: BTreeSet<Dialect>,
    /// Names in the file of the buffers that were passed over, and their sizes.
    buffers: BTreeMap<String, u64>,
}

impl Collector {
    /// Adds the tensors of the file at `path` that are no buffers.
    pub fn add(&mut self, path: &Path, tensors: Vec<StoredTensor>) -> Result<(), CheckpointError> {
        tensors
            .into_iter()
            .try_for_each(|tensor| self.add_tensor(path, tensor))
    }

    fn add_tensor(&mut self, path: &Path, tensor: StoredTensor) -> Result<(), CheckpointError> {
        let (name, dialects) = names::canonical(&tensor.name);
        let buffer = names::is_buffer(&name);
        let storage = match tensor.element {
            ElementType::Weight(storage) if !buffer => storage,
            ElementType::Other(found) if !buffer => {
                return Err(CheckpointError::UnsupportedStorage {
                    path: path.to_owned(),
                    name: tensor.name,
                    found,
                });
            }
            _ => {
                self.buffers.insert(tensor.name, tensor.length as u64);
                return Ok(());
            }
        };
        self.dialects.extend(dialects);
        let info = WeightInfo {
            name: name.clone(),
            shape: tensor.shape,
            storage,
            location: match &tensor.data {
                Data::Slice { location, .. } => Some(location.clone()),
                Data::Torch(_) => None,
            },
        };
        let weight = Weight {
            info,
            source: Source {
                data: tensor.data,
                file: path.to_owned(),
            },
        };
        if let Some((first, _)) = self.weights.get(&name) {
            return Err(CheckpointError::DuplicateTensor {
                path: path.to_owned(),
                first: first.clone(),
                second: tensor.name,
            });
        }
        self.weights.insert(name, (tensor.name, weight));
        Ok(())
    }

    /// The weights, sorted by name, and what was noticed.
    pub fn finish(mut self) -> (Vec<Weight>, Vec<Note>) {
        self.settle_prediction_bias();
        let mut notes: Vec<Note> = self.dialects.into_iter().map(Note::Names).collect();
        if let Some(first) = self.buffers.keys().next() {
            notes.push(Note::SkippedBuffers {
                count: self.buffers.len(),
                bytes: self.buffers.values().sum(),
                first: first.clone(),
            });
        }
        if self.weights.contains_key(POSITION_EMBEDDINGS) {
            notes.push(Note::PositionEmbeddings);
        }
        let weights = self.weights.into_values().map(|(_, weight)| weight);
        (weights.collect(), notes)
    }

    fn settle_prediction_bias(&mut self) {
        let Some((name, mut weight)) = self.weights.remove(DECODER_BIAS) else {
            return;
        };
        if !self.weights.contains_key(PREDICTION_BIAS) {
            self.dialects.insert(Dialect::DecoderBias);
            weight.info.name = PREDICTION_BIAS.to_owned();
            self.weights
                .insert(PREDICTION_BIAS.to_owned(), (name, weight));
        }
    }
}
