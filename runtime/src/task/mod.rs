//! Tasks: they turn inputs into sequences of tokens, and a model's outputs into answers.
//!
//! Nothing here runs a model: [`Pipeline`](crate::Pipeline) does, for any [`Task`]. Each task has a
//! file of its own, and gives the answers of transformers' pipeline of the same name.

mod error;
mod feature_extraction;
mod fill_mask;
mod fixed_axes;
mod input;
mod multiple_choice;
mod next_sentence;
mod own;
mod pretraining;
mod question_answering;
mod scores;
mod span_classification;
mod text_classification;
mod token_classification;
mod viterbi;
mod word_classification;
mod words;

use std::sync::Arc;

use ndarray::{ArrayView, Axis, Dimension};
use nezha_graphs::head_spec::OwnOutput;
use nezha_graphs::{Config, Head, Role, Signature};

pub use error::TaskError;
pub use feature_extraction::{
    Embedding, EmbeddingOptions, FeatureExtraction, FeatureExtractionOptions, Pooling,
};
pub use fill_mask::{Fill, FillMask, FillMaskOptions};
pub use fixed_axes::FixedAxes;
pub use input::Text;
pub use multiple_choice::{Choice, Choices, MultipleChoice, MultipleChoiceOptions};
pub use next_sentence::{Follows, NextSentence, NextSentenceOptions};
pub use pretraining::{Pretrained, Pretraining};
pub use question_answering::{
    Answer, Question, QuestionAnswering, QuestionAnsweringOptions, SequenceAnswers,
};
pub use span_classification::{Span, SpanClassification, SpanClassificationOptions};
pub use text_classification::{
    ScoreFunction, ScoredLabel, TextClassification, TextClassificationOptions,
};
pub use token_classification::{
    Aggregation, Entity, TokenClassification, TokenClassificationOptions,
};
pub use viterbi::{LabelPath, Viterbi};
pub use word_classification::{
    LabelledWord, WordClassification, WordClassificationOptions, WordLabel,
};
pub use words::{Split, WordList, Words};

use crate::{Encoding, TensorError, Tensors, Tokenizer};

/// One kind of question about text.
///
/// An input becomes rows, the outputs of each row become a part of the answer, and the parts become
/// the answer.
pub trait Task: Sized + Send + Sync {
    /// The input that is answered.
    type Input: Sync;
    /// The options of the task.
    type Options: Clone + Default;
    /// What one row contributes to the answer.
    type Part: Send;
    /// The answer to an input.
    type Answer;

    /// The name of transformers' pipeline, or of the model's head if there is no such pipeline.
    const NAME: &'static str;
    /// The heads of transformers that the task can use.
    const HEADS: &'static [Head];

    /// Whether the task can use a model with this head: one of [`HEADS`](Self::HEADS), or a head of
    /// your own with an output for the task of this name.
    fn answers(head: Head) -> bool {
        let decodes =
            |output: OwnOutput| output.spec.task.is_some_and(|it| it.name() == Self::NAME);
        match head {
            Head::Own(own) => own.outputs().any(decodes),
            head => Self::HEADS.contains(&head),
        }
    }

    /// Creates the task for a model.
    ///
    /// # Errors
    /// A [`TaskError`] if the options are invalid for the model.
    fn new(model: Arc<TaskModel>, options: Self::Options) -> Result<Self, TaskError>;

    /// Turns an input into rows, at least one.
    ///
    /// # Errors
    /// A [`TaskError`] that says what the input lacks.
    fn encode(&self, input: &Self::Input) -> Result<Vec<Row>, TaskError>;

    /// Decodes the outputs of one row.
    ///
    /// # Errors
    /// A [`TaskError`] if the outputs are not those of the head.
    fn decode(
        &self,
        input: &Self::Input,
        row: &Row,
        outputs: &RowOutputs<'_>,
    ) -> Result<Self::Part, TaskError>;

    /// Joins the parts, in the order of the rows, into the answer.
    fn join(&self, input: &Self::Input, parts: Vec<Self::Part>) -> Self::Answer;
}

/// What a task knows about a model.
#[derive(Debug)]
pub struct TaskModel {
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// The model's config with its labels.
    pub config: Config,
    /// The head of the graph.
    pub head: Head,
    /// The axes of the graph's inputs that have a fixed size.
    pub fixed: FixedAxes,
}

impl TaskModel {
    /// The name of a label.
    ///
    /// # Errors
    /// [`TaskError::Label`] if the config has no label with this index.
    pub fn label(&self, index: usize) -> Result<&str, TaskError> {
        let labels = &self.config.labels;
        labels
            .get(index)
            .map(String::as_str)
            .ok_or(TaskError::Label {
                index,
                labels: labels.len(),
            })
    }

    /// Tokens of a sequence, at most: `option`, or by default the tokenizer's limit; never more
    /// than a fixed axis of the graph.
    pub fn max_length(&self, option: Option<usize>) -> usize {
        let length = option.unwrap_or_else(|| self.tokenizer.max_length());
        length.min(self.fixed.sequence.unwrap_or(usize::MAX))
    }

