use std::fmt;
use std::path::Path;

use nezha_graphs::Artifact;

use super::{Batching, Ensemble, Limits, Pipeline, PipelineError};
use crate::builder::Start;
use crate::task::Task;
use crate::{EngineChoice, EngineOptions, SessionError};

/// Builds a [`Pipeline`]; [`Pipeline::builder`] makes one.
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
    pub(super) start: Start,
    pub(super) options: T::Options,
    pub(super) batching: Batching,
    pub(super) ensemble: Ensemble,
    pub(super) limits: Limits,
}

impl<T: Task> Default for PipelineBuilder<T> {
    fn default() -> Self {
        Self {
            start: Start::default(),
            options: T::Options::default(),
            batching: Batching::default(),
            ensemble: Ensemble::default(),
            limits: Limits::default(),
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
            limits: self.limits.clone(),
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

    /// The options of the task.
    pub fn options(mut self, options: T::Options) -> Self {
        self.options = options;
        self
    }

    /// How inputs are batched.
    pub fn batching(mut self, batching: Batching) -> Self {
        self.batching = batching;
        self
    }

    /// More models, whose outputs are averaged with those of the first one. They run in the same
    /// engine, one after the other, and the text is tokenized once.
    pub fn ensemble(mut self, ensemble: Ensemble) -> Self {
        self.ensemble = ensemble;
        self
    }

    /// The limits of the inputs.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The engines to choose from, and the options to start them with.
    pub(super) fn resolved(&self) -> Result<(EngineChoice, EngineOptions), SessionError> {
        let (choice, mut options) = self.start.clone().resolved()?;
        // While one of several models computes, the threads of the others must not spin.
        options.ort.yield_between_runs |= !self.ensemble.models().is_empty();
        Ok((choice, options))
    }

    /// Opens a model with the tokenizer beside it, as [`Pipeline::load`] does.
    ///
    /// # Errors
    /// [`PipelineError::NoModel`], [`PipelineError::NoMetadata`], [`PipelineError::Read`],
    /// [`PipelineError::Config`], [`PipelineError::Outputs`], [`PipelineError::Head`],
    /// [`PipelineError::Tuned`], [`PipelineError::Tokenizer`], [`PipelineError::Session`];
    /// [`PipelineError::Task`] if the options are invalid for the model; [`PipelineError::Member`]
    /// and [`PipelineError::Weights`] if models can't be averaged.
    pub fn load(self, path: impl AsRef<Path>) -> Result<Pipeline<T>, PipelineError> {
        Pipeline::open(path.as_ref(), self)
    }

    /// Like [`load`](Self::load), for an artifact, such as one that is embedded in the program.
    ///
    /// # Errors
    /// Those of [`load`](Self::load).
    pub fn load_artifact(self, artifact: &Artifact) -> Result<Pipeline<T>, PipelineError> {
        Pipeline::open_artifact(artifact, self)
    }
}
