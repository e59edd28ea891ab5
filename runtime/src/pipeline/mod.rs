//! Text in, answers out: a tokenizer, an engine and a [`Task`] in one.

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

/// Answers questions of one kind about text, with one model.
///
/// Threads may share one by reference.
pub struct Pipeline<T: Task> {
    model: Arc<TaskModel>,
    members: Members,
    task: T,
    batching: Batching,
    limits: Limits,
    /// That texts become tokens on.
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

/// Threads share pipelines.
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
    /// Opens a model with the tokenizer beside it, in the first engine that starts of those that
    /// [`EngineChoice::Auto`](crate::EngineChoice::Auto) tries; [`builder`](Self::builder) takes others.
    ///
    /// `path` is a folder that `nezha export` wrote (`model.onnx`, or `<head>.onnx` where it holds
    /// several heads), the `.onnx` file itself, or a file that `nezha pack` wrote.
    ///
    /// In a folder that `nezha tune` measured on this machine,
    /// [`EngineChoice::Auto`](crate::EngineChoice::Auto) takes the model and the engine that answered
    /// fastest, with the threads that it had, unless the options say threads or the precision of
    /// OpenVINO; [`notes`](Self::notes) say what was followed, or why not.
    ///
    /// A model whose metadata a tool dropped is described by the `config.json` beside it and by its
    /// outputs; [`notes`](Self::notes) says so.
    ///
    /// # Errors
    /// Those of [`PipelineBuilder::load`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, PipelineError> {
        Self::builder().load(path)
    }

    /// Loads a model in another engine, or with other options.
    pub fn builder() -> PipelineBuilder<T> {
        PipelineBuilder::default()
    }

    /// As [`load`](Self::load), of an artifact: in memory, packed, or in a folder.
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

    /// Has the model asked in another way from now on.
    ///
    /// # Errors
    /// [`PipelineError::Task`] where the options make no sense for the model, which is then asked as
    /// before.
    pub fn set_options(&mut self, options: T::Options) -> Result<(), PipelineError> {
        self.task = T::new(self.model.clone(), options)?;
        Ok(())
    }

    /// Has inputs put together in another way from now on.
    pub fn set_batching(&mut self, batching: Batching) {
        self.batching = batching;
    }

    /// The model in its engine; of several the first one.
    pub fn session(&self) -> &Session {
        self.members.first()
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.model.tokenizer
    }

    /// The model's config, for its labels: of its metadata, or of the file beside it.
    pub fn config(&self) -> &Config {
        &self.model.config
    }

    /// What to know of the model and its tokenizer, though both work.
    pub fn notes(&self) -> &[PipelineNote] {
        &self.notes
    }

    /// The tokens of a sequence at most: `option`, or what the tokenizer says; where the graph's
    /// axis is fixed, no more than that.
    pub fn max_length(&self, option: Option<usize>) -> usize {
        self.model.max_length(option)
    }

    /// Answers all inputs.
    ///
    /// # Errors
    /// The first [`PipelineError`]; [`stream`](Self::stream) goes on after one.
    pub fn run<I: Into<T::Input>>(
        &self,
        inputs: impl IntoIterator<Item = I>,
    ) -> Result<Vec<T::Answer>, PipelineError> {
        self.stream(self.limits.checked(inputs)?).collect()
    }

    /// As [`run`](Self::run), but given up at the deadline, as
    /// [`Session::run_until`] gives a run up.
    ///
    /// # Errors
    /// As [`run`](Self::run); [`EngineError::DeadlineExceeded`](crate::EngineError::DeadlineExceeded)
    /// in [`PipelineError::Session`] where not every input has its answer at the deadline.
    pub fn run_until<I: Into<T::Input>>(
        &self,
        inputs: impl IntoIterator<Item = I>,
        deadline: Instant,
    ) -> Result<Vec<T::Answer>, PipelineError> {
        let inputs = self.limits.checked(inputs)?;
        Answers::new(self, inputs.into_iter(), Some(deadline)).collect()
    }

    /// Answers inputs as they come, in their order, each with its answer or its error.
    ///
    /// A window of inputs is read ahead: [`Batching::window`].
    pub fn stream<I, S>(&self, inputs: S) -> Answers<'_, T, S::IntoIter>
    where
        I: Into<T::Input>,
        S: IntoIterator<Item = I>,
    {
        Answers::new(self, inputs.into_iter(), None)
    }
}
