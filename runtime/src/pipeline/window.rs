//! Answers a window of inputs: inputs become rows, rows become batches, and the engine's outputs
//! become answers.

use std::num::NonZeroUsize;
use std::time::Instant;

use nezha_graphs::{MaskSource, Signature};

use super::answers::Answered;
use super::{Pipeline, PipelineError, parallel};
use crate::Tensors;
use crate::task::{Row, RowOutputs, Task};

/// Fewer inputs than this are tokenized sooner than threads start.
const FEW_INPUTS: usize = 32;

impl<T: Task> Pipeline<T> {
    /// Answers a window of inputs.
    pub(super) fn window(
        &self,
        task: &T,
        inputs: &[T::Input],
        deadline: Option<Instant>,
    ) -> Vec<Answered<T>> {
        let threads = match inputs.len() < FEW_INPUTS {
            true => NonZeroUsize::MIN,
            false => self.threads,
        };
        let encoded = parallel::each(threads, inputs, |input| self.encode(task, input));
        let jobs: Vec<(&T::Input, &Row)> = inputs
            .iter()
            .zip(&encoded)
            .flat_map(|(input, rows)| rows.iter().flatten().map(move |row| (input, row)))
            .collect();
        let mut parts = self.parts(task, &jobs, deadline).into_iter();
        let mut answer = |input: &T::Input, rows: usize| {
            let of_input: Vec<_> = parts.by_ref().take(rows).collect();
            let of_input = of_input.into_iter().collect::<Result<_, PipelineError>>()?;
            Ok(task.join(input, of_input))
        };
        let answered = |(input, rows): (&T::Input, Result<Vec<Row>, PipelineError>)| match rows {
            Ok(rows) => Answered {
                answer: answer(input, rows.len()),
                truncated: rows.iter().any(Row::truncated),
                tokens: rows.iter().map(Row::tokens).sum(),
            },
            Err(error) => Answered {
                answer: Err(error),
                truncated: false,
                tokens: 0,
            },
        };
        inputs.iter().zip(encoded).map(answered).collect()
    }

    /// The rows of an input; an error if the model can't read one of them.
    fn encode(&self, task: &T, input: &T::Input) -> Result<Vec<Row>, PipelineError> {
        let rows = task.encode(input)?;
        self.limits.check(&rows)?;
        rows.iter().try_for_each(|row| self.model.check(row))?;
        Ok(rows)
    }

    /// The part that each row contributes, in the order of the rows. As many batches run at the
    /// same time as the engine can compute.
    fn parts(
        &self,
        task: &T,
        jobs: &[(&T::Input, &Row)],
        deadline: Option<Instant>,
    ) -> Vec<Result<T::Part, PipelineError>> {
        let rows: Vec<&Row> = jobs.iter().map(|(_, row)| *row).collect();
        let batches = self.batching.batches(&rows, self.model.fixed);
        let runs = self.session().engine().runs_at_once();
        let of_batch = |batch: &Vec<usize>| {
            let jobs: Vec<_> = batch.iter().filter_map(|job| jobs.get(*job)).collect();
            self.batch(task, &jobs, deadline)
        };
        let answered = parallel::each(runs, &batches, of_batch);
        let mut parts: Vec<_> = batches
            .iter()
            .flatten()
            .zip(answered.into_iter().flatten())
            .collect();
        parts.sort_by_key(|(job, _)| *job);
        parts.into_iter().map(|(_, part)| part).collect()
    }

    /// The part that each row of a batch contributes.
    fn batch(
        &self,
        task: &T,
        jobs: &[&(&T::Input, &Row)],
        deadline: Option<Instant>,
    ) -> Vec<Result<T::Part, PipelineError>> {
        let rows: Vec<&Row> = jobs.iter().map(|(_, row)| *row).collect();
        let outputs = self.compute(&rows, deadline);
        let part = |(place, (input, row)): (usize, &&(&T::Input, &Row))| match &outputs {
            Ok(outputs) => {
                let outputs = RowOutputs::new(outputs, self.session().signature(), place);
                task.decode(input, row, &outputs).map_err(Into::into)
            }
            Err(error) => Err(error.clone()),
        };
        jobs.iter().enumerate().map(part).collect()
    }

    /// The token that pads sequences.
    fn padding(&self) -> u32 {
        let config = &self.model.config;
        let metadata = self.session().metadata();
        if metadata.is_some_and(|it| it.options.mask == MaskSource::FromPadding) {
            return config.pad_token_id as u32;
        }
        // Masked tokens can be any token that has an embedding.
        let padding = self.model.tokenizer.padding_id();
        let is_known = (padding as usize) < config.vocab_size;
        if is_known { padding } else { 0 }
    }

    fn compute(&self, rows: &[&Row], deadline: Option<Instant>) -> Result<Tensors, PipelineError> {
        let choices = self.model.head.has_choices();
        let (padding, fixed) = (self.padding(), self.model.fixed);
        let inputs = |signature: &Signature| {
            let batching = &self.batching;
            batching.tensors(rows, signature, choices, padding, fixed)
        };
        Ok(self.members.compute(inputs, rows, deadline)?)
    }
}
