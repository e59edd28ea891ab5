use std::fmt;
use std::path::Path;

use super::{Batching, Pipeline, PipelineError};
use crate::builder::Start;
use crate::task::Task;

/// Loads a [`Pipeline`]: [`Pipeline::builder`].
///
/// ```no_run
/// use nezha_runtime::TextClassification;
/// use nezha_runtime::task::TextClassificationOptions;
///
/// let classifier = TextClassification::builder()
///     .engine("openvino,ort,tract")
///     .threads(2)
///     .options(TextClassificationOptions::default().top_k(3))
///     .load("out")?;
/// # Ok::<(), nezha_runtime::PipelineError>(())
/// ```
#[must_use]
pub struct PipelineBuilder<T: Task> {
    start: Start,
    options: T::Options,
    batching: Batching,
}

impl<T: Task> Default for PipelineBuilder<T> {
    fn default() -> Self {
        Self {
            start: Start::default(),
            options: T::Options::default(),
            batching: Batching::default(),
        }
    }
}

impl<T: Task> Clone for PipelineBuilder<T> {
    fn clone(&self) -> Self {
        Self {
            start: self.start.clone(),
            options: self.options.clone(),
            batching: self.batching.clone(),
        }
    }
}

impl<T: Task> fmt::Debug for PipelineBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipelineBuilder")
            .field("task", &T::NAME)
            .field("start", &self.start)
            .field("batching", &self.batching)
            .finish_non_exhaustive()
    }
}

impl<T: Task> PipelineBuilder<T> {
    start_setters!();

    /// What the task asks of the model.
    pub fn options(mut self, options: T::Options) -> Self {
        self.options = options;
        self
    }

    /// How inputs are put together.
    pub fn batching(mut self, batching: Batching) -> Self {
        self.batching = batching;
        self
    }

    /// Opens a model with the tokenizer beside it, as [`Pipeline::load`] does.
    ///
    /// # Errors
    /// [`PipelineError::NoModel`], [`PipelineError::NoMetadata`], [`PipelineError::Config`],
    /// [`PipelineError::Outputs`], [`PipelineError::Head`], [`PipelineError::Tuned`],
    /// [`PipelineError::Tokenizer`], [`PipelineError::Session`]; [`PipelineError::Task`] where the options make no sense for the model.
    pub fn load(self, path: impl AsRef<Path>) -> Result<Pipeline<T>, PipelineError> {
        Pipeline::open(path.as_ref(), self.start, self.options, self.batching)
    }
}
