//! Tasks: questions become sequences of tokens, a model's outputs become answers.
//!
//! Nothing here runs a model: [`Pipeline`](crate::Pipeline) does, for any [`Task`]. One file per
//! task; each answers what transformers' pipeline of that name answers.

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
/// An input becomes rows, each row's outputs a part of the answer, and the parts the answer.
pub trait Task: Sized + Send + Sync {
    /// What is asked.
    type Input: Sync;
    /// How it is asked.
    type Options: Clone + Default;
    /// What one row says.
    type Part: Send;
    /// The answer to an input.
    type Answer;

    /// The name of transformers' pipeline, or of the model's head where there is none.
    const NAME: &'static str;
    /// Those of transformers' heads that can answer.
    const HEADS: &'static [Head];

    /// Whether a model with this head can answer: one of [`HEADS`](Self::HEADS), or a head of the user's own
    /// with an output for the task of this name.
    fn answers(head: Head) -> bool {
        let decodes =
            |output: OwnOutput| output.spec.task.is_some_and(|it| it.name() == Self::NAME);
        match head {
            Head::Own(own) => own.outputs().any(decodes),
            head => Self::HEADS.contains(&head),
        }
    }

    /// The task for a model.
    ///
    /// # Errors
    /// A [`TaskError`] where the options make no sense for the model.
    fn new(model: Arc<TaskModel>, options: Self::Options) -> Result<Self, TaskError>;

    /// The rows that answer an input; at least one.
    ///
    /// # Errors
    /// A [`TaskError`] that says what the input lacks.
    fn encode(&self, input: &Self::Input) -> Result<Vec<Row>, TaskError>;

    /// What a row's outputs say.
    ///
    /// # Errors
    /// A [`TaskError`] where the outputs are not those of the head.
    fn decode(
        &self,
        input: &Self::Input,
        row: &Row,
        outputs: &RowOutputs<'_>,
    ) -> Result<Self::Part, TaskError>;

    /// The answer, from the parts in the rows' order.
    fn join(&self, input: &Self::Input, parts: Vec<Self::Part>) -> Self::Answer;
}

/// What a task knows of a model.
#[derive(Debug)]
pub struct TaskModel {
    /// Text to tokens.
    pub tokenizer: Tokenizer,
    /// The model's config, for its labels.
    pub config: Config,
    /// What the graph computes.
    pub head: Head,
    /// The axes of the graph's inputs that have one size for good.
    pub fixed: FixedAxes,
}

impl TaskModel {
    /// The name of a label.
    ///
    /// # Errors
    /// [`TaskError::Label`] where the config has no label of this number.
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

    /// The tokens of a sequence at most: the option, or what the tokenizer says; where the graph's
    /// axis is fixed, no more than that.
    pub fn max_length(&self, option: Option<usize>) -> usize {
        let length = option.unwrap_or_else(|| self.tokenizer.max_length());
        length.min(self.fixed.sequence.unwrap_or(usize::MAX))
    }

    /// One sequence for a text, or for a pair; an empty second text is none, as in transformers.
    ///
    /// A text may have no token: then the special tokens are all that the model sees.
    ///
    /// # Errors
    /// [`TaskError::Tokenizer`].
    fn encode(&self, text: &Text, max_length: Option<usize>) -> Result<Row, TaskError> {
        let length = self.max_length(max_length);
        let pair = text.pair.as_deref().filter(|pair| !pair.is_empty());
        Ok(self.tokenizer.encode(&text.text, pair, length)?.into())
    }

    /// Fails where the model can't read a row.
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

/// Fails where a token has no row in the word embeddings.
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

/// What takes one place in a batch: a sequence, or one for each choice.
#[derive(Clone, Debug)]
pub struct Row {
    /// The sequences; several only where the model's inputs have an axis of choices.
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

    /// Whether a part of a text was cut off and no sequence has it.
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
    /// The outputs of the row of this number, of a graph with this signature.
    pub fn new(batch: &'b Tensors, signature: &'b Signature, row: usize) -> Self {
        Self {
            batch,
            signature,
            row,
        }
    }

    /// The first of these roles that the graph has an output of.
    pub fn first_of(&self, roles: &[Role]) -> Option<Role> {
        let mut roles = roles.iter().copied();
        roles.find(|role| self.signature.output_of(*role).is_some())
    }

    /// The float32 output of this role, without the batch axis; positions after the row's own are padding.
    ///
    /// # Errors
    /// [`TaskError::Output`] where there is no such output, of this rank and with this row.
    pub fn array<D: Dimension>(&self, role: Role) -> Result<ArrayView<'b, f32, D>, TaskError> {
        let port = self.signature.output_of(role);
        let name = port.map_or_else(|| role.name(), |port| port.name.as_str().into());
        self.named(&name)
    }

    /// The float32 output of this name, without the batch axis, as [`array`](Self::array).
    ///
    /// # Errors
    /// As [`array`](Self::array).
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
