use std::sync::Arc;

use ndarray::{Array1, Array2, Axis, Ix1, Ix2, s};
use nezha_graphs::{Head, Role, setters};
use serde::{Deserialize, Serialize};

use super::{Row, RowOutputs, Task, TaskError, TaskModel, Text};

/// The model's vectors for the tokens of a text: transformers' `feature-extraction`.
#[derive(Debug)]
pub struct FeatureExtraction {
    model: Arc<TaskModel>,
    options: FeatureExtractionOptions,
}

/// How texts are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FeatureExtractionOptions {
    /// Tokens of a sequence, at most; `None` for the tokenizer's limit.
    pub max_length: Option<usize>,
}

impl FeatureExtractionOptions {
    setters! {
        max_length: impl Into<Option<usize>>,
    }
}

impl Task for FeatureExtraction {
    type Input = Text;
    type Options = FeatureExtractionOptions;
    type Part = Array2<f32>;
    /// `[tokens, hidden_size]`, including special tokens.
    type Answer = Array2<f32>;

    const NAME: &'static str = "feature-extraction";
    const HEADS: &'static [Head] = &[Head::Base];

    fn new(model: Arc<TaskModel>, options: FeatureExtractionOptions) -> Result<Self, TaskError> {
        Ok(Self { model, options })
    }

    fn encode(&self, input: &Text) -> Result<Vec<Row>, TaskError> {
        Ok(vec![self.model.encode(input, self.options.max_length)?])
    }

    fn decode(
        &self,
        _: &Text,
        row: &Row,
        outputs: &RowOutputs<'_>,
    ) -> Result<Array2<f32>, TaskError> {
        token_vectors(row, outputs)
    }

    fn join(&self, _: &Text, parts: Vec<Array2<f32>>) -> Array2<f32> {
        parts.into_iter().next().unwrap_or_default()
    }
}

/// One vector for a text, pooled from its token vectors.
///
/// If the graph pools (it was exported with the option `pooling`), it decides how, and the option
/// [`pooling`](EmbeddingOptions::pooling) has no effect.
#[derive(Debug)]
pub struct Embedding {
    model: Arc<TaskModel>,
    options: EmbeddingOptions,
}

/// How token vectors become one vector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EmbeddingOptions {
    /// How the vectors are pooled.
    pub pooling: Pooling,
    /// Whether the vector is scaled to length 1.
    pub normalize: bool,
    /// Tokens of a sequence, at most; `None` for the tokenizer's limit.
    pub max_length: Option<usize>,
}

impl EmbeddingOptions {
    setters! {
        pooling: Pooling,
        normalize: bool,
        max_length: impl Into<Option<usize>>,
    }
}

/// How the vectors of all tokens, including special tokens, become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Pooling {
    /// The vector of the first token.
    Cls,
    /// The mean of all vectors.
    #[default]
    Mean,
    /// The largest value of each feature.
    Max,
}

impl Task for Embedding {
    type Input = Text;
    type Options = EmbeddingOptions;
    type Part = Array1<f32>;
    /// `[hidden_size]`.
    type Answer = Array1<f32>;

    const NAME: &'static str = "feature-extraction";
    const HEADS: &'static [Head] = &[Head::Base];

    fn new(model: Arc<TaskModel>, options: EmbeddingOptions) -> Result<Self, TaskError> {
        Ok(Self { model, options })
    }

    fn encode(&self, input: &Text) -> Result<Vec<Row>, TaskError> {
        Ok(vec![self.model.encode(input, self.options.max_length)?])
    }

    fn decode(
        &self,
        _: &Text,
        row: &Row,
        outputs: &RowOutputs<'_>,
    ) -> Result<Array1<f32>, TaskError> {
        let vector = match outputs.first_of(&[Role::Embeddings]) {
            Some(role) => outputs.array::<Ix1>(role)?.to_owned(),
            None => self.pooled(&token_vectors(row, outputs)?),
        };
        Ok(match self.options.normalize {
            true => normalized(vector),
            false => vector,
        })
    }

    fn join(&self, _: &Text, parts: Vec<Array1<f32>>) -> Array1<f32> {
        parts.into_iter().next().unwrap_or_default()
    }
}

impl Embedding {
    fn pooled(&self, vectors: &Array2<f32>) -> Array1<f32> {
        match self.options.pooling {
            Pooling::Cls => vectors.rows().into_iter().next().map(|it| it.to_owned()),
            Pooling::Mean => vectors.mean_axis(Axis(0)),
            Pooling::Max => Some(vectors.fold_axis(Axis(0), f32::NEG_INFINITY, |a, b| a.max(*b))),
        }
        .unwrap_or_default()
    }
}

/// `last_hidden_state` without the padding: `[tokens, hidden_size]`.
fn token_vectors(row: &Row, outputs: &RowOutputs<'_>) -> Result<Array2<f32>, TaskError> {
    let states = outputs.array::<Ix2>(Role::LastHiddenState)?;
    let tokens = row.len().min(states.nrows());
    Ok(states.slice(s![..tokens, ..]).to_owned())
}

/// Scales a vector to length 1; a vector of zeros stays as it is.
fn normalized(vector: Array1<f32>) -> Array1<f32> {
    let length = vector.dot(&vector).sqrt();
    match length > 0.0 {
        true => vector / length,
        false => vector,
    }
}
