//! NEZHA in f64: the executable specification.
//!
//! Naive loops that read like the equations, for one text at a time, written to be obviously
//! correct instead of fast. They share nothing with the graph except the
//! [table of relative positions](crate::nezha::relative_position_table) and the rotary frequencies:
//! what the graph computes by buckets and bands is a single sum over keys here. Tests compare the
//! reference with transformers 4.46.3 (`models/deprecated/nezha/modeling_nezha.py`), and engines
//! are compared with the reference.
//!
//! In reading order: `inputs` (the inputs and their checks), `encoder` (embeddings, attention,
//! layers), `heads` (one file for each), `loss`, `extras` (pooling, the most probable tokens), over
//! `weights` and `ops` (LayerNorm, softmax, activations).
//!
//! Where transformers fails, its own rule is continued: relative positions have no maximum length,
//! and in cross-attention the position of query i is i and that of key j is j, for texts of any two
//! lengths.

use std::collections::BTreeMap;
use std::fmt;

use ndarray::{Array2, ArrayD, ArrayView1, ArrayView2, Ix2, arr0};
use nezha_graphs::{Config, Head, ProblemType, setters};

use crate::checkpoint::{Checkpoint, WeightInfo};
use crate::nezha::relative_position_table;

mod encoder;
mod error;
mod extras;
mod heads;
mod inputs;
mod loss;
mod ops;
mod weights;

pub use error::ReferenceError;
pub use inputs::{Inputs, Tensor};

use encoder::Encoded;
use heads::Given;
use weights::Weights;

/// The outputs, by the contract's names: those of the head, `hidden_states.{0..=L}`,
/// `attentions.{0..L}`, `cross_attentions.{0..L}` if an encoder's output is given, and `loss` (rank
/// 0) if labels are given.
pub type Outputs = BTreeMap<String, ArrayD<f64>>;

/// Options that are not among the inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReferenceOptions {
    /// The problem type of a sequence classifier, which decides its loss. It replaces the one that
    /// the config states or implies.
    pub problem_type: Option<ProblemType>,
}

impl ReferenceOptions {
    setters! {
        problem_type: impl Into<Option<ProblemType>>,
    }
}

/// A checkpoint with its weights in memory, ready to compute.
pub struct Reference {
    config: Config,
    weights: Weights,
    /// T, `[2M + 1, D]`.
    relative_positions: Array2<f64>,
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reference")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Reference {
    /// Reads every weight of the checkpoint; each element takes 4 bytes of memory.
    ///
    /// Whether a head's weights exist and have the right shapes is checked when it runs.
    ///
    /// # Errors
    /// [`ReferenceError::Checkpoint`] if a weight can't be read.
    pub fn load(checkpoint: &Checkpoint) -> Result<Self, ReferenceError> {
        Self::with_weights(checkpoint, |info| Ok(checkpoint.read_f32(&info.name)?))
    }

    /// Like [`Self::load`], with the weights that `read` returns: row-major, with as many elements
    /// as the checkpoint's.
    pub(crate) fn with_weights<E: From<ReferenceError>>(
        checkpoint: &Checkpoint,
        read: impl Fn(&WeightInfo) -> Result<Vec<f32>, E>,
    ) -> Result<Self, E> {
        let config = checkpoint.config().clone();
        let (reach, size) = (config.max_relative_position, config.head_size());
        let table = relative_position_table(reach, size);
        Ok(Self {
            weights: Weights::load(checkpoint, read)?,
            relative_positions: Array2::from_shape_fn((2 * reach + 1, size), |(row, column)| {
                f64::from(table[row * size + column])
            }),
            config,
        })
    }

    /// Computes all outputs of `head` for these inputs.
    ///
    /// `pooler_output` is left out if the checkpoint has no pooler.
    ///
    /// # Errors
    /// [`ReferenceError`] if a weight that the head needs is missing or has another shape; or if an
    /// input is unknown, has another type or shape, or is out of range.
    pub fn run(
        &self,
        head: Head,
        options: &ReferenceOptions,
        inputs: &Inputs,
    ) -> Result<Outputs, ReferenceError> {
        let batch = inputs::batch(&self.config, head, inputs)?;
        let texts: Result<Vec<Encoded>, _> = batch
            .texts
            .iter()
            .map(|text| encoder::encode(self, text, &batch.head_mask))
            .collect();
        let texts = texts?;
        let given = Given {
            model: self,
            texts: &texts,
            choices: batch.choices,
        };
        let mut outputs = heads::outputs(head, &given)?;
        let problem_type = options
            .problem_type
            .unwrap_or(self.config.effective_problem_type());
        if let Some(loss) = heads::of(head).loss(problem_type, inputs, &outputs)? {
            outputs.insert("loss".to_owned(), arr0(loss).into_dyn());
        }
        outputs.extend(encoder::outputs(&texts));
        Ok(outputs)
    }

    /// T[r(i,j)] for query position i and key position j, with r(i,j) = clip(j − i, −M, M) + M.
    fn relative(&self, i: usize, j: usize) -> ArrayView1<'_, f64> {
        let reach = self.config.max_relative_position;
        let row = (j + reach).saturating_sub(i).min(2 * reach);
        self.relative_positions.row(row)
    }

    /// The word embeddings, `[V, H]`.
    fn word_embeddings(&self) -> Result<ArrayView2<'_, f32>, ReferenceError> {
        let shape = Ix2(self.config.vocab_size, self.config.hidden_size);
        let embeddings = self.weights.module("nezha.embeddings");
        embeddings.weight("word_embeddings.weight", shape)
    }

    fn has_pooler(&self) -> bool {
        self.weights.has("nezha.pooler.dense.weight")
    }
}
