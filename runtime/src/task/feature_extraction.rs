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
    /// Tokens of a sequence at most; the tokenizer's limit if `None`.
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
    /// `[tokens, hidden_size]`, special tokens included.
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

/// One vector for a text: the token vectors, pooled.
///
/// A graph that pools itself (exported with the option `pooling`) decides how, whatever the option says.
#[derive(Debug)]
pub struct Embedding {
    model: Arc<TaskModel>,
    options: EmbeddingOptions,
}

/// How token vectors become one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EmbeddingOptions {
    /// Which vector, or which mean.
    pub pooling: Pooling,
    /// Whether the vector is made to have length 1.
    pub normalize: bool,
    /// Tokens of a sequence at most; the tokenizer's limit if `None`.
    pub max_length: Option<usize>,
}

impl EmbeddingOptions {
    setters! {
        pooling: Pooling,
        normalize: bool,
        max_length: impl Into<Option<usize>>,
    }
}

/// From token vectors to one, special tokens included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Pooling {
    /// The vector of the first token.
    Cls,
    /// The mean of all.
    #[default]
    Mean,
    /// The largest of all, feature by feature.
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

/// The vector at length 1; one of zeros stays as it is.
fn normalized(vector: Array1<f32>) -> Array1<f32> {
    let length = vector.dot(&vector).sqrt();
    match length > 0.0 {
        true => vector / length,
        false => vector,
    }
}
