use std::fmt;
use std::path::Path;

use super::{Batching, Ensemble, Pipeline, PipelineError};
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
    ensemble: Ensemble,
}

impl<T: Task> Default for PipelineBuilder<T> {
    fn default() -> Self {
        Self {
            start: Start::default(),
            options: T::Options::default(),
            batching: Batching::default(),
            ensemble: Ensemble::default(),
        }
    }
}

impl<T: Task> Clone for PipelineBuilder<T> {
    fn clone(&self) -> Self {
        Self {
            start: self.start.clone(),
            options: self.options.clone(),
            batching: self.batching.clone(),
            ensemble: self.ensemble.clone(),
        }
    }
}

impl<T: Task> fmt::Debug for PipelineBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipelineBuilder")
            .field("task", &T::NAME)
            .field("start", &self.start)
            .field("batching", &self.batching)
            .field("ensemble", &self.ensemble)
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

    /// More models, whose outputs are averaged with the first one's; all in the same engine, one after the
    /// other, over one reading of the text.
    pub fn ensemble(mut self, ensemble: Ensemble) -> Self {
        self.ensemble = ensemble;
        self
    }

    /// Opens a model with the tokenizer beside it, as [`Pipeline::load`] does.
    ///
    /// # Errors
    /// [`PipelineError::NoModel`], [`PipelineError::NoMetadata`], [`PipelineError::Config`],
    /// [`PipelineError::Outputs`], [`PipelineError::Head`], [`PipelineError::Tuned`],
    /// [`PipelineError::Tokenizer`], [`PipelineError::Session`]; [`PipelineError::Task`] where the options make no sense for the model;
    /// [`PipelineError::Member`] and [`PipelineError::Weights`] where models can't be averaged.
    pub fn load(self, path: impl AsRef<Path>) -> Result<Pipeline<T>, PipelineError> {
        let path = path.as_ref();
        Pipeline::open(
            path,
            self.start,
            self.options,
            self.batching,
            &self.ensemble,
        )
    }
}
