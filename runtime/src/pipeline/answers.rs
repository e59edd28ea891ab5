use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

use super::{Pipeline, PipelineError};
use crate::task::Task;

/// The answers of [`Pipeline::stream`].
pub struct Answers<'p, T: Task, S> {
    pipeline: &'p Pipeline<T>,
    inputs: S,
    /// The task with other options, if not that of the pipeline.
    task: Option<T>,
    deadline: Option<Instant>,
    ready: VecDeque<Answered<T>>,
    truncated: bool,
    tokens: usize,
}

impl<'p, T: Task, S> Answers<'p, T, S> {
    pub(super) fn new(pipeline: &'p Pipeline<T>, inputs: S, deadline: Option<Instant>) -> Self {
        Self {
            pipeline,
            inputs,
            task: None,
            deadline,
            ready: VecDeque::new(),
            truncated: false,
            tokens: 0,
        }
    }
}

impl<T: Task, S> fmt::Debug for Answers<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers")
            .field("pipeline", self.pipeline)
            .field("deadline", &self.deadline)
            .field("ready", &self.ready.len())
            .finish_non_exhaustive()
    }
}

/// An answer, whether it is only for the beginning of its input, and how many tokens the model read
/// for it.
pub(super) struct Answered<T: Task> {
    pub answer: Result<T::Answer, PipelineError>,
    pub truncated: bool,
    pub tokens: usize,
}

impl<T: Task, S> Answers<'_, T, S> {
    /// Uses other options of the task, for these answers only.
    ///
    /// # Errors
    /// [`PipelineError::Task`] if the options are invalid for the model.
    pub fn with_options(mut self, options: T::Options) -> Result<Self, PipelineError> {
        self.task = Some(T::new(self.pipeline.model.clone(), options)?);
        Ok(self)
    }

    /// How many answers are computed, but not taken yet.
    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Whether the latest answer is only for the beginning of its input, because the input had more
    /// than `max_length` tokens; `false` before the first answer.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// Tokens of the latest input's sequences, including special tokens, but not padding; 0 before
    /// the first answer and for an input with an error.
    pub fn tokens(&self) -> usize {
        self.tokens
    }
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
            let task = self.task.as_ref().unwrap_or(&self.pipeline.task);
            self.ready = self.pipeline.window(task, &window, self.deadline).into();
        }
        let next = self.ready.pop_front();
        self.truncated = next.as_ref().is_some_and(|it| it.truncated);
        self.tokens = next.as_ref().map_or(0, |it| it.tokens);
        next.map(|it| it.answer)
    }
}
