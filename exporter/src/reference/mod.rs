//! NEZHA in f64: the executable specification.
//!
//! Naive loops that read like the equations, for one text at a time, written to be obviously right
//! rather than fast. They share nothing with the graph but the [table of relative
//! positions](crate::nezha::relative_position_table): what the graph computes by buckets and bands
//! is one sum over keys here. The tests hold them to transformers 4.46.3
//! (`models/deprecated/nezha/modeling_nezha.py`), and engines are held to them.
//!
//! In reading order: `inputs` (what may be given, and its checks), `encoder` (embeddings,
//! attention, layers), `heads` (a file each), `loss`, `extras` (pooling, the most probable tokens and
//! the like), over `weights` and `ops` (LayerNorm, softmax, activations).
//!
//! Where transformers breaks, the rule is its own, continued: relative positions have no maximum
//! length, and query i and key j of a cross-attention are i and j tokens into texts of any two
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

/// The outputs by the contract's names: those of the head, `hidden_states.{0..=L}`,
/// `attentions.{0..L}`, `cross_attentions.{0..L}` where an encoder's output is given, and `loss`
/// (rank 0) where labels are.
pub type Outputs = BTreeMap<String, ArrayD<f64>>;

/// What the inputs do not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReferenceOptions {
    /// The loss of a sequence classifier, in place of what the config says or implies.
    pub problem_type: Option<ProblemType>,
}

impl ReferenceOptions {
    setters! {
        problem_type: impl Into<Option<ProblemType>>,
    }
}

/// A checkpoint that can be computed.
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
    /// Reads every weight of the checkpoint; 4 bytes of memory for each.
    ///
    /// Which of them a head needs, and their shapes, is checked when it runs.
    ///
    /// # Errors
    /// [`ReferenceError::Checkpoint`] where a weight can't be read.
    pub fn load(checkpoint: &Checkpoint) -> Result<Self, ReferenceError> {
        Self::with_weights(checkpoint, |info| Ok(checkpoint.read_f32(&info.name)?))
    }

    /// The same with the weights that `read` gives for the checkpoint's, as many row-major elements.
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

    /// Computes everything that `head` can give for these inputs.
    ///
    /// `pooler_output` is left out where the checkpoint has no pooler.
    ///
    /// # Errors
    /// A weight that the head needs is missing or misshapen; an input is unknown, of another type
    /// or shape, or out of range.
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

    /// T[r(i,j)], r(i,j) = clip(j − i, −M, M) + M, of query position i and key position j.
    fn relative(&self, i: usize, j: usize) -> ArrayView1<'_, f64> {
        let reach = self.config.max_relative_position;
        let row = (j + reach).saturating_sub(i).min(2 * reach);
        self.relative_positions.row(row)
    }

    /// `[V, H]`.
    fn word_embeddings(&self) -> Result<ArrayView2<'_, f32>, ReferenceError> {
        let shape = Ix2(self.config.vocab_size, self.config.hidden_size);
        let embeddings = self.weights.module("nezha.embeddings");
        embeddings.weight("word_embeddings.weight", shape)
    }

    fn has_pooler(&self) -> bool {
        self.weights.has("nezha.pooler.dense.weight")
    }
}
