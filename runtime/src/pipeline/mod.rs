//! Pipelines: text in, answers out. A pipeline joins a tokenizer, an engine and a [`Task`].

mod answers;
mod batch;
mod builder;
mod description;
mod ensemble;
mod error;
mod limits;
mod note;
mod opening;
mod parallel;
mod tasks;
mod tuned;
mod window;

use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use nezha_graphs::{Artifact, Config};

pub use answers::Answers;
pub use batch::Batching;
pub use builder::PipelineBuilder;
use ensemble::Members;
pub use ensemble::{Average, Ensemble};
pub use error::PipelineError;
pub use limits::Limits;
pub use note::PipelineNote;
pub use opening::model_path;
#[cfg(feature = "decoder")]
pub(crate) use opening::{model_error, part};
pub use tasks::{
    Embedding, FeatureExtraction, FillMask, MultipleChoice, NextSentence, Pretraining,
    QuestionAnswering, SpanClassification, TextClassification, TokenClassification,
    WordClassification,
};

use crate::task::{Task, TaskModel};
use crate::{Session, Tokenizer};

/// Answers one kind of question about text, with one model.
///
/// Threads may share a pipeline by reference.
pub struct Pipeline<T: Task> {
    model: Arc<TaskModel>,
    members: Members,
    task: T,
    batching: Batching,
    limits: Limits,
    /// The number of threads that tokenize texts.
    threads: NonZeroUsize,
    notes: Vec<PipelineNote>,
}

impl<T: Task> fmt::Debug for Pipeline<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("task", &T::NAME)
            .field("session", self.session())
            .field("batching", &self.batching)
            .finish_non_exhaustive()
    }
}

/// Fails to compile if threads can't share pipelines.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Embedding>();
    shared::<FeatureExtraction>();
    shared::<FillMask>();
    shared::<MultipleChoice>();
    shared::<NextSentence>();
    shared::<Pretraining>();
    shared::<QuestionAnswering>();
    shared::<SpanClassification>();
    shared::<TextClassification>();
    shared::<TokenClassification>();
    shared::<WordClassification>();
};

impl<T: Task> Pipeline<T> {
    /// Opens a model, with the tokenizer beside it, in the first engine of
    /// [`EngineChoice::Auto`](crate::EngineChoice::Auto) that starts. Use
    /// [`builder`](Self::builder) for another engine.
    ///
    /// `path` is a folder that `nezha export` wrote (`model.onnx`, or `<head>.onnx` if it holds
    /// several heads), the `.onnx` file itself, or a file that `nezha pack` wrote.
    ///
    /// If `nezha tune` has measured the folder on this machine,
    /// [`EngineChoice::Auto`](crate::EngineChoice::Auto) uses the model, engine and threads that
    /// answered fastest, unless the options set the threads or OpenVINO's precision.
    /// [`notes`](Self::notes) say which measurement was followed, or why it wasn't.
    ///
    /// If a tool has dropped the model's metadata, the pipeline reads the `config.json` beside the
    /// model, and finds the head from the outputs; [`notes`](Self::notes) say so.
    ///
    /// # Errors
    /// Those of [`PipelineBuilder::load`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, PipelineError> {
        Self::builder().load(path)
    }

    /// Builds a pipeline in another engine, or with other options.
    pub fn builder() -> PipelineBuilder<T> {
        PipelineBuilder::default()
    }

    /// Like [`load`](Self::load), for an artifact in memory, in a packed file, or in a folder.
    ///
    /// ```
    /// # let export = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/export.rs"));
    /// # let out = export("models/nezha-tiny-zh-sentiment", "sequence-classification")?;
    /// # let mut packed = Vec::new();
    /// # nezha_graphs::Artifact::in_folder(out.path()).pack(&mut packed)?;
    /// use nezha_runtime::{Artifact, TextClassification};
    ///
    /// // In a program: `include_bytes!("model.nezha").as_slice()`.
    /// let artifact = Artifact::from_packed(packed)?;
    /// let classifier = TextClassification::from_artifact(&artifact)?;
    /// assert_eq!(classifier.run(["房间很干净，服务热情。"])?[0][0].label, "positive");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`PipelineBuilder::load_artifact`].
    pub fn from_artifact(artifact: &Artifact) -> Result<Self, PipelineError> {
        Self::builder().load_artifact(artifact)
    }

    /// Uses other options of the task from now on.
    ///
    /// # Errors
    /// [`PipelineError::Task`] if the options are invalid for the model; the previous options then
    /// stay.
    pub fn set_options(&mut self, options: T::Options) -> Result<(), PipelineError> {
        self.task = T::new(self.model.clone(), options)?;
        Ok(())
    }

    /// Batches inputs in another way from now on.
    pub fn set_batching(&mut self, batching: Batching) {
        self.batching = batching;
    }

    /// The model in its engine; in an ensemble, the first model.
    pub fn session(&self) -> &Session {
        self.members.first()
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.model.tokenizer
    }

    /// The model's config with its labels, from its metadata or from the file beside it.
    pub fn config(&self) -> &Config {
        &self.model.config
    }

    /// What the user should know about the model and its tokenizer, though both work.
    pub fn notes(&self) -> &[PipelineNote] {
        &self.notes
    }

    /// Tokens of a sequence, at most: `option`, or by default the tokenizer's limit; never more
    /// than a fixed axis of the graph.
    pub fn max_length(&self, option: Option<usize>) -> usize {
        self.model.max_length(option)
    }

    /// Answers all inputs.
    ///
    /// # Errors
    /// The first [`PipelineError`] of an input; [`stream`](Self::stream) goes on after an error.
    pub fn run<I: Into<T::Input>>(
        &self,
        inputs: impl IntoIterator<Item = I>,
    ) -> Result<Vec<T::Answer>, PipelineError> {
        self.stream(self.limits.checked(inputs)?).collect()
    }

    /// Like [`run`](Self::run), but stops at the deadline, like [`Session::run_until`].
    ///
    /// # Errors
    /// Those of [`run`](Self::run);
    /// [`EngineError::DeadlineExceeded`](crate::EngineError::DeadlineExceeded) in
    /// [`PipelineError::Session`] if not every input is answered at the deadline.
    pub fn run_until<I: Into<T::Input>>(
        &self,
        inputs: impl IntoIterator<Item = I>,
        deadline: Instant,
    ) -> Result<Vec<T::Answer>, PipelineError> {
        let inputs = self.limits.checked(inputs)?;
        Answers::new(self, inputs.into_iter(), Some(deadline)).collect()
    }

    /// Answers inputs as they come, in their order: each has its answer or its error.
    ///
    /// It reads a window of inputs ahead: [`Batching::window`].
    pub fn stream<I, S>(&self, inputs: S) -> Answers<'_, T, S::IntoIter>
    where
        I: Into<T::Input>,
        S: IntoIterator<Item = I>,
    {
        Answers::new(self, inputs.into_iter(), None)
    }
}
