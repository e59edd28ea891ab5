//! Text in, answers out: a tokenizer, an engine and a [`Task`] in one.

mod batch;
mod error;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use nezha_graphs::Head;

pub use batch::Batching;
pub use error::PipelineError;

use crate::task::{self, Row, RowOutputs, Task, TaskError, TaskModel};
use crate::{EngineChoice, EngineOptions, Session, Tensors, Tokenizer};

/// One vector for a text.
///
/// ```no_run
/// use nezha_runtime::task::{EmbeddingOptions, Pooling};
/// use nezha_runtime::{Embedding, EngineChoice, EngineOptions};
///
/// let embedder = Embedding::load("out", &EngineChoice::Auto, &EngineOptions::default())?;
/// let options = EmbeddingOptions { pooling: Pooling::Cls, normalize: true, max_length: None };
/// let embedder = embedder.with_options(options)?;
/// let vectors = embedder.run(["房间很干净", "酒店很干净"])?;
/// println!("cosine {}", vectors[0].dot(&vectors[1]));
/// # Ok::<(), nezha_runtime::PipelineError>(())
/// ```
pub type Embedding = Pipeline<task::Embedding>;

/// The model's vectors for the tokens of a text.
///
/// ```no_run
/// use nezha_runtime::{EngineChoice, EngineOptions, FeatureExtraction};
///
/// let extractor = FeatureExtraction::load("out", &EngineChoice::Auto, &EngineOptions::default())?;
/// for vectors in extractor.run(["房间很干净"])? {
///     println!("{} tokens, {} features", vectors.nrows(), vectors.ncols());
/// }
/// # Ok::<(), nezha_runtime::PipelineError>(())
/// ```
pub type FeatureExtraction = Pipeline<task::FeatureExtraction>;

/// The words that fit the gaps of a text.
///
/// ```no_run
/// use nezha_runtime::task::FillMaskOptions;
/// use nezha_runtime::{EngineChoice, EngineOptions, FillMask};
///
/// let fill_mask = FillMask::load("out", &EngineChoice::Auto, &EngineOptions::default())?;
/// let options = FillMaskOptions { top_k: 3, ..FillMaskOptions::default() };
/// for gaps in fill_mask.with_options(options)?.run(["这家[MASK]店的服务态度很好。"])? {
///     for fill in &gaps[0] {
///         println!("{} {:.4}", fill.token_str, fill.score);
///     }
/// }
/// # Ok::<(), nezha_runtime::PipelineError>(())
/// ```
pub type FillMask = Pipeline<task::FillMask>;

/// The choice that goes with a text best.
///
/// ```no_run
/// use nezha_runtime::{EngineChoice, EngineOptions, MultipleChoice};
///
/// let chooser = MultipleChoice::load("out", &EngineChoice::Auto, &EngineOptions::default())?;
/// for answer in chooser.run([("今天下雨，", ["我带伞。", "我晒被子。"])])? {
///     println!("choice {}: {:?}", answer.choice, answer.scores);
/// }
/// # Ok::<(), nezha_runtime::PipelineError>(())
/// ```
pub type MultipleChoice = Pipeline<task::MultipleChoice>;

/// Whether a text follows another.
///
/// ```no_run
/// use nezha_runtime::{EngineChoice, EngineOptions, NextSentence};
///
/// let next_sentence = NextSentence::load("out", &EngineChoice::Auto, &EngineOptions::default())?;
/// for answer in next_sentence.run([("这家酒店很好。", "下次还会住。")])? {
///     println!("{:.4}", answer.is_next);
/// }
/// # Ok::<(), nezha_runtime::PipelineError>(())
/// ```
pub type NextSentence = Pipeline<task::NextSentence>;

/// Both of a pretrained model's answers in one run.
///
/// ```no_run
/// use nezha_runtime::{EngineChoice, EngineOptions, Pretraining};
///
/// let pretrained = Pretraining::load("out", &EngineChoice::Auto, &EngineOptions::default())?;
/// for answer in pretrained.run([("这家[MASK]店很好。", "下次还会住。")])? {
///     println!("{} {:?}", answer.fills[0][0].token_str, answer.is_next);
/// }
/// # Ok::<(), nezha_runtime::PipelineError>(())
/// ```
pub type Pretraining = Pipeline<task::Pretraining>;

