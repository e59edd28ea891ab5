//! Text in, answers out: a tokenizer, an engine and a [`Task`] in one.

mod answers;
mod batch;
mod builder;
mod description;
mod ensemble;
mod error;
mod limits;
mod note;
mod parallel;
mod tasks;
mod tuned;
mod window;

use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use nezha_graphs::{Artifact, Config, Head, is_packed};

pub use answers::Answers;
pub use batch::Batching;
pub use builder::PipelineBuilder;
use description::Description;
pub use ensemble::{Average, Ensemble};
use ensemble::{Candidate, Members};
pub use error::PipelineError;
pub use limits::Limits;
pub use note::PipelineNote;
pub use tasks::{
    Embedding, FeatureExtraction, FillMask, MultipleChoice, NextSentence, Pretraining,
    QuestionAnswering, SpanClassification, TextClassification, TokenClassification,
    WordClassification,
};

use crate::task::{FixedAxes, Task, TaskModel};
use crate::{EngineChoice, EngineOptions, Model, ModelError, Session, SessionError, Tokenizer};

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
    /// [`EngineChoice::Auto`] tries; [`builder`](Self::builder) takes others.
    ///
    /// `path` is a folder that `nezha export` wrote (`model.onnx`, or `<head>.onnx` where it holds
    /// several heads), the `.onnx` file itself, or a file that `nezha pack` wrote.
    ///
    /// In a folder that `nezha tune` measured on this machine, [`EngineChoice::Auto`] takes the model and
    /// the engine that answered fastest, with the threads that it had, unless the options say threads or
    /// what OpenVINO computes in; [`notes`](Self::notes) say what was followed, or why not.
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
    /// # let export = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/export.rs"));
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

    /// Opens the model at `path`, which is started as the builder says.
    fn open(path: &Path, builder: PipelineBuilder<T>) -> Result<Self, PipelineError> {
        if is_packed(path) {
            let artifact = Artifact::open(path).map_err(model_error)?;
            return Self::open_artifact(&artifact, builder);
        }
        let (choice, engine_options) = builder.resolved()?;
        let follow = choice == EngineChoice::Auto && path.is_dir();
        let tuned = follow.then(|| tuned::start(path, T::answers, &engine_options));
        let tuned::Followed { started, note } = tuned.transpose()?.unwrap_or_default();
        let (path, session) = match started {
            Some(started) => started,
            None => {
                let path = model_path(path, T::HEADS)?;
                let model = Model::open(&path).map_err(model_error)?;
                let session = Session::start(&model, &choice, &engine_options)?;
                (path, session)
            }
        };
        let artifact = Artifact::in_folder(path.parent().unwrap_or(Path::new("")));
        let pipeline = Self::new(&artifact, &path, session, builder)?;
        Ok(Self {
            notes: note.into_iter().chain(pipeline.notes).collect(),
            ..pipeline
        })
    }

    /// Opens the model of an artifact.
    fn open_artifact(
        artifact: &Artifact,
        builder: PipelineBuilder<T>,
    ) -> Result<Self, PipelineError> {
        if !artifact.is_in_memory() {
            return Self::open(artifact.origin(), builder);
        }
        let (choice, engine_options) = builder.resolved()?;
        let model = part(artifact, T::HEADS)?;
        let session = Session::start(&model, &choice, &engine_options)?;
        Self::new(artifact, model.path(), session, builder)
    }

    /// A started model with the tokenizer and the config that are beside it, and the models that its
    /// outputs are averaged with.
    fn new(
        artifact: &Artifact,
        path: &Path,
        session: Session,
        builder: PipelineBuilder<T>,
    ) -> Result<Self, PipelineError> {
        let tokenizer = Tokenizer::from_artifact(artifact)?;
        let tokenizer = tokenizer.with_text_limit(builder.limits.text_bytes);
        let description = Description::of(path, artifact, &session, T::HEADS)?;
        if !T::answers(description.head) {
            return Err(PipelineError::Head {
                task: T::NAME,
                expected: T::HEADS,
                found: description.head,
                path: path.to_owned(),
            });
        }
        let first = Candidate {
            path,
            session: &session,
            tokenizer: &tokenizer,
            description: &description,
        };
        let (choice, engine_options) = builder.resolved()?;
        let other = |path: &PathBuf| Self::member(path, &choice, &engine_options, &first);
        let others = builder.ensemble.models().iter().map(other);
        let others = others.collect::<Result<Vec<Session>, PipelineError>>()?;
        let threads = match engine_options.threads {
            Some(of_run) => of_run.saturating_mul(session.engine().runs_at_once()),
            None => thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        };
        let members = Members::new(session, others, &builder.ensemble, &description)?;
        let Description { head, config, note } = description;
        let beyond = PipelineNote::tokens_beyond_table(&tokenizer, config.vocab_size);
        let model = Arc::new(TaskModel {
            fixed: FixedAxes::of(members.first().signature()),
            tokenizer,
            config,
            head,
        });
        Ok(Self {
            task: T::new(model.clone(), builder.options)?,
            model,
            members,
            batching: builder.batching,
            limits: builder.limits,
            threads,
            notes: note.into_iter().chain(beyond).collect(),
        })
    }

    /// A model whose outputs can be averaged with those of the first one.
    fn member(
        path: &Path,
        choice: &EngineChoice,
        options: &EngineOptions,
        first: &Candidate<'_>,
    ) -> Result<Session, PipelineError> {
        let packed = is_packed(path).then(|| Artifact::open(path)).transpose();
        let (artifact, model) = match packed.map_err(model_error)? {
            Some(artifact) => {
                let model = part(&artifact, T::HEADS)?;
                (artifact, model)
            }
            None => {
                let path = model_path(path, T::HEADS)?;
                let folder = path.parent().unwrap_or(Path::new(""));
                let artifact = Artifact::in_folder(folder);
                (artifact, Model::open(&path).map_err(model_error)?)
            }
        };
        let session = Session::start(&model, choice, options)?;
        let candidate = Candidate {
            tokenizer: &Tokenizer::from_artifact(&artifact)?,
            description: &Description::of(model.path(), &artifact, &session, T::HEADS)?,
            path: model.path(),
            session: &session,
        };
        candidate.check(first)?;
        Ok(session)
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

/// The model file that a pipeline for one of these heads opens: the path itself, or the one in the
/// folder.
///
/// # Errors
/// [`PipelineError::NoModel`].
pub fn model_path(path: &Path, heads: &[Head]) -> Result<PathBuf, PipelineError> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let found = Artifact::in_folder(path).model_for(heads);
    let found = found.map_err(|tried| PipelineError::NoModel {
        folder: path.to_owned(),
        tried,
    })?;
    Ok(path.join(found))
}

/// The graph of an artifact in memory for one of these heads.
///
/// # Errors
/// [`PipelineError::NoModel`], [`PipelineError::Session`].
pub(crate) fn part(artifact: &Artifact, heads: &[Head]) -> Result<Model, PipelineError> {
    let part = artifact.model_for(heads);
    let part = part.map_err(|tried| PipelineError::NoModel {
        folder: artifact.origin().to_owned(),
        tried,
    })?;
    Model::part_of(artifact, &part).map_err(model_error)
}

/// The error of a pipeline whose model does not open.
pub(crate) fn model_error(error: impl Into<ModelError>) -> PipelineError {
    SessionError::from(error.into()).into()
}
