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

/// What is asked of the model about each row, and how: all that may change an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Asked {
    /// `label` and `score`; the best of several as `labels`, all of them as `scores`.
    TextClassification(TextClassificationOptions),
    /// `entities`.
    TokenClassification(TokenClassificationOptions),
    /// `spans`, of heads of users' own.
    SpanClassification(SpanClassificationOptions),
    /// `answers`.
    QuestionAnswering(QuestionAnsweringOptions),
    /// `fills`.
    FillMask(FillMaskOptions),
    /// `embedding`.
    FeatureExtraction(EmbeddingOptions),
    /// `is_next`.
    NextSentence(NextSentenceOptions),
    /// `choice` and `scores`.
    MultipleChoice(MultipleChoiceOptions),
}

impl Asked {
    /// The task that a model was trained for, as it is asked by default.
    ///
    /// # Errors
    /// [`ScoreError::Pipeline`] where there is no model, [`ScoreError::Model`],
    /// [`ScoreError::NoHead`] where the model doesn't say, [`ScoreError::Head`].
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

    /// A task that decodes a head of the user's own, as it is asked by default.
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

    /// The heads that can answer.
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

    /// The same question with another limit of tokens for a sequence.
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

    /// The columns that are read where none are named.
    pub fn default_columns(&self) -> Vec<String> {
        let names: &[&str] = match self {
            Self::QuestionAnswering(_) => &["question", "context"],
            Self::NextSentence(_) => &["text", "text_pair"],
            _ => &["text"],
        };
        names.iter().map(|it| (*it).to_owned()).collect()
    }

    /// Fails unless so many text columns make a question.
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
