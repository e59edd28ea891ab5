use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use nezha_graphs::{ConfigError, Head};

use crate::task::TaskError;
use crate::tuned::TunedError;
use crate::{SessionError, TokenizerError};

/// Why a pipeline doesn't start or doesn't answer.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The folder has no model for the task.
    #[error(
        "{} has none of {}, in any precision: `nezha export CHECKPOINT -o DIR` writes one",
        folder.display(), tried.join(", ")
    )]
    NoModel {
        /// The folder.
        folder: PathBuf,
        /// The files that were looked for, each in any precision.
        tried: Vec<String>,
    },
    /// Nothing says what the model's outputs mean.
    #[error(
        "{}: no nezha-onnx metadata, and no config.json beside it: put the checkpoint's there, or \
         export the checkpoint again",
        path.display()
    )]
    NoMetadata {
        /// The model.
        path: PathBuf,
    },
    /// `config.json`, which a model without metadata needs, can't be read.
    #[error("{}: can't be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's message.
        source: Arc<io::Error>,
    },
    /// `config.json`, which a model without metadata needs, is invalid.
    #[error("{}: the config can't be used", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Which field, and why.
        source: Arc<ConfigError>,
    },
    /// The outputs of a model without metadata fit no head.
    #[error(
        "{}: no nezha-onnx metadata, and no head of the config.json beside it has these outputs: {}",
        path.display(), found.join(", ")
    )]
    Outputs {
        /// The model.
        path: PathBuf,
        /// Names, types and shapes of its outputs.
        found: Vec<String>,
    },
    /// The model has another head than the task needs.
    #[error(
        "{}: the head is {found}; {task} needs {}",
        path.display(), names(expected)
    )]
    Head {
        /// The model.
        path: PathBuf,
        /// The task.
        task: &'static str,
        /// The heads that the task can use.
        expected: &'static [Head],
        /// The model's head.
        found: Head,
    },
    /// A model of an ensemble doesn't match the first one.
    #[error(
        "{}: can't be averaged with the first model: {what}: expected {expected}, found {found}",
        path.display()
    )]
    Member {
        /// The model.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// What the first model has.
        expected: String,
        /// What this model has.
        found: String,
    },
    /// The weights of the models can't be used for an average.
    #[error(
        "the weights are {weights:?}, expected {models}, one for each model, none of them negative and \
         not all 0"
    )]
    Weights {
        /// How many models there are.
        models: usize,
        /// The weights.
        weights: Vec<f64>,
    },
    /// A run has more inputs than the [limits](super::Limits) allow.
    #[error("too many inputs in one run: expected at most {limit}")]
    TooManyInputs {
        /// How many are allowed.
        limit: usize,
    },
    /// An input became more sequences than the [limits](super::Limits) allow.
    #[error("the input becomes {found} sequences, expected at most {limit}")]
    TooManySequences {
        /// How many sequences it became.
        found: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// The results of `nezha tune` can't be read.
    #[error(transparent)]
    Tuned(#[from] Arc<TunedError>),
    /// The tokenizer can't be read.
    #[error(transparent)]
    Tokenizer(#[from] Arc<TokenizerError>),
    /// The model can't be loaded or run; if a run fails, every input in it has this error.
    #[error(transparent)]
    Session(#[from] Arc<SessionError>),
    /// The input doesn't suit the task, or the output can't be decoded.
    #[error(transparent)]
    Task(#[from] Arc<TaskError>),
}

fn names(heads: &[Head]) -> String {
    if heads.is_empty() {
        return "a head of your own that has an output for this task".to_owned();
    }
    heads
        .iter()
        .map(|head| head.name())
        .collect::<Vec<_>>()
        .join(" or ")
}

macro_rules! shared {
    ($($error:ty),*) => {$(
        impl From<$error> for PipelineError {
            fn from(error: $error) -> Self {
                Arc::new(error).into()
            }
        }
    )*};
}

shared!(TunedError, TokenizerError, SessionError, TaskError);
