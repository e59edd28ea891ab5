//! The weights of a checkpoint under their canonical names, and the decisions that depend on
//! several weights.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::dialects::Dialect;
use super::encoders::Origin;
use super::formats::Format;
use super::positions::Table;
use super::tensor::Data;
use super::{CheckpointError, Note, Storage, WeightInfo};
use crate::transpose::transpose;

/// Both names of the prediction head's bias. transformers ties them, and may save either or both.
const PREDICTION_BIAS: &str = "cls.predictions.bias";
const DECODER_BIAS: &str = "cls.predictions.decoder.bias";

/// Both names of the matrix that the prediction head shares with the embeddings.
const WORDS: &str = "nezha.embeddings.word_embeddings.weight";
const DECODER: &str = "cls.predictions.decoder.weight";

/// PaddleNLP's names of the question-answering head, and transformers'.
const ANSWERS: [(&str, &str); 2] = [
    ("classifier.weight", "qa_outputs.weight"),
    ("classifier.bias", "qa_outputs.bias"),
];

/// A matrix whose shape shows how linear layers are stored, and a vector that has the hidden size.
const FEED_FORWARD: &str = "nezha.encoder.layer.0.intermediate.dense.weight";
const NORM: &str = "nezha.embeddings.LayerNorm.weight";

/// Learned absolute positions, which are a sign of another model.
pub(super) const POSITION_EMBEDDINGS: &str = "nezha.embeddings.position_embeddings.weight";

/// A weight under its canonical name.
pub(super) struct Weight {
    /// What is known of it before it is read.
    pub info: WeightInfo,
    /// Where its elements come from.
    pub source: Source,
    /// Its name in the file.
    pub stored: String,
    /// Whether it is the matrix of a linear layer.
    pub linear: bool,
    /// Number of modules between it and the encoder; 0 if it is the encoder's own.
    pub distance: usize,
}

/// Where a weight's elements come from.
pub(super) struct Source {
    /// The elements.
    pub data: Data,
    /// The file, for errors.
    pub file: Arc<Path>,
    /// If the file stores the matrix column-major, the shape that it has there; else `None`.
    pub stored_shape: Option<[usize; 2]>,
}

impl Source {
    /// The row-major bytes of the weight.
    pub(super) fn bytes(&self, storage: Storage) -> Result<Bytes, CheckpointError> {
        let stored = self.data.bytes()?;
        match self.stored_shape {
            None => Ok(stored),
            Some([_, 0]) => Ok(stored),
            Some([_, columns]) => {
                let mut out = Vec::with_capacity(stored.len());
                transpose(&stored, storage.size(), columns, &mut out)
                    .map_err(|source| super::file::unreadable(&self.file, source))?;
                Ok(out.into())
            }
        }
    }
}

/// All weights of a checkpoint.
pub(super) struct Weights {
    /// By canonical name.
    pub by_name: BTreeMap<String, Weight>,
    /// Saved tables of relative positions.
    pub tables: Vec<Table>,
    /// Where the encoder was found.
    pub origin: Option<Origin>,
    /// Whether the prediction head's decoder differs from the word embeddings.
    pub untied: bool,
    /// Notes on what was found.
    pub notes: Vec<Note>,
}

impl Weights {
    /// The weights, sorted by name.
    pub(super) fn into_vec(self) -> Vec<Weight> {
        self.by_name.into_values().collect()
    }

    /// Whether the checkpoint has learned absolute positions.
    pub(super) fn has_absolute_positions(&self) -> bool {
        self.by_name.contains_key(POSITION_EMBEDDINGS)
    }

    /// Renames the decoder to the word embeddings if only the decoder was saved: the two are tied,
    /// and safetensors keeps only the alphabetically first name.
    pub(super) fn take_words_from_decoder(&mut self) {
        if self.by_name.contains_key(WORDS) {
            return;
        }
        if let Some(mut weight) = self.by_name.remove(DECODER) {
            weight.info.name = WORDS.to_owned();
            self.notes.push(Note::OtherName {
                found: weight.stored.clone(),
                read_as: WORDS,
            });
            self.by_name.insert(WORDS.to_owned(), weight);
        }
    }

