use std::ops::RangeInclusive;

use nezha_graphs::Head;
use nezha_graphs::head_spec::OutputTask;
use nezha_runtime::Model;
use nezha_runtime::task::{
    EmbeddingOptions, FillMaskOptions, MultipleChoiceOptions, NextSentenceOptions,
    QuestionAnsweringOptions, SpanClassificationOptions, Task, TextClassificationOptions,
    TokenClassificationOptions,
};
use nezha_runtime::{pipeline, task};
use serde::{Deserialize, Serialize};

use crate::ScoreError;

/// The task that answers each row, and its options: all that may change an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Asked {
    /// Columns `label` and `score`; with several labels `labels`, with all of them `scores`.
    TextClassification(TextClassificationOptions),
    /// Column `entities`.
    TokenClassification(TokenClassificationOptions),
    /// Column `spans`; only for heads of users' own.
    SpanClassification(SpanClassificationOptions),
    /// Column `answers`.
    QuestionAnswering(QuestionAnsweringOptions),
    /// Column `fills`.
    FillMask(FillMaskOptions),
    /// Column `embedding`.
    FeatureExtraction(EmbeddingOptions),
    /// Column `is_next`.
    NextSentence(NextSentenceOptions),
    /// Columns `choice` and `scores`.
    MultipleChoice(MultipleChoiceOptions),
}

impl Asked {
    /// The task that a model was trained for, with default options.
    ///
    /// # Errors
    /// [`ScoreError::Pipeline`] if there is no model; [`ScoreError::Model`]; [`ScoreError::NoHead`]
    /// if the model doesn't say its head; [`ScoreError::Head`].
    pub fn of_model(path: &std::path::Path) -> Result<Self, ScoreError> {
        let path = pipeline::model_path(path, &Head::ALL)?;
        let model = Model::open(&path)?;
        let Some(metadata) = model.metadata() else {
            return Err(ScoreError::NoHead { path });
        };
        Ok(match metadata.head {
            Head::Base => Self::FeatureExtraction(EmbeddingOptions::default()),
            Head::Pretraining | Head::MaskedLm => Self::FillMask(FillMaskOptions::default()),
            Head::NextSentence => Self::NextSentence(NextSentenceOptions::default()),
            Head::SequenceClassification => {
                Self::TextClassification(TextClassificationOptions::default())
            }
            Head::MultipleChoice => Self::MultipleChoice(MultipleChoiceOptions::default()),
            Head::TokenClassification => {
                Self::TokenClassification(TokenClassificationOptions::default())
            }
            Head::QuestionAnswering => Self::QuestionAnswering(QuestionAnsweringOptions::default()),
            Head::Own(own) => {
                let task = own.outputs().find_map(|it| it.spec.task);
                return task.map(Self::of_task).ok_or(ScoreError::NoHead { path });
            }
        })
    }

    /// The task that decodes a head of the user's own, with default options.
    fn of_task(task: OutputTask) -> Self {
        match task {
            OutputTask::TextClassification => {
                Self::TextClassification(TextClassificationOptions::default())
            }
            OutputTask::TokenClassification => {
                Self::TokenClassification(TokenClassificationOptions::default())
            }
            OutputTask::QuestionAnswering => {
                Self::QuestionAnswering(QuestionAnsweringOptions::default())
            }
            OutputTask::FeatureExtraction => Self::FeatureExtraction(EmbeddingOptions::default()),
            OutputTask::SpanClassification => {
                Self::SpanClassification(SpanClassificationOptions::default())
            }
        }
    }

    /// The task's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::TextClassification(_) => task::TextClassification::NAME,
            Self::TokenClassification(_) => task::TokenClassification::NAME,
            Self::SpanClassification(_) => task::SpanClassification::NAME,
            Self::QuestionAnswering(_) => task::QuestionAnswering::NAME,
            Self::FillMask(_) => task::FillMask::NAME,
            Self::FeatureExtraction(_) => task::Embedding::NAME,
            Self::NextSentence(_) => task::NextSentence::NAME,
            Self::MultipleChoice(_) => task::MultipleChoice::NAME,
        }
    }

    /// The heads that the task can use.
    pub fn heads(&self) -> &'static [Head] {
        match self {
            Self::TextClassification(_) => task::TextClassification::HEADS,
            Self::TokenClassification(_) => task::TokenClassification::HEADS,
            Self::SpanClassification(_) => task::SpanClassification::HEADS,
            Self::QuestionAnswering(_) => task::QuestionAnswering::HEADS,
            Self::FillMask(_) => task::FillMask::HEADS,
            Self::FeatureExtraction(_) => task::Embedding::HEADS,
            Self::NextSentence(_) => task::NextSentence::HEADS,
            Self::MultipleChoice(_) => task::MultipleChoice::HEADS,
        }
    }

    /// The same task with another limit for the tokens of a sequence.
    #[must_use]
    pub fn with_max_length(mut self, most: Option<usize>) -> Self {
        let max_length = match &mut self {
            Self::TextClassification(it) => &mut it.max_length,
            Self::TokenClassification(it) => &mut it.max_length,
            Self::SpanClassification(it) => &mut it.max_length,
            Self::QuestionAnswering(it) => &mut it.max_length,
            Self::FillMask(it) => &mut it.max_length,
            Self::FeatureExtraction(it) => &mut it.max_length,
            Self::NextSentence(it) => &mut it.max_length,
            Self::MultipleChoice(it) => &mut it.max_length,
        };
        *max_length = most;
        self
    }

    /// The columns that are read if none are named.
    pub fn default_columns(&self) -> Vec<String> {
        let names: &[&str] = match self {
            Self::QuestionAnswering(_) => &["question", "context"],
            Self::NextSentence(_) => &["text", "text_pair"],
            _ => &["text"],
        };
        names.iter().map(|it| (*it).to_owned()).collect()
    }

    /// Fails unless the task can read this number of text columns.
    pub(crate) fn check_columns(&self, found: usize) -> Result<(), ScoreError> {
        let (possible, expected): (RangeInclusive<usize>, _) = match self {
            Self::QuestionAnswering(_) => (2..=2, "two columns, the question and the context"),
            Self::NextSentence(_) => (2..=2, "two columns, the text and what may follow"),
            Self::MultipleChoice(_) => (3..=usize::MAX, "a text and two or more choices"),
            Self::TokenClassification(_) | Self::SpanClassification(_) => (1..=1, "one column"),
            _ => (1..=2, "one column, or two for pairs"),
        };
        match possible.contains(&found) {
            true => Ok(()),
            false => Err(ScoreError::TextColumns {
                task: self.name(),
                expected,
                found,
            }),
        }
    }
}
