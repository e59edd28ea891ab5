//! Texts in, columns of answers out. Only this module uses the runtime's pipelines.

mod columns;
mod tasks;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, StringArray};
use arrow_schema::{DataType, Field};
use nezha_graphs::error_chain;
use nezha_runtime::task::Task;
use nezha_runtime::{
    Batching, EngineChoice, EngineOptions, Pipeline, PipelineError, PipelineNote, Session,
};

use crate::{Asked, ScoreError};
use columns::Columns;

/// Rows whose texts are sorted by length together. A part is divided into windows at multiples of
/// this number, so that only the plan decides which texts share a batch, and with it the last bits
/// of a score.
pub const WINDOW: usize = 1024;

/// A value of a text column: a text, `None` for null, or why the value is not a text.
pub type Cell = Result<Option<String>, String>;

/// A model that answers rows.
///
/// Threads may share a scorer by reference.
pub trait Scorer: Send + Sync {
    /// The columns of answers; the last two are `truncated` and `error`.
    fn fields(&self) -> Vec<Field>;

    /// Answers the rows of a window. Every text column has a cell for each row.
    ///
    /// A row whose text is null or only blanks has no answer and no error.
    ///
    /// # Errors
    /// [`ScoreError::Arrow`].
    fn score(&self, texts: &[Vec<Cell>]) -> Result<Scored, ScoreError>;

    /// The model in its engine.
    fn session(&self) -> &Session;

    /// What the user should know about the model, though it works.
    fn notes(&self) -> &[PipelineNote];
}

/// The answers to a window.
#[derive(Clone, Debug)]
pub struct Scored {
    /// The columns, in the order of [`Scorer::fields`].
    pub columns: Vec<ArrayRef>,
    /// The number of rows with an error.
    pub failed: usize,
    /// The first error and its row in the window, if there is one.
    pub first_error: Option<(usize, String)>,
    /// The number of rows whose text was truncated.
    pub truncated: usize,
    /// Tokens that the model read, without padding.
    pub tokens: u64,
}

/// Opens a model for a task.
///
/// # Errors
/// [`ScoreError::Pipeline`] if it can't be started or doesn't suit the task.
pub fn load(
    model: &Path,
    asked: &Asked,
    choice: &EngineChoice,
    options: &EngineOptions,
) -> Result<Box<dyn Scorer>, ScoreError> {
    tasks::load(model, asked, choice, options)
}

/// A pipeline and the columns of its answers.
struct Asking<T: Task, C> {
    pipeline: Pipeline<T>,
    columns: C,
}

impl<T: Task, C> Asking<T, C> {
    /// Opens the pipeline; `columns` may inspect it or run it.
    fn load(
        model: &Path,
        choice: &EngineChoice,
        engine: &EngineOptions,
        options: &T::Options,
        columns: impl FnOnce(&Pipeline<T>) -> Result<C, PipelineError>,
    ) -> Result<Self, ScoreError> {
        let window = NonZeroUsize::new(WINDOW).unwrap_or(NonZeroUsize::MIN);
        let pipeline = Pipeline::builder()
            .engine(choice)
            .engine_options(engine.clone())
            .options(options.clone())
            .batching(Batching::default().window(window))
            .load(model)?;
        let columns = columns(&pipeline)?;
        Ok(Self { pipeline, columns })
    }
}

impl<T: Task, C: Columns<T>> Scorer for Asking<T, C> {
    fn fields(&self) -> Vec<Field> {
        let mut fields = self.columns.fields();
        fields.push(Field::new("truncated", DataType::Boolean, false));
        fields.push(Field::new("error", DataType::Utf8, true));
        fields
    }

    fn score(&self, texts: &[Vec<Cell>]) -> Result<Scored, ScoreError> {
        let rows = texts.first().map_or(0, Vec::len);
        let mut errors: Vec<Option<String>> = vec![None; rows];
        let mut questions = Vec::new();
        let mut asked_rows = Vec::new();
        for row in 0..rows {
            match question::<T, C>(texts, row) {
                Ok(Some(question)) => {
                    questions.push(question);
                    asked_rows.push(row);
                }
                Ok(None) => {}
                Err(reason) => put(&mut errors, row, reason),
            }
        }
        let mut answers: Vec<Option<T::Answer>> = (0..rows).map(|_| None).collect();
        let mut truncated = vec![false; rows];
        let mut tokens = 0;
        let mut answered = self.pipeline.stream(questions);
        for row in asked_rows {
            match answered.next() {
                Some(Ok(answer)) => put(&mut answers, row, answer),
                Some(Err(error)) => put(&mut errors, row, error_chain(&error).clone()),
                None => {}
            }
            tokens += answered.tokens() as u64;
            if let Some(slot) = truncated.get_mut(row) {
                *slot = answered.truncated();
            }
        }
        let first_error = errors
            .iter()
            .enumerate()
            .find_map(|(row, error)| Some((row, error.clone()?)));
        let mut columns = self.columns.arrays(&answers)?;
        let counts = (
            errors.iter().flatten().count(),
            truncated.iter().filter(|it| **it).count(),
        );
        columns.push(Arc::new(BooleanArray::from(truncated)));
        columns.push(Arc::new(StringArray::from(errors)));
        Ok(Scored {
            columns,
            failed: counts.0,
            first_error,
            truncated: counts.1,
            tokens,
        })
    }

    fn session(&self) -> &Session {
        self.pipeline.session()
    }

    fn notes(&self) -> &[PipelineNote] {
        self.pipeline.notes()
    }
}

/// The input of the task that a row holds; `None` if its first text, or another text that the task
/// needs, is missing or only blanks.
fn question<T: Task, C: Columns<T>>(
    texts: &[Vec<Cell>],
    row: usize,
) -> Result<Option<T::Input>, String> {
    let mut parts = Vec::new();
    for column in texts {
        let cell = column.get(row).cloned().unwrap_or(Ok(None))?;
        parts.push(cell.filter(|text| !text.trim().is_empty()));
    }
    Ok(C::question(parts))
}

fn put<V>(slots: &mut [Option<V>], row: usize, value: V) {
    if let Some(slot) = slots.get_mut(row) {
        *slot = Some(value);
    }
}