    /// Renames PaddleNLP's `classifier` to transformers' name in a question-answering model.
    pub(super) fn take_answers_from_classifier(&mut self) {
        for (theirs, ours) in ANSWERS {
            if self.by_name.contains_key(ours) {
                continue;
            }
            if let Some(mut weight) = self.by_name.remove(theirs) {
                weight.info.name = ours.to_owned();
                self.notes.push(Note::OtherName {
                    found: weight.stored.clone(),
                    read_as: ours,
                });
                self.by_name.insert(ours.to_owned(), weight);
            }
        }
    }

    /// Decides whether linear layers are stored as `[in, out]`, and transposes them if so.
    ///
    /// In TensorFlow's and Keras' dialects, the name of each matrix says so. Otherwise, if the
    /// feed-forward matrix is not square, its shape decides for all matrices, including square
    /// ones; if it is square, the dialect decides.
    pub(super) fn settle_layout(
        &mut self,
        dialect: Dialect,
        path: &Path,
        format: Format,
    ) -> Result<(), CheckpointError> {
        let by_name = dialect.stores_kernels();
        let kernels = match (dialect, self.kernels_by_shape()) {
            (Dialect::TensorFlow | Dialect::Keras, _) => by_name,
            (_, Some(kernels)) => kernels,
            (Dialect::Paddle | Dialect::Bert4torch, None) => by_name,
            (Dialect::Transformers, None)
                if format == Format::Paddle && self.by_name.contains_key(FEED_FORWARD) =>
            {
                return Err(CheckpointError::UndecidedLayout {
                    path: path.to_owned(),
                });
            }
            (Dialect::Transformers, None) => by_name,
        };
        if kernels != by_name || (format == Format::Paddle && dialect == Dialect::Transformers) {
            self.notes.push(Note::OtherLayout { kernels });
        }
        if kernels {
            let matrices = self.by_name.values_mut().filter(|it| it.linear);
            for weight in matrices {
                if let &[rows, columns] = weight.info.shape.as_slice() {
                    weight.info.shape = vec![columns, rows];
                    weight.info.location = None;
                    weight.source.stored_shape = Some([rows, columns]);
                }
            }
        }
        Ok(())
    }

    fn kernels_by_shape(&self) -> Option<bool> {
        let shape = |name: &str| self.by_name.get(name).map(|it| it.info.shape.as_slice());
        let (&[rows, columns], &[hidden]) = (shape(FEED_FORWARD)?, shape(NORM)?) else {
            return None;
        };
        match rows != columns {
            true if rows == hidden => Some(true),
            true if columns == hidden => Some(false),
            _ => None,
        }
    }

    pub(super) fn settle_prediction_bias(&mut self) {
        let Some(mut weight) = self.by_name.remove(DECODER_BIAS) else {
            return;
        };
        if !self.by_name.contains_key(PREDICTION_BIAS) {
            self.notes.push(Note::OtherName {
                found: weight.stored.clone(),
                read_as: PREDICTION_BIAS,
            });
            weight.info.name = PREDICTION_BIAS.to_owned();
            self.by_name.insert(PREDICTION_BIAS.to_owned(), weight);
        }
    }

    /// bert4torch ties the decoder when it converts a checkpoint, but not when it trains one.
    pub(super) fn settle_decoder(&mut self, dialect: Dialect) -> Result<(), CheckpointError> {
        if dialect != Dialect::Bert4torch {
            return Ok(());
        }
        let (Some(decoder), Some(words)) = (self.by_name.get(DECODER), self.by_name.get(WORDS))
        else {
            return Ok(());
        };
        let alike =
            decoder.info.shape == words.info.shape && decoder.info.storage == words.info.storage;
        let storage = words.info.storage;
        if !alike || decoder.source.bytes(storage)? != words.source.bytes(storage)? {
            self.untied = true;
            self.notes.push(Note::UntiedDecoder {
                name: decoder.stored.clone(),
            });
        }
        Ok(())
    }
}