    /// Encodes a text or a pair as one sequence; an empty second text is ignored, as in
    /// transformers.
    ///
    /// A text may have no tokens: the model then sees only the special tokens.
    ///
    /// # Errors
    /// [`TaskError::Tokenizer`].
    fn encode(&self, text: &Text, max_length: Option<usize>) -> Result<Row, TaskError> {
        let length = self.max_length(max_length);
        let pair = text.pair.as_deref().filter(|pair| !pair.is_empty());
        Ok(self.tokenizer.encode(&text.text, pair, length)?.into())
    }

    /// Fails if the model can't read a row.
    ///
    /// # Errors
    /// [`TaskError::TokenBeyondTable`], [`TaskError::TooManyChoices`].
    pub(crate) fn check(&self, row: &Row) -> Result<(), TaskError> {
        if let Some(fixed) = self.fixed.choices.filter(|it| *it < row.sequences.len()) {
            return Err(TaskError::TooManyChoices {
                found: row.sequences.len(),
                fixed,
            });
        }
        let ids = row.sequences.iter().flat_map(|it| &it.ids);
        check_ids(&self.tokenizer, self.config.vocab_size, ids)
    }
}

/// Fails if a token has no row in the word embeddings.
pub(crate) fn check_ids<'i>(
    tokenizer: &Tokenizer,
    rows: usize,
    ids: impl IntoIterator<Item = &'i u32>,
) -> Result<(), TaskError> {
    match ids.into_iter().find(|id| **id as usize >= rows) {
        Some(&id) => Err(TaskError::TokenBeyondTable {
            token: tokenizer.id_to_token(id).unwrap_or_default(),
            id,
            rows,
        }),
        None => Ok(()),
    }
}

/// What takes one place in a batch: one sequence, or one for each choice.
#[derive(Clone, Debug)]
pub struct Row {
    /// The sequences; several only if the model's inputs have an axis of choices.
    pub sequences: Vec<Encoding>,
}

impl Row {
    /// Tokens of its longest sequence.
    pub fn len(&self) -> usize {
        self.sequences.iter().map(Encoding::len).max().unwrap_or(0)
    }

    /// Tokens of all its sequences.
    pub fn tokens(&self) -> usize {
        self.sequences.iter().map(Encoding::len).sum()
    }

    /// Whether the end of a text was cut off, so that no sequence contains it.
    pub fn truncated(&self) -> bool {
        self.sequences.iter().any(|it| it.truncated)
    }

    /// Whether it has no token.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Encoding> for Row {
    fn from(sequence: Encoding) -> Self {
        Self {
            sequences: vec![sequence],
        }
    }
}

/// The outputs of one row of a batch.
#[derive(Clone, Copy, Debug)]
pub struct RowOutputs<'b> {
    batch: &'b Tensors,
    signature: &'b Signature,
    row: usize,
}

impl<'b> RowOutputs<'b> {
    /// The outputs of the row with this index, of a graph with this signature.
    pub fn new(batch: &'b Tensors, signature: &'b Signature, row: usize) -> Self {
        Self {
            batch,
            signature,
            row,
        }
    }

    /// The first of these roles for which the graph has an output.
    pub fn first_of(&self, roles: &[Role]) -> Option<Role> {
        let mut roles = roles.iter().copied();
        roles.find(|role| self.signature.output_of(*role).is_some())
    }

    /// The f32 output of this role, without the batch axis. Positions behind the row's own tokens
    /// are padding.
    ///
    /// # Errors
    /// [`TaskError::Output`] if there is no such output, or it has another rank or fewer rows.
    pub fn array<D: Dimension>(&self, role: Role) -> Result<ArrayView<'b, f32, D>, TaskError> {
        let port = self.signature.output_of(role);
        let name = port.map_or_else(|| role.name(), |port| port.name.as_str().into());
        self.named(&name)
    }

    /// The f32 output of this name, without the batch axis, like [`array`](Self::array).
    ///
    /// # Errors
    /// Those of [`array`](Self::array).
    pub fn named<D: Dimension>(&self, name: &str) -> Result<ArrayView<'b, f32, D>, TaskError> {
        let output = |reason: String| TaskError::Output {
            name: name.to_owned(),
            reason,
        };
        let missing = |error: TensorError| output(error.to_string());
        let array = self.batch.array::<f32>(name).map_err(missing)?;
        if array.shape().first().is_none_or(|rows| *rows <= self.row) {
            return Err(output(format!(
                "shape {:?} has no row {}",
                array.shape(),
                self.row
            )));
        }
        let row = array.index_axis(Axis(0), self.row);
        let rank = row.ndim();
        row.into_dimensionality::<D>().map_err(|_| {
            let expected = D::NDIM.unwrap_or_default();
            output(format!("a row has {rank} axes, expected {expected}"))
        })
    }
}