/// The stretch of a text that answers a question.
///
/// ```no_run
/// use nezha_runtime::{EngineChoice, EngineOptions, QuestionAnswering};
///
/// let oracle = QuestionAnswering::load("out", &EngineChoice::Auto, &EngineOptions::default())?;
/// for answers in oracle.run([("谁来了？", "国务院总理李鹏今天来了。")])? {
///     println!("{} at {}", answers[0].answer, answers[0].start);
/// }
/// # Ok::<(), nezha_runtime::PipelineError>(())
/// ```
pub type QuestionAnswering = Pipeline<task::QuestionAnswering>;

/// A label for a text.
///
/// ```no_run
/// use nezha_runtime::{EngineChoice, EngineOptions, TextClassification};
///
/// let classifier = TextClassification::load("out", &EngineChoice::Auto, &EngineOptions::default())?;
/// // Reads ahead, answers in order, and goes on after an input that fails.
/// for answer in classifier.stream(["房间很干净", "再也不会来了"]) {
///     match answer {
///         Ok(labels) => println!("{} {:.4}", labels[0].label, labels[0].score),
///         Err(error) => eprintln!("{error}"),
///     }
/// }
/// # Ok::<(), nezha_runtime::PipelineError>(())
/// ```
pub type TextClassification = Pipeline<task::TextClassification>;

/// Labels for the words of a text, such as the names in it.
///
/// ```no_run
/// use nezha_runtime::task::{Aggregation, TokenClassificationOptions};
/// use nezha_runtime::{EngineChoice, EngineOptions, TokenClassification};
///
/// let names = TokenClassification::load("out", &EngineChoice::Auto, &EngineOptions::default())?;
/// let options = TokenClassificationOptions {
///     aggregation: Aggregation::Simple,
///     ..TokenClassificationOptions::default()
/// };
/// for entities in names.with_options(options)?.run(["国务院总理李鹏在北京"])? {
///     for it in entities {
///         println!("{} {} {}..{}", it.word, it.label, it.start, it.end);
///     }
/// }
/// # Ok::<(), nezha_runtime::PipelineError>(())
/// ```
pub type TokenClassification = Pipeline<task::TokenClassification>;

/// Answers questions of one kind about text, with one model.
///
/// Threads may share one by reference.
pub struct Pipeline<T: Task> {
    model: Arc<TaskModel>,
    session: Session,
    task: T,
    batching: Batching,
}

impl<T: Task> Pipeline<T> {
    /// Opens a model with the tokenizer beside it, on the first engine of `choice` that starts.
    ///
    /// `path` is a folder that `nezha export` wrote (`model.onnx`, or `<head>.onnx` where it holds
    /// several heads), or the `.onnx` file itself.
    ///
    /// # Errors
    /// [`PipelineError::NoModel`], [`PipelineError::NoMetadata`], [`PipelineError::Head`],
    /// [`PipelineError::Tokenizer`], [`PipelineError::Session`].
    pub fn load(
        path: impl AsRef<Path>,
        choice: &EngineChoice,
        options: &EngineOptions,
    ) -> Result<Self, PipelineError> {
        let path = model_path(path.as_ref(), T::HEADS)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let tokenizer = Tokenizer::load(folder)?;
        let session = Session::load(&path, choice, options)?;
        let (Some(metadata), Some(config)) = (session.metadata(), session.config()) else {
            return Err(PipelineError::NoMetadata { path });
        };
        if !T::HEADS.contains(&metadata.head) {
            return Err(PipelineError::Head {
                task: T::NAME,
                expected: T::HEADS,
                found: metadata.head,
                path,
            });
        }
        let model = Arc::new(TaskModel {
            tokenizer,
            config: config.clone(),
            head: metadata.head,
        });
        Ok(Self {
            task: T::new(model.clone(), T::Options::default())?,
            model,
            session,
            batching: Batching::default(),
        })
    }

    /// The same model, asked in another way.
    ///
    /// # Errors
    /// [`PipelineError::Task`] where the options make no sense for the model.
    pub fn with_options(self, options: T::Options) -> Result<Self, PipelineError> {
        let task = T::new(self.model.clone(), options)?;
        Ok(Self { task, ..self })
    }

    /// The same model, inputs put together in another way.
    pub fn with_batching(self, batching: Batching) -> Self {
        Self { batching, ..self }
    }

    /// The model in its engine.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.model.tokenizer
    }

    /// Answers all inputs.
    ///
    /// # Errors
    /// The first [`PipelineError`]; [`stream`](Self::stream) goes on after one.
    pub fn run<I: Into<T::Input>>(
        &self,
        inputs: impl IntoIterator<Item = I>,
    ) -> Result<Vec<T::Answer>, PipelineError> {
        self.stream(inputs).collect()
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
        let answers = Answers {
            deadline: Some(deadline),
            ..self.stream(inputs)
        };
        answers.collect()
    }

    /// Answers inputs as they come, in their order, each with its answer or its error.
    ///
    /// A window of inputs is read ahead: [`Batching::window`].
    pub fn stream<I, S>(&self, inputs: S) -> Answers<'_, T, S::IntoIter>
    where
        I: Into<T::Input>,
        S: IntoIterator<Item = I>,
    {
        Answers {
            pipeline: self,
            inputs: inputs.into_iter(),
            deadline: None,
            ready: VecDeque::new(),
        }
    }

    /// Answers a window of inputs.
    fn window(
        &self,
        inputs: &[T::Input],
        deadline: Option<Instant>,
    ) -> Vec<Result<T::Answer, PipelineError>> {
        let encoded: Vec<Result<Vec<Row>, _>> =
            inputs.iter().map(|input| self.task.encode(input)).collect();
        let jobs: Vec<(&T::Input, &Row)> = inputs
            .iter()
            .zip(&encoded)
            .flat_map(|(input, rows)| rows.iter().flatten().map(move |row| (input, row)))
            .collect();
        let mut parts = self.parts(&jobs, deadline).into_iter();
        let answer = |(input, rows): (&T::Input, Result<Vec<Row>, TaskError>)| {
            let of_input: Vec<_> = parts.by_ref().take(rows?.len()).collect();
            let of_input = of_input.into_iter().collect::<Result<_, PipelineError>>()?;
            Ok(self.task.join(input, of_input))
        };
        inputs.iter().zip(encoded).map(answer).collect()
    }

    /// What each row says, in the order of the rows.
    fn parts(
        &self,
        jobs: &[(&T::Input, &Row)],
        deadline: Option<Instant>,
    ) -> Vec<Result<T::Part, PipelineError>> {
        let rows: Vec<&Row> = jobs.iter().map(|(_, row)| *row).collect();
        let mut parts: Vec<(usize, Result<T::Part, PipelineError>)> = Vec::new();
        for batch in self.batching.batches(&rows) {
            let of_batch: Vec<_> = batch.iter().filter_map(|job| jobs.get(*job)).collect();
            let rows: Vec<&Row> = of_batch.iter().map(|(_, row)| *row).collect();
            let outputs = self.compute(&rows, deadline);
            for (place, (job, (input, row))) in batch.into_iter().zip(of_batch).enumerate() {
                let part = match &outputs {
                    Ok(outputs) => {
                        let outputs = RowOutputs::new(outputs, place);
                        self.task.decode(input, row, &outputs).map_err(Into::into)
                    }
                    Err(error) => Err(error.clone()),
                };
                parts.push((job, part));
            }
        }
        parts.sort_by_key(|(job, _)| *job);
        parts.into_iter().map(|(_, part)| part).collect()
    }

    fn compute(&self, rows: &[&Row], deadline: Option<Instant>) -> Result<Tensors, PipelineError> {
        let choices = self.model.head == Head::MultipleChoice;
        let padding = self.model.tokenizer.padding_id();
        let inputs = self.batching.tensors(rows, choices, padding);
        Ok(self.session.run_by(inputs, deadline)?)
    }
}

/// The answers of [`Pipeline::stream`].
pub struct Answers<'p, T: Task, S> {
    pipeline: &'p Pipeline<T>,
    inputs: S,
    deadline: Option<Instant>,
    ready: VecDeque<Result<T::Answer, PipelineError>>,
}

impl<T: Task, S> Iterator for Answers<'_, T, S>
where
    S: Iterator<Item: Into<T::Input>>,
{
    type Item = Result<T::Answer, PipelineError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty() {
            let window = self
                .inputs
                .by_ref()
                .take(self.pipeline.batching.window.get());
            let window: Vec<T::Input> = window.map(Into::into).collect();
            self.ready = self.pipeline.window(&window, self.deadline).into();
        }
        self.ready.pop_front()
    }
}

/// The model file: the path itself, or the one in the folder.
pub(crate) fn model_path(path: &Path, heads: &[Head]) -> Result<PathBuf, PipelineError> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let named = heads.iter().map(|head| format!("{head}.onnx"));
    let tried: Vec<String> = std::iter::once("model.onnx".to_owned())
        .chain(named)
        .collect();
    let found = tried
        .iter()
        .map(|name| path.join(name))
        .find(|path| path.is_file());
    found.ok_or_else(|| PipelineError::NoModel {
        folder: path.to_owned(),
        tried,
    })
}
